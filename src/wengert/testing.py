"""Checks for tests: closeness, and gradients against finite differences."""

from . import _core
from ._bind import OPS
from .autograd import grad
from .autograd.grad_mode import enable_grad, no_grad
from .func._trees import flatten

__all__ = ["GradcheckError", "assert_close", "gradcheck", "gradgradcheck"]

_Tensor = _core.Tensor

# PyTorch's tolerances by dtype: relative, absolute.
_TOLERANCES = {
    "float16": (1e-3, 1e-5),
    "bfloat16": (1.6e-2, 1e-5),
    "float32": (1.3e-6, 1e-5),
    "float64": (1e-7, 1e-7),
}


def assert_close(actual, expected, *, rtol=None, atol=None, equal_nan=False, check_dtype=True, msg=None):
    """Raises AssertionError unless |actual - expected| <= atol + rtol |expected| everywhere.

    Args:
        actual, expected: tensors, numbers, arrays, or nested sequences and dicts of them.
        rtol, atol: both or none; the default follows the dtype, and is 0 for integers and bools.
        equal_nan: NaN equals NaN.
        check_dtype: dtypes must be equal too.
        msg: another error message.

    Example:
        >>> import wengert
        >>> wengert.testing.assert_close(wengert.tensor([1.0]), wengert.tensor([1.0 + 1e-7]))
    """
    if (rtol is None) != (atol is None):
        raise ValueError("assert_close: expected both rtol and atol or none of them, got one.")
    if isinstance(expected, dict):
        _require(isinstance(actual, dict) and set(actual) == set(expected), "the same keys", msg)
        pairs = [(actual[k], expected[k]) for k in expected]
    elif isinstance(expected, (list, tuple)):
        _require(isinstance(actual, (list, tuple)) and len(actual) == len(expected), "the same length", msg)
        pairs = list(zip(actual, expected, strict=True))
    else:
        _close(actual, expected, rtol, atol, equal_nan, check_dtype, msg)
        return
    for a, b in pairs:
        assert_close(a, b, rtol=rtol, atol=atol, equal_nan=equal_nan, check_dtype=check_dtype, msg=msg)


def _require(holds, what, msg):
    if not holds:
        raise AssertionError(msg or f"assert_close: expected {what}, got something else.")


def _close(actual, expected, rtol, atol, equal_nan, check_dtype, msg):
    a = actual.detach() if isinstance(actual, _Tensor) else _core.from_data(actual)
    b = expected.detach() if isinstance(expected, _Tensor) else _core.from_data(expected)
    _require(tuple(a.shape) == tuple(b.shape), f"shape {tuple(b.shape)} (got {tuple(a.shape)})", msg)
    _require(not check_dtype or a.dtype == b.dtype, f"{b.dtype} (got {a.dtype})", msg)
    if rtol is None:
        found = [_TOLERANCES.get(str(t.dtype).rpartition(".")[2], (0.0, 0.0)) for t in (a, b)]
        rtol, atol = (max(pair) for pair in zip(*found, strict=True))
    number = complex if a.dtype.is_complex or b.dtype.is_complex else float
    x = [number(v) for v in a.reshape((-1,)).tolist()]
    y = [number(v) for v in b.reshape((-1,)).tolist()]
    worst, wrong = None, 0
    for k, (p, q) in enumerate(zip(x, y, strict=True)):
        if p == q or (equal_nan and p != p and q != q):
            continue
        difference = abs(p - q)
        if not difference <= atol + rtol * abs(q) or abs(q) == float("inf"):
            wrong += 1
            if worst is None or not difference <= worst[0]:
                worst = (difference, k, p, q)
    if wrong:
        raise AssertionError(
            msg
            or f"assert_close: expected equal tensors within rtol={rtol} and atol={atol}, got {wrong} of {len(x)} "
            f"elements that differ; the largest difference is {worst[0]:.3g} at flat index {worst[1]} "
            f"({worst[2]!r} instead of {worst[3]!r})."
        )


class GradcheckError(RuntimeError):
    """A gradient differs from the finite difference."""


def _leaves(inputs):
    inputs = (inputs,) if isinstance(inputs, _Tensor) else tuple(inputs)
    places = [k for k, v in enumerate(inputs) if isinstance(v, _Tensor) and v.requires_grad]
    if not places:
        raise ValueError("gradcheck: expected at least one input that requires grad, got none.")
    for k in places:
        if inputs[k].dtype.name not in ("float64", "complex128"):
            raise ValueError(
                f"gradcheck: expected float64 or complex128 inputs, got {inputs[k].dtype}. Convert with .double()."
            )
    return inputs, places


def _outputs(func, inputs):
    leaves, _ = flatten(func(*inputs))
    return [v for v in leaves if isinstance(v, _Tensor) and v.dtype.is_inexact]


