"""Softmax, losses of classes, embeddings, linear layers."""

import wengert
from wengert._warn import warn

from . import _core
from . import _host as host
from ._bind import OPS
from ._dtypes import DTYPES
from ._indexing import check_index
from ._overload import check_tensor, store
from ._shaping import broadcast_shapes

_linear = OPS["linear"]
_softmax = OPS["softmax_rows"]
_log_softmax = OPS["log_softmax_rows"]
_cross_entropy = OPS["cross_entropy_rows"]
_class_loss = OPS["class_loss"]
_embedding = OPS["embedding_rows"]
smooth_abs = OPS["smooth_abs"]
_REDUCTIONS = {"none": 0, "mean": 1, "sum": 2}


def linear(input, weight, bias=None):
    """input (…, in) times the transpose of weight (out, in), plus bias (out,): (…, out).

    A weight (in,) gives (…,); a bias may have any shape that broadcasts to the result.

    Example:
        >>> import wengert
        >>> wengert.nn.functional.linear(wengert.ones(2), wengert.tensor([[1.0, 2.0], [3.0, 4.0]]))
        tensor([3., 7.])
    """
    try:
        return _linear(input, weight, bias)
    except RuntimeError:
        if not _rarely_shaped(input, weight, bias):
            raise
    y = input @ (weight if weight.ndim == 1 else weight.transpose(0, 1))
    return y if bias is None else y + bias


def _rarely_shaped(input, weight, bias):
    """Whether a product and a sum, but not the op of layers, take these shapes."""
    for x in (input, weight) if bias is None else (input, weight, bias):
        check_tensor("linear", x)
    if input.dtype != weight.dtype or input.ndim < 1 or weight.ndim not in (1, 2):
        return False
    if input.shape[-1] != weight.shape[-1]:
        return False
    if weight.ndim == 1:
        return bias is None or input.ndim == 1 and bias.ndim == 0
    size = (*input.shape[:-1], weight.shape[0])
    return bias is not None and tuple(bias.shape) != size[-1:] and broadcast_shapes(tuple(bias.shape), size) == size


def _implicit_dim(name, ndim):
    warn(f"{name}: expected dim=, got none; a guess was made. Pass dim=.")
    return 0 if ndim in (0, 1, 3) else 1


def softmax(input, dim=None, _stacklevel=3, dtype=None):
    """exp(x) divided by its sum along `dim`: positive values that add up to 1.

    input is a floating tensor of any shape; with dtype= it is converted first (integers may be given then). A
    missing dim is guessed with a warning.

    Example:
        >>> import wengert
        >>> wengert.softmax(wengert.tensor([0.0, 0.0]), 0)
        tensor([0.5000, 0.5000])
    """
    check_tensor("softmax", input)
    if dim is None:
        dim = _implicit_dim("softmax", input.ndim)
    return _softmax(input if dtype is None else input.to(dtype), dim)


def log_softmax(input, dim=None, _stacklevel=3, dtype=None):
    """The logarithm of softmax along `dim`, without overflow or cancellation; arguments as for softmax."""
    check_tensor("log_softmax", input)
    if dim is None:
        dim = _implicit_dim("log_softmax", input.ndim)
    return _log_softmax(input if dtype is None else input.to(dtype), dim)


def softmin(input, dim=None, _stacklevel=3, dtype=None):
    """softmax of -input along `dim`."""
    check_tensor("softmin", input)
    if dim is None:
        dim = _implicit_dim("softmin", input.ndim)
    return softmax(-input, dim, dtype=dtype)


def _softmax_method(name, row):
    def method(input, dim=None, dtype=None, *, axis=None, out=None):
        dim = axis if dim is None else dim
        if dim is None:
            raise TypeError(f"{name}: expected a dimension, got none. Pass dim=.")
        result = row(input if dtype is None else input.to(dtype), dim)
        return result if out is None else store(result, out)

    method.__name__ = method.__qualname__ = name
    method.__doc__ = f"{name} along `dim`, of the input converted to `dtype` where one is given."
    return method


torch_softmax = _softmax_method("softmax", _softmax)
torch_log_softmax = _softmax_method("log_softmax", _log_softmax)


# ---- losses ------------------------------------------------------------------------------------------------------


def legacy_reduction(size_average, reduce, reduction):
    """The reduction that PyTorch's old flags ask for."""
    if size_average is None and reduce is None:
        return reduction
    mean = size_average is None or size_average
    chosen = "none" if reduce is not None and not reduce else "mean" if mean else "sum"
    warn(f"size_average and reduce are deprecated: use reduction='{chosen}'.")
    return chosen


def _reduction_code(op, reduction):
    code = _REDUCTIONS.get(reduction)
    if code is None:
        raise ValueError(f"{op}: expected reduction 'none', 'mean' or 'sum', got {reduction!r}.")
    return code


