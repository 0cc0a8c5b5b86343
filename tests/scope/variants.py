"""Forms of a call: the same op as function, method, in place, with out=, by keyword, on other layouts and dtypes.

A form is a function of a side (0: wengert, 1: torch) that makes fresh operands and runs. Two sides agree where both
give results of equal values, dtypes and gradients, or both refuse with the same kind of error. torch says which forms
exist: what it runs, we run.
"""

import inspect
import math
import re
from dataclasses import dataclass, field

import numpy as np
import torch
from against_torch import _split, flat, numpy_of, pair

import wengert as wg

PACKAGES = (wg, torch)
DTYPES = ("float32", "float16", "bfloat16", "int64", "int32", "uint8", "bool")
# Relative and absolute tolerance, by the dtype of the result.
TOLERANCE = {"float64": (1e-9, 1e-9), "float32": (2e-5, 1e-5), "float16": (4e-3, 4e-3), "bfloat16": (4e-2, 4e-2)}
TOLERANCE |= {"complex128": TOLERANCE["float64"], "complex64": TOLERANCE["float32"]}


@dataclass
class Call:
    """One call of an op: positional and keyword arguments (arrays become tensors), and what is compared.

    values: whether values agree (random numbers and memory that was never written do not).
    grad: whether gradients are compared. dtypes: whether the call is repeated with operands of other dtypes.
    """

    args: tuple
    kwargs: dict = field(default_factory=dict)
    values: bool = True
    grad: bool = True
    dtypes: bool = True
    tol: float = 1.0


def call(*args, values=True, grad=True, dtypes=True, tol=1.0, **kwargs):
    """A Call, as it is written."""
    return Call(args, kwargs, values, grad, dtypes, tol)


class Absent(Exception):
    """torch does not have this form."""


# ---- arguments ------------------------------------------------------------------------------------------------------


def mapped(value, change):
    """Arguments with their arrays changed."""
    if isinstance(value, np.ndarray):
        return change(value)
    if isinstance(value, (list, tuple)):
        return type(value)(mapped(v, change) for v in value)
    if isinstance(value, dict):
        return {k: mapped(v, change) for k, v in value.items()}
    return value


def as_dtype(name):
    """A change of floating operands to another dtype; NumPy has no bfloat16, which is made on the side."""
    kind = {"bfloat16": "float32"}.get(name, name)

    def change(a):
        if a.dtype.kind != "f":
            return a
        if kind in ("int64", "int32", "uint8"):
            a = np.clip(np.round(np.nan_to_num(a) * 3), 0 if kind == "uint8" else -9, 9)
        return np.asarray(a).astype(kind, copy=False) if np.ndim(a) else np.asarray(a, kind)

    return change


def operands(c, side, requires_grad, change=None, half=False):
    """Fresh arguments of a call for one side, and the leaves among them."""
    leaves = []
    args, kwargs = (c.args, c.kwargs) if change is None else (mapped(c.args, change), mapped(c.kwargs, change))
    args = _split(args, requires_grad, side, leaves)
    kwargs = _split(kwargs, requires_grad, side, leaves)
    if half:
        args, kwargs = (
            _tensors(v, lambda t: t.to(PACKAGES[side].bfloat16) if t.is_floating_point() else t)
            for v in (args, kwargs)
        )
    return args, kwargs, leaves


def _tensors(value, change):
    if isinstance(value, PACKAGES[0].Tensor | PACKAGES[1].Tensor):
        return change(value)
    if isinstance(value, (list, tuple)):
        return type(value)(_tensors(v, change) for v in value)
    if isinstance(value, dict):
        return {k: _tensors(v, change) for k, v in value.items()}
    return value


def strided(t):
    """The same values, every second element of memory twice as large and with dimensions in reverse order."""
    if t.ndim == 0:
        return t
    order = tuple(reversed(range(t.ndim)))
    backwards = t.permute(order)
    wide = type(t).new_zeros(t, (*(2 * s for s in backwards.shape[:1]), *backwards.shape[1:]))
    return (
        type(t)
        .index_copy(wide, 0, wide.new_tensor(range(0, 2 * backwards.shape[0], 2)).long(), backwards)[::2]
        .permute(order)
    )


# ---- where an op is found -------------------------------------------------------------------------------------------


def found(side, path):
    """The object of a dotted name in a package; None where it is not there."""
    target = PACKAGES[side]
    for part in path.split("."):
        target = getattr(target, part, None)
    return target


