"""Graphs as values: what a function did, recorded op by op, and run again without Python in between."""

from ._graph import Graph, Instruction
from ._recorder import record

__all__ = ["Graph", "Instruction", "record"]
