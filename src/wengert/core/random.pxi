# Random numbers: a generator is a seed and a counter; an op reserves its range of counters when it is recorded.

cdef extern from "wengert/random.h" namespace "wg" nogil:
    enum Draw "wg::Draw":
        kDrawUniform "wg::Draw::kUniform"
        kDrawNormal "wg::Draw::kNormal"
        kDrawExponential "wg::Draw::kExponential"
        kDrawRandint "wg::Draw::kRandint"
        kDrawBernoulli "wg::Draw::kBernoulli"
        kDrawRandperm "wg::Draw::kRandperm"

cdef extern from *:
    """
    static inline uint64_t wg_draw_blocks(int draw, int dtype, int64_t n) {
      return wg::random_blocks(static_cast<wg::Draw>(draw), dtype, n);
    }
    """
    uint64_t draw_blocks "wg_draw_blocks"(int, int, int64_t) nogil


@cython.binding(False)
cdef class Generator:
    """A source of random numbers: value = f(seed, counter, element), so nothing depends on threads or recomputation.

    Example:
        >>> import wengert
        >>> g = wengert.Generator().manual_seed(7)
        >>> a = wengert.rand(3, generator=g)
        >>> g.manual_seed(7).get_state().tolist()[0]
        7
    """
    cdef uint64_t key
    cdef uint64_t offset

    def __init__(self, device=None):
        if device is not None:
            try:
                check_device(device, "Generator")
            except AssertionError as error:
                raise RuntimeError(error) from None   # as PyTorch, which names the generator here
        self.key = 67280421310721
        self.offset = 0

    @property
    def device(self):
        """Always the CPU."""
        return cpu_device

    def manual_seed(self, seed):
        """Starts the sequence of `seed`; returns the generator."""
        if not isinstance(seed, int) and not hasattr(seed, "__int__"):
            raise TypeError(f"manual_seed: expected an int, got {type(seed).__name__}.")
        if recorder_traces():
            (<object> active_recorder).mark_seeded("manual_seed")
        value = int(seed)
        if value < -0x8000000000000000 or value > 0xffffffffffffffff:
            raise RuntimeError(f"manual_seed: expected a seed of 64 bits, got {value}.")
        self.key = <uint64_t> (value & 0xffffffffffffffff)
        self.offset = 0
        return self

    def initial_seed(self):
        """The seed of the sequence."""
        return self.key

    def seed(self):
        """Takes a seed from the system; returns it."""
        import os
        self.manual_seed(int.from_bytes(os.urandom(8), "little"))
        return self.key

    def get_state(self):
        """Seed and counter as a uint8 tensor: the bytes of two 64-bit numbers."""
        words = int(self.key) | int(self.offset) << 64
        return from_data(list(words.to_bytes(16, "little")), dtypes[kUInt8])

    def set_state(self, state):
        """Goes back to a state from get_state(); returns the generator."""
        if not isinstance(state, Tensor):
            raise TypeError(f"set_state: expected a tensor from get_state(), got {type(state).__name__}.")
        if tuple(state.shape) != (16,) or state.dtype is not dtypes[kUInt8]:
            raise RuntimeError(f"set_state: expected a uint8 state of shape (16,), got {state.dtype.name} of shape "
                               f"{tuple(state.shape)}.")
        cdef Tensor given = <Tensor> state
        cdef uint64_t key, offset
        cdef int k
        if given.c.flags & T_SLOW:
            raise_no_value(given, "set_state")
        words = int.from_bytes([item_of(&given.c.array, k * given.c.array.layout.strides()[0]) for k in range(16)], "little")
        key = <uint64_t> (words & 0xffffffffffffffff)
        offset = <uint64_t> (words >> 64)
        if recorder_traces():
            if self is default_gen:
                (<object> active_recorder).mark_rewound(key, offset)
            else:
                (<object> active_recorder).mark_seeded("set_state")
        self.key = key
        self.offset = offset
        return self

    def clone_state(self):
        """A new generator at the same place of the same sequence."""
        return Generator().set_state(self.get_state())

    def __reduce__(self):
        return _generator_from, (self.key, self.offset)

    cdef uint64_t reserve(self, uint64_t blocks) noexcept:
        cdef uint64_t start = self.offset
        self.offset += blocks
        return start


