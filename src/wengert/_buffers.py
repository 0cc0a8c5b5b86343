"""Tensors over memory of a given layout or of another object."""

import numpy as np

from . import _core
from ._dtypes import DTYPES

FUNCTIONS, METHODS = {}, {}


def empty_strided(size, stride, *, dtype=None, layout=None, device=None, requires_grad=False, pin_memory=False):
    """A tensor whose elements, of any value, lie `stride` elements apart in memory that just holds them.

    Args:
        size, stride: as many numbers of at least 0 each.

    Example:
        >>> import wengert
        >>> wengert.empty_strided((2, 3), (1, 2)).stride()
        (1, 2)
    """
    size, stride = tuple(size), tuple(stride)
    if len(size) != len(stride):
        raise RuntimeError(f"empty_strided: expected as many strides as sizes, got {stride} for {size}.")
    if any(n < 0 for n in size + stride):
        raise RuntimeError(f"empty_strided: expected sizes and strides of at least 0, got {size} and {stride}.")
    needed = 0 if 0 in size else 1 + sum((n - 1) * s for n, s in zip(size, stride, strict=True))
    memory = _core.make_empty(needed, dtype=dtype, device=device)
    return memory.as_strided(size, stride).requires_grad_(requires_grad)


def new_empty_strided(
    self, size, stride, *, dtype=None, layout=None, device=None, requires_grad=False, pin_memory=False
):
    """empty_strided of this tensor's dtype, unless one is given."""
    return empty_strided(size, stride, dtype=self.dtype if dtype is None else dtype, device=device).requires_grad_(
        requires_grad
    )


def frombuffer(buffer, *, dtype, count=-1, offset=0, requires_grad=False):
    """A 1-d tensor over the memory of an object with the buffer protocol (bytes, bytearray, array, mmap); not a copy.

    Args:
        count: how many elements; -1 for all that are there.
        offset: where the first one begins, in bytes.

    Writes to the memory of an object that may not change raise. Raises ValueError where the buffer does not hold as much.

    Example:
        >>> import wengert
        >>> wengert.frombuffer(bytearray([1, 0, 2, 0]), dtype=wengert.int16)
        tensor([1, 2], dtype=wengert.int16)
    """
    have, item = memoryview(buffer).nbytes, dtype.itemsize
    if have == 0 or count == 0:
        raise ValueError(
            f"frombuffer: expected a buffer and a count that are not empty, got {have} bytes and {count}."
        )
    if not 0 <= offset < have:
        raise ValueError(f"frombuffer: expected an offset in a buffer of {have} bytes, got {offset}.")
    if count < 0 and (have - offset) % item:
        raise ValueError(f"frombuffer: expected elements of {item} bytes, got {have - offset} bytes. Pass count=.")
    count = (have - offset) // item if count < 0 else count
    if offset + count * item > have:
        raise ValueError(f"frombuffer: expected {count} elements of {item} bytes from {offset}, got {have} bytes.")
    stored = DTYPES["int16"] if dtype.name == "bfloat16" else dtype  # NumPy has no bfloat16
    array = np.frombuffer(buffer, stored.name, count, offset)
    return _core.from_memory(array).view(dtype).requires_grad_(requires_grad)


FUNCTIONS |= {"empty_strided": empty_strided, "frombuffer": frombuffer}
METHODS["new_empty_strided"] = new_empty_strided
