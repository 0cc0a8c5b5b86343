"""Graphs as values: built by hand or recorded, checked, changed, saved, and run without Python in between."""

from ._budget import MemoryBudgetError
from ._compiled import CompileError
from ._control_flow import cond, scan, while_loop
from ._executable import Executable
from ._files import load
from ._graph import Graph, Node, State
from ._graph_error import GraphError
from ._plan import Plan
from ._recorder import record
from ._text import ParseError

__all__ = [
    "CompileError",
    "Executable",
    "Graph",
    "GraphError",
    "MemoryBudgetError",
    "Node",
    "ParseError",
    "Plan",
    "State",
    "cond",
    "load",
    "record",
    "scan",
    "while_loop",
]
