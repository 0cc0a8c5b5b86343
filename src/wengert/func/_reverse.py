"""Reverse mode under any stack of transforms.

The tape lies below the wrappers: ops on plain tensors record themselves, whatever frames are open. To
differentiate a
function, its inputs become new nodes of the tape (so inner and outer derivatives cannot meet), and inputs are
repeated
over every open batch, so that each element of a batch has a derivative of its own. Afterwards wrappers are peeled
off the outputs, the gradients of outputs and the inputs together:

- a batch: the same below it, on tensors with one more dimension;
- a value with a tangent, y = (p, t), with gradient (v, w): the gradient of x is (J_p' v, J_p' w + J_t' v),
  because the tangent of a gradient is the gradient of a tangent (mixed derivatives agree).

Gradients of outputs may be wrappers of frames that neither outputs nor inputs know (vmap over a vjp): then the
rules are replayed on the wrappers.
"""

from .. import _core
from ..autograd.grad_mode import enable_grad, is_grad_enabled
from . import _batching, _forward
from ._batching import Batched, BatchFrame
from ._levels import building, call, entry, expand, is_tensor, open_frames, payload, top_frame, zeros


def _layer(t):
    """The payload of a wrapper of vmap or jvp; None for a plain tensor and for a symbolic one, which is as plain here."""
    p = payload(t)
    return None if p is None or p.frame.builds else p


def _spread_over(x, frame):
    """x with a batch of its own at `frame`, repeated where it has none."""
    p = _layer(x)
    if p is None or p.frame.depth < frame.depth:
        return _batching.wrap(frame, expand(call("unsqueeze", x, attrs=(0,)), (frame.size, *x.shape)))
    if p.frame is frame:
        return x
    if isinstance(p, Batched):
        inner = _spread_over(p.value, frame)
        return _batching.wrap(p.frame, inner)
    tangent = None if p.tangent is None else _spread_over(p.tangent, frame)
    return _forward.wrap(p.frame, _spread_over(p.primal, frame), tangent)


def fresh(x, graph_frame=None):
    """x as a new node of the tape, or of the static graph that is being built."""
    p = _layer(x)
    if p is None and graph_frame is not None:
        return graph_frame.run(entry("alias"), [x], ())
    if p is None:
        return call("alias", x) if x.requires_grad else x.detach().requires_grad_()
    if isinstance(p, Batched):
        return _batching.wrap(p.frame, fresh(p.value, graph_frame))
    return _forward.wrap(p.frame, fresh(p.primal, graph_frame), p.tangent)


def _peel_batch(t, frame):
    """(t without its batch at `frame`, now dimension 0; whether it had one)."""
    p = _layer(t)
    if p is None or p.frame.depth < frame.depth:
        return t, False
    if p.frame is frame:
        return p.value, True
    if isinstance(p, Batched):
        inner, had = _peel_batch(p.value, frame)
        if not had:
            return t, False
        return _batching.wrap(p.frame, call("transpose", inner, attrs=(0, 1))), True
    primal, had = _peel_batch(p.primal, frame)
    tangent = None
    if p.tangent is not None:
        tangent, tangent_had = _peel_batch(p.tangent, frame)
        if had != tangent_had:
            spread = _with_batch(primal if not had else tangent, frame, False)
            primal, tangent, had = (spread, tangent, True) if not had else (primal, spread, True)
    return (_forward.wrap(p.frame, primal, tangent), True) if had else (t, False)


def _with_batch(t, frame, had):
    """t with the batch of `frame` as dimension 0."""
    return t if had else expand(call("unsqueeze", t, attrs=(0,)), (frame.size, *t.shape))


def _peel_dual(t, frame):
    """(value, tangent or None) of t at `frame`."""
    p = _layer(t)
    if p is None or p.frame.depth < frame.depth:
        return t, None
    if p.frame is frame:
        return p.primal, p.tangent
    if isinstance(p, Batched):
        primal, tangent = _peel_dual(p.value, frame)
        wrapped = None if tangent is None else _batching.wrap(p.frame, tangent)
        return (t if tangent is None else _batching.wrap(p.frame, primal)), wrapped
    primal, tangent = _peel_dual(p.primal, frame)
    if p.tangent is None:
        return t, None
    outer, mixed = _peel_dual(p.tangent, frame)
    if tangent is None and mixed is None:
        return t, None
    if tangent is None:
        tangent = zeros(tuple(t.shape), t.dtype)
    return _forward.wrap(p.frame, primal, outer), _forward.wrap(p.frame, tangent, mixed)


def _frames(tensors):
    """All frames that the tensors are wrapped in, deepest first."""
    found = set()
    todo = list(tensors)
    while todo:
        p = _layer(todo.pop())
        if p is None:
            continue
        found.add(p.frame)
        if isinstance(p, Batched):
            todo.append(p.value)
        else:
            todo.append(p.primal)
            if p.tangent is not None:
                todo.append(p.tangent)
    return sorted(found, key=lambda f: -f.depth)


def _wrap_batch(frame, value):
    """The wrapper of a tensor with a batch in front, inside the wrappers of deeper frames."""
    p = _layer(value)
    if p is None or p.frame.depth < frame.depth:
        return _batching.wrap(frame, value)
    if isinstance(p, Batched):
        return _batching.wrap(p.frame, _wrap_batch(frame, call("transpose", p.value, attrs=(0, 1))))
    return _forward.wrap(p.frame, _wrap_batch(frame, p.primal), _wrap_batch(frame, p.tangent))


