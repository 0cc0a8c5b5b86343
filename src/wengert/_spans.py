"""Positions as NumPy arrays, refused where no memory could hold them."""

import numpy as np

from . import _core
from ._dtypes import DTYPES

MOST = 2**40  # positions: 8 TB


def fitting(op, count):
    """A number of positions that memory may hold.

    Raises:
        MemoryError: it is too large.
    """
    if count > MOST:
        raise MemoryError(f"{op}: expected a size that memory can hold, got {count:.4g}. Use a smaller one.")
    return count


def places(array, dtype=DTYPES["int64"]):
    """Positions as a tensor; made of Python numbers, which a recorded function keeps as constants."""
    return _core.from_data(array.tolist(), dtype) if array.size else _core.empty(array.shape, dtype)


def span(op, start, stop):
    """start, start + 1, ... below stop, as int64."""
    fitting(op, stop - start)
    return np.arange(start, stop, dtype=np.int64)


def repeated(op, counts):
    """0 as often as the first of an array of counts says, 1 as often as the second, ..., as int64."""
    fitting(op, counts.sum(dtype=np.float64))
    return np.repeat(np.arange(len(counts)), counts)
