# The backward pass: gradient slots, the raw pass over buffers, and the recorded pass for create_graph.
#
# Note [Gradient slots]. A slot borrows its first contribution, owns from the second, is added to in place, and is freed
# as soon as its node has been processed. Slots live beside the run, not in the node arrays, so passes can nest (hooks,
# checkpoint) and several threads can run passes over one graph.

cdef struct Slots:
    # slot[k] is the index in `pool` of the gradient of order.nodes[k], or -1.
    int32_t* slot
    Array* pool
    int32_t* free_list
    int32_t nfree
    int32_t size
    int32_t capacity

cdef enum:
    # Elements (a node counts 256 besides) between two looks at pending signals: some milliseconds, so that Ctrl-C is
    # answered at once.
    SIGNAL_WORK = 1 << 19

cdef uint64_t pass_counter = 0   # raised whenever a pass begins: marks and places may have been written over


cdef int slots_init(Slots* s, int32_t count) except -1:
    memset(s, 0, sizeof(Slots))
    s.slot = <int32_t*> malloc((count + 1) * sizeof(int32_t))
    if s.slot == NULL:
        raise MemoryError("backward: expected memory for gradients, got none.")
    memset(s.slot, 0xff, (count + 1) * sizeof(int32_t))
    return 0


cdef void slots_free(Slots* s) noexcept:
    cdef int32_t k
    for k in range(s.size):
        array_unref(s.pool[k])
    free(s.slot)
    free(s.pool)
    free(s.free_list)


cdef int32_t slots_put(Slots* s, int32_t k, Array* value) except -1:
    """Slot k takes over the array's references."""
    cdef int32_t i, cap
    if s.nfree:
        s.nfree -= 1
        i = s.free_list[s.nfree]
    else:
        if s.size == s.capacity:
            cap = 2 * s.capacity + 32
            if wg_grow(&s.pool, <size_t> cap) or wg_grow(&s.free_list, <size_t> cap):
                raise MemoryError("backward: expected memory for gradients, got none.")
            s.capacity = cap
        i = s.size
        s.size += 1
    s.pool[i] = value[0]
    s.slot[k] = i
    return i


cdef inline void slots_take(Slots* s, int32_t k, Array* out) noexcept:
    """Moves slot k's gradient out."""
    cdef int32_t i = s.slot[k]
    out[0] = s.pool[i]
    s.pool[i].layout = NULL
    s.pool[i].storage = NULL
    s.free_list[s.nfree] = i
    s.nfree += 1
    s.slot[k] = -1


cdef OpInfo* add_info() except NULL:
    return (<Entry> slot_entry[S_ADD]).info


cdef int contribute(Slots* s, int32_t k, int32_t node, Array* value) except -1:
    """Adds a contribution to the gradient of `node` at place k. Takes over the array's references."""
    cdef Array fitted, total
    cdef Array pair[2]
    cdef Array* have
    cdef int bad
    if value.layout != n_layout[node] and not same_shape(value.layout, n_layout[node]):
        bad = sum_to_layout(value[0], n_layout[node], &fitted)
        array_unref(value[0])
        if bad < 0:
            raise_last()
        value[0] = fitted
    if value.dtype != n_dtype[node]:
        bad = as_contiguous(value[0], n_dtype[node], &fitted)
        array_unref(value[0])
        if bad < 0:
            raise_last()
        value[0] = fitted
    if s.slot[k] < 0:
        slots_put(s, k, value)
        return 0
    have = &s.pool[s.slot[k]]
    if have.storage == NULL and value.storage == NULL:
        if have.dtype == kFloat32:
            have.u.f32 += value.u.f32
        elif have.dtype == kFloat64:
            have.u.f64 += value.u.f64
        else:
            add_into(value[0], have[0])
        array_unref(value[0])
        return 0
    if have.storage != NULL and have.storage.refs == 1 and have.layout.contiguous:
        bad = add_into(value[0], have[0])
        array_unref(value[0])
    elif value.storage != NULL and value.storage.refs == 1 and value.layout.contiguous:
        bad = add_into(have[0], value[0])
        array_unref(have[0])
        have[0] = value[0]
    else:
        pair[0] = have[0]
        pair[1] = value[0]
        bad = wg_forward(add_info(), pair, 2, NULL, &total, 1, NULL)
        array_unref(value[0])
        if bad == 0:
            array_unref(have[0])
            have[0] = total
    if bad < 0:
        raise_last()
    return 0


