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

cdef extern from *:
    """
    // The open saved_tensors_hooks are a thread's own; the plain counter answers the hot question.
    static thread_local PyObject* wg_own_saved_hooks = nullptr;   // list of (pack, unpack), innermost last
    static int wg_saving = 0;     // open ones of all threads, changed with the interpreter lock only
    static int wg_watching = 0;   // those, and one more while lines are noted: recording has more to do
    """
    PyObject* wg_own_saved_hooks
    int wg_saving
    int wg_watching

cdef dict packed_values = {}   # (slot, number of the saved value) -> (pack's result, unpack)
cdef int anomaly_mode = 0      # 1: remember lines, 2: look for NaN too
cdef dict forward_lines = {}   # n_seq -> the user's line, of nodes that were recorded in anomaly mode or inside record()
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
    if t.c.hooks == NULL and node_hooks.count(i) and node_hooks[i].hooks != NULL:
        # The node has hooks of its own already: the tensor takes their dict over.
        t.c.hooks = node_hooks[i].hooks
        if not node_hooks[i].owned:
            Py_INCREF(<object> t.c.hooks)
        wg_track(t)
    elif t.c.hooks == NULL:
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


cdef int leave_node(Tensor t) except -1:
    """t is about to get another node: its hooks stay with the old one, which owns them from now on."""
    cdef int32_t i = t.c.node
    if not t.c.flags & T_HOOKED or i < 0 or node_hooks.count(i) == 0:
        return 0
    if node_hooks[i].retains == <PyObject*> t:
        node_hooks[i].retains = NULL
        n_flags[i] &= ~<uint8_t> N_RETAIN
    if t.c.hooks != NULL and node_hooks[i].hooks == t.c.hooks and not node_hooks[i].owned:
        node_hooks[i].owned = True
        t.c.hooks = NULL
    t.c.flags &= ~<uint32_t> T_HOOKED
    return 0


cdef int retain_again(Tensor t) except -1:
    """t has got another node: its gradient is kept there now."""
    if t.c.flags & T_RETAINS and t.c.node >= 0:
        retain_grad(t)
    return 0


cdef void node_release_objects(int32_t i) noexcept:
    """Hands the Python objects of a dead node to the release queue."""
    cdef PyObject* hooks
    if n_flags[i] & N_FUNCTION and n_owner[i] != NULL:
        context = <object> <PyObject*> n_owner[i]
        (<FunctionContext> context).node = -1
        _dead_objects.append(context)
        Py_DECREF(context)
        n_owner[i] = NULL
    if n_flags[i] & N_PACKED and n_prog[i] != NULL:
        for k in range(<int> n_prog[i].saves.size()):
            packed = packed_values.pop((i, k), None)
            if packed is not None:
                _dead_objects.append(packed)
    if n_flags[i] & N_NOTED:
        forward_lines.pop(n_seq[i], None)
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
            if key[0] == "pre":
                result = hook((g,))
                result = result[0] if isinstance(result, tuple) else result
            elif key[0] == "tensor":
                result = hook(g)
            else:
                continue
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


cdef int has_node_hooks(int32_t i) except -1:
    if node_hooks.count(i) == 0 or node_hooks[i].hooks == NULL:
        return False
    for key in <dict> <object> node_hooks[i].hooks:
        if key[0] == "node":
            return True
    return False


cdef list run_node_hooks(int32_t i, list results, object g):
    """Runs hook(grad_inputs, grad_outputs) of a node; what it returns replaces the gradients of the inputs."""
    if node_hooks.count(i) == 0 or node_hooks[i].hooks == NULL:
        return results
    for key, hook in list((<dict> <object> node_hooks[i].hooks).items()):
        if key[0] != "node":
            continue
        found = hook(tuple(results), (g,))
        if found is None:
            continue
        found = [found] if isinstance(found, Tensor) else list(found)
        if len(found) != len(results):
            raise RuntimeError(f"hook: expected {len(results)} gradients, got {len(found)}.")
        for value in found:
            if value is not None and not isinstance(value, Tensor):
                raise TypeError(f"hook: expected tensors or None, got {type(value).__name__}.")
        results = found
    return results


