"""Builds the model of a picture (`build`): from tensors with history, a Graph, or a module with example inputs."""

import sys

from .. import _core
from .._record import kept, memory_of
from ..graph._compiled import Compiled
from ..graph._compiled_module import CompiledModule
from ..graph._executable import Executable
from ..graph._graph import Graph
from ..graph._lines import line_text
from ..graph._plan import Plan
from ._model import CONSTANT, GRADIENT, INPUT, OPERATION, PARAMETER, Model
from ._rules import operand_name
from ._summary import Summary

NOT_KEPT = (
    "Values, gradients, source lines and scopes are there where the graph is made inside “with wengert.record():”."
)
FREED = (
    "A backward pass has freed this graph: its structure is shown, the values that it had saved are gone. Make it "
    "inside “with wengert.record():” to keep them."
)


def build(x, *example, names=None):
    """The model of something that has a graph.

    Args:
        x: a tensor with history or a list of them, a Graph, a Plan (its graph, and in `after` what runs of it), a compiled
            function, module or Graph (its latest plans), a module, or a Model, which is returned as it is.
        example: the inputs of a module; of static graphs inputs, where their values are to be shown.
        names: a dict from names to tensors and modules, for the labels of nodes.

    Raises:
        TypeError: something else is given.
        RuntimeError: there is no graph: no tensor has a history, or the Graph is empty.
    """
    from ..nn import Module

    if isinstance(x, Model):
        return x
    named = _named(names or {})
    if isinstance(x, Module) and not isinstance(x, CompiledModule):
        return of_module(x, example, named)
    if isinstance(x, Executable):
        x = _latest_plan(x, example)
    if isinstance(x, Graph):
        from ._build_graph import of_graph

        return of_graph(x, named, example)
    if isinstance(x, (Plan, Compiled, CompiledModule)):
        from ._build_graph import of_pair, of_plan

        compiled = _compiled(x)
        if isinstance(x, CompiledModule):
            named = _named({"module": x._orig_mod}) | named
        if compiled is not None and compiled.pair is not None:
            return of_pair(compiled.pair, named, example)
        return of_plan(x if compiled is None else compiled.plan, named, example)
    if example:
        raise TypeError(
            f"viz: expected example inputs with a module or a static graph only, got {type(x).__name__} and {len(example)}."
        )
    tensors = list(x) if isinstance(x, (list, tuple)) else [x]
    for t in tensors:
        if not isinstance(t, _core.Tensor):
            raise TypeError(
                f"viz: expected tensors, a Graph or a module with example inputs, got {type(t).__name__}."
            )
    return of_tensors(tensors, named)


def _latest_plan(executable, example):
    """The plan for example inputs, or the one that ran last; the graph where there is none."""
    plans = [executable.plan_for(executable.bind(example, {}))] if example else list(executable.plans.values())
    return plans[-1] if plans and isinstance(plans[-1], Plan) else executable.graph


def _compiled(x):
    """What holds the plans of a compiled function or module; None for a plan."""
    if isinstance(x, Plan):
        return None
    compiled = x._compiled if isinstance(x, CompiledModule) else x
    if compiled.plan is None:
        raise RuntimeError(f"viz: expected a compiled function with a plan, got none yet. {compiled.explain()}")
    return compiled


def _named(names):
    """id of a tensor -> (name, scope, tensor), from tensors and modules by name; the first name counts."""
    from ..nn import Module

    found = {}
    for name, value in names.items():
        if isinstance(value, _core.Tensor):
            found.setdefault(id(value), (name, (), value))
        elif isinstance(value, Module):
            for path, t in [*value.named_parameters(), *value.named_buffers()]:
                *scope, own = path.split(".")
                found.setdefault(id(t), (own, tuple(scope), t))
    return found


def caller_names(depth=2):
    """The tensors and modules among the variables of the function that called a picture."""
    from ..nn import Module

    frame = sys._getframe(depth)
    variables = frame.f_globals | frame.f_locals if frame.f_globals is not frame.f_locals else frame.f_globals
    return {k: v for k, v in variables.items() if isinstance(v, (_core.Tensor, Module)) and not k.startswith("_")}


def dtype_name(dtype):
    return "" if dtype is None else str(dtype).rpartition(".")[2]


def _kind_of_leaf(t):
    return PARAMETER if t is not None and _core.is_parameter(t) else INPUT


