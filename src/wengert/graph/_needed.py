"""Which nodes of a graph have to run."""

from ..ops import TABLE

# Ops that run even if nothing reads their results: updates, and draws, after which others come.
EFFECTS = frozenset({"update", *[row.name for row in TABLE.values() if "random" in row.flags]})


def needed(graph):
    """The nodes that the roots and the effects depend on, in order."""
    wanted = set(graph.roots())
    kept = []
    for node in reversed(graph.nodes):
        if node.op in EFFECTS or not wanted.isdisjoint(node.results):
            kept.append(node)
            wanted.update(node.inputs)  # absent operands and numbers as well: they are nobody's results
    return kept[::-1]