def _class_rows(op, input, target, weight):
    """Scores as (rows, classes), targets as (rows,), and the shape of the losses."""
    check_tensor(op, input)
    if weight is not None and weight.requires_grad and _core.grad_enabled():
        raise RuntimeError(
            f"{op}: expected class weights without gradients, got some that require grad. Detach them."
        )
    if input.ndim == 0:
        raise ValueError(f"{op}: expected scores of at least 1 dimension, got a 0-d tensor.")
    if input.ndim == 1:
        if target.ndim != 0:
            raise ValueError(f"{op}: expected a 0-d target for scores (C,), got shape {tuple(target.shape)}.")
        return input.unsqueeze(0), target.reshape(1), ()
    shape = (input.shape[0], *input.shape[2:])
    if tuple(target.shape) != shape:
        kind = ValueError if target.ndim == 0 or target.shape[0] != shape[0] else RuntimeError
        raise kind(
            f"{op}: expected a target of shape {shape} for scores of shape {tuple(input.shape)}, got "
            f"{tuple(target.shape)}. Targets are class indices without the class dimension."
        )
    if input.ndim == 2:
        return input, target, shape
    return input.movedim(1, -1).reshape(-1, input.shape[1]), target.reshape(-1), shape


def nll_loss(input, target, weight=None, size_average=None, ignore_index=-100, reduce=None, reduction="mean"):
    """Negative log-likelihood of class indices under log-probabilities.

    Args:
        input: log-probabilities (N, C), (N, C, d1, ...) or (C,).
        target: class indices (N,), (N, d1, ...) or (), int64.
        weight: a weight for each class (C,); a mean divides by the weights of the targets.
        ignore_index: targets of this value count for nothing.
        reduction: 'mean', 'sum' or 'none'.

    Raises IndexError for classes out of range, ValueError and RuntimeError for shapes that do not fit.

    Example:
        >>> import wengert
        >>> logp = wengert.tensor([[0.25, 0.75]]).log()
        >>> wengert.nn.functional.nll_loss(logp, wengert.tensor([1]))
        tensor(0.2877)
    """
    reduction = legacy_reduction(size_average, reduce, reduction)
    code = _reduction_code("nll_loss", reduction)
    if weight is not None:
        check_tensor("nll_loss", weight)
    rows, target, shape = _class_rows("nll_loss", input, check_tensor("nll_loss", target), weight)
    loss = _class_loss(rows, target, weight, code, ignore_index, 0.0)[0]
    return loss.reshape(shape) if code == 0 and len(shape) != 1 else loss


def cross_entropy(
    input,
    target,
    weight=None,
    size_average=None,
    ignore_index=-100,
    reduce=None,
    reduction="mean",
    label_smoothing=0.0,
):
    """Cross entropy of logits with class indices or class probabilities.

    Args:
        input: logits (N, C), (N, C, d1, ...) or (C,).
        target: class indices (N,), (N, d1, ...) or () of int64, or probabilities of input's shape.
        weight: a weight for each class (C,).
        ignore_index: index targets of this value count for nothing.
        reduction: 'mean' (over the weights of the targets; over samples for probabilities), 'sum' or 'none'.
        label_smoothing: the share in [0, 1] of a uniform distribution in the targets.

    Raises IndexError for classes out of range, ValueError and RuntimeError for shapes that do not fit.

    Example:
        >>> import wengert
        >>> wengert.nn.functional.cross_entropy(wengert.tensor([[1.0, 2.0]]), wengert.tensor([1]))
        tensor(0.3133)
    """
    check_tensor("cross_entropy", input)
    if weight is not None:
        check_tensor("cross_entropy", weight)
    reduction = legacy_reduction(size_average, reduce, reduction)
    code = _reduction_code("cross_entropy", reduction)
    if not 0.0 <= label_smoothing <= 1.0:
        raise RuntimeError(f"cross_entropy: expected label_smoothing in [0, 1], got {label_smoothing}.")
    if check_tensor("cross_entropy", target).dtype.is_floating_point and target.shape == input.shape:
        if ignore_index >= 0:
            raise RuntimeError(
                f"cross_entropy: expected no ignore_index beside probabilities, got {ignore_index}. Give such samples "
                "the weight 0."
            )
        return _soft_cross_entropy(input, target, weight, reduction, label_smoothing)
    rows, target, shape = _class_rows("cross_entropy", input, target, weight)
    loss = _cross_entropy(rows, target, weight, code, ignore_index, label_smoothing)[0]
    return loss.reshape(shape) if code == 0 and len(shape) != 1 else loss


