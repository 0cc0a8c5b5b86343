"""Pictures of graphs."""

from ._text import text

__all__ = ["text"]
