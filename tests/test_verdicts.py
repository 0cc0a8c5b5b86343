"""What every op makes of every dtype, beside torch: which calls are refused, with which kind of error, and which dtype and
values the others give.

The calls are those of tests/scope that torch runs in float64, repeated with operands of each dtype, as they are and in
place. Where torch only lacks a kernel ("not implemented for"), running the call is no mistake; every other difference
is in DIFFERENT with its reason, and an entry there that no call needs is an error too.
"""

import re
import warnings
from collections import defaultdict

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from against_torch import flat, numpy_of  # noqa: E402  (needs torch)
from scope.calls_math import MATH  # noqa: E402
from scope.calls_nn import FUNCTIONAL  # noqa: E402
from scope.calls_shape import SHAPE  # noqa: E402
from scope.variants import (  # noqa: E402
    OTHER_IN_PLACE,
    Call,
    as_dtype,
    builtin_kind,
    operands,
    resolve,
    runner,
)

CALLS = MATH | SHAPE | FUNCTIONAL
DTYPES = ("bool", "uint8", "int32", "int64", "float16", "float32", "float64", "complex64")
TOLERANCE = {"float16": 4e-3, "float32": 1e-4, "complex64": 1e-4}

WHOLE = "bool uint8 int32 int64"
EMPTY = "torch runs it where there is nothing to compute, or only zeros"
FRACTION = "torch cuts a fraction off the factor of integers"
TIES = "which of equal elements is found"
LIMIT = "powers and logarithms of complex infinities and zeros: torch has NaN in other parts"
BYTES = "torch rounds the weights of a picture of bytes"
# (op, kind of difference) -> dtypes and why. Kinds: "runs" (torch refuses), "refuses" (torch runs), "error", "dtype",
# "value".
DIFFERENT = {
    ("cumsum", "refuses"): ("bool", "in place: torch lacks a kernel, but leaves 0-d and empty tensors as they are"),
    ("cumprod", "refuses"): ("bool", "in place: torch lacks a kernel, but leaves 0-d tensors as they are"),
    ("pow", "value"): ("complex64", LIMIT),
    ("log10", "value"): ("complex64", LIMIT),
    ("addcmul", "refuses"): ("uint8 int32 int64", FRACTION),
    ("amax", "refuses"): ("complex64", EMPTY),
    ("amin", "refuses"): ("complex64", EMPTY),
    ("logsumexp", "refuses"): ("complex64", EMPTY),
    ("median", "value"): (WHOLE, TIES),
    ("topk", "value"): (WHOLE, TIES),
    ("linalg.det", "refuses"): ("float16", EMPTY),
    ("matrix_exp", "value"): ("float16", "torch's powers overflow; ours are taken in float32"),
    ("matmul", "refuses"): ("bool", EMPTY),
    ("mm", "refuses"): ("bool", EMPTY),
    ("einsum", "refuses"): ("bool", EMPTY),
    ("nn.functional.linear", "refuses"): ("bool", EMPTY),
    ("nn.functional.conv1d", "refuses"): ("bool", EMPTY),
    ("softmax", "refuses"): (WHOLE + " complex64", EMPTY),
    ("nn.functional.dropout", "refuses"): (WHOLE + " complex64", EMPTY),
    ("nn.functional.dropout2d", "refuses"): (WHOLE + " complex64", EMPTY),
    ("cdist", "runs"): ("complex64", "the distance of complex points is a plain number"),
    ("randint_like", "error"): ("complex64", "TypeError for RuntimeError"),
    ("nn.functional.adaptive_avg_pool2d", "refuses"): (WHOLE + " complex64", EMPTY),
    ("nn.functional.gelu", "value"): ("float32", "torch has NaN for infinity"),
    ("nn.functional.embedding", "refuses"): (
        WHOLE + " complex64",
        "scale_grad_by_freq of tables without gradients",
    ),
    ("nn.functional.cross_entropy", "error"): (
        WHOLE + " complex64",
        "two mistakes in one call: the other is named",
    ),
    ("nn.functional.interpolate", "value"): ("uint8", BYTES),
    ("nn.functional.interpolate", "runs"): ("uint8", "torch's own assertion fails"),
}


