"""Shapes with PyTorch's overloads: views, joining and splitting."""

import math

from . import _core
from ._bind import OPS
from ._methods import become_view
from ._overload import Publisher, as_list, check_tensor, ints, loses, store, wrap_dim, wrap_dims
from ._padding import pad
from ._spans import fitting

Tensor = _core.Tensor
publish = Publisher()
FUNCTIONS, METHODS = publish.functions, publish.methods

_cat, _stack, _slice, _select = OPS["cat"], OPS["stack"], OPS["slice"], OPS["select"]
_reshape, _permute, _transpose = OPS["reshape"], OPS["permute"], OPS["transpose"]
_squeeze, _unsqueeze, _expand = OPS["squeeze"], OPS["unsqueeze"], OPS["expand"]


# ---- views ----------------------------------------------------------------------------------------------------------


@publish(function=False)
def reshape_as(self, other):
    """The same elements in another tensor's shape."""
    return _reshape(self, tuple(check_tensor("reshape_as", other).shape))


@publish(numpy=True)
def squeeze(input, dim=None):
    """The dimensions of size 1, or those of them in dim (an int or a tuple), dropped; a view."""
    if dim == ():
        return OPS["alias"](input)
    return _squeeze(input, dim)


@publish()
def flatten(input, start_dim=0, end_dim=-1):
    """The dimensions from start_dim to end_dim as one. A 0-d tensor becomes 1-d."""
    check_tensor("flatten", input)
    if start_dim == 0 and end_dim == -1 and input.dim() > 1:
        return _reshape(input, (-1,))
    shape = tuple(input.shape)
    n = len(shape)
    start, end = wrap_dim("flatten", start_dim, n), wrap_dim("flatten", end_dim, n)
    if start > end:
        raise RuntimeError(f"flatten: expected start_dim <= end_dim, got {start_dim} and {end_dim}.")
    if n == 0:
        return _reshape(input, (1,))
    if start == end:
        return input
    return _reshape(input, (*shape[:start], math.prod(shape[start : end + 1]), *shape[end + 1 :]))


@publish(numpy=True)
def unflatten(input, dim, sizes):
    """One dimension split into several of the given sizes; one may be -1."""
    dim = wrap_dim("unflatten", dim, input.dim())
    shape = tuple(input.shape)
    sizes = list(ints((sizes,)))
    known = math.prod(s for s in sizes if s != -1)
    if sizes.count(-1) == 1 and known and shape[dim] % known == 0:
        sizes[sizes.index(-1)] = shape[dim] // known
    if math.prod(sizes) != shape[dim] or -1 in sizes:
        raise RuntimeError(f"unflatten: expected sizes whose product is {shape[dim]}, got {tuple(sizes)}.")
    return input.view((*shape[:dim], *sizes, *shape[dim + 1 :]))


@publish()
def ravel(input):
    """All elements as one dimension."""
    return _reshape(input, (-1,))


publish.add("swapaxes", _transpose)
publish.add("swapdims", _transpose)


@publish()
def t(input):
    """The transpose of a matrix; tensors of fewer dimensions are returned as they are. A view."""
    check_tensor("t", input)
    n = input.dim()
    if n > 2:
        raise RuntimeError(f"t: expected at most 2 dimensions, got {n}. Use .mT or .transpose().")
    return _transpose(input, 0, 1) if n == 2 else OPS["alias"](input)


@publish("moveaxis")
def movedim(input, source, destination):
    """Dimensions (ints or tuples) moved to other places; the rest keep their order. A view."""
    check_tensor("movedim", input)
    n = input.dim()
    source, destination = wrap_dims("movedim", source, n), wrap_dims("movedim", destination, n)
    if len(source) != len(destination):
        raise RuntimeError(f"movedim: expected as many destinations as sources, got {destination} for {source}.")
    if n == 0:
        return OPS["alias"](input)
    order = [-1] * n
    for s, d in zip(source, destination, strict=True):
        order[d] = s
    rest = iter(d for d in range(n) if d not in source)
    return _permute(input, tuple(next(rest) if d < 0 else d for d in order))


@publish(function=False)
def expand_as(self, other):
    """Expanded to another tensor's shape without a copy."""
    return _expand(self, tuple(check_tensor("expand_as", other).shape))


@publish(method=True)
def broadcast_to(input, size):
    """Expanded to a shape without a copy."""
    return _expand(input, tuple(size))


