"""Sparse matrices and tensors in coordinate form, as far as graphs and large tables need them.

A `SparseTensor` holds the indices and the values of elements that are not zero. It is made by `sparse_coo_tensor`,
`Tensor.to_sparse` and as the gradient of a table that was looked up with `sparse=True`. It multiplies dense matrices, is
scaled, added and written to dense tensors, becomes dense again, and gradients flow to its values and to the dense operand.
Everything else raises NotImplementedError: dense tensors do it, after `.to_dense()`.
"""

from . import _core
from ._bind import OPS
from ._dtypes import DTYPES
from ._format import values_text
from ._methods import Layout
from ._ordering import searchsorted
from ._overload import wrap_dim
from ._published import all_published
from ._sparse_dispatch import CONTENT, SparseError

Tensor = _core.Tensor
sparse_coo = Layout("sparse_coo")
_int64 = DTYPES["int64"]

__all__ = ["addmm", "mm", "sparse_coo", "sparse_coo_tensor"]


class SparseTensor(Tensor):
    """A tensor of which only some elements are stored; made by `sparse_coo_tensor` and `Tensor.to_sparse`.

    The first `sparse_dim()` dimensions are indexed, the others are those of the values. An element that is named
    several times is their sum; `coalesce()` adds them up.
    """

    is_sparse = True
    layout = sparse_coo
    _plain_results = True

    def __new__(cls, indices, values, shape, coalesced=False):
        made = _core.shell(cls, _core.make_wrapper(tuple(shape), values.dtype, None))
        _core.mark_slow(made)
        made._payload = CONTENT
        made._index, made._value, made._coalesced = indices, values, coalesced
        return made

    # ---- what it is ----

    data = property(lambda self: self.detach(), doc="The same elements without history.")
    is_leaf = property(lambda self: self._value.is_leaf, doc="Whether no operation made the values.")
    grad_fn = property(lambda self: self._value.grad_fn, doc="The node that made the values.")
    requires_grad = property(lambda self: self._value.requires_grad, doc="Whether gradients flow to the values.")

    @property
    def grad(self):
        """The gradient by the values that are there, as a sparse tensor, or None."""
        g = self._value.grad
        return None if g is None else SparseTensor(self._index, g, self.shape, self._coalesced)

    def __deepcopy__(self, memo):
        made = memo[id(self)] = self.detach().clone()
        return made.requires_grad_() if self.requires_grad else made

    def __reduce_ex__(self, protocol):
        if self.grad_fn is not None:
            raise RuntimeError("pickle: expected a tensor without history, got one. Use .detach().")
        return SparseTensor, (self._index, self._value, tuple(self.shape), self._coalesced)

    def requires_grad_(self, requires_grad=True):
        """Asks for gradients by the values; returns the tensor."""
        self._value.requires_grad_(requires_grad)
        return self

    def sparse_dim(self):
        """How many dimensions are indexed."""
        return self._index.shape[0]

    def dense_dim(self):
        """How many dimensions each value has."""
        return self._value.dim() - 1

    def is_coalesced(self):
        """Whether every stored element is named once, in ascending order."""
        return self._coalesced

    def _nnz(self):
        return self._index.shape[1]

    def _indices(self):
        return self._index

    def _values(self):
        return self._value

    def _need_coalesced(self, op):
        if not self._coalesced:
            raise RuntimeError(f"{op}: expected a coalesced tensor, got one that is not. Use .coalesce() first.")

    def indices(self):
        """The indices (sparse_dim, nnz) of a coalesced tensor."""
        self._need_coalesced("indices")
        return self._index

    def values(self):
        """The values (nnz, …) of a coalesced tensor."""
        self._need_coalesced("values")
        return self._value

    def __len__(self):
        return self.shape[0]

    def numpy(self, *, force=False):
        """Not possible: raises TypeError."""
        raise TypeError("numpy: expected a dense tensor, got a sparse one. Use .to_dense() first.")

    # ---- what it becomes ----

    def _with(self, values):
        return SparseTensor(self._index, values, self.shape, self._coalesced)

    def _flat_index(self):
        flat = _core.full((self._nnz(),), 0, _int64)
        for row, n in zip(self._index, self.shape, strict=False):
            flat = flat * n + row
        return flat

    def coalesce(self):
        """The same tensor with every element named once, in ascending order."""
        if self._coalesced:
            return self
        flat, place = self._flat_index().unique(return_inverse=True)
        summed = _core.full((flat.numel(), *self._value.shape[1:]), 0, self.dtype)
        values = OPS["index_put_add"](summed, place, self._value, (0,))
        rows, rest = [], flat
        for n in reversed(self.shape[: self.sparse_dim()]):
            rows.append(rest % max(n, 1))
            rest = rest // max(n, 1)
        index = OPS["stack"](rows[::-1], 0) if rows else _core.full((0, flat.numel()), 0, _int64)
        return SparseTensor(index, values, self.shape, True)

    def to_dense(self, dtype=None, *, masked_grad=None):
        """The tensor with all its elements; differentiable."""
        sizes = self.shape[: self.sparse_dim()]
        count = 1
        for n in sizes:
            count *= n
        whole = _core.full((count, *self._value.shape[1:]), 0, self.dtype)
        dense = OPS["index_put_add"](whole, self._flat_index(), self._value, (0,)).reshape(tuple(self.shape))
        return dense if dtype is None else dense.to(dtype)

    def to_sparse(self, sparse_dim=None):
        """The tensor itself."""
        return self

    def to(self, *args, **kwargs):
        """The tensor with its values in another dtype."""
        return self._with(self._value.to(*args, **kwargs))

    def float(self):
        """The tensor in float32."""
        return self.to(DTYPES["float32"])

    def double(self):
        """The tensor in float64."""
        return self.to(DTYPES["float64"])

    def half(self):
        """The tensor in float16."""
        return self.to(DTYPES["float16"])

    def cpu(self):
        """The tensor itself."""
        return self

    def detach(self):
        """The same elements without history."""
        return self._with(self._value.detach())

    def clone(self, *, memory_format=None):
        """A copy, through which gradients flow."""
        return SparseTensor(self._index.clone(), self._value.clone(), self.shape, self._coalesced)

    def transpose(self, dim0, dim1):
        """Two indexed dimensions swapped."""
        a, b = (wrap_dim("transpose", d, self.ndim) for d in (dim0, dim1))
        if max(a, b) >= self.sparse_dim():
            raise SparseError(
                "transpose: expected two indexed dimensions, got one of the values. Use .to_dense() first."
            )
        order = list(range(self.ndim))
        order[a], order[b] = b, a
        index = OPS["stack"]([self._index[k] for k in order[: self.sparse_dim()]], 0)
        return SparseTensor(index, self._value, [self.shape[k] for k in order], a == b and self._coalesced)

    def t(self):
        """A matrix transposed."""
        if self.ndim != 2:
            raise RuntimeError(f"t: expected a sparse matrix, got shape {tuple(self.shape)}.")
        return self.transpose(0, 1)

    def sparse_mask(self, mask):
        """The elements at the places that `mask`, a coalesced sparse tensor, names; zeros where this tensor has none."""
        own, wanted = self.coalesce(), mask.coalesce()
        values = _core.full((wanted._nnz(), *own._value.shape[1:]), 0, self.dtype)
        if own._nnz() and wanted._nnz():
            have, want = own._flat_index(), wanted._flat_index()
            place = searchsorted(have, want).clamp(max=own._nnz() - 1)
            hit = (have[place] == want).nonzero().squeeze(1)
            values[hit] = own._value[place[hit]]
        return wanted._with(values)

    # ---- written in place ----

    def _become(self, other):
        self._index, self._value, self._coalesced = other._index, other._value, other._coalesced
        return self

    def zero_(self):
        """Forgets all elements."""
        rows = self.sparse_dim()
        index = _core.full((rows, 0), 0, _int64)
        return self._become(SparseTensor(index, self._value.detach()[:0].clone(), self.shape, True))

    def copy_(self, src, non_blocking=False):
        """Takes over the elements of another sparse tensor of the same shape."""
        if not isinstance(src, SparseTensor) or src.shape != self.shape:
            raise SparseError(f"copy_: expected a sparse tensor of shape {tuple(self.shape)}, got another.")
        return self._become(src.to(self.dtype).clone())

    def added_to(self, dense):
        """Adds the elements to a dense tensor in place, at their places alone; returns it."""
        return dense.index_put_(tuple(self._index.unbind(0)), self._value.to(dense.dtype), accumulate=True)

    def _accumulate_at(self, leaf):
        """Adds this gradient to the one of its leaf."""
        if leaf.grad is None:
            leaf.grad = self.detach().clone()
        else:
            leaf.grad.add_(self.detach())

    # ---- reductions ----

    def sum(self, dim=None, keepdim=False, *, dtype=None):
        """The sum of all elements."""
        if dim is not None:
            raise SparseError("sum: expected no dim for a sparse tensor, got one. Use .to_dense() first.")
        return self._value.sum(dtype=dtype)

    def norm(self, p=2, dim=None, keepdim=False, dtype=None):
        """The norm of all elements, taken as a vector."""
        if dim is not None:
            raise SparseError("norm: expected no dim for a sparse tensor, got one. Use .to_dense() first.")
        return self.coalesce()._value.norm(p, dtype=dtype)

    def __matmul__(self, other):
        return mm(self, other)

    matmul = mm = __matmul__

    def __rmatmul__(self, other):
        return mm(self.t(), other.mT).mT

    def __repr__(self):
        indices = _indented("indices=" + repr(self._index), 7 + 8)
        values = f"values=tensor({_indented(values_text(self._value.detach(), 7), 7 + 7)})"
        last = f"size={tuple(self.shape)}, nnz={self._nnz()}"
        if self.dtype != _core.get_default_dtype():
            last += f", dtype={self.dtype}"
        last += ", layout=wengert.sparse_coo"
        if self.grad_fn is not None:
            last += f", grad_fn=<{self.grad_fn.name()}>"
        elif self.requires_grad:
            last += ", requires_grad=True"
        return f"tensor({indices},\n       {values},\n       {last})"


