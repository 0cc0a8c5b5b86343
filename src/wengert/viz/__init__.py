"""Pictures of graphs."""

from ._dot import dot
from ._mermaid import mermaid
from ._text import text

__all__ = ["dot", "mermaid", "text"]
