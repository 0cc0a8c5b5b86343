# Dispatch: operands → forward function → record. The one way by which an op runs eagerly.

cdef enum TensorFlag:
    T_VIEW = 1         # looks at the storage of `base`
    T_SLOW = 2         # a wrapper of a function transform or a symbolic tensor: every op goes to its interpreter
    T_PARAMETER = 4
    T_RETAINS = 16     # retain_grad() was called
    T_LEAF = 0x100     # its node is a leaf that points back to it
    T_HOOKED = 0x200   # has hooks that must outlive it while its node lives

cdef extern from *:
    """
    // Grad mode is a thread's own. The hot question is answered by one plain load while no thread has switched it off
    // (thread-local storage of a shared library costs a call).
    static thread_local int wg_own_grad_off = 0;
    static thread_local int wg_own_inference = 0;
    static int wg_threads_off = 0;   // changed with the interpreter lock only
    static inline int wg_grad_off() { return WG_UNLIKELY(wg_threads_off != 0) ? wg_own_grad_off : 0; }
    static inline void wg_set_grad_off(int off) {
      wg_threads_off += off - wg_own_grad_off;
      wg_own_grad_off = off;
    }
    """
    int wg_grad_off()
    void wg_set_grad_off(int)
    int wg_own_inference

# The interpreter that sees every op while it is set (a recorder); and whether any slow tensors exist at all.
cdef PyObject* active_recorder = NULL
cdef cbool recorder_only_watches = False   # it needs no functional form: gradient rules run compiled
cdef object slow_dispatch = None   # set by func: (row, operands, attributes) -> result
cdef object slow_detach = None     # set by func: wrapper -> wrapper without history and tangents

cdef enum:
    MAX_SMALL = 8     # operands held on the stack
    MAX_RESULTS = 8   # of any row

# Elements up to which an operator runs its kernel at once; larger ones go through the block loop.
cdef enum:
    FAST_ELEMENTS = 16384


# Recorders tell tensors by their memory: while one traces, no value of an op is held inline.
cdef int storages_kept = 0


@cython.binding(False)
cdef class keeping_storages:
    """A context in which operands and results of ops have storages, 0-d ones too."""

    def __enter__(self):
        global storages_kept
        storages_kept += 1

    def __exit__(self, kind, value, trace):
        global storages_kept
        storages_kept -= 1


cdef int keep_storages(list operands) except -1:
    cdef Tensor t
    for v in operands:
        if isinstance(v, Tensor):
            t = <Tensor> v
            if t.c.array.storage == NULL and not t.c.array.flags & kShapeOnly and not array_promote(&t.c.array):
                raise_memory("record")
    return 0


cdef inline cbool recorder_traces() noexcept:
    return active_recorder != NULL and not recorder_only_watches


cdef inline Tensor tensor_from(Array* a):
    """A new tensor around an array; takes over the array's references."""
    cdef Tensor t = Tensor.__new__(Tensor)
    t.c.array = a[0]
    t.c.array.flags = 0
    return t


cdef inline Tensor tensor_of(object kind, Array* a):
    """tensor_from for an instance of a subclass; `kind` is None for plain tensors."""
    cdef Tensor t
    if kind is None:
        return tensor_from(a)
    t = <Tensor> Tensor.__new__(<type> kind)
    t.c.array = a[0]
    t.c.array.flags = 0
    return t


cdef inline int operand(object v, Array* a, int32_t* node, Entry e, int place) except -1:
    """The operand at a place as an array (borrowed for tensors, a weak value for numbers) and its node."""
    cdef Tensor t
    if isinstance(v, Tensor):
        t = <Tensor> v
        if t.c.flags & T_VIEW:
            refresh_view(t)
        a[0] = t.c.array
        node[0] = t.c.node
        return 0
    node[0] = -1
    if v is None:
        check_absent(e, place)
        memset(a, 0, sizeof(Array))
        return 0
    if isinstance(v, (int, float)):
        weak_array(v, a, e)
        layout_decref(a.layout)   # the scalar layout is never freed: borrowed like the rest
        return 0
    return foreign_operand(v, a, e)