cdef dict own_hooks(int32_t i):
    """The dict of hooks of a node, made where there is none; a live tensor shares it."""
    cdef dict hooks
    if node_hooks.count(i) == 0:
        node_hooks[i].retains = NULL
        node_hooks[i].hooks = NULL
        node_hooks[i].owned = False
    if node_hooks[i].hooks == NULL:
        hooks = {}
        Py_INCREF(hooks)
        node_hooks[i].hooks = <PyObject*> hooks
        node_hooks[i].owned = True
    n_flags[i] |= N_HOOKS
    return <dict> <object> node_hooks[i].hooks


cdef int run_post_hooks(Tensor leaf) except -1:
    if leaf.c.hooks == NULL:
        return 0
    for key, hook in list((<dict> <object> leaf.c.hooks).items()):
        if key[0] == "post":
            hook(leaf)
    return 0


# ---- saved_tensors_hooks -----------------------------------------------------------------------------------------

def push_saved_hooks(pack, unpack):
    """Opens a pair of saved_tensors_hooks on this thread."""
    global wg_own_saved_hooks, wg_saving, wg_watching
    if wg_own_saved_hooks == NULL:
        hooks = []
        Py_INCREF(hooks)
        wg_own_saved_hooks = <PyObject*> hooks
    (<list> <object> wg_own_saved_hooks).append((pack, unpack))
    wg_saving += 1
    wg_watching += 1


def pop_saved_hooks():
    """Closes the innermost pair."""
    global wg_saving, wg_watching
    (<list> <object> wg_own_saved_hooks).pop()
    wg_saving -= 1
    wg_watching -= 1


cdef object open_saved_hooks():
    """The innermost (pack, unpack) of this thread, or None."""
    if wg_own_saved_hooks == NULL:
        return None
    hooks = <list> <object> wg_own_saved_hooks
    return hooks[len(hooks) - 1] if hooks else None


cdef tuple packed_value(Array* a):
    """What pack makes of a value, and the unpack that belongs to it."""
    cdef Tensor t
    cdef Array copy = a[0]
    pack, unpack = open_saved_hooks()
    array_ref(copy)
    t = tensor_from(&copy)
    return pack(t), unpack


cdef Tensor unpacked_value(tuple packed):
    value = packed[1](packed[0])
    if not isinstance(value, Tensor):
        raise TypeError(f"saved_tensors_hooks: expected unpack to return a Tensor, got {type(value).__name__}.")
    return <Tensor> value


cdef int pack_saved(int32_t i) except -1:
    """Hands the values that node i saved to the pack hook; the side table keeps what it returns."""
    cdef int k
    cdef Array* a
    if open_saved_hooks() is None:
        return 0
    try:
        for k in range(<int> n_prog[i].saves.size()):
            a = node_saved(i, k)
            if a.flags & (kShapeOnly | kWeak):
                continue
            packed_values[i, k] = packed_value(a)
            n_flags[i] |= N_PACKED
            if a.storage != NULL:
                storage_decref(a.storage)
            a.storage = NULL
            a.flags |= kShapeOnly
    except BaseException:
        node_release(i)
        raise
    return 0


cdef int unpack_saved(int32_t i) except -1:
    """Puts the values that the unpack hooks return back into node i, for one run of its rule."""
    cdef int k
    cdef Array* a
    cdef Array fresh
    cdef Tensor value
    if n_flags[i] & N_FREED:
        return 0
    for k in range(<int> n_prog[i].saves.size()):
        packed = packed_values.get((i, k))
        if packed is None:
            continue
        value = unpacked_value(<tuple> packed)
        fresh = value.c.array
        a = node_saved(i, k)
        if not same_shape(fresh.layout, a.layout):
            raise RuntimeError(f"saved_tensors_hooks: expected unpack to return a Tensor of shape "
                               f"{shape_tuple(a.layout)}, got {shape_tuple(fresh.layout)}.")
        array_ref(fresh)
        array_unref(a[0])
        a[0] = fresh
        a.flags = 0
        if a.storage != NULL:
            a.version = a.storage.version
    return 0