cdef int check_saved(int32_t i, Array* a) except -1:
    if a.storage != NULL and a.storage.version != a.version:
        raise RuntimeError(
            f"backward: expected the value that {node_name(i)} saved, got one changed in place since (version "
            f"{a.storage.version} instead of {a.version}, shape {shape_tuple(a.layout)}). Change a .clone(), or write "
            "before it is used.")
    return 0


cdef int run_node(Slots* s, Order* o, int32_t i, Array* g, cbool keep) except -1:
    """Runs the gradient rule of one node on raw buffers and contributes to its inputs."""
    cdef Program* p = n_prog[i]
    cdef Array small[16]
    cdef Array small_out[8]
    cdef Array* small_acc[8]
    cdef cbool small_added[8]
    cdef Array* given = small
    cdef Array* results = small_out
    cdef Array** acc = small_acc
    cdef cbool* added = small_added
    cdef int k, n = <int> p.results.size(), bad
    cdef int32_t j
    cdef Array* a
    cdef Array* have
    if n_flags[i] & N_FREED:
        raise RuntimeError(f"backward: expected a graph whose saved values are there, got one that an earlier backward "
                           f"pass has freed (at {node_name(i)}). Pass retain_graph=True to the first backward().")
    if p.given > 16 or n > 8:
        given = <Array*> calloc(p.given, sizeof(Array))
        results = <Array*> calloc(n, sizeof(Array))
        acc = <Array**> calloc(n, sizeof(Array*))
        added = <cbool*> calloc(n, sizeof(cbool))
        if given == NULL or results == NULL or acc == NULL or added == NULL:
            free(given)
            free(results)
            free(acc)
            free(added)
            raise_memory("backward")
    else:
        memset(small, 0, p.given * sizeof(Array))
    try:
        given[0] = g[0]
        for k in range(<int> p.saves.size()):
            a = node_saved(i, k)
            check_saved(i, a)
            given[p.saves[k].reg] = a[0]
            array_ref(a[0])   # another thread may free the graph while a large kernel runs without the lock
        for k in range(n):
            acc[k] = NULL
            j = node_input(i, k)
            if j < 0 or n_mark[j] != o.mark or p.results[k] < 0:
                continue
            if s.slot[n_pos[j]] >= 0:
                have = &s.pool[s.slot[n_pos[j]]]
                if have.storage != NULL and have.storage.refs == 1 and have.layout.contiguous:
                    acc[k] = have
        bad = program_run(p, given, <Attr*> n_owner[i], n_layout[i], results, acc, added)
        if bad < 0:
            try:
                raise_last()
            except Exception as error:
                raise type(error)(f"{error} (in the backward pass of {node_name(i)})") from None
        restamp_if_needed(o)
        for k in range(n):
            j = node_input(i, k)
            if results[k].layout == NULL:
                continue
            if j < 0 or n_mark[j] != o.mark:
                array_unref(results[k])
                continue
            contribute(s, n_pos[j], j, &results[k])
    finally:
        for k in range(1, p.given):
            array_unref(given[k])
        if given != small:
            free(given)
            free(results)
            free(acc)
            free(added)
    if not keep and p.saves.size():
        node_drop_saved(i)
        n_flags[i] |= N_FREED
    return 0


cdef uint64_t restamp_seen = 0
cdef Order* restamp_order = NULL


cdef inline int restamp_if_needed(Order* o) noexcept:
    """After anything that may have run another pass: marks and places are made ours again."""
    global restamp_seen, restamp_order
    if restamp_seen != pass_counter or restamp_order != o:
        order_stamp(o)
        restamp_seen = pass_counter
        restamp_order = o
    return 0


