# What the Python layers call: modes, the backward pass, threads, memory, the instruction set.

def grad_enabled():
    """Whether operations are recorded on this thread."""
    return wg_grad_off() == 0


def is_inference():
    """Whether this thread is in inference mode."""
    return wg_own_inference != 0


# Note [Mode objects]. `with no_grad():` makes and drops an object at each use, so these are compiled classes without
# instance attributes; entering and leaving costs a few nanoseconds. `before` is a stack of bits, one for each entry
# that has not been left: an object may be entered again inside itself (up to 64 times).

cdef object decorate_mode = None


def set_mode_decorator(decorator):
    """Hands the core the function (make, function) -> function that runs every call inside make()."""
    global decorate_mode
    decorate_mode = decorator
    wg_open_modes(decorator, <PyTypeObject*> no_grad, <PyTypeObject*> enable_grad)


@cython.binding(False)
cdef class GradMode:
    """A context and decorator that switches the recording of operations on this thread."""
    cdef int off
    cdef uint64_t before

    def __enter__(self):
        cdef int old = wg_grad_off()
        self.before = self.before << 1 | <uint64_t> old
        if old != self.off:
            wg_set_grad_off(self.off)

    def __exit__(self, kind, value, trace):
        wg_set_grad_off(<int> (self.before & 1))
        self.before >>= 1

    def __call__(self, function):
        return decorate_mode(type(self), function)

    def __reduce__(self):
        return type(self), ()


cdef class no_grad(GradMode):
    """Nothing inside is recorded: results do not require grad. A context manager and a decorator.

    Example:
        >>> import wengert
        >>> x = wengert.tensor(2.0, requires_grad=True)
        >>> with wengert.no_grad():
        ...     y = x * 3
        >>> y.requires_grad
        False
    """

    def __cinit__(self):
        self.off = 1


cdef class enable_grad(GradMode):
    """Operations inside are recorded, also within no_grad(). A context manager and a decorator."""

    def __cinit__(self):
        self.off = 0


@cython.binding(False)
cdef class set_grad_enabled(GradMode):
    """Switches recording on or off at once; as a context manager it is switched back at the end of the block.

    Example:
        >>> import wengert
        >>> x = wengert.tensor(2.0, requires_grad=True)
        >>> with wengert.set_grad_enabled(False):
        ...     y = x * 3
        >>> y.requires_grad
        False
    """
    cdef readonly bint mode

    def __init__(self, bint mode):
        self.mode = mode
        self.before = <uint64_t> wg_grad_off()
        self.off = 0 if mode else 1
        wg_set_grad_off(self.off)

    def __enter__(self):
        wg_set_grad_off(self.off)

    def __exit__(self, kind, value, trace):
        wg_set_grad_off(<int> (self.before & 1))

    def __call__(self, function):
        wg_set_grad_off(<int> (self.before & 1))
        mode = self.mode
        return decorate_mode(lambda: set_grad_enabled(mode), function)

    def __reduce__(self):
        return type(self), (self.mode,)


@cython.binding(False)
cdef class inference_mode:
    """no_grad for code whose results never meet autograd again; is_inference_mode_enabled() is True inside.

    Args:
        mode: False ends the inference mode of a surrounding block.

    Example:
        >>> import wengert
        >>> x = wengert.tensor(2.0, requires_grad=True)
        >>> with wengert.inference_mode():
        ...     y = x * 3
        >>> y.requires_grad
        False
    """
    cdef readonly bint mode
    cdef list before

    def __init__(self, mode=True):
        self.mode = mode
        self.before = []

    def __enter__(self):
        global wg_own_inference
        self.before.append((wg_grad_off(), wg_own_inference))
        wg_own_inference = self.mode
        wg_set_grad_off(1 if self.mode else 0)

    def __exit__(self, kind, value, trace):
        global wg_own_inference
        off, inference = self.before.pop()
        wg_set_grad_off(off)
        wg_own_inference = inference

    def __call__(self, function):
        mode = self.mode
        return decorate_mode(lambda: inference_mode(mode), function)


cdef extern from *:
    """
    // `@no_grad` without parentheses: the class, called with one function, decorates it. Newer Cython gives classes a
    // vectorcall entry, which Python prefers to tp_new.
    static PyObject* wg_mode_decorator;
    static PyObject* wg_mode_decorate(PyObject* type, PyObject* function) {
      return PyObject_CallFunctionObjArgs(wg_mode_decorator, type, function, nullptr);
    }
    template <int K>
    struct wg_mode {
      static newfunc plain;
      static vectorcallfunc direct;
      static PyObject* make(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
        if (PyTuple_GET_SIZE(args) == 1 && PyCallable_Check(PyTuple_GET_ITEM(args, 0)))
          return wg_mode_decorate(reinterpret_cast<PyObject*>(type), PyTuple_GET_ITEM(args, 0));
        return plain(type, args, kwargs);
      }
      static PyObject* call(PyObject* type, PyObject* const* args, size_t nargs, PyObject* names) {
        if (PyVectorcall_NARGS(nargs) == 1 && PyCallable_Check(args[0])) return wg_mode_decorate(type, args[0]);
        return direct(type, args, nargs, names);
      }
      static void open(PyTypeObject* type) {
        plain = type->tp_new;
        type->tp_new = make;
        direct = type->tp_vectorcall;
        if (direct) type->tp_vectorcall = call;
        PyType_Modified(type);
      }
    };
    template <int K>
    newfunc wg_mode<K>::plain;
    template <int K>
    vectorcallfunc wg_mode<K>::direct;
    static void wg_open_modes(PyObject* decorator, PyTypeObject* no_grad, PyTypeObject* enable_grad) {
      if (!wg_mode_decorator) {
        wg_mode<0>::open(no_grad);
        wg_mode<1>::open(enable_grad);
      }
      Py_INCREF(decorator);
      wg_mode_decorator = decorator;
    }
    """
    void wg_open_modes(object, PyTypeObject*, PyTypeObject*)


