"""Sizes given as one number or one per axis."""

from collections.abc import Iterable


def ntuple(value, n):
    """`value` repeated `n` times if it is one number, else as a tuple."""
    return tuple(value) if isinstance(value, Iterable) else (value,) * n


def _of(n):
    def expand(value):
        return ntuple(value, n)

    expand.__doc__ = f"A number as a tuple of {n}; a tuple as it is."
    return expand


# The names under which own layers look for them in `nn.modules.utils`.
_single, _pair, _triple, _quadruple = map(_of, (1, 2, 3, 4))
