# Nodes that know Python: hooks, retained gradients, custom functions, anomaly mode, and the node objects of grad_fn.
#
# Note [Who owns hooks]. A tensor owns its dict of hooks, the side table borrows it. So a hook that closes over its
# tensor is a cycle that the collector sees and frees. When the tensor dies before its node, the side table takes over.

cdef extern from *:
    """
    #include <unordered_map>
    struct wg_node_hooks { PyObject* hooks; bool owned; PyObject* retains; };
    typedef std::unordered_map<int32_t, wg_node_hooks> wg_hook_table;
    """
    struct NodeHooks "wg_node_hooks":
        PyObject* hooks
        cbool owned
        PyObject* retains   # the tensor that keeps its gradient, borrowed
    cppclass HookTable "wg_hook_table":
        NodeHooks& operator[](int32_t)
        size_t count(int32_t)
        void erase(int32_t)

cdef HookTable node_hooks
cdef int anomaly_mode = 0
cdef dict forward_lines = {}   # n_seq -> the user's line, in anomaly mode and inside record()
cdef int record_lines = 0


cdef int32_t hookable_node(Tensor t, str op) except -1:
    if t.c.flags & T_VIEW:
        refresh_view(t)
    if t.c.node < 0:
        raise RuntimeError(f"{op}: expected a tensor that requires grad, got one that does not. Set requires_grad "
                           "first.")
    return t.c.node


def add_hook(Tensor t, object hook, str kind="tensor"):
    """Registers a gradient hook on a tensor's node; returns (dict, key) for removing it. kind: "tensor" runs before the
    gradient is used, "post" after a leaf's gradient was accumulated."""
    cdef int32_t i = hookable_node(t, "register_hook")
    cdef dict hooks
    if not callable(hook):
        raise TypeError(f"register_hook: expected a callable, got {type(hook).__name__}.")
    if kind == "post" and not n_flags[i] & N_LEAF:
        raise RuntimeError("register_post_accumulate_grad_hook: expected a leaf, got the result of an operation.")
    if t.c.hooks == NULL:
        hooks = {}
        Py_INCREF(hooks)
        t.c.hooks = <PyObject*> hooks
        wg_track(t)
    hooks = <dict> <object> t.c.hooks
    key = (kind, len(hooks), id(hook), next_seq)
    hooks[key] = hook
    n_flags[i] |= N_HOOKS
    t.c.flags |= T_HOOKED
    node_hooks[i].hooks = t.c.hooks
    node_hooks[i].owned = False
    return hooks, key


def retain_grad(Tensor t):
    """Keeps the gradient of a non-leaf in .grad during backward()."""
    cdef int32_t i = hookable_node(t, "retain_grad")
    if n_flags[i] & N_LEAF:
        return
    n_flags[i] |= N_RETAIN
    t.c.flags |= T_HOOKED | T_RETAINS
    if node_hooks.count(i) == 0:
        node_hooks[i].hooks = NULL
        node_hooks[i].owned = False
    node_hooks[i].retains = <PyObject*> t


def retains_grad(Tensor t):
    """Whether retain_grad() was called on a non-leaf."""
    return t.c.flags & T_RETAINS != 0


cdef void hooks_orphaned(TensorBody* body) noexcept:
    """The tensor leaves its node: the side table takes the hooks over, and nobody retains."""
    cdef int32_t i = body.node
    if i < 0 or node_hooks.count(i) == 0:
        return
    node_hooks[i].retains = NULL
    n_flags[i] &= ~<uint8_t> N_RETAIN
    if body.hooks != NULL and not node_hooks[i].owned:
        if n_refs[i] > 1:
            Py_INCREF(<object> body.hooks)
            node_hooks[i].owned = True
        else:
            node_hooks[i].hooks = NULL


cdef void node_release_objects(int32_t i) noexcept:
    """Hands the Python objects of a dead node to the release queue."""
    cdef PyObject* hooks
    if n_flags[i] & N_FUNCTION and n_owner[i] != NULL:
        context = <object> <PyObject*> n_owner[i]
        _dead_objects.append(context)
        Py_DECREF(context)
        n_owner[i] = NULL
    if n_flags[i] & (N_HOOKS | N_RETAIN) and node_hooks.count(i):
        hooks = node_hooks[i].hooks
        if node_hooks[i].owned and hooks != NULL:
            _dead_objects.append(<object> hooks)
            Py_DECREF(<object> hooks)
        node_hooks.erase(i)


