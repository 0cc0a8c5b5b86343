# Indexing: ints, slices, None and ... are views; masks and integer tensors gather (index_advanced in Python).

cdef object _advanced_get = None
cdef object _advanced_set = None


def set_advanced_indexing(getter, setter):
    """Hands the core the functions for masks and integer tensors."""
    global _advanced_get, _advanced_set
    _advanced_get = getter
    _advanced_set = setter


cdef Tensor select_view(Tensor t, int64_t dim, int64_t index):
    cdef int64_t words[2]
    words[0] = dim
    words[1] = index
    return <Tensor> apply_op(<Entry> entry_by_name["select"], [t], attr_new(words, 2))


cdef list unbind_all(Tensor t):
    cdef int64_t k
    return [select_view(t, 0, k) for k in range(t.c.array.layout.shape()[0])]


cdef object slice_int(object v, str field):
    """A bound or the step of a slice: ints of any size are limited to the dimension later."""
    return v if PyLong_CheckExact(v) else attr_int(v, "index", field)


cdef Tensor slice_view(Tensor t, int64_t dim, object key):
    """t[..., start:stop:step, ...] along one dimension."""
    cdef int64_t words[4]
    cdef int64_t size = t.c.array.layout.shape()[dim]
    step = 1 if key.step is None else slice_int(key.step, "step")
    if step <= 0:
        raise ValueError(f"index: expected a step of at least 1, got {step}. Use .flip() to reverse.")
    start, stop, step = slice(None if key.start is None else slice_int(key.start, "start"),
                              None if key.stop is None else slice_int(key.stop, "stop"), step).indices(size)
    length = max(0, (stop - start + step - 1) // step)
    if length == size and step == 1:
        return t
    words[0] = dim
    words[1] = start if length else 0
    words[2] = length
    words[3] = step if length > 1 else 1
    return <Tensor> apply_op(<Entry> entry_by_name["slice"], [t], attr_new(words, 4))


cdef Tensor unsqueeze_view(Tensor t, int64_t dim):
    return <Tensor> apply_op(<Entry> entry_by_name["unsqueeze"], [t], attr_new(&dim, 1))


cdef cbool is_basic(object k) except? False:
    return (PyLong_CheckExact(k) or isinstance(k, slice) or k is None or k is Ellipsis)


cdef Tensor basic_view(Tensor t, tuple keys):
    """Applies ints, slices, None and one Ellipsis."""
    cdef int64_t dim = 0
    cdef int consumed = 0, ndim = t.c.array.layout.ndim, skips = 0
    cdef Tensor start = t
    for k in keys:
        if k is Ellipsis:
            skips += 1
        elif k is not None:
            consumed += 1
    if consumed > ndim:
        raise IndexError(f"index: expected at most {ndim} indices for shape {shape_tuple(t.c.array.layout)}, got "
                         f"{consumed}.")
    if skips > 1:
        raise IndexError("index: expected at most one '...', got several.")
    for k in keys:
        if k is Ellipsis:
            dim += ndim - consumed
        elif k is None:
            t = unsqueeze_view(t, dim)
            dim += 1
        elif isinstance(k, slice):
            t = slice_view(t, dim, k)
            dim += 1
        else:
            t = select_view(t, dim, int64_of(k, "index", "an index", ValueError))
    if t is start:
        t = <Tensor> apply_op(<Entry> entry_by_name["alias"], [t], NULL)
    return t


cdef object plain_key(object k):
    """A key as basic indexing knows it: 0-d integer tensors and __index__ objects become ints."""
    if is_basic(k) or isinstance(k, (bool, list)):
        return k
    if isinstance(k, Tensor):
        if is_int((<Tensor> k).c.array.dtype) and (<Tensor> k).c.array.layout.ndim == 0 and not (<Tensor> k).c.flags & T_SLOW:
            return int(k)
        return k
    if hasattr(k, "__array_interface__"):
        return int(k) if k.shape == () and k.dtype.kind in "iu" else k
    if hasattr(k, "__index__"):
        return k.__index__()
    return k


cdef object list_key(list key):
    """A list of keys is a tuple of them, as in PyTorch: fewer than 32, one at least that is more than a number."""
    if len(key) < 32:
        for k in key:
            if k is None or k is Ellipsis or isinstance(k, (Tensor, slice, list, tuple, range)) or getattr(k, "ndim", 0):
                return tuple(key)
    return key


cdef object get_item(Tensor t, object key):
    cdef tuple keys
    cdef cbool basic = True
    if PyLong_CheckExact(key):
        return select_view(t, 0, int64_of(key, "index", "an index", ValueError))
    if isinstance(key, slice) and t.c.array.layout.ndim:
        view = slice_view(t, 0, key)
        return view if view is not t else apply_op(<Entry> entry_by_name["alias"], [t], NULL)
    if isinstance(key, list):
        key = list_key(key)
    keys = tuple([plain_key(k) for k in key]) if isinstance(key, tuple) else (plain_key(key),)
    for k in keys:
        if not is_basic(k):
            basic = False
    if basic:
        return basic_view(t, keys)
    return _advanced_get(t, keys)


cdef int set_item(Tensor t, object key, object value) except -1:
    cdef tuple keys
    if isinstance(key, list):
        key = list_key(key)
    keys = tuple([plain_key(k) for k in key]) if isinstance(key, tuple) else (plain_key(key),)
    for k in keys:
        if not is_basic(k):
            _advanced_set(t, keys, value)
            return 0
    view = basic_view(t, keys)
    if not isinstance(value, (Tensor, int, float, complex)):
        value = from_data(value)
    if isinstance(value, Tensor):
        # As torch: leading sizes of 1 that the target does not have are dropped.
        while value.dim() > view.dim() and value.shape[0] == 1:
            value = value[0]
    copy_to(view, value, "index assignment")
    return 0


cdef object copy_to(Tensor dst, object value, str op):
    """dst.copy_(value) with broadcasting and conversion, recorded."""
    cdef Array weak
    cdef Tensor number
    if is_complex_number(value):
        number = complex_number(value)
        return fill_inplace(dst, &number.c.array)
    if not isinstance(value, Tensor):
        weak_array(value, &weak, op)
        layout_decref(weak.layout)
        return fill_inplace(dst, &weak)
    return apply_inplace(<Entry> entry_by_name["assign"], dst, [dst, value], NULL)


cdef object fill_inplace(Tensor dst, Array* value):
    """dst.fill_(number): the history of dst ends here."""
    cdef Tensor scalar = tensor_from(value)
    cdef Layout* l = dst.c.array.layout
    cdef object once = dst
    cdef int d
    array_ref(scalar.c.array)
    if is_complex(value.dtype) and not is_complex(dst.c.array.dtype):
        raise RuntimeError(f"fill_: expected a number that {dst.dtype} holds, got {scalar.item()}. Use its .real.")
    if not dst.c.flags & T_SLOW:
        for d in range(l.ndim):
            if l.strides()[d] == 0 and l.shape()[d] > 1:   # every element of an expanded dimension is the same one
                once = once.narrow(d, 0, 1)
    if once is not dst:
        fill_inplace(<Tensor> once, value)
        return dst
    if recorder_traces():
        (<object> active_recorder).made(scalar)
    return apply_inplace(<Entry> entry_by_name["assign"], dst, [dst, scalar], NULL)


def copy_(Tensor dst, src, non_blocking=False):
    """Writes src's values, converted and broadcast, to dst; returns dst."""
    if not isinstance(src, (Tensor, int, float, complex)):
        raise TypeError(f"copy_: expected a Tensor, got {type(src).__name__}.")
    return copy_to(dst, src, "copy_")


# ---- matmul: 1-d operands become matrices ---------------------------------------------------------------------

cdef object matmul(object left, object right):
    cdef Entry e = <Entry> slot_entry[S_MATMUL]
    cdef Tensor a, b
    if not isinstance(left, Tensor) or not isinstance(right, Tensor):
        return NotImplemented
    a = <Tensor> left
    b = <Tensor> right
    cdef int na = a.c.array.layout.ndim, nb = b.c.array.layout.ndim
    if na >= 2 and nb >= 2:
        return apply_op(e, [a, b], NULL)
    if na == 0 or nb == 0:
        raise RuntimeError(f"matmul: expected operands with dimensions, got shapes {shape_tuple(a.c.array.layout)} and "
                           f"{shape_tuple(b.c.array.layout)}. Use * for numbers.")
    if a.c.array.layout.shape()[na - 1] != b.c.array.layout.shape()[0 if nb == 1 else nb - 2]:
        raise RuntimeError(f"matmul: expected a.shape[-1] == b.shape[{0 if nb == 1 else -2}], got "
                           f"{shape_tuple(a.c.array.layout)} and {shape_tuple(b.c.array.layout)}.")
    out = apply_op(e, [unsqueeze_view(a, 0) if na == 1 else a, unsqueeze_view(b, 1) if nb == 1 else b], NULL)
    if nb == 1:
        out = select_view(<Tensor> out, -1, 0)
    if na == 1:
        out = select_view(<Tensor> out, -1 if nb == 1 else -2, 0)
    return out


def matmul_any(input, other, *, out=None):
    """Matrix product of the last two dimensions; leading ones broadcast; 1-d operands are a row or a column.

    Shapes: (…, m, k) @ (…, k, n) → (…, m, n). Both operands have one dtype; raises RuntimeError where shapes or dtypes
    do not fit.

    Example:
        >>> import wengert
        >>> wengert.matmul(wengert.eye(2), wengert.tensor([3.0, 4.0]))
        tensor([3., 4.])
    """
    result = matmul(input, other)
    if result is NotImplemented:
        bad = input if not isinstance(input, Tensor) else other
        raise TypeError(f"matmul: expected a Tensor, got {type(bad).__name__}.")
    return result if out is None else write_out("matmul", result, out)
