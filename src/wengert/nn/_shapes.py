"""Sizes given as one number or one per axis."""

from collections.abc import Iterable


def ntuple(value, n):
    """`value` repeated `n` times if it is one number, else as a tuple."""
    return tuple(value) if isinstance(value, Iterable) else (value,) * n
