"""jvp's frame: an op on values with tangents.

Elementwise rows use their gradient rule (it multiplies g by the partial derivative, so it serves tangents as well),
linear rows apply themselves, products follow the product rule, and every other row transposes its gradient rule:
that rule is linear in g, and differentiating it by g gives the forward derivative.
"""

from functools import lru_cache
from math import prod
from textwrap import indent

from .. import _core
from .._bind import COMPOSED
from ..ops import TABLE, trace_rule
from ._levels import Frame, call, entry, expand, is_tensor, payload, zeros


class Dual:
    """Payload of a wrapper: a value and its derivative along the frame's direction."""

    __slots__ = ("frame", "primal", "tangent")

    def __init__(self, frame, primal, tangent):
        self.frame = frame
        self.primal = primal
        self.tangent = tangent

    def detached(self):
        """The value without history: a constant, also for this frame."""
        return self.primal.detach()

    def text(self):
        """The repr: value and tangent, with the level of their jvp."""
        parts = f"{self.primal!r},\ntangent={self.tangent!r}"
        return f"DualTensor(lvl={self.frame.depth}, value=\n{indent(parts, '    ')}\n)"


def wrap(frame, primal, tangent):
    """The wrapper of a value with a tangent of its shape; the value itself where the tangent is None (zero)."""
    if tangent is None:
        return primal
    return _core.make_wrapper(tuple(primal.shape), primal.dtype, Dual(frame, primal, tangent))


@lru_cache(4096)
def _traced(row, mask, attrs, shapes, count, absent):
    return trace_rule(row, mask, attrs, shapes, count, absent)


def run_rule(row, places, g, operands, results, attrs):
    """A row's gradient rule on tensors: gradients (or None) for the operands at `places`."""
    mask = sum(1 << k for k in places)
    absent = tuple(k for k, v in enumerate(operands) if v is None)
    given = [v if v is None or is_tensor(v) else _core.full((), v, results[0].dtype) for v in operands]
    shapes = tuple(() if v is None else tuple(v.shape) for v in given) if row.shaped else None
    attrs = tuple(tuple(v) if isinstance(v, list) else v for v in attrs)
    program = _traced(row, mask, attrs, shapes, len(given), absent)
    registers = dict(enumerate([g, *given, *results, *program.constants]))
    wanted = {r for _, reads, _, _ in program.code for r in reads}.union(program.results)
    for name, reads, first, kinds in program.code:
        values = [None if r < 0 else registers[r] for r in reads]
        inherited = attrs if kinds == "inherit" else ()
        values_of = inherited or [attrs[v] if kind == "field" else v for kind, v in kinds or ()]
        for j, result in _results(name, values, values_of, [first + j in wanted for j in range(_outputs(name))]):
            registers[first + j] = result
    return [None if program.results[k] < 0 else registers[program.results[k]] for k in places]


def _outputs(name):
    return len(TABLE[name].outputs)


def _results(name, operands, attrs, wanted):
    """The wanted results of an op by their places, each with a history of its own."""
    parts = TABLE[name].parts
    if TABLE[name].composed:
        return [(j, v) for j, v in enumerate(COMPOSED[name](operands, attrs)) if wanted[j]]
    if parts:
        return [(j, _core.apply(entry(p), operands, attrs)) for j, p in enumerate(parts) if wanted[j]]
    out = _core.apply(entry(name), operands, attrs)
    return enumerate(out if isinstance(out, tuple) else (out,))


def _fitted(t, like):
    """A tangent broadcast and converted to its value's shape and dtype."""
    if tuple(t.shape) != tuple(like.shape):
        t = expand(t, tuple(like.shape))
    return t if t.dtype == like.dtype else call("cast", t, attrs=(like.dtype,))


def _linear(entry, operands, tangents, results, attrs):
    """The op itself on tangents; operands without one count as zero."""
    row = entry.row
    values = []
    for k, (v, t) in enumerate(zip(operands, tangents, strict=True)):
        shape_only = not row.variadic and row.inputs[k] == "like"
        if t is not None and not shape_only:
            values.append(t)
        elif shape_only or not is_tensor(v) or not v.dtype.is_inexact:
            values.append(v)
        else:
            values.append(zeros(tuple(v.shape), v.dtype))
    out = _core.apply(entry, values, attrs)
    return out[0] if isinstance(out, tuple) else out


def _product(entry, operands, tangents, results, attrs):
    """The op is linear in each operand alone: the product rule."""
    total = None
    for k, t in enumerate(tangents):
        if t is None:
            continue
        values = [*operands[:k], t, *operands[k + 1 :]]
        part = _core.apply(entry, values, attrs)
        total = part if total is None else call("add", total, part)
    return total


