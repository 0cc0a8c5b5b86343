# The order of a backward pass: what the roots reach, latest recorded first.
#
# Creation order is a topological order, so no edges have to be counted: the nodes that the roots reach are marked, and
# then put in order by n_seq. Most often slots ascend with it, and one scan over the marked slots gives the order.

cdef uint32_t last_mark = 0

cdef struct Order:
    int32_t count
    int32_t* nodes     # by descending n_seq
    uint32_t mark      # n_mark of the members; n_pos is their place in `nodes`


cdef int order_stamp(Order* o) noexcept:
    """Writes mark and place to the members again (another pass may have written over them)."""
    cdef int32_t k
    for k in range(o.count):
        n_mark[o.nodes[k]] = o.mark
        n_pos[o.nodes[k]] = k
    return 0


cdef void order_free(Order* o) noexcept:
    free(o.nodes)
    o.nodes = NULL


cdef inline int push_node(Order* o, int64_t* room, int32_t i) except -1:
    """Appends a node that is not marked yet. The list grows in place: it becomes the order of most graphs."""
    if i >= 0 and n_mark[i] != o.mark:
        if o.count == room[0]:
            if wg_grow(&o.nodes, <size_t> (2 * room[0] + 32)):
                order_free(o)
                raise MemoryError("backward: expected memory for the order of the graph, got none.")
            room[0] = 2 * room[0] + 32
        n_mark[i] = o.mark
        o.nodes[o.count] = i
        o.count += 1
    return 0


cdef int order_make(Order* o, int32_t* roots, int nroots) except -1:
    """Finds and orders everything that the roots reach; the caller frees it, unless this raises."""
    global last_mark
    cdef int32_t i, low, high, k, at = 0
    cdef int64_t room = 0
    cdef NodeMore* more
    cdef cbool descending = True
    last_mark += 1
    if last_mark == 0:
        memset(n_mark, 0, n_capacity * sizeof(uint32_t))
        last_mark = 1
    o.mark = last_mark
    o.nodes = NULL
    o.count = 0
    for k in range(nroots):
        push_node(o, &room, roots[k])
    low = high = o.nodes[0] if o.count else 0
    while at < o.count:
        i = o.nodes[at]
        at += 1
        if i < low:
            low = i
        elif i > high:
            high = i
        if n_more[i] == NULL:
            push_node(o, &room, n_in0[i])
            push_node(o, &room, n_in1[i])
        else:
            more = n_more[i]
            for k in range(more.nin):
                push_node(o, &room, more.ins[k])
    # Breadth-first order is already descending for chains.
    for k in range(1, o.count):
        if n_seq[o.nodes[k]] > n_seq[o.nodes[k - 1]]:
            descending = False
            break
    if not descending and not (<int64_t> high - low <= 8 * <int64_t> o.count + 64 and scan_order(o, low, high)):
        radix_order(o)
    for k in range(o.count):
        n_pos[o.nodes[k]] = k
    return 0


cdef cbool scan_order(Order* o, int32_t low, int32_t high) noexcept:
    """Fills the order by one scan over the slots; False, with nothing changed, where they do not ascend with n_seq."""
    cdef int32_t i, at = o.count
    cdef int64_t last = -1
    for i in range(low, high + 1):
        if n_mark[i] == o.mark:
            if n_seq[i] < last:
                return False
            last = n_seq[i]
    for i in range(low, high + 1):
        if n_mark[i] == o.mark:
            at -= 1
            o.nodes[at] = i
    return True


cdef int radix_order(Order* o) except -1:
    """Sorts the nodes by descending n_seq: least significant digit first, 16 bits a pass."""
    cdef int64_t low = n_seq[o.nodes[0]], high = low, span
    cdef int32_t k
    cdef int shift = 0
    cdef int32_t* other = <int32_t*> malloc((o.count + 1) * sizeof(int32_t))
    cdef int64_t* counts = <int64_t*> malloc(65537 * sizeof(int64_t))
    cdef int32_t* swap
    cdef int64_t digit
    if other == NULL or counts == NULL:
        free(other)
        free(counts)
        order_free(o)
        raise MemoryError("backward: expected memory for the order of the graph, got none.")
    for k in range(o.count):
        low = min(low, n_seq[o.nodes[k]])
        high = max(high, n_seq[o.nodes[k]])
    span = high - low
    while shift == 0 or span >> shift:
        memset(counts, 0, 65537 * sizeof(int64_t))
        for k in range(o.count):
            counts[(((high - n_seq[o.nodes[k]]) >> shift) & 0xffff) + 1] += 1
        for k in range(65536):
            counts[k + 1] += counts[k]
        for k in range(o.count):
            digit = ((high - n_seq[o.nodes[k]]) >> shift) & 0xffff
            other[counts[digit]] = o.nodes[k]
            counts[digit] += 1
        swap = o.nodes
        o.nodes = other
        other = swap
        shift += 16
        if shift >= 64:
            break
    free(other)
    free(counts)
    return 0
