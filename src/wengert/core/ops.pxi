# Op objects: the callables of the op table, and what they make of their arguments.

cdef dict _synonyms = {"axis": "dim", "keepdims": "keepdim", "self": "input", "axes": "dims",
                       "axis0": "dim0", "axis1": "dim1", "x": "input", "x1": "input", "x2": "other"}


@cython.binding(False)
cdef class Op:
    """A callable op: wengert.tanh. Call it with tensors first, then attributes, by position or name."""
    cdef vectorcallfunc vectorcall
    cdef Entry e
    cdef readonly object row
    cdef tuple names          # parameter names: operands, then attributes
    cdef dict positions
    cdef tuple defaults
    cdef int nin, nattr
    cdef cbool checked        # not every operand may be a number
    cdef int64_t numbers      # the places of those that may, as bits
    cdef cbool collects       # trailing positional ints make one list attribute
    cdef cbool is_unary
    cdef cbool random
    cdef public cbool published   # users call it: modes and classes may answer
    cdef cbool all_defaults   # one operand, and every attribute may be left out
    cdef Attr* usual          # the attributes where all are left out, once asked for; Ops live as long as the process

    def __cinit__(self, Entry e):
        row = e.row
        self.vectorcall = wg_op_call
        self.e = e
        self.row = row
        self.nin = len(row.inputs)
        self.random = bool(e.info.flags & kRandom)
        self.published = row.public
        fields = row.fields[:len(row.fields) - 2] if self.random else row.fields
        self.nattr = len(fields)
        self.names = tuple(row.args) + tuple(fields)
        self.positions = {name: k for k, name in enumerate(self.names)}
        self.defaults = tuple([REQUIRED if d is row.required else d for d in row.defaults])
        self.checked = row.numbers is not None and not e.variadic
        self.numbers = sum([1 << k for k in row.numbers or ()])
        self.collects = bool(self.nattr) and e.schema[0] == "I"
        self.all_defaults = self.nin == 1 and not (e.variadic or self.random or REQUIRED in self.defaults)
        self.is_unary = self.nin == 1 and len(row.fields) == 0 and bool(e.info.flags & kElementwise)

    @property
    def __doc__(self):
        return self.row.doc

    @property
    def __name__(self):
        return self.row.name

    @property
    def __module__(self):
        return "wengert"

    def __getattr__(self, name):
        if name == "__qualname__":   # which Cython keeps for the class
            return self.row.name
        raise AttributeError(f"{self.row.name}: has no attribute {name!r}.")

    def __repr__(self):
        return f"<op {self.row.name}>"

    def __reduce__(self):
        return _op_from_name, (self.row.name,)

    @property
    def __signature__(self):
        import inspect
        kinds = inspect.Parameter
        parameters = []
        for k, name in enumerate(self.names):
            default = kinds.empty
            if k >= self.nin and self.defaults[k - self.nin] is not REQUIRED:
                default = self.defaults[k - self.nin]
            parameters.append(kinds(name, kinds.POSITIONAL_OR_KEYWORD, default=default))
        return inspect.Signature(parameters)

    def check(self, operands):
        """Raises TypeError where an operand is a number that has to be a tensor, or none is a tensor."""
        if self.checked:
            check_operands(self, list(operands))

    @property
    def entry(self):
        """The core's record of the row (for the recorder and the transforms)."""
        return self.e


@cython.binding(False)
cdef class OpMethod(Op):
    """An op that binds to instances, as Tensor holds it."""
    @property
    def __doc__(self):
        return self.row.doc

    def __get__(self, instance, owner):
        return self if instance is None else _bound_method(self, instance)

    def __getattr__(self, name):
        if name == "__qualname__":
            return f"Tensor.{self.row.name}"
        raise AttributeError(f"Tensor.{self.row.name}: has no attribute {name!r}.")

    def __reduce__(self):
        return self.__qualname__


class Required:
    """Marks an argument that was not given, and an attribute without a default."""


cdef object REQUIRED = Required   # a C global: looked at for every argument


import types as _types

_bound_method = _types.MethodType


def _op_from_name(name):
    return op_objects[name]


op_objects = {}


def make_op(Entry e):
    """The callable of a row; one for each row."""
    op = Op(e)
    op_objects[e.name] = op
    return op


cdef PyObject* op_vectorcall(PyObject* self, PyObject* const* args, size_t nargsf, PyObject* kwnames) noexcept:
    cdef object result
    try:
        result = op_call(<Op> self, args, <Py_ssize_t> (nargsf & ~(<size_t> 1 << (8 * sizeof(size_t) - 1))), kwnames)
    except BaseException as error:
        _restore(error)
        return NULL
    Py_INCREF(result)
    return <PyObject*> result


cdef extern from *:
    """
    static void wg_restore(PyObject* error) {
      Py_INCREF(Py_TYPE(error));
      Py_INCREF(error);
      PyObject* trace = PyException_GetTraceback(error);
      PyErr_Restore(reinterpret_cast<PyObject*>(Py_TYPE(error)), error, trace);
    }
    """
    void wg_restore(object)


cdef void _restore(object error) noexcept:
    wg_restore(error)


