# Random numbers: a generator is a seed and a counter; an op reserves its range of counters when it is recorded.

cdef class Generator:
    """A source of random numbers: value = f(seed, counter, element), so nothing depends on threads or recomputation.

    Example:
        >>> import wengert
        >>> g = wengert.Generator().manual_seed(7)
        >>> a = wengert.rand(3, generator=g)
        >>> g.manual_seed(7).get_state().tolist()[0]
        7
    """
    cdef uint64_t seed
    cdef uint64_t offset

    def __init__(self, device="cpu"):
        self.seed = 67280421310721
        self.offset = 0

    @property
    def device(self):
        """Always the CPU."""
        return "cpu"

    def manual_seed(self, seed):
        """Starts the sequence of `seed`; returns the generator."""
        self.seed = <uint64_t> (int(seed) & 0xffffffffffffffff)
        self.offset = 0
        return self

    def initial_seed(self):
        """The seed of the sequence."""
        return self.seed

    def seed_(self):
        """Takes a seed from the system; returns it."""
        import os
        self.manual_seed(int.from_bytes(os.urandom(8), "little"))
        return self.seed

    def get_state(self):
        """Seed and counter as an int64 tensor of two elements."""
        return from_data([_signed(self.seed), _signed(self.offset)], dtypes[kInt64])

    def set_state(self, state):
        """Goes back to a state from get_state(); returns the generator."""
        values = state.tolist()
        if len(values) != 2:
            raise RuntimeError(f"set_state: expected a state of two numbers, got {len(values)}.")
        self.seed = <uint64_t> (values[0] & 0xffffffffffffffff)
        self.offset = <uint64_t> (values[1] & 0xffffffffffffffff)
        return self

    cdef uint64_t reserve(self, uint64_t blocks):
        cdef uint64_t start = self.offset
        self.offset += blocks
        return start


cdef int64_t _signed(uint64_t v) noexcept:
    return <int64_t> v


cdef Generator default_gen = Generator()


def default_generator():
    """The generator that ops use where none is given."""
    return default_gen


cdef list reserve_random(Entry e, list values, object generator):
    """The attributes (seed, offset) of a random op: a range of counters of their own."""
    cdef Generator g = default_gen if generator is None else <Generator?> generator
    cdef int64_t n = 1
    first = values[0]
    if isinstance(first, Tensor):
        n = first.numel()
    return [_signed(g.seed), _signed(g.reserve(<uint64_t> random_blocks(n)))]


cdef int64_t random_blocks(int64_t n) noexcept:
    # A block of the counter gives four words; no element of any distribution uses more than two words.
    return n // 2 + 1
