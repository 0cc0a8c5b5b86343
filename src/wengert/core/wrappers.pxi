# What transforms and recorders need: wrappers, and running an op below them.
#
# Note [Wrappers]. A wrapper is a tensor with the flag T_SLOW whose real content is a Python object, its payload. It has
# a shape and a dtype like any tensor, so code that only asks for those works; its memory is one zero seen through
# strides of 0, so that nothing that forgets to ask for the flag can read or write out of bounds.

cdef Storage* wrapper_memory = NULL


def make_wrapper(shape, dtype, payload):
    """A tensor of the given shape and dtype that stands for `payload`; every op on it goes to slow dispatch."""
    global wrapper_memory
    cdef int64_t sizes[kMaxDims]
    cdef int64_t strides[kMaxDims]
    cdef Tensor t
    cdef Array a
    cdef int n = read_shape(tuple(shape), sizes, "transform")
    if wrapper_memory == NULL:
        wrapper_memory = storage_new(64)
        if wrapper_memory == NULL:
            raise_memory("transform")
        memset(wrapper_memory.data, 0, 64)
        wrapper_memory.readonly = 1
    memset(strides, 0, sizeof(strides))
    memset(&a, 0, sizeof(a))
    a.layout = layout_strided(n, sizes, strides)
    a.storage = wrapper_memory
    storage_incref(wrapper_memory)
    a.dtype = <uint8_t> dtype_code(dtype, "transform")
    t = tensor_from(&a)
    t.c.flags |= T_SLOW
    fields = {"_payload": payload}
    Py_INCREF(fields)
    t.c.dict = <PyObject*> fields
    wg_track(t)
    return t


def payload(t):
    """What a wrapper stands for; None for anything else."""
    if not isinstance(t, Tensor) or not (<Tensor> t).c.flags & T_SLOW or (<Tensor> t).c.dict == NULL:
        return None
    return (<dict> <object> (<Tensor> t).c.dict).get("_payload")


def run(Entry e, operands, attrs=()):
    """Runs an op that no recorder sees (wrappers among the operands still go to their transform)."""
    global active_recorder
    cdef PyObject* recorder = active_recorder
    active_recorder = NULL
    try:
        return apply_op(e, list(operands), encode_attrs(e, tuple(attrs)))
    finally:
        active_recorder = recorder


def run_inplace(Entry e, Tensor x, operands, attrs=()):
    """The in-place form of run(): operands without x."""
    global active_recorder
    cdef PyObject* recorder = active_recorder
    active_recorder = NULL
    try:
        return apply_inplace(e, x, [x] + list(operands), encode_attrs(e, tuple(attrs)))
    finally:
        active_recorder = recorder


def reserve_range(Entry e, operands, attrs):
    """The attributes of a random op with a fresh range of the default generator instead of the recorded one."""
    values = list(operands) + list(attrs)
    return tuple(attrs[:len(attrs) - 2]) + tuple(reserve_random(e, values[:len(values) - 2], None))


def infer_specs(Entry e, operands, attrs=()):
    """(shape, dtype) of each result of an op, for operands that are (shape, dtype), numbers or None."""
    values = [make_wrapper(v[0], v[1], None) if isinstance(v, tuple) else v for v in operands]
    return infer(e, values, attrs)


def is_shape_only(Tensor t):
    """Whether a tensor was saved for its shape alone and has no values."""
    return t.c.array.flags & kShapeOnly != 0


def has_value(Tensor t not None):
    """Whether t's value can be read: it stands neither in a transform nor in a graph."""
    return not t.c.flags & T_SLOW


def view_layout(Entry e, shape, strides, offset, dtype, attrs):
    """(strides, offset) in elements of a view that an op makes of a tensor of such a layout."""
    cdef int64_t sizes[kMaxDims]
    cdef int64_t steps[kMaxDims]
    cdef Array ins[1]
    cdef Array outs[1]
    cdef Attr* attr
    cdef int n = read_shape(tuple(shape), sizes, e.name), d, status
    cdef int64_t item
    read_shape(tuple(strides), steps, e.name)
    make_wrapper((), dtype, None)   # there is memory to look at
    memset(ins, 0, sizeof(ins))
    ins[0].layout = layout_strided(n, sizes, steps)
    ins[0].storage = wrapper_memory
    ins[0].dtype = <uint8_t> dtype_code(dtype, e.name)
    item = itemsize(ins[0].dtype)
    attr = encode_attrs(e, tuple(attrs))
    status = wg_forward(e.info, ins, 1, attr, outs, 1, NULL)
    attr_decref(attr)
    layout_decref(ins[0].layout)
    if status < 0:
        raise_last()
    found = (tuple([outs[0].layout.strides()[d] for d in range(outs[0].layout.ndim)]),
             offset + outs[0].u.offset // item)
    array_unref(outs[0])
    return found