cdef int repack_saved(int32_t i, cbool keep) except -1:
    """Lets the values that unpack_saved() put in go again; without `keep` the packed ones too."""
    cdef int k
    cdef Array* a
    for k in range(<int> n_prog[i].saves.size()):
        if (i, k) not in packed_values:
            continue
        a = node_saved(i, k)
        if a.layout != NULL:
            if a.storage != NULL:
                storage_decref(a.storage)
            a.storage = NULL
            a.flags |= kShapeOnly
        if not keep:
            _dead_objects.append(packed_values.pop((i, k)))
    return 0


# ---- custom functions --------------------------------------------------------------------------------------------
#
# Note [Custom functions]. A call of a custom function is one N_FUNCTION node, which owns the context object, and one
# N_PICK node for each differentiable output. The context keeps arrays and nodes (Saved), never tensors of its own
# graph: node slots are invisible to the collector, so a tensor there would be a cycle that is never freed.

cdef class Saved:
    """A tensor that a custom function saved."""
    cdef Array array
    cdef int32_t node       # owned, or -1
    cdef int number         # of the function's output, whose node is made again when it is asked for; or -1
    cdef object packed      # (pack's result, unpack) of saved_tensors_hooks, instead of the array

    def __cinit__(self):
        self.node = -1
        self.number = -1

    def __dealloc__(self):
        array_unref(self.array)
        if self.node >= 0:
            node_release(self.node)


cdef Saved save_tensor(Tensor t, int number):
    cdef Saved s = Saved.__new__(Saved)
    if t.c.flags & T_VIEW:
        refresh_view(t)
    s.number = number
    if wg_saving and open_saved_hooks() is not None:
        s.packed = packed_value(&t.c.array)
    else:
        s.array = t.c.array
        array_ref(s.array)
        if s.array.storage != NULL:
            s.array.version = s.array.storage.version
    if number < 0 and t.c.node >= 0:
        s.node = t.c.node
        n_refs[s.node] += 1
    return s


cdef int32_t new_pick(int32_t function, int number, Layout* layout, int dtype) except -1:
    """A node for one output of a custom function."""
    cdef int32_t pick = node_new()
    n_flags[pick] = N_PICK
    n_in0[pick] = function
    n_refs[function] += 1
    n_nin[pick] = <int16_t> number
    n_layout[pick] = layout
    layout_incref(layout)
    n_dtype[pick] = <uint8_t> dtype
    return pick


cdef class FunctionContext:
    """What a custom function's node knows; autograd/function.py has the subclass with the public methods."""
    cdef int32_t node    # the node while it lives, else -1
    cdef list saved
    cdef cbool freed

    def __cinit__(self, *args, **kwargs):
        self.node = -1

    def keep(self, list tensors, list numbers):
        """Saves tensors (None stays None); numbers[k] is the number of the output that tensors[k] is, or -1."""
        cdef list saved = []
        for t, number in zip(tensors, numbers):
            saved.append(None if t is None else save_tensor(<Tensor?> t, number))
        self.saved = saved

    def kept(self):
        """The saved tensors with their history, as a tuple."""
        cdef list out = []
        cdef Saved s
        cdef Tensor t, value
        if self.freed:
            raise RuntimeError(f"backward: expected a graph whose saved values are there, got one that an earlier "
                               f"backward pass has freed (at {self.name()}). Pass retain_graph=True to the first "
                               "backward().")
        for item in self.saved or ():
            if item is None:
                out.append(None)
                continue
            s = <Saved> item
            t = Tensor.__new__(Tensor)
            if s.packed is not None:
                value = unpacked_value(<tuple> s.packed)
                t.c.array = value.c.array
            else:
                if s.array.storage != NULL and s.array.storage.version != s.array.version:
                    raise RuntimeError(f"backward: expected the value that {self.name()} saved, got one changed in "
                                       f"place since (version {s.array.storage.version} instead of {s.array.version}, "
                                       f"shape {shape_tuple(s.array.layout)}). Change a .clone(), or write before it is "
                                       "used.")
                t.c.array = s.array
            array_ref(t.c.array)
            t.c.array.flags = 0
            if s.number >= 0 and self.node >= 0:
                t.c.node = new_pick(self.node, s.number, t.c.array.layout, t.c.array.dtype)
            elif s.node >= 0:
                n_refs[s.node] += 1
                t.c.node = s.node
            out.append(t)
        return tuple(out)


