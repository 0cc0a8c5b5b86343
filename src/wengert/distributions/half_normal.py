"""The half-normal distribution."""

import math

from ._folded import Folded
from .normal import Normal


class HalfNormal(Folded):
    """The distribution of |x| for normal x of mean 0 and standard deviation `scale`."""

    _law = Normal

    @property
    def mean(self):
        return self.scale * math.sqrt(2 / math.pi)

    @property
    def variance(self):
        return self.scale**2 * (1 - 2 / math.pi)
