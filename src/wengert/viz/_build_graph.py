"""Builds the model of a static Graph, and of what a plan makes of it."""

from .. import _core
from ..graph._interpreter import Interpreter
from ..graph._lines import line_text
from ..graph._needed import needed
from ..graph._regions import REGIONS, subgraphs
from ..graph._specialize import sizes_of, specialize
from ..graph._split import part
from ..graph._symbols import symbolic
from ._build import KIND_OPS, dtype_name
from ._model import CONSTANT, GRADIENT, INPUT, OPERATION, PARAMETER, STATE, Model
from ._rules import operand_name, rule_facts
from ._summary import Summary

PASS_NAMES = {"dead_nodes": "what nothing needs"}
LAID_OUT = ("shape", "update", *REGIONS)  # operations of a plan's own, which are no calls
PART_NAMES = {"true": "if true", "false": "if false", "cond": "condition", "body": "one turn"}
OPTIMIZER = ("optimizer",)  # the scope of its pass and of what it keeps
ONE_TURN = "Of a loop one turn is drawn, however often it runs."


def of_graph(graph, named=None, example=()):
    """The model of a Graph: its nodes in order, what it writes, and the gradients that it leaves.

    Args:
        example: input tensors; the values that nodes have for them are shown, and sizes by name are theirs.

    Raises:
        RuntimeError: the graph is empty.
        ValueError: a node reads a value that is not there before it (a cycle, or a value that nothing computes).
    """
    if not graph.nodes and not graph.inputs and not graph.states:
        raise RuntimeError("viz: expected a graph with nodes, got an empty one.")
    if example and graph.symbols and len(example) == len(graph.inputs):
        graph = specialize(graph, sizes_of(graph, example))
    built = _Build(graph, named or {})
    model = built.run(graph.nodes, [v for _, v in graph.outputs])
    if example:
        built.add_values(example)
    return model


def of_plan(plan, named=None, example=()):
    """The model of a Plan: the graph as it was recorded, and in `after` what runs, with its groups. example: as of_graph."""
    before, after = _Build(plan.source, named or {}), _Build(plan.graph, named or {})
    model = before.run(plan.source.nodes, [v for _, v in plan.source.outputs])
    model.after = after.run(needed(plan.graph), [v for _, v in plan.graph.outputs])
    after.add_plan(plan, "A run")
    for built in (before, after) if example else ():
        built.add_values(example)
    model.passes = before.removed(plan.report)
    return model


def of_pair(pair, named=None, example=()):
    """The model of a compiled function whose results need gradients: its forward and its backward plan as one graph.
    example: as of_graph; the backward pass begins with ones."""
    forward, backward, count = pair.forward, pair.backward, pair.count
    before, after = _Build(pair.whole, named or {}), _Build(forward.graph, named or {})
    given = set(pair.joint.cotangents)
    model = before.run(pair.whole.nodes, [v for _, v in pair.whole.outputs[:count]], given)
    nodes = [*needed(forward.graph), *needed(backward.graph)]
    model.after = after.run(nodes, [v for _, v in forward.graph.outputs[:count]], given)
    after.add_plan(forward, "The forward pass")
    after.add_plan(backward, "The backward pass")
    for built in (before, after) if example else ():
        built.add_values(example)
    model.passes = before.removed(pair.report)
    return model


