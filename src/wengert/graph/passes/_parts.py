"""Rows of one result each that stand for a row of several: computed by that one again, where several of them are there."""

from ...ops import TABLE
from .._graph import infer
from ._forward import Walk, forward
from ._rewrite import with_nodes
from ._view import likeness, very_same

_WHOLE = {
    name: (row, k) for row in TABLE.values() for k, name in enumerate(row.parts)
}  # part -> (row, which result)


class _WholeRows(Walk):
    """Merges the gradients of a normalisation by its operands, which a recording has one by one, into one pass over rows."""

    makes = frozenset(row.name for row, _ in _WHOLE.values())

    def __init__(self, graph, ops):
        super().__init__(graph, ops)
        self.idle = _WHOLE.keys().isdisjoint(ops)
        self.passed = 0  # nodes
        self.groups = {}  # (row, operands, attributes) -> its parts: pairs (place, node)

    def through(self, nodes):
        for k, node in enumerate(nodes, self.passed):
            if node.op in _WHOLE:
                row, _ = _WHOLE[node.op]
                alike = likeness(self.graph, row.name, node.inputs, node.attrs)
                self.groups.setdefault(alike, []).append((k, node))
        self.passed += len(nodes)
        return nodes

    def end(self, graph, nodes):
        shapes, dtypes = list(graph.shapes), list(graph.dtypes)
        for pairs in self.groups.values():
            places, parts = zip(*pairs, strict=True)
            if not _belong(parts):
                continue
            first = parts[0]
            row, _ = _WHOLE[first.op]
            mine = {_WHOLE[node.op][1]: node.results[0] for node in parts}
            if len(mine) < len(row.parts):
                for k, (shape, dtype) in enumerate(infer(graph, row.name, first.inputs, first.attrs)):
                    if k not in mine:
                        mine[k] = len(shapes)
                        shapes.append(shape)
                        dtypes.append(dtype)
            for k in places:
                nodes[k] = None
            results = tuple([mine[k] for k in range(len(row.parts))])
            nodes[places[0]] = first.rewritten(op=row.name, results=results)
            self.count += len(parts)
        if not self.count:
            return graph
        new = with_nodes(graph, [node for node in nodes if node is not None])
        new.shapes, new.dtypes = shapes, dtypes
        return new


whole_rows = forward("whole_rows", _WholeRows)


def _belong(parts):
    """Whether nodes that look alike are different parts of one row on the same operands."""
    if len(parts) < 2 or len({node.op for node in parts}) < len(parts):
        return False
    return all(very_same(parts[0], node) for node in parts)
