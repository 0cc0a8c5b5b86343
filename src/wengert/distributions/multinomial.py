"""The multinomial distribution."""

import wengert

from . import constraints
from ._categories import OverCategories
from .binomial import Binomial
from .utils import broadcast_all


class Multinomial(OverCategories):
    """How often each category was drawn in `total_count` draws; the last dimension of the parameter is the event.

    Args:
        total_count: a whole number, the same for the whole batch.
        probs, logits: as for Categorical.

    Example:
        >>> import wengert
        >>> from wengert.distributions import Multinomial
        >>> Multinomial(2, probs=wengert.ones(2)).log_prob(wengert.tensor([1.0, 1.0])).exp()
        tensor(0.5000)
    """

    arg_constraints = {"probs": constraints.simplex, "logits": constraints.real_vector}
    _expanded = ()
    _kept = ("total_count",)

    def __init__(self, total_count=1, probs=None, logits=None, validate_args=None):
        if not isinstance(total_count, int):
            raise NotImplementedError(
                f"Multinomial: expected total_count to be one int, got {type(total_count).__name__}."
            )
        self.total_count = total_count
        super().__init__(probs, logits, validate_args)

    @constraints.dependent_property(is_discrete=True, event_dim=1)
    def support(self):
        return constraints.multinomial(self.total_count)

    @property
    def mean(self):
        return self.probs * self.total_count

    @property
    def variance(self):
        return self.total_count * self.probs * (1 - self.probs)

    def sample(self, sample_shape=()):
        drawn = self._categorical.sample((self.total_count, *sample_shape)).movedim(0, -1)
        counts = wengert.zeros(self._extended_shape(sample_shape), dtype=self.probs.dtype)
        return counts.scatter_add(-1, drawn, wengert.ones_like(drawn, dtype=counts.dtype))

    def log_prob(self, value):
        if self._validate_args:
            self._validate_sample(value)
        logits, value = broadcast_all(self.logits, value)
        logits = wengert.where((value == 0) & (logits == -float("inf")), 0.0, logits)
        ways = (value.sum(-1) + 1).lgamma() - (value + 1).lgamma().sum(-1)
        return ways + (logits * value).sum(-1)

    def entropy(self):
        n = wengert.tensor(float(self.total_count), dtype=self.probs.dtype)
        # Each count is binomial: the mean of log(count!) is a sum over its values from 1 on.
        count = Binomial(self.total_count, probs=self.probs, validate_args=False)
        values = count.enumerate_support(expand=False)[1:]
        ways = (count.log_prob(values).exp() * (values + 1).lgamma()).sum((0, -1))
        return n * self._categorical.entropy() - (n + 1).lgamma() + ways
