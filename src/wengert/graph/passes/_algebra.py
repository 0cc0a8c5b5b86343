"""Algebra that keeps every bit: factors of 1, double negation, small powers, casts and transposes that cancel."""

from ._forward import Walk, forward
from ._rewrite import substituted

_IDEMPOTENT = frozenset({"relu", "abs", "floor", "ceil", "trunc", "round_even"})
_WITH_NUMBER = frozenset({"mul", "div", "sub", "add"})
_MAY_PASS = _IDEMPOTENT | _WITH_NUMBER | {"pow_scalar", "cast", "neg", "transpose", "permute"}
_THROUGH = {"abs": "neg", "view": "view", "reshape": "view"}  # op -> the op whose operand it may as well read
_LOOKED_AT = _MAY_PASS | _THROUGH.keys() | {"sum_to_like"}
_LOOKED_BACK_AT = _IDEMPOTENT | {"cast", "neg", "transpose", "permute", "view"}
# Types of which another type holds every value, NaN of any kind aside, of which there is one in arithmetic.
_HOLDS = {
    "float32": ("float64",),
    "float16": ("float32", "float64"),
    "bfloat16": ("float32", "float64"),
    "int32": ("int64", "float64"),
    "int16": ("int32", "int64", "float32", "float64"),
    "int8": ("int16", "int32", "int64", "float32", "float64"),
    "uint8": ("int16", "int32", "int64", "float32", "float64"),
    "bool": ("uint8", "int8", "int16", "int32", "int64", "float32", "float64"),
}


class _Algebra(Walk):
    """Rewrites nodes by identities that hold for NaN, infinities and signed zeros too.

    `x * 1`, `x / 1` and `x - 0` are x (`x + 0` is for integers: it turns -0.0 into 0.0); `--x` is x; `x ** 1` is x,
    `x ** 2` is x * x, as it is computed anyway; relu, abs, floor, ceil, trunc and round of their own results are nothing,
    and the absolute value takes no sign; a cast to a type that holds every value and back is nothing; transposing twice is
    nothing; a view of a view is one; a sum to a shape with fewer dimensions is a sum.

    What is not done, because bits would change: `exp(log(x))`, `x * a * b` as `x * (a * b)`, `x + -y` (another NaN),
    `x * 0`, `(x + y) - y`. Transposed operands need no rule: products read them where they lie.
    """

    makes = frozenset({"square", "sum"})

    def __init__(self, graph, ops):
        super().__init__(graph, ops)
        self.idle = _LOOKED_AT.isdisjoint(ops)
        self.made = {}  # value -> its node, of ops that those behind them undo

    def through(self, nodes):
        replaced = self.replaced
        untouched = replaced.keys().isdisjoint
        kept = []
        for node in nodes:
            if not untouched(node.inputs):
                node = substituted(node, replaced)
            if node.op in _LOOKED_AT:
                node = self._look(node)
                if node is None:
                    continue
            kept.append(node)
        return kept

    def _look(self, node):
        """What stands for a node; None where its operand does."""
        graph, made = self.graph, self.made
        same = _operand(graph, node, made)
        if same is not None:
            self.replaced[node.results[0]] = same
            self.count += 1
            return None
        if node.op == "pow_scalar" and node.attrs == (2.0,) and graph.dtypes[node.results[0]].is_floating_point:
            node = node.rewritten(op="square", attrs=())
            self.count += 1
        before = made.get(node.inputs[0]) if node.op in _THROUGH else None
        if before is not None and before.op == _THROUGH[node.op] and type(before.inputs[0]) is int:
            node = node.rewritten(inputs=before.inputs)
            self.count += 1
        if node.op == "sum_to_like":
            dims = _leading(graph, node)
            if dims is not None:
                node = node.rewritten(op="sum", inputs=node.inputs[:1], attrs=(dims, False))
                self.count += 1
        if node.op in _LOOKED_BACK_AT:
            made[node.results[0]] = node
        return node


algebra = forward("algebra", _Algebra)


def _leading(graph, node):
    """The dimensions that a sum_to_like drops, where it drops leading ones alone."""
    x, like = graph.shapes[node.inputs[0]], graph.shapes[node.results[0]]
    count = len(x) - len(like)
    return tuple(range(count)) if count > 0 and x[count:] == like else None


def _operand(graph, node, made):
    """The value that a node's result equals bit for bit, or None."""
    if node.op not in _MAY_PASS or node.op in _WITH_NUMBER and tuple not in map(type, node.inputs):
        return None
    x, y = node.inputs[0], node.results[0]
    other = node.inputs[1] if len(node.inputs) == 2 else None
    if node.op in ("mul", "add") and type(x) is tuple:
        x, other = other, x
    if type(x) is not int or (graph.shapes[x] != graph.shapes[y] and node.op not in ("transpose", "permute")):
        return None
    if graph.dtypes[x] != graph.dtypes[y]:
        return _undone(graph, node, made.get(x)) if node.op == "cast" else None
    if node.op in ("mul", "div") and _is_number(other, 1):
        return x
    if node.op == "sub" and _is_number(other, 0) and repr(other[0]) in ("0", "0.0"):
        return x
    if node.op == "add" and _is_number(other, 0) and not graph.dtypes[x].is_floating_point:
        return None if graph.dtypes[x].is_complex else x
    if node.op == "pow_scalar" and node.attrs == (1.0,):
        return x
    return _undone(graph, node, made.get(x))


def _undone(graph, node, before):
    """The value that a node's result equals, given the node that makes its operand."""
    if before is None:
        return None
    x, y = node.inputs[0], node.results[0]
    if node.op in _IDEMPOTENT and before.op == node.op and before.attrs == node.attrs:
        return x
    if node.op == "cast" and before.op == "cast":
        inner = before.inputs[0]
        fits = type(inner) is int and graph.dtypes[inner] == graph.dtypes[y]
        return inner if fits and graph.dtypes[x].name in _HOLDS.get(graph.dtypes[inner].name, ()) else None
    if node.op == "neg" and before.op == "neg":
        return before.inputs[0] if type(before.inputs[0]) is int else None
    if node.op == "permute" and before.op == "permute":
        inner, outer = before.attrs[0], node.attrs[0]
        if all(inner[d] % len(inner) == k for k, d in enumerate(outer)):
            return before.inputs[0]
    if node.op == "transpose" and before.op == "transpose":
        ndim = len(graph.shapes[y])
        if ndim and {d % ndim for d in node.attrs} == {d % ndim for d in before.attrs}:
            return before.inputs[0]
    return None


def _is_number(v, value):
    return type(v) is tuple and type(v[0]) in (int, float) and v[0] == value
