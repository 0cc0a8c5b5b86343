"""The negative binomial distribution."""

import wengert

from . import constraints
from ._counts import poisson
from ._probs import CountedTrials
from .gamma import Gamma


class NegativeBinomial(CountedTrials):
    """The number of successes before `total_count` failures, of trials that succeed with probability `probs`.

    Args:
        total_count: a number from 0, or a tensor of them; not only whole numbers.
        probs, logits: one of them: probabilities of a success in [0, 1), or log-odds.
    """

    arg_constraints = {
        "total_count": constraints.greater_than_eq(0),
        "probs": constraints.half_open_interval(0.0, 1.0),
        "logits": constraints.real,
    }
    support = constraints.nonnegative_integer

    @property
    def mean(self):
        return self.total_count * self.logits.exp()

    @property
    def mode(self):
        return ((self.total_count - 1) * self.logits.exp()).floor().clamp(min=0.0)

    @property
    def variance(self):
        return self.mean / (-self.logits).sigmoid()

    def sample(self, sample_shape=()):
        with wengert.no_grad():
            some = self.total_count > 0
            law = Gamma(wengert.where(some, self.total_count, 1.0), (-self.logits).exp(), validate_args=False)
            rate = wengert.where(some, law.expand(self._batch_shape).sample(sample_shape), 0.0)
            return poisson(rate.double()).to(self._param.dtype)

    def log_prob(self, value):
        if self._validate_args:
            self._validate_sample(value)
        n, logits = self.total_count, self.logits
        logsigmoid = wengert.nn.functional.logsigmoid
        ways = (n + value).lgamma() - (value + 1).lgamma() - n.lgamma()
        # Without trials the count is 0 with probability 1, while both of the functions are infinite.
        ways = wengert.where(n + value == 0, 0.0, ways)
        return ways + n * logsigmoid(-logits) + value * logsigmoid(logits)
