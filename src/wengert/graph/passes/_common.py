"""Common subexpressions: what is computed twice from the same values is computed once."""

from ._rewrite import substituted, with_nodes
from ._view import key, like_place, likeness


def common_subexpressions(graph):
    """Merges nodes of one op, operands and attributes. Random draws merge when they repeat the same numbers."""
    alike, seen, replaced, nodes = {}, {}, {}, []
    likes = {op: like_place(op) for op in {node.op for node in graph.nodes}}
    for node in graph.nodes:
        if replaced:
            node = substituted(node, replaced)
        if node.payload is not None:
            nodes.append(node)
            continue
        op, inputs, attrs = node.op, node.inputs, node.attrs
        like = (op, inputs, attrs) if likes[op] is None else likeness(graph, op, inputs, attrs)
        first = alike.setdefault(like, node)
        if first is not node:
            exact = key(graph, op, inputs, attrs)
            if key(graph, op, first.inputs, first.attrs) != exact:
                first = seen.setdefault(exact, node)
        if first is node:
            nodes.append(node)
        else:
            replaced.update(zip(node.results, first.results, strict=True))
    count = len(graph.nodes) - len(nodes)
    return (with_nodes(graph, nodes, replaced) if count else graph), count
