"""Gradients as nodes: the reverse walk over a graph, with the rules of the op table.

It adds up what the core's recorded backward pass adds up (core/backward.pxi: replay, fit_gradient, add_tensor), in the
same order, so a run gives the same bits as autograd on the same code.
"""

from .. import _core, _host
from .._bind import COMPOSED
from ..func._levels import entry, is_tensor, open_frames
from ..ops import TABLE, trace_rule
from . import _regions
from ._symbols import same_sizes
from .passes._view import LIKE_PLACE

_rules = {}  # (op, mask, attributes, shapes, operands, absent ones) -> traced rule; attributes None: any
_LIMIT = 8192


def rule(row, mask, attrs, shapes, count, absent):
    """The traced gradient rule of a row, from the cache where it is there."""
    for values in (None, attrs):
        found = _rules.get((row.name, mask, values, shapes, count, absent))
        if found is not None:
            return found
    traced = trace_rule(row, mask, attrs, shapes, count, absent)
    if len(_rules) >= _LIMIT:
        _rules.clear()
    _rules[row.name, mask, None if traced.fixed and shapes is None else attrs, shapes, count, absent] = traced
    return traced


class Walk:
    """One reverse walk: the gradients of some values, found node by node and appended to the graph."""

    def __init__(self, graph, wrt, nodes=None):
        self.graph = graph
        self.nodes = list(graph.nodes) if nodes is None else nodes
        self.depends = self._dependent(wrt)
        self.grads = {}  # value -> value of its gradient

    def _dependent(self, wrt):
        """The floating values that gradients can flow through to one of `wrt`."""
        depends = set(wrt)
        dtypes = self.graph.dtypes
        for node in self.nodes:
            if depends.isdisjoint(node.values):
                continue
            row = TABLE.get(node.op)
            if row is None or row.parts or row.composed:
                results = node.results
            elif row.differentiable:
                results = node.results[:1]
            else:
                continue
            depends.update(v for v in results if dtypes[v].is_inexact)
        return depends

    def add(self, value, gradient, node):
        """Adds a contribution to a value's gradient, summed to its shape and converted to its dtype."""
        graph = self.graph
        if not same_sizes(graph.shapes[gradient], graph.shapes[value]):
            gradient = self.append("sum_to_like", [gradient, value], (), node)[0]
        if graph.dtypes[gradient] != graph.dtypes[value]:
            gradient = self.append("cast", [gradient], (graph.dtypes[value],), node)[0]
        have = self.grads.get(value)
        if have is not None and _regions.has_rows(graph, value):
            gradient = _regions.sum_of_tapes(self, [have, gradient], node)
        elif have is not None:
            gradient = self.append("add", [have, gradient], (), node)[0]
        self.grads[value] = gradient

    def append(self, op, inputs, attrs, node):
        """Appends a node of the backward pass of `node`; returns the numbers of its results."""
        scope = ("backward", *node.scope) if node is not None else ("backward",)
        made = self.graph.apply(op, inputs, attrs, scope, node.line if node is not None else None)
        made.gradient_of = node.results[0] if node is not None else None
        return made.results

    def run(self):
        """Walks from the last node to the first."""
        for node in reversed(self.nodes):
            found = [self.grads.get(v) for v in node.results]
            if all(g is None for g in found) or self.depends.isdisjoint(node.values):
                continue
            row = TABLE.get(node.op)
            if row is None:
                for v, g in _regions.gradients(self, node, found):
                    self.add(v, g, node)
            elif row.composed:
                self._composed(node, found)
            elif row.parts:
                for k, name in enumerate(row.parts):
                    if found[k] is not None:
                        self._apply(TABLE[name], node, found[k], node.results[k : k + 1])
            elif row.differentiable and found[0] is not None:
                self._apply(row, node, found[0], node.results)

    def _composed(self, node, found):
        """A node whose row has no rule: the package computes its results from ops that have rules."""
        graph = self.graph
        first = len(graph.nodes)
        operands = [graph.frame.wrap_value(v) if type(v) is int else v and v[0] for v in node.inputs]
        open_frames().append(graph.frame)  # gradients that it takes inside are nodes of this graph
        try:
            again = COMPOSED[node.op](operands, node.attrs)
        finally:
            open_frames().pop()
        again = [None if v is None else graph.frame.value_of(v) for v in again]
        wrt = [v for v in dict.fromkeys(node.values) if v in self.depends]
        inner = Walk(graph, wrt, graph.nodes[first:])
        for v, g in zip(again, found, strict=False):
            if v is not None and g is not None and v in inner.depends:
                inner.add(v, g, node)
        inner.run()
        for v in wrt:
            if v in inner.grads:
                self.add(v, inner.grads[v], node)
        for made in graph.nodes[first:]:  # all of it stands in for the rule that the row does not have
            made.gradient_of = node.results[0]

    def _apply(self, row, node, gradient, results):
        """Appends the rule of a node's row and adds what it finds."""
        graph = self.graph
        wanted = [type(v) is int and v in self.depends and graph.dtypes[v].is_inexact for v in node.inputs]
        mask = -1 if row.variadic else sum(1 << k for k, yes in enumerate(wanted) if yes)
        shapes = None
        if row.shaped:
            shapes = tuple([graph.shapes[v] if type(v) is int else None if v is None else () for v in node.inputs])
        absent = tuple([k for k, v in enumerate(node.inputs) if v is None])
        traced = rule(row, mask, node.attrs, shapes, len(node.inputs), absent)
        registers = dict(enumerate([gradient, *node.inputs, *results]))
        kept = set() if "conjugates" in row.flags else self._complex(registers, 1 + len(node.inputs) + len(results))
        for k, number in enumerate(traced.constants):
            registers[traced.given + k] = (number,)
        for op, places, first, attrs in traced.code:
            if attrs is None:
                values = ()
            elif attrs == "inherit":
                values = node.attrs
            else:
                values = tuple([node.attrs[v] if kind == "field" else _plain(v) for kind, v in attrs])
            shape_only = LIKE_PLACE[op]
            for p in kept.intersection(p for k, p in enumerate(places) if k != shape_only):
                registers[p] = self.append("conj", [registers[p]], (), node)[0]
                kept.discard(p)
            made = self.append(op, [registers[p] if p >= 0 else None for p in places], values, node)
            for k, v in enumerate(made):
                registers[first + k] = v
        for k, r in enumerate(traced.results):
            if r >= 0 and wanted[k]:
                found = registers[r]
                if type(found) is tuple:
                    raise RuntimeError(f"gradients: expected a tensor as the gradient of {row.name}, got a number.")
                self.add(node.inputs[k], found, node)

    def _complex(self, registers, count):
        """The registers of complex operands and results: a rule reads their conjugates (docs/decisions/0010)."""
        dtypes = self.graph.dtypes
        return {p for p in range(1, count) if type(registers[p]) is int and dtypes[registers[p]].is_complex}


