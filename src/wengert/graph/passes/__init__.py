"""Passes: each takes a graph and returns one that computes the same with less to do.

All but those that recognise patterns (`rounds`) keep every bit.

A pass is a function of a graph that returns (graph, count): a new graph, or the same where nothing was to be done, and how
many nodes it has dealt with. Values keep their numbers, so that graphs before and after can be compared. `optimise` runs
the passes in order, those with `wanted` where this says so of the graph's ops, and keeps a report of what each did.
"""

from ._activations import gelu, sigmoid
from ._algebra import algebra
from ._aliases import aliases
from ._attention import attention
from ._common import common_subexpressions
from ._constants import constant_folding
from ._dead import dead_nodes
from ._parts import whole_rows
from ._rewrite import with_nodes
from ._rows import cross_entropy, layer_norm, log_of_softmax, log_softmax, rms_norm, softmax
from ._view import View, lends_shape

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


def _unique(graph):
    return common_subexpressions(graph)


# Patterns look nodes up: what is computed twice has to be one node.
_unique.__name__ = common_subexpressions.__name__
_unique.wanted = lambda ops: any(pattern.wanted(ops) for pattern in PATTERNS)

EXACT = (dead_nodes, aliases, algebra, constant_folding, common_subexpressions, whole_rows, dead_nodes)
PASSES = (dead_nodes, aliases, _unique, *PATTERNS, *EXACT[2:])


def optimise(graph, passes=PASSES, check=False):
    """The graph after all passes, and what each did: triples (its name, nodes that it dealt with, values whose nodes it
    removed). `check`: whether to verify the graph that each pass leaves."""
    graph = with_nodes(graph, graph.nodes)  # one that nobody else changes
    report, ops, view = [], None, None
    for one in passes:
        before, count, removed = graph, 0, ()
        wanted = getattr(one, "wanted", None)
        if wanted is not None and ops is None:
            ops = {node.op for node in graph.nodes}
        if wanted is None or wanted(ops):
            if one in PATTERNS:
                view = view or View(graph)
                graph, count = one(graph, view)
            else:
                graph, count = one(graph)
        if graph is not before:
            ops = view = None
            left = {v for node in graph.nodes for v in node.results}
            removed = [node.results[0] for node in before.nodes if node.results and left.isdisjoint(node.results)]
            if check:
                graph.verify()
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
    "lends_shape",
    "optimise",
    "rounding",
    "whole_rows",
]
