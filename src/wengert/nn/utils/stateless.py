"""The old place of `functional_call`."""

from wengert.func import functional_call

__all__ = ["functional_call"]
