"""The names under which programs ask for Apple's GPU. There is none: wengert runs on the CPU."""

from ._missing import explain
from .cuda import device_count, empty_cache, is_available, manual_seed, memory_allocated, synchronize

__all__ = ["current_allocated_memory", "device_count", "empty_cache", "is_available", "manual_seed", "synchronize"]

__getattr__ = explain(__name__)

current_allocated_memory = memory_allocated