def _generator_from(uint64_t key, uint64_t offset):
    cdef Generator g = Generator()
    g.key = key
    g.offset = offset
    return g


cdef int64_t _signed(uint64_t v) noexcept:
    return <int64_t> v


cdef Generator default_gen = Generator()


def default_generator():
    """The generator that ops use where none is given."""
    return default_gen


def default_place():
    """Seed and counter of the default generator."""
    return default_gen.key, default_gen.offset


def draw_from(uint64_t key, uint64_t offset):
    """Lets the default generator stand where it stood; recorders are not told."""
    default_gen.key, default_gen.offset = key, offset


def place_as_tensor():
    """Where the default generator stands, as an int64 tensor: seed and counter."""
    return from_data([_signed(default_gen.key), _signed(default_gen.offset)], dtypes[kInt64])


def default_seed():
    """The seed of the default generator as ops record it."""
    return _signed(default_gen.key)


cdef dict _draw_kinds = {"uniform": <int> kDrawUniform, "normal": <int> kDrawNormal,
                         "exponential": <int> kDrawExponential, "randint": <int> kDrawRandint,
                         "bernoulli": <int> kDrawBernoulli, "dropout": <int> kDrawBernoulli,
                         "randperm": <int> kDrawRandperm}


cdef list reserve_random(Entry e, list values, object generator):
    """The attributes (seed, offset) of a random op: a range of counters of their own, as long as its draw.

    `values` are the operands and attributes before them: a tensor whose elements are drawn, or a shape and a dtype."""
    cdef vector[int64_t] words
    cdef int64_t n = 1
    cdef int dtype
    first = values[0]
    if e.row.draws is not None:
        n = e.row.draws(*[tuple(v.shape) for v in values[:len(e.row.inputs)] if v is not None])
        dtype = (<Tensor?> first).c.array.dtype
    elif isinstance(first, Tensor):
        n = (<Tensor> first).c.array.layout.numel
        dtype = (<Tensor> first).c.array.dtype
    else:
        for size in first:
            n *= attr_int(size, e.name, "size")
        dtype = (<DTypeObject?> values[1]).code
    push_counter(words, e, dtype, n, generator)
    return [words[0], words[1]]


cdef int push_counter(vector[int64_t]& words, Entry e, int dtype, int64_t n, object generator) except -1:
    """Reserves the counters of a draw of n elements and appends seed and offset."""
    cdef Generator g = default_gen if generator is None else <Generator?> generator
    cdef int kind = _draw_kinds.get(e.row.kernel, <int> kDrawBernoulli)   # rows with `draws` drop as dropout does
    words.push_back(_signed(g.key))
    words.push_back(_signed(g.reserve(draw_blocks(kind, dtype, n if n > 0 else 0))))
    return 0


def draw(Entry e, list values, generator=None):
    """Runs a random op that makes a new tensor: shape, dtype and parameters, without seed and offset."""
    return apply_op(e, [], encode_attrs(e, values + reserve_random(e, values, generator)))


def draw_inplace(Entry e, Tensor x not None, tuple parameters, generator=None):
    """Runs a random op that overwrites x; returns x."""
    cdef vector[int64_t] words
    cdef Py_ssize_t k
    for k in range(len(parameters)):
        push_attr(words, e.schema[k], parameters[k], e.name, e.fields[k])
    push_counter(words, e, x.c.array.dtype, x.c.array.layout.numel, generator)
    return apply_inplace(e, x, [x], attr_new(words.data(), <int> words.size()))
