# What the Python layers call: modes, the backward pass, threads, memory, the instruction set.

def grad_enabled():
    """Whether operations are recorded on this thread."""
    return wg_grad_off() == 0


def set_grad_enabled(on):
    """Switches recording on this thread; returns the old state."""
    old = wg_grad_off() == 0
    set_grad_off(0 if on else 1)
    return old


def set_inference(on):
    """Switches inference mode on this thread; returns the old state."""
    global wg_own_inference
    old = wg_own_inference != 0
    wg_own_inference = 1 if on else 0
    return old


def is_inference():
    """Whether this thread is in inference mode."""
    return wg_own_inference != 0


cdef class no_grad_base:
    """The fast part of no_grad and enable_grad: a context that switches recording."""
    cdef int want, old
    cdef list stack

    def __cinit__(self):
        self.stack = []

    def __enter__(self):
        self.stack.append(wg_grad_off())
        set_grad_off(self.want)

    def __exit__(self, *exception):
        set_grad_off(<int> self.stack.pop())

    def _set(self, off):
        self.want = off


def backward(list roots, list grads, inputs, keep_graph, create_graph, accumulate=True, allow_unused=False):
    """Runs a backward pass; see autograd.py for the public functions."""
    cdef Tensor t
    for r in roots:
        t = <Tensor?> r
        if t.c.flags & T_VIEW:
            refresh_view(t)
        if t.c.node < 0:
            raise RuntimeError("backward: expected a tensor that requires grad, got one without history. Set "
                               "requires_grad=True on the leaves that need gradients.")
    if inputs is not None:
        for r in inputs:
            t = <Tensor?> r
            if t.c.flags & T_VIEW:
                refresh_view(t)
            if t.c.node < 0:
                raise RuntimeError("grad: expected inputs that require grad, got one that does not.")
    return run_backward(roots, grads, inputs, keep_graph, accumulate, create_graph, allow_unused)


def threads():
    """The number of threads that large kernels use."""
    return num_threads()


def set_threads(int n):
    """Sets the number of threads that large kernels use."""
    if n < 1:
        raise RuntimeError(f"set_num_threads: expected at least 1, got {n}.")
    set_num_threads(n)


def memory():
    """Bytes in use by tensors, their peak, and bytes kept for reuse."""
    return {"current": memory_current(), "peak": memory_peak(), "cached": memory_cached()}


def reset_peak_memory():
    """Starts the peak count anew."""
    memory_reset_peak()


def trim_memory():
    """Gives cached memory back to the system; returns the bytes released."""
    return memory_trim()


def isa():
    """The instruction set in use: "base", "v3" or "v4"."""
    return (<bytes> isa_name()).decode()


def isas():
    """The instruction sets that this machine can run, lowest first."""
    cdef int k = 0
    names = []
    while wg_isa(k) != NULL:
        names.append((<bytes> wg_isa(k)).decode())
        k += 1
    return names


cdef extern from *:
    """
    #if defined(__clang__)
    #define WG_COMPILER "Clang " __clang_version__
    #elif defined(__GNUC__)
    #define WG_COMPILER "GCC " __VERSION__
    #else
    #define WG_COMPILER "unknown"
    #endif
    #ifdef NDEBUG
    #define WG_ASSERTS 0
    #else
    #define WG_ASSERTS 1
    #endif
    #if defined(__SANITIZE_ADDRESS__)
    #define WG_SANITIZERS "address"
    #elif defined(__SANITIZE_THREAD__)
    #define WG_SANITIZERS "thread"
    #else
    #define WG_SANITIZERS "none"
    #endif
    """
    const char* WG_COMPILER
    const char* WG_SANITIZERS
    int WG_ASSERTS


def build_flags():
    """How this module was compiled: the compiler, whether assertions are on, and the sanitizers."""
    return {"compiler": (<bytes> WG_COMPILER).decode(), "debug": WG_ASSERTS != 0,
            "sanitize": (<bytes> WG_SANITIZERS).decode()}


cdef cbool _set_parameter(Tensor t, cbool on) except -1:
    if on:
        t.c.flags |= T_PARAMETER
    else:
        t.c.flags &= ~<uint32_t> T_PARAMETER
    return True


def mark_parameter(Tensor t, on=True):
    """Makes a tensor a Parameter (a flag, not a class)."""
    _set_parameter(t, on)
    return t


def is_parameter(t):
    """Whether t is a tensor with the Parameter flag."""
    return isinstance(t, Tensor) and (<Tensor> t).c.flags & T_PARAMETER != 0


def same_storage(Tensor a, Tensor b):
    """Whether two tensors look at the same memory."""
    return a.c.array.storage != NULL and a.c.array.storage == b.c.array.storage


def storage_address(Tensor t):
    """The address of the storage's first byte and its size."""
    if t.c.array.storage == NULL and not array_promote(&t.c.array):
        raise_memory("storage")
    return <size_t> t.c.array.storage.data, t.c.array.storage.bytes


def shell(cls, Tensor t):
    """A tensor of the Python subclass `cls` over t's memory and history."""
    cdef Tensor o = <Tensor> cls.__new__(cls)
    cdef Array a
    if t.c.array.storage == NULL and not array_promote(&t.c.array):
        raise_memory("as_subclass")
    a = t.c.array
    array_ref(a)
    o.c.array = a
    o.c.node = t.c.node
    if t.c.node >= 0:
        if n_flags[t.c.node] & N_LEAF:
            o.c.node = -1
        else:
            n_refs[t.c.node] += 1
    return o


def mark_slow(Tensor t):
    """Routes every op on t to the function transforms' interpreter."""
    t.c.flags |= T_SLOW


def set_slow_dispatch(handler, inplace_handler):
    """Hands the core the interpreter of the function transforms."""
    global slow_dispatch, slow_inplace_handler
    slow_dispatch = handler
    slow_inplace_handler = inplace_handler


def set_recorder(recorder):
    """Makes every op go to slow dispatch, so that a recorder sees it; None ends it. Returns the old one."""
    global active_recorder
    old = None if active_recorder == NULL else <object> active_recorder
    if active_recorder != NULL:
        Py_DECREF(<object> active_recorder)
    active_recorder = NULL
    if recorder is not None:
        Py_INCREF(recorder)
        active_recorder = <PyObject*> recorder
    return old


cdef int _start() except -1:
    """Chooses the instruction set and opens the types; runs once, at import."""
    import os
    forced = os.environ.get("WENGERT_ISA", "")
    if not isa_select(forced.encode()):
        raise ImportError(f"WENGERT_ISA: expected one of {isas()}, got {forced!r}. Unset it to use the best.")
    wg_unlocking()
    global wg_op_call
    wg_op_call = op_vectorcall
    wg_open_op_type(<PyTypeObject*> Op, op_call_offset())
    return 0


cdef extern from *:
    """
    #define WG_OP_CALL_OFFSET offsetof(struct __pyx_obj_7wengert_5_core_Op, vectorcall)
    """
    Py_ssize_t WG_OP_CALL_OFFSET


cdef Py_ssize_t op_call_offset() noexcept:
    return WG_OP_CALL_OFFSET


_start()
