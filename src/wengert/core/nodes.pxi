# Node arrays: the tape, as a structure of arrays. A slot is one recorded operation or one leaf.
#
# Note [Slots]. A slot is owned by the tensors that carry it and by the slots that have it as an input; `n_refs` counts
# both. Releasing is iterative: the work list is threaded through n_pos of dead slots. Free slots are bits of a
# bitmap with summaries, and the lowest free one is taken: slots that are recorded one after the other lie one after
# the other, so the backward pass walks memory in order (recycling at random costs 6 times as much). The key of
# the topological order is n_seq, the moment of recording, never the slot.
#
# Everything here is touched with the interpreter lock only.

cdef enum NodeFlag:
    N_LEAF = 1        # a tensor that the user asked gradients for; n_owner is that tensor, borrowed
    N_FUNCTION = 2    # a custom function; n_owner is its context object, owned
    N_PICK = 4        # one output of a custom function: its gradient goes to n_in0 under number n_pick
    N_HOOKS = 8       # has an entry in the side table of hooks
    N_RETAIN = 16     # its tensor keeps its gradient (retain_grad)
    N_FREED = 32      # saved values were given back by a backward pass
    N_PACKED = 64     # saved values went through saved_tensors_hooks; see the side table of packed values
    N_NOTED = 128     # has an entry in the side table of notes

cdef struct NodeMore:
    # Inputs and saved values beyond the two that the arrays hold.
    int32_t nin
    int32_t nsaved
    int32_t* ins
    Array* saved

cdef int32_t* n_refs = NULL
cdef uint8_t* n_flags = NULL
cdef uint8_t* n_dtype = NULL
cdef int16_t* n_nin = NULL
cdef int64_t* n_seq = NULL
cdef int32_t* n_in0 = NULL
cdef int32_t* n_in1 = NULL
cdef uint32_t* n_mark = NULL
cdef int32_t* n_pos = NULL
cdef Program** n_prog = NULL
cdef void** n_owner = NULL      # leaf: PyObject* of the tensor; function: its context; else Attr*
cdef Layout** n_layout = NULL   # of the result
cdef NodeMore** n_more = NULL
cdef Array* n_save0 = NULL
cdef Array* n_save1 = NULL

cdef int32_t n_capacity = 0
cdef int32_t n_live = 0
cdef int32_t n_peak_slot = 0
cdef int64_t next_seq = 0

# The bitmap: level 0 has a bit for each slot (1 = free), level k+1 a bit for each word of level k that is not 0.
cdef enum:
    LEVELS = 6
    SLOTS_AT_FIRST = 4096
    SHRINK_AFTER = 1 << 20   # slots freed at once, after which memory is given back
cdef uint64_t* free_bits[LEVELS]

cdef extern from *:
    """
    static inline int wg_ctz(uint64_t x) { return __builtin_ctzll(x); }
    template <class T> static int wg_grow(T** p, size_t n) {
      T* q = static_cast<T*>(std::realloc(static_cast<void*>(*p), n * sizeof(T)));
      if (!q) return -1;
      *p = q;
      return 0;
    }
    """
    int wg_ctz(uint64_t) nogil
    int wg_grow[T](T**, size_t) nogil


cdef int nodes_resize(size_t n) except -1:
    """Gives every array n slots; contents up to the smaller size stay."""
    cdef size_t words = n
    cdef int level
    if (wg_grow(&n_refs, n) or wg_grow(&n_flags, n) or wg_grow(&n_dtype, n) or wg_grow(&n_nin, n)
            or wg_grow(&n_seq, n) or wg_grow(&n_in0, n) or wg_grow(&n_in1, n) or wg_grow(&n_mark, n)
            or wg_grow(&n_pos, n) or wg_grow(&n_prog, n) or wg_grow(&n_owner, n) or wg_grow(&n_layout, n)
            or wg_grow(&n_more, n) or wg_grow(&n_save0, n) or wg_grow(&n_save1, n)):
        raise MemoryError("graph: expected memory for more nodes, got none. Free a graph or use no_grad().")
    for level in range(LEVELS):
        words = (words + 63) // 64
        if wg_grow(&free_bits[level], words):
            raise MemoryError("graph: expected memory for more nodes, got none. Free a graph or use no_grad().")
    return 0


