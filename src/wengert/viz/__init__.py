"""Pictures of graphs: an interactive page, SVG, text, and the languages of Graphviz and Mermaid."""

from ._dot import dot
from ._mermaid import mermaid
from ._show import Picture, picture, save, show
from ._text import text

__all__ = ["Picture", "dot", "mermaid", "picture", "save", "show", "text"]
