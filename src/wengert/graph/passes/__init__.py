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
    """The graph after all passes, and a list of pairs (name of a pass, nodes that it dealt with)."""
    report = []
    for one in passes:
        graph, count = one(graph)
        report.append((one.__name__, count))
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
