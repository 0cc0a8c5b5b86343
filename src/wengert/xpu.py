"""The names under which programs ask for Intel's GPU. There is none: wengert runs on the CPU."""

from ._missing import explain
from .cuda import device_count, empty_cache, is_available, manual_seed, manual_seed_all, synchronize

__all__ = ["device_count", "empty_cache", "is_available", "manual_seed", "manual_seed_all", "synchronize"]

__getattr__ = explain(__name__)
