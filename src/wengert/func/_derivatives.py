"""grad, vjp, jvp and the Jacobians made of them."""

import functools

from .. import _core
from . import _forward
from ._forward import DualFrame
from ._levels import call, is_tensor, reshape, zeros
from ._reverse import Pullback, without_tape
from ._trees import flatten, unflatten
from ._vmap import vmap


def _checked(leaves, op, what):
    for v in leaves:
        if not is_tensor(v):
            raise TypeError(f"{op}: expected tensors for {what}, got {type(v).__name__}.")
        if not v.dtype.is_inexact:
            raise RuntimeError(f"{op}: expected floating tensors for {what}, got {v.dtype}. Convert with .float().")
    return leaves


class _Run:
    """func on new nodes for the leaves of some of its arguments; the tree of its results."""

    def __init__(self, func, args, kwargs, argnums, has_aux, op):
        chosen = (argnums,) if isinstance(argnums, int) else tuple(argnums)
        count = len(args)
        for k in chosen:
            if not -count <= k < count:
                raise RuntimeError(f"{op}: expected argnums in [{-count}, {count - 1}], got {k}.")
        chosen = tuple(k % count for k in chosen)
        self.single = isinstance(argnums, int)
        picked = args[chosen[0]] if self.single else tuple(args[k] for k in chosen)
        leaves, self.form = flatten(picked)
        _checked(leaves, op, "the arguments to differentiate")
        self.aux = None

        def run(*values):
            part = unflatten(values, self.form)
            replaced = list(args)
            for place, k in enumerate(chosen):
                replaced[k] = part if self.single else part[place]
            out = func(*replaced, **kwargs)
            if has_aux:
                if not isinstance(out, tuple) or len(out) != 2:
                    raise RuntimeError(
                        f"{op}: expected the function to return (output, aux), got {type(out).__name__}."
                    )
                out, self.aux = out
            outputs, self.out_form = flatten(out)
            for v in outputs:
                if not is_tensor(v):
                    raise RuntimeError(f"{op}: expected the function to return tensors, got {type(v).__name__}.")
            return outputs

        self.pullback = Pullback(run, leaves)
        self.outputs = self.pullback.outputs

    def gradients(self, grads):
        return unflatten(self.pullback.gradients(self.outputs, grads), self.form)

    def result(self):
        return unflatten([self.visible(v) for v in self.outputs], self.out_form)

    def visible(self, v):
        """An output as the caller sees it: with its outer history, without that of this derivative."""
        if self.pullback.keeps_history(v):
            return v
        return without_tape(v)

    def visible_aux(self):
        leaves, form = flatten(self.aux)
        return unflatten([self.visible(v) if is_tensor(v) else v for v in leaves], form)


def grad_and_value(func, argnums=0, has_aux=False):
    """A function that returns the gradient of `func` and its value.

    Args:
        func: returns a tensor of one element (and, with has_aux, anything else as second result).
        argnums: the argument (a tensor or a tree of tensors) to differentiate by, or a tuple of such.
        has_aux: func returns (value, aux).

    Returns:
        (gradient, value), or (gradient, (value, aux)).

    Raises:
        RuntimeError: the value is no floating tensor of one element.
    """

    @functools.wraps(func)
    def run(*args, **kwargs):
        call_ = _Run(func, args, kwargs, argnums, has_aux, "grad")
        if len(call_.outputs) != 1 or not isinstance(call_.out_form, int):
            raise RuntimeError("grad: expected the function to return one tensor, got several. Use has_aux or vjp.")
        value = call_.outputs[0]
        if value.dim() != 0:
            raise RuntimeError(
                f"grad: expected the function to return a tensor of shape (), got {tuple(value.shape)}. Reduce "
                f"it with "
                ".sum(), or use jacrev."
            )
        gradient = call_.gradients([_core.full((), 1.0, value.dtype)])
        result = call_.visible(value)
        return gradient, (result, call_.visible_aux()) if has_aux else result

    return run


def grad(func, argnums=0, has_aux=False):
    """A function that returns the gradient of `func`; see `grad_and_value` for the arguments.

    Example:
        >>> import wengert
        >>> wengert.func.grad(lambda x: x * x * x)(wengert.tensor(2.0))
        tensor(12.)
    """
    both = grad_and_value(func, argnums, has_aux)

    @functools.wraps(func)
    def run(*args, **kwargs):
        gradient, value = both(*args, **kwargs)
        return (gradient, value[1]) if has_aux else gradient

    return run


