"""Products of matrices and vectors, with PyTorch's overloads. Decompositions are in `wengert.linalg`."""

from . import _core
from ._bind import OPS
from ._dtypes import DTYPES
from ._einsum import einsum
from ._overload import Publisher, cast, check_tensor, return_type, store, wrap_dim
from ._rearranging import roll
from ._reduction import vector_norm

Tensor = _core.Tensor
publish = Publisher()
FUNCTIONS, METHODS = publish.functions, publish.methods

_matmul, _distances = OPS["matmul"], OPS["distances"]
_reshape, _unsqueeze, _sum = OPS["reshape"], OPS["unsqueeze"], OPS["sum"]
METHODS["matmul"] = _core.matmul_any


def _check_dims(op, *pairs):
    for x, n in pairs:
        if check_tensor(op, x).dim() != n:
            raise RuntimeError(
                f"{op}: expected a tensor of {n} dimension{'s' * (n > 1)}, got shape {tuple(x.shape)}."
            )


@publish(out=True)
def mm(input, mat2):
    """Product of two matrices: (m, k) @ (k, n); one of them may be sparse."""
    check_tensor("mm", input)
    if not isinstance(mat2, Tensor) or input.dim() != 2 or mat2.dim() != 2:
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


@publish(out=True)
def dot(input, tensor):
    """Sum of the products of two vectors' elements."""
    _check_dims("dot", (input, 1), (tensor, 1))
    return _core.matmul_any(input, tensor)


@publish(out=True)
def vdot(input, other):
    """Sum of the products of two vectors' elements, the first of them conjugated."""
    _check_dims("vdot", (input, 1), (other, 1))
    return _core.matmul_any(input.conj(), other)


@publish(out=True)
def inner(input, other):
    """Products summed over the last dimension of both: (…, k), (…, k) → (…, …)."""
    check_tensor("inner", input)
    check_tensor("inner", other)
    if input.dim() == 0 or other.dim() == 0:
        return input * other
    return tensordot(input, other, ([-1], [-1]))


@publish("ger", out=True)
def outer(input, vec2):
    """All products of two vectors' elements: (m,), (n,) → (m, n)."""
    _check_dims("outer", (input, 1), (vec2, 1))
    return _unsqueeze(input, 1) * vec2


def _added(input, product, beta, alpha):
    if check_tensor("addmm", input).dtype != product.dtype:
        raise RuntimeError(f"addmm: expected operands of one dtype, got {input.dtype} and {product.dtype}.")
    if not product.dtype.is_inexact and not (isinstance(alpha, int) and isinstance(beta, int)):
        raise RuntimeError(f"addmm: expected integers as alpha and beta for integers, got {alpha} and {beta}.")
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
    return _added(input, cast(_sum(bmm(batch1, batch2), 0), batch1.dtype), beta, alpha)


@publish(inplace=True, out=True)
def addmv(input, mat, vec, *, beta=1, alpha=1):
    """beta * input + alpha * (mat @ vec)."""
    return _added(input, mv(mat, vec), beta, alpha)


@publish(inplace=True, out=True)
def addr(input, vec1, vec2, *, beta=1, alpha=1):
    """beta * input + alpha * outer(vec1, vec2); of bools 'or' and 'and'."""
    if check_tensor("addr", input).dtype == DTYPES["bool"] and isinstance(beta, int) and isinstance(alpha, int):
        beta, alpha = bool(beta), bool(alpha)
    return _added(input, outer(vec1, vec2), beta, alpha)


@publish(method=False, out=True)
def tensordot(a, b, dims=2):
    """Products summed over pairs of dimensions: the last `dims` of a with the first of b, or two lists of dimensions."""
    check_tensor("tensordot", a)
    check_tensor("tensordot", b)
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
        if a.shape[i] == b.shape[j]:
            continue
        if a.shape[i] == 1:  # a size of 1 stands for as many equal ones
            b = _sum(b, (j,), True)
        elif b.shape[j] == 1:
            a = _sum(a, (i,), True)
        else:
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


