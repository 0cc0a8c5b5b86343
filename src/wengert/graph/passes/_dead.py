"""Nodes that nothing needs are left out."""

from .._needed import needed
from ._rewrite import with_nodes


def dead_nodes(graph):
    """Keeps what outputs, writes, gradients and effects depend on."""
    kept = needed(graph)
    count = len(graph.nodes) - len(kept)
    return (with_nodes(graph, kept) if count else graph), count
