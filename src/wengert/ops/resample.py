"""Interpolation along one dimension, and its adjoint."""

from ._def import boolean, integer, op, real


@op("resample", linear=True, public=False, shown="interpolate", grad_name="InterpolateBackward0")
def resample(g, x, y, *, dim: integer, count: integer, step: real, shift: real, cubic: boolean):
    """`count` new elements along a dimension, number j at the place (j + shift) * step - shift among the old ones.

    Between two old elements the value is linear, or with `cubic` Keys's cubic through four of them (a = -0.75). Beyond
    the first and the last element their values go on.
    """
    return g.resample_adjoint(x, dim, count, step, shift, cubic)


@op("resample_adjoint", linear=True, public=False)
def resample_adjoint(g, u, like, y, *, dim: integer, count: integer, step: real, shift: real, cubic: boolean):
    """resample's gradient: each element of u spread over the old ones that it was made of."""
    return g.resample(dim, count, step, shift, cubic), None
