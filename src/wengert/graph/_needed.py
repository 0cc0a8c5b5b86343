"""Which nodes of a graph have to run."""

from typing import NamedTuple

from ..ops import TABLE

# Ops whose results have shapes that depend on values.
DATA_DEPENDENT = frozenset({"nonzero", "true_positions"})
# Ops that run even if nothing reads their results: updates, draws, after which others come, and what has a shape that
# Python code may have asked for.
EFFECTS = DATA_DEPENDENT | {"update", *[row.name for row in TABLE.values() if "random" in row.flags]}


class Reached(NamedTuple):
    """What the roots of a graph, and perhaps its effects, depend on.

    Attributes:
        nodes: in order.
        read: the set of the roots and of all that these nodes read: values, and absent operands and numbers too.
        ops: what these nodes are of.
    """

    nodes: list
    read: set
    ops: set


def reached(graph, effects=True):
    """What the roots and (with `effects`) the effects depend on."""
    wanted = set(graph.roots())
    kept, ops = [], set()
    unread, read, keep = wanted.isdisjoint, wanted.update, kept.append
    for node in reversed(graph.nodes):
        op = node.op
        if not unread(node.results) or effects and (op in EFFECTS or node.payload is not None and node.draws):
            keep(node)
            read(node.inputs)
            ops.add(op)
    kept.reverse()
    return Reached(kept, wanted, ops)


def needed(graph):
    """The nodes that the roots and the effects depend on, in order."""
    return reached(graph).nodes
