"""Questions about dtypes: what an operation on two of them gives."""

from . import _core
from ._bind import OPS
from ._dtypes import DTYPES
from ._overload import check_one_tensor

Tensor, _dtype = _core.Tensor, type(DTYPES["float32"])


def promote_types(type1, type2):
    """The smallest dtype that holds the values of two others, by the rules of arithmetic.

    Example:
        >>> import wengert
        >>> wengert.promote_types(wengert.int32, wengert.float16)
        wengert.float16
    """
    return OPS["add"](_core.empty((1,), dtype=type1), _core.empty((1,), dtype=type2)).dtype


def result_type(tensor1, tensor2):
    """The dtype of an operation on two tensors or numbers.

    Example:
        >>> import wengert
        >>> wengert.result_type(wengert.tensor([1, 2]), 1.0)
        wengert.float32
    """
    if isinstance(tensor1, (bool, int, float, complex)) and isinstance(tensor2, (bool, int, float, complex)):
        tensor2 = _core.make_tensor(tensor2)
    check_one_tensor("result_type", tensor1, tensor2)
    # Tensors of no dimension and numbers count less than others, whatever their sizes.
    sides = [
        _core.empty((1,) * min(v.ndim, 1), dtype=v.dtype) if isinstance(v, Tensor) else v
        for v in (tensor1, tensor2)
    ]
    return (sides[0] + sides[1]).dtype


def _rank(dtype):
    if dtype.is_complex:
        return 3
    return 2 if dtype.is_floating_point else 0 if dtype.name == "bool" else 1


def can_cast(from_, to):
    """Whether a result of one dtype may be written to a tensor of another: not to a lesser kind.

    The kinds, from the least: bool, integers, floating, complex.

    Example:
        >>> import wengert
        >>> wengert.can_cast(wengert.float64, wengert.float16), wengert.can_cast(wengert.float32, wengert.int64)
        (True, False)
    """
    for given in (from_, to):
        if not isinstance(given, _dtype):
            raise TypeError(
                f"can_cast: expected two dtypes, got {type(given).__name__}. Pass the .dtype of a tensor."
            )
    return _rank(from_) <= _rank(to)


FUNCTIONS = {"can_cast": can_cast, "promote_types": promote_types, "result_type": result_type}
METHODS = {}