@publish(method=False)
def broadcast_shapes(*shapes):
    """The shape that shapes broadcast to."""
    shapes = [(s,) if isinstance(s, int) else tuple(s) for s in shapes]
    n = max((len(s) for s in shapes), default=0)
    result = [1] * n
    for s in shapes:
        for k, size in enumerate(reversed(s), 1):
            if size != 1 and result[-k] not in (1, size):
                raise RuntimeError(f"broadcast_shapes: expected shapes that broadcast together, got {shapes}.")
            if size != 1:
                result[-k] = size
    return type(_core.empty(()).shape)(result)


@publish(method=False)
def broadcast_tensors(*tensors):
    """Tensors expanded to their common shape."""
    tensors = (
        as_list("broadcast_tensors", tensors[0])
        if len(tensors) == 1 and not isinstance(tensors[0], Tensor)
        else tensors
    )
    shape = broadcast_shapes(*[tuple(check_tensor("broadcast_tensors", x).shape) for x in tensors])
    return tuple(_expand(x, tuple(shape)) for x in tensors)


def _at_least(n, expand):
    def single(x):
        return expand(x) if check_tensor(f"atleast_{n}d", x).dim() < n else x

    def at_least(*tensors):
        if len(tensors) == 1 and isinstance(tensors[0], Tensor):
            return single(tensors[0])
        if len(tensors) == 1:
            tensors = as_list(f"atleast_{n}d", tensors[0])
        return tuple(single(x) for x in tensors)

    at_least.__name__ = f"atleast_{n}d"
    at_least.__doc__ = f"Tensors with at least {n} dimension{'s' if n > 1 else ''}; sizes of 1 are added."
    publish()(at_least)
    return at_least


atleast_1d = _at_least(1, lambda x: _reshape(x, (1,)))
atleast_2d = _at_least(2, lambda x: _reshape(x, (1, -1)) if x.dim() else _reshape(x, (1, 1)))
atleast_3d = _at_least(3, lambda x: _reshape(x, (*([1] * (x.dim() < 2)), *x.shape, 1) if x.dim() else (1, 1, 1)))


@publish(numpy=True)
def narrow(input, dim, start, length):
    """length elements of a dimension from start on; a view."""
    dim = wrap_dim("narrow", dim, input.dim())
    if isinstance(start, Tensor) and (start.dim() or start.dtype.is_inexact or start.dtype.name == "bool"):
        raise RuntimeError(f"narrow: expected start as an integer, got {start.dtype}, shape {tuple(start.shape)}.")
    start = int(start)
    size = input.shape[dim] if input.dim() else 0
    if input.dim() == 0:
        raise RuntimeError("narrow: expected a tensor with dimensions, got shape ().")
    if not -size <= start <= size:
        raise IndexError(f"narrow: expected start in [{-size}, {size}], got {start}.")
    start = start + size if start < 0 else start
    if length < 0 or start + length > size:
        raise RuntimeError(f"narrow: expected a range inside size {size}, got start {start} and length {length}.")
    return _slice(input, dim, start, length, 1)


@publish()
def as_strided(input, size, stride, storage_offset=None):
    """Any layout over the tensor's memory; storage_offset counts elements from the start of the storage.

    Where a gradient is recorded and the tensor's own elements leave gaps in memory, the result is a copy.
    """
    own = input.storage_offset()
    offset = (own if storage_offset is None else storage_offset) - own
    recorded = input.requires_grad or not _core.has_value(input)
    if recorded and _core.grad_enabled() and not input.is_contiguous() and input.numel():
        input = input.permute(sorted(range(input.ndim), key=lambda d: -input.stride(d)))  # memory as it lies
        if not input.is_contiguous():
            input = _spread_out(input)
    return OPS["as_strided"](input, tuple(size), tuple(stride), offset)


def _spread_out(x):
    """The memory from x's first element to its last, with x's gradient: as_strided counts places there."""
    with _core.no_grad():
        span = 1 + sum((size - 1) * step for size, step in zip(x.shape, x.stride(), strict=True))
        memory = OPS["clone"](OPS["as_strided"](x, (span,), (1,), 0))
    return OPS["strided_scatter"](memory, x, tuple(x.shape), x.stride(), 0)


@publish(method=True)
def is_same_size(input, other):
    """Whether two tensors have one shape."""
    check_tensor("is_same_size", input)
    check_tensor("is_same_size", other)
    return tuple(input.shape) == tuple(other.shape)


# ---- joining --------------------------------------------------------------------------------------------------------


