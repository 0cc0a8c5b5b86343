# What transforms and recorders need: wrappers, running an op below them, and the first plan.
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


# ---- plans -------------------------------------------------------------------------------------------------------

cdef class Plan:
    """A program over tensors: runs without Python for each instruction and records nothing."""
    cdef Program* p
    cdef readonly int inputs

    def __dealloc__(self):
        if self.p != NULL:
            program_decref(self.p)


def plan_new(traced):
    """A Plan of a traced program: registers 0 … given-1 are the operands of a run, in order."""
    cdef Plan plan = Plan.__new__(Plan)
    if traced.nregs > 32767:
        raise RuntimeError(f"plan: expected at most 32767 values, got {traced.nregs}. Record a smaller function.")
    plan.p = build_program(traced, NULL)
    plan.inputs = traced.given
    return plan


def plan_run(Plan plan, tensors):
    """Runs a plan on a list of tensors; returns the list of its results."""
    cdef vector[Array] given
    cdef vector[Array] results
    cdef Tensor t
    cdef size_t k
    cdef int bad
    if len(tensors) != plan.inputs:
        raise ValueError(f"plan: expected {plan.inputs} tensors, got {len(tensors)}.")
    for v in tensors:
        t = <Tensor?> v
        if t.c.flags & T_SLOW:
            raise RuntimeError("plan: expected plain tensors, got one inside a transform. Call the function instead.")
        if t.c.array.storage == NULL and not array_promote(&t.c.array):
            raise_memory("plan")
        given.push_back(t.c.array)
        given[given.size() - 1].flags = 0
    results.resize(plan.p.results.size())
    # Another thread may drop the tensors while a large kernel runs without the lock.
    for k in range(given.size()):
        array_ref(given[k])
    bad = program_run(plan.p, given.data(), NULL, NULL, results.data(), NULL, NULL)
    for k in range(given.size()):
        array_unref(given[k])
    if bad < 0:
        for k in range(results.size()):
            array_unref(results[k])
        raise_last()
    out = []
    for k in range(results.size()):
        out.append(tensor_from(&results[k]) if results[k].layout != NULL else None)
    return out


def plan_set_attributes(Plan plan, int k, attrs):
    """Gives instruction k other attributes (the range of a random op)."""
    cdef Attr* fresh
    if k < 0 or k >= <int> plan.p.code.size():
        raise IndexError(f"plan: expected an instruction below {plan.p.code.size()}, got {k}.")
    fresh = encode_attrs(entry_of(plan.p.code[k].op), tuple(attrs))
    attr_decref(plan.p.code[k].attr)
    plan.p.code[k].attr = fresh


def infer_specs(Entry e, operands, attrs=()):
    """(shape, dtype) of each result of an op, for operands that are (shape, dtype), numbers or None."""
    values = [make_wrapper(v[0], v[1], None) if isinstance(v, tuple) else v for v in operands]
    return infer(e, values, attrs)
