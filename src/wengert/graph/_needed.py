"""Which nodes of a graph have to run."""


def needed(graph):
    """The nodes that the roots and the effects depend on, in order."""
    wanted = set(graph.roots())
    kept = []
    for node in reversed(graph.nodes):
        if node.effect or not wanted.isdisjoint(node.results):
            kept.append(node)
            wanted.update(node.values)
    return kept[::-1]
