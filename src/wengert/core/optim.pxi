# The update passes of the optimizers, and what else walks over all parameters: one call for a group of parameters.
#
# A pass takes an optimizer's group (a dict of options and "params") and its state (a dict from parameter to a dict). It
# updates every parameter that has a gradient, and returns True; or it returns False, having written nothing, when
# something is not as the kernels want it: state that is missing, options that are tensors, memory with gaps, dtypes
# other than one of float32 and float64. The caller then updates by tensor operations. A pass records nothing and raises
# the versions of what it writes.
from cpython.dict cimport PyDict_Check, PyDict_GetItem

cdef extern from "wengert/optim.h" namespace "wg" nogil:
    cppclass ParamList:
        int64_t tensors
        void** param
        const void** grad
        void** state1
        void** state2
        void** state3
        const int64_t* count
        const int64_t* step
    cppclass Sgd:
        double lr, momentum, dampening, weight_decay
        cbool nesterov, maximize
    cppclass Adam:
        double lr, beta1, beta2, eps, weight_decay
        cbool amsgrad, maximize, decoupled
    cppclass RmsProp:
        double lr, alpha, eps, weight_decay, momentum
        cbool centered, maximize
    cppclass Adagrad:
        double lr, lr_decay, weight_decay, eps
        cbool maximize

cdef extern from *:
    """
    #include "wengert/optim.h"
    #include "wengert/interrupt.h"
    #include "wengert/parallel.h"
    // Kernels of the update passes, found once: [pass][float64].
    enum { WG_SGD, WG_ADAM, WG_RMSPROP, WG_ADAGRAD, WG_SCALE, WG_PASSES };
    static void* wg_pass_kernel(int pass, int dtype) {
      static const char* const names[WG_PASSES] = {"sgd", "adam", "rmsprop", "adagrad", "scale_many"};
      static void* found[WG_PASSES][2];
      void*& fn = found[pass][dtype == wg::kFloat64];
      if (!fn) fn = wg::find_kernel(names[pass], dtype)->fn;
      return fn;
    }
    template <class Options>
    static inline void wg_update(void* fn, const wg::ParamList& list, const Options& options, bool large) {
      wg::Unlocked unlocked(large);
      wg::RunsWhole whole;  // half a step would be no state of the optimizer
      reinterpret_cast<void (*)(const wg::ParamList&, const Options&)>(fn)(list, options);
    }
    static inline void wg_scale(void* fn, void* const* data, const int64_t* count, int64_t n, double f, bool large) {
      wg::Unlocked unlocked(large);
      wg::RunsWhole whole;
      reinterpret_cast<wg::ScaleManyFn>(fn)(data, count, n, f);
    }
    """
    enum: WG_SGD
    enum: WG_ADAM
    enum: WG_RMSPROP
    enum: WG_ADAGRAD
    enum: WG_SCALE
    void* wg_pass_kernel(int, int)
    void wg_update[T](void*, const ParamList&, const T&, cbool)
    void wg_scale(void*, void**, const int64_t*, int64_t, double, cbool)
    enum: kUnlockBytes "wg::kUnlockBytes"

cdef enum:
    # Columns of a pass. The kernels use the first five; the step counts are read and raised here.
    PARAM = 0
    GRAD = 1
    STATE = 2
    STEP = 5
    COLUMNS = 6

cdef struct Pass:
    int n                  # tensors
    int dtype
    int64_t bytes          # of one column
    PyObject** tensor[COLUMNS]   # borrowed, in the order of the group; NULL: the pass has no such state
    void** data[5]
    int64_t* count
    int64_t* step
    void* block            # the memory of all arrays above


cdef int pass_alloc(Pass* s, Py_ssize_t n) except -1:
    """Room for n tensors, with all columns empty."""
    cdef int c
    memset(s, 0, sizeof(Pass))
    s.block = malloc((n + 1) * (COLUMNS + 5 + 2) * sizeof(void*))
    if s.block == NULL:
        raise_memory("optimizer")
    for c in range(COLUMNS):
        s.tensor[c] = <PyObject**> s.block + c * n
    for c in range(5):
        s.data[c] = <void**> s.block + (COLUMNS + c) * n
    s.count = <int64_t*> s.block + (COLUMNS + 5) * n
    s.step = <int64_t*> s.block + (COLUMNS + 6) * n
    return 0