def resolve(side, path):
    """The object of a dotted name; the package's own error where it is missing."""
    target = PACKAGES[side]
    for part in path.split("."):
        target = getattr(target, part)
    return target


def schema_names(name):
    """The argument names that torch documents for an op, one tuple for each overload."""
    function = found(1, name)
    try:
        return [tuple(inspect.signature(function).parameters)]
    except (TypeError, ValueError):
        pass
    short = name.removeprefix("nn.functional.").removeprefix("Tensor.")
    schemas = torch._C._jit_get_schemas_for_operator("aten::" + short.replace(".", "_"))
    kept = [s for s in schemas if s.arguments and str(s.arguments[0].type) in ("Tensor", "List[Tensor]")]
    return [tuple("input" if a.name == "self" else a.name for a in s.arguments) for s in kept]


# ---- forms ----------------------------------------------------------------------------------------------------------


def forms(name, c):
    """(label, run) of every form that torch has for a call; run(side) gives (result, leaves)."""
    if name.endswith("_") and "." in name:
        yield from _in_place(name, c)
        yield from _by_keyword(name, c)
        return
    if found(1, name) is not None:
        yield "function", lambda side: _function(side, name, c)
        yield from _by_keyword(name, c)
        yield from _numpy_names(name, c)
        if not name.startswith(("nn.", "lu")):
            yield "out=", lambda side: _with_out(side, name, c)
    short = name.rpartition(".")[2]
    if hasattr(torch.Tensor, short) and c.args and isinstance(c.args[0], np.ndarray):
        yield "method", lambda side: _method(side, short, c)
        yield from _numpy_names("." + short, c)
    if (
        hasattr(torch.Tensor, short + "_")
        and short not in OTHER_IN_PLACE
        and c.args
        and isinstance(c.args[0], np.ndarray)
    ):
        yield from _in_place(f"Tensor.{short}_", c)
    if outcome(lambda side: _at(side, *runner(name, c), c), 1, None)[0] == "ok":
        yield from _operand_forms(name, c)


def _at(side, run, path, c):
    return run(side, path, Call(c.args, c.kwargs, grad=False))


def runner(name, c):
    """How the call is written first: as a function, or as a method where there is no function."""
    short = name.rpartition(".")[2]
    return (_function, name) if found(1, name) is not None else (_method, short)


def _function(side, name, c, change=None, half=False, layout=None):
    args, kwargs, leaves = operands(c, side, c.grad, change, half)
    if layout:
        args = _tensors(args, layout)
    return resolve(side, name)(*args, **kwargs), leaves


def _method(side, name, c, change=None, half=False, layout=None):
    args, kwargs, leaves = operands(c, side, c.grad, change, half)
    if layout:
        args = _tensors(args, layout)
    target = getattr(args[0], name)
    return (target(*args[1:], **kwargs) if callable(target) else target), leaves


# What is written to: (the tensor handed over, what else shows the write) of an operand.
WRITTEN = {
    "in place": lambda x: (x.clone(), None),
    "in place of a leaf": lambda x: (x, None),
    "in place of a view": lambda x: _view_of(x.expand(2, *x.shape).clone()),
    "in place, strided": lambda x: (strided(x.clone()), None),
    "in place of an expanded one": lambda x: (x.expand(2, *x.shape), None),
}


UNWRITABLE = ("in place of a leaf", "in place of an expanded one")


def _view_of(base):
    return base[1], base


def _in_place(path, c):
    """A method or function that writes to its first operand, by dotted name."""
    for label, target in WRITTEN.items():
        yield label, lambda side, target=target: _written(side, path, c, target)
    plain = Call(c.args, c.kwargs, c.values, False, False, c.tol)
    for dtype in DTYPES if c.dtypes else ():
        yield (
            f"in place of {dtype}",
            lambda side, dtype=dtype: _written(
                side, path, plain, WRITTEN["in place"], as_dtype(dtype), dtype == "bfloat16"
            ),
        )


def _written(side, path, c, target, change=None, half=False):
    args, kwargs, leaves = operands(c, side, c.grad, change, half)
    x, seen = target(args[0])
    result = resolve(side, path)(x, *args[1:], **kwargs)
    return [result, result is x, x, seen], leaves


def _with_out(side, name, c):
    args, kwargs, _ = operands(c, side, False)
    plain = resolve(side, name)(*args, **kwargs)
    many = isinstance(plain, tuple)
    out = tuple(t.new_zeros(t.shape) for t in plain) if many else plain.new_zeros(plain.shape)
    result = resolve(side, name)(*args, **kwargs, out=out)
    return [result, out], []


