"""Rows of one result each that stand for a row of several: computed by that one again, where several of them are there."""

from ...ops import TABLE
from .._graph import infer
from ._rewrite import with_nodes
from ._view import key, likeness

_WHOLE = {
    name: (row, k) for row in TABLE.values() for k, name in enumerate(row.parts)
}  # part -> (row, which result)


def whole_rows(graph):
    """Merges the gradients of a normalisation by its operands, which a recording has one by one, into one pass over rows."""
    groups = {}  # (row, operands, attributes) -> its parts
    for node in graph.nodes:
        if node.op in _WHOLE:
            row, _ = _WHOLE[node.op]
            groups.setdefault(likeness(graph, row.name, node.inputs, node.attrs), []).append(node)
    groups = [parts for parts in groups.values() if _belong(graph, parts)]
    if not groups:
        return graph, 0
    shapes, dtypes = list(graph.shapes), list(graph.dtypes)
    instead = {}  # id of a part -> the node that stands in its place, or None
    for parts in groups:
        first = parts[0]
        row, _ = _WHOLE[first.op]
        mine = {_WHOLE[node.op][1]: node.results[0] for node in parts}
        if len(mine) < len(row.parts):
            for k, (shape, dtype) in enumerate(infer(graph, row.name, first.inputs, first.attrs)):
                if k not in mine:
                    mine[k] = len(shapes)
                    shapes.append(shape)
                    dtypes.append(dtype)
        instead.update((id(node), None) for node in parts)
        instead[id(first)] = first.rewritten(op=row.name, results=tuple([mine[k] for k in range(len(row.parts))]))
    nodes = [instead[id(node)] if node.op in _WHOLE and id(node) in instead else node for node in graph.nodes]
    new = with_nodes(graph, [node for node in nodes if node is not None])
    new.shapes, new.dtypes = shapes, dtypes
    return new, sum(len(parts) for parts in groups)


def _belong(graph, parts):
    """Whether nodes that look alike are different parts of one row on the same operands."""
    if len(parts) < 2 or len({node.op for node in parts}) < len(parts):
        return False
    return len({key(graph, "", node.inputs, node.attrs) for node in parts}) == 1