def _affine(entry, operands, tangents, results, attrs):
    """Linear in x and in w, with a summand b: linear(x, w, b)."""
    x, w = operands[:2]
    total = tangents[2]
    for values in ([tangents[0], w, None], [x, tangents[1], None]):
        if values[0] is not None and values[1] is not None:
            part = _core.apply(entry, values, attrs)
            total = part if total is None else call("add", total, part)
    return total


def _elementwise(entry, operands, tangents, results, attrs):
    total = None
    for k, t in enumerate(tangents):
        if t is None:
            continue
        part = run_rule(entry.row, [k], t, operands, results, attrs)[0]
        if part is not None:
            total = part if total is None else call("add", total, part)
    return total


def _anywhere(shape, dtype):
    """A point to differentiate a linear function at. Not 0: there rules with singularities stop the flow (zmul)."""
    steps = _core.make_arange(1, prod(shape) + 1, dtype=dtype.to_real())
    point = call("reshape", call("add", call("frac", call("mul", steps, 0.618)), 0.5), attrs=(shape,))
    return call("cast", point, attrs=(dtype,)) if dtype.is_complex else point


def _conjugate(v):
    if is_tensor(v):
        return call("conj", v) if v.dtype.is_complex else v
    return v.conjugate() if isinstance(v, complex) else v


def _transposed(entry, operands, tangents, results, attrs):
    from ._reverse import Pullback

    row = entry.row
    places = [k for k, t in enumerate(tangents) if t is not None]
    given, after = operands, results
    if "conjugates" not in row.flags:  # as the backward pass does: the rule itself is that of the transpose
        given, after = ([_conjugate(v) for v in values] for values in (operands, results))

    def rule(g):
        out = []
        for k, part in zip(places, run_rule(row, places, g, given, after, attrs), strict=True):
            if part is not None and tuple(part.shape) != tuple(operands[k].shape):
                part = call("sum_to_like", part, operands[k])
            out.append(part)
        return out

    pullback = Pullback(rule, [_anywhere(tuple(results[0].shape), results[0].dtype)], [*operands, *results])
    pairs = [(y, tangents[k]) for y, k in zip(pullback.outputs, places, strict=True) if y is not None]
    if not pairs:
        return None
    return pullback.gradients([y for y, _ in pairs], [t for _, t in pairs])[0]


_BY_NAME = {"matmul": _product, "matmul_rows": _product, "linear": _affine}


class DualFrame(Frame):
    """One jvp."""

    __slots__ = ()

    def peel(self, v):
        """(value, tangent or None)."""
        p = payload(v)
        if p is not None and p.frame is self:
            return p.primal, p.tangent
        return v, None

    def run(self, entry, operands, attrs):
        peeled = [self.peel(v) for v in operands]
        values = [v for v, _ in peeled]
        out = _core.apply(entry, values, attrs)
        results = out if isinstance(out, tuple) else (out,)
        tangent = self.tangent(entry, values, [t for _, t in peeled], results, attrs)
        first = wrap(self, results[0], tangent)
        return (first, *results[1:]) if isinstance(out, tuple) else first

    @staticmethod
    def tangent(entry, operands, tangents, results, attrs):
        row = entry.row
        if not row.differentiable or not results[0].dtype.is_inexact:
            return None
        any_complex = any(is_tensor(v) and v.dtype.is_complex for v in (*operands, *results))
        if row.linear:
            rule = _linear
        elif row.name in _BY_NAME:
            rule = _BY_NAME[row.name]
        elif row.elementwise and not (any_complex and "conjugates" in row.flags):
            rule = _elementwise
        else:
            rule = _transposed
        t = rule(entry, operands, tangents, results, attrs)
        return None if t is None else _fitted(t, results[0])

    def run_inplace(self, entry, x, operands, attrs):
        """x.op_(...): value and tangent are written in place, so views of them see the change."""
        value, tangent = self.peel(x)
        rest = [self.peel(v) for v in operands]
        before = [call("clone", value)] + [v for v, _ in rest[1:]]
        out = _core.apply(entry, before, attrs)
        results = out if isinstance(out, tuple) else (out,)
        new = self.tangent(entry, before, [t for _, t in rest], results, attrs)
        from ._batching import call_inplace

        call_inplace("assign", value, results[0])
        if tangent is None and new is not None:
            raise RuntimeError(
                f"jvp: expected a tensor with a tangent for {entry.name}_, got a constant. Use the out-of-place "
                f"form."
            )
        if tangent is not None:
            call_inplace("assign", tangent, zeros(tuple(x.shape), x.dtype) if new is None else new)
        return x
