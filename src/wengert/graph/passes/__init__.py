"""Passes: each takes a graph and returns one that gives the same bits, with less to do.

A pass is a function of a graph that returns (graph, count): a new graph and how many nodes it has dealt with. Values
keep their numbers, so that graphs before and after can be compared. `optimise` runs the passes in order and keeps a
report of what each did.
"""

from ._algebra import algebra
from ._aliases import aliases
from ._common import common_subexpressions
from ._constants import constant_folding
from ._dead import dead_nodes

PASSES = (dead_nodes, aliases, algebra, constant_folding, common_subexpressions, dead_nodes)


def optimise(graph, passes=PASSES):
    """The graph after all passes, and what each did: triples (its name, nodes that it dealt with, values whose nodes it
    removed)."""
    report = []
    for one in passes:
        before = graph
        graph, count = one(graph)
        left = {v for node in graph.nodes for v in node.results}
        removed = [node.results[0] for node in before.nodes if node.results and left.isdisjoint(node.results)]
        report.append((one.__name__, count, removed))
    return graph, report


__all__ = [
    "PASSES",
    "algebra",
    "aliases",
    "common_subexpressions",
    "constant_folding",
    "dead_nodes",
    "optimise",
]