def vjp(func, *primals, has_aux=False):
    """The value of func at `primals`, and the function from a gradient of the value to gradients of the primals.

    Args:
        func: takes as many arguments as there are primals (tensors or trees of them).
        has_aux: func returns (value, aux).

    Returns:
        (value, vjp_fn), or (value, vjp_fn, aux). vjp_fn takes a tree of tensors like the value and returns a tuple
        with the gradient of each primal.

    Example:
        >>> import wengert
        >>> value, back = wengert.func.vjp(lambda x: x * x, wengert.tensor([1.0, 2.0]))
        >>> back(wengert.tensor([1.0, 1.0]))
        (tensor([2., 4.]),)
    """
    run = _Run(func, primals, {}, tuple(range(len(primals))), has_aux, "vjp")

    def back(*cotangents):
        given = cotangents[0] if len(cotangents) == 1 else cotangents
        leaves, form = flatten(given)
        if len(leaves) != len(run.outputs):
            raise RuntimeError(
                f"vjp: expected {len(run.outputs)} gradients, one for each result, got {len(leaves)}."
            )
        for v, y in zip(_checked(leaves, "vjp", "the gradients of the results"), run.outputs, strict=True):
            if tuple(v.shape) != tuple(y.shape):
                raise RuntimeError(f"vjp: expected a gradient of shape {tuple(y.shape)}, got {tuple(v.shape)}.")
        return run.gradients(leaves)

    result = run.result()
    return (result, back, run.visible_aux()) if has_aux else (result, back)


def jvp(func, primals, tangents, *, strict=False, has_aux=False):
    """The value of func at `primals` and its derivative along `tangents` (forward mode).

    Args:
        func: takes as many arguments as there are primals.
        primals, tangents: tuples of tensors (or trees of them) of the same structure, shapes and dtypes.
        strict: raise where a result does not depend on the primals, instead of giving zeros.
        has_aux: func returns (value, aux).

    Returns:
        (value, derivative), or (value, derivative, aux).

    Example:
        >>> import wengert
        >>> wengert.func.jvp(lambda x: x * x, (wengert.tensor(3.0),), (wengert.tensor(1.0),))
        (tensor(9.), tensor(6.))
    """
    if not isinstance(primals, tuple) or not isinstance(tangents, tuple):
        raise RuntimeError("jvp: expected tuples for primals and tangents, got something else. Write (x,) for one.")
    leaves, form = flatten(primals)
    directions, other = flatten(tangents)
    if form != other:
        raise RuntimeError("jvp: expected primals and tangents of one structure, got different ones.")
    _checked(leaves, "jvp", "primals")
    for p, t in zip(leaves, _checked(directions, "jvp", "tangents"), strict=True):
        if tuple(p.shape) != tuple(t.shape):
            raise RuntimeError(f"jvp: expected a tangent of shape {tuple(p.shape)}, got {tuple(t.shape)}.")
    frame = DualFrame()
    aux = None
    with frame:
        pairs = zip(leaves, directions, strict=True)
        duals = [
            _forward.wrap(frame, p, t if t.dtype == p.dtype else call("cast", t, attrs=(p.dtype,)))
            for p, t in pairs
        ]
        out = func(*unflatten(duals, form))
        if has_aux:
            out, aux = out
    values, derivatives = [], []
    results, out_form = flatten(out)
    for v in results:
        if not is_tensor(v):
            raise RuntimeError(f"jvp: expected the function to return tensors, got {type(v).__name__}.")
        value, tangent = frame.peel(v)
        if tangent is None:
            if strict:
                raise RuntimeError("jvp: expected results that depend on the primals, got one that does not.")
            tangent = zeros(tuple(value.shape), value.dtype)
        values.append(value)
        derivatives.append(tangent)
    both = unflatten(values, out_form), unflatten(derivatives, out_form)
    if not has_aux:
        return both
    extra, aux_form = flatten(aux)
    return (*both, unflatten([frame.peel(v)[0] for v in extra], aux_form))


