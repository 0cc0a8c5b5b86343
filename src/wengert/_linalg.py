"""Products of matrices and vectors, with PyTorch's overloads. Decompositions are in `wengert.linalg`."""

from . import _core
from ._bind import OPS
from ._overload import Publisher, check_tensor, store, wrap_dim
from ._shaping import roll

Tensor = _core.Tensor
publish = Publisher()
FUNCTIONS, METHODS = publish.functions, publish.methods

_matmul = OPS["matmul"]
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


@publish(out=True)
def kron(input, other):
    """Kronecker product: every element of input times the whole of other."""
    n = max(input.dim(), other.dim())
    a, b = ((1,) * (n - x.dim()) + tuple(x.shape) for x in (input, other))
    left = _reshape(input, tuple(v for s in a for v in (s, 1)))
    right = _reshape(other, tuple(v for s in b for v in (1, s)))
    return _reshape(left * right, tuple(x * y for x, y in zip(a, b, strict=True)))


@publish(out=True)
def cross(input, other, dim=None):
    """Cross product of vectors of size 3 along a dimension (the first of size 3 unless dim says so)."""
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
    if input.dim() < 2 or input.shape[-1] != input.shape[-2]:
        raise RuntimeError(f"matrix_power: expected square matrices, got shape {tuple(input.shape)}.")
    if n < 0:
        from .linalg import inv

        return matrix_power(inv(input), -n)
    if n == 0:
        eye = OPS["diagonal_embed"](
            _core.full((input.shape[-1],), 1, input.dtype), input[(0,) * (input.dim() - 2)], 0, 0, 1
        )
        return OPS["clone"](OPS["expand"](eye.detach(), tuple(input.shape)))
    result = None
    while True:
        if n & 1:
            result = input if result is None else _matmul(result, input)
        n >>= 1
        if n == 0:
            return result
        input = _matmul(input, input)


# ---- einsum ---------------------------------------------------------------------------------------------------------


def _parse(equation, operands):
    """Labels of each operand and of the result; an ellipsis becomes negative numbers, counted from the end."""
    text = equation.replace(" ", "")
    left, arrow, right = text.partition("->")
    terms = left.split(",")
    if len(terms) != len(operands):
        raise RuntimeError(f"einsum: expected {len(terms)} operands for {equation!r}, got {len(operands)}.")
    wide = 0

    def labels(term, room):
        head, dots, tail = term.partition("...")
        if not (head + tail).isalpha() and head + tail:
            raise RuntimeError(f"einsum: expected letters, ',', '->' and '...' in the equation, got {equation!r}.")
        return [*head, *(range(-room, 0) if dots else ()), *tail]

    inputs = []
    for term, x in zip(terms, operands, strict=True):
        named = len(term.replace("...", ""))
        room = x.dim() - named
        if room < 0 or (room > 0 and "..." not in term):
            raise RuntimeError(f"einsum: expected {named} dimensions for {term!r}, got shape {tuple(x.shape)}.")
        wide = max(wide, room)
        inputs.append(labels(term, room))
    if arrow:
        output = labels(right, wide)
    else:
        flat = [v for term in inputs for v in term]
        output = [*range(-wide, 0), *sorted(v for v in set(flat) if isinstance(v, str) and flat.count(v) == 1)]
    return inputs, output


def _sublists(operands):
    """einsum(x, [0, 1], y, [1, 2], [0, 2]) as labels."""
    tensors, lists = list(operands[0::2]), list(operands[1::2])
    result = None
    if len(operands) % 2:
        result = tensors.pop()
    wide, inputs = 0, []
    for x, labels in zip(tensors, lists, strict=True):
        room = x.dim() - sum(v is not Ellipsis for v in labels)
        wide = max(wide, room)
        inputs.append([w for v in labels for w in (range(-room, 0) if v is Ellipsis else (chr(65 + v),))])
    if result is None:
        flat = [v for term in inputs for v in term]
        output = [*range(-wide, 0), *sorted(v for v in set(flat) if isinstance(v, str) and flat.count(v) == 1)]
    else:
        output = [w for v in result for w in (range(-wide, 0) if v is Ellipsis else (chr(65 + v),))]
    return tensors, inputs, output


