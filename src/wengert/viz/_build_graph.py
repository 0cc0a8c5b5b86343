"""Builds the model of a static Graph."""

from ..graph._needed import needed
from ..graph._regions import REGIONS
from ._build import KIND_OPS, dtype_name, line_text
from ._model import CONSTANT, INPUT, OPERATION, PARAMETER, STATE, Model
from ._rules import operand_name, rule_facts
from ._summary import Summary

PASS_NAMES = {"dead_nodes": "what nothing needs"}
LAID_OUT = ("shape", "update", *REGIONS)  # operations of a plan's own, which are no calls


def of_graph(graph, named=None):
    """The model of a Graph: its nodes in order, what it writes, and the gradients that it leaves.

    Raises:
        RuntimeError: the graph is empty.
        ValueError: a node reads a value that is not there before it (a cycle, or a value that nothing computes).
    """
    if not graph.nodes and not graph.inputs and not graph.states:
        raise RuntimeError("viz: expected a graph with nodes, got an empty one.")
    return _Build(graph, named or {}).run(graph.nodes)


def of_plan(plan, named=None):
    """The model of a Plan: the graph as it was recorded, and in `after` what runs, with its groups."""
    before, after = _Build(plan.source, named or {}), _Build(plan.graph, named or {})
    kept = needed(plan.graph)
    model = before.run(plan.source.nodes)
    of_value = {v: before.numbers[id(node)] for node in plan.source.nodes for v in node.results}
    for name, _, removed in plan.report:
        nodes = [of_value[v] for v in removed if v in of_value]
        if nodes:
            model.passes.append((PASS_NAMES.get(name, name.replace("_", " ")), nodes))
    model.after = after.run(kept)
    calls = [node for node in kept if node.op not in LAID_OUT]
    for step, group in enumerate(plan.step_calls()):
        members = [calls[c] for c in group]
        if plan.seconds is not None:
            for node in members:  # the operations of one pass share its time
                model.after.seconds[after.numbers[id(node)]] = plan.seconds[step] / len(members)
        if len(group) > 1:
            ops = [node.op for node in members]
            name = ", ".join(ops if len(ops) <= 4 else [*ops[:3], "…"]) + " in one pass"
            model.after.groups.append((name, [after.numbers[id(node)] for node in members]))
    memory = plan.memory()
    model.after.notes.append(
        f"A run uses {memory['arena']:,} bytes for {memory['values']} values; without sharing they would take "
        f"{memory['without_reuse']:,}."
    )
    return model


class _Build:
    def __init__(self, graph, named):
        self.graph = graph
        self.named = named
        self.model = Model(graph.name)
        self.places = {}  # value -> (node, which of its results)
        self.numbers = {}  # id of a node of the graph -> node of the model
        self.step = 0

    def run(self, nodes):
        """The model of some nodes of the graph."""
        graph = self.graph
        for k, v in enumerate(graph.inputs):
            self.add_given(v, INPUT, graph.names.get(v) or f"input {k}")
        for v, state in graph.states.items():
            self.add_state(v, state)
        for node in nodes:
            self.add_node(node)
        self.model.outputs.extend(self.find(v, "the outputs")[0] for _, v in graph.outputs)
        for target, v in graph.writes.items():
            self.add_effect(target, v, "write", "written")
        for target, v in graph.grads.items():
            self.add_effect(target, v, "grad", "gradient")
        return self.model.finish()

    def find(self, v, reader):
        """(node, which of its results) of a value that a node, the outputs, ... read."""
        if v not in self.places:
            raise ValueError(
                f"viz: expected {reader} to read values that are there before, got %{v}. The graph has a cycle or a "
                "value that nothing computes."
            )
        return self.places[v]

    def add_given(self, v, kind, name, scope=()):
        graph = self.graph
        at = self.model.add(kind, KIND_OPS[kind], graph.shapes[v], dtype_name(graph.dtypes[v]), scope)
        self.places[v] = at, 0
        if name:
            self.model.names[at] = name
        return at

    def add_state(self, v, state):
        name, scope = self.named[id(state.tensor)][:2] if id(state.tensor) in self.named else (state.name, ())
        if not scope and "." in name:
            *scope, name = name.split(".")
        at = self.add_given(v, PARAMETER if state.kind == "parameter" else CONSTANT, name, tuple(scope))
        value = state.read()
        if value is not None:
            self.model.values[at] = Summary.of(value)

    def add_node(self, node):
        graph, model = self.graph, self.model
        self.step += 1
        attrs = dict(node.named_attrs)
        for place, v in enumerate(node.inputs):
            if isinstance(v, tuple):
                attrs[operand_name(node.op, place)] = v[0]
        shape, dtype = (
            (graph.shapes[node.results[0]], graph.dtypes[node.results[0]]) if node.results else (None, None)
        )
        line = node.line if isinstance(node.line, str) else line_text(node.line)
        at = model.add(OPERATION, node.op, shape, dtype_name(dtype), tuple(node.scope), line, attrs, self.step)
        self.numbers[id(node)] = at
        flowing = rule_facts(node.op, len(node.inputs), attrs)[2]
        for place, v in enumerate(node.inputs):
            if type(v) is int:
                source, result = self.find(v, f"node {self.step} ({node.op})")
                edge = model.connect(source, at, place, result, flows=place in flowing)
                if place not in flowing:
                    model.cuts[edge] = f"{node.op} passes no gradient to {operand_name(node.op, place)}"
        for k, v in enumerate(node.results):
            self.places[v] = at, k
            if v in graph.names:
                model.names.setdefault(at, graph.names[v])

    def add_effect(self, target, v, op, what):
        """A value that a state or input holds after a run; None for a gradient that is gone by then."""
        if v is None:
            return
        model = self.model
        self.step += 1
        source, result = self.find(v, f"the {op} of {self.graph.label(target)}")
        at = model.add(STATE, op, self.graph.shapes[v], dtype_name(self.graph.dtypes[v]), step=self.step)
        model.names[at] = f"{model.label(self.find(target, op)[0])} {what}"
        model.connect(source, at, 0, result, flows=False)
