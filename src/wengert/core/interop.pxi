# A tensor's memory seen from outside: constructor, buffer protocol, storages, reinterpretation, resizing.

# ---- Tensor(...) -------------------------------------------------------------------------------------------------

cdef int construct(PyObject* self, PyObject* args, PyObject* kwargs) noexcept:
    try:
        construct_tensor(<Tensor> <object> self, <tuple> <object> args, {} if kwargs == NULL else <dict> <object> kwargs)
    except BaseException as error:
        _restore(error)
        return -1
    return 0


cdef int construct_tensor(Tensor self, tuple args, dict kwargs) except -1:
    """Tensor(), Tensor(2, 3), Tensor(Size), Tensor(sequence or array), Tensor(tensor): the default dtype."""
    cdef int64_t shape[kMaxDims]
    cdef int n = 1
    cdef Tensor t
    kwargs = dict(kwargs)
    device = kwargs.pop("device", None)
    if kwargs and type(self) is Tensor:
        raise TypeError(f"Tensor: expected sizes or data, got the argument {next(iter(kwargs))!r}.")
    if device is not None:
        check_device(device, "Tensor")
    shape[0] = 0
    first = args[0] if args else None
    if not args:
        t = new_tensor(default_dtype, 1, shape, "Tensor")
    elif isinstance(first, Tensor):
        t = <Tensor> first
    elif isinstance(first, int) or isinstance(first, size_type) and type(first) is not tuple:
        n = read_sizes(args, None, shape, "Tensor")
        t = new_tensor(default_dtype, n, shape, "Tensor")
    elif data_kind(first) >= 3:
        t = from_data(first, dtypes[default_dtype])
    else:
        raise TypeError(f"Tensor: expected sizes, a sequence or an array, got {type(first).__name__}. Use "
                        "wengert.tensor() for a single number.")
    if t.c.array.storage == NULL and not array_promote(&t.c.array):
        raise_memory("Tensor")
    self.c.array = t.c.array
    array_ref(self.c.array)
    return 0


wg_construct = construct


# ---- the buffer protocol -----------------------------------------------------------------------------------------

cdef extern from *:
    """
    // The owner of a buffer: set without counting what was there, which is nothing.
    static inline void wg_buffer_owner(Py_buffer* view, PyObject* owner) {
      Py_XINCREF(owner);
      view->obj = owner;
    }
    """
    void wg_buffer_owner(Py_buffer*, PyObject*)

# By dtype, as the struct module writes them; complex ones as NumPy does. NumPy's int64 is long where that has 8 bytes.
cdef list _formats = [b"?", b"B", b"b", b"h", b"i", b"l" if sizeof(long) == 8 else b"q", b"e", None, b"f", b"d", b"Zf",
                      b"Zd"]


cdef int tensor_getbuffer(PyObject* self, Py_buffer* view, int flags) noexcept:
    try:
        fill_buffer(<Tensor> <object> self, view, flags)
    except BaseException as error:
        wg_buffer_owner(view, NULL)
        _restore(error)
        return -1
    return 0


cdef int fill_buffer(Tensor t, Py_buffer* view, int flags) except -1:
    cdef Layout* l
    cdef Py_ssize_t* numbers
    cdef Tensor owner
    cdef int d
    cdef int64_t item = itemsize(t.c.array.dtype)
    if t.c.flags & T_VIEW:
        refresh_view(t)
    if t.c.node >= 0:
        raise BufferError("buffer: expected a tensor without history, got one that requires grad. Use .detach().")
    if _formats[t.c.array.dtype] is None:
        raise BufferError(f"buffer: expected a dtype that other libraries have, got {dtypes[t.c.array.dtype].name}.")
    if t.c.flags & T_SLOW:
        single(t, "buffer")
    if active_recorder != NULL:
        (<object> active_recorder).mark_value_read("buffer")
    owner = detached(t)   # a tensor of its own: later changes of t's data do not move this memory
    l = owner.c.array.layout
    if not flags & PyBUF_STRIDES == PyBUF_STRIDES and not l.contiguous:
        raise BufferError("buffer: expected a contiguous tensor for a reader without strides, got a strided one.")
    if flags & PyBUF_WRITABLE and owner.c.array.storage.readonly:
        raise BufferError("buffer: expected writable memory, got a tensor over a read-only array.")
    numbers = <Py_ssize_t*> malloc((2 * l.ndim + 1) * sizeof(Py_ssize_t))
    if numbers == NULL:
        raise_memory("buffer")
    for d in range(l.ndim):
        numbers[d] = l.shape()[d]
        numbers[l.ndim + d] = l.strides()[d] * item
    view.buf = owner.c.array.data()
    view.len = l.numel * item
    view.itemsize = item
    view.readonly = owner.c.array.storage.readonly
    view.ndim = l.ndim
    view.format = <char*> (<bytes> _formats[t.c.array.dtype]) if flags & PyBUF_FORMAT else NULL
    view.shape = numbers if flags & PyBUF_ND else NULL
    view.strides = numbers + l.ndim if flags & PyBUF_STRIDES == PyBUF_STRIDES else NULL
    view.suboffsets = NULL
    view.internal = numbers
    wg_buffer_owner(view, <PyObject*> owner)
    return 0


