"""What the distributions of a location and a scale on the whole line share."""

from . import constraints
from .distribution import Distribution
from .utils import broadcast_all, shape_of


class LocationScale(Distribution):
    """A distribution of loc + scale * z, for z of a fixed law on the real numbers."""

    arg_constraints = {"loc": constraints.real, "scale": constraints.positive}
    support = constraints.real
    has_rsample = True
    _expanded = ("loc", "scale")

    def __init__(self, loc, scale, validate_args=None):
        self.loc, self.scale = broadcast_all(loc, scale)
        super().__init__(shape_of(loc, scale), validate_args=validate_args)