def _single(x, labels, keep):
    """Repeated labels become diagonals, labels that nobody needs are summed."""
    labels = list(labels)
    for v in [v for v in dict.fromkeys(labels) if labels.count(v) > 1]:
        while labels.count(v) > 1:
            i = labels.index(v)
            j = labels.index(v, i + 1)
            if x.shape[i] != x.shape[j]:
                raise RuntimeError(
                    f"einsum: expected one size for the repeated label {v!r}, got shape {tuple(x.shape)}."
                )
            x = OPS["diagonal"](x, 0, i, j)
            labels = [w for k, w in enumerate(labels) if k not in (i, j)] + [v]
    gone = tuple(k for k, v in enumerate(labels) if v not in keep)
    if gone:
        x = _sum(x, gone)
        labels = [v for v in labels if v in keep]
    return x, labels


def _contract(x, xl, y, yl, keep):
    """Two operands with distinct labels each: one batched product over the labels that end here."""
    size = {}
    for t, labels in ((x, xl), (y, yl)):
        for s, v in zip(t.shape, labels, strict=True):
            if size.get(v, 1) not in (1, s) and s != 1:
                raise RuntimeError(f"einsum: expected one size for the label {v!r}, got {size[v]} and {s}.")
            size[v] = max(size.get(v, 1), s) if s else 0
    # A label of size 1 beside a larger one broadcasts; summed over on its own side it is simply dropped.
    both = [v for v in xl if v in yl]
    shared = [v for v in both if v not in keep]
    batch = [v for v in both if v in keep]
    xo, yo = [v for v in xl if v not in both], [v for v in yl if v not in both]

    def fit(t, labels, order):
        t = t.permute(tuple(labels.index(v) for v in order)) if order != labels else t
        shape = tuple(size[v] if v in both else s for v, s in zip(order, t.shape, strict=True))
        return OPS["expand"](t, shape) if shape != tuple(t.shape) else t

    def product(labels):
        n = 1
        for v in labels:
            n *= size[v]
        return n

    a = _reshape(fit(x, xl, batch + xo + shared), (product(batch), product(xo), product(shared)))
    b = _reshape(fit(y, yl, batch + shared + yo), (product(batch), product(shared), product(yo)))
    labels = batch + xo + yo
    return _reshape(_matmul(a, b), tuple(size[v] for v in labels)), labels


@publish(method=False)
def einsum(equation, *operands):
    """Sums of products by Einstein's notation: "ij,jk->ik" is the matrix product.

    Repeated letters in one operand take a diagonal, letters that are not in the result are summed over, "..." stands
    for dimensions that broadcast. The sublist form einsum(x, [0, 1], y, [1, 2], [0, 2]) is the same with numbers.
    Operands are contracted from left to right.

    Example:
        >>> import wengert
        >>> wengert.einsum("i,i->", wengert.tensor([1.0, 2.0]), wengert.tensor([3.0, 4.0]))
        tensor(11.)
    """
    if isinstance(equation, str):
        if len(operands) == 1 and isinstance(operands[0], (list, tuple)):
            operands = operands[0]
        tensors = list(operands)
        inputs, output = _parse(equation, tensors)
    else:
        tensors, inputs, output = _sublists((equation, *operands))
    known = {v for term in inputs for v in term}
    if len(set(output)) != len(output) or not known.issuperset(output):
        raise RuntimeError(
            f"einsum: expected each label of the result once, and among the operands', got {output}."
        )
    x, labels = None, None
    for k, (y, term) in enumerate(zip(tensors, inputs, strict=True)):
        later = {v for rest in inputs[k + 1 :] for v in rest} | set(output)
        y, term = _single(y, term, later | set(labels or ()))
        if x is None:
            x, labels = y, term
        else:
            x, labels = _contract(x, labels, y, term, later)
    if not tensors:
        raise RuntimeError("einsum: expected at least one operand, got none.")
    order = tuple(labels.index(v) for v in output)
    return x if order == tuple(range(len(order))) else x.permute(order)


# ---- decompositions: wengert.linalg is imported when one is first used ------------------------------------------------


def _from_linalg(name, own=None):
    def call(input, *args, **kwargs):
        from . import linalg

        return getattr(linalg, own or name)(input, *args, **kwargs)

    call.__name__ = name
    call.__doc__ = f"See wengert.linalg.{own or name}."
    publish()(call)


for _name in ("det", "logdet", "slogdet", "inverse", "pinverse", "cholesky", "qr", "matrix_exp"):
    _from_linalg(_name, {"pinverse": "pinv"}.get(_name))


@publish()
def svd(input, some=True, compute_uv=True):
    """U, S and V with input = U diag(S) V^T (V itself, unlike wengert.linalg.svd)."""
    from . import linalg

    u, s, vh = linalg.svd(input, full_matrices=not some)
    return u, s, vh.mT