cdef void summaries_rebuild(size_t n) noexcept:
    """Makes the levels above the bitmap agree with it."""
    cdef size_t words = (n + 63) // 64, i
    cdef int level
    for level in range(1, LEVELS):
        memset(free_bits[level], 0, (words + 63) // 64 * 8)
        for i in range(words):
            if free_bits[level - 1][i] != 0:
                free_bits[level][i >> 6] |= <uint64_t> 1 << (i & 63)
        words = (words + 63) // 64


cdef int nodes_grow() except -1:
    """Doubles the arrays. New slots are free."""
    global n_capacity
    cdef int64_t wanted = 2 * <int64_t> n_capacity if n_capacity else SLOTS_AT_FIRST
    if wanted > 0x7fffffff:
        raise MemoryError("graph: expected at most 2**31 live nodes, got more. Free a graph or use no_grad().")
    cdef size_t n = <size_t> wanted, old = n_capacity
    nodes_resize(n)
    memset(n_mark + old, 0, (n - old) * sizeof(uint32_t))
    memset(free_bits[0] + old // 64, 0xff, (n - old) // 8)
    summaries_rebuild(n)
    n_capacity = <int32_t> wanted
    return 0


cdef void nodes_shrink() noexcept:
    """Gives memory back after a large graph: halves the arrays as often as their upper part is free."""
    global n_capacity, current_word
    cdef int32_t word = n_capacity // 64 - 1
    cdef size_t n = n_capacity
    while word >= 0 and free_bits[0][word] == <uint64_t> -1:
        word -= 1
    while n > SLOTS_AT_FIRST and n // 2 >= <size_t> (word + 1) * 64:
        n //= 2
    if n == <size_t> n_capacity:
        return
    try:
        nodes_resize(n)
    except MemoryError:
        return   # the arrays stay as they are
    n_capacity = <int32_t> n
    current_word = 0
    summaries_rebuild(n)


cdef int32_t slot_find() except -1:
    """The lowest free slot, through the summaries."""
    cdef int level
    cdef int64_t i = 0
    if n_capacity == 0 or free_bits[LEVELS - 1][0] == 0:
        nodes_grow()
    for level in range(LEVELS - 1, -1, -1):
        i = (i << 6) + wg_ctz(free_bits[level][i])
    return <int32_t> i


# The word of the bitmap that slots are being taken from; most often the next slot is its lowest bit.
cdef int32_t current_word = 0


cdef inline int32_t slot_take() except -1:
    global current_word
    cdef int32_t i
    cdef int level
    cdef uint64_t word
    if n_capacity and free_bits[0][current_word] != 0:
        i = (current_word << 6) + wg_ctz(free_bits[0][current_word])
    else:
        i = slot_find()
        current_word = i >> 6
    word = free_bits[0][current_word] & (free_bits[0][current_word] - 1)
    free_bits[0][current_word] = word
    if word == 0:
        slot_summary(i >> 6)
    return i


cdef void slot_summary(int32_t word) noexcept:
    """Word `word` of level 0 has become 0: clear its bits above."""
    cdef int level
    cdef int64_t w = word
    for level in range(1, LEVELS):
        free_bits[level][w >> 6] &= ~(<uint64_t> 1 << (w & 63))
        w >>= 6
        if free_bits[level][w] != 0:
            return


cdef inline void slot_give(int32_t i) noexcept:
    global current_word
    cdef int level
    cdef int64_t w = i
    cdef int32_t word = i >> 6
    cdef cbool was_empty = free_bits[0][word] == 0
    free_bits[0][word] |= <uint64_t> 1 << (i & 63)
    if was_empty:
        for level in range(1, LEVELS):
            w >>= 6
            was_empty = free_bits[level][w >> 6] == 0
            free_bits[level][w >> 6] |= <uint64_t> 1 << (w & 63)
            if not was_empty:
                break
    if word < current_word:
        current_word = word


cdef inline int32_t node_new() except -1:
    """A slot with one owner and nothing else; the caller fills the arrays."""
    global n_live, next_seq, n_peak_slot
    cdef int32_t i = slot_take()
    n_live += 1
    if i > n_peak_slot:
        n_peak_slot = i
    n_refs[i] = 1
    n_flags[i] = 0
    n_seq[i] = next_seq
    next_seq += 1
    n_in0[i] = -1
    n_in1[i] = -1
    n_nin[i] = 0
    n_prog[i] = NULL
    n_owner[i] = NULL
    n_layout[i] = NULL
    n_more[i] = NULL
    n_save0[i].layout = NULL
    n_save0[i].storage = NULL
    n_save1[i].layout = NULL
    n_save1[i].storage = NULL
    return i


cdef void node_drop_saved(int32_t i) noexcept:
    """Gives back the saved values of a slot."""
    cdef int32_t k
    array_unref(n_save0[i])
    array_unref(n_save1[i])
    if n_more[i] != NULL:
        for k in range(n_more[i].nsaved):
            array_unref(n_more[i].saved[k])


# Python objects of dead slots are released after the walk, so that chains of custom functions do not recurse.
cdef list _dead_objects = []
cdef int release_depth = 0


cdef void node_release(int32_t i) noexcept:
    """One owner less; frees the slot, and what only it kept alive, in constant stack."""
    global n_live
    n_refs[i] -= 1
    if n_refs[i] > 0:
        return
    cdef int32_t todo = i, j, k, freed = 0
    cdef NodeMore* more
    n_pos[i] = -1
    while todo >= 0:
        i = todo
        todo = n_pos[i]
        node_drop_saved(i)
        if n_flags[i] & (N_FUNCTION | N_HOOKS | N_RETAIN | N_PACKED | N_NOTED):
            node_release_objects(i)
        if not n_flags[i] & (N_LEAF | N_PICK | N_FUNCTION) and n_owner[i] != NULL:
            attr_decref(<Attr*> n_owner[i])
        if n_layout[i] != NULL:
            layout_decref(n_layout[i])
        if n_prog[i] != NULL:
            program_decref(n_prog[i])
        j = n_in0[i]
        if j >= 0:
            if n_flags[i] & N_PICK:
                count_pick(j, -1)
            n_refs[j] -= 1
            if n_refs[j] == 0:
                n_pos[j] = todo
                todo = j
        j = n_in1[i]
        if j >= 0:
            n_refs[j] -= 1
            if n_refs[j] == 0:
                n_pos[j] = todo
                todo = j
        more = n_more[i]
        if more != NULL:
            for k in range(more.nin):
                j = more.ins[k]
                if j >= 0:
                    n_refs[j] -= 1
                    if n_refs[j] == 0:
                        n_pos[j] = todo
                        todo = j
            free(more.ins)
            free(more.saved)
            free(more)
        slot_give(i)
        n_live -= 1
        freed += 1
    if freed > SHRINK_AFTER:
        nodes_shrink()
    if _dead_objects and release_depth == 0:
        drop_dead_objects()


cdef inline int32_t node_input(int32_t i, int k) noexcept:
    if n_more[i] != NULL:
        return n_more[i].ins[k]
    return n_in0[i] if k == 0 else n_in1[i]


cdef Array* node_saved(int32_t i, int k) noexcept:
    if n_more[i] != NULL and n_more[i].saved != NULL:
        return &n_more[i].saved[k]
    return &n_save0[i] if k == 0 else &n_save1[i]


cdef NodeMore* node_more_new(int32_t nin, int32_t nsaved) except NULL:
    cdef NodeMore* more = <NodeMore*> calloc(1, sizeof(NodeMore))
    if more != NULL:
        more.nin = nin
        more.nsaved = nsaved
        more.ins = <int32_t*> malloc(sizeof(int32_t) * (nin + 1))
        if nsaved > 0:
            more.saved = <Array*> calloc(nsaved, sizeof(Array))
    if more == NULL or more.ins == NULL or (nsaved > 0 and more.saved == NULL):
        raise MemoryError("graph: expected memory for a node, got none.")
    return more


wg_node_release = node_release


def node_stats():
    """Live nodes, the highest slot ever used, slots allocated and bytes of bookkeeping for each slot."""
    cdef size_t per = (sizeof(int32_t) + 2 * sizeof(uint8_t) + sizeof(int16_t) + sizeof(int64_t) + 2 * sizeof(int32_t)
                       + sizeof(uint32_t) + sizeof(int32_t) + 4 * sizeof(void*) + 2 * sizeof(Array))
    return {"live": n_live, "peak_slot": n_peak_slot, "slots": n_capacity, "bytes_per_slot": per}
