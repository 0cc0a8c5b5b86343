"""The model of a graph that every picture is drawn from: columns of nodes and edges.

Nodes have numbers; each fact of a node is a column (a list or a NumPy array indexed by that number), and facts that
repeat (op, shape, dtype, scope, line, attributes) are numbers into a table, so that 300,000 nodes stay cheap.

A forward node holds a value. Its mirror, a backward node, holds the gradient of that value: what arrives there is
summed, and its rule sends it on to the mirrors of the node's operands. A node without a mirror has no gradient. That is
how the tape is shown, where a rule is one node. In a static graph a rule has become operations: each is a node of kind
gradient, and stands beside the node whose rule it is part of.

Note [What a record hands over]. Values, lines and scopes are kept only inside `with wengert.record():`. The builder
asks `wengert._record.kept(node)` (where that module has been imported) for each node of the tape and takes a `Kept`
or None. Any object with the attributes of `Kept` serves; each may be None. Tensors may be handed over as they are:
they are summarised when the model is built.
"""

import math

import numpy as np

from ._summary import Summary

KINDS = ("input", "parameter", "constant", "operation", "gradient", "state")
INPUT, PARAMETER, CONSTANT, OPERATION, GRADIENT, STATE = range(6)


class Kept:
    """What a record knows of one node of the tape.

    Attributes:
        name: the variable or parameter that holds the result.
        line: (file, line, function) of the user's code.
        scope: a tuple of names, outermost first: modules, functions, loop iterations ("step 3").
        value, gradient: tensors, or a ready Summary.
        operands: a dict from the place of an operand without gradient to its `Operand`.
        seconds, backward_seconds: time in the forward and in the backward pass.
        bytes: memory of the result.
    """

    __slots__ = (
        "backward_seconds",
        "bytes",
        "gradient",
        "line",
        "name",
        "operands",
        "scope",
        "seconds",
        "value",
    )

    def __init__(self, **given):
        for name in self.__slots__:
            setattr(self, name, given.pop(name, None))
        if given:
            raise TypeError(f"Kept: expected {self.__slots__}, got {sorted(given)}.")


class Operand:
    """An operand that no gradient flows to.

    Attributes:
        value: the tensor or number.
        name: the variable that holds it.
        source: the `sequence` of the tape node whose gradient was cut off here (by detach, no_grad or an op without
            a gradient), or None.
        how: what cut it off, such as "detach".
    """

    __slots__ = ("how", "name", "source", "value")

    def __init__(self, value, name=None, source=None, how=None):
        self.value = value
        self.name = name
        self.source = source
        self.how = how


class Table:
    """Values that repeat, each once; `number(value)` is its place."""

    __slots__ = ("_places", "values")

    def __init__(self, *values):
        self.values = []
        self._places = {}
        for value in values:
            self.number(value)

    def number(self, value, key=None):
        """The place of a value; `key` stands for one that cannot be hashed."""
        key = value if key is None else key
        place = self._places.get(key)
        if place is None:
            place = self._places[key] = len(self.values)
            self.values.append(value)
        return place

    def __getitem__(self, place):
        return self.values[place]

    def __len__(self):
        return len(self.values)