cdef void tensor_releasebuffer(PyObject* self, Py_buffer* view) noexcept:
    free(view.internal)


wg_buffer_procs.bf_getbuffer = tensor_getbuffer
wg_buffer_procs.bf_releasebuffer = tensor_releasebuffer


# ---- storages ----------------------------------------------------------------------------------------------------

def storage_tensor(Tensor t):
    """All bytes of t's storage as a uint8 tensor over the same memory."""
    cdef Array a
    cdef int64_t n
    if t.c.array.storage == NULL and not array_promote(&t.c.array):
        raise_memory("storage")
    n = <int64_t> t.c.array.storage.bytes
    memset(&a, 0, sizeof(Array))
    a.storage = t.c.array.storage
    storage_incref(a.storage)
    a.layout = layout_contiguous(1, &n)
    a.dtype = kUInt8
    return tensor_from(&a)


def move_storage(Tensor t not None, size_t address, owner):
    """Copies the bytes of t's storage to an address, as many as `storage_address` says: t and all that share its memory
    look there from now on, and keep `owner` alive."""
    if t.c.array.storage == NULL and not array_promote(&t.c.array):
        raise_memory("share_memory_")
    if not storage_move(t.c.array.storage, <void*> address, release_owner, <void*> owner):
        raise_memory("share_memory_")
    Py_INCREF(owner)


def storage_owner(Tensor t not None):
    """What `move_storage` was given for t's storage; None for others."""
    cdef void* owner = storage_moved_to(t.c.array.storage) if t.c.array.storage != NULL else NULL
    return <object> <PyObject*> owner if owner != NULL else None


def strided_tensor(Tensor memory, dtype, int64_t offset, shape, strides):
    """A tensor over `memory`'s storage: offset and strides in elements of `dtype`, from the storage's first byte."""
    cdef int64_t sizes[kMaxDims]
    cdef int64_t steps[kMaxDims]
    cdef Array a
    cdef int n = read_shape(tuple(shape), sizes, "set_"), d, code = dtype_code(dtype, "set_")
    cdef int64_t last = offset, count = 1
    if len(strides) != n:
        raise RuntimeError(f"set_: expected {n} strides, got {len(strides)}.")
    for d in range(n):
        steps[d] = attr_int(strides[d], "set_", "stride")
        if sizes[d] < 0 or steps[d] < 0:
            raise RuntimeError(f"set_: expected sizes and strides of at least 0, got {tuple(shape)} and "
                               f"{tuple(strides)}.")
        count *= sizes[d]
        last += (sizes[d] - 1) * steps[d]
    if memory.c.array.storage == NULL and not array_promote(&memory.c.array):
        raise_memory("set_")
    if offset < 0 or count and (last + 1) * itemsize(code) > <int64_t> memory.c.array.storage.bytes:
        raise RuntimeError(f"set_: expected a region within {memory.c.array.storage.bytes} bytes, got shape "
                           f"{tuple(shape)} at offset {offset} of {dtypes[code].name}.")
    memset(&a, 0, sizeof(Array))
    a.storage = memory.c.array.storage
    storage_incref(a.storage)
    a.layout = layout_strided(n, sizes, steps)
    a.u.offset = offset * itemsize(code)
    a.dtype = <uint8_t> code
    return tensor_from(&a)


def view(Tensor self not None, *shape, dtype=None, size=None):
    """The same elements under another shape (one size may be -1), or the same bytes as another dtype.

    Neither copies. A dtype with another item size scales the last dimension. Raises RuntimeError where the layout does not
    allow it; .reshape() copies then.

    Example:
        >>> import wengert
        >>> wengert.arange(4).view(2, -1)
        tensor([[0, 1],
                [2, 3]])
        >>> wengert.ones(1).view(wengert.int32)
        tensor([1065353216], dtype=wengert.int32)
    """
    cdef int64_t words[kMaxDims + 1]
    cdef int n
    if dtype is None and len(shape) == 1 and isinstance(shape[0], DTypeObject):
        dtype = shape[0]
    if dtype is not None:
        return reinterpreted(self, dtype_code(dtype, "view"))
    n = read_sizes(shape, size, words + 1, "view")
    words[0] = n
    return apply_op(<Entry> entry_by_name["view"], [self], attr_new(words, n + 1))