cdef object op_call(Op self, PyObject* const* args, Py_ssize_t n, PyObject* kwnames):
    cdef Entry e = self.e
    cdef Py_ssize_t k, have
    cdef list values
    cdef object out = None, generator = None
    if overriding and self.published:
        answer = ask_call(self, args, n, kwnames)
        if answer is not NOT_ASKED:
            return answer
    if kwnames == NULL:
        if self.is_unary and n == 1:
            return unary(e, <object> args[0])
        if self.nattr == 0 and not self.random and n == self.nin:
            operands = [<object> args[k] for k in range(n)]
            if self.checked:
                check_operands(self, operands)
            return apply_op(e, operands, NULL)
        if n == 1 and self.all_defaults and isinstance(<object> args[0], Tensor):
            if self.usual == NULL:
                self.usual = encode_attrs(e, self.defaults)
            return apply_op(e, [<object> args[0]], attr_incref(self.usual))
    total = self.nin + self.nattr
    values = [REQUIRED] * total
    have = n
    if self.collects and n > self.nin and (n > total or _is_index(<object> args[self.nin])) and n != self.nin + 1:
        # x.permute(0, 2, 1): the rest of the positions is one list.
        if _all_index(args, self.nin, n):
            values[self.nin] = tuple([<object> args[k] for k in range(self.nin, n)])
            have = self.nin
    if have > total:
        raise TypeError(f"{e.name}: expected at most {total} arguments {self.names}, got {n}.")
    for k in range(have):
        values[k] = <object> args[k]
    if kwnames != NULL:
        for k in range(len(<tuple> kwnames)):
            name = (<tuple> kwnames)[k]
            value = <object> args[n + k]
            if name == "out":
                out = value
                continue
            if name == "generator" and self.random:
                generator = value
                continue
            place = self.positions.get(name)
            if place is None:
                place = self.positions.get(_synonyms.get(name))
            if place is None:
                raise TypeError(f"{e.name}: expected arguments named {self.names}, got {name!r}.")
            if values[place] is not REQUIRED:
                raise TypeError(f"{e.name}: expected {name!r} once, got it twice (by position and by name).")
            values[place] = value
    for k in range(total):
        if values[k] is REQUIRED:
            if k >= self.nin:
                values[k] = self.defaults[k - self.nin]
            elif self.row.optional and self.names[k] in self.row.optional:
                values[k] = None
            if values[k] is REQUIRED:
                raise TypeError(f"{e.name}: expected an argument {self.names[k]!r}, got none. It takes {self.names}.")
    if self.random:
        values.extend(reserve_random(e, values, generator))
    if e.variadic:
        operands = list(values[0])
    else:
        operands = values[:self.nin]
        if self.checked:
            check_operands(self, operands)
    result = apply_op(e, operands, encode_attrs(e, values, self.nin))
    if out is not None:
        return write_out(e.name, result, out)
    return result


cdef int check_operands(Op self, list operands) except -1:
    """One operand at least must be a tensor, and all whose place is not of those for numbers; None is looked at later."""
    cdef Py_ssize_t k
    cdef cbool found = False
    for k in range(len(operands)):
        v = operands[k]
        if isinstance(v, Tensor):
            found = True
        elif v is not None and not self.numbers >> k & 1:
            place = f" as {self.names[k]!r}" if self.nin > 1 else ""
            raise TypeError(f"{self.row.shown}: expected a Tensor{place}, got {type(v).__name__}. Use wengert.tensor() "
                            "first.")
    if not found:
        raise TypeError(f"{self.row.shown}: expected a Tensor, got {type(operands[0]).__name__}. Use wengert.tensor() "
                        "first.")
    return 0


cdef cbool _is_index(object v) except? False:
    return PyLong_CheckExact(v) or (not isinstance(v, (bool, float, Tensor)) and hasattr(v, "__index__"))


cdef cbool _all_index(PyObject* const* args, Py_ssize_t begin, Py_ssize_t end) except? False:
    cdef Py_ssize_t k
    for k in range(begin, end):
        if not _is_index(<object> args[k]) and not isinstance(<object> args[k], Tensor):
            return False
    return True


def apply(Entry e, operands, attrs=()):
    """Runs an op by its Entry: operands as a list, attributes as a tuple in schema order."""
    return apply_op(e, list(operands), encode_attrs(e, tuple(attrs)))


def infer(Entry e, operands, attrs=()):
    """Shapes and dtypes of an op's results, without computing them: a list of (shape, dtype)."""
    cdef Array ins[64]
    cdef Array outs[MAX_RESULTS]
    cdef int32_t node
    cdef int n = 0, k
    cdef Attr* attr = encode_attrs(e, tuple(attrs))
    if len(operands) > 64:
        raise ValueError(f"{e.name}: expected at most 64 operands, got {len(operands)}.")
    if len(operands) != (len(operands) if e.variadic else <int> len(e.row.inputs)):
        raise TypeError(f"{e.name}: expected {len(e.row.inputs)} operands, got {len(operands)}.")
    operands = with_complex_numbers(list(operands))
    for v in operands:
        operand(v, &ins[n], &node, e, n)
        if isinstance(v, Tensor) and (<Tensor> v).c.flags & T_SLOW:
            ins[n].storage = NULL   # a wrapper's memory says nothing about its size
            ins[n].flags = kShapeOnly
        n += 1
    if wg_forward_dry(e.info, ins, n, attr, outs, e.info.nout) < 0:
        attr_decref(attr)
        raise_last()
    attr_decref(attr)
    result = []
    for k in range(e.info.nout):
        result.append((shape_tuple(outs[k].layout), dtypes[outs[k].dtype]))
        array_unref(outs[k])
    return result
