"""Helpers around training: data loading and checkpointing."""

from wengert.utils import checkpoint, data

__all__ = ["checkpoint", "data"]
