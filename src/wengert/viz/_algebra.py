"""Expressions over ops, and the simplifications that gradients need to be read.

An expression is the record of an op on expressions, or one of four kinds of its own: a name, a number (of any shape: all
elements are equal), a sum of terms with coefficients, and a product of factors with exponents. Equal expressions are one
object. What the user wrote is kept as it is; only what gradient rules make is simplified:

- sums collect equal terms, products equal factors; factors may cancel (x / x is 1, as on paper, also where x is 0);
- numbers are computed, 1 * x is x, 0 + x is x;
- what only spreads a value over a shape vanishes where an elementwise neighbour spreads it anyway;
- rows that exist for speed are written by their definition (`linear` as x @ w.T + b, `zmul` as a product).
"""

import math

from .. import _core
from .._dtypes import DTYPES
from ..func._levels import entry, zeros
from ..ops import TABLE

FLOAT = DTYPES["float32"]
NUMBER_OPS = {
    "eq": lambda a, b: float(a == b),
    "ne": lambda a, b: float(a != b),
    "lt": lambda a, b: float(a < b),
    "le": lambda a, b: float(a <= b),
    "gt": lambda a, b: float(a > b),
    "ge": lambda a, b: float(a >= b),
}
SPREADS = (
    "expand", "expand_like", "unreduce_like", "reshape_like", "reshape", "transpose", "permute", "unsqueeze", "slice",
    "select", "flip", "rows", "squeeze",
)  # fmt: skip
SAME = ("alias", "contiguous", "clone", "cast", "cast_like")


class Expr:
    """One expression. op: a row's name, or "name", "number", "+", "*". args: expressions (None: an absent operand).

    attrs: of a row its attributes as pairs (field, value); of a name its text; of a number its value; of "+" the
    coefficients; of "*" the coefficient and the exponents. shape, dtype: of the result; size: how many ops it is written
    with.
    """

    __slots__ = ("args", "attrs", "dtype", "op", "shape", "size")

    def __init__(self, op, args, attrs, shape, dtype):
        self.op = op
        self.args = args
        self.attrs = attrs
        self.shape = shape
        self.dtype = dtype
        self.size = 1 + sum(a.size for a in args if a is not None)


def broadcast(shapes):
    """The shape that shapes broadcast to."""
    rank = max((len(s) for s in shapes), default=0)
    out = [1] * rank
    for s in shapes:
        for k, n in enumerate(s, rank - len(s)):
            if n != 1:
                out[k] = n
    return tuple(out)


