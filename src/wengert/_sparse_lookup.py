"""Looking up rows of a table whose gradient names those rows alone."""

from . import _core
from ._bind import OPS
from ._dtypes import DTYPES
from .autograd.function import Function
from .autograd.grad_mode import is_grad_enabled
from .func._levels import current_recorder

_int64 = DTYPES["int64"]


def is_sparse_lookup(op, weight, by_frequency):
    """Whether a lookup of this table has a sparse gradient: one that is asked for, outside transforms and graphs."""
    if not weight.requires_grad or not is_grad_enabled() or not _core.has_value(weight):
        return False
    if by_frequency:
        raise RuntimeError(
            f"{op}: expected scale_grad_by_freq=False with sparse gradients, got True. Use sparse=False."
        )
    recorder = current_recorder()
    return recorder is None or recorder.takes_sparse(op)


class Embedding(Function):
    """Passes a result of looking up a table through; the gradient of the table is sparse."""

    @staticmethod
    def forward(ctx, result, weight, rows):
        ctx.rows, ctx.shape = rows, tuple(weight.shape)
        return result

    @staticmethod
    def backward(ctx, grad):
        from .sparse import SparseTensor

        index, source, factor = ctx.rows
        values = grad.reshape(-1, ctx.shape[1])
        if source is not None:
            values = OPS["index_get"](values, source, (0,))
        if factor is not None:
            values = values * factor.unsqueeze(1)
        return grad, SparseTensor(index.unsqueeze(0), values, ctx.shape), None


def with_sparse_gradient(result, weight, index, source=None, factor=None, padding_idx=None):
    """`result`, computed from weight.detach(), with history to the table.

    Args:
        index: the rows looked up (n,).
        source: for each of them the row of the result that it is part of; None where they are the same in order.
        factor: what each was multiplied by (n,), or None.
        padding_idx: a row that gets no gradient.
    """
    index = index.reshape(-1).to(_int64)
    if padding_idx is not None:
        keep = (index != padding_idx).nonzero().squeeze(1)
        index = index[keep]
        source = keep if source is None else source[keep]
        factor = None if factor is None else factor[keep]
    return Embedding.apply(result, weight, (index, source, factor))
