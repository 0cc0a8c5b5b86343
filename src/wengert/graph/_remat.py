"""Rematerialisation: a schedule that drops values on the way and makes them again where they are next read (the core's
rehearsal.h says how)."""

import math

from .. import _core
from ._needed import needed
from .passes._rewrite import with_nodes


class Sizes:
    """What values take in the arena: `owner` of a value is the value whose memory it looks at, `bytes` those of owners."""

    def __init__(self, owner, sizes):
        self.owner = owner
        self.bytes = sizes

    def floor(self, nodes):
        """Bytes that the operands and results of one node need, at most."""
        return max((self._of(node) for node in nodes), default=0)

    def _of(self, node):
        return sum(self.bytes.get(o, 0) for o in {self.owner.get(v, v) for v in (*node.values, *node.results)})


class Rehearsed:
    """A graph that the core goes through with limits of bytes."""

    def __init__(self, graph, sizes):
        self.given = graph
        self.todo = needed(graph)
        self.cost = [node_cost(graph, node) for node in self.todo]
        owner = [sizes.owner.get(v, v) for v in range(len(graph.shapes))]
        nodes = [
            (node.values, node.results, cost, node.payload is None, node.op == "update")
            for node, cost in zip(self.todo, self.cost, strict=True)
        ]
        there = [*graph.inputs, *graph.states]
        fixed = {owner[v] for v in (*graph.roots(), *there)}
        self._core = _core.Rehearsal(nodes, owner, [sizes.bytes.get(v, 0) for v in owner], fixed, there)
        self.floor = sizes.floor(self.todo)

    def schedule(self, limit):
        """The Schedule for a limit; None where recomputation would cost too many runs of the graph."""
        found = self._core.run(limit)
        return None if found is None else Schedule(self, *found)


class Schedule:
    """The nodes of a graph in order, with copies of those whose results were dropped.

    Attributes:
        graph: them all.
        first: ids of the first node of each run of copies: no group that began before may take it in.
        copies: the copies.
        share: what copies cost, as a share of what the graph costs.
    """

    def __init__(self, rehearsed, order, reads, makes, begins):
        given, todo = rehearsed.given, rehearsed.todo
        shapes, dtypes = list(given.shapes), list(given.dtypes)
        reads, makes = iter(reads), iter(makes)
        nodes, self.copies = [], []
        again = 0
        for k in order:
            copied, node = k < 0, todo[k if k >= 0 else -1 - k]
            inputs = tuple([next(reads) if type(v) is int else v for v in node.inputs])
            results = tuple([next(makes) for _ in node.results])
            made = node
            if copied or inputs != node.inputs:
                made = node.rewritten(inputs=inputs, results=results)
            if copied:
                if made.gradient_of is None:
                    made.gradient_of = node.results[0]  # it is part of the backward pass of what it makes again
                shapes.extend([given.shapes[v] for v in node.results])
                dtypes.extend([given.dtypes[v] for v in node.results])
                self.copies.append(made)
                again += rehearsed.cost[-1 - k]
            nodes.append(made)
        self.first = {id(nodes[k]) for k in begins}
        self.share = again / max(sum(rehearsed.cost), 1)
        self.graph = with_nodes(given, nodes)
        self.graph.shapes, self.graph.dtypes = shapes, dtypes


_DEAR = frozenset({"exp", "log", "tanh", "sin", "cos", "pow", "erf", "gelu_tanh", "gelu_erf", "sigmoid", "silu"})


def node_cost(graph, node):
    """Time that a node takes, roughly: multiples of what adding two numbers in memory takes."""
    made = sum(math.prod(graph.shapes[v]) for v in node.results)
    read = max((math.prod(graph.shapes[v]) for v in node.values), default=0)
    if node.op in ("matmul", "linear", "matmul_rows"):
        return 100 + made * graph.shapes[node.values[0]][-1] * 0.05
    if node.op.startswith("conv"):
        return 100 + made * math.prod(graph.shapes[node.values[1]][1:]) * 0.05
    if node.op.startswith("attention"):
        return 100 + read * graph.shapes[node.values[1]][-2] * 0.2
    if node.op == "recurrent":
        return 100 + made * graph.shapes[node.values[0]][-1] * 0.2
    return 20 + (made + read) * (2 if node.op in _DEAR else 1)