def record_function(FunctionContext context not None, list inputs, list outputs):
    """Records a custom function: `context.run_backward(grads)` will be called with a dict from the number of an output
    to its gradient, and must return one (or None) for each of `inputs`. Outputs that are None or not floating have no
    gradient; the others become results of the function. An output that is one of the inputs was changed in place."""
    cdef int32_t node, pick
    cdef int k
    cdef Tensor t
    cdef NodeMore* more
    cdef PyObject* base
    for item in inputs:
        t = <Tensor?> item
        if t.c.flags & T_VIEW:
            refresh_view(t)
    more = node_more_new(<int32_t> len(inputs), 0)
    node = node_new()
    n_flags[node] = N_FUNCTION
    n_owner[node] = <void*> context
    Py_INCREF(context)
    context.node = node
    n_more[node] = more
    n_nin[node] = <int16_t> len(inputs)
    for k in range(len(inputs)):
        t = <Tensor> inputs[k]
        more.ins[k] = t.c.node
        if t.c.node >= 0:
            n_refs[t.c.node] += 1
    if noting:
        note_line(node)
    for k in range(len(outputs)):
        if outputs[k] is None:
            continue
        t = <Tensor?> outputs[k]
        if not is_float(t.c.array.dtype):
            continue
        pick = new_pick(node, k, t.c.array.layout, t.c.array.dtype)
        if t.c.flags & T_VIEW and any([t is item for item in inputs]):
            rebase(t, pick)
            continue
        if t.c.node >= 0:
            leave_node(t)
            node_release(t.c.node)
        t.c.node = pick
        t.c.epoch += 1
        retain_again(t)
        if t.c.flags & T_VIEW:
            # The result has a history of its own; for autograd it is no view.
            t.c.flags &= ~<uint32_t> T_VIEW
            base = t.c.base
            t.c.base = NULL
            Py_XDECREF(base)
    node_release(node)


cdef list run_function(int32_t i, dict outputs, cbool keep):
    context = <FunctionContext> <object> <PyObject*> n_owner[i]
    results = context.run_backward(outputs)
    if not keep:
        (<FunctionContext> context).freed = bool((<FunctionContext> context).saved)
        (<FunctionContext> context).saved = None
    return list(results)


cdef str function_name(int32_t i):
    return (<object> <PyObject*> n_owner[i]).name()


# ---- anomaly mode ------------------------------------------------------------------------------------------------

def set_anomaly_mode(int on):
    """Switches anomaly mode: 0 off, 1 remember lines, 2 look for NaN too; returns the old state."""
    global anomaly_mode
    old = anomaly_mode
    anomaly_mode = on
    note_lines(anomaly_mode or record_lines)
    return old


def anomaly_level():
    """0: off, 1: lines are remembered, 2: NaN is looked for."""
    return anomaly_mode


def set_record_lines(int on):
    """Switches the recording of the user's source lines on or off; returns the old state."""
    global record_lines
    old = record_lines
    record_lines = on
    note_lines(anomaly_mode or record_lines)
    return old


