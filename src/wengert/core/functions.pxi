# Custom functions: nodes whose gradient is computed by a Python object.

#
# Note [Custom functions]. A call of a custom function is one N_FUNCTION node, which owns the context object, and one
# N_PICK node for each differentiable output. The context keeps arrays and nodes (Saved), never tensors of its own
# graph: node slots are invisible to the collector, so a tensor there would be a cycle that is never freed. What the
# user keeps in the context is seen by the collector through the function's result, where that alone holds the node.

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
            s.array.version = array_version(s.array)
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
    count_pick(function, 1)
    n_nin[pick] = <int16_t> number
    n_layout[pick] = layout
    layout_incref(layout)
    n_dtype[pick] = <uint8_t> dtype
    return pick


@cython.binding(False)
cdef class FunctionContext:
    """What a custom function's node knows; autograd/function.py has the subclass with the public methods."""
    cdef int32_t node    # the node while it lives, else -1
    cdef list saved
    cdef cbool freed
    cdef int32_t picks   # nodes of outputs that live

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
                if s.array.storage != NULL and array_version(s.array) != s.array.version:
                    raise RuntimeError(f"backward: expected the value that {self.name()} saved, got one changed in "
                                       f"place since (version {array_version(s.array)} instead of {s.array.version}, "
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


cdef void count_pick(int32_t function, int change) noexcept:
    """A pick of a function comes or goes. Note [Contexts and the collector]."""
    cdef PyObject* context = <PyObject*> n_owner[function]
    if context == NULL:
        return
    if change > 0 and (<FunctionContext> context).picks > 0:
        Py_INCREF(<object> context)
    (<FunctionContext> context).picks += change
    if change < 0 and (<FunctionContext> context).picks > 0:
        Py_DECREF(<object> context)


# Note [Contexts and the collector]. Programs keep outputs of a custom function in what its context refers to: a cycle through
# nodes, which the collector does not see. So each output's tensor shows it the context, if nothing else refers to the nodes
# between them. The collector takes a reference off for each tensor that shows it one: there are as many as picks.
cdef PyObject* context_held(int32_t pick) noexcept:
    """The context of the function that `pick` is an output of, when only tensors refer to the nodes of both; or NULL."""
    cdef PyObject* context
    if not n_flags[pick] & N_PICK or n_refs[pick] != 1:
        return NULL
    context = <PyObject*> n_owner[n_in0[pick]]
    return context if context != NULL and n_refs[n_in0[pick]] == (<FunctionContext> context).picks else NULL


wg_context_held = context_held


def record_function(FunctionContext context not None, list inputs, list outputs):
    """Records a custom function: `context.run_backward(grads)` will be called with a dict from the number of an output
    to its gradient, and must return one (or None) for each of `inputs`. Outputs that are None or not floating have no
    gradient; the others become results of the function. An output that is one of the inputs was changed in place."""
    cdef int32_t node, pick
    cdef int k
    cdef Tensor t
    cdef NodeMore* more
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
    if wg_watching:
        function_recorded(node, inputs)
    for k in range(len(outputs)):
        if outputs[k] is None:
            continue
        t = <Tensor?> outputs[k]
        if not is_inexact(t.c.array.dtype):
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
        wg_track(t)
        retain_again(t)
        if wg_watching:
            pick_recorded(pick, t)
        if t.c.flags & T_VIEW:
            no_view(t)   # the result has a history of its own
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
