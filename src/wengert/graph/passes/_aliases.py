"""Nodes that hand on their operand unchanged: views and conversions that change nothing."""

from ._rewrite import substituted, with_nodes

# Ops whose result is their first operand when shape and dtype stay the same.
_SHAPES = frozenset(
    {
        "view",
        "reshape",
        "reshape_like",
        "rows",
        "expand",
        "expand_like",
        "squeeze",
        "cast",
        "cast_like",
        "sum_to_like",
        "alias",
    }
)


def aliases(graph):
    """Readers of such a node read its operand instead."""
    replaced, nodes = {}, []
    shapes, dtypes = graph.shapes, graph.dtypes
    for node in graph.nodes:
        node = substituted(node, replaced)
        if node.op in _SHAPES:
            x, y = node.inputs[0], node.results[0]
            if type(x) is int and shapes[x] == shapes[y] and dtypes[x] == dtypes[y]:
                replaced[y] = x
                continue
        elif node.op == "transpose" or node.op == "permute":
            x, y = node.inputs[0], node.results[0]
            if type(x) is int and _keeps_order(node, len(shapes[x])):
                replaced[y] = x
                continue
        nodes.append(node)
    return with_nodes(graph, nodes, replaced), len(graph.nodes) - len(nodes)


def _keeps_order(node, ndim):
    if node.op == "transpose":
        a, b = node.attrs
        return ndim == 0 or a % ndim == b % ndim
    (dims,) = node.attrs
    return all(d % ndim == k for k, d in enumerate(dims))