def backward(list roots, list grads, inputs, keep_graph, create_graph, accumulate=True, allow_unused=False,
             int64_t since=0):
    """Runs a backward pass; see autograd.py for the public functions. A recorded one ends at nodes older than `since`, a
    moment(), and returns what has to be added up for each input as a list."""
    cdef Tensor t
    for r in roots:
        t = <Tensor?> r
        if t.c.flags & T_VIEW:
            refresh_view(t)
        if t.c.flags & T_SLOW and hasattr(payload(t), "backward"):
            return payload(t).backward(roots, grads, inputs, accumulate, allow_unused)
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
    # Inside transforms and recorders gradients are not plain memory: rules are replayed op by op.
    replayed = create_graph or recorder_traces() or any([(<Tensor?> g).c.flags & T_SLOW for g in grads])
    return run_backward(roots, grads, inputs, keep_graph, accumulate, replayed, allow_unused, not create_graph,
                        since)


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


def mark_parameter(Tensor t not None):
    """Gives a tensor the mark by which `isinstance` knows parameters of any class."""
    t.c.flags |= T_PARAMETER
    return t


def is_parameter(t):
    """Whether t is a tensor with the mark of a parameter."""
    return isinstance(t, Tensor) and (<Tensor> t).c.flags & T_PARAMETER != 0


def set_parameter_class(cls):
    """Hands the core the class whose instances compute as those of Tensor do."""
    wg_adopt_parameter_type(cls)


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
    cdef Tensor o
    cdef Array a
    if not isinstance(cls, type) or not issubclass(cls, Tensor):
        raise TypeError(f"as_subclass: expected a subclass of Tensor, got {cls!r}.")
    if t.c.flags & T_VIEW:
        refresh_view(t)
    o = <Tensor> Tensor.__new__(<type> cls)
    if t.c.array.storage == NULL and not array_promote(&t.c.array):
        raise_memory("as_subclass")
    a = t.c.array
    array_ref(a)
    o.c.array = a
    if t.c.node >= 0 and n_flags[t.c.node] & N_LEAF:
        set_requires_grad(o, True)
    elif t.c.node >= 0:
        o.c.node = t.c.node
        n_refs[t.c.node] += 1
    if t.c.flags & T_VIEW:
        mark_view(o, t)
    return o


def mark_slow(Tensor t):
    """Routes every op on t to the function transforms' interpreter."""
    t.c.flags |= T_SLOW


def set_slow_dispatch(handler, inplace_handler, detach_handler):
    """Hands the core the interpreter of the function transforms."""
    global slow_dispatch, slow_inplace_handler, slow_detach
    slow_dispatch = handler
    slow_detach = detach_handler
    slow_inplace_handler = inplace_handler


def set_recorder(recorder):
    """Makes every op go to slow dispatch, so that a recorder sees it; None ends it. Returns the old one.

    A recorder that builds a graph has to see gradient rules and optimizer passes op by op; one whose attribute `traces` is
    False (a profiler) lets them run as they always do."""
    global active_recorder, recorder_only_watches
    old = None if active_recorder == NULL else <object> active_recorder
    if active_recorder != NULL:
        Py_DECREF(<object> active_recorder)
    active_recorder = NULL
    recorder_only_watches = not getattr(recorder, "traces", True)
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
    global wg_op_call, wg_public_call
    wg_op_call = op_vectorcall
    wg_public_call = public_vectorcall
    wg_open_op_type(<PyTypeObject*> Op, WG_OP_CALL_OFFSET)
    wg_open_op_type(<PyTypeObject*> OpMethod, WG_OP_CALL_OFFSET)
    wg_open_op_type(<PyTypeObject*> Public, WG_PUBLIC_CALL_OFFSET)
    wg_open_op_type(<PyTypeObject*> PublicMethod, WG_PUBLIC_CALL_OFFSET)
    return 0


cdef extern from *:
    """
    #define WG_OP_CALL_OFFSET offsetof(struct __pyx_obj_7wengert_5_core_Op, vectorcall)
    #define WG_PUBLIC_CALL_OFFSET offsetof(struct __pyx_obj_7wengert_5_core_Public, vectorcall)
    """
    Py_ssize_t WG_OP_CALL_OFFSET
    Py_ssize_t WG_PUBLIC_CALL_OFFSET


_start()