cdef int check_absent(Entry e, int place) except -1:
    """Of public rows, operands that are called optional may be absent; private rows of layers have checked theirs."""
    cdef cbool layer = not e.row.public and place > 0 and not e.info.flags & (kElementwise | kAccumulates)
    if e.variadic or not (layer or e.row.args[place] in e.row.optional):
        raise TypeError(f"{e.row.shown}: expected a Tensor or a number, got None. Leave it out only where it is optional.")
    return 0


cdef int foreign_operand(object v, Array* a, Entry e) except -1:
    """NumPy scalars count as Python numbers; anything else is an error that names it."""
    cdef object kind = getattr(getattr(v, "dtype", None), "kind", None)
    if kind is not None and getattr(v, "shape", None) == () and kind in "biuf":
        weak_array(v.item(), a, e)
        layout_decref(a.layout)
        return 0
    raise TypeError(f"{e.row.shown}: expected a Tensor or a number, got {type(v).__name__}. Use wengert.tensor() or "
                    f"wengert.from_numpy() first.")


cdef inline cbool grad_wanted(Array* out) noexcept:
    return not wg_grad_off() and is_inexact(out.dtype)


cdef int save_array(Array* to, Array* value, cbool shape_only) noexcept:
    to[0] = value[0]
    layout_incref(to.layout)
    if shape_only:
        to.storage = NULL
        to.flags = kShapeOnly
    elif to.storage != NULL:
        storage_incref(to.storage)
        to.version = array_version(to[0])
    return 0


cdef int32_t record(Entry e, Array* ins, int32_t* nodes, int nin, Attr* attr, Array* outs) except -2:
    """Appends a node for an op that ran; -1 where no operand needs a gradient."""
    cdef int64_t mask = 0, absent = 0
    cdef int k
    cdef int32_t i
    cdef Program* p
    cdef NodeMore* more = NULL
    cdef Array* slot
    cdef Save* save
    for k in range(nin):
        if nodes[k] >= 0:
            mask |= <int64_t> 1 << (k if k < 62 else 62)
        elif nin <= SMALL and ins[k].layout == NULL:
            absent += 8 << k
    if mask == 0 or not e.differentiable:
        return -1
    if e.variadic:
        mask = -1
    if nin <= SMALL and e.fixed_rule and e.small[mask + absent] != NULL:
        p = e.small[mask + absent]
    else:
        p = find_program(e, mask, attr, ins, nin, outs)
    i = node_new()
    p.refs += 1
    n_prog[i] = p
    n_owner[i] = attr_incref(attr)
    n_layout[i] = outs[0].layout
    layout_incref(outs[0].layout)
    n_dtype[i] = outs[0].dtype
    n_nin[i] = <int16_t> nin
    if nin <= 2 and p.saves.size() <= 2:
        if nodes[0] >= 0:
            n_in0[i] = nodes[0]
            n_refs[nodes[0]] += 1
        if nin == 2 and nodes[1] >= 0:
            n_in1[i] = nodes[1]
            n_refs[nodes[1]] += 1
    else:
        more = node_more_new(nin, <int32_t> p.saves.size())
        n_more[i] = more
        for k in range(nin):
            more.ins[k] = nodes[k]
            if nodes[k] >= 0:
                n_refs[nodes[k]] += 1
    for k in range(<int> p.saves.size()):
        save = &p.saves[k]
        slot = &more.saved[k] if more != NULL else (&n_save0[i] if k == 0 else &n_save1[i])
        save_array(slot, &ins[save.operand] if save.operand < nin else &outs[save.operand - nin], save.shape_only)
    if wg_watching:
        node_recorded(i, ins, nodes, nin, &outs[0])
    return i


