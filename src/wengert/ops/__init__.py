"""The op table: rows in a fixed order. Pure Python, standard library only."""

from . import conv, elementwise, index, join, linalg, nn, norm, random, reduce, scan, shape
from ._def import TABLE, Required, Row
from ._trace import trace_rule

__all__ = [
    "TABLE",
    "Required",
    "Row",
    "conv",
    "elementwise",
    "index",
    "join",
    "linalg",
    "nn",
    "norm",
    "random",
    "reduce",
    "scan",
    "shape",
    "trace_rule",
]
