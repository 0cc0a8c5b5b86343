"""The relaxed one-hot categorical distribution: probabilities instead of one 1, with gradients through samples.

Maddison, Mnih and Teh, The concrete distribution (2017); Jang, Gu and Poole, Categorical reparameterization with
Gumbel-softmax (2017).
"""

import wengert

from . import constraints
from ._categories import OverCategories
from ._relaxed import Relaxed
from .transforms import ExpTransform
from .utils import broadcast_all, clamp_probs


class ExpRelaxedCategorical(OverCategories):
    """The distribution of the logarithms of RelaxedOneHotCategorical's samples; arguments as there."""

    arg_constraints = {"probs": constraints.simplex, "logits": constraints.real_vector}
    support = constraints.real_vector
    has_rsample = True
    _expanded = ()
    _kept = ("temperature",)

    def __init__(self, temperature, probs=None, logits=None, validate_args=None):
        self.temperature = temperature
        super().__init__(probs, logits, validate_args)

    def rsample(self, sample_shape=()):
        u = clamp_probs(wengert.rand(self._extended_shape(sample_shape), dtype=self.logits.dtype))
        return ((self.logits - (-u.log()).log()) / self.temperature).log_softmax(-1)

    def log_prob(self, value):
        if self._validate_args:
            self._validate_sample(value)
        logits, value = broadcast_all(self.logits, value)
        temperature = wengert.as_tensor(self.temperature, dtype=logits.dtype)
        count = float(self._event_shape[0])
        size = wengert.full_like(temperature, count).lgamma() + (count - 1) * temperature.log()
        return (logits - value * temperature).log_softmax(-1).sum(-1) + size


class RelaxedOneHotCategorical(Relaxed):
    """Probabilities of categories, nearer to one 1 the lower the temperature; their largest is a Categorical sample.

    Args:
        temperature: a positive tensor or number.
        probs, logits: as for Categorical.

    Example:
        >>> import wengert
        >>> from wengert.distributions import RelaxedOneHotCategorical
        >>> RelaxedOneHotCategorical(wengert.tensor(0.5), logits=wengert.zeros(4)).rsample((2,)).shape
        wengert.Size([2, 4])
    """

    arg_constraints = {"probs": constraints.simplex, "logits": constraints.real_vector}
    support = constraints.simplex
    _expanded = ()

    def __init__(self, temperature, probs=None, logits=None, validate_args=None):
        base = ExpRelaxedCategorical(temperature, probs, logits, validate_args=validate_args)
        super().__init__(base, ExpTransform(), validate_args=validate_args)
