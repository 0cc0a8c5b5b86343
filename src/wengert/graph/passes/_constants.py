"""Constant folding: what depends on nothing but constants is computed when the plan is made."""

from ... import _core
from ...autograd.grad_mode import no_grad
from .._graph import State, entry
from ._forward import Walk, forward

_LIMIT = 1 << 16  # elements: larger results are cheaper to compute again than to keep


class _ConstantFolding(Walk):
    """Runs nodes whose operands are constants that the function made itself, and puts their results in their place."""

    def __init__(self, graph, ops):
        super().__init__(graph, ops)
        self.known = {v: s.tensor for v, s in graph.states.items() if s.kind == "literal"}
        self.states = {}  # of results
        self.idle = not self.known

    def through(self, nodes):
        known = self.known
        foreign = known.keys().isdisjoint
        return [node for node in nodes if foreign(node.inputs) or not self._fold(node)]

    def _fold(self, node):
        """Runs a node, where that is for us; says whether it did."""
        results = _run(self.graph, node, self.known) if _folds(node, self.known) else None
        if results is None:
            return False
        for v, t in zip(node.results, results, strict=True):
            self.known[v] = t
            self.states[v] = State(t, kind="literal")
        self.count += 1
        return True

    def end(self, graph, nodes):
        if not self.count:
            return graph
        new = super().end(graph, nodes)
        new.states = {**graph.states, **self.states}
        return new


constant_folding = forward("constant_folding", _ConstantFolding)


def _folds(node, known):
    return node.payload is None and not node.random and all(v in known for v in node.values)


def _run(graph, node, known):
    size = 0
    for v in node.results:
        n = 1
        for d in graph.shapes[v]:
            n *= d
        size += n
    if size > _LIMIT:
        return None
    operands = [None if v is None else v[0] if type(v) is tuple else known[v] for v in node.inputs]
    with no_grad():
        out = _core.apply(entry(node.op), operands, node.attrs)
    results = out if isinstance(out, tuple) else (out,)
    return [t.contiguous() for t in results]