cdef object apply_op(Entry e, list operands, Attr* attr):
    """Runs an op on tensors and numbers (None: an absent operand). Steals `attr`."""
    cdef Array small_in[MAX_SMALL]
    cdef int32_t small_nodes[MAX_SMALL]
    cdef Array outs[MAX_RESULTS]
    cdef Array* ins = small_in
    cdef int32_t* nodes = small_nodes
    cdef int nin = <int> len(operands), k, status, held = 0
    cdef int32_t node = -1
    cdef Tensor t, o
    cdef cbool slow = active_recorder != NULL, numbers = False
    cdef object kind = None   # the subclass of the result
    for v in operands:
        if isinstance(v, Tensor):
            if (<Tensor> v).c.flags & T_SLOW:
                slow = True
            if not is_plain(v) and not subclasses_off:
                kind = v
        elif is_complex_number(v):
            numbers = True
    if slow and slow_dispatch is not None:
        try:
            return slow_dispatch(e, operands, decode_attrs(e, attr))
        finally:
            attr_decref(attr)
    if numbers:
        operands = with_complex_numbers(operands)
    if nin > MAX_SMALL:
        ins = <Array*> malloc(nin * sizeof(Array))
        nodes = <int32_t*> malloc(nin * sizeof(int32_t))
        if ins == NULL or nodes == NULL:
            free(ins)
            free(nodes)
            raise_memory(e.name)
    try:
        if e.info.flags & kView and isinstance(operands[0], Tensor):
            t = <Tensor> operands[0]
            if t.c.array.storage == NULL and not array_promote(&t.c.array):
                raise_memory(e.name)
        if kind is not None:
            kind, handled = ask_subclasses(e, operands, attr)
            if kind is NotImplemented:
                return handled
        if storages_kept:
            keep_storages(operands)
        for k in range(nin):
            operand(operands[k], &ins[k], &nodes[k], e, k)
        for k in range(nin):
            array_ref(ins[k])   # another thread may replace an operand's memory while a large kernel runs
            held += 1
        status = wg_forward(e.info, ins, nin, attr, outs, e.info.nout, NULL)
        if status < 0:
            raise_last()
        if storages_kept:
            for k in range(e.info.nout):
                if outs[k].layout != NULL and outs[k].storage == NULL and not array_promote(&outs[k]):
                    raise_memory(e.name)
        o = tensor_of(kind, &outs[0])
        if grad_wanted(&outs[0]):
            node = record(e, ins, nodes, nin, attr, outs)
            o.c.node = node
        if e.info.flags & kView and o.c.array.storage == ins[0].storage and o.c.array.storage != NULL:
            mark_view(o, <Tensor> operands[0])
        if e.info.nout == 1:
            return o
        results = [o]
        for k in range(1, e.info.nout):
            results.append(tensor_of(kind, &outs[k]))
        return tuple(results)
    finally:
        attr_decref(attr)
        for k in range(held):
            array_unref(ins[k])
        if ins != small_in:
            free(ins)
            free(nodes)


cdef int mark_view(Tensor o, Tensor x) except -1:
    """Notes that o looks at x's storage."""
    cdef PyObject* base = x.c.base if x.c.base != NULL else <PyObject*> x
    Py_INCREF(<object> base)
    o.c.base = base
    o.c.base_epoch = (<Tensor> base).c.epoch
    o.c.flags |= T_VIEW
    o.c.array.flags |= x.c.array.flags & kData
    wg_track(o)
    return 0


cdef int no_view(Tensor t) except -1:
    """For autograd, t is no view any more."""
    cdef PyObject* base = t.c.base
    t.c.flags &= ~<uint32_t> T_VIEW
    t.c.base = NULL
    Py_XDECREF(base)
    return 0


# ---- operators ------------------------------------------------------------------------------------------------

# The rows that Python's operators stand for; filled by _bind from the rows themselves (row.slot).
cdef enum:
    S_ADD, S_SUB, S_MUL, S_TRUEDIV, S_FLOORDIV, S_MOD, S_POW, S_NEG, S_ABS, S_INVERT, S_AND, S_OR, S_XOR, S_LSHIFT
    S_RSHIFT, S_LT, S_LE, S_EQ, S_NE, S_GT, S_GE, S_MATMUL, S_POW_NUMBER, S_COUNT

