"""Masks with PyTorch's overloads: selecting, filling, positions, where."""

import math

import numpy as np

from . import _core
from ._bind import OPS
from ._dtypes import DTYPES
from ._overload import Publisher, cast, check_one_tensor, check_tensor, store, write
from ._shaping import broadcast_tensors

Tensor = _core.Tensor
publish = Publisher()
FUNCTIONS, METHODS = publish.functions, publish.methods

_index_get, _index_put = OPS["index_get"], OPS["index_put"]
_positions, _reshape, _where = OPS["true_positions"], OPS["reshape"], OPS["where"]
_bool, _int64, _uint8 = DTYPES["bool"], DTYPES["int64"], DTYPES["uint8"]


def _check_mask(op, mask):
    check_tensor(op, mask)
    if not isinstance(mask, Tensor) or mask.dtype != _bool:
        kind = getattr(mask, "dtype", type(mask).__name__)
        raise RuntimeError(f"{op}: expected a mask of dtype bool, got {kind}. Use a comparison or .bool().")


@publish(out=True)
def masked_select(input, mask):
    """The elements where a mask, broadcast with the tensor, holds, as one dimension."""
    check_tensor("masked_select", input)
    _check_mask("masked_select", mask)
    if tuple(input.shape) != tuple(mask.shape):
        input, mask = broadcast_tensors(input, mask)
    return _index_get(_reshape(input, (-1,)), _positions(mask), (0,))


def _masked_fill(input, mask, value, *, inplace):
    _check_mask("masked_fill", mask)
    if isinstance(value, Tensor):
        if value.dim():
            raise RuntimeError(f"masked_fill: expected a number or a 0-d value, got shape {tuple(value.shape)}.")
        if value.dtype.is_complex and not input.dtype.is_complex:
            raise RuntimeError(f"masked_fill: expected a value that {input.dtype} can hold, got {value.dtype}.")
        value = cast(value, input.dtype)
    elif isinstance(value, complex) and not input.dtype.is_complex:
        raise RuntimeError(
            f"masked_fill: expected a value that {input.dtype} can hold, got {value}: can't be cast."
        )
    elif isinstance(value, float) and not input.dtype.is_inexact:
        if not math.isfinite(value) and input.dtype != _bool:
            raise RuntimeError(f"masked_fill: expected a value that {input.dtype} can hold, got {value}.")
        value = bool(value) if input.dtype == _bool else int(value)
    result = _where(mask, value, input)
    return write("masked_fill", input, cast(result, input.dtype)) if inplace else cast(result, input.dtype)


def _masked_scatter(input, mask, source, *, inplace):
    check_tensor("masked_scatter", source)
    _check_mask("masked_scatter", mask)
    if input.dtype != source.dtype:
        raise RuntimeError(f"masked_scatter: expected a source of dtype {input.dtype}, got {source.dtype}.")
    base = input
    if tuple(input.shape) != tuple(mask.shape):
        base, mask = broadcast_tensors(input, mask)
    places = _positions(mask)
    if places.numel() > source.numel():
        raise RuntimeError(
            f"masked_scatter: expected a source of at least {places.numel()} elements, got {source.numel()}."
        )
    values = OPS["slice"](_reshape(source, (-1,)), 0, 0, places.numel(), 1)
    result = _reshape(_index_put(_reshape(base, (-1,)), places, values, (0,)), tuple(base.shape))
    return write("masked_scatter", input, result) if inplace else result


publish.both("masked_fill", _masked_fill, "The tensor with a number written where a mask (broadcast) holds.")
publish.both(
    "masked_scatter",
    _masked_scatter,
    "The tensor with consecutive elements of source where a mask (broadcast) holds.",
)


@publish(out=True)
def argwhere(input):
    """Coordinates of the elements that are not zero: (count, dimensions)."""
    return OPS["nonzero"](input)


