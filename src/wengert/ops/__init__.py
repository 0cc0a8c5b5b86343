"""The op table: rows in a fixed order. Pure Python, standard library only."""

from . import elementwise, linalg, reduce, shape
from ._def import TABLE, Required, Row
from ._trace import trace_rule

__all__ = ["TABLE", "Required", "Row", "elementwise", "linalg", "reduce", "shape", "trace_rule"]