cdef PyObject* slot_entry[S_COUNT]
_slot_names = ["add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "neg", "abs", "invert", "and", "or", "xor",
               "lshift", "rshift", "lt", "le", "eq", "ne", "gt", "ge", "matmul", "pow_number"]


def bind_slot(str name, Entry e):
    """Makes an op the meaning of an operator; called by _bind for rows that name one."""
    slot_entry[_slot_names.index(name)] = <PyObject*> e


def unbound_slots():
    """Operators that no row has claimed; _bind demands that there are none."""
    return [name for i, name in enumerate(_slot_names) if slot_entry[i] == NULL]


cdef inline int record_pair(Entry e, Tensor o, Array* a, int32_t a_node, Array* b, int32_t b_node) except -1:
    """record() for two operands without attributes: the hot case of operators."""
    cdef int mask = (1 if a_node >= 0 else 0) | (2 if b_node >= 0 else 0)
    cdef Program* p = e.small[mask]
    cdef Array ins[2]
    cdef int32_t nodes[2]
    cdef int32_t i
    cdef int k, ns
    cdef Save* save
    cdef Array* value
    if p == NULL or not e.fixed_rule or p.saves.size() > 2:   # more saved values than a slot holds
        if not e.differentiable:
            return 0
        ins[0] = a[0]
        ins[1] = b[0]
        nodes[0] = a_node
        nodes[1] = b_node
        o.c.node = record(e, ins, nodes, 2, NULL, &o.c.array)
        return 0
    i = node_new()
    p.refs += 1
    n_prog[i] = p
    n_layout[i] = o.c.array.layout
    o.c.array.layout.refs += 1
    n_dtype[i] = o.c.array.dtype
    n_nin[i] = 2
    n_in0[i] = a_node
    n_in1[i] = b_node
    if a_node >= 0:
        n_refs[a_node] += 1
    if b_node >= 0:
        n_refs[b_node] += 1
    ns = <int> p.saves.size()
    for k in range(ns):
        save = &p.saves[k]
        value = a if save.operand == 0 else b if save.operand == 1 else &o.c.array
        save_array(&n_save0[i] if k == 0 else &n_save1[i], value, save.shape_only)
    if wg_watching:
        ins[0] = a[0]
        ins[1] = b[0]
        nodes[0] = a_node
        nodes[1] = b_node
        node_recorded(i, ins, nodes, 2, &o.c.array)
    o.c.node = i
    return 0


cdef inline int fast_result(Tensor o, Array* like, int dtype) except -1:
    """Makes o's array: contents undefined, like's layout, which is contiguous."""
    cdef Array* a = &o.c.array
    a.layout = like.layout
    a.layout.refs += 1
    a.dtype = <uint8_t> dtype
    a.flags = 0
    if a.layout.ndim > 0 or dtype == kComplex128:
        a.storage = storage_new(<size_t> (a.layout.numel * itemsize(dtype)))
        if a.storage == NULL:
            raise_memory("result")
        a.u.offset = 0
    return 0


cdef int refresh_views(Tensor x, Tensor y) except -1:
    if x.c.flags & T_VIEW:
        refresh_view(x)
    if y.c.flags & T_VIEW:
        refresh_view(y)
    return 0