cdef int leaf_accumulate(int32_t i, Array* g) except -1:
    """Adds a gradient to its leaf's .grad, which shares memory with nothing else. Takes over the references."""
    cdef PyObject* owner = <PyObject*> n_owner[i]
    cdef Tensor leaf, grad
    cdef Array own
    cdef int bad
    if owner == NULL:
        array_unref(g[0])
        return 0
    leaf = <Tensor> owner
    if leaf.c.grad != NULL:
        grad = <Tensor> leaf.c.grad
        if grad.c.node < 0 and (grad.c.array.storage == NULL or not grad.c.array.storage.readonly):
            bad = add_into(g[0], grad.c.array)
            array_unref(g[0])
            if bad < 0:
                raise_last()
            if grad.c.array.storage != NULL:
                grad.c.array.storage.version += 1
        else:
            own = g[0]
            total = grad.detach() + tensor_from(&own)
            set_grad(leaf, (<Tensor> total).detach())
        run_post_hooks(leaf)
        return 0
    if g.storage != NULL and (g.storage.refs > 1 or not g.layout.contiguous or g.storage.bytes != <size_t> g.nbytes()):
        bad = wg_forward(clone_entry().info, g, 1, NULL, &own, 1, NULL)
        array_unref(g[0])
        if bad < 0:
            raise_last()
        g[0] = own
    grad = tensor_from(g)
    Py_INCREF(grad)
    leaf.c.grad = <PyObject*> grad
    wg_track(leaf)
    run_post_hooks(leaf)
    return 0


cdef object node_name(int32_t i):
    """The name of a node as PyTorch gives it: MulBackward0."""
    if n_flags[i] & N_LEAF:
        return "AccumulateGrad"
    if n_flags[i] & N_FUNCTION:
        return function_name(i)
    if n_flags[i] & N_PICK:
        return function_name(n_in0[i])
    cdef str name = entry_of(n_prog[i].op).row.grad_name
    return name


cdef int mark_needed(Order* o, list inputs, char* needed) except -1:
    """needed[k]: node k lies on a path to one of the inputs. Later nodes come first, so walk from the end."""
    cdef int32_t k, i, j
    cdef int n
    memset(needed, 0, o.count)
    for t in inputs:
        i = (<Tensor> t).c.node
        if i >= 0 and n_mark[i] == o.mark:
            needed[n_pos[i]] = 1
    for k in range(o.count - 1, -1, -1):
        i = o.nodes[k]
        if needed[k]:
            continue
        if n_more[i] == NULL:
            if n_in0[i] >= 0 and needed[n_pos[n_in0[i]]] or n_in1[i] >= 0 and needed[n_pos[n_in1[i]]]:
                needed[k] = 1
        else:
            for n in range(n_more[i].nin):
                j = n_more[i].ins[n]
                if j >= 0 and needed[n_pos[j]]:
                    needed[k] = 1
                    break
    return 0


