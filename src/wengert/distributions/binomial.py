"""The binomial distribution."""

import wengert

from . import constraints
from ._counts import binomial
from ._probs import CountedTrials


class Binomial(CountedTrials):
    """The number of successes of `total_count` trials that succeed with probability `probs`; `logits` are log-odds.

    Args:
        total_count: a whole number, or a tensor of them.
        probs, logits: one of them, a number or a tensor.

    Example:
        >>> import wengert
        >>> from wengert.distributions import Binomial
        >>> Binomial(4, probs=wengert.tensor(0.5)).log_prob(wengert.tensor(2.0)).exp()
        tensor(0.3750)
    """

    arg_constraints = {
        "total_count": constraints.nonnegative_integer,
        "probs": constraints.unit_interval,
        "logits": constraints.real,
    }
    has_enumerate_support = True

    @constraints.dependent_property(is_discrete=True, event_dim=0)
    def support(self):
        return constraints.integer_interval(0, self.total_count)

    @property
    def mean(self):
        return self.total_count * self.probs

    @property
    def mode(self):
        return wengert.minimum(((self.total_count + 1) * self.probs).floor(), self.total_count)

    @property
    def variance(self):
        return self.total_count * self.probs * (1 - self.probs)

    def sample(self, sample_shape=()):
        shape = self._extended_shape(sample_shape)
        with wengert.no_grad():
            drawn = binomial(self.total_count.expand(shape).double(), self.probs.expand(shape).double())
            return drawn.to(self._param.dtype)

    def log_prob(self, value):
        if self._validate_args:
            self._validate_sample(value)
        n, logits = self.total_count, self.logits
        ways = (n + 1).lgamma() - (value + 1).lgamma() - (n - value + 1).lgamma()
        return ways + value * logits + n * wengert.nn.functional.logsigmoid(-logits)

    def _one_count(self, what):
        count = int(self.total_count.max())
        if not bool((self.total_count == count).all()):
            raise NotImplementedError(
                f"Binomial.{what}: expected one total_count for the whole batch, got several."
            )
        return count

    def entropy(self):
        self._one_count("entropy")
        log_prob = self.log_prob(self.enumerate_support(False))
        return -(log_prob.exp() * log_prob).sum(0)

    def enumerate_support(self, expand=True):
        count = 1 + self._one_count("enumerate_support")
        values = wengert.arange(count, dtype=self._param.dtype).reshape((count,) + (1,) * len(self._batch_shape))
        return values.expand((count, *self._batch_shape)) if expand else values
