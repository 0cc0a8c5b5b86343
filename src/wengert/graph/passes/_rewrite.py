"""What passes share: a copy of a graph with other nodes, and values that stand for others."""

from .._graph import Graph, Node


def with_nodes(graph, nodes, replaced=None):
    """A graph with the same values, inputs and states, other nodes, and roots read through `replaced`."""
    new = Graph(graph.name)
    new.shapes, new.dtypes, new.names = graph.shapes, graph.dtypes, graph.names
    new.inputs, new.states = graph.inputs, graph.states
    new.structure, new.fixed, new.repeats = graph.structure, graph.fixed, graph.repeats
    new.nodes = nodes
    new.outputs, new.writes, new.grads = list(graph.outputs), dict(graph.writes), dict(graph.grads)
    if replaced:
        get = replaced.get
        new.outputs = [(name, get(v, v)) for name, v in graph.outputs]
        for roots in (new.writes, new.grads):
            for a, v in roots.items():
                if v in replaced:
                    roots[a] = replaced[v]
    return new


def substituted(node, replaced):
    """The node with its operands read through `replaced`; the node itself where nothing changes."""
    if not replaced or replaced.keys().isdisjoint(node.inputs):
        return node
    inputs = tuple([replaced.get(v, v) if type(v) is int else v for v in node.inputs])
    return Node(node.op, inputs, node.attrs, node.results, node.scope, node.line, node.payload, node.gradient_of)
