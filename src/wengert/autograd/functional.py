"""Jacobians, Hessians and products with them, for functions of one tensor or several."""

from .. import _core, func
from ..func._levels import building
from ..func._reverse import fresh
from . import grad
from .grad_mode import enable_grad

__all__ = ["hessian", "hvp", "jacobian", "jvp", "vhp", "vjp"]

_Tensor = _core.Tensor


def _tuple(value, op, what):
    single = isinstance(value, _Tensor)
    values = (value,) if single else tuple(value) if isinstance(value, (tuple, list)) else (None,)
    for v in values:
        if not isinstance(v, _Tensor):
            raise TypeError(f"{op}: expected a tensor or a tuple of tensors for {what}, got {type(v).__name__}.")
    return values, single


def _start(inputs, create_graph):
    """Inputs as nodes of their own: with their history where it shall be differentiated, else without."""
    out = []
    graph_frame = building(inputs)
    for x in inputs:
        if graph_frame is not None:
            out.append(fresh(x if create_graph else x.detach(), graph_frame))
            continue
        out.append(x.view(tuple(x.shape)) if create_graph and x.requires_grad else x.detach().requires_grad_())
    return tuple(out)


def _call(function, inputs, op):
    outputs, single = _tuple(function(*inputs), op, "the results of the function")
    return outputs, single


def _zeros(t):
    return _core.full(tuple(t.shape), 0.0, t.dtype)


def _pull(outputs, inputs, grads, create_graph, strict, op):
    """grad() with zeros where nothing flows, or an error with strict."""
    pairs = [(y, g) for y, g in zip(outputs, grads, strict=True) if y.requires_grad or building([y]) is not None]
    found = (None,) * len(inputs)
    if pairs:
        found = grad(
            [y for y, _ in pairs],
            inputs,
            [g for _, g in pairs],
            retain_graph=True,
            create_graph=create_graph,
            allow_unused=True,
        )
    if strict:
        for k, g in enumerate(found):
            if g is None:
                raise RuntimeError(
                    f"{op}: expected results that depend on every input, got one independent of input {k}."
                )
            if create_graph and not g.requires_grad:
                raise RuntimeError(
                    f"{op}: expected a gradient that depends on the inputs, got one independent of input {k}."
                )
    return tuple(_zeros(x) if g is None else g for x, g in zip(inputs, found, strict=True))


def _directions(v, like, op):
    """v as a tuple of the shapes of `like`; None stands for 1 where there is one element."""
    if v is None:
        if len(like) != 1 or like[0].numel() != 1:
            raise RuntimeError(f"{op}: expected v for results of several elements, got None.")
        return tuple(_core.full(tuple(t.shape), 1.0, t.dtype) for t in like)
    values, _ = _tuple(v, op, "v")
    if len(values) != len(like):
        raise RuntimeError(f"{op}: expected {len(like)} tensors in v, got {len(values)}.")
    for a, b in zip(values, like, strict=True):
        if tuple(a.shape) != tuple(b.shape):
            raise RuntimeError(f"{op}: expected v of shape {tuple(b.shape)}, got {tuple(a.shape)}.")
    return values


def _finish(values, single, create_graph):
    values = tuple(v if create_graph else v.detach() for v in values)
    return values[0] if single else values


def vjp(func, inputs, v=None, create_graph=False, strict=False):
    """The results of func and the product of v with its Jacobian: (results, v J)."""
    inputs, single = _tuple(inputs, "vjp", "inputs")
    with enable_grad():
        inputs = _start(inputs, create_graph)
        outputs, out_single = _call(func, inputs, "vjp")
        found = _pull(outputs, inputs, _directions(v, outputs, "vjp"), create_graph, strict, "vjp")
    return _finish(outputs, out_single, create_graph), _finish(found, single, create_graph)


def jvp(func, inputs, v=None, create_graph=False, strict=False):
    """The results of func and the product of its Jacobian with v: (results, J v). Runs in forward mode."""
    inputs, single = _tuple(inputs, "jvp", "inputs")
    with enable_grad():
        inputs = _start(inputs, create_graph)
        v = _directions(v, inputs, "jvp")
        outputs, found, single = _forward(func, inputs, v, strict)
    return _finish(outputs, single, create_graph), _finish(found, single, create_graph)


def _forward(function, inputs, v, strict):
    form = []

    def run(*values):
        outputs, single = _call(function, values, "jvp")
        form.append(single)
        return outputs

    outputs, found = func.jvp(run, tuple(inputs), tuple(v), strict=strict)
    return outputs, found, form[0]


def _one_number(outputs, op):
    if len(outputs) != 1 or outputs[0].numel() != 1:
        raise RuntimeError(f"{op}: expected a function that returns one tensor of one element, got something else.")