cdef inline cbool fits(object value, Layout* like, int dtype, cbool written) except? False:
    """Whether the value is a tensor of that shape and dtype, over memory that a kernel may walk through."""
    cdef Tensor t
    if not isinstance(value, Tensor):
        return False
    t = <Tensor> value
    if t.c.array.dtype != dtype or not t.c.array.layout.contiguous or t.c.flags & T_SLOW:
        return False
    if written and t.c.array.storage != NULL and t.c.array.storage.readonly:
        return False
    return t.c.array.layout == like or same_shape(t.c.array.layout, like)


cdef cbool pass_fill(Pass* s, object group, object state, tuple keys, cbool counts) except? False:
    """Collects parameters, gradients and the state under `keys` (None: not used) and "step". False: not possible."""
    cdef Tensor p
    cdef PyObject* own
    cdef PyObject* item
    cdef object params
    cdef int i = 0, c
    if not PyDict_Check(group) or not PyDict_Check(state):
        return False
    item = PyDict_GetItem(group, "params")
    if item == NULL or not isinstance(<object> item, list) or option_flag(group, "differentiable"):
        return False
    params = <object> item
    pass_alloc(s, len(<list> params))
    for value in <list> params:
        if not isinstance(value, Tensor):
            return False
        p = <Tensor> value
        if p.c.grad == NULL:
            continue
        if i == 0:
            s.dtype = p.c.array.dtype
            if s.dtype != kFloat32 and s.dtype != kFloat64:
                return False
        if not fits(p, p.c.array.layout, s.dtype, True):
            return False
        if not fits(<object> p.c.grad, p.c.array.layout, s.dtype, False):
            return False
        s.tensor[PARAM][i] = <PyObject*> p
        s.tensor[GRAD][i] = p.c.grad
        if keys is not None:
            own = PyDict_GetItem(state, p)
            if own == NULL or not PyDict_Check(<object> own):
                return False
            for c in range(3):
                s.tensor[STATE + c][i] = NULL
                if keys[c] is None:
                    continue
                item = PyDict_GetItem(<object> own, keys[c])
                if item == NULL or not fits(<object> item, p.c.array.layout, s.dtype, True):
                    return False
                s.tensor[STATE + c][i] = item
            if counts:
                item = PyDict_GetItem(<object> own, "step")
                if item == NULL or not isinstance(<object> item, Tensor) or not is_count(<Tensor> item):
                    return False
                s.tensor[STEP][i] = item
        s.count[i] = p.c.array.layout.numel
        s.bytes += p.c.array.nbytes()
        i += 1
    s.n = i
    return True


cdef inline cbool is_count(Tensor t) noexcept:
    return ((t.c.array.dtype == kFloat32 or t.c.array.dtype == kFloat64) and t.c.array.layout.numel == 1
            and not t.c.flags & T_SLOW and (t.c.array.storage == NULL or not t.c.array.storage.readonly))


cdef inline int64_t advance(Tensor t) noexcept:
    """Counts one step in a step tensor and returns the count."""
    cdef double n
    if t.c.array.dtype == kFloat32:
        (<float*> t.c.array.data())[0] += 1
        n = (<float*> t.c.array.data())[0]
    else:
        (<double*> t.c.array.data())[0] += 1
        n = (<double*> t.c.array.data())[0]
    array_wrote(t.c.array)
    return <int64_t> n


cdef ParamList pass_begin(Pass* s, tuple keys, cbool counts) noexcept:
    """Raises step counts and versions and lays out the addresses. What is held here, pass_end lets go."""
    cdef ParamList work
    cdef Tensor t
    cdef int i, c
    for c in range(5):
        if c >= STATE and (keys is None or keys[c - STATE] is None):
            s.data[c] = NULL
            continue
        for i in range(s.n):
            t = <Tensor> s.tensor[c][i]
            Py_INCREF(t)  # large kernels run without the lock
            s.data[c][i] = t.c.array.data()
            if c != GRAD:
                array_wrote(t.c.array)
    for i in range(s.n):
        s.step[i] = advance(<Tensor> s.tensor[STEP][i]) if counts else 2
    work.tensors = s.n
    work.param = s.data[PARAM]
    work.grad = <const void**> s.data[GRAD]
    work.state1 = s.data[STATE]
    work.state2 = s.data[STATE + 1]
    work.state3 = s.data[STATE + 2]
    work.count = s.count
    work.step = s.step
    return work


cdef void pass_end(Pass* s) noexcept:
    cdef int i, c
    for c in range(5):
        if s.data[c] != NULL:
            for i in range(s.n):
                Py_DECREF(<object> s.tensor[c][i])