def gradcheck(
    func,
    inputs,
    *,
    eps=1e-6,
    atol=1e-5,
    rtol=1e-3,
    raise_exception=True,
    nondet_tol=0.0,
    check_undefined_grad=True,
    check_batched_grad=False,
    check_forward_ad=False,
    check_backward_ad=True,
    fast_mode=False,
):
    """Compares the gradients of `func` with central differences.

    Args:
        func: takes tensors, returns a tensor or a tree of tensors.
        inputs: a tensor or a tuple; float64 and complex128 tensors that require grad are checked. The real and the
            imaginary part of a complex number count as two elements.
        eps: half the step of the differences.
        atol, rtol: allowed deviation of an element.
        raise_exception: False returns False instead of raising.
        nondet_tol: allowed deviation between two runs of the backward pass.
        check_undefined_grad, check_batched_grad, fast_mode: accepted for compatibility; every element is checked.
        check_forward_ad: check forward mode (func.jvp) as well.
        check_backward_ad: check reverse mode.

    Returns:
        True; False where it fails with raise_exception=False.

    Raises:
        GradcheckError: a gradient is wrong. ValueError: the inputs cannot be checked.

    Example:
        >>> import wengert
        >>> x = wengert.tensor([0.5, 1.0], dtype=wengert.float64).requires_grad_()
        >>> wengert.testing.gradcheck(lambda v: v.sin(), x)
        True
    """
    inputs, places = _leaves(inputs)
    try:
        numeric = _numeric(func, inputs, places, eps)
        if check_backward_ad:
            first = _analytic(func, inputs, places)
            _compare(first, numeric, places, atol, rtol, "the gradient")
            again = _analytic(func, inputs, places)
            _compare(again, first, places, nondet_tol, 0.0, "a second backward pass")
        if check_forward_ad:
            _compare(_forward(func, inputs, places), numeric, places, atol, rtol, "the forward derivative")
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def _numeric(func, inputs, places, eps):
    """numeric[i][o]: rows over elements of input i, each a list over elements of output o."""
    table = []
    with no_grad():
        for place in places:
            x = inputs[place].detach()
            values = _flat(x)
            rows = []
            for k, value in enumerate(values):
                ends = []
                for sign in (1, -1):
                    moved = list(values)
                    moved[k] = value + sign * eps
                    changed = list(inputs)
                    changed[place] = _shaped(moved, x)
                    ends.append([_flat(v) for v in _outputs(func, changed)])
                rows.append(
                    [[(p - q) / (2 * eps) for p, q in zip(a, b, strict=True)] for a, b in zip(*ends, strict=True)]
                )
            table.append(rows)
    return table


def _flat(t):
    """All real numbers of a tensor: of complex ones both parts."""
    t = t.detach()
    return (OPS["view_as_real"](t) if t.dtype.is_complex else t).reshape((-1,)).tolist()


def _shaped(values, like):
    """The inverse of _flat."""
    if not like.dtype.is_complex:
        return _core.from_data(values, like.dtype).reshape(tuple(like.shape))
    parts = _core.from_data(values, like.dtype.to_real()).reshape((*like.shape, 2))
    return OPS["view_as_complex"](parts).detach()


def _count(t):
    return t.numel() * (2 if t.dtype.is_complex else 1)


def _units(t):
    """Tensors like t with 1 at one of its real numbers and 0 elsewhere."""
    for k in range(_count(t)):
        unit = [0.0] * _count(t)
        unit[k] = 1.0
        yield _shaped(unit, t)


def _analytic(func, inputs, places):
    with enable_grad():
        outputs = _outputs(func, inputs)
        wanted = [inputs[k] for k in places]
        table = [[[[0.0] * _count(v) for v in outputs] for _ in range(_count(t))] for t in wanted]
        for o, y in enumerate(outputs):
            if not y.requires_grad:
                continue
            for e, g in enumerate(_units(y)):
                found = grad(y, wanted, g, retain_graph=True, allow_unused=True)
                for i, t in enumerate(found):
                    for k, value in enumerate([] if t is None else _flat(t)):
                        table[i][k][o][e] = value
    return table


def _forward(func, inputs, places):
    from .func import jvp

    table = []
    for place in places:
        x = inputs[place].detach()
        rows = []
        for t in _units(x):

            def along(v, place=place):
                changed = [u.detach() if isinstance(u, _Tensor) else u for u in inputs]
                changed[place] = v
                return tuple(_outputs(func, changed))

            rows.append([_flat(v) for v in jvp(along, (x,), (t,))[1]])
        table.append(rows)
    return table


def _compare(found, expected, places, atol, rtol, what):
    for i, (rows, wanted) in enumerate(zip(found, expected, strict=True)):
        for k, (row, other) in enumerate(zip(rows, wanted, strict=True)):
            for o, (a, b) in enumerate(zip(row, other, strict=True)):
                for e, (p, q) in enumerate(zip(a, b, strict=True)):
                    if not abs(p - q) <= atol + rtol * abs(q):
                        raise GradcheckError(
                            f"gradcheck: expected {q!r} for {what} of output {o} (element {e}) with respect to "
                            f"input {places[i]} (element {k}), got {p!r}."
                        )


def gradgradcheck(func, inputs, grad_outputs=None, *, eps=1e-6, atol=1e-5, rtol=1e-3, raise_exception=True, **more):
    """gradcheck of the gradient of `func`: checks second derivatives.

    Args:
        grad_outputs: gradients of the outputs to start from; fixed numbers of size about 1 where left out.
        others: as for `gradcheck`.
    """
    inputs, places = _leaves(inputs)
    outputs = [v for v in _outputs(func, inputs) if v.requires_grad]
    if grad_outputs is None:
        grad_outputs = []
        for n, v in enumerate(outputs):
            # Different, not symmetric, and the same in every run.
            values = [((7 * k + 3 * n) % 11 - 4.5) / 5 for k in range(_count(v))]
            grad_outputs.append(_shaped(values, v).requires_grad_())
    else:
        grad_outputs = [grad_outputs] if isinstance(grad_outputs, _Tensor) else list(grad_outputs)
    count = len(inputs)

    def first(*values):
        with enable_grad():
            given = [
                v if isinstance(v, _Tensor) and v.requires_grad or k not in places else v.detach().requires_grad_()
                for k, v in enumerate(values[:count])
            ]
            out = [v for v in _outputs(func, given) if v.requires_grad]
            wanted = [given[k] for k in places]
            found = grad(out, wanted, list(values[count:]), create_graph=True, allow_unused=True)
        return tuple(g for g in found if g is not None)

    everything = (*inputs, *grad_outputs)
    return gradcheck(first, everything, eps=eps, atol=atol, rtol=rtol, raise_exception=raise_exception, **more)
