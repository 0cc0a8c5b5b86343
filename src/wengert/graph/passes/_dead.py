"""Nodes that nothing needs are left out."""

from .._needed import reached
from ._rewrite import with_nodes


def dead_nodes(graph):
    """Keeps what outputs, writes, gradients and effects depend on."""
    kept, read = reached(graph)
    count = len(graph.nodes) - len(kept)
    if count:
        graph = with_nodes(graph, kept)
    graph.reached = graph.nodes, read
    return graph, count