class _Tape:
    """Turns the tape below tensors into a model."""

    def __init__(self, tensors, named, inputs=()):
        self.pairs = _core.graph_nodes(tensors)
        if not self.pairs:
            raise RuntimeError(
                "viz: expected a tensor with history, got none that requires grad. Compute it from tensors made with "
                "requires_grad=True, outside no_grad()."
            )
        self.model = Model()
        self.named = named
        self.inputs = {memory_of(t): f"input {k}" if len(inputs) > 1 else "input" for k, t in enumerate(inputs)}
        self.inputs.pop(None, None)
        self.data_names = {memory_of(t): name for name, _, t in named.values() if not t.requires_grad}
        self.data_names.pop(None, None)
        self.kept = kept
        self.known = {}  # memory and value of a tensor outside the tape -> node
        self.records = 0
        self.numbers = {}  # sequence -> node
        self.cut = []  # edges whose source may come later

    def run(self, tensors):
        self.add_forward()
        self.add_tensors(tensors)
        self.add_backward()
        for sequence, target, place, how in self.cut:
            source = self.numbers.get(sequence)
            if source is not None:
                self.model.cuts[self.model.connect(source, target, place, flows=False)] = how
        model = self.model
        model.title = model.title or model.label(model.outputs[0])
        if not self.records:
            model.notes.append(FREED if any(node.freed for node, _ in self.pairs) else NOT_KEPT)
        return model.finish()

    def add_forward(self):
        model, last = self.model, len(self.pairs) - 1
        step = 0
        places_of = [0] * len(self.pairs)
        for k in range(last, -1, -1):
            node, places = self.pairs[k]
            kept = self.kept(node)
            op = node.op
            if op == "leaf":
                at = self.add_leaf(node, kept)
            else:
                step += 1
                attrs = self.attributes(node, kept)
                line = node.line if kept is None or kept.line is None else kept.line
                at = model.add(
                    OPERATION, op.removesuffix("Backward"), node.shape, dtype_name(node.dtype),
                    kept.scope or () if kept else (), line_text(line), attrs, step,
                )  # fmt: skip
            places_of[k] = self.numbers[node.sequence] = at
            for place, j in enumerate(places):
                if j >= 0:
                    model.connect(places_of[j], at, place)
            if kept is not None:
                self.add_kept(at, kept)
        self.places_of = places_of

    def add_unreached(self, module):
        """Parameters that the outputs do not depend on."""
        reached = {id(n.variable) for n, _ in self.pairs if n.op == "leaf" and n.variable is not None}
        missing = [(path, p) for path, p in module.named_parameters() if id(p) not in reached]
        for path, p in missing:
            *scope, name = path.split(".")
            at = self.model.add(PARAMETER, "leaf", p.shape, dtype_name(p.dtype), (type(module).__name__, *scope))
            self.model.names[at] = name
            self.model.values[at] = Summary.of(p)
        if missing:
            names = ", ".join(path for path, _ in missing)
            self.model.notes.append(f"No gradient reaches {names}: the outputs do not depend on them.")

    def add_leaf(self, node, kept):
        t = node.variable
        name, scope = self.named[id(t)][:2] if t is not None and id(t) in self.named else ("", ())
        shape = node.shape if t is None else t.shape
        dtype = node.dtype if t is None else t.dtype
        if kept is not None and kept.scope is not None:
            scope = kept.scope
        at = self.model.add(_kind_of_leaf(t), "leaf", shape, dtype_name(dtype), scope)
        if name:
            self.model.names[at] = name
        if t is not None:
            self.model.values[at] = Summary.of(t)
            if t.grad is not None:
                self.model.gradients[at] = Summary.of(t.grad)
        return at

    def attributes(self, node, kept):
        """The op's attributes and, under their operands' names, the numbers that it was called with."""
        attrs = node.attributes
        for place, operand in (kept.operands or {}).items() if kept else ():
            if isinstance(operand.value, (bool, int, float)):
                attrs[operand.name or operand_name(node.op, place)] = operand.value
        return attrs

    def add_kept(self, at, kept):
        model = self.model
        self.records += 1
        if kept.name:
            model.names.setdefault(at, kept.name)
        if kept.value is not None:
            model.values[at] = Summary.of(kept.value)
        if kept.gradient is not None:
            model.gradients[at] = Summary.of(kept.gradient)
        if kept.seconds is not None:
            model.seconds[at] = kept.seconds
        if kept.bytes is not None:
            model.bytes[at] = kept.bytes
        for place, operand in (kept.operands or {}).items():
            if operand.source is not None:
                self.cut.append((operand.source, at, place, operand.how or "no gradient"))
            elif operand.value is not None and not isinstance(operand.value, (bool, int, float)):
                model.connect(self.outside(operand, model.scope[at]), at, place, flows=False)

    def outside(self, operand, scope):
        """The node of a tensor that is not on the tape; one node for one tensor."""
        value = Summary.of(operand.value)
        key = (operand.memory or id(operand), value.short())
        if key in self.known:
            return self.known[key]
        name, where = self.data_names.get(operand.memory, operand.name), self.model.scopes[scope]
        kind = CONSTANT
        if operand.memory in self.inputs:
            kind, name, where = INPUT, self.inputs[operand.memory], ()
        at = self.known[key] = self.model.add(kind, KIND_OPS[kind], value.shape, value.dtype, where)
        if name:
            self.model.names[at] = name
        self.model.values[at] = value
        return at

    def add_tensors(self, tensors):
        """Outputs, and what the named tensors know of inner nodes."""
        model = self.model
        for name, _, t in self.named.values():
            node = _core.node_of(t)
            at = None if node is None else self.numbers.get(node.sequence)
            if at is not None and model.kind[at] == OPERATION:
                model.names.setdefault(at, name)
                model.values.setdefault(at, Summary.of(t))
                if t.retains_grad and t.grad is not None:
                    model.gradients.setdefault(at, Summary.of(t.grad))
        for t in tensors:
            node = _core.node_of(t)
            if node is not None:
                at = self.numbers[node.sequence]
                model.outputs.append(at)
                model.values.setdefault(at, Summary.of(t))

    def add_backward(self):
        """A mirror for each node of the tape, in the order in which the engine runs them."""
        model = self.model
        step = max(model.step)
        forward = len(model.source)
        mirrors = {}
        titles = {}
        for k, (node, _) in enumerate(self.pairs):
            at = self.places_of[k]
            step += 1
            op = node.op
            if op not in titles:
                titles[op] = node.name()
            mirror = model.add(GRADIENT, titles[op], step=step, link=at)
            model.shape[mirror], model.dtype[mirror] = model.shape[at], model.dtype[at]
            model.scope[mirror], model.line[mirror] = model.scope[at], model.line[at]
            model.link[at] = mirrors[at] = mirror
        for edge in range(forward):
            if model.flows[edge]:
                source, target = model.source[edge], model.target[edge]
                model.connect(mirrors[target], mirrors[source], model.place[edge])
        for k, (node, _) in enumerate(self.pairs):
            kept = self.kept(node) if self.records else None
            if kept is None:
                continue
            at = self.places_of[k]
            if kept.backward_seconds is not None:
                model.seconds[mirrors[at]] = kept.backward_seconds
            sums = kept.recording.partial_sums(kept) if kept.recording is not None else ()
            found = [(model.step[mirrors[self.numbers[reader]]], s) for reader, s in sums if reader in self.numbers]
            if found:
                model.partials[at] = [(step, Summary.of(value)) for step, value in found]


KIND_OPS = {CONSTANT: "constant", INPUT: "input", PARAMETER: "leaf"}


def of_tensors(tensors, named):
    """The model of the dynamic graph of tensors."""
    return _Tape(tensors, named).run(tensors)


def of_module(module, example, named):
    """The model of one call of a module."""
    import wengert

    from ..func._trees import flatten

    named = _named({"model": module}) | named
    record = getattr(wengert, "record", None)
    if record is None:
        out = module(*example)
    else:
        with record():
            out = module(*example)
    tensors = [t for t in flatten(out)[0] if isinstance(t, _core.Tensor)]
    if not any(_core.node_of(t) is not None for t in tensors):
        raise RuntimeError(
            f"viz: expected {type(module).__name__} to return a tensor that requires grad, got none. Use a module "
            "with parameters that require grad, or wengert.graph.record(module, ...)."
        )
    tape = _Tape(tensors, named, [t for t in flatten(example)[0] if isinstance(t, _core.Tensor)])
    tape.model.title = type(module).__name__
    tape.add_unreached(module)
    return tape.run([t for t in tensors if _core.node_of(t) is not None])
