"""Tensors as bytes, and bytes as tensors, by way of the public tensor API."""

import math

import numpy as np

import wengert
from wengert.serialization.files import FormatError

DTYPE_NAMES = (
    "bool",
    "uint8",
    "int8",
    "int16",
    "int32",
    "int64",
    "float16",
    "bfloat16",
    "float32",
    "float64",
    "complex64",
    "complex128",
)
_MAX_DIMS = 64


def dtype_of(name):
    """Return the dtype called ``name``; FormatError for one that files or wengert do not have."""
    if name not in DTYPE_NAMES:
        raise FormatError(f"load: expected a dtype among {', '.join(DTYPE_NAMES)}, got {name!r}.")
    dtype = getattr(wengert, name, None)
    if dtype is None:
        raise FormatError(f"load: expected a dtype that wengert has, got {name}. Convert it where it was saved.")
    return dtype


def name_of(dtype):
    """Return the name of a dtype, or None for one that files cannot hold."""
    for name in DTYPE_NAMES:
        if dtype == getattr(wengert, name, None):
            return name
    return None


def item_size(name):
    """Return the bytes of one element of the dtype called ``name``."""
    if name == "bfloat16":
        return 2
    return np.dtype(name).itemsize


def byte_view(flat):
    """Return the memory of a contiguous 1-d tensor as a writable ``memoryview`` of bytes."""
    if flat.dtype == wengert.bfloat16:  # NumPy has no such type
        flat = flat.view(wengert.int16)
    array = flat.numpy()
    return memoryview(array.view(np.uint8)) if array.size else memoryview(bytearray())


def extent(tensor):
    """Return (first, last + 1) of the elements that ``tensor`` uses, counted in its storage; strides are ≥ 0."""
    first = tensor.storage_offset()
    reach = sum((size - 1) * step for size, step in zip(tensor.shape, tensor.stride(), strict=True))
    return first, first + reach + 1


def check_geometry(shape, stride, offset, count, what):
    """Raise FormatError unless shape, strides and offset stay within ``count`` elements."""
    numbers = [*shape, *stride, offset]
    if len(shape) != len(stride) or len(shape) > _MAX_DIMS or not all(type(n) is int and n >= 0 for n in numbers):
        raise FormatError(f"load: expected shape and strides of {what}, got {shape!r} and {stride!r}.")
    if math.prod(shape) >= 2**63 or max(numbers) >= 2**63:
        raise FormatError(f"load: expected fewer than 2**63 elements in {what}, got shape {tuple(shape)}.")
    if math.prod(shape) == 0:
        return
    last = offset + sum((size - 1) * step for size, step in zip(shape, stride, strict=True))
    if last >= count:
        raise FormatError(
            f"load: expected {what} to lie within its {count} stored elements, got element {last}. "
            "The file is altered."
        )
