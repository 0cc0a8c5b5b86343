# Saved values that Python keeps: saved_tensors_hooks.

def push_saved_hooks(pack, unpack):
    """Opens a pair of saved_tensors_hooks on this thread."""
    global wg_own_saved_hooks, wg_saving
    if wg_own_saved_hooks == NULL:
        hooks = []
        Py_INCREF(hooks)
        wg_own_saved_hooks = <PyObject*> hooks
    (<list> <object> wg_own_saved_hooks).append((pack, unpack))
    wg_saving += 1
    update_watching()


def pop_saved_hooks():
    """Closes the innermost pair."""
    global wg_saving
    (<list> <object> wg_own_saved_hooks).pop()
    wg_saving -= 1
    update_watching()


def saved_hooks_open():
    """Whether values that are saved now go to a pair of saved_tensors_hooks."""
    return open_saved_hooks() is not None


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
            a.version = array_version(a[0])
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