cdef Tensor reinterpreted(Tensor t, int code):
    """t's bytes as elements of another dtype."""
    cdef int64_t sizes[kMaxDims]
    cdef int64_t steps[kMaxDims]
    cdef Layout* l = t.c.array.layout
    cdef int64_t old = itemsize(t.c.array.dtype), new = itemsize(code), ratio
    cdef int d, last = l.ndim - 1
    cdef Array a
    if code == t.c.array.dtype:
        return <Tensor> apply_op(<Entry> entry_by_name["alias"], [t], NULL)
    if t.c.flags & T_VIEW:
        refresh_view(t)
    if t.c.node >= 0 and is_inexact(code) and not wg_grad_off():
        raise RuntimeError("view: expected a tensor without history for another floating dtype, got one that requires "
                           "grad. Use .detach().")
    if t.c.flags & T_SLOW:
        single(t, "view")
    if t.c.array.storage == NULL and not array_promote(&t.c.array):
        raise_memory("view")
    for d in range(l.ndim):
        sizes[d] = l.shape()[d]
        steps[d] = l.strides()[d]
    if old != new:
        if l.ndim == 0:
            raise RuntimeError("view: expected a tensor with dimensions for a dtype of another size, got shape ().")
        if steps[last] != 1 and sizes[last] > 1:
            raise RuntimeError(f"view: expected a last dimension without gaps, got stride {steps[last]}.")
        ratio = old // new if old > new else new // old
        if old < new and (sizes[last] % ratio or t.c.array.u.offset % new):
            raise RuntimeError(f"view: expected a last size and an offset that {dtypes[code].name} divides, got size "
                               f"{sizes[last]}.")
        for d in range(last):
            if old < new and steps[d] % ratio:
                raise RuntimeError(f"view: expected strides that {dtypes[code].name} divides, got {steps[d]}.")
            steps[d] = steps[d] * ratio if old > new else steps[d] // ratio
        sizes[last] = sizes[last] * ratio if old > new else sizes[last] // ratio
        steps[last] = 1
    a = t.c.array
    storage_incref(a.storage)
    a.layout = layout_strided(l.ndim, sizes, steps)
    a.dtype = <uint8_t> code
    return tensor_of(None if is_plain(t) else result_class(type(t)), &a)


def resize_(Tensor self not None, *sizes, memory_format=None):
    """Gives the tensor other sizes in place: elements that fit are kept in row-major order, others are undefined.

    Raises RuntimeError for a tensor that requires grad.
    """
    cdef int64_t shape[kMaxDims]
    cdef int n = read_sizes(sizes, None, shape, "resize_")
    cdef Tensor bigger
    cdef Array a
    cdef size_t have
    if self.requires_grad:
        raise RuntimeError("resize_: expected a tensor that does not require grad, got one that does.")
    if self.c.array.storage == NULL and not array_promote(&self.c.array):
        raise_memory("resize_")
    bigger = new_tensor(self.c.array.dtype, n, shape, "resize_")
    if bigger.c.array.storage == NULL and not array_promote(&bigger.c.array):
        raise_memory("resize_")
    a = bigger.c.array
    have = self.c.array.storage.bytes - <size_t> self.c.array.u.offset
    if <size_t> a.nbytes() <= have:
        # The memory suffices: only the layout changes.
        layout_incref(a.layout)
        layout_decref(self.c.array.layout)
        self.c.array.layout = a.layout
    else:
        memcpy(a.data(), self.c.array.data(), have)
        replace_data(self, bigger)
    return self


# ---- names of types ----------------------------------------------------------------------------------------------

cdef extern from "Python.h":
    ctypedef struct PyTypeObject:
        const char* tp_name

# Types call themselves by the names that users know them by: <class 'wengert.Tensor'>.
(<PyTypeObject*> Tensor).tp_name = "wengert.Tensor"
(<PyTypeObject*> DTypeObject).tp_name = "wengert.dtype"
(<PyTypeObject*> DeviceObject).tp_name = "wengert.device"
(<PyTypeObject*> Generator).tp_name = "wengert.Generator"