def to(dtype):
    """A change of floating operands to a dtype."""
    if dtype in ("bool", "complex64"):
        return lambda a: (
            np.asarray(np.nan_to_num(a) > 0 if dtype == "bool" else a, dtype) if a.dtype.kind == "f" else a
        )
    return as_dtype(dtype)


def verdict(side, name, c, dtype, in_place):
    """The result of a call, or what it raises."""
    path = runner(name, c)[1]
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            args, kwargs, _ = operands(Call(c.args, c.kwargs, grad=False), side, False, to(dtype))
            if in_place:
                return getattr(args[0], path.rpartition(".")[2] + "_")(*args[1:], **kwargs)
            if path is name:
                return resolve(side, name)(*args, **kwargs)
            target = getattr(args[0], path)
            return target(*args[1:], **kwargs) if callable(target) else target
    except Exception as e:  # any kind: it is compared
        return e


def difference(ours, theirs, values):
    """The kind of difference of two outcomes and what is to be seen, or None."""
    if isinstance(theirs, Exception):
        if not isinstance(ours, Exception):
            lacks = re.search("not implemented for|not currently supported", str(theirs))
            return None if lacks else ("runs", f"torch raises {theirs!r:.200}")
        a, b = builtin_kind(ours), builtin_kind(theirs)
        return None if issubclass(a, b) or issubclass(b, a) else ("error", f"{ours!r:.200} and {theirs!r:.200}")
    if isinstance(ours, Exception):
        return "refuses", f"{ours!r:.200}"
    for a, b in zip(flat(ours), flat(theirs), strict=True):
        if not isinstance(b, torch.Tensor):
            continue
        dtype = str(b.dtype).split(".")[-1]
        if str(a.dtype).split(".")[-1] != dtype:
            return "dtype", f"{a.dtype} and {b.dtype}"
        assert tuple(a.shape) == tuple(b.shape)
        tolerance = TOLERANCE.get(dtype, 1e-8)
        if values and not np.allclose(numpy_of(a), numpy_of(b), tolerance, tolerance, equal_nan=True):
            return "value", f"{a} and {b}"
    return None


def _forms(name, c):
    """In place or not: the forms that torch runs in float64."""
    path = runner(name, c)[1]
    short = path.rpartition(".")[2]
    if isinstance(verdict(1, name, c, "float64", False), Exception):
        return
    yield False
    tensor_first = c.args and isinstance(c.args[0], np.ndarray)
    if (
        not tensor_first
        or path.startswith("nn.")
        or short in OTHER_IN_PLACE
        or not hasattr(torch.Tensor, short + "_")
    ):
        return
    if not isinstance(verdict(1, name, c, "float64", True), Exception):
        yield True


@pytest.mark.parametrize("name", CALLS)
def test_dtypes(name):
    """Every difference is one that is listed, and what is listed is there."""
    found, problems = defaultdict(set), []
    for k, c in enumerate(CALLS[name]):
        for in_place in _forms(name, c):
            for dtype in DTYPES:
                outcomes = [verdict(side, name, c, dtype, in_place) for side in (0, 1)]
                kind, text = difference(*outcomes, c.values) or (None, "")
                found[kind].add(dtype)
                if kind and dtype not in DIFFERENT.get((name, kind), ("", ""))[0].split():
                    problems.append(f"call {k}{' in place' * in_place}, {dtype}: {kind}: {text}")
    assert not problems, "\n".join(problems)
    stale = [
        key for key, (dtypes, _) in DIFFERENT.items() if key[0] == name and not found[key[1]] & set(dtypes.split())
    ]
    assert not stale
