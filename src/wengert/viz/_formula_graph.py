"""A static Graph in the form in which `formula` reads the tape."""

from .._record import Operand
from ..ops import TABLE

LEAF = "leaf"


class _Notes:
    """What is known of a node of a static graph: everything."""

    name = None
    recording = True

    def __init__(self, operands):
        self.operands = operands


class _Node:
    """One value of a static graph, with the attributes of a node of the tape that `formula` reads."""

    variable = None
    saved_numbers = {}  # noqa: RUF012 (never changed: numbers are among the operands of the notes)

    def __init__(self, op, value, graph, attributes, operands):
        self.op = op
        self.sequence = value
        self.shape, self.dtype = graph.shapes[value], graph.dtypes[value]
        self.attributes = attributes
        self.notes = _Notes(operands)


def pairs_of(graph, states):
    """(pairs, names) of a graph, as `_core.graph_nodes` and the caller's variables give them for a tensor.

    Args:
        states: names of the tensors behind states, by number; None where there is none.

    Raises:
        ValueError: the graph has another number of outputs than one, or reads a result of an op beside its first.
    """
    if len(graph.outputs) != 1:
        raise ValueError(
            f"formula: expected a Graph with one output, got {len(graph.outputs)}. Record a smaller one."
        )
    name, root = graph.outputs[0]
    makers = {v: node for node in graph.nodes for v in node.results}
    wanted, todo = set(), [root]
    while todo:
        v = todo.pop()
        if v in wanted:
            continue
        wanted.add(v)
        node = makers.get(v)
        if node is None:
            continue
        if v != node.results[0] or node.op not in TABLE:
            raise ValueError(f"formula: expected ops of the op table and their first results, got {node.op}.")
        todo.extend(node.values)
    given = [v for v in [*graph.inputs, *graph.states] if v in wanted]
    steps = [node for node in graph.nodes if wanted.intersection(node.results)]
    order = [*given, *[node.results[0] for node in steps]]
    places = {v: len(order) - 1 - k for k, v in enumerate(order)}
    pairs = [(_Node(LEAF, v, graph, {}, {}), []) for v in given]
    for node in steps:
        numbers = {k: Operand(v[0], None) for k, v in enumerate(node.inputs) if isinstance(v, tuple)}
        sources = [places[v] if type(v) is int else -1 for v in node.inputs]
        pairs.append((_Node(node.op, node.results[0], graph, node.named_attrs, numbers), sources))
    known = graph.names | {v: text for v, text in states.items() if text and v not in graph.names}
    names = {v: text for v, text in known.items() if v in wanted}
    if name:
        names[root] = name
    return pairs[::-1], names
