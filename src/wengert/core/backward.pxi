# The backward pass over raw buffers. slots.pxi holds its gradients; replay.pxi is the pass of create_graph.

cdef enum:
    # Elements (a node counts 256 besides) between two looks at pending signals: some milliseconds, so that Ctrl-C is
    # answered at once.
    SIGNAL_WORK = 1 << 19

cdef uint64_t pass_counter = 0   # raised whenever a pass begins: marks and places may have been written over


cdef int check_saved(int32_t i, Array* a) except -1:
    if a.storage != NULL and array_version(a[0]) != a.version:
        raise RuntimeError(
            f"backward: expected the value that {node_name(i)} saved, got one changed in place since (version "
            f"{array_version(a[0])} instead of {a.version}, shape {shape_tuple(a.layout)}). Change a .clone(), or write "
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
            read_saved(p, &p.saves[k], a, &given[p.saves[k].reg])
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
            bad = add_whole(g[0], grad.c.array)
            array_unref(g[0])
            if bad < 0:
                raise_last()
            array_wrote(grad.c.array)
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
    cdef Entry e = entry_of(n_prog[i].op)
    variant = e.row.grad_variant
    if variant is None:
        return e.row.grad_name
    values = dict(zip(e.fields, decode_attrs(e, <Attr*> n_owner[i])))
    return variant(values, n_layout[i].ndim if n_layout[i] != NULL else 0, n_prog[i].absent)


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
                         cbool allow_unused, cbool silent, int64_t since):
    """The backward pass. roots: tensors; grads: their gradients as tensors; inputs: tensors whose gradients are
    wanted, or None for all leaves. With accumulate the gradients go to .grad, else they are returned. create_graph
    replays the rules through dispatch; `silent` does not record them. At leaves and at nodes older than the moment
    `since` such a pass ends, without their hooks, and returns lists of what has to be added up: the gradients are those of
    what was recorded since."""
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
    cdef cbool recorded = False   # a recording made a root: it wants the gradients of its nodes
    cdef cbool observed = backward_timer is not None
    cdef int64_t older = 0   # a recorder wants to know of nodes from before it began
    cdef object result
    if create_graph and not since and recorder_traces():
        older = getattr(<object> active_recorder, "began", 0)
    pass_counter += 1
    memset(&o, 0, sizeof(o))
    memset(&s, 0, sizeof(s))
    for r in roots:
        i = (<Tensor> r).c.node
        starts.push_back(i)
        n_refs[i] += 1   # the graph stays while the pass runs
        if n_flags[i] & N_NOTED and notes_of(i).recording is not None:
            recorded = observed = True
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
            if since:
                for i in wanted:
                    if n_mark[i] == o.mark and (n_seq[i] < since or n_flags[i] & N_LEAF):
                        tensors[n_pos[i]] = []
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
            if sparse_pending and meet_sparse(&s, &o, k, i, needed, wanted, captured, accumulate):
                continue
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
                observe_backward(&s, tensors, k, i, recorded)
                restamp_if_needed(&o)
            if create_graph:
                if since and (n_seq[i] < since or n_flags[i] & N_LEAF):
                    parts = tensors.pop(k)
                    if i in wanted and parts:
                        captured[i] = parts
                    continue
                if n_seq[i] < older and not n_flags[i] & N_LEAF:
                    older = 0
                    (<object> active_recorder).mark_older_graph(node_name(i))
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
            drop_pending(function_pending, <size_t> &s)
        if sparse_pending:
            drop_pending(sparse_pending, <size_t> &s)
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


cdef int add_to_grad(Tensor t, object g) except -1:
    """t.grad += g by operations. A pass that is not differentiated gives a new gradient memory of its own, and a recorded one
    adds in place, as a plain one does with leaves."""
    if t.c.grad == NULL:
        return set_grad(t, g if (<Tensor> g).c.flags & T_SLOW or not wg_grad_off() else apply_op(clone_entry(), [g], NULL))
    if not wg_grad_off() or not recorder_traces():
        return set_grad(t, (<object> t.c.grad) + g)
    (<object> t.c.grad).add_(g)
    return 0


# ---- nodes that need Python: hooks, custom functions, anomaly mode --------------------------------------------------

cdef dict function_pending = {}    # (address of the slots, place) -> {output number: gradient}
cdef dict sparse_pending = {}      # (address of the slots, place) -> sparse gradient


cdef int drop_pending(dict pending, size_t address) except -1:
    """Forgets what a pass that failed has left."""
    for key in [key for key in pending if key[0] == address]:
        del pending[key]
    return 0


cdef int contribute_any(Slots* s, int32_t k, int32_t node, Tensor t) except -1:
    """contribute() for a gradient that Python code made: a sparse one waits beside the slots."""
    cdef Array g
    if t.c.flags & T_SLOW and t.is_sparse:
        have = sparse_pending.get((<size_t> s, k))
        sparse_pending[<size_t> s, k] = t if have is None else have + t
        return 0
    g = t.c.array
    array_ref(g)
    return contribute(s, k, node, &g)


cdef int meet_sparse(Slots* s, Order* o, int32_t k, int32_t i, char* needed, dict wanted, dict captured,
                     cbool accumulate) except -1:
    """Hands the sparse gradient of a node on, where there is one. A leaf that has no dense one too takes it as it is, which
    finishes the node (1); elsewhere it becomes dense (0)."""
    cdef Array g
    cdef Tensor t
    found = sparse_pending.pop((<size_t> s, k), None)
    if found is None or needed != NULL and not needed[k]:
        return 0
    if s.slot[k] >= 0 or not n_flags[i] & N_LEAF:
        t = <Tensor> found.to_dense()
        g = t.c.array
        array_ref(g)
        contribute(s, k, i, &g)
        return 0
    if n_flags[i] & N_HOOKS:
        found = run_hooks(i, found)
        restamp_if_needed(o)
    if wanted is not None and i in wanted and not accumulate:
        captured[i] = found
    elif n_owner[i] != NULL and (wanted is None or i in wanted):
        leaf = <Tensor> <object> <PyObject*> n_owner[i]
        found._accumulate_at(leaf)
        run_post_hooks(<Tensor> leaf)
        restamp_if_needed(o)
    return 1


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
        contribute_any(s, n_pos[j], j, <Tensor> results[n])
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
            contribute_any(s, n_pos[j], j, <Tensor> results[n])
        return 0
    slots_take(s, k, &g)
    t = tensor_from(&g)
    if n_flags[i] & (N_HOOKS | N_RETAIN):
        t = <Tensor> run_hooks(i, t)
        restamp_if_needed(o)
        if t.c.flags & T_SLOW and t.is_sparse:
            t = t.to_dense()
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
        if anomaly_mode > 1:
            check_anomaly_results(i, s, o)
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