def _plain(value):
    """An attribute of a traced instruction as node attributes are held."""
    return tuple(value) if isinstance(value, list) else value


def differentiate(graph, outputs, wrt):
    """Appends the gradients of outputs (value -> value of its gradient) with respect to the values `wrt`.

    Returns:
        The number of each gradient, None where the outputs do not depend on the value.
    """
    walk = Walk(graph, wrt)
    for value, gradient in outputs:
        if value in walk.depends:
            walk.add(value, gradient, None)
    walk.run()
    return [walk.grads.get(v) for v in wrt]


# ---- for symbolic tensors --------------------------------------------------------------------------------------------


def _listed(value, what):
    if is_tensor(value):
        return [value]
    value = list(value) if hasattr(value, "__iter__") else [value]
    for v in value:
        if not is_tensor(v):
            raise TypeError(f"gradients: expected tensors for {what}, got {type(v).__name__}.")
    return value


def ones(graph, value):
    """The gradient that a loss starts with."""
    one = graph.frame.value_of(_core.full((), 1.0, graph.dtypes[value]))
    shape = tuple(graph.shapes[value])
    return one if not shape else graph.frame.append("expand", [one], (shape,)).results[0]


def origin_of(frame, t):
    """The number of a state or input, before writes, or of a result."""
    value = frame.value_of(t, "gradients")
    cell = frame.cell_of(t)
    return value if cell.root is not None or cell.origin is None else cell.origin


