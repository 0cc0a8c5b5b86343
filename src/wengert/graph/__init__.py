"""Graphs as values: what a function did, recorded op by op, and run again without Python in between."""

from ._compiled import CompileError
from ._graph import Graph, Node, State
from ._plan import Plan
from ._recorder import record

__all__ = ["CompileError", "Graph", "Node", "Plan", "State", "record"]