@publish()
def nonzero(input, *, out=None, as_tuple=False):
    """Coordinates of the elements that are not zero: (count, dimensions), or with as_tuple one tensor for each dimension."""
    if not as_tuple:
        result = OPS["nonzero"](input)
        return result if out is None else store(result, out)
    coordinates = OPS["nonzero"](_reshape(input, (1,)) if input.dim() == 0 else input)
    return tuple(OPS["select"](coordinates, 1, k) for k in range(coordinates.shape[1]))


def _array(t):
    """The values as an array; NumPy has no bfloat16, which float32 holds."""
    return (cast(t, DTYPES["float32"]) if t.dtype.name == "bfloat16" else t).numpy()


@publish(method=False, out=True)
def isin(elements=None, test_elements=None, *, assume_unique=False, invert=False, element=None, test_element=None):
    """Which elements are among the test elements, as a bool tensor of their shape.

    Args:
        elements, test_elements: tensors, or one of them a number.
        assume_unique: accepted: it only lets a search be quicker.
        invert: mark those that are not among them.
        element, test_element: other names of the first two, where one of them is a number.

    Example:
        >>> import wengert
        >>> wengert.isin(wengert.tensor([1, 2, 3]), wengert.tensor([3, 5, 1]))
        tensor([ True, False,  True])
    """
    elements = element if elements is None else elements
    test_elements = test_element if test_elements is None else test_elements
    check_one_tensor("isin", elements, test_elements)
    sides = [_array(v.detach()) if isinstance(v, Tensor) else np.asarray(v) for v in (elements, test_elements)]
    return _core.from_numpy(np.asarray(np.isin(*sides, invert=invert)))


@publish(method=False)
def where(condition, input=None, other=None, *, out=None):
    """input where the condition holds, other elsewhere, with broadcasting; tensors or numbers.

    where(condition) is the tuple of coordinates where it holds.

    Example:
        >>> import wengert
        >>> x = wengert.tensor([-1.0, 4.0])
        >>> wengert.where(x > 0, x, 0.0)
        tensor([0., 4.])
    """
    check_tensor("where", condition)
    if input is None and other is None:
        return nonzero(condition, as_tuple=True)
    if not isinstance(condition, Tensor) or condition.dtype not in (_bool, _uint8):
        kind = str(getattr(condition, "dtype", type(condition).__name__)).rpartition(".")[2]
        raise RuntimeError(f"where: expected a condition of dtype bool, got {kind}. Use a comparison or .bool().")
    if condition.dtype == _uint8:
        condition = cast(condition, _bool)
    result = _where(condition, input, other)
    return result if out is None else store(result, out)


def _where_method(self, condition, other):
    """self where the condition holds, other elsewhere."""
    return where(condition, self, other)


METHODS["where"] = _where_method


def _fill_diagonal(self, fill_value, wrap=False):
    """Writes a number to the main diagonal in place: the elements whose indices are all equal.

    Args:
        fill_value: a number.
        wrap: for tall matrices, begin again below each square block, with a free row between.

    Raises RuntimeError for fewer than two dimensions, or more with different sizes.

    Example:
        >>> import wengert
        >>> wengert.zeros(2, 2).fill_diagonal_(3.0)
        tensor([[3., 0.],
                [0., 3.]])
    """
    sizes = set(self.shape[2:]) | ({self.shape[0], self.shape[1]} if self.ndim > 2 else set())
    if self.ndim < 2 or len(sizes) > 1:
        raise RuntimeError(
            f"fill_diagonal_: expected a matrix, or more dimensions of one size, got shape {tuple(self.shape)}."
        )
    diagonal = self
    while diagonal.ndim > 1:
        diagonal = diagonal.diagonal(0, 0, -1)
    diagonal.fill_(fill_value)
    if wrap and self.ndim == 2 and self.shape[0] > self.shape[1] + 1:
        _fill_diagonal(self[self.shape[1] + 1 :], fill_value, wrap=True)
    return self


METHODS["fill_diagonal_"] = _fill_diagonal
