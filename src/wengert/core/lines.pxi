# The user's source lines, and the search for NaN in a backward pass.

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