cdef int noting = 0


cdef int note_lines(int on) except -1:
    global noting, wg_watching
    noting = 1 if on else 0
    wg_watching = wg_saving + noting
    return 0


cdef int node_recorded(int32_t i) except -1:
    """Node i has just been recorded while lines are noted or saved values have hooks."""
    if noting:
        note_line(i)
    if wg_saving:
        pack_saved(i)
    return 0


cdef int note_line(int32_t i) except -1:
    """Remembers the user's line that recorded node i: the innermost frame outside this package."""
    import sys
    frame = sys._getframe(0)
    while frame is not None and frame.f_globals.get("__name__", "").partition(".")[0] == "wengert":
        frame = frame.f_back
    if frame is not None:
        n_flags[i] |= N_NOTED
        forward_lines[n_seq[i]] = (frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name)
    return 0


cdef str line_text(int32_t i):
    found = forward_lines.get(n_seq[i])
    if found is None:
        return "a line that was not recorded; run the forward pass inside the anomaly mode as well"
    return f"{found[0]}:{found[1]}, in {found[2]}"


cdef cbool has_nan(Array* a) except? False:
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


def detach_(Tensor t):
    """Cuts a tensor from its history, in place."""
    if t.c.flags & T_VIEW:
        raise RuntimeError("detach_: expected a tensor that is no view, got a view. Use .detach().")
    if t.c.node >= 0:
        leave_node(t)
        if n_flags[t.c.node] & N_LEAF:
            t.c.flags &= ~<uint32_t> T_LEAF
            n_owner[t.c.node] = NULL
        node_release(t.c.node)
        t.c.node = -1
        t.c.epoch += 1
    return t


# ---- node objects ------------------------------------------------------------------------------------------------

cdef object handle_type = None


def set_handle_type(kind):
    """Hands the core the class of what registering a hook returns."""
    global handle_type
    handle_type = kind


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

    def register_hook(self, hook):
        """Registers `hook(grad_inputs, grad_outputs)`; a tuple that it returns replaces the gradients of the inputs.
        Returns a handle with remove()."""
        return self._add_hook(hook, "node")

    def register_prehook(self, hook):
        """Registers `hook(grad_outputs)`, called before the node's rule; a tuple that it returns replaces the gradient.
        Returns a handle with remove()."""
        return self._add_hook(hook, "pre")

    def _add_hook(self, hook, str kind):
        cdef int32_t i = self.i
        if not callable(hook):
            raise TypeError(f"register_hook: expected a callable, got {type(hook).__name__}.")
        if kind == "node" and n_flags[i] & N_PICK:
            i = n_in0[i]
        hooks = own_hooks(i)
        key = (kind, len(hooks), id(hook), next_seq)
        hooks[key] = hook
        return handle_type(hooks, key)

    @property
    def metadata(self):
        """A dict that belongs to the node, for the user."""
        return own_hooks(self.i).setdefault(("metadata",), {})

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


def only_reaches(list tensors, list leaves):
    """Whether every leaf that the tensors' gradients flow to is one of `leaves`."""
    cdef Order o
    cdef vector[int32_t] starts
    cdef Tensor t
    cdef int32_t k, i
    cdef cbool yes = True
    cdef set known = set()
    global pass_counter
    for t in leaves:
        if t.c.node >= 0:
            known.add(t.c.node)
    for t in tensors:
        if t.c.flags & T_VIEW:
            refresh_view(t)
        if t.c.node >= 0:
            starts.push_back(t.c.node)
    if starts.size() == 0:
        return True
    pass_counter += 1
    order_make(&o, starts.data(), <int> starts.size())
    for k in range(o.count):
        i = o.nodes[k]
        if n_flags[i] & N_LEAF and n_owner[i] != NULL and i not in known:
            yes = False
            break
    order_free(&o)
    return yes