def _soft_cross_entropy(input, target, weight, reduction, label_smoothing):
    dim = 0 if input.ndim == 1 else 1
    classes = input.shape[dim]
    if label_smoothing > 0:
        target = target * (1 - label_smoothing) + label_smoothing / classes
    terms = _log_softmax(input, dim) * target
    if weight is not None:
        if tuple(weight.shape) != (classes,):
            raise RuntimeError(f"cross_entropy: expected class weights ({classes},), got {tuple(weight.shape)}.")
        terms = terms * weight.reshape((classes,) + (1,) * (input.ndim - dim - 1))
    if reduction == "none":
        return -terms.sum(dim)
    total = -terms.sum()
    if reduction == "sum":
        return total
    return total / max(input.numel() // classes, 1) if classes else total / 0.0


# ---- embeddings --------------------------------------------------------------------------------------------------


def _limit_norms(weight, index, max_norm, norm_type):
    """Rescales, in place, the rows of weight that are looked up and longer than max_norm."""
    with wengert.no_grad():
        places = index.reshape(-1)  # a row that is looked up twice is written twice, with the same numbers
        rows = weight[places]
        norms = wengert.linalg.vector_norm(rows, norm_type, dim=1)
        factors = wengert.where(norms > max_norm, max_norm / (norms + 1e-7), 1.0)
        weight[places] = rows * factors.unsqueeze(1)


def _padding_row(op, padding_idx, rows):
    if padding_idx is None:
        return None
    if not -rows <= padding_idx < rows:
        raise AssertionError(f"{op}: expected padding_idx within [-{rows}, {rows}), got {padding_idx}.")
    return padding_idx % rows


def embedding(
    input, weight, padding_idx=None, max_norm=None, norm_type=2.0, scale_grad_by_freq=False, sparse=False
):
    """Rows of a table at indices.

    Args:
        input: indices of any shape, int64 or int32.
        weight: the table (V, D).
        padding_idx: the row that receives no gradient.
        max_norm: rows that are looked up and longer than this are rescaled in place first.
        scale_grad_by_freq: divides the gradient of a row by how often it was looked up.
        sparse: makes the gradient of the table a sparse tensor of the rows looked up.

    Returns a tensor of input's shape with D appended. Raises IndexError for indices out of range.

    Example:
        >>> import wengert
        >>> table = wengert.tensor([[1.0, 2.0], [3.0, 4.0]])
        >>> wengert.nn.functional.embedding(wengert.tensor([1, 0]), table)
        tensor([[3., 4.],
                [1., 2.]])
    """
    check_tensor("embedding", weight)
    check_index("embedding", check_tensor("embedding", input), DTYPES["int32"])
    if padding_idx is not None:
        padding_idx = _padding_row("embedding", padding_idx, weight.shape[0])
    if max_norm is not None:
        _limit_norms(weight, input, max_norm, norm_type)
    if sparse:
        from ._sparse_lookup import is_sparse_lookup, with_sparse_gradient

        if is_sparse_lookup("embedding", weight, scale_grad_by_freq):
            result = _embedding(weight.detach(), input, padding_idx)
            return with_sparse_gradient(result, weight, input, padding_idx=padding_idx)
    if scale_grad_by_freq:
        weight = _share_by_frequency(weight, input)
    return _embedding(weight, input, padding_idx)


def _share_by_frequency(weight, index):
    """The same rows, whose gradients will be divided by how often each is looked up."""
    flat = index.reshape(-1)
    ones = _core.full((flat.shape[0], 1), 1.0, weight.dtype)
    counts = OPS["embedding_backward"](ones, flat, weight.detach()[:, :1], None)
    share = 1.0 / counts.clamp(min=1.0)
    return weight.detach() + (weight - weight.detach()) * share


def one_hot(tensor=None, num_classes=-1, *, input=None):
    """Rows with a 1 at each index: (…) of int64 → (…, num_classes) of int64.

    num_classes=-1 takes the largest index plus 1. Raises RuntimeError for other dtypes, negative or too large
    indices.

    Example:
        >>> import wengert
        >>> wengert.nn.functional.one_hot(wengert.tensor([0, 2]), 3)
        tensor([[1, 0, 0],
                [0, 0, 1]])
    """
    tensor = check_tensor("one_hot", tensor if input is None else input)
    if tensor.dtype is not wengert.int64:
        raise RuntimeError(
            f"one_hot: expected indices of dtype int64, got {tensor.dtype}. Convert them with .long()."
        )
    if tensor.numel() == 0:
        if num_classes <= 0:
            raise RuntimeError("one_hot: expected num_classes for an empty tensor, got none.")
        return wengert.zeros((*tensor.shape, num_classes), dtype=wengert.int64)
    if num_classes > 0 and host.watched(tensor):
        return host.call("one_hot", tensor, options=(num_classes,))[0]
    return _one_hot(tensor, num_classes)


@host.register_tensors("one_hot", lambda tensor, num_classes: [((*tensor[0], num_classes), tensor[1])])
def _one_hot(tensor, num_classes):
    if int(tensor.min()) < 0:
        raise RuntimeError("one_hot: expected indices of at least 0, got a negative one.")
    largest = int(tensor.max())
    if num_classes == -1:
        num_classes = largest + 1
    elif largest >= num_classes:
        raise RuntimeError(f"one_hot: expected indices below {num_classes}, got {largest}.")
    rows = wengert.zeros((*tensor.shape, num_classes), dtype=wengert.int64)
    return rows.scatter_(-1, tensor.unsqueeze(-1), 1)