class Model:
    """A graph as columns.

    Columns (NumPy, one entry for each node): kind (places in KINDS), backward (bool), link (the node's mirror or -1),
    op, shape, dtype, scope, line, attrs (places in the table of the same name with s), step (when the node is
    computed: 0 for what is given, then 1, 2, ... through forward and backward), seconds (NaN where not measured),
    bytes (of the result) and beside (of a gradient's operation in a static graph: the node whose rule it is part of; -1).

    Edges (NumPy): source, target, place (of the operand), result (which result of the source), flows (bool: whether
    a gradient flows back along it).

    Sparse: names, values, gradients (node -> str or Summary), cuts (edge -> what cuts the gradient off).
    Tables: ops, shapes (tuples of numbers and of names of sizes, or None), dtypes (names or ""), scopes (tuples of names),
    lines (strings such as "train.py:12"), attrss (dicts from an attribute's name to its value; an operand that is a number
    is among them).
    framed: scopes that are groups even where they hold one node only.
    outputs: the nodes that the graph is of. notes: sentences for the reader. title: what the picture is of.
    partials: node -> pairs (step, Summary) of the sum of the gradients that have arrived by then, where paths join.
    groups: fused groups of a plan, pairs (name, [nodes]). passes: what optimisation removed, pairs (name, [nodes]).
    after: for a compiled function, the Model of the optimised graph; None otherwise.
    """

    def __init__(self, title=""):
        self.title = title
        self.kind, self.op, self.shape, self.dtype = [], [], [], []
        self.scope, self.line, self.attrs, self.step = [], [], [], []
        self.backward, self.link, self.beside, self.seconds, self.bytes = [], [], [], [], []
        self.source, self.target, self.place, self.result, self.flows = [], [], [], [], []
        self.names, self.values, self.gradients, self.cuts, self.partials = {}, {}, {}, {}, {}
        self.ops, self.shapes, self.dtypes = Table(), Table(None), Table("")
        self.scopes, self.lines, self.attrss = Table(()), Table(""), Table()
        self.attrss.number({}, "{}")
        self.outputs, self.notes, self.groups, self.passes = [], [], [], []
        self.framed = set()
        self.after = None

    def add(self, kind, op, shape=None, dtype="", scope=(), line="", attrs=None, step=0, link=-1, beside=-1):
        """Adds a node; returns its number."""
        node = len(self.kind)
        self.kind.append(kind)
        self.op.append(self.ops.number(op))
        self.shape.append(self.shapes.number(None if shape is None else tuple(shape)))
        self.dtype.append(self.dtypes.number(dtype))
        self.scope.append(self.scopes.number(scope))
        self.line.append(self.lines.number(line))
        self.attrs.append(self.attrss.number(attrs, repr(attrs)) if attrs else 0)
        self.step.append(step)
        self.backward.append(kind == GRADIENT and link >= 0)
        self.link.append(link)
        self.beside.append(beside)
        self.seconds.append(np.nan)
        self.bytes.append(0)
        return node

    def connect(self, source, target, place=0, result=0, flows=True):
        """Adds an edge; returns its number."""
        self.source.append(source)
        self.target.append(target)
        self.place.append(place)
        self.result.append(result)
        self.flows.append(flows)
        return len(self.source) - 1

    def finish(self):
        """Turns the columns into arrays, once all is added; returns the model."""
        for name in (
            "kind",
            "op",
            "shape",
            "dtype",
            "scope",
            "line",
            "attrs",
            "step",
            "link",
            "beside",
            "place",
            "result",
        ):
            setattr(self, name, np.asarray(getattr(self, name), np.int32))
        for name in ("source", "target"):
            setattr(self, name, np.asarray(getattr(self, name), np.int32))
        self.backward = np.asarray(self.backward, bool)
        self.flows = np.asarray(self.flows, bool)
        self.seconds = np.asarray(self.seconds, np.float64)
        given = np.asarray(self.bytes, np.int64)
        self.bytes = np.where(given > 0, given, self._sizes())
        return self

    def _sizes(self):
        """Bytes of each node's result, from shape and dtype; 0 where a size is a name."""
        counts = np.array([_count(s) for s in self.shapes.values], np.int64)
        widths = np.array([ITEM_BYTES.get(d, 0) for d in self.dtypes.values], np.int64)
        return counts[self.shape] * widths[self.dtype] if len(self.kind) else np.zeros(0, np.int64)

    def __len__(self):
        return len(self.kind)

    def __repr__(self):
        return f"<Model of {self.title}: {len(self)} nodes, {len(self.source)} edges>"

    @property
    def steps(self):
        """The number of the last step."""
        return int(self.step.max()) if len(self) else 0

    def label(self, node):
        """What a node is called: its name, or else its op."""
        return self.names.get(node) or self.ops[self.op[node]]

    def alive(self):
        """Bytes of values and gradients that are alive at each step, as an array of steps + 1 entries.

        From shapes and what the gradient rules read: a value lives until its last reader is done, which in a graph
        with mirrors is a backward node where that node's rule reads the value; leaves live throughout. The memory of
        temporaries inside an op is not in it.
        """
        from ._memory import alive

        return alive(self)


def _count(shape):
    """The number of elements; 0 where it is not known."""
    return 0 if shape is None or any(isinstance(n, str) for n in shape) else math.prod(shape)


ITEM_BYTES = {"bool": 1, "uint8": 1, "int8": 1, "int16": 2, "float16": 2, "bfloat16": 2, "int32": 4, "float32": 4}
ITEM_BYTES |= {"int64": 8, "float64": 8, "complex64": 8, "complex128": 16}

__all__ = ["KINDS", "Kept", "Model", "Operand", "Summary", "Table"]
