# Gradient hooks and retained gradients.
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
    static int wg_watching = 0;   // those, and one more while notes are taken: recording has more to do
    """
    PyObject* wg_own_saved_hooks
    int wg_saving
    int wg_watching

cdef dict packed_values = {}   # (slot, number of the saved value) -> (pack's result, unpack)
cdef int anomaly_mode = 0      # 1: remember lines, 2: look for NaN too
cdef dict node_notes = {}      # n_seq -> NodeNotes, of nodes with N_NOTED


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


def hooks_of(Tensor t):
    """The keys of a tensor's hooks; None where there are none."""
    return tuple(<dict> <object> t.c.hooks) or None if t.c.hooks != NULL else None


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
    cdef PyObject* error[3]
    PyErr_Fetch(&error[0], &error[1], &error[2])   # Note [Releasing while an exception is on its way]
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
        node_notes.pop(n_seq[i], None)
    if n_flags[i] & (N_HOOKS | N_RETAIN) and node_hooks.count(i):
        hooks = node_hooks[i].hooks
        if node_hooks[i].owned and hooks != NULL:
            _dead_objects.append(<object> hooks)
            Py_DECREF(<object> hooks)
        node_hooks.erase(i)
    PyErr_Restore(error[0], error[1], error[2])


# Note [Releasing while an exception is on its way]
# A function that fails gives up its tensors while the exception is set, and the last tensor of a graph releases nodes. What
# calls Python there puts the exception aside first: looking a method up, for one, clears it, and the caller would
# return NULL without a reason.
cdef void drop_dead_objects() noexcept:
    """Lets go of the Python objects of dead nodes, one by one: each may release further nodes."""
    global release_depth
    cdef PyObject* error[3]
    PyErr_Fetch(&error[0], &error[1], &error[2])
    release_depth = 1
    while _dead_objects:
        _dead_objects.pop()
    release_depth = 0
    PyErr_Restore(error[0], error[1], error[2])


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
        add_to_grad(<Tensor> t, g)
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