def _by_keyword(name, c):
    for names in schema_names(name):
        if len(names) < len(c.args) or not c.args:
            continue

        def run(side, names=names):
            args, kwargs, leaves = operands(c, side, c.grad)
            return resolve(side, name)(**dict(zip(names, args, strict=False)), **kwargs), leaves

        yield f"keywords {names[: len(c.args)]}", run


def _numpy_names(name, c):
    theirs = {"dim": "axis", "keepdim": "keepdims"}
    if not theirs.keys() & c.kwargs.keys():
        return
    kwargs = {theirs.get(k, k): v for k, v in c.kwargs.items()}
    renamed = Call(c.args, kwargs, c.values, c.grad, c.dtypes, c.tol)
    run, path = (_method, name[1:]) if name.startswith(".") else (_function, name)
    yield f"{'method' if run is _method else 'function'} with axis=", lambda side: run(side, path, renamed)


def _operand_forms(name, c):
    run, path = runner(name, c)
    yield "strided", lambda side: run(side, path, c, layout=strided)
    arrays = [k for k, a in enumerate(c.args) if isinstance(a, np.ndarray)]
    if c.dtypes:
        plain = Call(c.args, c.kwargs, c.values, False, False, c.tol)
        for dtype in DTYPES:
            yield dtype, lambda side, dtype=dtype: run(side, path, plain, as_dtype(dtype), dtype == "bfloat16")
        if len(arrays) > 1 and arrays[:2] == [0, 1]:
            for number in (2, -1.5, True):
                args = (c.args[0], number, *c.args[2:])
                other = Call(args, c.kwargs, c.values, c.grad, False, c.tol)
                yield f"number {number}", lambda side, other=other: run(side, path, other)
                if isinstance(number, float):
                    for dtype in ("int64", "float16", "bool"):
                        plain = Call(args, c.kwargs, c.values, False, False, c.tol)
                        yield (
                            f"{dtype} and number",
                            lambda side, plain=plain, dtype=dtype: run(side, path, plain, as_dtype(dtype)),
                        )
            zero = Call(
                (np.asarray(c.args[0], np.float32), np.asarray(0.75), *c.args[2:]), c.kwargs, c.values, c.grad
            )
            yield "0-d operand", lambda side: run(side, path, zero)
            none = Call((c.args[0], None, *c.args[2:]), c.kwargs)
            yield "None for an operand", lambda side: run(side, path, none)
            text = Call((c.args[0], "a", *c.args[2:]), c.kwargs)
            yield "text for an operand", lambda side: run(side, path, text)
    wrong = Call(c.args, {**c.kwargs, "nonsense": 1})
    yield "unknown keyword", lambda side: run(side, path, wrong)


# ---- comparison -----------------------------------------------------------------------------------------------------


def outcome(run, side, weights):
    """("error", exception) or ("ok", results, first and second gradients)."""
    try:
        result, leaves = run(side)
        return ("ok", result, *_gradients(side, result, leaves, weights))
    except Exception as e:  # any kind: it is compared
        return ("error", e)


def _gradients(side, result, leaves, weights):
    package = PACKAGES[side]
    outputs = [t for t in flat(result) if hasattr(t, "dtype") and t.dtype.is_floating_point and t.requires_grad]
    if not outputs or not leaves:
        return [None] * len(leaves), [None] * len(leaves)
    loss = sum((t * pair(w)[side].to(t.dtype)).sum() for t, w in zip(outputs, weights(outputs), strict=True))
    try:
        first = package.autograd.grad(loss, leaves, create_graph=True, allow_unused=True)
    except NotImplementedError:
        return [None] * len(leaves), [None] * len(leaves)
    again = [g for g in first if g is not None and g.requires_grad]
    if not again:
        return list(first), [None] * len(leaves)
    try:
        second = package.autograd.grad(sum((g * g.sin()).sum() for g in again), leaves, allow_unused=True)
    except (NotImplementedError, RuntimeError) as e:
        if "not implemented" not in str(e):
            raise
        second = ["refused"] * len(leaves)
    return list(first), list(second)


def builtin_kind(e):
    """The built-in exception class that an exception is."""
    return next(k for k in type(e).__mro__ if k.__module__ == "builtins")


