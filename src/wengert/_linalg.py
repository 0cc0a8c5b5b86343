"""Products of matrices and vectors, with PyTorch's overloads. Decompositions are in `wengert.linalg`."""

from . import _core
from ._bind import OPS
from ._overload import Publisher, check_tensor

Tensor = _core.Tensor
publish = Publisher()
FUNCTIONS, METHODS = publish.functions, publish.methods

_matmul = OPS["matmul"]
_reshape, _unsqueeze, _sum = OPS["reshape"], OPS["unsqueeze"], OPS["sum"]
METHODS["matmul"] = _core.matmul_any


def _check_dims(op, *pairs):
    for x, n in pairs:
        if check_tensor(op, x).dim() != n:
            raise RuntimeError(f"{op}: expected a tensor of {n} dimension{'s' * (n > 1)}, got shape {tuple(x.shape)}.")


@publish(out=True)
def mm(input, mat2):
    """Product of two matrices: (m, k) @ (k, n)."""
    if input.dim() != 2 or mat2.dim() != 2:
        _check_dims("mm", (input, 2), (mat2, 2))
    return _matmul(input, mat2)


@publish(out=True)
def bmm(input, mat2):
    """Products of two batches of matrices: (b, m, k) @ (b, k, n)."""
    _check_dims("bmm", (input, 3), (mat2, 3))
    if input.shape[0] != mat2.shape[0]:
        raise RuntimeError(f"bmm: expected batches of one size, got {input.shape[0]} and {mat2.shape[0]}.")
    return _matmul(input, mat2)


@publish(out=True)
def mv(input, vec):
    """Product of a matrix and a vector: (m, k) @ (k,)."""
    _check_dims("mv", (input, 2), (vec, 1))
    return _core.matmul_any(input, vec)


@publish("vdot", out=True)
def dot(input, tensor):
    """Sum of the products of two vectors' elements."""
    _check_dims("dot", (input, 1), (tensor, 1))
    return _core.matmul_any(input, tensor)


@publish(out=True)
def inner(input, other):
    """Products summed over the last dimension of both: (…, k), (…, k) → (…, …)."""
    if input.dim() == 0 or other.dim() == 0:
        return input * other
    return tensordot(input, other, ([-1], [-1]))


@publish("ger", out=True)
def outer(input, vec2):
    """All products of two vectors' elements: (m,), (n,) → (m, n)."""
    _check_dims("outer", (input, 1), (vec2, 1))
    return _unsqueeze(input, 1) * vec2


def _added(input, product, beta, alpha):
    product = product if alpha == 1 else product * alpha
    if beta == 0:
        return product
    return (input if beta == 1 else input * beta) + product


@publish(inplace=True, out=True)
def addmm(input, mat1, mat2, *, beta=1, alpha=1):
    """beta * input + alpha * (mat1 @ mat2); input broadcasts."""
    return _added(input, mm(mat1, mat2), beta, alpha)


@publish(inplace=True, out=True)
def baddbmm(input, batch1, batch2, *, beta=1, alpha=1):
    """beta * input + alpha * (batch1 @ batch2), for batches of matrices; input broadcasts."""
    return _added(input, bmm(batch1, batch2), beta, alpha)


@publish(inplace=True, out=True)
def addbmm(input, batch1, batch2, *, beta=1, alpha=1):
    """beta * input + alpha * the sum of batch1 @ batch2 over the batch."""
    return _added(input, _sum(bmm(batch1, batch2), 0), beta, alpha)


@publish(inplace=True, out=True)
def addmv(input, mat, vec, *, beta=1, alpha=1):
    """beta * input + alpha * (mat @ vec)."""
    return _added(input, mv(mat, vec), beta, alpha)


@publish(inplace=True, out=True)
def addr(input, vec1, vec2, *, beta=1, alpha=1):
    """beta * input + alpha * outer(vec1, vec2)."""
    return _added(input, outer(vec1, vec2), beta, alpha)


@publish(method=False, out=True)
def tensordot(a, b, dims=2):
    """Products summed over pairs of dimensions: the last `dims` of a with the first of b, or two lists of dimensions."""
    if isinstance(dims, Tensor):
        dims = dims.tolist()
    if isinstance(dims, int):
        if dims < 0 or dims > min(a.dim(), b.dim()):
            raise RuntimeError(f"tensordot: expected dims in [0, {min(a.dim(), b.dim())}], got {dims}.")
        dims = (list(range(a.dim() - dims, a.dim())), list(range(dims)))
    left, right = ([d] if isinstance(d, int) else list(d) for d in dims)
    if len(left) != len(right):
        raise RuntimeError(f"tensordot: expected lists of dimensions of one length, got {left} and {right}.")
    left, right = [d % a.dim() for d in left], [d % b.dim() for d in right]
    for i, j in zip(left, right, strict=True):
        if a.shape[i] != b.shape[j]:
            raise RuntimeError(
                f"tensordot: expected contracted dimensions of one size, got {a.shape[i]} and {b.shape[j]}."
            )
    rows = [d for d in range(a.dim()) if d not in left]
    columns = [d for d in range(b.dim()) if d not in right]
    k = 1
    for d in left:
        k *= a.shape[d]
    shape = tuple(a.shape[d] for d in rows) + tuple(b.shape[d] for d in columns)
    m = n = 1
    for d in rows:
        m *= a.shape[d]
    for d in columns:
        n *= b.shape[d]
    x = _reshape(a.permute(tuple(rows + left)), (m, k))
    y = _reshape(b.permute(tuple(right + columns)), (k, n))
    return _reshape(_matmul(x, y), shape)
