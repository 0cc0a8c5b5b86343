"""Padding of the last dimensions: by a constant, by reflection, by repetition, around."""

import functools

import numpy as np

from . import _core
from ._bind import OPS
from ._dtypes import DTYPES
from ._overload import check_tensor, ints
from ._spans import span

_slice, _constant_pad, _where, _index_get = OPS["slice"], OPS["constant_pad"], OPS["where"], OPS["index_get"]
_bool, _int64 = DTYPES["bool"], DTYPES["int64"]


def _source(mode, size, low, high):
    """Where each element of a padded dimension comes from, as an array of int64."""
    if mode == "replicate":
        if size == 0:
            raise RuntimeError("pad: expected a dimension with elements to replicate, got size 0.")
        return np.clip(span("pad", -low, size + high), 0, size - 1)
    limit = size if mode == "circular" else size - 1
    if low > limit or high > limit:
        raise RuntimeError(
            f"pad: expected padding of at most {limit} for size {size} in mode {mode!r}, got {low}, {high}."
        )
    if mode == "circular":  # what is cut off does not come around
        left = span("pad", max(-low, 0), size + min(high, 0))
        if max(low, high) > len(left):
            raise RuntimeError(
                f"pad: expected padding of at most the {len(left)} elements left, got {low}, {high}."
            )
        return left[span("pad", -max(low, 0), len(left) + max(high, 0)) % max(len(left), 1)]
    k = span("pad", -low, size + high)
    return np.where(k < 0, -k, np.where(k >= size, 2 * size - 2 - k, k))


@functools.lru_cache(64)
def _places(mode, size, low, high):
    """_source as Python numbers, which a recorded function keeps as constants; training pads the same sizes again."""
    return _source(mode, size, low, high).tolist()


def pad(input, pad, mode="constant", value=None):
    """Elements added around the last dimensions: pad is (low, high) of the last one, then of the one before, ....

    mode is 'constant' (filled with value; negative amounts cut off), 'reflect', 'replicate' or 'circular'.
    """
    check_tensor("pad", input)
    pad = ints((pad,))
    n = input.dim()
    if len(pad) % 2 or len(pad) // 2 > n:
        raise RuntimeError(f"pad: expected at most {n} pairs of amounts, got {pad}.")
    pairs = [(n - 1 - k, pad[2 * k], pad[2 * k + 1]) for k in range(len(pad) // 2)]
    if mode not in ("constant", "reflect", "replicate", "circular"):
        raise NotImplementedError(f"pad: expected mode constant, reflect, replicate or circular, got {mode!r}.")
    for dim, low, high in pairs:
        size = input.shape[dim]
        least = 1 if mode in ("reflect", "replicate") else 0
        if size + low + high < least:
            raise RuntimeError(
                f"pad: expected a size of at least {least} after padding, got {size} + {low} + {high}."
            )
    if mode != "constant":
        if value not in (None, 0):
            raise ValueError(f"pad: expected no value with mode {mode!r}, got {value}.")
        for dim, low, high in pairs:
            if low or high:
                source = _places(mode, input.shape[dim], low, high)
                input = _index_get(input, _core.from_data(source, _int64), (dim,))
        return input
    for dim, low, high in pairs:
        if low < 0 or high < 0:
            start, stop = max(-low, 0), input.shape[dim] + min(high, 0)
            input = _slice(input, dim, start, max(stop - start, 0), 1)
    amounts = tuple([max(v, 0) for v in pad])
    value = 0 if value is None else value
    if input.dtype.is_floating_point and not isinstance(value, complex) or value == 0:
        return _constant_pad(input, amounts, value)
    inner = _constant_pad(_core.full(tuple(input.shape), 0, _bool), amounts, 1)
    return _where(inner, _core.full((), value, input.dtype), _constant_pad(input, amounts, 0))