def vhp(func, inputs, v=None, create_graph=False, strict=False):
    """The result of a function to numbers and the product of v with its Hessian: (result, v H)."""
    inputs, single = _tuple(inputs, "vhp", "inputs")
    with enable_grad():
        inputs = _start(inputs, create_graph)
        outputs, _ = _call(func, inputs, "vhp")
        _one_number(outputs, "vhp")
        v = _directions(v, inputs, "vhp")
        first = _pull(outputs, inputs, [_ones(outputs[0])], True, strict, "vhp")
        found = _pull(first, inputs, v, create_graph, strict, "vhp")
    return _finish(outputs, True, create_graph), _finish(found, single, create_graph)


def _ones(t):
    return _core.full(tuple(t.shape), 1.0, t.dtype)


def hvp(func, inputs, v=None, create_graph=False, strict=False):
    """The result of a function to numbers and the product of its Hessian with v: (result, H v). H is symmetric, so
    this is `vhp`."""
    return vhp(func, inputs, v, create_graph, strict)


def jacobian(func, inputs, create_graph=False, strict=False, vectorize=False, strategy="reverse-mode"):
    """The Jacobian of a function of one or several tensors.

    Args:
        func: returns a tensor or a tuple of tensors.
        inputs: a tensor or a tuple of tensors.
        create_graph: make the result differentiable.
        strict: raise where a result does not depend on an input.
        vectorize: all rows at once (vmap).
        strategy: "reverse-mode", or "forward-mode" (always vectorized).

    Returns:
        A tensor of shape (*result, *input); nested tuples, first over results and then over inputs, where there are
        several.

    Example:
        >>> import wengert
        >>> wengert.autograd.functional.jacobian(lambda x: x.exp(), wengert.zeros(2))
        tensor([[1., 0.],
                [0., 1.]])
    """
    if strategy not in ("reverse-mode", "forward-mode"):
        raise ValueError(f"jacobian: expected strategy 'reverse-mode' or 'forward-mode', got {strategy!r}.")
    inputs, single = _tuple(inputs, "jacobian", "inputs")
    if strategy == "forward-mode" or vectorize:
        return _vectorized(func, inputs, single, create_graph, strategy)
    with enable_grad():
        inputs = _start(inputs, create_graph)
        outputs, out_single = _call(func, inputs, "jacobian")
        rows = []
        for y in outputs:
            parts = [[] for _ in inputs]
            flat = y.reshape((-1,))
            for k in range(flat.numel()):
                one = flat[k]
                found = _pull([one], inputs, [_ones(one)], create_graph, strict, "jacobian")
                for part, g in zip(parts, found, strict=True):
                    part.append(g)
            rows.append(tuple(_stacked(p, y, x) for p, x in zip(parts, inputs, strict=True)))
    rows = [_finish(r, single, create_graph) for r in rows]
    return rows[0] if out_single else tuple(rows)


def _stacked(parts, y, x):
    from .. import stack

    if not parts:
        return _core.full((*y.shape, *x.shape), 0.0, x.dtype)
    return stack(parts).reshape((*y.shape, *x.shape))


def _vectorized(function, inputs, single, create_graph, strategy):
    transform = func.jacfwd if strategy == "forward-mode" else func.jacrev
    seen = []

    def run(*values):
        outputs, one = _call(function, values, "jacobian")
        seen.append(one)
        return outputs

    with enable_grad():
        started = _start(inputs, create_graph)
        given = started if create_graph else tuple(x.detach() for x in started)
        rows = [_finish(r, single, create_graph) for r in transform(run, tuple(range(len(inputs))))(*given)]
    return rows[0] if seen[0] else tuple(rows)


def hessian(
    func, inputs, create_graph=False, strict=False, vectorize=False, outer_jacobian_strategy="reverse-mode"
):
    """The Hessian of a function that returns one number.

    Args:
        func: returns a tensor of one element.
        inputs: a tensor or a tuple of tensors.
        create_graph, strict, vectorize: as for `jacobian`.
        outer_jacobian_strategy: "reverse-mode" or "forward-mode" (with vectorize=True).

    Returns:
        A tensor of shape (*input, *input), or nested tuples of such.
    """
    inputs, single = _tuple(inputs, "hessian", "inputs")

    def gradient(*values):
        outputs, _ = _call(func, values, "hessian")
        _one_number(outputs, "hessian")
        return _pull(outputs, values, [_ones(outputs[0])], True, strict, "hessian")

    def by_func(*values):
        def number(*given):
            outputs, _ = _call(func, given, "hessian")
            _one_number(outputs, "hessian")
            return outputs[0].reshape(())

        return _jacrev(number, len(values))(*values)

    forward = outer_jacobian_strategy == "forward-mode"
    inner = by_func if vectorize or forward else gradient
    rows = jacobian(inner, inputs, create_graph, strict, vectorize, outer_jacobian_strategy)
    return rows[0][0] if single and isinstance(rows[0], tuple) else rows[0] if single else rows


def _jacrev(function, count):
    return func.jacrev(function, tuple(range(count)))
