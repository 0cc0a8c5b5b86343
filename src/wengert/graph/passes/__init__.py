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
from ._forward import forward, ops_of, together, walks
from ._parts import whole_rows
from ._rewrite import with_nodes
from ._rows import cross_entropy, layer_norm, log_of_softmax, log_softmax, rms_norm, softmax
from ._view import LIKE_PLACE, View

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


# Patterns look nodes up: what is computed twice has to be one node.
_unique = forward(common_subexpressions.__name__, common_subexpressions.walk)
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
    report, view = [], None
    left = {}  # pass -> the graph that it left, with which it has nothing more to do
    todo = list(passes)
    while todo:
        ops = ops_of(graph)
        batch = _batch(todo, graph, ops, left, alone=check)
        busy = [one for one, runs in batch if runs]
        if busy and walks(busy[0]):
            made = together(busy, graph, ops)
        elif busy and busy[0] in PATTERNS:
            view = view if view is not None and view.graph is graph else View(graph)
            made = [busy[0](graph, view)]
        else:
            made = [one(graph) for one in busy]
        made = iter(made)
        for one, runs in batch:
            before, count = graph, 0
            if runs:
                graph, count = next(made)
                left[_does(one)] = graph
            report.append((one.__name__, count, Removed(before.nodes, graph.nodes)))
        if check:
            graph.verify()
        del todo[: len(batch)]
    return graph, report


def _batch(passes, graph, ops, left, alone):
    """The passes that come next, as pairs (pass, whether it runs): forward passes, which run together, or another one, and
    idle ones before and among them. `alone`: whether no two are to run together."""
    batch, busy = [], False
    for one in passes:
        runs = one.wanted(ops) if hasattr(one, "wanted") else True
        if runs and left.get(_does(one)) is graph:
            if busy:
                break  # whether it has nothing to do is known when those before it have run
            runs = False
        if runs and busy and not walks(one):
            break
        batch.append((one, runs))
        if runs and (alone or not walks(one)):
            break
        if runs:
            busy, ops = True, ops | one.walk.makes
    return batch


def _does(one):
    """The pass that a pass is, wherever it stands."""
    return getattr(one, "does", one)


def rounding(report):
    """The names in a report of passes whose results are rounded differently than those of the graph as it was."""
    rounds = {one.__name__ for one in PATTERNS}
    return [name for name, count, _ in report if count and name in rounds]


__all__ = [
    "EXACT",
    "LIKE_PLACE",
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
