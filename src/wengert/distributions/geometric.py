"""The geometric distribution."""

import wengert

from . import constraints
from ._probs import ProbsOrLogits
from .utils import holds, probs_to_logits


class Geometric(ProbsOrLogits):
    """The number of failures before the first success of trials that succeed with probability `probs`."""

    arg_constraints = {"probs": constraints.unit_interval, "logits": constraints.real}
    support = constraints.nonnegative_integer
    _expanded = ("probs", "logits")

    def __init__(self, probs=None, logits=None, validate_args=None):
        super().__init__(probs, logits, validate_args)
        if self._validate_args and probs is not None and not holds(constraints.positive, self.probs):
            raise ValueError("Geometric: expected probs above 0, got a 0: the first success would never come.")

    @property
    def mean(self):
        return 1.0 / self.probs - 1.0

    @property
    def mode(self):
        return wengert.zeros_like(self.probs)

    @property
    def variance(self):
        return (1.0 / self.probs - 1.0) / self.probs

    def sample(self, sample_shape=()):
        tiny = wengert.finfo(self.probs.dtype).tiny
        with wengert.no_grad():
            u = wengert.rand(self._extended_shape(sample_shape), dtype=self.probs.dtype).clamp(min=tiny)
            return (u.log() / (-self.probs).log1p()).floor()

    def log_prob(self, value):
        if self._validate_args:
            self._validate_sample(value)
        value, probs = wengert.broadcast_tensors(value, self.probs)
        failure = wengert.where((probs == 1) & (value == 0), 0.0, (-probs).log1p())
        return value * failure + probs.log()

    def entropy(self):
        loss = wengert.nn.functional.binary_cross_entropy_with_logits
        return loss(probs_to_logits(self.probs, True), self.probs, reduction="none") / self.probs
