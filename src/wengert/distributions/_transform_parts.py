"""Transforms that rearrange a tensor, or take it apart for other transforms."""

import wengert

from . import constraints
from ._transform import Transform, need_dimensions
from .utils import sum_last


class ReshapeTransform(Transform):
    """Another shape for the last dimensions; its log-determinant is 0.

    Args:
        in_shape, out_shape: the event shapes, of as many elements.

    Raises ValueError for shapes of different numbers of elements.
    """

    bijective = True

    def __init__(self, in_shape, out_shape, cache_size=0):
        super().__init__(cache_size)
        self.in_shape, self.out_shape = wengert.Size(in_shape), wengert.Size(out_shape)
        if self.in_shape.numel() != self.out_shape.numel():
            raise ValueError(
                f"ReshapeTransform: expected shapes of as many elements, got {tuple(in_shape)} and {tuple(out_shape)}."
            )

    @constraints.dependent_property
    def domain(self):
        return constraints.independent(constraints.real, len(self.in_shape))

    @constraints.dependent_property
    def codomain(self):
        return constraints.independent(constraints.real, len(self.out_shape))

    def _call(self, x):
        return x.reshape(_swap(x.shape, self.in_shape, self.out_shape))

    def _inverse(self, y):
        return y.reshape(_swap(y.shape, self.out_shape, self.in_shape))

    def log_abs_det_jacobian(self, x, y):
        return wengert.zeros(tuple(x.shape[: x.dim() - len(self.in_shape)]), dtype=x.dtype)

    def forward_shape(self, shape):
        return _swap(shape, self.in_shape, self.out_shape)

    def inverse_shape(self, shape):
        return _swap(shape, self.out_shape, self.in_shape)


def _swap(shape, last, new):
    """A shape whose last dimensions are replaced."""
    need_dimensions(shape, len(last))
    cut = len(shape) - len(last)
    if tuple(shape[cut:]) != tuple(last):
        raise ValueError(f"ReshapeTransform: expected last dimensions {tuple(last)}, got {tuple(shape[cut:])}.")
    return wengert.Size((*shape[:cut], *new))


class _Several(Transform):
    """Transforms for the parts of a tensor along a dimension. A subclass splits and joins."""

    def __init__(self, tseq, dim, cache_size):
        super().__init__(cache_size)
        self.transforms, self.dim = [t.with_cache(cache_size) if cache_size else t for t in tseq], dim

    def with_cache(self, cache_size=1):
        new = super().with_cache(cache_size)
        if new is not self:
            new.transforms = [t.with_cache(cache_size) for t in self.transforms]
        return new

    @property
    def bijective(self):
        return all(t.bijective for t in self.transforms)

    def _length(self):
        raise NotImplementedError

    def _split(self, value):
        raise NotImplementedError

    def _join(self, parts):
        raise NotImplementedError

    def _parts(self, value):
        if not -value.dim() <= self.dim < value.dim() or value.shape[self.dim] != self._length():
            raise AssertionError(
                f"{type(self).__name__}: expected {self._length()} elements along dimension {self.dim}, got shape "
                f"{tuple(value.shape)}."
            )
        return self._split(value)

    def _call(self, x):
        return self._join([t(part) for t, part in zip(self.transforms, self._parts(x), strict=True)])

    def _inverse(self, y):
        return self._join([t.inv(part) for t, part in zip(self.transforms, self._parts(y), strict=True)])

    def _log_dets(self, x, y):
        """(transform, log-determinant) of each part."""
        parts = zip(self.transforms, self._parts(x), self._parts(y), strict=True)
        return [(t, t.log_abs_det_jacobian(a, b)) for t, a, b in parts]


class CatTransform(_Several):
    """Transforms side by side along a dimension, each for `lengths` elements of it.

    Args:
        tseq: the transforms.
        dim: the dimension.
        lengths: how many elements each takes; 1 each without it.
    """

    def __init__(self, tseq, dim=0, lengths=None, cache_size=0):
        tseq = _transforms(tseq, type(self))
        super().__init__(tseq, dim, cache_size)
        self.lengths = [1] * len(tseq) if lengths is None else list(lengths)
        if len(self.lengths) != len(tseq):
            raise AssertionError(f"CatTransform: expected {len(tseq)} lengths, got {len(self.lengths)}.")

    @property
    def event_dim(self):
        return max(t.event_dim for t in self.transforms)

    @property
    def length(self):
        """The number of elements along the dimension."""
        return sum(self.lengths)

    @constraints.dependent_property
    def domain(self):
        return constraints.cat([t.domain for t in self.transforms], self.dim, self.lengths)

    @constraints.dependent_property
    def codomain(self):
        return constraints.cat([t.codomain for t in self.transforms], self.dim, self.lengths)

    def _length(self):
        return self.length

    def _split(self, value):
        return value.split(self.lengths, self.dim)

    def _join(self, parts):
        return wengert.cat(parts, self.dim)

    def log_abs_det_jacobian(self, x, y):
        parts = [sum_last(value, self.event_dim - t.event_dim) for t, value in self._log_dets(x, y)]
        dim = (self.dim if self.dim < 0 else self.dim - x.dim()) + self.event_dim
        return wengert.cat(parts, dim) if dim < 0 else sum(parts)


class StackTransform(_Several):
    """A transform for each slice along a dimension."""

    def __init__(self, tseq, dim=0, cache_size=0):
        super().__init__(_transforms(tseq, type(self)), dim, cache_size)

    @constraints.dependent_property
    def domain(self):
        return constraints.stack([t.domain for t in self.transforms], self.dim)

    @constraints.dependent_property
    def codomain(self):
        return constraints.stack([t.codomain for t in self.transforms], self.dim)

    def _length(self):
        return len(self.transforms)

    def _split(self, value):
        return value.unbind(self.dim)

    def _join(self, parts):
        return wengert.stack(parts, self.dim)

    def log_abs_det_jacobian(self, x, y):
        return self._join([value for _, value in self._log_dets(x, y)])


def _transforms(tseq, owner):
    tseq = list(tseq)
    for t in tseq:
        if not isinstance(t, Transform):
            raise AssertionError(f"{owner.__name__}: expected a sequence of transforms, got a {type(t).__name__}.")
    return tseq
