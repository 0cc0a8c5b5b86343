"""The op table: rows in a fixed order. Pure Python, standard library only."""

from . import (
    attention,
    bag,
    complex,
    conv,
    elementwise,
    index,
    join,
    linalg,
    nn,
    norm,
    random,
    recurrent,
    reduce,
    scan,
    shape,
)
from ._def import TABLE, Required, Row
from ._trace import trace_rule

__all__ = [
    "TABLE",
    "Required",
    "Row",
    "attention",
    "bag",
    "complex",
    "conv",
    "elementwise",
    "index",
    "join",
    "linalg",
    "nn",
    "norm",
    "random",
    "recurrent",
    "reduce",
    "scan",
    "shape",
    "trace_rule",
]
