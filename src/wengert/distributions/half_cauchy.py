"""The half-Cauchy distribution."""

import math

import wengert

from ._folded import Folded
from .cauchy import Cauchy


class HalfCauchy(Folded):
    """The distribution of |x| for x of a Cauchy distribution around 0 with half width `scale`; its mean is infinite."""

    _law = Cauchy

    @property
    def mean(self):
        return wengert.full(self._extended_shape(), math.inf, dtype=self.scale.dtype)

    @property
    def variance(self):
        return self.base_dist.variance