cdef object run_hooks(int32_t i, object g):
    """Runs the tensor hooks of a node on its gradient and keeps it where asked."""
    cdef PyObject* kept
    if node_hooks.count(i) == 0:
        return g
    if node_hooks[i].hooks != NULL and n_flags[i] & N_HOOKS:
        hooks = <dict> <object> node_hooks[i].hooks
        for key, hook in list(hooks.items()):
            if key[0] != "tensor":
                continue
            result = hook(g)
            if result is None:
                continue
            if not isinstance(result, Tensor):
                raise TypeError(f"hook: expected a Tensor or None, got {type(result).__name__}.")
            if not same_shape((<Tensor> result).c.array.layout, n_layout[i]):
                raise RuntimeError(f"hook: expected a gradient of shape {shape_tuple(n_layout[i])}, got "
                                   f"{tuple(result.shape)}.")
            g = result
    kept = node_hooks[i].retains
    if kept != NULL:
        t = <Tensor> <object> kept
        set_grad(t, g if (<Tensor> t).c.grad == NULL else (<object> (<Tensor> t).c.grad) + g)
    return g


cdef int run_post_hooks(Tensor leaf) except -1:
    if leaf.c.hooks == NULL:
        return 0
    for key, hook in list((<dict> <object> leaf.c.hooks).items()):
        if key[0] == "post":
            hook(leaf)
    return 0


# ---- custom functions --------------------------------------------------------------------------------------------

def record_function(object context, list inputs, list outputs):
    """Records a custom function: `context.run_backward(grads)` will be called with one gradient (or None) for each
    output and must return one (or None) for each of `inputs`. Marks the outputs as results of the function."""
    cdef int32_t node, pick
    cdef int k
    cdef Tensor t
    cdef NodeMore* more
    node = node_new()
    n_flags[node] = N_FUNCTION
    n_owner[node] = <void*> context
    Py_INCREF(context)
    more = node_more_new(<int32_t> len(inputs), 0)
    n_more[node] = more
    n_nin[node] = <int16_t> len(inputs)
    for k in range(len(inputs)):
        t = <Tensor> inputs[k]
        if t.c.flags & T_VIEW:
            refresh_view(t)
        more.ins[k] = t.c.node
        if t.c.node >= 0:
            n_refs[t.c.node] += 1
    for k in range(len(outputs)):
        t = <Tensor> outputs[k]
        if t is None or not is_float(t.c.array.dtype):
            continue
        pick = node_new()
        n_flags[pick] = N_PICK
        n_in0[pick] = node
        n_refs[node] += 1
        n_nin[pick] = <int16_t> k
        n_layout[pick] = t.c.array.layout
        layout_incref(t.c.array.layout)
        n_dtype[pick] = t.c.array.dtype
        if t.c.node >= 0:
            node_release(t.c.node)
        t.c.node = pick
        t.c.epoch += 1
        if t.c.flags & T_VIEW:
            # The function's result has a history of its own; it is no view for autograd any more.
            t.c.flags &= ~<uint32_t> T_VIEW
    node_release(node)


cdef list run_function(int32_t i, dict outputs):
    context = <object> <PyObject*> n_owner[i]
    results = context.run_backward(outputs)
    return list(results)


cdef str function_name(int32_t i):
    return type(<object> <PyObject*> n_owner[i]).__name__ + "Backward"


# ---- anomaly mode ------------------------------------------------------------------------------------------------

def set_anomaly_mode(int on):
    """Switches the search for NaN in backward on or off; returns the old state."""
    global anomaly_mode
    old = anomaly_mode
    anomaly_mode = on
    note_lines(anomaly_mode or record_lines)
    return old


def set_record_lines(int on):
    """Switches the recording of the user's source lines on or off; returns the old state."""
    global record_lines
    old = record_lines
    record_lines = on
    note_lines(anomaly_mode or record_lines)
    return old


cdef int noting = 0


cdef int note_lines(int on) except -1:
    global noting
    noting = on
    if not on:
        forward_lines.clear()
    return 0


cdef int note_line(int32_t i) except -1:
    """Remembers the user's line that recorded node i: the innermost frame outside this package."""
    import sys
    frame = sys._getframe(0)
    while frame is not None and frame.f_globals.get("__name__", "").partition(".")[0] == "wengert":
        frame = frame.f_back
    if frame is not None:
        forward_lines[n_seq[i]] = (frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name)
    return 0


cdef str line_text(int32_t i):
    found = forward_lines.get(n_seq[i])
    if found is None:
        return "a line that was not recorded; run the forward pass inside the anomaly mode as well"
    return f"{found[0]}:{found[1]}, in {found[2]}"


cdef cbool has_nan(Array* a):
    cdef Array copy = a[0]
    if not is_float(a.dtype):
        return False
    array_ref(copy)
    t = tensor_from(&copy)
    return bool(t.isnan().any())


