"""The Bernoulli distribution."""

import wengert

from . import constraints
from ._probs import ProbsOrLogits
from .exp_family import ExponentialFamily


class Bernoulli(ProbsOrLogits, ExponentialFamily):
    """1 with probability `probs` and 0 otherwise; `logits` are log-odds.

    Example:
        >>> import wengert
        >>> from wengert.distributions import Bernoulli
        >>> Bernoulli(probs=wengert.tensor(0.25)).entropy()
        tensor(0.5623)
    """

    arg_constraints = {"probs": constraints.unit_interval, "logits": constraints.real}
    support = constraints.boolean
    has_enumerate_support = True
    _mean_carrier_measure = 0

    @property
    def mean(self):
        return self.probs

    @property
    def mode(self):
        mode = (self.probs >= 0.5).to(self.probs.dtype)
        return wengert.where(self.probs == 0.5, float("nan"), mode)

    @property
    def variance(self):
        return self.probs * (1 - self.probs)

    def sample(self, sample_shape=()):
        with wengert.no_grad():
            return wengert.bernoulli(self.probs.expand(self._extended_shape(sample_shape)))

    def log_prob(self, value):
        if self._validate_args:
            self._validate_sample(value)
        logits, value = wengert.broadcast_tensors(self.logits, value)
        return -wengert.nn.functional.binary_cross_entropy_with_logits(logits, value, reduction="none")

    def entropy(self):
        return wengert.nn.functional.binary_cross_entropy_with_logits(self.logits, self.probs, reduction="none")

    def enumerate_support(self, expand=True):
        values = wengert.arange(2, dtype=self._param.dtype).reshape((2,) + (1,) * len(self._batch_shape))
        return values.expand((2, *self._batch_shape)) if expand else values

    @property
    def _natural_params(self):
        return (self.logits,)

    def _log_normalizer(self, logits):
        return -wengert.nn.functional.logsigmoid(-logits)
