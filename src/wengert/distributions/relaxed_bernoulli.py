"""The relaxed Bernoulli distribution: numbers in (0, 1) instead of 0 and 1, with gradients through samples.

Maddison, Mnih and Teh, The concrete distribution (2017); Jang, Gu and Poole, Categorical reparameterization with
Gumbel-softmax (2017).
"""

import wengert

from . import constraints
from ._probs import ProbsOrLogits
from ._relaxed import Relaxed
from .transforms import SigmoidTransform
from .utils import broadcast_all, clamp_probs


class LogitRelaxedBernoulli(ProbsOrLogits):
    """The distribution of the log-odds of RelaxedBernoulli's samples; arguments as there."""

    arg_constraints = {"probs": constraints.unit_interval, "logits": constraints.real}
    support = constraints.real
    _expanded = ("probs", "logits")

    def __init__(self, temperature, probs=None, logits=None, validate_args=None):
        self.temperature = temperature
        super().__init__(probs, logits, validate_args)

    def expand(self, batch_shape, _instance=None):
        new = super().expand(batch_shape, _instance)
        new.temperature = self.temperature
        return new

    def rsample(self, sample_shape=()):
        shape = self._extended_shape(sample_shape)
        probs = clamp_probs(self.probs.expand(shape))
        u = clamp_probs(wengert.rand(shape, dtype=probs.dtype))
        return (u.log() - (-u).log1p() + probs.log() - (-probs).log1p()) / self.temperature

    def log_prob(self, value):
        if self._validate_args:
            self._validate_sample(value)
        logits, value = broadcast_all(self.logits, value)
        temperature = wengert.as_tensor(self.temperature, dtype=logits.dtype)
        away = logits - value * temperature
        return temperature.log() + away + 2 * wengert.nn.functional.logsigmoid(-away)


class RelaxedBernoulli(Relaxed):
    """A number in (0, 1), nearer to 0 and 1 the lower the temperature; rounded, it is a Bernoulli sample.

    Args:
        temperature: a positive tensor or number.
        probs, logits: one of them: probabilities of 1, or log-odds.

    Example:
        >>> import wengert
        >>> from wengert.distributions import RelaxedBernoulli
        >>> RelaxedBernoulli(wengert.tensor(0.5), probs=wengert.tensor([0.2, 0.9])).rsample().shape
        wengert.Size([2])
    """

    arg_constraints = {"probs": constraints.unit_interval, "logits": constraints.real}
    support = constraints.unit_interval
    _expanded = ()

    def __init__(self, temperature, probs=None, logits=None, validate_args=None):
        base = LogitRelaxedBernoulli(temperature, probs, logits)
        super().__init__(base, SigmoidTransform(), validate_args=validate_args)
