"""The op table: rows in a fixed order. Pure Python, standard library only."""

from . import (
    activation,
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
    resample,
    scan,
    shape,
    special,
)
from ._def import TABLE, Required, Row
from ._trace import trace_rule

__all__ = [
    "TABLE",
    "Required",
    "Row",
    "activation",
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
    "resample",
    "scan",
    "shape",
    "special",
    "trace_rule",
]
