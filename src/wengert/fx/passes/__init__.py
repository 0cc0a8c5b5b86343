"""Passes over graphs."""

from wengert._missing import explain

from . import shape_prop

__getattr__ = explain(__name__)
__all__ = ["shape_prop"]
