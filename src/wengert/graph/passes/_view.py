"""What recognising patterns asks of a graph: who makes a value, who reads it, and which node computes an expression."""

from ...ops import TABLE
from .._graph import infer
from ._aliases import passes_on


class View:
    """A graph with the questions answered that patterns ask."""

    def __init__(self, graph):
        self.graph = graph
        self.shapes, self.dtypes = graph.shapes, graph.dtypes
        self.maker = {}  # value -> node
        self.readers = {}  # value -> nodes that read it, each once
        self.place = {}  # id of a node -> its place
        self.roots = set(graph.roots())
        for k, node in enumerate(graph.nodes):
            self.place[id(node)] = k
            for v in node.results:
                self.maker[v] = node
            for v in set(node.values):
                self.readers.setdefault(v, []).append(node)
        self._table = None

    def made(self, v, *ops):
        """The node whose first result is a value, if it is of one of these ops; None otherwise."""
        node = self.maker.get(v) if type(v) is int else None
        return node if node is not None and node.op in ops and node.results[0] == v else None

    def ndim(self, v):
        return len(self.shapes[v])

    def find(self, op, inputs, attrs):
        """The node that applies an op to values; None where there is none."""
        if self._table is None:
            self._table = {}
            for node in self.graph.nodes:
                if node.op in TABLE:
                    self._table.setdefault(key(self, node.op, node.inputs, node.attrs), node)
        return self._table.get(key(self, op, inputs, attrs))


class _LikePlaces(dict):
    def __missing__(self, op):
        row = TABLE.get(op)
        lends = row is not None and "like" in row.inputs and "random" not in row.flags and op != "zeros_like"
        place = self[op] = row.inputs.index("like") if lends else None  # zeros_like takes the strides too
        return place


LIKE_PLACE = (
    _LikePlaces()
)  # op -> the place of an operand that lends its shape and dtype alone; None where there is none


def likeness(specs, op, inputs, attrs):
    """What two nodes have in common that compute the same, and sometimes others: numbers that are equal are one here."""
    k = LIKE_PLACE[op]
    if k is not None and type(inputs[k]) is int:
        v = inputs[k]
        inputs = (*inputs[:k], ("like", specs.shapes[v], specs.dtypes[v]), *inputs[k + 1 :])
    return op, inputs, attrs


def key(specs, op, inputs, attrs):
    """What only nodes have in common that compute the same. repr tells -0.0 from 0.0 and 1 from 1.0 and True."""
    op, inputs, attrs = likeness(specs, op, inputs, attrs)
    return op, tuple([v if type(v) is not tuple else repr(v) for v in inputs]), repr(attrs) if attrs else ""


def very_same(a, b):
    """Whether two nodes compute the same, where they have all in common that `likeness` says."""
    if not _exact(a.attrs, b.attrs):
        return False
    return all(_exact(x, y) for x, y in zip(a.inputs, b.inputs, strict=True) if type(x) is tuple)


def _exact(a, b):
    """Whether equal values are the same, as `key` tells."""
    if a is b:
        return True
    if type(a) is not type(b):
        return False
    if type(a) is tuple:
        return all(map(_exact, a, b))
    return type(a) is int or repr(a) == repr(b)


class _Longer:
    """A list with more items behind it; the list itself stays as it is."""

    def __init__(self, first):
        self.first, self.more = first, []

    def __getitem__(self, k):
        return self.first[k] if k < len(self.first) else self.more[k - len(self.first)]


class Expected:
    """Stands for a graph that a rule appends to: it finds the nodes that are there, and imagines the others.

    Attributes:
        found: the nodes that were there, by id.
        imagined: value -> (op, inputs, attrs) of the others.
    """

    symbols = ()

    def __init__(self, view):
        self.view = view
        self.shapes, self.dtypes = _Longer(view.shapes), _Longer(view.dtypes)
        self.found, self.imagined, self.calls = {}, {}, []

    def value(self, shape, dtype):
        """A value that is not of the graph."""
        self.shapes.more.append(tuple(shape))
        self.dtypes.more.append(dtype)
        return len(self.shapes.first) + len(self.shapes.more) - 1

    def apply(self, op, inputs, attrs=(), scope=(), line=None):
        """The results of an op on values."""
        inputs, attrs = tuple(inputs), tuple(attrs)
        node = self.view.find(op, inputs, attrs) if all(self._real(v) for v in inputs) else None
        if node is not None:
            self.found[id(node)] = node
            return node
        specs = infer(self, op, inputs, attrs)
        call = _Imagined(op, inputs, attrs, [])
        if len(specs) == 1 and passes_on(self, op, inputs, attrs, specs[0]):
            call.results = [inputs[0]]
            return call
        call.results = [self.value(*spec) for spec in specs]
        for v in call.results:
            self.imagined[v] = call
        self.calls.append(call)
        return call

    def _real(self, v):
        return type(v) is not int or v < len(self.shapes.first)

    def matches(self, call, node, bound):
        """Whether a node of the graph is what a call imagines, for imagined values `bound` to values of the graph."""
        if node is None or node.op != call.op or repr(node.attrs) != repr(call.attrs):
            return False
        like = LIKE_PLACE[call.op]
        for k, (a, b) in enumerate(zip(call.inputs, node.inputs, strict=True)):
            if k == like and type(a) is int and type(b) is int:
                fits = self.shapes[a] == self.view.shapes[b] and self.dtypes[a] == self.view.dtypes[b]
            elif type(a) is not int or type(b) is not int or self._real(a):
                fits = a == b and repr(a) == repr(b)
            elif a in self.imagined:
                fits = self.matches(self.imagined[a], self.view.maker.get(b), bound)
            else:
                fits = bound.setdefault(a, b) == b and self.shapes[a] == self.view.shapes[b]
            if not fits:
                return False
        return True


class _Imagined:
    __slots__ = ("attrs", "inputs", "op", "results")

    def __init__(self, op, inputs, attrs, results):
        self.op, self.inputs, self.attrs, self.results = op, inputs, attrs, results
