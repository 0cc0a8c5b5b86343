# Gradient slots: where the contributions to each node's gradient meet during a pass.
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
