"""Passes that go through a graph from front to back, several of them together.

Note [Stretches]. The nodes of a large graph do not fit in the caches, and a pass that looks at each of them for a moment
mostly waits for them. What a pass of this kind does with a node depends on the nodes before it alone: so a stretch of nodes
goes through all such passes that stand next to each other before the next one does. Each pass does what it would do alone.
"""

from ._rewrite import with_nodes

_STRETCH = 256  # nodes: with their operands about 100 KB, a part of a second-level cache


class Walk:
    """One walk of a pass through a graph.

    Args:
        graph: the graph before the first of the passes that walk together; shapes and dtypes hold for all of them.
        ops: the ops that its nodes are of, and perhaps others.

    Attributes:
        count: how many nodes the pass has dealt with.
        replaced: value -> the value that is read instead of it.
        idle: there is nothing for this pass in such a graph.
    """

    makes = frozenset()  # ops of nodes that the pass puts in the place of others
    idle = False

    def __init__(self, graph, ops):
        self.graph = graph
        self.count = 0
        self.replaced = {}

    def through(self, nodes):
        """What is left of the next nodes, as a list."""
        raise NotImplementedError

    def end(self, graph, nodes):
        """A graph, which the passes before have made, with the nodes that this one has left, where it did something."""
        return with_nodes(graph, nodes, self.replaced) if self.count else graph


def forward(name, walk):
    """The pass that walks in this way; what it does is said by the class."""

    def one(graph):
        return together([one], graph, ops_of(graph))[0]

    one.__name__ = name
    one.__doc__ = walk.__doc__
    one.walk = walk
    return one


def walks(one):
    """Whether a pass is of this kind."""
    return hasattr(one, "walk")


def ops_of(graph):
    """The ops that a graph's nodes are of."""
    reached = graph.reached
    return (
        reached.ops if reached is not None and reached.nodes is graph.nodes else {node.op for node in graph.nodes}
    )


def together(passes, graph, ops):
    """What each of some forward passes gives, the one for the graph that the one before it leaves: pairs (graph, count)."""
    walks = []
    for one in passes:
        walks.append(one.walk(graph, ops))
        ops = ops | one.walk.makes
    left = [[] for _ in walks]
    busy = [(walk.through, kept) for walk, kept in zip(walks, left, strict=True) if not walk.idle]
    if busy:
        for k in range(0, len(graph.nodes), _STRETCH):
            nodes = graph.nodes[k : k + _STRETCH]
            for through, kept in busy:
                nodes = through(nodes)
                kept += nodes
    found = []
    for walk, kept in zip(walks, left, strict=True):
        if not walk.idle:
            graph = walk.end(graph, kept)
        found.append((graph, walk.count))
    return found
