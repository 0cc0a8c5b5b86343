"""Operands that do not fit, for every row that is not elementwise: an error in the usual words, or a result.

Rows that only gradient rules use are included: a graph may come from a file. A shape, a dtype or a position is wrong
at a time; what is left of a fault is found by the build with sanitizers.
"""

import re

import numpy as np
import pytest
from optools import TABLE, row_id, run, tensor
from samples import samples

ROWS = [row for row in TABLE.values() if not row.elementwise and "random" not in row.flags]
REFUSED = (RuntimeError, ValueError, IndexError, TypeError, NotImplementedError, MemoryError)


def unfit(v):
    """Other shapes and dtypes of an operand, and for positions other values."""
    yield np.array(v.flat[0])
    yield v[None]
    if v.ndim:
        yield np.concatenate([v, v[..., -1:]], -1)
        yield np.ascontiguousarray(v[..., :-1])
        yield np.concatenate([v, v[-1:]], 0)
        yield np.ascontiguousarray(v[:-1])
        yield np.ascontiguousarray(v[:0])
        yield v.reshape(-1)
    if v.dtype.kind == "f":
        yield np.ones(v.shape, np.int64)
        yield v.astype(np.float32)
        yield v > 0
    else:
        yield v.astype(np.float64)
        yield v.astype(np.int32)
        yield v + 1000000
        yield v - 1000000


@pytest.mark.parametrize("row", ROWS, ids=row_id)
def test_operands_that_do_not_fit(row):
    for sample in samples(row)[:3]:
        listed = sample.operands[0] if row.variadic else sample.operands
        for k, v in enumerate(listed):
            for bad in unfit(v) if isinstance(v, np.ndarray) else ():
                operands = [tensor(x) if isinstance(x, np.ndarray) else x for x in listed]
                operands[k] = tensor(bad)
                try:
                    results = run(row, [operands] if row.variadic else operands, sample.attrs)
                except REFUSED as error:
                    assert re.match(r"[\w.]+: expected .+, got .+", str(error), re.S), f"{row.name} {k}: {error}"
                else:
                    for result in results:
                        result.numpy().tobytes()  # every element is in memory
