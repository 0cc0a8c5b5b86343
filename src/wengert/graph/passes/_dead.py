"""Nodes that nothing needs are left out."""

from .._needed import reached
from ._rewrite import with_nodes


def dead_nodes(graph):
    """Keeps what outputs, writes, gradients and effects depend on."""
    found = reached(graph)
    count = len(graph.nodes) - len(found.nodes)
    if count:
        graph = with_nodes(graph, found.nodes)
    graph.reached = found._replace(nodes=graph.nodes)
    return graph, count
