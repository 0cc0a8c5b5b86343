# Complex numbers in the core: Python's as operands, the conjugates that rules read, views of parts under writes.

# ---- Python's complex numbers ----------------------------------------------------------------------------------

cdef inline int is_complex_number(object v) except -1:
    """Whether v is a Python or NumPy complex number."""
    if v is None or isinstance(v, (float, int)):
        return False
    return isinstance(v, complex) or getattr(getattr(v, "dtype", None), "kind", None) == "c" and v.shape == ()


cdef list with_complex_numbers(list operands):
    """Operands with complex numbers as 0-d tensors of the rank of a Python number: wider than an inline value."""
    return [complex_number(v) if not isinstance(v, Tensor) and is_complex_number(v) else v for v in operands]


cdef Tensor complex_number(object v):
    cdef Tensor t = new_tensor(kComplex128, 0, NULL, "number")
    put_number(t.c.array.data(), kComplex128, v)
    t.c.array.flags = kWeak
    return t


# ---- conjugates in the backward pass (docs/decisions/0010-complex-rules.md) --------------------------------------

cdef inline cbool conjugates(Program* p, Save* save, Array* a) noexcept:
    """Whether the rule is to read the conjugate of a value that its node saved.


    The gradient of a complex z is that of the loss by conj(z). For a holomorphic f it is g conj(f'(z)), and
    conj(f'(z)) = f'(conj(z)) for every function that is made of real coefficients: the rule of the real op, read at the
    conjugates. Rules of other functions (kConjugates) read the values themselves.
    """
    return is_complex(a.dtype) and not save.shape_only and not p.op.flags & kConjugates


cdef inline int read_saved(Program* p, Save* save, Array* a, Array* out) except -1:
    """out = a saved value as the rule reads it: a new reference."""
    if conjugates(p, save, a):
        if conjugate(a[0], out) < 0:
            raise_last()
        return 0
    out[0] = a[0]
    array_ref(a[0])   # another thread may free the graph while a large kernel runs without the lock
    return 0


cdef object conjugated(object v):
    if not isinstance(v, Tensor):
        return v.conjugate()
    return apply_op(<Entry> entry_by_name["conj"], [v], NULL)


# ---- views of another dtype: see Note [Views and in-place writes] ------------------------------------------------

cdef int record_other_type(str name, Array* a, int32_t* node) except -1:
    """Records view_as_real or view_as_complex of `a` (borrowed), which becomes the result (owned), as `node` does."""
    cdef Entry e = <Entry> entry_by_name[name]
    cdef Array out
    if wg_forward(e.info, a, 1, NULL, &out, 1, NULL) < 0:
        raise_last()
    node[0] = record(e, a, node, 1, NULL, &out)
    a[0] = out
    return 0


cdef int32_t record_parts_scatter(Entry e, Array* ins, int32_t* nodes, Attr* attr) except -2:
    """The scatter node of a view (ins[1]) whose base (ins[0]) has another dtype; returns the base's new node."""
    cdef cbool complex_base = is_complex(ins[0].dtype)
    cdef int which = 0 if complex_base else 1   # what has to be seen as real numbers
    cdef Array out, kept
    cdef int32_t scatter, made = -1
    record_other_type("view_as_real", &ins[which], &nodes[which])
    out = ins[0]
    try:
        scatter = record(e, ins, nodes, 2, attr, &out)
        if not complex_base:
            return scatter
        made = scatter
        kept = out   # becomes a reference of its own
        record_other_type("view_as_complex", &kept, &made)
        array_unref(kept)
        if scatter >= 0:
            node_release(scatter)
        return made
    finally:
        array_unref(ins[which])
        if nodes[which] >= 0:
            node_release(nodes[which])


cdef int32_t record_parts_view(Tensor v, Array* ins, int32_t* nodes, Attr* attr) except -2:
    """The node of a view `v` of a base (ins[0]) of another dtype."""
    cdef Entry e = <Entry> entry_by_name["as_strided"]
    cdef Array parts, kept
    cdef int32_t made, last
    if is_complex(ins[0].dtype):
        record_other_type("view_as_real", ins, nodes)
        try:
            return record(e, ins, nodes, 1, attr, &v.c.array)
        finally:
            array_unref(ins[0])
            if nodes[0] >= 0:
                node_release(nodes[0])
    if wg_forward(e.info, ins, 1, attr, &parts, 1, NULL) < 0:
        raise_last()
    made = record(e, ins, nodes, 1, attr, &parts)
    last = made
    kept = parts
    record_other_type("view_as_complex", &kept, &last)
    array_unref(kept)
    array_unref(parts)
    if made >= 0:
        node_release(made)
    return last