cdef object run_backward(list roots, list grads, list inputs, cbool keep, cbool accumulate, cbool create_graph,
                         cbool allow_unused, cbool silent):
    """The backward pass. roots: tensors; grads: their gradients as tensors; inputs: tensors whose gradients are
    wanted, or None for all leaves. With accumulate the gradients go to .grad, else they are returned. create_graph
    replays the rules through dispatch; `silent` does not record them."""
    global pass_counter
    cdef Order o
    cdef Slots s
    cdef vector[int32_t] starts
    cdef int32_t k, i
    cdef Array g
    cdef Tensor t
    cdef char* needed = NULL
    cdef dict captured = {}
    cdef dict wanted = None
    cdef dict tensors = None      # create_graph: place -> gradient as a tensor
    cdef int64_t work = 0   # since signals were last looked at
    cdef cbool observed = backward_timer is not None   # somebody wants times, or gradients of noted nodes
    cdef object result
    pass_counter += 1
    memset(&o, 0, sizeof(o))
    memset(&s, 0, sizeof(s))
    for r in roots:
        i = (<Tensor> r).c.node
        starts.push_back(i)
        n_refs[i] += 1   # the graph stays while the pass runs
        if n_flags[i] & N_NOTED:
            observed = True
    saved_mode = wg_grad_off()
    try:
        order_make(&o, starts.data(), <int> starts.size())
        restamp_if_needed(&o)
        slots_init(&s, o.count)
        if inputs is not None:
            needed = <char*> malloc(o.count + 1)
            if needed == NULL:
                raise_memory("backward")
            mark_needed(&o, inputs, needed)
            wanted = {}
            for t in inputs:
                if t.c.node >= 0:
                    wanted.setdefault(t.c.node, []).append(t)
        if create_graph:
            set_grad_off(1 if silent else 0)
            tensors = {}
            for r, value in zip(roots, grads):
                add_tensor(tensors, n_pos[(<Tensor> r).c.node], value)
        else:
            set_grad_off(1)
            for r, value in zip(roots, grads):
                g = (<Tensor> value).c.array
                array_ref(g)
                i = (<Tensor> r).c.node
                contribute(&s, n_pos[i], i, &g)
        for k in range(o.count):
            i = o.nodes[k]
            work += 256 + (n_layout[i].numel if n_layout[i] != NULL else 0)
            if work > SIGNAL_WORK:
                work = 0
                PyErr_CheckSignals()
            if create_graph:
                if k not in tensors:
                    if not n_flags[i] & N_FUNCTION or k not in pending_of(tensors):
                        continue
            elif s.slot[k] < 0 and not n_flags[i] & N_FUNCTION:
                continue
            if needed != NULL and not needed[k]:
                if create_graph:
                    tensors.pop(k, None)
                elif s.slot[k] >= 0:
                    slots_take(&s, k, &g)
                    array_unref(g)
                continue
            if observed:
                observe_backward(&s, tensors, k, i)
                restamp_if_needed(&o)
            if create_graph:
                backward_recorded(&o, tensors, k, i, keep, wanted, captured, accumulate)
                continue
            if n_flags[i] & (N_HOOKS | N_RETAIN | N_FUNCTION | N_PICK | N_PACKED) or anomaly_mode > 1:
                backward_special(&s, &o, k, i, keep, wanted, captured, accumulate)
                restamp_if_needed(&o)
                continue
            if wanted is not None and i in wanted:
                slots_take(&s, k, &g)
                if accumulate and n_flags[i] & N_LEAF:
                    leaf_accumulate(i, &g)
                    continue
                array_ref(g)
                captured[i] = tensor_from(&g)
                if n_flags[i] & N_LEAF:
                    array_unref(g)
                else:
                    run_node(&s, &o, i, &g, keep)
                    array_unref(g)
                continue
            slots_take(&s, k, &g)
            if n_flags[i] & N_LEAF:
                if wanted is None:
                    leaf_accumulate(i, &g)
                else:
                    array_unref(g)
                continue
            try:
                run_node(&s, &o, i, &g, keep)
            finally:
                array_unref(g)
        if accumulate and inputs is not None:
            for t in inputs:
                if t.c.node in captured and not n_flags[t.c.node] & N_LEAF:
                    add_to_grad(t, captured[t.c.node])
        if accumulate:
            return None
        result = []
        for t in inputs:
            found = captured.get(t.c.node) if t.c.node >= 0 else None
            if found is None and not allow_unused:
                raise RuntimeError("grad: expected every input to be part of the graph, got one that is not. Pass "
                                   "allow_unused=True to get None for it.")
            result.append(found)
        return tuple(result)
    finally:
        set_grad_off(saved_mode)
        if observed:
            time_backward(-1)
        free(needed)
        if function_pending:
            drop_pending(<size_t> &s)
        slots_free(&s)
        order_free(&o)
        if restamp_order == &o:
            forget_order()
        for k in range(<int> starts.size()):
            node_release(starts[k])


cdef void forget_order() noexcept:
    global restamp_order
    restamp_order = NULL


cdef int set_grad_off(int off) noexcept:
    wg_set_grad_off(off)
    return 0


cdef int add_to_grad(Tensor t, Tensor g) except -1:
    """t.grad += g for a tensor that is not a leaf (inputs= with accumulation)."""
    set_grad(t, g if t.c.grad == NULL else (<object> t.c.grad) + g)
    return 0


# ---- recorded: gradients are tensors, rules are replayed through dispatch -----------------------------------------

