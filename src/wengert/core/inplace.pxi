# In-place writes and views under autograd.
#
# Note [Views and in-place writes]. A view keeps its base (the root of its memory) and the epoch at which its node was
# made. A write into a view, or into a base that has views, is recorded in functional form: the write itself, and for a
# view a strided_scatter node on the base, whose epoch is then raised. Views whose epoch is old regenerate their node as
# as_strided of the base when they are next used. A view of another dtype (the parts of complex numbers, or numbers of
# parts) stands in the base's place as real numbers: view_as_real comes before, view_as_complex after. So gradients are
# PyTorch's, and nothing has a second alias model.

cdef int check_no_leaf(Tensor x, str op) except -1:
    """With gradients on, neither a leaf nor a view of one may change."""
    cdef Tensor base
    if x.c.flags & T_VIEW:
        refresh_view(x)
    if not wg_grad_off() and x.c.node >= 0 and n_flags[x.c.node] & N_LEAF:
        raise RuntimeError(f"{op}: expected a tensor that may be changed, got a leaf that requires grad. Write inside "
                           "wengert.no_grad(), or to a copy made with .clone().")
    if not wg_grad_off() and x.c.flags & T_VIEW:
        base = <Tensor> x.c.base
        if base.c.node >= 0 and n_flags[base.c.node] & N_LEAF:
            raise RuntimeError(f"{op}: expected a tensor that may be changed, got a view of a leaf that requires grad. "
                               "Write inside wengert.no_grad(), or to a copy made with .clone().")
    return 0


cdef int check_writable(Tensor x, str op) except -1:
    cdef Layout* l = x.c.array.layout
    cdef int d
    check_no_leaf(x, op)
    if x.c.array.storage != NULL and x.c.array.storage.readonly:
        raise RuntimeError(f"{op}: expected writable memory, got a tensor over a read-only array. Use .clone().")
    for d in range(l.ndim):
        if l.strides()[d] == 0 and l.shape()[d] > 1:
            raise RuntimeError(f"{op}: expected elements with memory of their own, got an expanded tensor (dimension "
                               f"{d} has stride 0). Use .clone() or .contiguous() first.")
    return 0


cdef object apply_inplace(Entry e, Tensor x, list operands, Attr* attr):
    """x.op_(...): the op's result is written to x. operands[0] is x. Steals `attr`."""
    cdef Array ins[MAX_SMALL]
    cdef int32_t nodes[MAX_SMALL]
    cdef Array outs[MAX_RESULTS]
    cdef Array kept
    cdef int nin = <int> len(operands), k, status
    cdef int32_t node = -1
    cdef Program* p
    cdef int64_t mask = 0
    cdef cbool slow = active_recorder != NULL
    kept.layout = NULL
    kept.storage = NULL
    for v in operands:
        if isinstance(v, Tensor) and (<Tensor> v).c.flags & T_SLOW:
            slow = True
    if slow:
        try:
            return slow_inplace(e, x, operands, decode_attrs(e, attr))
        finally:
            attr_decref(attr)
    try:
        check_writable(x, e.name + "_")
        if nin > MAX_SMALL:
            raise ValueError(f"{e.name}_: expected at most {MAX_SMALL} operands, got {nin}.")
        operands = with_complex_numbers(operands)
        for k in range(nin):
            if operand(operands[k], &ins[k], &nodes[k], e, k) == 0 and nodes[k] >= 0:
                mask |= <int64_t> 1 << k
        if mask and not wg_grad_off() and e.differentiable:
            # The old value is kept where the rule needs it.
            p = find_program(e, mask, attr, ins, nin, outs)
            for k in range(<int> p.saves.size()):
                if p.saves[k].operand == 0 and not p.saves[k].shape_only and x.c.array.storage != NULL:
                    if wg_forward(clone_entry().info, ins, 1, NULL, &kept, 1, NULL) < 0:
                        raise_last()
                    break
        status = wg_forward(e.info, ins, nin, attr, outs, e.info.nout, &x.c.array)
        if status < 0:
            raise_last()
        wrote(x, &outs[0])
        if mask and not wg_grad_off() and e.differentiable and is_inexact(x.c.array.dtype):
            if kept.layout != NULL:
                ins[0] = kept
            node = record(e, ins, nodes, nin, attr, outs)
        for k in range(e.info.nout):
            array_unref(outs[k])
        if not wg_grad_off():
            rebase(x, node)
        return x
    finally:
        array_unref(kept)
        attr_decref(attr)


cdef Entry _clone_entry = None


cdef Entry clone_entry():
    global _clone_entry
    if _clone_entry is None:
        _clone_entry = <Entry> entry_by_name["clone"]
    return _clone_entry


