"""Nodes that nothing needs are left out."""

from .._needed import needed
from ._rewrite import with_nodes


def dead_nodes(graph):
    """Keeps what outputs, writes, gradients and effects depend on."""
    kept = needed(graph)
    return with_nodes(graph, kept), len(graph.nodes) - len(kept)
