"""Pictures of graphs: an interactive page, SVG, text, formulas, and the languages of Graphviz and Mermaid."""

from ._dot import dot
from ._formula import Formula, formula
from ._live import Live
from ._mermaid import mermaid
from ._show import Picture, picture, save, show
from ._text import text

__all__ = ["Formula", "Live", "Picture", "dot", "formula", "mermaid", "picture", "save", "show", "text"]
