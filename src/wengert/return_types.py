"""The named tuples that functions of several results return, such as `wengert.return_types.max`."""

from ._overload import RETURN_TYPES


def __getattr__(name):
    if name not in RETURN_TYPES:
        raise AttributeError(f"return_types: expected the name of a function with several results, got {name!r}.")
    return RETURN_TYPES[name]


def __dir__():
    return sorted(RETURN_TYPES)
