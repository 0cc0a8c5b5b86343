"""Common subexpressions: what is computed twice from the same values is computed once."""

from ._forward import Walk, forward
from ._rewrite import substituted
from ._view import LIKE_PLACE, key, likeness, very_same


class _CommonSubexpressions(Walk):
    """Merges nodes of one op, operands and attributes. Random draws merge when they repeat the same numbers."""

    def __init__(self, graph, ops):
        super().__init__(graph, ops)
        self.alike, self.seen = {}, {}

    def through(self, nodes):
        replaced = self.replaced
        untouched = replaced.keys().isdisjoint
        first_alike = self.alike.setdefault
        kept = []
        for node in nodes:
            if not untouched(node.inputs):
                node = substituted(node, replaced)
            if node.payload is not None:
                kept.append(node)
                continue
            op, inputs, attrs = node.op, node.inputs, node.attrs
            like = (op, inputs, attrs) if LIKE_PLACE[op] is None else likeness(self.graph, op, inputs, attrs)
            first = first_alike(like, node)
            if first is not node and not very_same(first, node):
                first = self.seen.setdefault(key(self.graph, op, inputs, attrs), node)
            if first is node:
                kept.append(node)
            else:
                replaced.update(zip(node.results, first.results, strict=True))
        self.count += len(nodes) - len(kept)
        return kept


common_subexpressions = forward("common_subexpressions", _CommonSubexpressions)
