"""A small graph and its gradients as mathematics."""

from .. import _core
from .._dtypes import DTYPES
from ..func._levels import entry, zeros
from ..graph._graph import Graph
from ..ops import TABLE, trace_rule
from ._algebra import FLOAT, Algebra
from ._build import caller_names
from ._formula_graph import LEAF, pairs_of
from ._notation import Latex, Text, latex_name
from ._summary import Summary

LIMIT = 200  # nodes of a graph that is shown as a formula
NAMED_FROM = 4  # expressions of this size that are used more than once get a name
LONGEST = 30  # and so do larger ones, wherever they are used


class Formula:
    """What `formula` returns: prints as text, shows as LaTeX in notebooks.

    Attributes:
        text: the lines as Python reads them.
        latex: the lines as LaTeX (an `aligned` environment, for mathematics mode).
        definitions: dict from the names of shared expressions and of the result to their expressions, as text.
        gradients: dict from the names of leaves to their gradients, as text.
        notes: sentences for the reader.
    """

    def __init__(self, lines, notes):
        self.notes = notes
        self._lines = lines  # (kind, left as text, right as text, left as LaTeX, right as LaTeX)
        self.definitions = {left: right for kind, left, right, _, _ in lines if kind == "value"}
        self.gradients = {left: right for kind, left, right, _, _ in lines if kind == "gradient"}
        self.root = [left for kind, left, _, _, _ in lines if kind == "value"][-1]

    @property
    def text(self):
        """The lines, and the notes below them."""
        rows = []
        for kind, left, right, _, _ in self._lines:
            rows.append((left if kind == "value" else f"d{self.root}/d{left}", right))
        width = max(len(left) for left, _ in rows)
        return "\n".join([f"{left.ljust(width)} = {right}" for left, right in rows] + list(self.notes))

    @property
    def latex(self):
        """The lines in an `aligned` environment."""
        root = latex_name(self.root)
        rows = []
        for kind, _, _, left, right in self._lines:
            name = left if kind == "value" else rf"\frac{{\partial {root}}}{{\partial {left}}}"
            rows.append(rf"{name} &= {right}")
        return "\\begin{aligned}\n" + " \\\\\n".join(rows) + "\n\\end{aligned}"

    def __str__(self):
        return self.text

    __repr__ = __str__

    def _repr_latex_(self):
        return f"$\\displaystyle {self.latex}$"


def formula(x, *, names=None, gradients=True):
    """A small graph and its gradients as expressions.

    The gradients are derived from the gradient rules of the op table, the ones that `backward()` runs, and simplified
    as on paper. Leaves, and inner values that a variable holds, go by the names of the variables; expressions that
    are used more than once get names t1, t2, ... Numbers that an op took and that its rule does not keep are known
    inside `with wengert.record():` only; otherwise they are c1, c2, ...

    Args:
        x: a tensor with history, or a Graph with one output. Where it has several elements, the gradients are those of
            their sum.
        names: a dict from names to tensors and modules; the variables of the caller where it is None.
        gradients: False leaves the gradients out.

    Returns:
        A Formula: `print(f)`, `f.text`, `f.latex`, `f.gradients`.

    Raises:
        TypeError: x is something else.
        RuntimeError: x has no history.
        ValueError: the graph has more than 200 nodes (`viz.text` shows those), or a Graph has not one output.

    Example:
        >>> import wengert
        >>> x, y, z = (wengert.tensor(v, requires_grad=True) for v in (-2.0, 5.0, -4.0))
        >>> f = (x + y) * z
        >>> print(wengert.viz.formula(f))
        f     = (x + y) * z
        df/dx = z
        df/dy = z
        df/dz = x + y
        >>> print(wengert.viz.formula(f, gradients=False).latex)
        \\begin{aligned}
        f &= \\left(x + y\\right) \\cdot z
        \\end{aligned}
    """
    known = _names(caller_names() if names is None else names)
    if isinstance(x, Graph):
        pairs, known = pairs_of(x, {v: known.get(_key(state.tensor)) for v, state in x.states.items()})
    elif isinstance(x, _core.Tensor):
        pairs = _core.graph_nodes([x])
    else:
        raise TypeError(f"formula: expected a Tensor or a Graph, got {type(x).__name__}.")
    if not pairs:
        raise RuntimeError(
            "formula: expected a tensor with history, got one that does not require grad. Compute it from tensors "
            "made with requires_grad=True."
        )
    if len(pairs) > LIMIT:
        raise ValueError(f"formula: expected a graph of at most {LIMIT} nodes, got {len(pairs)}. Use viz.text.")
    custom = [node.op.removesuffix("Backward") for node, _ in pairs if node.op != LEAF and node.op not in TABLE]
    if custom and gradients:
        raise ValueError(
            f"formula: expected ops of the op table, got the custom function {custom[0]}, whose gradient is code. Pass "
            "gradients=False."
        )
    derivation = _Derivation(pairs, known)
    derivation.forward()
    try:
        results = derivation.backward() if gradients else {}
    except (RuntimeError, ValueError, IndexError) as error:
        if not derivation.unknown:
            raise
        raise RuntimeError(
            "formula: expected a graph whose constants are known, got one that an op needs more of. Make the graph "
            "inside `with wengert.record():`, or pass gradients=False."
        ) from error
    return _written(derivation, results)


