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
from ._view import View, like_place

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
_unique.does = common_subexpressions
_unique.wanted = lambda ops: any(pattern.wanted(ops) for pattern in PATTERNS)

EXACT = (dead_nodes, aliases, algebra, constant_folding, common_subexpressions, whole_rows, dead_nodes)
PASSES = (dead_nodes, aliases, _unique, *PATTERNS, *EXACT[2:])


class Removed:
    """The values whose nodes a pass has removed, found when somebody asks: who makes a plan seldom does."""

    def __init__(self, before, after, among=None):
        self._before, self._after, self._among = before, after, among

    def __iter__(self):
        left = {v for node in self._after for v in node.results}
        for node in self._before:
            if node.results and left.isdisjoint(node.results):
                if self._among is None or node.results[0] in self._among:
                    yield node.results[0]

    def __len__(self):
        return sum(1 for _ in self)

    def among(self, values):
        """Those that belong to some values."""
        return Removed(self._before, self._after, values)


def optimise(graph, passes=PASSES, check=False):
    """The graph after all passes, and what each did: triples (its name, nodes that it dealt with, `Removed`). `check`:
    whether to verify the graph that each pass leaves."""
    graph = with_nodes(graph, graph.nodes)  # one that nobody else changes
    report, ops, view = [], None, None
    left = {}  # pass -> the graph that it left, with which it has nothing more to do
    for one in passes:
        before, count = graph, 0
        does = getattr(one, "does", one)
        wanted = getattr(one, "wanted", None)
        if wanted is not None and ops is None:
            ops = {node.op for node in graph.nodes}
        if left.get(does) is not graph and (wanted is None or wanted(ops)):
            if one in PATTERNS:
                view = view or View(graph)
                graph, count = one(graph, view)
            else:
                graph, count = one(graph)
            left[does] = graph
        if graph is not before:
            ops = view = None
            if check:
                graph.verify()
        report.append((one.__name__, count, Removed(before.nodes, graph.nodes)))
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
    "like_place",
    "optimise",
    "rounding",
    "whole_rows",
]