@publish(out=True)
def kron(input, other):
    """Kronecker product: every element of input times the whole of other."""
    check_tensor("kron", input)
    check_tensor("kron", other)
    n = max(input.dim(), other.dim())
    a, b = ((1,) * (n - x.dim()) + tuple(x.shape) for x in (input, other))
    left = _reshape(input, tuple(v for s in a for v in (s, 1)))
    right = _reshape(other, tuple(v for s in b for v in (1, s)))
    return _reshape(left * right, tuple(x * y for x, y in zip(a, b, strict=True)))


@publish(out=True, numpy=True)
def cross(input, other, dim=None):
    """Cross product of vectors of size 3 along a dimension (the first of size 3 unless dim says so)."""
    check_tensor("cross", other)
    if dim is None:
        shape = tuple(input.shape)
        if 3 not in shape:
            raise RuntimeError(f"cross: expected a dimension of size 3, got shape {shape}.")
        dim = shape.index(3)
    dim = wrap_dim("cross", dim, input.dim())
    if input.dim() != other.dim() or input.shape[dim] != 3 or other.shape[dim] != 3:
        raise RuntimeError(
            f"cross: expected size 3 in dimension {dim} of both, got {tuple(input.shape)} and {tuple(other.shape)}."
        )
    return roll(input, -1, dim) * roll(other, -2, dim) - roll(input, -2, dim) * roll(other, -1, dim)


@publish(method=False)
def cdist(x1, x2, p=2.0, compute_mode=None):
    """The p-norms of all differences of rows: (..., m, d), (..., n, d) → (..., m, n)."""
    for x in (check_tensor("cdist", x1), check_tensor("cdist", x2)):
        if x.dim() < 2:
            raise RuntimeError(f"cdist: expected at least 2 dimensions, got shape {tuple(x.shape)}.")
    if x1.shape[-1] != x2.shape[-1]:
        raise RuntimeError(f"cdist: expected rows of one size, got {x1.shape[-1]} and {x2.shape[-1]}.")
    if p == 2 and x1.dtype == x2.dtype and x1.dtype.is_floating_point:
        return _distances(x1, x2)
    return vector_norm(_unsqueeze(x1, -2) - _unsqueeze(x2, -3), p, (-1,), False)


def _check_weights(name, weights, observations):
    """Weights of the observations of `cov`: counts are integers, weights floats, none negative, one for each."""
    if weights is None:
        return
    whole = name == "fweights"
    if weights.dtype.is_floating_point == whole or weights.dtype.is_complex or weights.dtype.name == "bool":
        kind = "integers" if whole else "floats"
        raise RuntimeError(f"cov: expected {name} that are {kind}, got {weights.dtype}. Convert them.")
    if tuple(weights.shape) not in ((observations,), () if observations == 1 else (observations,)):
        raise RuntimeError(f"cov: expected {name} of shape ({observations},), got {tuple(weights.shape)}.")
    if bool((weights < 0).any()):
        raise RuntimeError(f"cov: expected {name} of at least 0, got negative ones.")


@publish()
def cov(input, *, correction=1, fweights=None, aweights=None):
    """The covariances of variables (rows) over observations (columns), with counts and weights of the observations."""
    check_tensor("cov", input)
    if input.dim() > 2:
        raise RuntimeError(f"cov: expected at most 2 dimensions, got {input.dim()}.")
    if input.dtype.name == "bool":
        raise RuntimeError("cov: expected numbers, got a bool tensor. Convert it with .float().")
    for name, weights in (("fweights", fweights), ("aweights", aweights)):
        _check_weights(name, weights, input.shape[-1] if input.dim() else 1)
    if not input.dtype.is_inexact:
        input = input.to(_core.get_default_dtype())
    rows = _reshape(input, (1, -1)) if input.dim() < 2 else input
    weights = fweights if aweights is None else aweights if fweights is None else fweights * aweights
    if weights is None:
        total = squares = rows.shape[1]
        centred = rows - rows.mean(1, keepdim=True)
        scaled = centred
    else:
        total = weights.sum()
        squares = total if aweights is None else (weights * aweights).sum()
        centred = rows - _unsqueeze((rows * weights).sum(1) / total, 1)
        scaled = centred * weights
    divisor = total - correction * squares / total if weights is not None else total - correction
    result = (scaled @ centred.mH) / divisor
    return result.reshape(()) if rows.shape[0] == 1 else result