@publish("concat", "concatenate", method=False)
def cat(tensors, dim=0, *, axis=None, out=None):
    """Tensors one after the other along a dimension. Shapes agree elsewhere; dtypes are promoted.

    Example:
        >>> import wengert
        >>> wengert.cat([wengert.tensor([1.0]), wengert.tensor([2.0, 3.0])])
        tensor([1., 2., 3.])
    """
    return _joined("cat", _cat(as_list("cat", tensors), dim if axis is None else axis), out)


@publish(method=False)
def stack(tensors, dim=0, *, axis=None, out=None):
    """Tensors of one shape along a new dimension; dtypes are promoted."""
    return _joined("stack", _stack(as_list("stack", tensors), dim if axis is None else axis), out)


def _joined(op, result, out):
    if out is None:
        return result
    if loses(result.dtype, check_tensor(op, out).dtype):
        raise TypeError(f"{op}: expected out= that can hold {result.dtype}, got {out.dtype}: can't be cast.")
    return store(result, out)


def _tuple_of(tensors, expand):
    tensors = as_list("stack", tensors)
    if not tensors:
        raise RuntimeError("stack: expected a list of at least one tensor, got none.")
    return [expand(x) for x in tensors]


@publish(method=False, out=True)
def hstack(tensors):
    """Tensors side by side: along dimension 1, or 0 where they have one dimension."""
    parts = _tuple_of(tensors, atleast_1d)
    return _cat(parts, 0 if parts and parts[0].dim() == 1 else 1)


@publish("row_stack", method=False, out=True)
def vstack(tensors):
    """Tensors below each other, as rows at least."""
    return _cat(_tuple_of(tensors, atleast_2d), 0)


@publish(method=False, out=True)
def dstack(tensors):
    """Tensors behind each other: along dimension 2."""
    return _cat(_tuple_of(tensors, atleast_3d), 2)


@publish(method=False, out=True)
def column_stack(tensors):
    """Tensors as columns beside each other."""
    return _cat(_tuple_of(tensors, lambda x: _reshape(x, (x.numel(), 1)) if x.dim() < 2 else x), 1)


@publish(method=False)
def block_diag(*tensors):
    """Matrices along the diagonal of a matrix, zeros elsewhere."""
    tensors = [atleast_2d(x) for x in tensors]
    for x in tensors:
        if x.dim() > 2:
            raise RuntimeError(f"block_diag: expected matrices, got shape {tuple(x.shape)}.")
    width = sum(x.shape[1] for x in tensors)
    rows, at = [], 0
    for x in tensors:
        rows.append(pad(x, (at, width - at - x.shape[1])))
        at += x.shape[1]
    return _cat(rows, 0)


# ---- splitting ------------------------------------------------------------------------------------------------------


def _pieces(input, dim, sizes):
    parts, at = [], 0
    for size in sizes:
        parts.append(_slice(input, dim, at, size, 1))
        at += size
    return tuple(parts)


def _counted(op, size):
    """A size that is the number of results; TypeError where it is one by name (of a symbolic tensor)."""
    if not isinstance(size, int):
        raise TypeError(
            f"{op}: expected a size known when the graph is built, got {size}. Use wengert.scan() to loop, or give the "
            "input a number as its size."
        )
    return size


def _equal_pieces(op, input, dim, step, size):
    """Views of `step` each; the last may be smaller."""
    _counted(op, size)
    if size == 0:
        return (_slice(input, dim, 0, 0, 1),)
    return tuple([_slice(input, dim, k, min(step, size - k), 1) for k in range(0, size, step)])


@publish(numpy=True)
def split(input=None, split_size_or_sections=None, dim=0, *, tensor=None, split_size=None):
    """Views of parts of a dimension: all of one size (the last may be smaller), or of the given sizes.

    torch names the arguments in two ways: tensor and split_size stand for the first two.
    """
    input = check_tensor("split", input if tensor is None else tensor)
    split_size_or_sections = split_size_or_sections if split_size is None else split_size
    shape = input.shape
    dim = wrap_dim("split", dim, len(shape))
    if not shape:
        raise RuntimeError("split: expected a tensor with dimensions, got shape ().")
    size = shape[dim]
    if isinstance(split_size_or_sections, Tensor) and split_size_or_sections.dim() == 0:
        split_size_or_sections = int(split_size_or_sections)
    if isinstance(split_size_or_sections, int):
        step = split_size_or_sections
        if step < 0 or (step == 0 and size != 0):
            raise RuntimeError(f"split: expected a split size of at least 1, got {step}.")
        return _equal_pieces("split", input, dim, step, size)
    sizes = [int(v) for v in split_size_or_sections]
    if sum(sizes) != size or any(v < 0 for v in sizes):
        raise RuntimeError(f"split: expected sizes that add up to {size}, got {sizes}.")
    return _pieces(input, dim, sizes)


