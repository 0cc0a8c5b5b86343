"""Which nodes of a graph have to run."""

from ..ops import TABLE

# Ops whose results have shapes that depend on values.
DATA_DEPENDENT = frozenset({"nonzero", "true_positions"})
# Ops that run even if nothing reads their results: updates, draws, after which others come, and what has a shape that
# Python code may have asked for.
EFFECTS = DATA_DEPENDENT | {"update", *[row.name for row in TABLE.values() if "random" in row.flags]}


def reached(graph, effects=True):
    """The nodes that the roots and (with `effects`) the effects depend on, in order, and the set of the roots and of all
    that these nodes read: values, and absent operands and numbers too."""
    wanted = set(graph.roots())
    kept = []
    for node in reversed(graph.nodes):
        results = node.results
        if (
            not wanted.isdisjoint(results)
            or effects
            and (node.op in EFFECTS or node.payload is not None and node.draws)
        ):
            kept.append(node)
            wanted.update(node.inputs)
    kept.reverse()
    return kept, wanted


def needed(graph):
    """The nodes that the roots and the effects depend on, in order."""
    return reached(graph)[0]
