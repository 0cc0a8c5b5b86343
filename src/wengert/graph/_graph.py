"""A static graph as data: nodes over numbered values."""

from .. import _core, _host
from ..ops import TABLE
from ._by_hand import ByHand
from ._editing import Editing
from ._files import InText
from ._from_tape import FromTape
from ._needed import EFFECTS
from ._page import Page
from ._places import draws_in
from ._symbols import agree, evaluate, readable, second, symbolic


class Node:
    """One operation of a graph.

    Attributes:
        op: the name of a row of the op table, or of one of the graph's own operations.
        inputs: a tuple with, for each operand, the number of a value, a Python number wrapped in a tuple of one, or
            None (absent).
        attrs: the attributes in the order of the row's fields.
        results: the numbers of its results.
        scope: names from the outside in (modules, functions): a tuple.
        line: where the user's code made it, "file.py:12", or None.
        payload: what operations of the graph's own carry: sub-graphs, an optimizer's group.
        gradient_of: the first result of the node whose gradient rule this one is part of; None in a forward pass.
    """

    __slots__ = ("attrs", "gradient_of", "inputs", "line", "op", "payload", "results", "scope")

    def __init__(self, op, inputs, attrs, results, scope=(), line=None, payload=None, gradient_of=None):
        self.op = op
        self.inputs = inputs
        self.attrs = attrs
        self.results = results
        self.scope = scope
        self.line = line
        self.payload = payload
        self.gradient_of = gradient_of

    def copy(self):
        """A node of its own with the same contents; sub-graphs are copied too."""
        payload = self.payload
        if isinstance(payload, dict):
            payload = {k: v.copy() if hasattr(v, "nodes") else v for k, v in payload.items()}
        return self.rewritten(payload=payload)

    def rewritten(self, **changes):
        """A node with the same contents but for some attributes."""
        new = Node(
            self.op,
            self.inputs,
            self.attrs,
            self.results,
            self.scope,
            self.line,
            self.payload,
            self.gradient_of,
        )
        for name, value in changes.items():
            setattr(new, name, value)
        return new

    @property
    def values(self):
        """The numbers of the values that it reads."""
        return [v for v in self.inputs if type(v) is int]

    @property
    def effect(self):
        """Whether it must run even if nothing reads its results: an update, a draw, after which others come, or a shape."""
        return self.op in EFFECTS or self.draws

    @property
    def random(self):
        """Whether it draws random numbers."""
        row = TABLE.get(self.op)
        return row is not None and "random" in row.flags

    @property
    def draws(self):
        """Whether it is a function of the host or has sub-graphs that draw random numbers, nobody knows how many."""
        if self.op == "host":
            return _host.draws(self.payload["function"])
        if self.op == "replay" or not isinstance(self.payload, dict):
            return False
        return any(draws_in(part) for part in self.payload.values() if isinstance(part, Graph))

    @property
    def named_attrs(self):
        """The attributes by name."""
        row = TABLE.get(self.op)
        return dict(zip(row.fields, self.attrs, strict=True)) if row is not None else dict(self.attrs)

    def __repr__(self):
        return f"<Node {self.op} {self.inputs} -> {self.results}>"


class State:
    """A tensor from outside that a graph reads, and perhaps writes: a parameter, a buffer, a constant.

    Attributes:
        tensor: the tensor itself; a run reads what it holds then.
        name: its name, or "".
        kind: "parameter", "buffer", "constant"; "literal": a constant that nobody else knows; or "grad": the gradient that
            `tensor` (a leaf) has when a run begins.
        strides: of what it reads, when the graph was made; None: without gaps.
    """

    __slots__ = ("kind", "name", "strides", "tensor")

    def __init__(self, tensor, name="", kind="constant"):
        self.tensor = tensor
        self.name = name
        self.kind = kind
        value = self.read()
        self.strides = None if value is None else value.stride()  # a gradient may not be there yet

    def read(self):
        """The tensor whose value the graph reads."""
        return self.tensor.grad if self.kind == "grad" else self.tensor