class _Build:
    def __init__(self, graph, named):
        self.graph = graph
        self.named = named
        self.model = Model(graph.name)
        self.places = {}  # value -> (node, which of its results); None for one that is only measured
        self.numbers = {}  # id of a node of the graph -> node of the model
        self.state_names = {}  # value of a state of an optimizer -> its name
        self.readers = {}  # value -> the scope of its first reader in the forward pass
        self.step = 0
        self.nodes, self.cotangents = [], ()
        self.effects = []  # pairs (node of the model, the value that it stands for)
        self.loops = False
        self.regions = {}  # scope and name of a region -> how many there are

    def run(self, nodes, outputs, cotangents=()):
        """The model of some nodes of the graph. cotangents: values that stand for the gradients of its results."""
        graph = self.graph
        self.nodes, self.cotangents = nodes, tuple(cotangents)
        for k, v in enumerate(graph.inputs):
            if v not in cotangents:
                self.add_given(v, INPUT, graph.names.get(v) or f"input {k}")
        for v in cotangents:
            self.add_given(v, INPUT, "gradient of the result")
        for node in nodes:
            if node.op == "update":
                self.name_states(node.payload)
            elif node.gradient_of is None:
                for v in node.values:
                    self.readers.setdefault(v, tuple(node.scope))
        for v, state in graph.states.items():
            self.add_state(v, state)
        for node in nodes:
            self.add_node(node, graph, self.places)
        self.model.outputs.extend(self.find(v, "the outputs")[0] for v in outputs)
        for target, v in graph.writes.items():
            self.add_effect(target, v, STATE, "write", "{} written")
        for target, v in graph.grads.items():
            self.add_effect(target, v, GRADIENT, "grad", "∂{}")
        if self.loops:
            self.model.notes.append(ONE_TURN)
        return self.model.finish()

    def find(self, v, reader, places=None):
        """(node, which of its results) of a value that a node, the outputs, ... read."""
        places = self.places if places is None else places
        if v not in places:
            raise ValueError(
                f"viz: expected {reader} to read values that are there before, got %{v}. The graph has a cycle or a "
                "value that nothing computes."
            )
        return places[v]

    # ---- what is given ------------------------------------------------------------------------------------------

    def add_given(self, v, kind, name, scope=()):
        graph = self.graph
        at = self.model.add(kind, KIND_OPS[kind], *facts(graph, v), scope)
        self.places[v] = at, 0
        if name:
            self.model.names[at] = name
        return at

    def name_of(self, tensor, given=""):
        """(name, scope) of a tensor from outside."""
        name, scope = self.named[id(tensor)][:2] if id(tensor) in self.named else (given, ())
        if not scope and "." in name:
            *scope, name = name.split(".")
        return name, tuple(scope)

    def name_states(self, update):
        """Names for what an optimizer keeps of its parameters."""
        numbers = iter(update.states)
        for p in update.params:
            next(numbers)
            name, scope = self.name_of(p)
            for key, tensor in update.state.get(p, {}).items():
                if hasattr(tensor, "requires_grad"):
                    self.state_names[next(numbers)] = f"{key} of {'.'.join((*scope, name)) or 'a parameter'}"

    def add_state(self, v, state):
        name, scope = self.name_of(state.tensor, state.name)
        if not name and v in self.state_names:
            name, scope = self.state_names[v], OPTIMIZER
        reader = self.readers.get(v, ())
        trained = state.kind == "parameter" or (state.kind != "grad" and state.tensor.requires_grad)
        if scope or trained:
            scope = _within(scope, reader)
        at = self.add_given(v, PARAMETER if trained else CONSTANT, name, scope)
        value = state.read()
        if value is not None:
            self.model.values[at] = Summary.of(value)

    # ---- operations ---------------------------------------------------------------------------------------------

    def add_node(self, node, graph, places, scope=None):
        if node.op == "shape":
            places[node.results[0]] = None
            return
        lead = places.get(node.gradient_of)
        if scope is None:
            scope = tuple(node.scope)
            if lead is not None:
                scope = scope[1:] if node.op in REGIONS else self.model.scopes[self.model.scope[lead[0]]]
            if node.op == "update":
                scope = OPTIMIZER
        if node.op in REGIONS:
            self.add_region(node, graph, places, scope, lead)
        else:
            self.add_call(node, graph, places, scope, lead)

    def add_call(self, node, graph, places, scope, lead=None):
        attrs = dict(node.named_attrs)
        sources = []
        for place, v in enumerate(node.inputs):
            if isinstance(v, tuple):
                attrs[operand_name(node.op, place)] = v[0]
            elif v is not None:
                source = self.find(v, f"node {self.step + 1} ({node.op})", places)
                if source is None:
                    attrs[operand_name(node.op, place)] = f"shape {tuple(graph.shapes[v])}"
                else:
                    sources.append((place, source))
        at = self.add_operation(node, graph, scope, attrs, lead)
        flowing = rule_facts(node.op, len(node.inputs), attrs)[2] if lead is None else range(len(node.inputs))
        for place, (source, result) in sources:
            edge = self.model.connect(source, at, place, result, flows=place in flowing)
            if place not in flowing:
                self.model.cuts[edge] = f"{node.op} passes no gradient to {operand_name(node.op, place)}"
        self.add_results(node, graph, places, at)

    def add_operation(self, node, graph, scope, attrs, lead=None):
        """The node of an operation. lead: where the node is whose gradient rule it is part of."""
        model = self.model
        self.step += 1
        known = facts(graph, node.results[0]) if node.results else (None, "")
        line = node.line if isinstance(node.line, str) else line_text(node.line)
        beside = -1
        if lead is not None:
            beside = model.beside[lead[0]] if model.beside[lead[0]] >= 0 else lead[0]
        kind = OPERATION if lead is None else GRADIENT
        at = model.add(
            kind,
            node.op,
            *known,
            scope=scope,
            line=line,
            attrs=attrs,
            step=self.step,
            beside=beside,
        )
        self.numbers[id(node)] = at
        return at

    def add_results(self, node, graph, places, at):
        for k, v in enumerate(node.results):
            places[v] = at, k
            if v in graph.names:
                self.model.names.setdefault(at, graph.names[v])

    def add_region(self, node, graph, places, scope, lead):
        """A node with sub-graphs: a group with a group for each, and what comes of them."""
        parts = subgraphs(node)
        self.loops |= node.op in ("while_loop", "scan")
        name = parts["graph"].name if node.op == "call" else node.op
        if lead is not None:
            name = f"backward of {self.model.ops[self.model.op[lead[0]]]}"
        times = self.regions[scope, name] = self.regions.get((scope, name), 0) + 1
        group = (*scope, f"{name}#{times}" if times > 1 else name)
        operands = [self.find(v, f"node {self.step + 1} ({node.op})", places) for v in node.inputs]
        sources = [(0, operands[0], False)] if node.op == "cond" else []
        for key, sub in parts.items():
            inner = dict(zip(sub.inputs, operands[node.op in ("cond", "replay") :], strict=True))
            where = group if len(parts) == 1 else (*group, PART_NAMES.get(key, key))
            self.model.framed.add(where)
            given = set(inner.values())
            for child in sub.nodes:
                self.add_node(child, sub, inner, (*where, *_plain(child.scope)))
            found = [inner.get(v) for _, v in sub.outputs]
            # What a part hands on as it came is no part of the picture, unless it does nothing else.
            made = [(k, s, key != "cond") for k, s in enumerate(found) if s is not None and s not in given]
            sources += made or [(k, s, key != "cond") for k, s in enumerate(found) if s is not None]
        attrs = {k: v for k, v in (node.payload or {}).items() if k not in parts}
        at = self.add_operation(node, graph, group, attrs)
        for place, source, flows in sources:
            self.model.connect(source[0], at, place, source[1], flows=flows)
        self.add_results(node, graph, places, at)

    def add_effect(self, target, v, kind, op, title):
        """A value that a state or input holds after a run; None for a gradient that is gone by then."""
        if v is None:
            return
        model = self.model
        self.step += 1
        source, result = self.find(v, f"the {op} of {self.graph.label(target)}")
        at_target = self.find(target, op)[0]
        scope = model.scopes[model.scope[at_target]]
        at = model.add(kind, op, *facts(self.graph, v), scope, step=self.step, beside=at_target)
        self.effects.append((at, v))
        model.names[at] = title.format(model.label(at_target))
        model.connect(source, at, 0, result, flows=kind == GRADIENT)

    # ---- what is known of a run ---------------------------------------------------------------------------------

    def removed(self, report):
        """What each pass of an optimiser removed: pairs (name, nodes)."""
        found = {}
        for name, _, gone in report:
            nodes = found.setdefault(PASS_NAMES.get(name, name.replace("_", " ")), [])
            nodes.extend(self.places[v][0] for v in gone if self.places.get(v) is not None)
        return [(name, list(dict.fromkeys(nodes))) for name, nodes in found.items() if nodes]

    def add_plan(self, plan, which):
        """The groups that a plan runs in one pass, the times that it has measured, and its memory."""
        model = self.model
        calls = [node for node in needed(plan.graph) if node.op not in LAID_OUT]
        for step, group in enumerate(plan.step_calls()):
            members = [calls[c] for c in group]
            if plan.seconds is not None:
                for node in members:  # the operations of one pass share its time
                    model.seconds[self.numbers[id(node)]] = plan.seconds[step] / len(members)
            if len(group) > 1:
                ops = [node.op for node in members]
                name = ", ".join(ops if len(ops) <= 4 else [*ops[:3], "…"]) + " in one pass"
                model.groups.append((name, [self.numbers[id(node)] for node in members]))
        memory = plan.memory()
        model.notes.append(
            f"{which} uses {memory['arena']:,} bytes for {memory['values']} values; without sharing they would take "
            f"{memory['without_reuse']:,}."
        )

    def add_values(self, example):
        """Runs the graph on inputs, and keeps what its nodes compute. Optimizers take no step, and nothing is written."""
        graph = self.graph
        inputs = [v for v in graph.inputs if v not in self.cotangents]
        want = [(tuple(graph.shapes[v]), graph.dtypes[v]) for v in inputs]
        got = [(tuple(t.shape), t.dtype) for t in example]
        if want != got:
            raise ValueError(
                f"viz: expected example inputs of shapes and dtypes {[(s, d.name) for s, d in want]}, got "
                f"{[(s, d.name) for s, d in got]}."
            )
        kept, gone = [], set()
        for node in self.nodes:
            if node.op == "update" or not gone.isdisjoint(node.values):
                gone.update(node.results)
            else:
                kept.append(node)
        run = part(graph, kept)
        run.inputs = [*inputs, *self.cotangents]
        run.outputs = [("", v) for node in kept for v in node.results]
        ones = [_core.full(tuple(graph.shapes[v]), 1.0, graph.dtypes[v]) for v in self.cotangents]
        generator = _core.default_generator()
        before = generator.get_state()
        values = Interpreter(run, keep=True).values([*example, *ones])
        generator.set_state(before)  # looking draws nothing
        of_nodes = [(place[0], v) for v, place in self.places.items() if place is not None and place[1] == 0]
        for at, v in [*of_nodes, *self.effects]:
            if v in values:
                self.model.values[at] = Summary.of(values[v])


def _within(scope, reader):
    """A scope that begins with a name inside of a module, as part of the reader's, which begins with the module and has
    functions and blocks between its names; the scope itself where the reader is elsewhere."""
    if not scope:
        return reader
    rest = iter(enumerate(reader))
    last = [next((k for k, found in rest if found == name), None) for name in scope][-1]
    return scope if last is None else reader[: last + 1]


class SizeName(str):
    """A size by name in a shape: "B" in (B, 4)."""

    __slots__ = ()
    __repr__ = str.__str__


def facts(graph, v):
    """The shape and the name of the dtype of a value."""
    shape = tuple(SizeName(n) if symbolic(n) else n for n in graph.shapes[v])
    return shape, dtype_name(graph.dtypes[v])


def _plain(scope):
    return scope[1:] if scope[:1] == ("backward",) else scope
