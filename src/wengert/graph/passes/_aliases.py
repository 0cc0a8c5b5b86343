"""Nodes that hand on their operand unchanged: views and conversions that change nothing, copies of results."""

from ...ops import TABLE
from ._forward import Walk, forward
from ._rewrite import substituted

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


class _Aliases(Walk):
    """Readers of such a node read its operand instead."""

    def __init__(self, graph, ops):
        super().__init__(graph, ops)
        self.copies = "clone" in ops
        self.idle = not self.copies and _MAY.isdisjoint(ops)
        self.made = set()  # results that are no views: nobody writes them, so that a copy is as good as they are

    def through(self, nodes):
        replaced, made, copies = self.replaced, self.made, self.copies
        untouched = replaced.keys().isdisjoint
        graph, shapes, dtypes = self.graph, self.graph.shapes, self.graph.dtypes
        kept = []
        for node in nodes:
            if not untouched(node.inputs):
                node = substituted(node, replaced)
            op = node.op
            if op in _MAY:
                y = node.results[0]
                if passes_on(graph, op, node.inputs, node.attrs, (shapes[y], dtypes[y])):
                    replaced[y] = node.inputs[0]
                    continue
            if copies:
                if op == "clone" and node.inputs[0] in made:
                    replaced[node.results[0]] = node.inputs[0]
                    continue
                row = TABLE.get(op)
                if row is not None and "view" not in row.flags:
                    made.update(node.results)
            kept.append(node)
        self.count += len(nodes) - len(kept)
        return kept


aliases = forward("aliases", _Aliases)


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