cdef cbool option(object group, object name, double* out) except? False:
    """Reads an option that is a plain number."""
    cdef PyObject* item = PyDict_GetItem(group, name)
    if item == NULL:
        return False
    if PyFloat_Check(<object> item):
        out[0] = PyFloat_AS_DOUBLE(<object> item)
        return True
    if PyLong_CheckExact(<object> item):
        out[0] = <double> PyLong_AsDouble(<object> item)
        return True
    return False


cdef cbool option_flag(object group, object name) except? True:
    cdef PyObject* item = PyDict_GetItem(group, name)
    return item != NULL and <object> item


cdef tuple SGD_MOMENTUM_KEYS = ("momentum_buffer", None, None)
cdef tuple ADAM_KEYS = ("exp_avg", "exp_avg_sq", None)
cdef tuple AMSGRAD_KEYS = ("exp_avg", "exp_avg_sq", "max_exp_avg_sq")
cdef tuple RMSPROP_KEYS = ("square_avg", None, None)
cdef tuple RMSPROP_CENTERED_KEYS = ("square_avg", "grad_avg", None)
cdef tuple RMSPROP_MOMENTUM_KEYS = ("square_avg", None, "momentum_buffer")
cdef tuple RMSPROP_ALL_KEYS = ("square_avg", "grad_avg", "momentum_buffer")
cdef tuple ADAGRAD_KEYS = ("sum", None, None)


def sgd_step(group, state):
    """One step of SGD for a group; see the head of this file."""
    cdef Pass s
    cdef Sgd o
    cdef ParamList work
    cdef tuple keys = None
    if recorder_traces():
        return (<object> active_recorder).run_update(sgd_step, group, state)
    if not (option(group, "lr", &o.lr) and option(group, "momentum", &o.momentum)
            and option(group, "dampening", &o.dampening) and option(group, "weight_decay", &o.weight_decay)):
        return False
    o.nesterov = option_flag(group, "nesterov")
    o.maximize = option_flag(group, "maximize")
    if o.momentum != 0:
        keys = SGD_MOMENTUM_KEYS
    s.block = NULL
    try:
        if not pass_fill(&s, group, state, keys, False):
            return False
        if s.n:
            work = pass_begin(&s, keys, False)
            wg_update(wg_pass_kernel(WG_SGD, s.dtype), work, o, s.bytes >= kUnlockBytes)
            pass_end(&s)
        return True
    finally:
        free(s.block)


def adam_step(group, state):
    """One step of Adam or AdamW for a group; see the head of this file."""
    cdef Pass s
    cdef Adam o
    cdef ParamList work
    cdef tuple keys = ADAM_KEYS
    cdef PyObject* betas
    if recorder_traces():
        return (<object> active_recorder).run_update(adam_step, group, state)
    if not (option(group, "lr", &o.lr) and option(group, "eps", &o.eps)
            and option(group, "weight_decay", &o.weight_decay)):
        return False
    betas = PyDict_GetItem(group, "betas")
    if betas == NULL or not isinstance(<object> betas, (tuple, list)):
        return False
    beta1, beta2 = <object> betas
    if not (PyFloat_Check(beta1) and PyFloat_Check(beta2)):
        return False
    o.beta1 = PyFloat_AS_DOUBLE(beta1)
    o.beta2 = PyFloat_AS_DOUBLE(beta2)
    o.amsgrad = option_flag(group, "amsgrad")
    o.maximize = option_flag(group, "maximize")
    o.decoupled = option_flag(group, "decoupled_weight_decay")
    if o.amsgrad:
        keys = AMSGRAD_KEYS
    s.block = NULL
    try:
        if not pass_fill(&s, group, state, keys, True):
            return False
        if s.n:
            work = pass_begin(&s, keys, True)
            wg_update(wg_pass_kernel(WG_ADAM, s.dtype), work, o, s.bytes >= kUnlockBytes)
            pass_end(&s)
        return True
    finally:
        free(s.block)