@publish()
def corrcoef(input):
    """The correlations of variables (rows) over observations (columns)."""
    check_tensor("corrcoef", input)
    matrix = cov(input)
    if matrix.dim() == 0:
        return matrix / matrix
    scale = matrix.diagonal().real.sqrt() if matrix.dtype.is_complex else matrix.diagonal().sqrt()
    result = matrix / _unsqueeze(scale, 1) / _unsqueeze(scale, 0)
    if matrix.dtype.is_complex:
        return OPS["complex_of"](result.real.clamp(-1, 1), result.imag.clamp(-1, 1))
    return result.clamp(-1, 1)


@publish(method=False)
def chain_matmul(*matrices, out=None):
    """Product of several matrices, in the order that takes the fewest multiplications."""
    if len(matrices) == 1 and isinstance(matrices[0], (list, tuple)):
        matrices = matrices[0]
    _check_dims("chain_matmul", *((m, 2) for m in matrices))
    sizes = [matrices[0].shape[0]] + [m.shape[1] for m in matrices]
    n = len(matrices)
    cost, cut = {(i, i): 0 for i in range(n)}, {}
    for span in range(1, n):
        for i in range(n - span):
            j = i + span
            options = [
                (cost[i, k] + cost[k + 1, j] + sizes[i] * sizes[k + 1] * sizes[j + 1], k) for k in range(i, j)
            ]
            cost[i, j], cut[i, j] = min(options)

    def product(i, j):
        return matrices[i] if i == j else _matmul(product(i, cut[i, j]), product(cut[i, j] + 1, j))

    result = product(0, n - 1)
    return result if out is None else store(result, out)


@publish(out=True)
def matrix_power(input, n):
    """A square matrix (or a batch of them) multiplied with itself n times; n < 0 takes the inverse."""
    check_tensor("matrix_power", input)
    if input.dim() < 2 or input.shape[-1] != input.shape[-2]:
        raise RuntimeError(f"matrix_power: expected square matrices, got shape {tuple(input.shape)}.")
    if n < 0:
        from .linalg import inv

        return matrix_power(inv(input), -n)
    if n == 0:
        eye = _core.make_eye(input.shape[-1], dtype=input.dtype)
        return OPS["clone"](OPS["expand"](eye, tuple(input.shape)))
    result = None
    while True:
        if n & 1:
            result = input if result is None else _matmul(result, input)
        n >>= 1
        if n == 0:
            return result
        input = _matmul(input, input)


FUNCTIONS["einsum"] = einsum


# ---- decompositions: wengert.linalg is imported when one is first used ------------------------------------------------


def _from_linalg(name, own=None):
    def call(input, *args, **kwargs):
        from . import linalg

        return getattr(linalg, own or name)(input, *args, **kwargs)

    call.__name__ = name
    call.__doc__ = f"See wengert.linalg.{own or name}."
    publish()(call)


for _name in ("det", "logdet", "slogdet", "inverse", "pinverse", "cholesky", "matrix_exp"):
    _from_linalg(_name, {"pinverse": "pinv"}.get(_name))


@publish(out=True)
def qr(input, some=True):
    """Q and R with input = Q R: as many columns of Q as R has rows (`some`), or all. See wengert.linalg.qr."""
    from . import linalg

    return linalg.qr(input, "reduced" if some else "complete")


_SVD = return_type("svd", "U", "S", "V")


@publish(out=True)
def svd(input, some=True, compute_uv=True):
    """U, S and V with input = U diag(S) V^H (V itself, unlike wengert.linalg.svd).

    Args:
        some: only the first columns of U and V, as many as S has values.
        compute_uv: without it, U and V are full of zeros and have all columns.
    """
    from . import linalg

    if compute_uv:
        u, s, vh = linalg.svd(input, full_matrices=not some)
        return _SVD(u, s, vh.mH)
    s, (m, n) = linalg.svdvals(input), input.shape[-2:]
    return _SVD(*(v if v is s else input.new_zeros((*s.shape[:-1], v, v)) for v in (m, s, n)))