cdef int check_anomaly_results(int32_t i, Slots* s, Order* o) except -1:
    """Raises where a gradient that node i contributed to has become NaN."""
    cdef int k
    cdef int32_t j
    for k in range(n_nin[i]):
        j = node_input(i, k)
        if j < 0 or n_mark[j] != o.mark or s.slot[n_pos[j]] < 0:
            continue
        if has_nan(&s.pool[s.slot[n_pos[j]]]):
            raise RuntimeError(f"backward: expected finite gradients, got NaN in input {k} of {node_name(i)}, which was "
                               f"recorded at {line_text(i)}.")
    return 0


# ---- node objects ------------------------------------------------------------------------------------------------

cdef class Node:
    """One node of the graph: an operation, or a leaf that accumulates."""
    cdef int32_t i
    cdef object __weakref__

    def __dealloc__(self):
        node_release(self.i)

    def name(self):
        """The node's name, such as MulBackward0."""
        return node_name(self.i)

    def __repr__(self):
        return f"<{self.name()}>"

    def __eq__(self, other):
        return isinstance(other, Node) and (<Node> other).i == self.i

    def __hash__(self):
        return self.i

    @property
    def op(self):
        """The op's name, "leaf" for a leaf, or the class name of a custom function."""
        if n_flags[self.i] & N_LEAF:
            return "leaf"
        if n_flags[self.i] & (N_FUNCTION | N_PICK):
            return node_name(self.i)
        return entry_of(n_prog[self.i].op).name

    @property
    def shape(self):
        """The shape of the result."""
        return shape_tuple(n_layout[self.i]) if n_layout[self.i] != NULL else None

    @property
    def dtype(self):
        """The dtype of the result."""
        return dtypes[n_dtype[self.i]] if n_layout[self.i] != NULL else None

    @property
    def sequence(self):
        """The moment of recording: larger is later."""
        return n_seq[self.i]

    @property
    def attributes(self):
        """The op's attributes as a dict."""
        if n_flags[self.i] & (N_LEAF | N_FUNCTION | N_PICK):
            return {}
        e = entry_of(n_prog[self.i].op)
        return dict(zip((<Entry> e).fields, decode_attrs(<Entry> e, <Attr*> n_owner[self.i])))

    @property
    def variable(self):
        """The leaf tensor of an AccumulateGrad node."""
        if not n_flags[self.i] & N_LEAF:
            raise AttributeError("variable")
        return None if n_owner[self.i] == NULL else <object> <PyObject*> n_owner[self.i]

    @property
    def next_functions(self):
        """The nodes that this one's gradients flow to: pairs (node or None, 0)."""
        cdef list out = []
        cdef int k, n = n_nin[self.i]
        cdef int32_t j
        if n_flags[self.i] & N_LEAF:
            return ()
        if n_flags[self.i] & N_PICK:
            n = 1
        for k in range(n):
            j = node_input(self.i, k)
            out.append((make_node(j) if j >= 0 else None, 0))
        return tuple(out)

    @property
    def line(self):
        """(file, line, function) of the user's code that recorded the node, where lines were recorded; else None."""
        return forward_lines.get(n_seq[self.i])


cdef object make_node(int32_t i):
    cdef Node node = Node.__new__(Node)
    node.i = i
    n_refs[i] += 1
    return node


def node_of(Tensor t):
    """The node of any tensor that requires grad, leaves included; None for others."""
    if t.c.flags & T_VIEW:
        refresh_view(t)
    return None if t.c.node < 0 else make_node(t.c.node)


def graph_nodes(list tensors):
    """All nodes that tensors' gradients flow through, latest first: a list of (Node, [places of its inputs or -1])."""
    cdef Order o
    cdef vector[int32_t] starts
    cdef Tensor t
    cdef int32_t k, j
    cdef int n, count
    global pass_counter
    for t in tensors:
        if t.c.flags & T_VIEW:
            refresh_view(t)
        if t.c.node >= 0:
            starts.push_back(t.c.node)
    if starts.size() == 0:
        return []
    pass_counter += 1
    order_make(&o, starts.data(), <int> starts.size())
    out = []
    try:
        for k in range(o.count):
            count = 0 if n_flags[o.nodes[k]] & N_LEAF else 1 if n_flags[o.nodes[k]] & N_PICK else n_nin[o.nodes[k]]
            places = []
            for n in range(count):
                j = node_input(o.nodes[k], n)
                places.append(n_pos[j] if j >= 0 else -1)
            out.append((make_node(o.nodes[k]), places))
    finally:
        order_free(&o)
    return out