def _wrap_dual(frame, primal, tangent):
    """The wrapper of a value and its tangent, inside the wrappers of deeper frames."""
    top = top_frame((primal, tangent))
    if tangent is None or top is None or top.depth < frame.depth:
        return _forward.wrap(frame, primal, tangent)
    if isinstance(top, BatchFrame):
        return _batching.wrap(top, _wrap_dual(frame, top.batch(primal), top.batch(tangent)))
    value, value_t = top.peel(primal)
    slope, slope_t = top.peel(tangent)
    blank = zeros(tuple(primal.shape), primal.dtype)
    mixed = _wrap_dual(frame, blank if value_t is None else value_t, blank if slope_t is None else slope_t)
    return _forward.wrap(top, _wrap_dual(frame, value, slope), mixed)


def _pull(ys, vs, xs, recorded):
    """Gradients (or None) of xs for the gradients vs of ys."""
    frames = _frames([*ys, *xs])
    graph_frame = building(xs) if not frames else None
    if graph_frame is not None:
        pairs = [(y, v) for y, v in zip(ys, vs, strict=True) if payload(y) is not None and v is not None]
        if not pairs:
            return [None] * len(xs)
        outputs, grads = [y for y, _ in pairs], [v for _, v in pairs]
        wrapped = any(_layer(v) is not None for v in grads)
        found = (graph_frame.pull if wrapped else graph_frame.graph.gradients)(
            outputs, xs, grads, allow_unused=True
        )
        return found if recorded else [None if g is None else g.detach() for g in found]
    if not frames:
        pairs = [(y, v) for y, v in zip(ys, vs, strict=True) if y.requires_grad and v is not None]
        if not pairs:
            return [None] * len(xs)
        roots = [y for y, _ in pairs]
        grads = [v for _, v in pairs]
        again = recorded and (
            not _core.only_reaches(roots, xs) or any(part.requires_grad for v in grads for part in _plain(v))
        )
        return list(_core.backward(roots, grads, list(xs), True, again, False, True))
    frame = frames[0]
    if isinstance(frame, BatchFrame):
        peeled_x = [_peel_batch(x, frame) for x in xs]
        below_y, below_v = [], []
        for y, v in zip(ys, vs, strict=True):
            value, had = _peel_batch(y, frame)
            if had and v is not None:
                below_y.append(value)
                gradient, batched = _peel_batch(v, frame)
                below_v.append(_with_batch(gradient, frame, batched))
        below = _pull(below_y, below_v, [x for x, _ in peeled_x], recorded)
        return [None if g is None else _wrap_batch(frame, g) for g in below]
    peeled_y = [_peel_dual(y, frame) for y in ys]
    peeled_v = [(None, None) if v is None else _peel_dual(v, frame) for v in vs]
    values = [_peel_dual(x, frame)[0] for x in xs]
    first = _pull([y for y, _ in peeled_y], [v for v, _ in peeled_v], values, recorded)
    by_value = [(y, w) for (y, _), (_, w) in zip(peeled_y, peeled_v, strict=True) if w is not None]
    by_tangent = [(t, v) for (_, t), (v, _) in zip(peeled_y, peeled_v, strict=True) if t is not None]
    pairs = by_value + by_tangent
    second = _pull([y for y, _ in pairs], [v for _, v in pairs], values, recorded)
    out = []
    for x, g, w in zip(values, first, second, strict=True):
        if w is not None and g is None:
            g = zeros(tuple(x.shape), x.dtype)
        out.append(None if g is None else _wrap_dual(frame, g, w))
    return out


class Pullback:
    """A function run on new nodes of the tape: `outputs` (a list), and gradients of its inputs as often as
    wanted. Where a static graph is built, which tensors `beside` the inputs tell too, they are nodes of that."""

    def __init__(self, function, inputs, beside=()):
        self._recorded = is_grad_enabled()
        ground = [part for t in (*inputs, *beside) if is_tensor(t) for part in _plain(t)]
        self._graph_frame = building(ground)
        batches = [f for f in open_frames() if isinstance(f, BatchFrame)]
        with enable_grad():
            self.inputs = []
            for x in inputs:
                for frame in batches:
                    x = _spread_over(x, frame)
                self.inputs.append(fresh(x, self._graph_frame))
            self.outputs = function(*self.inputs)
        symbolic = [y for y in self.outputs if y is not None and building(_plain(y)) is not None]
        if symbolic and self._graph_frame is None:
            raise RuntimeError(
                "func: expected symbolic tensors to differentiate by, got tensors with values and a function that computes "
                "with symbolic ones. Make them part of the graph with g.parameter() or g.constant()."
            )

    def gradients(self, outputs, grads):
        """The gradients of all inputs for gradients of some of the outputs; zeros where nothing flows."""
        found = _pull(outputs, grads, self.inputs, self._recorded and is_grad_enabled())
        return [zeros(tuple(x.shape), x.dtype) if g is None else g for x, g in zip(self.inputs, found, strict=True)]

    def keeps_history(self, t):
        """Whether t has a history that is not this derivative's alone."""
        if not self._recorded:
            return False
        if self._graph_frame is not None:
            return True  # the nodes of a graph serve all derivatives
        return not _core.only_reaches(_plain(t), [leaf for x in self.inputs for leaf in _plain(x)])


def _plain(t):
    """The plain or symbolic tensors that a (wrapped) tensor is made of."""
    p = _layer(t)
    if p is None:
        return [t]
    if isinstance(p, Batched):
        return _plain(p.value)
    return _plain(p.primal) + (_plain(p.tangent) if p.tangent is not None else [])


def without_tape(t):
    """A result of a differentiated function as its caller may see it: no node of this derivative in its history."""
    if not is_tensor(t):
        return t
    p = _layer(t)
    if p is None:
        return t.detach()
    if isinstance(p, Batched):
        return _batching.wrap(p.frame, without_tape(p.value))
    tangent = None if p.tangent is None else without_tape(p.tangent)
    return _forward.wrap(p.frame, without_tape(p.primal), tangent)