class Algebra:
    """Makes expressions; equal ones once."""

    def __init__(self):
        self._known = {}

    def _intern(self, op, args, attrs, shape, dtype):
        key = (op, tuple(map(id, args)), attrs, shape, dtype)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = Expr(op, tuple(args), attrs, tuple(shape), dtype)
        return found

    def name(self, text, shape, dtype):
        """A variable."""
        return self._intern("name", (), text, shape, dtype)

    def number(self, value, shape=(), dtype=FLOAT):
        """A tensor whose elements are all `value`."""
        return self._intern("number", (), float(value), tuple(shape), dtype)

    def written(self, op, args, attrs, shape, dtype, which=0):
        """An op as the user called it. which: the number of the result that is meant."""
        if op == "permute":
            op, attrs = _as_transpose(op, tuple(attrs))
        if op == "select":
            found = self._vector_product(args[0], shape)
            if found is not None:
                return found
        if which:
            attrs = (*attrs, ("result", which))
        return self._intern(op, args, tuple(attrs), shape, dtype)

    def made(self, op, args, attrs):
        """The results of an op in a gradient rule, simplified: a list."""
        row = TABLE[op]
        op, attrs = _as_transpose(op, attrs)
        values = dict(attrs)
        shapes = self._infer(op, args, attrs)
        shape, dtype = shapes[0]
        if row.elementwise:
            args = self._spread_by_neighbours(args, shape)
            found = self._elementwise(op, args, values, shape, dtype)
        else:
            found = self._structural(op, args, values, shape, dtype)
        if found is None:
            found = self._intern(op, args, attrs, shape, dtype)
        rest = [self._intern(op, args, (*attrs, ("result", k)), *shapes[k]) for k in range(1, len(shapes))]
        return [found, *rest]

    def _infer(self, op, args, attrs):
        operands = []
        for a in args:
            if a is None:
                operands.append(None)
            elif a.op == "number" and a.shape == () and len(args) > 1 and a.dtype.is_floating_point:
                operands.append(a.attrs)
            elif op == "as_strided":  # looks at the storage: an expanded zero is too small
                operands.append(_core.full(a.shape, 0, a.dtype))
            else:
                operands.append(zeros(a.shape, a.dtype))
        if operands and not any(isinstance(v, _core.Tensor) for v in operands):
            operands = [None if v is None else zeros((), args[0].dtype) for v in operands]
        shapes = _core.infer(entry(op), operands, tuple(v for _, v in attrs))
        return [(tuple(shape), dtype) for shape, dtype in shapes]

    # ---- elementwise

    def _spread_by_neighbours(self, args, shape):
        """The operands of an elementwise op without what spreads them, where the others have the shape anyway."""
        args = list(args)
        for k, a in enumerate(args):
            inner = self._unspread(a)
            if (
                inner is not a
                and broadcast([b.shape for j, b in enumerate(args) if j != k] + [inner.shape]) == shape
            ):
                args[k] = inner
        return args

    def _unspread(self, a):
        if a.op == "number" and a.shape != ():
            return self.number(a.attrs, (), a.dtype)
        return a.args[0] if a.op == "expand" and a.args[0].shape == () else a

    def _elementwise(self, op, args, values, shape, dtype):
        if op in ("add", "sub"):
            return self._fit(self.total([(1.0, args[0]), (1.0 if op == "add" else -1.0, args[1])], dtype), shape)
        if op == "neg":
            return self.total([(-1.0, args[0])], dtype)
        if op in ("mul", "zmul"):
            return self._fit(self.product(1.0, [(args[0], 1), (args[1], 1)], dtype), shape)
        if op in ("div", "zdiv"):
            if args[1].op == "number" and args[1].attrs == 0:
                return None
            return self._fit(self.product(1.0, [(args[0], 1), (args[1], -1)], dtype), shape)
        if op == "square":
            return self.product(1.0, [(args[0], 2)], dtype)
        if op == "pow_scalar":
            return self._power(args[0], values["exponent"], dtype)
        if op == "pow" and args[1].op == "number":
            return self._fit(self._power(args[0], args[1].attrs, dtype), shape)
        if op in NUMBER_OPS and all(a.op == "number" for a in args):
            return self.number(NUMBER_OPS[op](args[0].attrs, args[1].attrs), shape, dtype)
        if op == "where" and args[0].op == "number":
            return self._fit(args[1] if args[0].attrs else args[2], shape)
        if op in SAME:
            return args[0]
        return None

    def _power(self, base, exponent, dtype):
        if exponent == 0:
            return self.number(1.0, base.shape, dtype)
        if exponent == 1:
            return base
        if base.op == "number" and (base.attrs > 0 or exponent == int(exponent) and base.attrs):
            return self.number(_raised(base.attrs, exponent), base.shape, dtype)
        if exponent == int(exponent):
            return self.product(1.0, [(base, int(exponent))], dtype)
        return self._intern("pow_scalar", (base,), (("exponent", exponent),), base.shape, dtype)

    def total(self, terms, dtype):
        """The sum of pairs (coefficient, expression), with equal terms collected."""
        parts, constant = {}, 0.0
        shape = broadcast([e.shape for _, e in terms])
        todo = list(reversed(terms))
        while todo:
            c, e = todo.pop()
            if e.op == "number":
                constant += c * e.attrs
            elif e.op == "+":
                todo.extend((c * inner, a) for inner, a in reversed(list(zip(e.attrs, e.args, strict=True))))
            else:
                if e.op == "*":
                    c, e = c * e.attrs[0], self.product(1.0, list(zip(e.args, e.attrs[1], strict=True)), e.dtype)
                elif e.op == "neg":
                    c, e = -c, e.args[0]
                parts[e] = parts.get(e, 0.0) + c
        parts = {e: c for e, c in parts.items() if c != 0}
        if not parts:
            return self.number(constant, shape, dtype)
        if constant:
            parts[self.number(constant, (), dtype)] = 1.0
        if len(parts) == 1:
            ((e, c),) = parts.items()
            return self._fit(self.product(c, [(e, 1)], dtype), shape)
        made = broadcast([e.shape for e in parts])
        whole = self._intern("+", tuple(parts), tuple(parts.values()), made, dtype)
        return self._fit(whole, shape)

    def product(self, coefficient, factors, dtype):
        """coefficient times the factors, pairs (expression, exponent), with equal factors collected."""
        powers = {}
        shape = broadcast([e.shape for e, _ in factors])
        todo = list(reversed(factors))
        while todo:
            e, n = todo.pop()
            if e.op == "number" and (e.attrs != 0 or n > 0):
                coefficient *= _raised(e.attrs, n)
            elif e.op == "*":
                coefficient *= _raised(e.attrs[0], n)
                todo.extend((a, k * n) for a, k in reversed(list(zip(e.args, e.attrs[1], strict=True))))
            elif e.op in ("mul", "div") and e.size <= FLATTENED:
                todo.extend([(e.args[1], n if e.op == "mul" else -n), (e.args[0], n)])
            elif e.op == "neg" and e.size <= FLATTENED:
                coefficient *= (-1.0) ** n
                todo.append((e.args[0], n))
            elif e.op == "pow_scalar" and e.attrs[0][1] == int(e.attrs[0][1]):
                todo.append((e.args[0], int(e.attrs[0][1]) * n))
            else:
                powers[e] = powers.get(e, 0) + n
        powers = {e: n for e, n in powers.items() if n}
        if coefficient == 0 or not powers:
            return self.number(coefficient, shape, dtype)
        if coefficient == 1 and list(powers.values()) == [1]:
            return self._fit(next(iter(powers)), shape)
        if len(powers) == 1:
            ((e, n),) = powers.items()
            if n == 1 and e.op == "+" and e.size <= FLATTENED:  # -(a - b) is b - a, 2 * (a + b) stays
                if coefficient == -1:
                    return self._intern("+", e.args, tuple(-c for c in e.attrs), e.shape, dtype)
        made = broadcast([e.shape for e in powers])
        whole = self._intern("*", tuple(powers), (coefficient, tuple(powers.values())), made, dtype)
        return self._fit(whole, shape)

    def _fit(self, e, shape):
        """e spread over a shape that it broadcasts to."""
        if e.shape == tuple(shape):
            return e
        if e.op == "number":
            return self.number(e.attrs, shape, e.dtype)
        return self._intern("expand", (e,), (("size", tuple(shape)),), shape, e.dtype)

    # ---- what changes shapes

    def _structural(self, op, args, values, shape, dtype):
        x = args[0]
        if op in SAME:
            return x
        if op in SPREADS and x.op == "number":
            return self.number(x.attrs, shape, dtype)
        if op in ("expand", "expand_like", "reshape", "reshape_like", "rows", "sum_to_like") and x.shape == shape:
            return x
        if op in ("expand", "expand_like", "unreduce_like") and (x.shape == () or op != "unreduce_like"):
            return self._intern("expand", (x,), (("size", shape),), shape, dtype)
        if op in ("reshape", "reshape_like"):
            found = self._vector_product(x, shape)
            if found is not None:
                return found
        if op == "select_embed" and args[1].shape[values["dim"]] == 1:
            return self.made("unsqueeze", [x], (("dim", values["dim"]),))[0]
        if op == "matmul" and _column(x) is not None and _row(args[1]) is not None:
            return self._intern("outer", (_column(x), _row(args[1])), (), shape, dtype)
        if op == "reshape_like":
            return self._intern("reshape", (x,), (("shape", shape),), shape, dtype)
        if op == "transpose" and x.op == op and x.attrs == tuple(values.items()):
            return x.args[0]
        if op == "mean_embed":
            share = math.prod(x.shape) / max(math.prod(shape), 1)
            whole = self.made("unreduce_like", [x, args[1]], tuple(values.items()))[0]
            return self._fit(self.product(share, [(whole, 1)], dtype), shape)
        if op == "sum_to_like":
            return self.reduced(x, shape)
        if op == "sum" and x.op == "number":
            return self.number(x.attrs * math.prod(x.shape) / max(math.prod(shape), 1), shape, dtype)
        if op == "matmul_rows":
            return self._intern("matmul", args, (), shape, dtype)
        if op == "rows" and len(x.shape) == 1:
            return self.made("unsqueeze", [x], (("dim", 0),))[0]
        if op == "zeros_like":
            return self.number(0.0, shape, dtype)
        return None

    def _vector_product(self, e, shape):
        """A product of matrices, of which some were vectors and become so again, as it was written; else None."""
        if e.op != "matmul" or len(e.shape) != 2:
            return None
        a, b = e.args
        row, column = _row(a), _column(b)
        rows, columns = e.shape
        if column is not None and shape == (rows,):
            return self._intern("matmul", (a, column), (), shape, e.dtype)
        if row is not None and shape == (columns,):
            return self._intern("matmul", (row, b), (), shape, e.dtype)
        return None

    def reduced(self, e, shape):
        """e summed to a shape that broadcasts to its own."""
        shape = tuple(shape)
        if e.shape == shape:
            return e
        if e.op == "number":
            return self.number(e.attrs * math.prod(e.shape) / max(math.prod(shape), 1), shape, e.dtype)
        if e.op == "expand" and e.args[0].shape == shape:
            return self.product(math.prod(e.shape) / max(math.prod(shape), 1), [(e.args[0], 1)], e.dtype)
        if shape == ():
            return self._intern("sum", (e,), (("dim", None), ("keepdim", False)), (), e.dtype)
        return self._intern("sum_to_size", (e,), (("size", shape),), shape, e.dtype)


def _raised(value, exponent):
    """A power of a number, infinite where it is too large."""
    try:
        return value**exponent
    except OverflowError:
        return math.copysign(math.inf, value if exponent % 2 == 1 else 1.0)


def _as_transpose(op, attrs):
    """A permutation that swaps two dimensions is written as a transposition."""
    if op == "permute" and tuple(attrs[0][1]) == (1, 0):
        return "transpose", (("dim0", -2), ("dim1", -1))
    return op, attrs


def _column(e):
    """The vector that e is as a matrix of one column, or None."""
    if e.op == "unsqueeze" and len(e.shape) == 2 and e.attrs[0][1] in (1, -1):
        return e.args[0]
    return _row(e.args[0]) if e.op == "transpose" and len(e.shape) == 2 else None


def _row(e):
    """The vector that e is as a matrix of one row, or None."""
    if e.op == "unsqueeze" and len(e.shape) == 2 and e.attrs[0][1] in (0, -2):
        return e.args[0]
    return _column(e.args[0]) if e.op == "transpose" and len(e.shape) == 2 else None


FLATTENED = 12  # written products and quotients of at most this size are taken apart in gradients