cdef inline int wrote(Tensor x, Array* result) noexcept:
    """x's memory has a new value: an inline one is copied back, a stored one gets a new version."""
    if x.c.array.storage == NULL:
        x.c.array.u = result.u
    else:
        array_wrote(x.c.array)
        result.version = array_version(x.c.array)
        result.flags |= x.c.array.flags & kData
    return 0


cdef int rebase(Tensor x, int32_t node) except -1:
    """x was written in place; `node` (owned, or -1) made the new value."""
    cdef Tensor base
    cdef Array ins[2]
    cdef int32_t nodes[2]
    cdef Array out
    cdef int32_t scatter, rows
    cdef Attr* attr
    cdef Entry e
    if not x.c.flags & T_VIEW:
        if node < 0 and x.c.node < 0:
            return 0
        if x.c.node >= 0:
            leave_node(x)
            node_release(x.c.node)
        x.c.node = node
        x.c.epoch += 1
        retain_again(x)
        return 0
    base = <Tensor> x.c.base
    if node < 0 and base.c.node < 0:
        return 0
    e = <Entry> entry_by_name["strided_scatter"]
    attr = region_attr(x, base)
    out.layout = NULL
    rows = -1
    try:
        rows = base_rows(base, &out)
        ins[0] = out
        ins[1] = x.c.array
        nodes[0] = rows
        nodes[1] = node
        if x.c.array.dtype == base.c.array.dtype:
            scatter = record(e, ins, nodes, 2, attr, &out)
        else:
            scatter = record_parts_scatter(e, ins, nodes, attr)
        if out.layout != base.c.array.layout:
            scatter = rows_back(base, scatter, &out)
    finally:
        attr_decref(attr)
        if node >= 0:
            node_release(node)   # the scatter node owns it now
        if rows >= 0:
            node_release(rows)
        if out.layout != NULL:
            layout_decref(out.layout)
    if base.c.node >= 0:
        leave_node(base)
        node_release(base.c.node)
    base.c.node = scatter
    base.c.epoch += 1
    retain_again(base)
    refresh_view(x)
    return 0