cdef object binary(int slot, object left, object right):
    """left <op> right for operator slots; NotImplemented for operands that are not ours."""
    cdef Entry e = <Entry> slot_entry[slot]
    cdef Tensor x, y, o
    cdef Array* a
    cdef Array* b
    cdef Array weak
    cdef void* fn
    cdef int dt
    cdef float f
    if overriding:
        answer = ask_binary(slot, left, right)
        if answer is not NOT_ASKED:
            return answer
    if is_plain(left) and is_plain(right):
        x = <Tensor> left
        y = <Tensor> right
        a = &x.c.array
        b = &y.c.array
        if (x.c.flags | y.c.flags) & T_VIEW:
            refresh_views(x, y)
        if (a.dtype == b.dtype and not (x.c.flags | y.c.flags) & T_SLOW and active_recorder == NULL
                and a.layout.contiguous and a.layout.numel <= FAST_ELEMENTS
                and (a.layout == b.layout or b.layout.contiguous and same_shape(a.layout, b.layout))
                and e.info.flags & kElementwise):
            dt = a.dtype
            fn = e.info.fn[dt]
            if fn != NULL and not (e.info.flags & kDivides and not is_float(dt)):
                o = Tensor.__new__(Tensor)
                fast_result(o, a, e.info.out_dtype[dt])
                (<wg_binary_fn> fn)(a.data(), b.data(), o.c.array.data(), a.layout.numel, 0)
                if (x.c.node & y.c.node) >= 0 and not wg_grad_off() and e.differentiable:   # not both are -1
                    record_pair(e, o, a, x.c.node, b, y.c.node)
                return o
        return apply_op(e, [left, right], NULL)
    if is_plain(left) and (PyFloat_CheckExact(right) or PyLong_CheckExact(right)):
        x = <Tensor> left
        a = &x.c.array
        if x.c.flags & T_VIEW:
            refresh_view(x)
        if (not x.c.flags & T_SLOW and active_recorder == NULL and a.layout.contiguous
                and a.layout.numel <= FAST_ELEMENTS and (a.dtype == kFloat32 or a.dtype == kFloat64)
                and e.info.flags & kElementwise):
            fn = e.info.fn[a.dtype]
            if fn != NULL:
                weak_array(right, &weak, e)
                layout_decref(weak.layout)
                if weak.dtype == kInt64:
                    weak.u.f64 = <double> weak.u.i64
                    weak.dtype = kFloat64
                o = Tensor.__new__(Tensor)
                fast_result(o, a, e.info.out_dtype[a.dtype])
                if a.dtype == kFloat32:
                    f = <float> weak.u.f64
                    (<wg_binary_fn> fn)(a.data(), &f, o.c.array.data(), a.layout.numel, 2)
                else:
                    (<wg_binary_fn> fn)(a.data(), &weak.u.f64, o.c.array.data(), a.layout.numel, 2)
                if x.c.node >= 0 and not wg_grad_off() and e.differentiable:
                    record_pair(e, o, a, x.c.node, &weak, -1)
                return o
        return apply_op(e, [left, right], NULL)
    if not isinstance(left, (Tensor, int, float, complex)) and not _numpy_scalar(left):
        if not hasattr(left, "__array_interface__"):
            return NotImplemented
        left = from_array(left, True)
    if not isinstance(right, (Tensor, int, float, complex)) and not _numpy_scalar(right):
        if not hasattr(right, "__array_interface__"):
            return NotImplemented
        right = from_array(right, True)
    return apply_op(e, [left, right], NULL)


cdef cbool _numpy_scalar(object v) except? False:
    return getattr(getattr(v, "dtype", None), "kind", "") in "biufc" and getattr(v, "shape", None) == ()


cdef object unary(Entry e, object v):
    """An elementwise op of one operand, without attributes."""
    cdef Tensor x, o
    cdef Array* a
    cdef void* fn
    cdef Array ins[1]
    cdef int32_t nodes[1]
    if is_plain(v):
        x = <Tensor> v
        a = &x.c.array
        if x.c.flags & T_VIEW:
            refresh_view(x)
        if (not x.c.flags & T_SLOW and active_recorder == NULL and a.layout.contiguous
                and a.layout.numel <= FAST_ELEMENTS and not is_half(a.dtype)):
            fn = e.info.fn[a.dtype]
            if fn != NULL:
                o = Tensor.__new__(Tensor)
                fast_result(o, a, e.info.out_dtype[a.dtype])
                (<wg_unary_fn> fn)(a.data(), o.c.array.data(), a.layout.numel)
                if x.c.node >= 0 and not wg_grad_off() and e.differentiable:
                    nodes[0] = x.c.node
                    o.c.node = record(e, a, nodes, 1, NULL, &o.c.array)
                return o
    elif not isinstance(v, Tensor):
        raise TypeError(f"{e.row.shown}: expected a Tensor, got {type(v).__name__}. Use wengert.tensor() first.")
    return apply_op(e, [v], NULL)