def _names(names):
    """Number of a node -> the name of the variable or parameter that holds its result; tensors without a node by id."""
    found = {}
    for name, value in names.items():
        named = [(name, value)] if isinstance(value, _core.Tensor) else list(value.named_parameters())
        for own, t in named:
            found.setdefault(_key(t), own)
    return found


def _key(t):
    node = _core.node_of(t)
    return id(t) if node is None else node.sequence


class _Derivation:
    """Expressions of the values of a tape, and of the gradients of its leaves."""

    def __init__(self, pairs, names):
        self.pairs = pairs
        self.names = names
        self.algebra = Algebra()
        self.values = [None] * len(pairs)
        self.named = {}  # expression of an inner value -> the variable's name
        self.operands = [None] * len(pairs)
        self.taken = set(names.values())
        self.unknown = []
        self.leaves = []  # places, in order

    def fresh(self, stem):
        """A name that nothing has: stem1, stem2, ..."""
        k = 1
        while f"{stem}{k}" in self.taken:
            k += 1
        self.taken.add(f"{stem}{k}")
        return f"{stem}{k}"

    def forward(self):
        for k in range(len(self.pairs) - 1, -1, -1):
            node, places = self.pairs[k]
            shape, dtype = node.shape, node.dtype
            name = self.names.get(node.sequence)
            notes = node.notes
            if node.op == LEAF:
                if node.variable is not None:
                    shape, dtype = tuple(node.variable.shape), node.variable.dtype
                recorded = notes.name if notes is not None else None
                if name is None and recorded is not None and recorded not in self.taken:
                    name = recorded
                    self.taken.add(name)
                self.values[k] = self.algebra.name(name or self.fresh("x"), tuple(shape), dtype)
                self.leaves.append(k)
                continue
            row = TABLE.get(node.op)
            if row is None:
                self.values[k] = self._opaque(node, places)
                continue
            args = [self._operand(node, row, place, j) for place, j in enumerate(places)]
            self.operands[k] = args
            attrs = tuple((f, _frozen(v)) for f, v in node.attributes.items())
            self.values[k] = self.algebra.written(node.op, args, attrs, tuple(shape), dtype)
            if name is not None:
                self.named.setdefault(self.values[k], name)

    def _opaque(self, node, places):
        """A result of a custom function: a call by its name, whose gradient is not a formula."""
        args = [self.values[j] for j in places if j >= 0]
        if node.shape is None:  # the function itself: its picks stand for its results
            return self.algebra.written(node.op.removesuffix("Backward"), args, (), (), FLOAT)
        function = args[0]
        return self.algebra.written(function.op, function.args, (), tuple(node.shape), node.dtype)

    def _operand(self, node, row, place, j):
        if j >= 0:
            return self.values[j]
        notes = node.notes
        known = (notes.operands or {}).get(place) if notes is not None else None
        value = _saved(node, place) if known is None else known.value
        if isinstance(value, _core.Tensor):
            value = Summary.of(value)
        if isinstance(value, (bool, int, float)):
            return self.algebra.number(value)
        whole = getattr(value, "whole", None)
        if isinstance(whole, (bool, int, float)) and row.elementwise:
            return self.algebra.number(whole, (), DTYPES.get(value.dtype, FLOAT))
        recorded = notes is not None and notes.recording is not None
        if known is None and value is None and (recorded or place in node.absent_operands):
            return None
        shape, dtype = (value.shape, value.dtype) if value is not None else ((), node.dtype)
        name = known.name if known is not None else None
        if name is None or name in self.taken:
            name = name or self.fresh("c")
            if known is None and value is None:
                self.unknown.append(name)
        if isinstance(dtype, str):
            dtype = DTYPES.get(dtype, FLOAT)
        return self.algebra.name(name, tuple(shape), dtype)

    def backward(self):
        """Expression of the gradient of each leaf, by its place; None where there is none."""
        algebra = self.algebra
        root = self.values[0]
        gradients = {0: algebra.number(1.0, root.shape, root.dtype)}
        for k, (node, places) in enumerate(self.pairs):
            g = gradients.get(k)
            if g is None or node.op == LEAF:
                continue
            for j, e in zip(places, self._rule(k, node, places, g), strict=True):
                if j < 0 or e is None:
                    continue
                e = algebra.reduced(e, self.values[j].shape)
                have = gradients.get(j)
                gradients[j] = e if have is None else algebra.total([(1.0, have), (1.0, e)], e.dtype)
        return {k: gradients.get(k) for k in self.leaves}

    def _rule(self, k, node, places, g):
        """The gradients that the rule of node k gives its operands, as expressions."""
        row, args = TABLE[node.op], self.operands[k]
        absent = tuple(p for p, a in enumerate(args) if a is None)
        shapes = [None if a is None else a.shape for a in args]
        attrs = tuple(node.attributes.values())
        mask = -1 if row.variadic else sum(1 << p for p, j in enumerate(places) if j >= 0)
        traced = trace_rule(row, mask, attrs, shapes, len(args), absent)
        value = self.values[k]
        own = dict(value.attrs)
        registers = {0: g, **{1 + p: a for p, a in enumerate(args)}, 1 + len(args): value}
        for which in range(1, len(row.outputs)):
            pairs = _core.infer(entry(node.op), [None if a is None else _stand_in(a) for a in args], attrs)
            shape, dtype = pairs[which]
            registers[1 + len(args) + which] = self.algebra.written(
                node.op, args, value.attrs, tuple(shape), dtype, which
            )
        for p, number in enumerate(traced.constants):
            registers[traced.given + p] = self.algebra.number(number)
        for op, inputs, out, given in traced.code:
            fields = TABLE[op].fields
            if given == "inherit":
                values = [own.get(f, v) for f, v in zip(fields, attrs, strict=True)]
            else:
                values = [attrs[v] if kind == "field" else v for kind, v in given or ()]
            operands = [None if r < 0 else registers[r] for r in inputs]
            pairs = tuple((f, _frozen(v)) for f, v in zip(fields, values, strict=True))
            for place, e in enumerate(self.algebra.made(op, operands, pairs)):
                registers[out + place] = e
        return [None if r < 0 else registers[r] for r in traced.results]


