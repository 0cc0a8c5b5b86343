# The recorded pass of create_graph: gradients are tensors, rules are replayed through dispatch.

cdef int add_tensor(dict tensors, int32_t k, object value) except -1:
    have = tensors.get(k)
    if type(have) is list:   # a pass that ends here wants what it got one by one
        (<list> have).append(value)
    else:
        tensors[k] = value if have is None else have + value
    return 0


cdef dict pending_of(dict tensors):
    found = tensors.get(None)
    if found is None:
        found = {}
        tensors[None] = found
    return found


cdef object saved_tensor(int32_t i, int k, Save* save, int nin):
    """A saved value as a tensor that is part of the graph."""
    cdef Array* a = node_saved(i, k)
    cdef Array copy
    cdef Tensor t
    cdef int32_t j
    check_saved(i, a)
    if a.flags & kWeak:
        return item_of(a, 0)
    copy = a[0]
    array_ref(copy)
    t = Tensor.__new__(Tensor)
    t.c.array = copy
    j = node_input(i, save.operand) if save.operand < nin else i if save.operand == nin else -1
    if j >= 0:
        n_refs[j] += 1
        t.c.node = j
    return t


cdef cbool has_tensor(list operands) except? False:
    for v in operands:
        if isinstance(v, Tensor):
            return True
    return False


cdef object numbers_alone(Entry e, list operands, Attr* attr):
    """An op of numbers alone: a number again, in double precision whatever the default dtype is."""
    code = kComplex128 if any([isinstance(v, complex) for v in operands]) else kFloat64
    return apply_op(e, [full((), v, dtypes[code]) for v in operands], attr).item()


cdef list replay(int32_t i, object g):
    """The rule of node i on tensors, recorded: a list of gradients, None where there is none."""
    cdef Program* p = n_prog[i]
    cdef Entry e
    cdef Instr* ins
    cdef list regs = [None] * p.nregs
    cdef int k, nin = n_nin[i]
    cdef Attr* attr
    if n_flags[i] & N_FREED:
        raise RuntimeError(f"backward: expected a graph whose saved values are there, got one that an earlier backward "
                           f"pass has freed (at {node_name(i)}). Pass retain_graph=True to the first backward().")
    regs[0] = g
    for k in range(<int> p.saves.size()):
        value = saved_tensor(i, k, &p.saves[k], nin)
        regs[p.saves[k].reg] = conjugated(value) if conjugates(p, &p.saves[k], node_saved(i, k)) else value
    for k in range(<int> p.constants.size()):
        regs[p.given + k] = item_of(&p.constants[k], 0)
    for k in range(<int> p.code.size()):
        ins = &p.code[k]
        e = entry_of(ins.op)
        attr = instr_attr(ins[0], p.op, <Attr*> n_owner[i])
        operands = [regs[r] if r >= 0 else None for r in ins.inputs]
        if e.row.composed and not wg_grad_off():
            regs[ins.out:ins.out + ins.op.nout] = composed_call(e, operands, attr)
            continue
        if e.row.parts:
            # Only first results have history, so each result is computed by a row of its own.
            for place, name in enumerate(e.row.parts):
                if is_read(p, ins.out + <int> place):
                    regs[ins.out + place] = apply_op(<Entry> entry_by_name[name], operands, attr_incref(attr))
            attr_decref(attr)
            continue
        if not has_tensor(operands):
            regs[ins.out] = numbers_alone(e, operands, attr)
            continue
        value = apply_op(e, operands, attr)
        if ins.op.nout == 1:
            regs[ins.out] = value
        else:
            for place, part in enumerate(value):
                regs[ins.out + place] = part
    return [regs[r] if r >= 0 else None for r in p.results]


cdef object fit_gradient(object g, int32_t node):
    """g summed and converted to the shape and dtype of a node's result."""
    cdef Tensor t = <Tensor> g
    cdef Array shape_of
    if not same_shape(t.c.array.layout, n_layout[node]):
        shape_of.layout = n_layout[node]
        layout_incref(shape_of.layout)
        shape_of.storage = NULL
        shape_of.dtype = n_dtype[node]
        like = tensor_from(&shape_of)
        (<Tensor> like).c.array.flags = kShapeOnly
        g = apply_op(<Entry> entry_by_name["sum_to_like"], [g, like], NULL)
    if (<Tensor> g).c.array.dtype != n_dtype[node]:
        g = converted(<Tensor> g, n_dtype[node])
    return g


cdef int backward_recorded(Order* o, dict tensors, int32_t k, int32_t i, cbool keep, dict wanted, dict captured,
                           cbool accumulate) except -1:
    cdef int32_t j
    cdef int n
    cdef list results
    g = tensors.pop(k, None)
    if n_flags[i] & (N_HOOKS | N_RETAIN):
        g = run_hooks(i, g)
    if wanted is not None and i in wanted and not (accumulate and n_flags[i] & N_LEAF):
        captured[i] = g
    if n_flags[i] & N_LEAF:
        if n_owner[i] != NULL and (wanted is None or accumulate and i in wanted):
            leaf = <Tensor> <object> <PyObject*> n_owner[i]
            add_to_grad(<Tensor> leaf, g)
            run_post_hooks(<Tensor> leaf)
        return 0
    if g is not None and (<Tensor> g).c.flags & T_SLOW and (<Tensor> g).is_sparse:
        g = g.to_dense()   # other rules take dense gradients
    if n_flags[i] & N_PICK:
        restamp_if_needed(o)
        add_tensor(pending_of(tensors).setdefault(n_pos[n_in0[i]], {}), n_nin[i], g)
        return 0
    if n_flags[i] & N_FUNCTION:
        results = run_function(i, pending_of(tensors).pop(k, {}), keep)
    else:
        if n_flags[i] & N_PACKED:
            unpack_saved(i)
        try:
            results = replay(i, g)
        finally:
            if n_flags[i] & N_PACKED:
                repack_saved(i, keep)
    if n_flags[i] & N_HOOKS:
        results = run_node_hooks(i, results, g)
    restamp_if_needed(o)
    for n in range(len(results)):
        j = node_input(i, n)
        if results[n] is None or j < 0 or n_mark[j] != o.mark:
            continue
        add_tensor(tensors, n_pos[j], fit_gradient(results[n], j))
        restamp_if_needed(o)
    if not keep and not n_flags[i] & N_FUNCTION and n_prog[i].saves.size():
        node_drop_saved(i)
        n_flags[i] |= N_FREED
    return 0