@publish(numpy=True)
def split_with_sizes(input, split_sizes, dim=0):
    """Views of parts of a dimension, of the given sizes."""
    if isinstance(split_sizes, int):
        raise TypeError(f"split_with_sizes: expected a list of sizes, got {split_sizes}. Use split().")
    return split(input, split_sizes, dim)


@publish(numpy=True)
def chunk(input, chunks, dim=0):
    """At most `chunks` views of equal parts of a dimension; the last may be smaller."""
    check_tensor("chunk", input)
    shape = input.shape
    dim = wrap_dim("chunk", dim, len(shape))
    if chunks < 1:
        raise RuntimeError(f"chunk: expected at least 1 chunk, got {chunks}.")
    if not shape:
        raise RuntimeError("chunk: expected a tensor with dimensions, got shape ().")
    size = _counted("chunk", shape[dim])
    if size == 0:
        return _pieces(input, dim, [0] * chunks)
    return _equal_pieces("chunk", input, dim, -(-size // chunks), size)


@publish(numpy=True)
def tensor_split(input, indices_or_sections, dim=0):
    """Views of parts of a dimension: n parts as equal as can be, or cut at the given indices."""
    check_tensor("tensor_split", input)
    dim = wrap_dim("tensor_split", dim, input.dim())
    if input.dim() == 0:
        raise RuntimeError("tensor_split: expected a tensor with dimensions, got shape ().")
    size = input.shape[dim]
    if isinstance(indices_or_sections, Tensor):
        indices_or_sections = indices_or_sections.tolist()
    if isinstance(indices_or_sections, int):
        n = indices_or_sections
        if n < 1:
            raise RuntimeError(f"tensor_split: expected at least 1 section, got {n}.")
        return _pieces(input, dim, [size // n + (k < size % n) for k in range(fitting("tensor_split", n))])
    cuts = [0, *(slice(None, v).indices(size)[1] for v in indices_or_sections), size]
    return tuple(_slice(input, dim, a, max(b - a, 0), 1) for a, b in zip(cuts, cuts[1:], strict=False))


def _along(name, place, least):
    def split_along(input, indices_or_sections=None, *, indices=None, sections=None):
        check_tensor(name, input)
        given = [v for v in (indices_or_sections, indices, sections) if v is not None]
        if len(given) != 1:
            raise TypeError(f"{name}: expected indices or sections, got {len(given)} of them.")
        indices_or_sections = given[0]
        if input.dim() < least:
            raise RuntimeError(f"{name}: expected at least {least} dimensions, got shape {tuple(input.shape)}.")
        dim = place(input)
        if isinstance(indices_or_sections, int) and input.shape[dim] % max(indices_or_sections, 1):
            raise RuntimeError(
                f"{name}: expected sections that divide size {input.shape[dim]}, got {indices_or_sections}."
            )
        return tensor_split(input, indices_or_sections, dim)

    split_along.__name__ = name
    split_along.__doc__ = "Views of equal parts of a dimension, or parts cut at the given indices."
    publish()(split_along)


_along("hsplit", lambda x: 0 if x.dim() == 1 else 1, 1)
_along("vsplit", lambda x: 0, 2)
_along("dsplit", lambda x: 2, 3)


@publish(numpy=True)
def unbind(input, dim=0):
    """Views of all slices of a dimension, without that dimension."""
    check_tensor("unbind", input)
    if input.dim() == 0:
        raise IndexError("unbind: expected a tensor with dimensions, got shape ().")
    dim = wrap_dim("unbind", dim, input.dim())
    return tuple(_select(input, dim, k) for k in range(_counted("unbind", input.shape[dim])))


# ---- in place ------------------------------------------------------------------------------------------------------


def _view_inplace(name, function):
    """t_(), squeeze_() and their like: the tensor itself takes the view's layout and history."""

    def method(self, *args, **kwargs):
        return become_view(name + "_", self, function, *args, **kwargs)

    method.__name__ = name + "_"
    method.__doc__ = f"Gives the tensor the shape of {name}() and returns it."
    METHODS[name + "_"] = method


for _name, _function in (
    ("squeeze", squeeze),
    ("unsqueeze", _unsqueeze),
    ("t", t),
    ("transpose", _transpose),
    ("swapaxes", _transpose),
    ("swapdims", _transpose),
):
    _view_inplace(_name, _function)