def _saved(node, place):
    """The operand at a place where the node itself keeps it, a number or a tensor; else None."""
    number = node.saved_numbers.get(place)
    if number is not None:
        return number
    try:
        return node.saved_operands.get(place)
    except RuntimeError:  # changed in place since
        return None


def _stand_in(a):
    return a.attrs if a.op == "number" and a.shape == () else zeros(a.shape, a.dtype)


def _frozen(value):
    return tuple(value) if isinstance(value, list) else value


def _written(derivation, gradients):
    root = derivation.values[0]
    node = derivation.pairs[0][0]
    root_name = derivation.names.get(node.sequence)
    if root_name is None:
        root_name = "f" if "f" not in derivation.taken else derivation.fresh("f")
    goals = [root, *[e for e in gradients.values() if e is not None]]
    shared = _shared(derivation, goals, root)
    order = [e for e in _in_order(goals) if e in shared or e is root]
    names = {e: shared[e] or derivation.fresh("t") for e in order if e is not root}
    if root.args:
        names[root] = root_name
    text, latex = Text(names), Latex(names)
    lines = []
    for e in sorted(order, key=lambda e: e is root):
        name = root_name if e is root else names[e]
        lines.append(("value", name, text.write(e, True), latex_name(name), latex.write(e, True)))
    for k, e in gradients.items():
        leaf = derivation.values[k].attrs
        if e is None:
            e = derivation.algebra.number(0.0, derivation.values[k].shape)
        lines.append(("gradient", leaf, text.write(e), latex_name(leaf), latex.write(e)))
    notes = []
    if derivation.unknown:
        kept = "a constant that was" if len(derivation.unknown) == 1 else "constants that were"
        notes.append(f"{', '.join(derivation.unknown)}: {kept} not kept. `with wengert.record():` keeps them.")
    if gradients and root.shape != ():
        notes.append(f"{root_name} has shape {root.shape}; the gradients are those of its sum.")
    return Formula(lines, notes)


def _in_order(goals):
    """All expressions that the goals are written with, operands first."""
    seen, out = set(), []
    todo = [(e, False) for e in reversed(goals)]
    while todo:
        e, ready = todo.pop()
        if ready:
            out.append(e)
        elif e not in seen:
            seen.add(e)
            todo.append((e, True))
            todo.extend((a, False) for a in reversed(e.args) if a is not None)
    return out


def _shared(derivation, goals, root):
    """The expressions that get a name: those that a variable holds, that are used more than once, or that grow long.
    A dict to the variable's name or None."""
    uses = dict.fromkeys(goals, 1)
    order = _in_order(goals)
    for e in order:
        for a in e.args:
            if a is not None:
                uses[a] = uses.get(a, 0) + 1
    named, size = {}, {}
    for e in order:
        if not e.args:
            size[e] = 1
            continue
        size[e] = 1 + sum(size[a] for a in e.args if a is not None)
        if e is not root and (
            e in derivation.named
            or size[e] > LONGEST
            or uses[e] > 1 and size[e] >= NAMED_FROM
        ):  # fmt: skip
            named[e] = derivation.named.get(e)
            size[e] = 1
        elif e is root:
            size[e] = 1
    return named
