"""Constant folding: what depends on nothing but constants is computed when the plan is made."""

from ... import _core
from ...autograd.grad_mode import no_grad
from .._graph import State, entry
from ._rewrite import with_nodes

_LIMIT = 1 << 16  # elements: larger results are cheaper to compute again than to keep


def constant_folding(graph):
    """Runs nodes whose operands are constants that the function made itself, and puts their results in their place."""
    known = {v: s.tensor for v, s in graph.states.items() if s.kind == "literal"}
    if not known:
        return graph, 0
    states, nodes, count = dict(graph.states), [], 0
    for node in graph.nodes:
        if not known.keys().isdisjoint(node.inputs) and _folds(node, known):
            results = _run(graph, node, known)
            if results is not None:
                for v, t in zip(node.results, results, strict=True):
                    known[v] = t
                    states[v] = State(t, kind="literal")
                count += 1
                continue
        nodes.append(node)
    if not count:
        return graph, 0
    new = with_nodes(graph, nodes)
    new.states = states
    return new, count


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