def linearize(func, *primals):
    """The value of func at `primals`, and the linear function from tangents to derivatives of the value."""
    value = func(*primals)

    def forward(*tangents):
        return jvp(func, primals, tangents)[1]

    return value, forward


# ---- Jacobians ---------------------------------------------------------------------------------------------------


def _basis(leaves):
    """One tensor for each leaf: together the rows of the identity over all elements of all leaves."""
    from .. import eye

    total = sum(v.numel() for v in leaves)
    out, at = [], 0
    for v in leaves:
        n = v.numel()
        rows = eye(total, dtype=v.dtype)
        part = call("slice", rows, attrs=(1, at, n, 1))
        out.append(reshape(part, (total, *v.shape)))
        at += n
    return out


def _cut(t, leaves, dim):
    """The parts of dimension `dim` (0 or -1) that belong to each leaf, in the leaf's shape."""
    parts, at = [], 0
    shape = tuple(t.shape)
    for v in leaves:
        n = v.numel()
        part = call("slice", t, attrs=(0 if dim == 0 else len(shape) - 1, at, n, 1))
        parts.append(reshape(part, (*v.shape, *shape[1:]) if dim == 0 else (*shape[:-1], *v.shape)))
        at += n
    return parts


def jacrev(func, argnums=0, *, has_aux=False, chunk_size=None):
    """A function that returns the Jacobian of `func` by reverse mode: one pass for each element of the result.

    Returns:
        For a result of shape s and an argument of shape t a tensor of shape (*s, *t); trees give trees.

    Example:
        >>> import wengert
        >>> wengert.func.jacrev(lambda x: x * x)(wengert.tensor([1.0, 2.0]))
        tensor([[2., 0.],
                [0., 4.]])
    """

    @functools.wraps(func)
    def run(*args, **kwargs):
        call_ = _Run(func, args, kwargs, argnums, has_aux, "jacrev")
        outputs = call_.outputs
        pull = vmap(
            lambda *v: tuple(call_.pullback.gradients(outputs, list(v))),
            chunk_size=chunk_size,
        )
        rows = pull(*_basis(outputs))
        by_input = [_cut(r, outputs, 0) for r in rows]
        by_output = [unflatten([column[k] for column in by_input], call_.form) for k in range(len(outputs))]
        result = unflatten(by_output, call_.out_form)
        return (result, call_.visible_aux()) if has_aux else result

    return run


def jacfwd(func, argnums=0, has_aux=False, *, randomness="error"):
    """A function that returns the Jacobian of `func` by forward mode: one pass for each element of the argument.

    The result is that of `jacrev`; forward mode is the better one where the result is larger than the argument.
    """

    @functools.wraps(func)
    def run(*args, **kwargs):
        single = isinstance(argnums, int)
        chosen = tuple(k % len(args) for k in ((argnums,) if single else argnums))
        picked = args[chosen[0]] if single else tuple(args[k] for k in chosen)
        leaves, form = flatten(picked)
        _checked(leaves, "jacfwd", "the arguments to differentiate")
        seen = {}

        def call_(*values):
            part = unflatten(values, form)
            replaced = list(args)
            for place, k in enumerate(chosen):
                replaced[k] = part if single else part[place]
            return func(*replaced, **kwargs)

        def push(*tangents):
            out = jvp(call_, tuple(leaves), tangents, has_aux=has_aux)
            results, seen["form"] = flatten(out[1])
            if has_aux:
                extra, seen["aux_form"] = flatten(out[2])
                return tuple(results), tuple(extra)
            return tuple(results)

        dims = (-1, None) if has_aux else -1
        out = vmap(push, out_dims=dims, randomness=randomness)(*_basis(leaves))
        results = out[0] if has_aux else out
        jacobians = [unflatten(_cut(r, leaves, -1), form) for r in results]
        result = unflatten(jacobians, seen["form"])
        return (result, unflatten(out[1], seen["aux_form"])) if has_aux else result

    return run


def hessian(func, argnums=0):
    """A function that returns the matrix of second derivatives of `func`: jacfwd over jacrev.

    Example:
        >>> import wengert
        >>> wengert.func.hessian(lambda x: (x * x * x).sum())(wengert.tensor([1.0, 2.0]))
        tensor([[ 6.,  0.],
                [ 0., 12.]])
    """
    return jacfwd(jacrev(func, argnums), argnums)