def _indented(text, width):
    return text.replace("\n", "\n" + " " * width)


def sparse_coo_tensor(
    indices,
    values,
    size=None,
    *,
    dtype=None,
    device=None,
    requires_grad=False,
    check_invariants=None,
    is_coalesced=None,
    pin_memory=False,
):
    """A sparse tensor of elements given by their indices.

    Args:
        indices: integers (sparse_dim, nnz): one column for each element.
        values: the elements (nnz, …); dimensions behind the first are dense ones of the tensor.
        size: the sizes of all dimensions; unless given, the smallest that hold the indices.
        dtype: the element type; that of the values unless given.
        requires_grad: ask for gradients by the values.

    Raises RuntimeError for indices outside the size and for shapes that do not fit.

    Example:
        >>> import wengert
        >>> a = wengert.sparse_coo_tensor([[0, 1], [2, 0]], [3.0, 4.0], (2, 3))
        >>> a.to_dense()
        tensor([[0., 0., 3.],
                [4., 0., 0.]])
        >>> a @ wengert.ones(3, 1)
        tensor([[3.],
                [4.]])
    """
    index = (indices if isinstance(indices, Tensor) else _core.from_data(indices)).detach().to(_int64)
    value = values if isinstance(values, Tensor) else _core.from_data(values)
    if dtype is not None:
        value = value.to(dtype)
    value = value.detach().requires_grad_() if requires_grad else value
    if index.dim() != 2:
        raise RuntimeError(
            f"sparse_coo_tensor: expected indices (sparse_dim, nnz), got shape {tuple(index.shape)}."
        )
    rows, count = index.shape
    if value.dim() == 0 or value.shape[0] != count:
        raise RuntimeError(
            f"sparse_coo_tensor: expected {count} values for {count} columns of indices, got shape {tuple(value.shape)}."
        )
    top = [int(row.max()) if count else -1 for row in index]
    if count and int(index.min()) < 0:
        raise RuntimeError(f"sparse_coo_tensor: expected indices of at least 0, got {int(index.min())}.")
    size = (*(n + 1 for n in top), *value.shape[1:]) if size is None else tuple(int(n) for n in size)
    if len(size) != rows + value.dim() - 1 or tuple(size[rows:]) != tuple(value.shape[1:]):
        raise RuntimeError(
            f"sparse_coo_tensor: expected a size of {rows} indexed dimensions and those of the values, got {size} for "
            f"values of shape {tuple(value.shape)}."
        )
    for d, n in enumerate(top):
        if n >= size[d]:
            raise RuntimeError(
                f"sparse_coo_tensor: expected indices below size {size[d]} of dimension {d}, got {n}."
            )
    return SparseTensor(index, value, size, bool(is_coalesced))