def pulled(frame, roots, inputs, grads):
    """Gradients for gradients of the roots that are wrappers of transforms: what depends on these is run on them."""
    graph = frame.graph
    values = [frame.value_of(t) for t in roots]
    first = len(graph.nodes)
    seeds = [graph.apply("zeros_like", [v]).results[0] for v in values]  # stand-ins, which do not stay
    found = symbolic_gradients(graph, roots, inputs, [frame.wrap_value(v) for v in seeds], True)
    tensors = dict(zip(seeds, grads, strict=True))
    made, graph.nodes[first:] = graph.nodes[first + len(seeds) :], []
    for node in made:
        if tensors.keys().isdisjoint(node.values):
            graph.nodes.append(node)
            continue
        if node.payload is not None and node.op != "host":
            raise RuntimeError(
                f"vjp: expected operations of the op table below a vmap or jvp of gradients in a graph, got {node.op} at "
                f"{node.line}. Use forward mode (jvp, jacfwd), or one gradient after the other."
            )
        operands = [
            v if v is None else v[0] if type(v) is tuple else tensors[v] if v in tensors else frame.wrap_value(v)
            for v in node.inputs
        ]
        out = _core.apply(entry(node.op), operands, node.attrs) if node.payload is None else _again(node, operands)
        tensors.update(zip(node.results, out if isinstance(out, tuple) else (out,), strict=True))
    values = [None if t is None else frame.value_of(t) for t in found]
    return [tensors.get(v, t) for v, t in zip(values, found, strict=True)]


def _again(node, operands):
    """A host function on wrappers: the Function that calls it takes them."""
    function, arguments = _host.rule(node.payload["function"])
    return function.apply(*operands, *arguments(node.payload["options"]))


def symbolic_gradients(graph, loss, wrt, gradient, allow_unused):
    """Graph.gradients: see there."""
    frame = graph.frame
    losses, targets = _listed(loss, "the loss"), _listed(wrt, "wrt")
    given = [None] * len(losses) if gradient is None else _listed(gradient, "gradient")
    if len(given) != len(losses):
        raise RuntimeError(f"gradients: expected {len(losses)} gradients, one for each loss, got {len(given)}.")
    outputs = []
    for t, g in zip(losses, given, strict=True):
        value = frame.value_of(t, "gradients")
        shape = tuple(graph.shapes[value])
        if not (graph.dtypes[value].is_floating_point if g is None else graph.dtypes[value].is_inexact):
            raise RuntimeError(
                f"gradients: expected a floating loss, or a complex one with gradient=, got {graph.dtypes[value]}."
            )
        if g is None and not same_sizes(shape, (1,) * len(shape)):
            raise RuntimeError(
                f"gradients: expected a loss of one element, got shape {shape}. Pass gradient=, or reduce first with "
                ".sum()."
            )
        if g is not None and not same_sizes(g.shape, shape):
            raise RuntimeError(f"gradients: expected a gradient of shape {shape}, got {tuple(g.shape)}.")
        outputs.append((value, ones(graph, value) if g is None else frame.value_of(g, "gradients")))
    values = [origin_of(frame, t) for t in targets]
    found = differentiate(graph, outputs, values)
    for v, g in zip(values, found, strict=True):
        if g is None and not allow_unused:
            raise RuntimeError(
                f"gradients: expected a loss that depends on {graph.label(v)}, got one that does not. Pass "
                "allow_unused=True to get None for it."
            )
    wrapped = [None if g is None else frame.wrap_value(g) for g in found]
    return wrapped[0] if is_tensor(wrt) else wrapped