# What torch says where it has no kernel, and forms that may exist here and not there.
_UNSUPPORTED = re.compile(
    "not implemented for|not supported for|does not support|not currently supported|Expected a floating point"
    "|common dtype to be floating|Integral inputs|scalar types",
    re.I,
)
OTHER_IN_PLACE = ("normal", "bernoulli")  # normal_(mean, std), bernoulli_(p): other arguments than the function's
LAXER = ("out=", "in place", "strided", "0-d operand")


def difference(name, c, label, run):
    """What the two sides disagree in, or None."""
    rng = np.random.default_rng(5)
    cache = {}

    def weights(outputs):
        return [cache.setdefault(k, rng.normal(size=tuple(t.shape))) for k, t in enumerate(outputs)]

    theirs = outcome(run, 1, weights)
    ours = outcome(run, 0, weights)
    if theirs[0] == "error":
        return _refusal(label, ours, theirs[1])
    if ours[0] == "error":
        if label in UNWRITABLE and "memory of their own" in str(ours[1]):
            return None  # some of torch's kernels write to one element many times
        return f"torch runs it, we raise {type(ours[1]).__name__}: {ours[1]}"
    try:
        _compare(ours[1], theirs[1], c)
        coarse = least_precise(theirs[1:3])
        for k, order in ((2, "gradient"), (3, "second gradient")):
            for a, b, first in zip(ours[k], theirs[k], theirs[2], strict=True):
                if k == 2 or first is None or not np.isnan(numpy_of(first)).any():
                    _compare_gradient(a, b, c, order, coarse)
    except AssertionError as e:
        return str(e).strip()
    return None


def _refusal(label, ours, error):
    if ours[0] == "ok":
        # torch has no kernel for some dtypes on the CPU, or no such form: running them is no mistake
        # or takes a number where torch wants a tensor
        if _UNSUPPORTED.search(str(error)) or label in LAXER or re.search("keywords|number|with axis", label):
            return None
        return f"we run it, torch raises {type(error).__name__}: {str(error)[:200]}"
    a, b = builtin_kind(ours[1]), builtin_kind(error)
    if label in UNWRITABLE:  # refused for that, or for something else first
        return None
    if issubclass(a, b) or issubclass(b, a) or re.search("out=|keywords|with axis|number|0-d", label):
        return None
    if a is TypeError and b is AttributeError:  # torch's Python code meets a value of the wrong kind
        return None
    if {a, b} <= {TypeError, RuntimeError, NotImplementedError} and _UNSUPPORTED.search(str(error)):
        return None
    return f"we raise {a.__name__} ({str(ours[1])[:120]}), torch {b.__name__} ({str(error)[:160]})"


def least_precise(results):
    """The tolerance of the coarsest floating dtype among results: gradients go through all of them."""
    kinds = {str(t.dtype).split(".")[-1] for t in flat(results) if isinstance(t, torch.Tensor)}
    return max((TOLERANCE[k] for k in kinds & TOLERANCE.keys()), default=(0, 0))


def _compare(ours, theirs, c, tolerance=None):
    ours, theirs = flat(ours), flat(theirs)
    assert len(ours) == len(theirs), f"{len(ours)} results instead of {len(theirs)}"
    for a, b in zip(ours, theirs, strict=True):
        if not isinstance(b, torch.Tensor):
            same = a == b or (isinstance(b, float) and math.isclose(a, b, rel_tol=1e-6))
            assert type(a).__name__ == type(b).__name__ and (same or "torch" in type(b).__module__), (
                f"{a!r} instead of {b!r}"
            )
            continue
        assert tuple(a.shape) == tuple(b.shape), f"shape {tuple(a.shape)} instead of {tuple(b.shape)}"
        dtype = str(b.dtype).split(".")[-1]
        assert str(a.dtype).split(".")[-1] == dtype, f"dtype {a.dtype} instead of {b.dtype}"
        if c.values:
            rtol, atol = tolerance or TOLERANCE.get(dtype, (0, 0))
            np.testing.assert_allclose(numpy_of(a), numpy_of(b), rtol=rtol * c.tol, atol=atol * c.tol)


def _compare_gradient(a, b, c, order, tolerance):
    if isinstance(a, str) or isinstance(b, str) or not c.values:
        return
    if a is None or b is None:
        zero = a if b is None else b
        assert zero is None or not np.any(numpy_of(zero)), f"{order}: {a} instead of {b}"
        return
    try:
        _compare(a, b, c, tolerance)
    except AssertionError as e:
        raise AssertionError(f"{order}: {e}") from None