class Graph(Page, ByHand, Editing, InText, FromTape):
    """Operations over numbered values, defined before they run.

    Attributes:
        name: what it is called.
        nodes: the operations; each stands after those whose results it reads.
        shapes, dtypes: of each value, by number.
        names: names of values, by number, where they have one.
        inputs: the numbers of the inputs.
        states: the State behind a value, by number.
        outputs: pairs (name, number of a value); names may repeat or be "".
        writes: pairs (number of a state or input, number of the value that it holds after a run), by the first.
        grads: pairs (number of a state, number of the value that is its gradient after a run; None: it has none), by
            the first.
        structure: how a run puts the outputs together (func/_trees.py), with `fixed`, the parts that are no tensors
            (place -> value); None: a list, or the one output.
        symbols: the names of sizes that are known when the graph runs.
        guards: comparisons of such sizes that building the graph has relied on.
        repeats: whether random operations repeat the numbers that their attributes tell, instead of drawing new ones.
    """

    def __init__(self, name="graph"):
        self.name = name
        self.nodes = []
        self.shapes = []
        self.dtypes = []
        self.names = {}
        self.inputs = []
        self.states = {}
        self.outputs = []
        self.writes = {}
        self.grads = {}
        self.structure = None
        self.fixed = {}
        self.symbols = []
        self.guards = []
        self.repeats = False
        self._shapes = {}
        self.reached = None  # after `dead_nodes`: the Reached, whose nodes are the graph's while nobody changes it
        self._plan = None
        self._frame = None
        self._recordings = []

    # ---- building --------------------------------------------------------------------------------------------

    def new_value(self, shape, dtype):
        """A new value's number."""
        shape = tuple(shape)
        # Equal shapes are one object: large graphs have few, and would wait for the memory of many.
        self.shapes.append(shape if self.symbols else self._shapes.setdefault(shape, shape))
        self.dtypes.append(dtype)
        return len(self.shapes) - 1

    def add_input(self, shape, dtype, name=""):
        """A new input's number."""
        v = self.new_value(shape, dtype)
        self.inputs.append(v)
        if name:
            self.names[v] = name
        return v

    def add_state(self, tensor, name="", kind="constant"):
        """The number of a new value that is a tensor from outside."""
        like = tensor.grad if kind == "grad" else tensor
        v = self.new_value(like.shape, like.dtype)
        self.states[v] = State(tensor, name, kind)
        if name:
            self.names[v] = name
        return v

    def add_shape(self, shape, dtype):
        """The number of a value that has a shape and a dtype, but no elements: an operand that is only measured."""
        return self.add_node("shape", (), (("size", tuple(shape)), ("dtype", dtype)), [(shape, dtype)]).results[0]

    def add_node(self, op, inputs, attrs, specs, scope=(), line=None, payload=None):
        """Appends an operation whose results have the given (shape, dtype); returns the node."""
        results = tuple([self.new_value(shape, dtype) for shape, dtype in specs])
        node = Node(op, tuple(inputs), tuple(attrs), results, scope, line, payload)
        self.nodes.append(node)
        return node

    def apply(self, op, inputs, attrs=(), scope=(), line=None):
        """Appends a row of the op table; shapes and dtypes of the results follow from those of the operands.

        Returns:
            The node.

        Raises:
            RuntimeError, TypeError, ...: whatever the op raises for such operands.
        """
        specs = infer(self, op, inputs, attrs)
        return self.add_node(op, inputs, attrs, specs, scope, line)

    # ---- reading ---------------------------------------------------------------------------------------------

    def producers(self):
        """The node that makes each value, by number; inputs and states have none."""
        return {v: node for node in self.nodes for v in node.results}

    def roots(self):
        """The values that must be there after a run: outputs, writes and gradients."""
        grads = [v for v in self.grads.values() if v is not None]
        return [v for _, v in self.outputs] + list(self.writes.values()) + grads

    def run(self, *inputs):
        """The outputs for other inputs of the same shapes and dtypes; nothing is recorded for gradients.

        Raises:
            ValueError: another number of inputs.
            RuntimeError: another shape or dtype.
        """
        if self._plan is None:
            from ._plan import Plan

            self._plan = Plan(self, exact=True)
        return self._plan(*inputs)

    def label(self, v):
        """How a value is called in texts: its name, or %number."""
        return self.names.get(v) or f"%{v}"

    def __str__(self):
        """One line for each value: name, op, shape, dtype, operands."""
        rows = []
        for v in self.inputs:
            rows.append((self.label(v), "input", str(self.shapes[v]), self.dtypes[v], ""))
        for v, state in self.states.items():
            rows.append((self.label(v), state.kind, str(self.shapes[v]), self.dtypes[v], ""))
        for node in self.nodes:
            names = ", ".join(self.label(v) for v in node.results)
            v = node.results[0] if node.results else None
            shape, dtype = ("", "") if v is None else (str(self.shapes[v]), self.dtypes[v])
            rows.append((names, node.op, shape, dtype, arguments(self, node)))
        lines = align([(a, b, c, str(d).rpartition(".")[2], e) for a, b, c, d, e in rows])
        lines.append("outputs: " + ", ".join(self.label(v) for _, v in self.outputs))
        lines.extend(f"writes: {self.label(a)} = {self.label(b)}" for a, b in self.writes.items())
        for a, b in self.grads.items():
            lines.append(f"gradients: {self.label(a)}.grad = {None if b is None else self.label(b)}")
        return "\n".join(lines)

    def __repr__(self):
        return f"<Graph {self.name!r}: {len(self.nodes)} nodes, {len(self.inputs)} inputs, {len(self.outputs)} outputs>"


