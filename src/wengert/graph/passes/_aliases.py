"""Nodes that hand on their operand unchanged: views and conversions that change nothing, copies of results."""

from ...ops import TABLE
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
_MAY = _SHAPES | {"transpose", "permute"}


def aliases(graph):
    """Readers of such a node read its operand instead."""
    replaced, nodes = {}, []
    copies = any(node.op == "clone" for node in graph.nodes)
    made = set()  # results that are no views: nobody writes them, so that a copy is as good as they are
    shapes, dtypes = graph.shapes, graph.dtypes
    for node in graph.nodes:
        if replaced:
            node = substituted(node, replaced)
        if node.op in _MAY:
            y = node.results[0]
            if passes_on(graph, node.op, node.inputs, node.attrs, (shapes[y], dtypes[y])):
                replaced[y] = node.inputs[0]
                continue
        if node.op == "clone" and node.inputs[0] in made:
            replaced[node.results[0]] = node.inputs[0]
            continue
        if copies:
            row = TABLE.get(node.op)
            if row is not None and "view" not in row.flags:
                made.update(node.results)
        nodes.append(node)
    count = len(graph.nodes) - len(nodes)
    return (with_nodes(graph, nodes, replaced) if count else graph), count


def passes_on(specs, op, inputs, attrs, spec):
    """Whether an op with a result of this (shape, dtype) hands on its first operand unchanged."""
    x = inputs[0] if inputs else None
    if op not in _MAY or type(x) is not int:
        return False
    if op in _SHAPES:
        return tuple(specs.shapes[x]) == tuple(spec[0]) and specs.dtypes[x] == spec[1]
    ndim = len(specs.shapes[x])
    if op == "transpose":
        a, b = attrs
        return ndim == 0 or a % ndim == b % ndim
    (dims,) = attrs
    return all(d % ndim == k for k, d in enumerate(dims))
