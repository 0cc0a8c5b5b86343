"""Values that Python reads while a call is recorded, where a run can know them before it begins.

A plan has no values while Python decides. But what a function reads is often made of little: a step count and a rate in
small tensors, the lengths of sequences among the arguments. The few operations behind such a value run before the plan
does, on what states and arguments hold then; the number is followed like any other (see _numbers.py), or is a condition of
the plan.
"""

import numpy as np

from .. import _core
from ..autograd.grad_mode import no_grad
from ..func._levels import entry
from ..ops import TABLE

_NODES = 16  # operations behind one value
_ELEMENTS = 4096  # of all values behind it


class Reading:
    """A value of a graph, computed from states, arguments and followed numbers.

    Attributes:
        operands: what it is called with, as a Book has it: ("leaf", k) or ("place", k).
        constant: whether it depends on nothing that a run could find changed.
    """

    __slots__ = ("_code", "_given", "_result", "_states", "constant", "operands")

    def __init__(self, code, result, states, given, constant):
        self._code = code  # nodes in order
        self._result = result
        self._states = states  # value number -> tensor
        self._given = given  # (value number, operand, dtype of a tensor that stands for a number, or None)
        self.operands = tuple([operand for _, operand, _ in given])
        self.constant = constant

    def __repr__(self):
        return f"Reading({self._result})"  # of one graph; those of equal recordings have the same numbers

    def __call__(self, *operands):
        """The value as a number, or as nested lists of numbers."""
        known = dict(self._states)
        with no_grad():
            for (v, _, dtype), operand in zip(self._given, operands, strict=True):
                known[v] = operand if dtype is None else _core.full((), operand, dtype)
            for node in self._code:
                values = [v[0] if type(v) is tuple else None if v is None else known[v] for v in node.inputs]
                out = _core.apply(entry(node.op), values, node.attrs)
                known.update(zip(node.results, out if isinstance(out, tuple) else (out,), strict=True))
        return known[self._result].tolist()


class Readings:
    """Finds the readings of one recording."""

    def __init__(self, graph):
        self._graph = graph
        self._makers = {}  # value number -> node
        self._seen = 0  # nodes that are in `_makers`

    def find(self, value, sources):
        """The Reading of a value; None where it takes a plan to compute it.

        Args:
            sources: value number of an input -> (operand of a Book, dtype or None).
        """
        graph = self._graph
        for node in graph.nodes[self._seen :]:
            self._makers.update(dict.fromkeys(node.results, node))
        self._seen = len(graph.nodes)
        code, states, given, todo, met, elements = {}, {}, [], [value], set(), 0
        while todo:
            v = todo.pop()
            if v in met:
                continue
            met.add(v)
            elements += int(np.prod(graph.shapes[v]))
            if elements > _ELEMENTS:
                return None
            node = self._makers.get(v)
            if node is not None:
                if node.payload is not None or node.random or node.op not in TABLE:
                    return None
                code[id(node)] = node
                if len(code) > _NODES:
                    return None
                todo += node.values
            elif v in sources:
                given.append((v, *sources[v]))
            elif v in graph.states and _is_small_state(graph.states[v]):
                states[v] = graph.states[v].tensor
            else:
                return None
        follows = any(operand[0] == "leaf" for _, operand, _ in given)
        if follows and graph.dtypes[value].is_inexact:
            return None  # the numbers of arguments differ in each call
        ordered = sorted(code.values(), key=lambda node: node.results[0])
        constant = not given and all(graph.states[v].kind == "literal" for v in states)
        return Reading(ordered, value, states, sorted(given), constant)


def _is_small_state(state):
    """Whether a state is what counts and rates are kept in; parameters and gradients differ in each step."""
    return state.kind in ("constant", "literal") and not state.tensor.requires_grad