def rmsprop_step(group, state):
    """One step of RMSprop for a group; see the head of this file."""
    cdef Pass s
    cdef RmsProp o
    cdef ParamList work
    cdef tuple keys
    if recorder_traces():
        return (<object> active_recorder).run_update(rmsprop_step, group, state)
    if not (option(group, "lr", &o.lr) and option(group, "alpha", &o.alpha) and option(group, "eps", &o.eps)
            and option(group, "weight_decay", &o.weight_decay) and option(group, "momentum", &o.momentum)):
        return False
    o.centered = option_flag(group, "centered")
    o.maximize = option_flag(group, "maximize")
    if o.momentum > 0:
        keys = RMSPROP_ALL_KEYS if o.centered else RMSPROP_MOMENTUM_KEYS
    else:
        keys = RMSPROP_CENTERED_KEYS if o.centered else RMSPROP_KEYS
    s.block = NULL
    try:
        if not pass_fill(&s, group, state, keys, True):
            return False
        if s.n:
            work = pass_begin(&s, keys, True)
            wg_update(wg_pass_kernel(WG_RMSPROP, s.dtype), work, o, s.bytes >= kUnlockBytes)
            pass_end(&s)
        return True
    finally:
        free(s.block)


def adagrad_step(group, state):
    """One step of Adagrad for a group; see the head of this file."""
    cdef Pass s
    cdef Adagrad o
    cdef ParamList work
    if recorder_traces():
        return (<object> active_recorder).run_update(adagrad_step, group, state)
    if not (option(group, "lr", &o.lr) and option(group, "lr_decay", &o.lr_decay) and option(group, "eps", &o.eps)
            and option(group, "weight_decay", &o.weight_decay)):
        return False
    o.maximize = option_flag(group, "maximize")
    s.block = NULL
    try:
        if not pass_fill(&s, group, state, ADAGRAD_KEYS, True):
            return False
        if s.n:
            work = pass_begin(&s, ADAGRAD_KEYS, True)
            wg_update(wg_pass_kernel(WG_ADAGRAD, s.dtype), work, o, s.bytes >= kUnlockBytes)
            pass_end(&s)
        return True
    finally:
        free(s.block)


def clear_grads(list params):
    """Sets the gradients of all tensors in the list to None."""
    cdef PyObject* old
    for p in params:
        old = (<Tensor?> p).c.grad
        if old != NULL:
            (<Tensor> p).c.grad = NULL
            Py_DECREF(<object> old)


cdef cbool many_fill(Pass* s, list tensors, cbool written) except? False:
    """Collects the tensors of a list in the first column. False: not possible."""
    cdef Tensor t
    cdef int i = 0
    if recorder_traces():
        return False
    pass_alloc(s, len(tensors))
    for value in tensors:
        if not isinstance(value, Tensor):
            return False
        t = <Tensor> value
        if i == 0:
            s.dtype = t.c.array.dtype
            if s.dtype != kFloat32 and s.dtype != kFloat64:
                return False
        if not fits(t, t.c.array.layout, s.dtype, written) or t.c.node >= 0 and not wg_grad_off():
            return False
        s.tensor[PARAM][i] = <PyObject*> t
        s.data[PARAM][i] = t.c.array.data()
        s.count[i] = t.c.array.layout.numel
        s.bytes += t.c.array.nbytes()
        i += 1
    s.n = i
    return i > 0


cdef void many_hold(Pass* s, cbool on) noexcept:
    """Holds the tensors while a kernel runs without the lock, or lets them go."""
    cdef int i
    for i in range(s.n):
        if on:
            Py_INCREF(<object> s.tensor[PARAM][i])
        else:
            Py_DECREF(<object> s.tensor[PARAM][i])


def grad_norm(list tensors):
    """The 2-norm of all tensors, taken as one vector: a 0-d tensor; None where gradients must flow through it, or for
    dtypes other than one of float32 and float64."""
    cdef Tensor t
    cdef int dtype = -1
    for value in tensors:
        t = <Tensor?> value
        if dtype < 0:
            dtype = t.c.array.dtype
        if (t.c.array.dtype != dtype or dtype != kFloat32 and dtype != kFloat64
                or t.c.node >= 0 and not wg_grad_off()):
            return None
    if dtype < 0:
        return None
    return apply_op(<Entry> entry_by_name["total_norm"], tensors, NULL)


def scale_many(list tensors, factor):
    """Multiplies all tensors by a number, in place; False, having done nothing, where the kernel cannot take them."""
    cdef Pass s
    cdef double f
    cdef int i
    cdef Tensor t
    s.block = NULL
    try:
        if not many_fill(&s, tensors, True):
            return False
        f = float(factor)
        many_hold(&s, True)
        wg_scale(wg_pass_kernel(WG_SCALE, s.dtype), s.data[PARAM], s.count, s.n, f, s.bytes >= kUnlockBytes)
        for i in range(s.n):
            t = <Tensor> s.tensor[PARAM][i]
            array_wrote(t.c.array)
        many_hold(&s, False)
        return True
    finally:
        free(s.block)
