# Calls that the user's modes and classes answer: their __torch_function__ is given the public function.
#
# Note [Overriding]. `overriding` counts the modes that are entered, in all threads, and one more from the first class that
# overrides. While it is 0, a call of the core costs one comparison for it, and functions in Python nothing: their code is
# exchanged when the count leaves 0 (`_overriding.py`). What answers is asked once, at the outermost public call.

cdef int overriding = 0
cdef int modes_entered = 0
cdef object override_call = None   # (function, args, kwargs) -> the answer or NOT_ASKED
cdef object NOT_ASKED = object()

# The methods of Tensor that Python's operators stand for, in the order of the slots; "" where there is none.
_operator_methods = [
    "add", "sub", "mul", "div", "__floordiv__", "remainder", "__pow__", "neg", "abs", "__invert__", "__and__", "__or__",
    "__xor__", "__lshift__", "__rshift__", "lt", "le", "__eq__", "ne", "gt", "ge", "matmul"]
_reflected_methods = [
    "add", "__rsub__", "mul", "__rtruediv__", "__rfloordiv__", "__rmod__", "__rpow__", "", "", "", "bitwise_and",
    "bitwise_or", "bitwise_xor", "__rlshift__", "__rrshift__", "gt", "ge", "__eq__", "ne", "lt", "le", "__rmatmul__"]
_inplace_methods = [
    "add_", "sub_", "mul_", "div_", "floor_divide_", "remainder_", "__ipow__", "", "", "", "__iand__", "__ior__",
    "__ixor__", "__ilshift__", "__irshift__"]


def set_override_call(function):
    """Hands the core what asks modes and classes; returns the mark of a call that nothing overrides."""
    global override_call
    override_call = function
    return NOT_ASKED


def count_overriding(int change, int modes):
    """Adds to the number of what overrides calls, and of modes among it; returns the new number."""
    global overriding, modes_entered
    overriding += change
    modes_entered += modes
    return overriding


cdef object ask_method(str name, tuple args):
    """What overrides a method of Tensor makes of a call; NOT_ASKED where nothing does."""
    if not modes_entered:
        for v in args:
            if not is_plain(v) and not isinstance(v, (int, float)):
                break
        else:
            return NOT_ASKED
    return override_call(getattr(Tensor, name), args, {})


cdef object ask_binary(int slot, object left, object right):
    """ask_method for an operator; a number on the left makes it the reflected one."""
    if isinstance(left, Tensor) or not isinstance(right, Tensor):
        return ask_method(_operator_methods[slot], (left, right))
    return ask_method(_reflected_methods[slot], (right, left))


cdef object inplace_binary(int slot, object left, object right):
    """left <op>= right for operator slots."""
    if overriding:
        answer = ask_method(_inplace_methods[slot], (left, right))
        if answer is not NOT_ASKED:
            return answer
    return apply_inplace(<Entry> slot_entry[slot], left, [left, right], NULL)


cdef object unary_operator(int slot, object x):
    """<op> x for operator slots."""
    if overriding:
        answer = ask_method(_operator_methods[slot], (x,))
        if answer is not NOT_ASKED:
            return answer
    return unary(<Entry> slot_entry[slot], x)


cdef object matmul_operator(object left, object right):
    """left @ right."""
    if overriding:
        answer = ask_binary(S_MATMUL, left, right)
        if answer is not NOT_ASKED:
            return answer
    return matmul(left, right)


cdef object ask_call(object function, PyObject* const* args, Py_ssize_t n, PyObject* kwnames):
    """ask_method for a function and the arguments of a vectorcall."""
    given, named = call_arguments(args, n, kwnames)
    return override_call(function, given, named)


cdef tuple call_arguments(PyObject* const* args, Py_ssize_t n, PyObject* kwnames):
    """The arguments of a vectorcall as a tuple and a dict."""
    cdef Py_ssize_t k
    cdef tuple given = tuple([<object> args[k] for k in range(n)])
    cdef dict named = {}
    if kwnames != NULL:
        for k in range(len(<tuple> kwnames)):
            named[(<tuple> kwnames)[k]] = <object> args[n + k]
    return given, named


@cython.binding(False)
cdef class Public:
    """A public function, as PyTorch's built-in ones: it does not bind to instances; modes and classes may answer it."""
    cdef vectorcallfunc vectorcall
    cdef readonly object __wrapped__
    cdef object __weakref__
    cdef str place   # where it is published: "zeros", "linalg.inv", "Tensor.clone"
    cdef cbool seen  # modes and classes are asked

    def __cinit__(self, function, str place, cbool seen):
        self.vectorcall = wg_public_call
        self.__wrapped__ = function
        self.place = place
        self.seen = seen

    @property
    def __doc__(self):
        return self.__wrapped__.__doc__

    @property
    def __name__(self):
        return self.place.rpartition(".")[2]

    @property
    def __module__(self):
        return "wengert" + "".join(["." + part for part in self.place.split(".")[:-1]])

    @property
    def __signature__(self):
        import inspect
        return inspect.signature(self.__wrapped__)

    def __getattr__(self, name):
        if name == "__qualname__":   # which Cython keeps for the class
            return self.__reduce__()
        raise AttributeError(f"{self.place}: has no attribute {name!r}.")

    def __repr__(self):
        return f"<function {self.place}>"

    def __reduce__(self):
        return self.__name__


@cython.binding(False)
cdef class PublicMethod(Public):
    """A function of the core that binds to instances, as Tensor holds it."""
    @property
    def __doc__(self):
        return self.__wrapped__.__doc__

    def __get__(self, instance, owner):
        return self if instance is None else _bound_method(self, instance)

    @property
    def __module__(self):
        return "wengert"

    def __reduce__(self):
        return self.place


cdef PyObject* public_vectorcall(PyObject* self, PyObject* const* args, size_t nargsf, PyObject* kwnames) noexcept:
    cdef object answer
    if overriding and (<Public> self).seen:
        try:
            answer = ask_call(<object> self, args, <Py_ssize_t> (nargsf & ~(<size_t> 1 << (8 * sizeof(size_t) - 1))),
                              kwnames)
        except BaseException as error:
            _restore(error)
            return NULL
        if answer is not NOT_ASKED:
            Py_INCREF(answer)
            return <PyObject*> answer
    cdef PyObject* result = wg_vectorcall(<PyObject*> (<Public> self).__wrapped__, args, nargsf, kwnames)
    if result == NULL and PyErr_ExceptionMatches(OnMeta):
        PyErr_Clear()
        return answer_on_meta(self, args, <Py_ssize_t> (nargsf & ~(<size_t> 1 << (8 * sizeof(size_t) - 1))), kwnames)
    return result


cdef PyObject* answer_on_meta(PyObject* self, PyObject* const* args, Py_ssize_t n, PyObject* kwnames) noexcept:
    """What the package makes of a call whose result has no values."""
    cdef object answer
    try:
        given, named = call_arguments(args, n, kwnames)
        answer = meta_part().answer(<object> self, given, named)
    except BaseException as error:
        _restore(error)
        return NULL
    Py_INCREF(answer)
    return <PyObject*> answer


def raw(function):
    """A function of the core behind its public name; any other function as it is."""
    return (<Public> function).__wrapped__ if isinstance(function, Public) else function