def entry(op):
    """The core's entry of a row."""
    from ..func._levels import entry as find

    return find(op)


def infer(graph, op, inputs, attrs):
    """(shape, dtype) of each result of a row on values of a graph; sizes by name stay so."""
    operands = [
        None if v is None else v[0] if type(v) is tuple else (graph.shapes[v], graph.dtypes[v]) for v in inputs
    ]
    if not graph.symbols or not symbolic(operands) and not symbolic(tuple(attrs)):
        return _core.infer_specs(entry(op), operands, tuple(attrs))
    return _infer_named(graph, op, operands, tuple(attrs))


def _infer_named(graph, op, operands, attrs):
    """Shapes under two sets of probes give the sizes by name."""

    def specs(at):
        values = [(at(v[0]), v[1]) if type(v) is tuple else at(v) for v in operands]
        return _core.infer_specs(entry(op), values, at(attrs))

    try:
        first, other = specs(lambda v: evaluate(v, None)), specs(second)
    except Exception as error:
        raise type(error)(readable(str(error), graph.symbols)) from None
    out = []
    for (shape, dtype), (shape2, _) in zip(first, other, strict=True):
        sizes = [agree(a, b, graph.symbols, graph.guards) for a, b in zip(shape, shape2, strict=False)]
        if len(shape) != len(shape2) or None in sizes:
            raise RuntimeError(
                f"{op}: expected a result whose sizes are sums and products of {', '.join(graph.symbols)}, got others. "
                "Give the inputs numbers as sizes."
            )
        out.append((tuple(sizes), dtype))
    return out


def arguments(graph, node):
    """The operands and attributes of a node as text."""
    parts = ["-" if v is None else repr(v[0]) if type(v) is tuple else graph.label(v) for v in node.inputs]
    parts += [f"{name}={value}" for name, value in node.named_attrs.items()]
    return ", ".join(parts)


def align(rows):
    """Rows of strings as lines with aligned columns."""
    widths = [max((len(row[k]) for row in rows), default=0) for k in range(len(rows[0]))] if rows else []
    return ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows]
