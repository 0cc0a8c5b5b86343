"""What the ops of dense tensors do with sparse ones: a few are defined, all others say what to use instead.

A sparse tensor is a wrapper of the core (it has a shape and a dtype, its memory is never read); its ops come to a frame
that is always open, as those of a function transform come to theirs.
"""

from . import _core
from ._bind import OPS
from .func._levels import Frame

Tensor = _core.Tensor


class SparseError(NotImplementedError, AttributeError):
    """Sparse tensors do not have the operation."""


class _SparseFrame(Frame):
    """Interprets the ops that have a sparse tensor among their operands, before any transform does."""

    __slots__ = ()
    writes_outside = True

    def __init__(self):
        self.alive, self.depth = True, 1 << 30

    def run(self, entry, operands, attrs):
        rule = _RULES.get(entry.name)
        if rule is None:
            raise SparseError(
                f"{entry.name}: expected dense operands, got a sparse tensor. Sparse tensors are added, scaled, multiplied "
                "with dense matrices and coalesced; use .to_dense() first."
            )
        return rule(*operands, *attrs)

    def run_inplace(self, entry, x, operands, attrs):
        if x.is_sparse:
            result = self.run(entry, operands, attrs)
            if not result.is_sparse:
                raise SparseError(
                    f"{entry.name}_: expected sparse operands beside the sparse tensor to write, got a dense one. Use "
                    ".to_dense() first."
                )
            return x._become(result)
        factor = {"add": 1, "sub": -1, "add_scaled": operands[-1]}.get(entry.name)
        if factor is None:
            return self.run(entry, operands, attrs)
        return _same_shape("add", operands[1] * factor, x).added_to(x)


class _Content:
    """The payload of every sparse tensor: it leads ops to the frame."""

    frame = _SparseFrame()

    @staticmethod
    def explain_no_value(op):
        """Why Python cannot read the value of a sparse tensor."""
        return f"{op}: expected a dense tensor, got a sparse one. Use .to_dense() first."


CONTENT = _Content()


def _is_sparse(value):
    return isinstance(value, Tensor) and value.is_sparse


def _same_shape(op, value, other):
    if value.shape != other.shape:
        raise RuntimeError(
            f"{op}: expected tensors of one shape beside a sparse one, got {tuple(value.shape)} and "
            f"{tuple(other.shape)}."
        )
    return value


def _factor(op, other):
    if _is_sparse(other) or isinstance(other, Tensor) and other.numel() != 1:
        raise SparseError(f"{op}: expected a number beside a sparse tensor, got another. Use .to_dense() first.")
    return other.reshape(()) if isinstance(other, Tensor) else other


def _mul(a, b):
    if not _is_sparse(a):
        a, b = b, a
    return a._with(a._value * _factor("mul", b))


def _div(a, b):
    if not _is_sparse(a):
        raise SparseError("div: expected a dense divisor, got a sparse one. Use .to_dense() first.")
    return a._with(a._value / _factor("div", b))


def _add(a, b):
    if not (isinstance(a, Tensor) and isinstance(b, Tensor)):
        raise SparseError("add: expected a tensor beside a sparse one, got a number. Use .to_dense() first.")
    if not _is_sparse(b):
        a, b = b, a
    _same_shape("add", b, a)
    if not _is_sparse(a):
        return a + b.to_dense()
    if a.sparse_dim() != b.sparse_dim():
        raise RuntimeError(
            f"add: expected sparse tensors with as many indexed dimensions, got {a.sparse_dim()} and {b.sparse_dim()}."
        )
    both = type(a)(OPS["cat"]([a._index, b._index], 1), OPS["cat"]([a._value, b._value], 0), a.shape)
    return both.coalesce() if a._coalesced and b._coalesced else both


def _sub(a, b):
    return _add(a, -b)


def _matmul(a, b, *_):
    from .sparse import mm

    return mm(a, b)


def _of_values(name):
    """An op that keeps zeros zero, on the values of the coalesced tensor."""

    def rule(a):
        a = a.coalesce()
        return a._with(OPS[name](a._value))

    return rule


_RULES = {
    "add": _add,
    "sub": _sub,
    "add_scaled": lambda a, b, alpha: _add(a, b * alpha),
    "mul": _mul,
    "div": _div,
    "matmul": _matmul,
    "neg": lambda a: a._with(-a._value),
    **{name: _of_values(name) for name in ("abs", "sqrt", "square", "sign")},
}