def to_sparse(self, sparse_dim=None):
    """The tensor in coordinate form: the elements (or slices of the last dimensions) that are not all zero.

    Args:
        sparse_dim: how many dimensions are indexed; all unless given.

    Example:
        >>> import wengert
        >>> wengert.tensor([[0.0, 2.0], [0.0, 0.0]]).to_sparse().values()
        tensor([2.])
    """
    n = self.dim() if sparse_dim is None else sparse_dim
    if not 0 < n <= self.dim():
        raise RuntimeError(f"to_sparse: expected sparse_dim in [1, {self.dim()}], got {n}.")
    hit = self.detach().ne(0)
    if n < self.dim():
        hit = hit.flatten(n).any(-1)
    index = hit.nonzero()
    keys = tuple(index.unbind(1))
    return SparseTensor(index.t().contiguous(), self[keys], self.shape, True)


def mm(mat1, mat2):
    """The product of a sparse matrix (m, k) and a dense one (k, n), or of a dense and a sparse one: dense.

    A dense vector (k,) on the right gives a vector. Gradients flow to the sparse matrix's values and to the dense operand.

    Raises RuntimeError for shapes or dtypes that do not fit.
    """
    if not isinstance(mat1, SparseTensor):
        if isinstance(mat2, SparseTensor):
            return mat2.__rmatmul__(mat1)
        return OPS["matmul"](mat1, mat2)
    if isinstance(mat2, SparseTensor):
        raise SparseError("mm: expected one dense operand, got two sparse ones. Use .to_dense() for one of them.")
    if not isinstance(mat2, Tensor):
        raise TypeError(f"mm: expected a Tensor, got {type(mat2).__name__}.")
    vector = mat2.dim() == 1
    dense = mat2.unsqueeze(1) if vector else mat2
    if mat1.ndim != 2 or mat1.sparse_dim() != 2 or dense.dim() != 2 or mat1.shape[1] != dense.shape[0]:
        raise RuntimeError(
            f"mm: expected matrices (m, k) and (k, n), got {tuple(mat1.shape)} (sparse) and {tuple(mat2.shape)}."
        )
    if mat1.dtype != dense.dtype:
        raise RuntimeError(f"mm: expected operands of one dtype, got {mat1.dtype} and {dense.dtype}.")
    rows, columns = mat1._index
    parts = mat1._value.unsqueeze(1) * OPS["index_get"](dense, columns, (0,))
    whole = _core.full((mat1.shape[0], dense.shape[1]), 0, mat1.dtype)
    result = OPS["index_put_add"](whole, rows, parts, (0,))
    return result.squeeze(1) if vector else result


def addmm(mat, mat1, mat2, *, beta=1.0, alpha=1.0):
    """beta * mat + alpha * (mat1 @ mat2) for a sparse mat1."""
    return mat * beta + mm(mat1, mat2) * alpha


all_published("sparse", globals(), ["addmm", "mm"])
