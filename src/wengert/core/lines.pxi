# The user's source lines, and the search for NaN in a backward pass.

def set_anomaly_mode(int on):
    """Switches anomaly mode: 0 off, 1 remember lines, 2 look for NaN too; returns the old state."""
    global anomaly_mode
    old = anomaly_mode
    anomaly_mode = on
    update_watching()
    return old


def anomaly_level():
    """0: off, 1: lines are remembered, 2: NaN is looked for."""
    return anomaly_mode


cdef class NodeNotes:
    """What was noted of a node beyond the structure of the graph; each is None where it was not asked for.

    line: (file, line, function) of the user's code; scope: the names of modules, functions and `wengert.scope` blocks around
    it, outermost first; name: of the parameter or variable that a leaf is; value, gradient: a Summary or a tensor;
    operands: a dict from the place of an operand without a node to what it was; seconds, backward_seconds; bytes: of the
    result; recording: the object that is told the gradient of the node; version: that of a leaf's memory when its value
    was noted; sequence: the node's.
    """
    cdef public object line, scope, name, value, gradient, operands, seconds, backward_seconds, bytes, recording, version
    cdef readonly int64_t sequence
    cdef object __weakref__


cdef object node_watcher = None    # called with (notes, node, operands, value) for each node that is recorded
cdef object backward_timer = None  # called with (name, notes, begin, end) for each node of a backward pass


def set_node_watcher(watcher):
    """Makes `watcher(notes, node, operands, value)` see every node that is recorded; None ends it. Returns the old one.
    operands: tensors for what has no node, numbers, None for what has one."""
    global node_watcher
    old = node_watcher
    node_watcher = watcher
    update_watching()
    return old


def set_backward_timer(timer):
    """Makes `timer(name, notes, begin, end)` see every node of a backward pass, in nanoseconds; None ends it. Returns the
    old one."""
    global backward_timer
    old = backward_timer
    backward_timer = timer
    return old


cdef int noting = 0


cdef int update_watching() except -1:
    global noting, wg_watching
    noting = 1 if anomaly_mode or node_watcher is not None else 0
    wg_watching = wg_saving + noting
    return 0


cdef NodeNotes notes_of(int32_t i):
    """The notes of node i, made where there are none."""
    notes = node_notes.get(n_seq[i])
    if notes is None:
        notes = node_notes[n_seq[i]] = NodeNotes.__new__(NodeNotes)
        (<NodeNotes> notes).sequence = n_seq[i]
        n_flags[i] |= N_NOTED
    return <NodeNotes> notes


cdef int node_recorded(int32_t i, Array* ins, int32_t* nodes, int nin, Array* out) except -1:
    """Node i has just been recorded while notes are taken or saved values have hooks. Where that fails, i is given back."""
    cdef int k
    try:
        if anomaly_mode:
            note_line(i)
        if node_watcher is not None:
            # What only gives its shape has no value that could be noted.
            operands = [borrowed_tensor(&ins[k])
                        if nodes[k] < 0 and ins[k].layout != NULL and not ins[k].flags & kShapeOnly else None
                        for k in range(nin)]
            node_watcher(notes_of(i), make_node(i), operands, borrowed_tensor(out))
        if wg_saving:
            pack_saved(i)
    except BaseException:
        node_release(i)
        raise
    return 0


cdef int function_recorded(int32_t i, list inputs) except -1:
    """node_recorded for a custom function, whose context keeps what it saved; its values are those of its picks."""
    try:
        if anomaly_mode:
            note_line(i)
        if node_watcher is not None:
            operands = [None if (<Tensor> t).c.node >= 0 else borrowed_tensor(&(<Tensor> t).c.array) for t in inputs]
            node_watcher(notes_of(i), make_node(i), operands, None)
    except BaseException:
        node_release(i)
        raise
    return 0


cdef object borrowed_tensor(Array* a):
    """An array as a tensor without history; a Python number as itself."""
    cdef Array copy = a[0]
    if a.flags & kWeak:
        return item_of(a, 0)
    array_ref(copy)
    return tensor_from(&copy)


cdef int note_line(int32_t i) except -1:
    """Remembers the user's line that recorded node i: the innermost frame outside this package."""
    import sys
    frame = sys._getframe(0)
    while frame is not None and frame.f_globals.get("__name__", "").partition(".")[0] == "wengert":
        frame = frame.f_back
    if frame is not None:
        notes_of(i).line = (frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name)
    return 0


cdef str line_text(int32_t i):
    notes = node_notes.get(n_seq[i])
    found = None if notes is None else (<NodeNotes> notes).line
    if found is None:
        return "a line that was not recorded; run the forward pass inside the anomaly mode as well"
    return f"{found[0]}:{found[1]}, in {found[2]}"


def noted():
    """How many nodes have notes."""
    return len(node_notes)


cdef int note_gradient(int32_t i, object gradient) except -1:
    """Tells the recording that noted node i the gradient of its result."""
    notes = node_notes.get(n_seq[i])
    if notes is not None and (<NodeNotes> notes).recording is not None:
        (<NodeNotes> notes).recording.note_gradient(notes, gradient)
    return 0


cdef int pick_recorded(int32_t pick, Tensor t) except -1:
    """Pick is the node of a result of a custom function."""
    if node_watcher is not None:
        node_watcher(notes_of(pick), make_node(pick), [None], borrowed_tensor(&t.c.array))
    return 0


cdef int observe_backward(Slots* s, dict tensors, int32_t k, int32_t i, cbool recorded) except -1:
    """Node i, at place k of a pass, is about to run: notes its gradient and starts its time."""
    cdef object gradient
    if backward_timer is not None:
        time_backward(-1)
    if recorded and n_flags[i] & N_NOTED:
        if tensors is not None:
            gradient = tensors.get(k)
        else:
            gradient = borrowed_tensor(&s.pool[s.slot[k]]) if s.slot[k] >= 0 else None
        if gradient is not None:
            note_gradient(i, gradient)
    if backward_timer is not None:
        time_backward(i)
    return 0


# The node of a backward pass whose time runs, and since when; -1 where none does.
cdef int32_t timed_node = -1
cdef object timed_since = 0


cdef int time_backward(int32_t i) except -1:
    """Ends the time of the node before and starts that of node i (-1: none)."""
    global timed_node, timed_since
    from time import perf_counter_ns
    cdef int32_t before = timed_node
    now = perf_counter_ns()
    timed_node = -1
    if before >= 0 and backward_timer is not None:
        backward_timer(node_name(before), node_notes.get(n_seq[before]), timed_since, now)
    timed_node = i
    timed_since = perf_counter_ns()
    return 0


cdef cbool has_nan(Array* a) except? False:
    cdef Array copy = a[0]
    if not is_inexact(a.dtype):
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
