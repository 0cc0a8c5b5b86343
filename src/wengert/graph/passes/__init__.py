"""Passes: each takes a graph and returns one that computes the same with less to do.

All but those that recognise patterns (`rounds`) keep every bit.

A pass is a function of a graph that returns (graph, count): a new graph and how many nodes it has dealt with. Values
keep their numbers, so that graphs before and after can be compared. `optimise` runs the passes in order and keeps a
report of what each did.
"""

from ._activations import gelu, sigmoid
from ._algebra import algebra
from ._aliases import aliases
from ._attention import attention
from ._common import common_subexpressions
from ._constants import constant_folding
from ._dead import dead_nodes
from ._parts import whole_rows
from ._rows import cross_entropy, layer_norm, log_of_softmax, log_softmax, rms_norm, softmax

PATTERNS = (
    softmax,
    log_softmax,
    log_of_softmax,
    cross_entropy,
    layer_norm,
    rms_norm,
    gelu,
    sigmoid,
    attention,
)
EXACT = (dead_nodes, aliases, algebra, constant_folding, common_subexpressions, whole_rows, dead_nodes)
PASSES = (dead_nodes, aliases, common_subexpressions, *PATTERNS, *EXACT[2:])


def optimise(graph, passes=PASSES):
    """The graph after all passes, and what each did: triples (its name, nodes that it dealt with, values whose nodes it
    removed)."""
    report, ops = [], None
    for one in passes:
        before, count = graph, 0
        if ops is None:
            ops = {node.op for node in graph.nodes}
        if getattr(one, "needs", ops) <= ops:
            graph, count = one(graph)
        removed = ()
        if graph is not before:
            ops = None
            left = {v for node in graph.nodes for v in node.results}
            removed = [node.results[0] for node in before.nodes if node.results and left.isdisjoint(node.results)]
        report.append((one.__name__, count, removed))
    return graph, report


def rounding(report):
    """The names in a report of passes whose results are rounded differently than those of the graph as it was."""
    rounds = {one.__name__ for one in PATTERNS}
    return [name for name, count, _ in report if count and name in rounds]


__all__ = [
    "EXACT",
    "PASSES",
    "PATTERNS",
    "algebra",
    "aliases",
    "common_subexpressions",
    "constant_folding",
    "dead_nodes",
    "optimise",
    "rounding",
    "whole_rows",
]
