"""A recorded forward pass with the backward pass behind it, as two plans that share a budget."""

import math

from ._again import Again
from ._budget import Fitting, heavy
from ._graph import Graph
from ._needed import needed
from ._plan import Plan
from .passes import EXACT, PASSES, optimise, rounding


class Halves:
    """A forward plan and a backward plan.

    Attributes:
        forward: its outputs are those of the graph, then the values that the backward plan reads (`held`).
        backward: takes the values held, the gradients of the results, and the inputs of the graph in `again`; it gives the
            gradients that there are.
        found: for each of `joint.wrt` the value of what flows to it; None where an earlier one of that tensor has it all.
        states: the tensors from outside that the backward plan reads.
        whole, report: both passes as one graph, as recorded, and what optimisation made of it (see `Plan.report`).
    """

    def __init__(self, graph, joint, budget=None, exact=False):
        self.joint, self.count = joint, len(graph.outputs)
        self.recorded = part(graph, graph.nodes[: joint.forward])
        self._share(self.recorded, graph)
        self.recorded.outputs = graph.outputs
        self.first = {v for node in self.recorded.nodes for v in node.results}
        whole = part(graph, graph.nodes)
        self._share(whole, graph)
        whole.inputs = [*graph.inputs, *joint.cotangents]
        whole.outputs = [*graph.outputs, *[("", v) for v in joint.found if v is not None]]
        self.whole = whole
        whole, self.report = self._optimised(whole, exact)
        if budget is None:
            self._build(whole)
        else:
            scratch = Plan(whole, passes=())
            scratch.build(whole, heavy(whole))
            fitting = Fitting(whole, budget, self._build, scratch.sizes)
            self.forward.fitting = fitting
        self.forward.source = self.recorded
        self.forward.report = [(name, n, gone.among(self.first)) for name, n, gone in self.report]

    def _optimised(self, whole, exact):
        """The graph after the passes, and what each did.

        A tensor takes what flows to it from several operations one by one, in an order that is part of the bits. Patterns
        see one sum for each tensor. Where they have replaced something, sums that they left alone are taken apart again.
        """
        self.found = self.joint.found
        if not exact:
            sums = _Sums(whole, self.joint, self.count)
            made, report = optimise(sums.graph, PASSES)
            if rounding(report):
                self.found = sums.apart(made)
                return made, report
        return optimise(whole, EXACT)

    def _share(self, half, graph):
        half.inputs, half.writes, half.grads = graph.inputs, graph.writes, graph.grads
        half.structure, half.fixed = graph.structure, graph.fixed

    def _build(self, whole, fences=()):
        """Makes both plans; returns the bytes that they and the values between them take."""
        nodes = needed(whole)
        last = max((k for k, node in enumerate(nodes) if not self.first.isdisjoint(node.results)), default=-1)
        forward = part(whole, nodes[: last + 1])
        inputs = whole.inputs[: len(whole.inputs) - len(self.joint.cotangents)]
        self._share(forward, whole)
        forward.inputs = inputs
        ends = [v for _, v in whole.outputs[self.count :]]
        after = {id(node) for k, node in enumerate(nodes) if k > last or node.op == "shape"}
        back, found = _reached(nodes, after, ends)
        kept = {}
        if not fences:
            again = Again(whole, forward.nodes, found)
            back, found = _reached(nodes, after | again.nodes, ends)
            for v in sorted(again.copied):
                copy = forward.add_node("clone", (v,), (), [(whole.shapes[v], whole.dtypes[v])])
                kept[v] = copy.results[0]
            back = [_reading(node, kept) for node in back]
            found = (found - set(kept)) | set(kept.values())
        if not found.isdisjoint(whole.writes):
            raise RuntimeError(
                "expected a forward pass that does not overwrite what its backward pass reads, got one"
            )
        made = {v for node in forward.nodes for v in node.results if node.op != "shape"}
        held = sorted(found & made - {v for node in back for v in node.results})
        forward.outputs = [*whole.outputs[: self.count], *[("", v) for v in held]]
        backward = part(whole, back)
        self.again = [v for v in inputs if v in found]
        backward.inputs = [*held, *self.joint.cotangents, *self.again]
        backward.outputs = [("", v) for v in ends]
        self.states = [whole.states[v].tensor for v in found if v in whole.states]
        self.forward, self.backward = Plan(forward, passes=()), Plan(backward, passes=())
        if fences:
            self.forward.build(forward, fences)
            self.backward.build(backward, fences)
        between = sum(math.prod(whole.shapes[v]) * whole.dtypes[v].itemsize for v in held)
        return self.forward.memory()["arena"] + self.backward.memory()["arena"] + between


def _reached(nodes, among, ends):
    """Those of some nodes that values depend on, in order, and all values on the way."""
    found, kept = set(ends), []
    for node in reversed(nodes):
        if id(node) in among and not found.isdisjoint(node.results):
            kept.append(node)
            found.update(node.values)
    return kept[::-1], found


def _reading(node, kept):
    """A node that reads copies where there are some."""
    if not any(type(v) is int and v in kept for v in node.inputs):
        return node
    return node.rewritten(inputs=tuple(kept.get(v, v) if type(v) is int else v for v in node.inputs))


class _Sums:
    """A graph in which the gradients of each tensor are one sum."""

    def __init__(self, whole, joint, count):
        self.joint, self.count = joint, count
        self.graph = graph = part(whole, list(whole.nodes))
        graph.inputs, graph.writes, graph.grads = whole.inputs, whole.writes, whole.grads
        graph.structure, graph.fixed = whole.structure, whole.fixed
        graph.shapes, graph.dtypes = list(whole.shapes), list(whole.dtypes)
        self.parts = {}  # tensor -> what flows to it
        for t, v in zip(joint.wrt, joint.found, strict=True):
            self.parts.setdefault(t, []).append(v)
        self.added = set()
        totals = [self._total(values) for values in self.parts.values()]
        graph.outputs = [*whole.outputs[:count], *[("", v) for v in totals]]

    def _total(self, values):
        total = values[0]
        for v in values[1:]:
            total = self.graph.apply("add", [total, v], scope=("backward",)).results[0]
            self.added.add(total)
        return total

    def apart(self, made):
        """Gives the graph after the passes outputs of its own for what is still a sum of ours; returns `Halves.found`."""
        maker = made.producers()
        found, rest = [], {}
        for (t, values), (_, total) in zip(self.parts.items(), made.outputs[self.count :], strict=True):
            now, top = [], total
            while top in self.added:
                top, last = maker[top].inputs
                now.append(last)
            now = [top, *now[::-1]]
            rest[t] = iter(now if len(now) == len(values) else [total] + [None] * (len(values) - 1))
        for t in self.joint.wrt:
            found.append(next(rest[t]))
        made.outputs = [*made.outputs[: self.count], *[("", v) for v in found if v is not None]]
        made.nodes = needed(made)
        return found


def part(graph, nodes):
    """A graph of some nodes over the same values and states."""
    made = Graph(graph.name)
    made.nodes = nodes
    made.shapes, made.dtypes, made.names, made.states = graph.shapes, graph.dtypes, graph.names, graph.states
    return made