cdef Attr* region_attr(Tensor view, Tensor base) except NULL:
    """shape, strides and offset of a view, relative to its base's first element."""
    cdef vector[int64_t] words
    cdef Layout* l = view.c.array.layout
    cdef int d
    cdef int64_t item = itemsize(view.c.array.dtype)
    cdef int parts = is_complex(view.c.array.dtype) and not is_complex(base.c.array.dtype)   # in real numbers
    words.push_back(l.ndim + parts)
    for d in range(l.ndim):
        words.push_back(l.shape()[d])
    if parts:
        words.push_back(2)
        item //= 2
    words.push_back(l.ndim + parts)
    for d in range(l.ndim):
        words.push_back(l.strides()[d] << parts)
    if parts:
        words.push_back(1)
    words.push_back((view.c.array.u.offset - base.c.array.u.offset) // item)
    return attr_new(words.data(), <int> words.size())


cdef int refresh_view(Tensor v) except -1:
    """Gives a view whose base was changed in place a node that says so."""
    cdef Tensor base = <Tensor> v.c.base
    cdef Array ins[1]
    cdef Array rows
    cdef int32_t nodes[1]
    cdef int32_t rows_node
    cdef Attr* attr
    if v.c.base_epoch == base.c.epoch:
        return 0
    v.c.base_epoch = base.c.epoch
    if v.c.node >= 0:
        leave_node(v)
        node_release(v.c.node)
        v.c.node = -1
    if base.c.node < 0:
        return 0
    rows_node = nodes[0] = base_rows(base, &rows)
    ins[0] = rows
    attr = region_attr(v, base)
    try:
        if v.c.array.dtype == base.c.array.dtype:
            v.c.node = record(<Entry> entry_by_name["as_strided"], ins, nodes, 1, attr, &v.c.array)
        else:
            v.c.node = record_parts_view(v, ins, nodes, attr)
    finally:
        attr_decref(attr)
        layout_decref(rows.layout)
        node_release(rows_node)
    retain_again(v)
    return 0


# ---- bases whose dimensions do not lie in order: regions count elements of their memory, row by row -----------------

cdef vector[int64_t] memory_order(Layout* l) noexcept:
    """The dimensions by falling strides."""
    cdef vector[int64_t] order
    cdef int d, k
    for d in range(l.ndim):
        k = d
        order.push_back(d)
        while k > 0 and l.strides()[order[k - 1]] < l.strides()[d]:
            order[k] = order[k - 1]
            k -= 1
        order[k] = d
    return order


cdef int32_t base_rows(Tensor base, Array* rows) except -2:
    """Makes `rows` the base's array with its dimensions as they lie in memory; the node of that. Both are owned."""
    cdef int64_t sizes[kMaxDims]
    cdef int64_t strides[kMaxDims]
    cdef vector[int64_t] order
    cdef Layout* l = base.c.array.layout
    cdef int d
    rows[0] = base.c.array
    if l.contiguous:
        layout_incref(l)
        if base.c.node >= 0:
            n_refs[base.c.node] += 1
        return base.c.node
    order = memory_order(l)
    for d in range(l.ndim):
        sizes[d] = l.shape()[order[d]]
        strides[d] = l.strides()[order[d]]
    rows.layout = layout_strided(l.ndim, sizes, strides)
    if not rows.layout.contiguous:
        layout_decref(rows.layout)
        rows.layout = NULL
        raise RuntimeError("in-place write: expected a view of a tensor without gaps in memory, got one of a strided "
                           "array. Use .clone() on the base first.")
    return record_permute(&base.c.array, base.c.node, order, rows)


cdef int32_t rows_back(Tensor base, int32_t node, Array* rows) except -2:
    """The node of the base's own order of dimensions, for the node of its rows; takes that one over."""
    cdef vector[int64_t] order = memory_order(base.c.array.layout)
    cdef vector[int64_t] back
    cdef int32_t result
    cdef size_t d
    back.resize(order.size())
    for d in range(order.size()):
        back[order[d]] = <int64_t> d
    result = record_permute(rows, node, back, &base.c.array)
    node_release(node)
    return result


cdef int32_t record_permute(Array* x, int32_t node, vector[int64_t] dims, Array* out) except -2:
    cdef int32_t nodes[1]
    cdef Attr* attr
    nodes[0] = node
    dims.insert(dims.begin(), <int64_t> dims.size())
    attr = attr_new(dims.data(), <int> dims.size())
    try:
        return record(<Entry> entry_by_name["permute"], x, nodes, 1, attr, out)
    finally:
        attr_decref(attr)


# ---- tensors that become views of what they were ---------------------------------------------------------------------

def check_no_leaf_write(str op, Tensor x not None):
    """Raises where an in-place operation may not change x."""
    if not x.c.flags & T_SLOW:
        check_no_leaf(x, op)


def become_view(Tensor x not None, Tensor view not None):
    """x takes the layout and the history of a view of it: t_() and its like. Returns x."""
    cdef Array a = view.c.array
    if x.c.array.storage == NULL or a.storage != x.c.array.storage:
        raise RuntimeError("in-place view: expected a view of the tensor's own memory, got a copy. Use the form that "
                           "returns it.")
    if recorder_traces():
        (<object> active_recorder).became_view(x, view)
    if x.c.flags & T_SLOW:
        (<dict> <object> x.c.dict)["_payload"] = payload(view)
    a.flags = x.c.array.flags
    array_ref(a)
    if view.c.node >= 0:
        leave_node(x)
        node_release(x.c.node)
        n_refs[view.c.node] += 1
        x.c.node = view.c.node
    replace_array(x, &a)
    retain_again(x)
    if not x.c.flags & T_SLOW:
        array_wrote(x.c.array)
    return x


def inplace(Entry e, Tensor x, operands, attrs=()):
    """Runs an op in place on x: operands without x, attributes in schema order. Returns x."""
    return apply_inplace(e, x, [x] + list(operands), encode_attrs(e, tuple(attrs)))


cdef object slow_inplace_handler = None


cdef object slow_inplace(Entry e, Tensor x, list operands, tuple attrs):
    if slow_inplace_handler is None:
        raise RuntimeError(f"{e.name}_: expected no active transform, got one without in-place operations.")
    return slow_inplace_handler(e, x, operands, attrs)


cdef object write_out(str op, object result, object out):
    """The out= argument: resizes `out` when it must (as torch does) and copies the result there."""
    cdef Tensor o, r
    if isinstance(result, tuple):
        return tuple([write_out(op, a, b) for a, b in zip(result, out)])
    if not isinstance(out, Tensor):
        raise TypeError(f"{op}: expected a Tensor for out=, got {type(out).__name__}.")
    o = <Tensor> out
    r = <Tensor> result
    if not wg_grad_off() and (r.c.node >= 0 or o.c.node >= 0):
        raise RuntimeError(f"{op}: expected arguments without gradients together with out=, got one that requires "
                           "grad. Use the form that returns its result, or wengert.no_grad().")
    if category(r.c.array.dtype) > category(o.c.array.dtype):
        raise RuntimeError(f"{op}: expected an out= tensor that holds results of dtype {r.dtype}, got {o.dtype}: the "
                           "result can't be cast to it.")
    if not same_shape(o.c.array.layout, r.c.array.layout):
        replace_data(o, <Tensor> r.to(out.dtype))
        return out
    return o.copy_(r)


def copy_out(str op, result, out):
    """write_out for the Python layers: the result in `out`."""
    return write_out(op, result, out)