cdef int add_tensor(dict tensors, int32_t k, object value) except -1:
    have = tensors.get(k)
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
        regs[p.saves[k].reg] = saved_tensor(i, k, &p.saves[k], nin)
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
        g = g.to(dtypes[n_dtype[node]])
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
            set_grad(<Tensor> leaf, g if (<Tensor> leaf).c.grad == NULL else (<object> (<Tensor> leaf).c.grad) + g)
            run_post_hooks(<Tensor> leaf)
        return 0
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


# ---- nodes that need Python: hooks, custom functions, anomaly mode --------------------------------------------------

cdef dict function_pending = {}    # (address of the slots, place) -> {output number: gradient}


cdef int drop_pending(size_t address) except -1:
    """Forgets what a pass that failed has left."""
    for key in [key for key in function_pending if key[0] == address]:
        del function_pending[key]
    return 0


cdef int backward_replayed(Slots* s, Order* o, int32_t i, Tensor t, cbool keep) except -1:
    """A node whose gradients hooks want to see: its rule runs op by op, then the hooks."""
    cdef Array g
    cdef int32_t j
    cdef int n
    cdef list results
    if n_flags[i] & N_PACKED:
        unpack_saved(i)
    try:
        results = replay(i, t)
    finally:
        if n_flags[i] & N_PACKED:
            repack_saved(i, keep)
    results = run_node_hooks(i, results, t)
    restamp_if_needed(o)
    for n in range(len(results)):
        j = node_input(i, n)
        if results[n] is None or j < 0 or n_mark[j] != o.mark:
            continue
        g = (<Tensor> results[n]).c.array
        array_ref(g)
        contribute(s, n_pos[j], j, &g)
    if not keep and n_prog[i].saves.size():
        node_drop_saved(i)
        n_flags[i] |= N_FREED
    return 0


cdef int backward_special(Slots* s, Order* o, int32_t k, int32_t i, cbool keep, dict wanted, dict captured,
                          cbool accumulate) except -1:
    cdef Array g
    cdef Tensor t
    cdef int32_t j
    cdef int n
    cdef list results
    cdef object key = (<size_t> s, k)
    if n_flags[i] & N_FUNCTION:
        outputs = function_pending.pop(key, None)
        if outputs is None:
            return 0
        results = run_function(i, outputs, keep)
        if n_flags[i] & N_HOOKS:
            results = run_node_hooks(i, results, outputs.get(0))
        restamp_if_needed(o)
        for n in range(len(results)):
            j = node_input(i, n)
            if results[n] is None or j < 0 or n_mark[j] != o.mark:
                continue
            t = <Tensor> results[n]
            g = t.c.array
            array_ref(g)
            contribute(s, n_pos[j], j, &g)
        return 0
    slots_take(s, k, &g)
    t = tensor_from(&g)
    if n_flags[i] & (N_HOOKS | N_RETAIN):
        t = <Tensor> run_hooks(i, t)
        restamp_if_needed(o)
    if wanted is not None and i in wanted and not (accumulate and n_flags[i] & N_LEAF):
        captured[i] = t
    g = t.c.array
    if n_flags[i] & N_LEAF:
        if wanted is None or accumulate and i in wanted:
            array_ref(g)
            leaf_accumulate(i, &g)
        return 0
    if n_flags[i] & N_PICK:
        # An output that the function saved has more than one node: their gradients add up.
        add_tensor(function_pending.setdefault((<size_t> s, n_pos[n_in0[i]]), {}), n_nin[i], t)
        return 0
    if n_flags[i] & N_HOOKS and has_node_hooks(i):
        backward_replayed(s, o, i, t, keep)
        return 0
    array_ref(g)   # hooks may have kept the tensor: the rule must not take over its memory
    try:
        if n_flags[i] & N_PACKED:
            unpack_saved(i)
            restamp_if_needed(o)
        run_node(s, o, i, &g, keep)
    finally:
        array_unref(g)
        if n_flags[i] & N_PACKED:
            repack_saved(i, keep)
    if anomaly_mode > 1:
        check_anomaly_results(i, s, o)
    return 0
