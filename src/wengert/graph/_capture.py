"""Recording a call for wengert.compile: the call runs as it would, and what it did becomes a graph, or a reason why not."""

import numpy as np

from .. import _core
from ..autograd import grad
from ..autograd.grad_mode import enable_grad
from ..func._levels import is_tensor, paused, recording
from ..func._trees import flatten
from ._graph import Graph
from ._lines import user_line
from ._recorder import Recorder
from ._survey import Survey


class _Capture(Recorder):
    """A recorder that never disturbs the call: it notes the first reason why the call has no graph and goes on."""

    def __init__(self, graph):
        super().__init__(graph)
        self.problem = None
        self.lasting = False

    def refuse(self, message):
        if self.problem is None:
            line = user_line()
            self.problem = f"{message} ({line})" if line else message

    def mark_value_read(self, op):
        self.lasting = True
        self.refuse(
            f"{op}() reads a value, which a plan does not have when it is made. Use where() or keep the value as a tensor; "
            "read results outside of the compiled function"
        )

    def run(self, op, operands, attrs):
        if self.problem is not None:
            with paused():
                return _core.apply(op, operands, attrs)
        return super().run(op, operands, attrs)

    def run_inplace(self, op, x, operands, attrs):
        if self.problem is not None:
            with paused():
                return _core.inplace(op, x, operands[1:], attrs)
        return super().run_inplace(op, x, operands, attrs)

    def run_update(self, step, group, state):
        if self.problem is not None:
            with paused():
                return step(group, state)
        return super().run_update(step, group, state)


class Recording:
    """One recorded call.

    Attributes:
        result: what the call returned.
        graph: its graph; None where it has none, and then `problem` says why.
        lasting: whether the problem will not go away, as one of a first call may that sets things up.
        joint: None, or what a call whose results need gradients also computed (see `Joint`).
        survey: the Python state that the call could reach, as it was before.
    """

    __slots__ = ("graph", "joint", "lasting", "problem", "result", "survey")


class Joint:
    """Gradients recorded behind a forward pass: how many nodes that has, the inputs that stand for the gradients of the
    results, the tensors that gradients are for (number of an input, or of a state), and the value of each one's gradient
    or None."""

    __slots__ = ("cotangents", "forward", "found", "outputs", "wrt")


def record_call(fn, args, kwargs, name, roots):
    """Runs fn(*args, **kwargs) once and records it; `roots` are pairs of a name and what calls may depend on."""
    recording_ = Recording()
    leaves, _ = flatten((args, kwargs))
    inputs = [v for v in leaves if is_tensor(v)]
    graph = Graph(name)
    recorder = _Capture(graph)
    recording_.survey = survey = Survey([*roots, *[(f"argument {k}", v) for k, v in enumerate(leaves)]])
    for t in inputs:
        recorder.add_input(t)
    for t in survey.tensors:
        recorder.announce(t)
    recording_.joint = None
    with recording(recorder), recorder.mirrors.following(), _core.keeping_storages():
        recording_.result = result = fn(*args, **kwargs)
        if recorder.problem is None:
            try:
                recorder.finish(result)
                recording_.joint = _gradients(recorder, graph, inputs, result)
            except RuntimeError as error:
                recorder.refuse(str(error))
    changed = survey.changes()
    if changed:
        recorder.refuse(
            f"the call changes {', '.join(changed[:3])}, which a plan would not do again. Return the value, keep it in "
            "a tensor that is written in place, or change it outside"
        )
    recording_.problem = recorder.problem
    recording_.lasting = recorder.lasting
    recording_.graph = None if recorder.problem else graph
    return recording_


def _gradients(recorder, graph, inputs, result):
    """Where results need gradients: the backward pass, recorded behind the forward pass."""
    results = [v for v in flatten(result)[0] if is_tensor(v)]
    wanted = [k for k, t in enumerate(results) if t.requires_grad and t.grad_fn is not None]
    if not wanted:
        return None
    targets, wrt = [], []
    for t, v in zip(inputs, graph.inputs, strict=True):
        if t.requires_grad:
            targets.append(t)
            wrt.append(v)
    for v, state in list(graph.states.items()):
        if state.kind not in ("grad", "literal") and state.tensor.requires_grad:
            targets.append(state.tensor)
            wrt.append(v)
    joint = Joint()
    joint.outputs, joint.wrt, joint.cotangents = wanted, wrt, []
    joint.forward = len(graph.nodes)
    seeds = []
    for k in wanted:
        with paused():
            seed = _core.full(tuple(results[k].shape), 1.0, results[k].dtype)
        joint.cotangents.append(recorder.add_input(seed))
        seeds.append(seed)
    for _ in wanted:
        graph.inputs.pop()
    nodes = len(graph.nodes)
    try:
        with enable_grad():
            found = grad([results[k] for k in wanted], targets, seeds, retain_graph=True, allow_unused=True)
    except RuntimeError as error:
        if "has freed" not in str(error):
            raise
        # The call has run backward() itself: what it returns has no gradients left to give.
        del graph.nodes[nodes:]
        return None
    joint.found = [None if g is None else recorder.known(g).value for g in found]
    return joint


def difference(a, b):
    """What differs between two recordings of a call, in words; None where a plan of one serves for both."""
    g, h = a.graph, b.graph
    for k, (m, n) in enumerate(zip(g.nodes, h.nodes, strict=False)):
        if m.op != n.op or m.inputs != n.inputs or _attrs(m) != _attrs(n):
            return _node_difference(m, n, k)
    if len(g.nodes) != len(h.nodes):
        return "the calls run different numbers of operations"
    if g.shapes != h.shapes or g.dtypes != h.dtypes:
        return "the calls make values of different shapes"
    for v, state in g.states.items():
        other = h.states.get(v)
        if other is None or other.kind != state.kind:
            return "the calls use different tensors from outside"
        if state.kind == "literal":
            if not _equal(state.tensor, other.tensor):
                return (
                    "a tensor that the function makes from Python numbers has other values in each call. Pass it in"
                )
        elif state.tensor is not other.tensor:
            return "the calls use different tensors from outside. Pass them as arguments"
    if (g.outputs, g.writes, g.grads) != (h.outputs, h.writes, h.grads) or g.structure != h.structure:
        return "the calls return or write different values"
    if g.fixed.keys() != h.fixed.keys() or any(_changed(v, h.fixed[k]) for k, v in g.fixed.items()):
        return "the calls return different Python values"
    return None


def _attrs(node):
    return node.attrs[:-2] if node.random else node.attrs


def _node_difference(m, n, k):
    where = f" at {n.line}" if n.line else f" (operation {k})"
    if m.op != n.op:
        return f"one call runs {m.op} and the next {n.op}{where}: a branch or a loop depends on Python state"
    numbers = [
        (x[0], y[0]) for x, y in zip(m.inputs, n.inputs, strict=False) if type(x) is tuple and type(y) is tuple
    ]
    for x, y in numbers:
        if x != y:
            return f"the number {x!r} of one call is {y!r} in the next{where}. Keep it in a tensor, or pass it in"
    if _attrs(m) != _attrs(n):
        return f"the attributes of {n.op} differ between calls{where}: {_attrs(m)} and {_attrs(n)}"
    return f"{n.op} has other operands in each call{where}"


def _equal(a, b):
    return np.array_equal(a.detach().numpy(), b.detach().numpy(), equal_nan=a.dtype.is_floating_point)


def _changed(a, b):
    return a is not b and (type(a) is not type(b) or a != b)
