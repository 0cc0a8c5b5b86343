"""Common subexpressions: what is computed twice from the same values is computed once."""

from ._rewrite import substituted, with_nodes
from ._view import key


def common_subexpressions(graph):
    """Merges nodes of one op, operands and attributes. Random draws merge when they repeat the same numbers."""
    seen, replaced, nodes = {}, {}, []
    for node in graph.nodes:
        node = substituted(node, replaced)
        if node.payload is not None:
            nodes.append(node)
            continue
        first = seen.setdefault(key(graph, node.op, node.inputs, node.attrs), node)
        if first is node:
            nodes.append(node)
        else:
            replaced.update(zip(node.results, first.results, strict=True))
    count = len(graph.nodes) - len(nodes)
    return (with_nodes(graph, nodes, replaced) if count else graph), count
