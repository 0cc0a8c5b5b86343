# What tensors are beside their values, compared with what they were, and the arguments that a plan takes. A compiled
# function asks both before each run.
from libcpp.unordered_set cimport unordered_set


cdef cbool same_layout(Layout* a, Layout* b) noexcept:
    """Whether two layouts have the same shape and strides."""
    cdef int d
    if a == b:
        return True
    if not same_shape(a, b):
        return False
    for d in range(a.ndim):
        if a.strides()[d] != b.strides()[d]:
            return False
    return True


@cython.binding(False)
cdef class Form:
    """A tensor with what it was when this was made: shape, strides, dtype, hooks, whether gradients are wanted and there."""
    cdef readonly Tensor tensor
    cdef Layout* layout
    cdef object hooks
    cdef int dtype
    cdef cbool wanted
    cdef cbool bare
    cdef cbool any_gradient   # it does not matter whether there is one

    def __cinit__(self, Tensor t not None):
        self.tensor = t
        self.wanted = t.requires_grad
        self.layout = t.c.array.layout
        layout_incref(self.layout)
        self.dtype = t.c.array.dtype
        self.bare = t.c.grad == NULL
        self.any_gradient = False
        self.hooks = hooks_of(t)

    def __dealloc__(self):
        layout_decref(self.layout)

    @property
    def shape(self):
        """The shape that it had."""
        return shape_tuple(self.layout)

    def forget_gradient(self):
        """From now on it does not matter whether it has a gradient."""
        self.any_gradient = True

    def wants_otherwise(self):
        """Whether requires_grad has changed."""
        return self.tensor.requires_grad != self.wanted

    def changed(self):
        """Whether shape, strides or dtype have changed."""
        return self.tensor.c.array.dtype != self.dtype or not same_layout(self.tensor.c.array.layout, self.layout)

    cdef cbool holds(self) except? False:
        cdef Tensor t = self.tensor
        if t.c.flags & T_VIEW:
            refresh_view(t)
        if (t.c.node >= 0) != self.wanted or t.c.array.dtype != self.dtype:
            return False
        if not same_layout(t.c.array.layout, self.layout):
            return False
        if not self.any_gradient and (t.c.grad == NULL) != self.bare:
            return False
        return self.hooks is None if t.c.hooks == NULL else hooks_of(t) == self.hooks


def forms_hold(list forms):
    """Whether all tensors are as they were."""
    for form in forms:
        if not (<Form?> form).holds():
            return False
    return True


@cython.binding(False)
cdef class Arguments:
    """The arguments that a plan takes, and how they may share memory with what it reads otherwise.

    Args:
        same: place -> tensor: arguments that were this tensor.
        states: tensors that the plan reads or writes, beside arguments.
        reached: tensors that the function reaches. They must outlive this.
    """
    cdef dict same
    cdef list states
    cdef unordered_set[size_t] reached
    cdef list forms           # of the arguments, where `fits` may say yes
    cdef cbool grad_off
    cdef cbool inference
    cdef int default_dtype

    def __init__(self, dict same, list states, reached):
        self.same = same
        self.states = states
        for t in reached:
            self.reached.insert(<size_t> <PyObject*> t)

    def take(self, args):
        """`fits` says yes to arguments by position that are like these, in the modes that are on."""
        self.forms = [Form(t) for t in args]
        self.grad_off = wg_grad_off() != 0
        self.inference = wg_own_inference != 0
        self.default_dtype = default_dtype

    def fits(self, tuple args):
        """Whether these may be handed to the plan as they are: plain tensors of the layouts, dtypes and modes of `take`, with
        memory of their own, and no hooks that keep saved values elsewhere."""
        cdef Form form
        cdef Tensor t
        cdef Py_ssize_t k, j
        if self.forms is None or len(args) != len(self.forms) or (wg_grad_off() != 0) != self.grad_off:
            return False
        if (wg_own_inference != 0) != self.inference or default_dtype != self.default_dtype:
            return False
        for k in range(len(args)):
            if not is_plain(args[k]):
                return False
            form = <Form> self.forms[k]
            t = <Tensor> args[k]
            if t.c.flags & T_VIEW:
                refresh_view(t)
            if t.c.flags & T_SLOW or (t.c.node >= 0) != form.wanted or t.c.array.dtype != form.dtype:
                return False
            if not t.c.array.layout.contiguous or not same_shape(t.c.array.layout, form.layout):
                return False
            for j in range(k):
                if args[j] is t or same_storage(<Tensor> args[j], t):
                    return False
        return self.relates(args) and open_saved_hooks() is None

    def relates(self, args):
        """Whether arguments and what the plan reads otherwise share memory as they did."""
        cdef Py_ssize_t k
        cdef Tensor t
        for k in range(len(args)):
            t = <Tensor?> args[k]
            known = self.same.get(k) if self.same else None
            if known is not None:
                if known is not t:
                    return False
            elif self.reached.count(<size_t> <PyObject*> t):
                return False
            elif shares_memory(t):
                for state in self.states:
                    if same_storage(t, <Tensor> state):
                        return False
        return True


def values_of(inputs, list states):
    """What a plan reads: inputs, without gaps, and states, pairs (tensor, whether its gradient is read)."""
    cdef list out = []
    for t in inputs:
        out.append(t if (<Tensor?> t).c.array.layout.contiguous else t.contiguous())
    for t, of_gradient in states:
        out.append((<Tensor> t).grad if of_gradient else t)
    return out


def set_gradients(list pairs, list results):
    """Gives leaves gradients: pairs (leaf, place among the results; None: it has none)."""
    for leaf, k in pairs:
        set_grad(<Tensor?> leaf, None if k is None else results[k])
