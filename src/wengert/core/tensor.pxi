# The Tensor type: storage, slots and hot properties. Everything rarer is attached from Python (tensor.py); the
# class is open, so attached functions and users' patches cost nothing to the slots here.

@cython.freelist(512)
@cython.no_gc
@cython.binding(False)
cdef class Tensor:
    """An n-dimensional array that can record what happens to it.

    Make tensors with `wengert.tensor`, `wengert.zeros` and their like; the class has PyTorch's `torch.Tensor`
    interface.

    Example:
        >>> import wengert
        >>> x = wengert.tensor([1.0, 2.0], requires_grad=True)
        >>> (x * x).sum().backward()
        >>> x.grad
        tensor([2., 4.])
    """
    cdef TensorBody c
    cdef object __weakref__

    def __add__(self, other):
        return binary(S_ADD, self, other)

    def __radd__(self, other):
        return binary(S_ADD, other, self)

    def __sub__(self, other):
        return binary(S_SUB, self, other)

    def __rsub__(self, other):
        return binary(S_SUB, other, self)

    def __mul__(self, other):
        return binary(S_MUL, self, other)

    def __rmul__(self, other):
        return binary(S_MUL, other, self)

    def __truediv__(self, other):
        return binary(S_TRUEDIV, self, other)

    def __rtruediv__(self, other):
        return binary(S_TRUEDIV, other, self)

    def __floordiv__(self, other):
        return binary(S_FLOORDIV, self, other)

    def __rfloordiv__(self, other):
        return binary(S_FLOORDIV, other, self)

    def __mod__(self, other):
        return binary(S_MOD, self, other)

    def __rmod__(self, other):
        return binary(S_MOD, other, self)

    def __pow__(self, other, modulo):
        return power(self, other)

    def __rpow__(self, other, modulo):
        return binary(S_POW, other, self)

    def __matmul__(self, other):
        return matmul_operator(self, other)

    def __rmatmul__(self, other):
        return matmul_operator(other, self)

    def __and__(self, other):
        return binary(S_AND, self, other)

    def __rand__(self, other):
        return binary(S_AND, other, self)

    def __or__(self, other):
        return binary(S_OR, self, other)

    def __ror__(self, other):
        return binary(S_OR, other, self)

    def __xor__(self, other):
        return binary(S_XOR, self, other)

    def __rxor__(self, other):
        return binary(S_XOR, other, self)

    def __lshift__(self, other):
        return binary(S_LSHIFT, self, other)

    def __rshift__(self, other):
        return binary(S_RSHIFT, self, other)

    def __rlshift__(self, other):
        return binary(S_LSHIFT, other, self)

    def __rrshift__(self, other):
        return binary(S_RSHIFT, other, self)

    def __neg__(self):
        return unary_operator(S_NEG, self)

    def __pos__(self):
        if self.c.array.dtype == kBool:
            raise RuntimeError("positive: expected numbers, got a bool tensor. Use .int() first.")
        return self

    def __abs__(self):
        return unary_operator(S_ABS, self)

    def __invert__(self):
        return unary_operator(S_INVERT, self)

    def __richcmp__(self, other, int how):
        cdef int slot = (S_LT, S_LE, S_EQ, S_NE, S_GT, S_GE)[how]
        return binary(slot, self, other)

    def __hash__(self):
        return <Py_hash_t> (<size_t> <PyObject*> self >> 4)

    def __iadd__(self, other):
        return inplace_binary(S_ADD, self, other)

    def __isub__(self, other):
        return inplace_binary(S_SUB, self, other)

    def __imul__(self, other):
        return inplace_binary(S_MUL, self, other)

    def __itruediv__(self, other):
        return inplace_binary(S_TRUEDIV, self, other)

    def __ifloordiv__(self, other):
        return inplace_binary(S_FLOORDIV, self, other)

    def __imod__(self, other):
        return inplace_binary(S_MOD, self, other)

    def __ipow__(self, other, modulo):
        return inplace_binary(S_POW, self, other)

    def __iand__(self, other):
        return inplace_binary(S_AND, self, other)

    def __ior__(self, other):
        return inplace_binary(S_OR, self, other)

    def __ixor__(self, other):
        return inplace_binary(S_XOR, self, other)

    def __ilshift__(self, other):
        return inplace_binary(S_LSHIFT, self, other)

    def __irshift__(self, other):
        return inplace_binary(S_RSHIFT, self, other)

    def __getitem__(self, key):
        if overriding:
            answer = ask_method("__getitem__", (self, key))
            if answer is not NOT_ASKED:
                return answer
        return get_item(self, key)

    def __setitem__(self, key, value):
        if overriding and ask_method("__setitem__", (self, key, value)) is not NOT_ASKED:
            return
        set_item(self, key, value)

    def __delitem__(self, key):
        raise TypeError("Tensor: expected indexing or assignment, got `del`. Tensors have a fixed size.")

    def __len__(self):
        if overriding:
            answer = ask_method("__len__", (self,))
            if answer is not NOT_ASKED:
                return answer
        if self.c.array.layout.ndim == 0:
            raise TypeError("len: expected a tensor with dimensions, got shape (). A 0-d tensor has no length.")
        if self.c.flags & T_SLOW:
            known_length(self, "len")
        return self.c.array.layout.shape()[0]

    def __bool__(self):
        if overriding:
            answer = ask_method("__bool__", (self,))
            if answer is not NOT_ASKED:
                return answer
        if self.c.flags & T_SLOW:
            raise_no_value(self, "bool")
        if self.c.array.layout.numel != 1:
            raise RuntimeError(f"bool: expected a tensor of one element, got shape {shape_tuple(self.c.array.layout)}. "
                               "Use .any() or .all().")
        return bool(single(self, "bool"))

    def __float__(self):
        if overriding:
            answer = ask_method("__float__", (self,))
            if answer is not NOT_ASKED:
                return answer
        return float(real_number(single(self, "float"), "float"))

    def __int__(self):
        if overriding:
            answer = ask_method("__int__", (self,))
            if answer is not NOT_ASKED:
                return answer
        return int(real_number(single(self, "int"), "int"))

    def __index__(self):
        if not is_int(self.c.array.dtype) and self.c.array.dtype != kBool:
            raise TypeError(f"index: expected an integer tensor of one element, got dtype "
                            f"{(<bytes> kDTypeName[self.c.array.dtype]).decode()}.")
        return int(single(self, "index"))

    def __iter__(self):
        if self.c.array.layout.ndim == 0:
            raise TypeError("iter: expected a tensor with dimensions, got shape (). Use .item() for its value.")
        if self.c.flags & T_SLOW:
            known_length(self, "iter")
        return iter(unbind_all(self))

    def __contains__(self, value):
        if not isinstance(value, (Tensor, int, float, complex)):
            raise RuntimeError(f"in: expected a Tensor or a number, got {type(value).__name__}.")
        return bool((self == value).any())

    def item(self):
        """The value of a tensor of one element, as a Python number."""
        if overriding:
            answer = ask_method("item", (self,))
            if answer is not NOT_ASKED:
                return answer
        return single(self, "item")

    def tolist(self):
        """The values as nested lists of Python numbers."""
        if overriding:
            answer = ask_method("tolist", (self,))
            if answer is not NOT_ASKED:
                return answer
        return to_list(self)

    @property
    def __dict__(self):
        if self.c.dict == NULL:
            attributes = {}
            Py_INCREF(attributes)
            self.c.dict = <PyObject*> attributes
            wg_track(self)
        return <object> self.c.dict

    @__dict__.setter
    def __dict__(self, attributes):
        cdef PyObject* before = self.c.dict
        if not isinstance(attributes, dict):
            raise TypeError(f"__dict__: expected a dict, got {type(attributes).__name__}.")
        Py_INCREF(attributes)
        self.c.dict = <PyObject*> attributes
        if before == NULL:
            wg_track(self)
        else:
            Py_DECREF(<object> before)

    @property
    def shape(self):
        """The sizes of the dimensions, as a `Size` (a tuple)."""
        if self.c.flags & T_SLOW:
            return slow_size(self)
        return size_of(self.c.array.layout)

    @property
    def dtype(self):
        """The element type."""
        return <object> dtypes[self.c.array.dtype]

    @property
    def ndim(self):
        """The number of dimensions."""
        return self.c.array.layout.ndim

    @property
    def itemsize(self):
        """Bytes of one element."""
        return itemsize(self.c.array.dtype)

    @property
    def nbytes(self):
        """Bytes of all elements."""
        return self.c.array.nbytes()

    def numel(self):
        """The number of elements."""
        if overriding:
            answer = ask_method("numel", (self,))
            if answer is not NOT_ASKED:
                return answer
        if self.c.flags & T_SLOW:
            return slow_numel(self)
        return self.c.array.layout.numel

    def dim(self):
        """The number of dimensions."""
        if overriding:
            answer = ask_method("dim", (self,))
            if answer is not NOT_ASKED:
                return answer
        return self.c.array.layout.ndim

    ndimension = dim
    nelement = numel

    def element_size(self):
        """Bytes of one element."""
        return itemsize(self.c.array.dtype)

    def stride(self, dim=None):
        """The strides in elements, or that of one dimension."""
        cdef Layout* l = self.c.array.layout
        if self.c.flags & T_SLOW:
            strides = slow_layout(self)[0]
        else:
            strides = tuple([l.strides()[d] for d in range(l.ndim)])
        if dim is None:
            return strides
        k = attr_int(dim, "stride", "dim")
        if k < -l.ndim or k >= l.ndim:
            raise IndexError(f"stride: expected a dimension in [{-l.ndim}, {l.ndim - 1}], got {k}.")
        return strides[k]

    def storage_offset(self):
        """Elements between the start of the storage and the first element."""
        if self.c.flags & T_SLOW:
            return slow_layout(self)[1]
        return self.c.array.u.offset // itemsize(self.c.array.dtype) if self.c.array.storage != NULL else 0

    def data_ptr(self):
        """The address of the first element; it pins the value of a 0-d tensor in memory."""
        if self.c.array.storage == NULL and not array_promote(&self.c.array):
            raise_memory("data_ptr")
        return <size_t> self.c.array.data()

    def is_contiguous(self, memory_format=None):
        """Whether the elements lie in row-major order without gaps."""
        if self.c.flags & T_SLOW:
            return str(slow_layout(self)[0]) == str(rows_of(slow_size(self)))
        return self.c.array.layout.contiguous

    @property
    def _version(self):
        return array_version(self.c.array) if self.c.array.storage != NULL else 0

    @property
    def requires_grad(self):
        """Whether gradients flow to or through this tensor."""
        if self.c.flags & T_VIEW:
            refresh_view(self)
        return self.c.node >= 0

    @requires_grad.setter
    def requires_grad(self, value):
        set_requires_grad(self, bool(value))

    def requires_grad_(self, requires_grad=True):
        """Asks for gradients of this leaf (or, with False, no longer); returns the tensor."""
        if overriding:
            answer = ask_method("requires_grad_", (self, requires_grad))
            if answer is not NOT_ASKED:
                return answer
        set_requires_grad(self, bool(requires_grad))
        return self

    @property
    def is_leaf(self):
        """Whether the user made this tensor, rather than a recorded operation."""
        if self.c.flags & T_VIEW:
            refresh_view(self)
        return self.c.node < 0 or n_flags[self.c.node] & N_LEAF != 0

    @property
    def grad(self):
        """The gradient that backward() left here, or None."""
        return None if self.c.grad == NULL else <object> self.c.grad

    @grad.setter
    def grad(self, value):
        set_grad(self, value)

    @grad.deleter
    def grad(self):
        set_grad(self, None)

    @property
    def grad_fn(self):
        """The node that made this tensor, or None for leaves."""
        if self.c.flags & T_VIEW:
            refresh_view(self)
        if self.c.node < 0 or n_flags[self.c.node] & N_LEAF:
            return None
        return make_node(self.c.node)

    @property
    def _base(self):
        return None if self.c.base == NULL else <object> self.c.base

    def _is_view(self):
        return self.c.base != NULL

    def detach(self):
        """The same values without history; shares memory."""
        if overriding:
            answer = ask_method("detach", (self,))
            if answer is not NOT_ASKED:
                return answer
        return detached(self)

    @property
    def data(self):
        """The same values without history; shares memory. Assign a tensor to replace the values.

        A write through it goes unnoticed: backward computes with the new value, as with detach() it refuses to.
        """
        t = detached(self)
        t.c.array.flags |= kData
        return t

    @data.setter
    def data(self, value):
        if not isinstance(value, Tensor):
            raise TypeError(f"data: expected a Tensor, got {type(value).__name__}. Use wengert.tensor() first.")
        replace_data(self, <Tensor> value)

    def __array__(self, dtype=None, copy=None):
        return numpy_array(self, dtype, copy)

    def numpy(self, *, force=False):
        """The values as a NumPy array that shares memory. Raises RuntimeError for tensors that require grad unless
        `force` is set."""
        return to_numpy(self, force)


wg_open_tensor_type(<PyTypeObject*> Tensor, body_offset())

cdef object size_type = tuple

cdef extern from *:
    """
    // A shape as an instance of a subclass of tuple without fields of its own.
    static inline PyObject* wg_size_new(PyObject* kind, const wg::Layout* layout) {
      PyTypeObject* type = reinterpret_cast<PyTypeObject*>(kind);
      PyObject* size = type->tp_alloc(type, layout->ndim);
      for (int d = 0; size && d < layout->ndim; ++d) {
        PyObject* n = PyLong_FromLongLong(layout->shape()[d]);
        if (!n) Py_CLEAR(size);
        else PyTuple_SET_ITEM(size, d, n);
      }
      return size;
    }
    """
    object wg_size_new(object, const Layout*)


cdef inline object size_of(Layout* layout):
    return wg_size_new(size_type, layout)


cdef object slow_size(Tensor t):
    """The shape of a wrapper: its payload may know sizes by name."""
    named = getattr(payload(t), "shape", None)
    return size_of(t.c.array.layout) if named is None else size_type(named)


cdef int known_length(Tensor t, str op) except -1:
    """A TypeError where the first size is one by name: Python cannot count it."""
    n = slow_size(t)[0]
    if not isinstance(n, int):
        raise TypeError(f"{op}: expected a size known when the graph is built, got {n}. Use x.shape[0] in tensor "
                        "operations, wengert.scan() to loop, or give the input a number as its size.")
    return 0


cdef object slow_layout(Tensor t):
    """(strides, offset) of what a wrapper stands for: row by row where it does not say."""
    layout = getattr(payload(t), "layout", None)
    if layout is not None:
        return layout()
    return rows_of(slow_size(t)), 0


cdef tuple rows_of(size):
    """The strides of a row-major layout."""
    strides = []
    step = 1
    for n in reversed(size):
        strides.append(step)
        step = step * n
    return tuple(reversed(strides))


cdef object slow_numel(Tensor t):
    count = 1
    for n in slow_size(t):
        count = count * n
    return count


def set_size_type(kind):
    """Hands the core the class of shapes (wengert.Size)."""
    global size_type
    size_type = kind


cdef extern from *:
    """
    #define WG_BODY_OFFSET offsetof(struct __pyx_obj_7wengert_5_core_Tensor, c)
    """
    Py_ssize_t WG_BODY_OFFSET


cdef Py_ssize_t body_offset() noexcept:
    return WG_BODY_OFFSET


cdef object power(object base, object exponent):
    """base ** exponent; a number as exponent has a row of its own, with simple gradients."""
    cdef int64_t word
    if overriding:
        answer = ask_binary(S_POW, base, exponent)
        if answer is not NOT_ASKED:
            return answer
    if (isinstance(base, Tensor) and is_inexact((<Tensor> base).c.array.dtype)
            and (PyLong_CheckExact(exponent) or PyFloat_CheckExact(exponent))):
        word = float_bits(float(exponent))
        return apply_op(<Entry> slot_entry[S_POW_NUMBER], [base], attr_new(&word, 1))
    if isinstance(exponent, complex) or isinstance(exponent, Tensor) and is_complex((<Tensor> exponent).c.array.dtype):
        # Powers of a negative base and its logarithm are those of the complex number, and so are their conjugates.
        if isinstance(base, Tensor) and not is_complex((<Tensor> base).c.array.dtype):
            base = converted(<Tensor> base, complex_type((<Tensor> base).c.array.dtype))
        elif isinstance(base, (int, float)):
            base = complex(base)
    return binary(S_POW, base, exponent)


def pow_any(input, exponent, *, out=None):
    """input to the power of exponent, elementwise with broadcasting; either may be a number.

    Example:
        >>> import wengert
        >>> wengert.pow(wengert.tensor([2.0, 3.0]), 2)
        tensor([4., 9.])
    """
    for v in (input, exponent):
        if not isinstance(v, (Tensor, int, float, complex)) and not _numpy_scalar(v):
            raise TypeError(f"pow: expected a Tensor or a number, got {type(v).__name__}. Use wengert.tensor() first.")
    if not isinstance(input, Tensor) and not isinstance(exponent, Tensor):
        raise TypeError("pow: expected a Tensor among the operands, got two numbers.")
    result = power(input, exponent)
    return result if out is None else write_out("pow", result, out)


# ---- history ---------------------------------------------------------------------------------------------------

cdef int set_requires_grad(Tensor t, cbool wanted) except -1:
    cdef int32_t i
    if t.c.flags & T_VIEW:
        refresh_view(t)
    if t.c.node >= 0 and not n_flags[t.c.node] & N_LEAF:
        if not wanted:
            raise RuntimeError("requires_grad: expected a leaf, got the result of an operation. Use .detach().")
        return 0
    if wanted == (t.c.node >= 0):
        return 0
    if not wanted:
        t.c.flags &= ~<uint32_t> T_LEAF
        n_owner[t.c.node] = NULL
        node_release(t.c.node)
        t.c.node = -1
        return 0
    if not is_inexact(t.c.array.dtype):
        raise RuntimeError("requires_grad: expected a floating dtype or a complex one, got "
                           f"{(<bytes> kDTypeName[t.c.array.dtype]).decode()}. Convert with .float() first.")
    if t.c.flags & T_VIEW:
        no_view(t)   # a leaf of its own: views of it are its views, and writes to the base are not its history
    i = node_new()
    n_flags[i] = N_LEAF
    n_owner[i] = <void*> t
    n_layout[i] = t.c.array.layout
    layout_incref(t.c.array.layout)
    n_dtype[i] = t.c.array.dtype
    t.c.node = i
    t.c.flags |= T_LEAF
    return 0


cdef void tensor_gone(TensorBody* body) noexcept:
    """A tensor with a leaf node or hooks is being destroyed while the node may live on."""
    if body.node >= 0 and body.flags & T_LEAF:
        n_owner[body.node] = NULL
    if body.flags & T_HOOKED:
        hooks_orphaned(body)


wg_tensor_gone = tensor_gone


cdef int set_grad(Tensor t, object value) except -1:
    cdef Tensor g
    cdef PyObject* old = t.c.grad
    if value is None:
        t.c.grad = NULL
    else:
        if not isinstance(value, Tensor):
            raise TypeError(f"grad: expected a Tensor or None, got {type(value).__name__}.")
        if value is t:
            raise RuntimeError("grad: expected another tensor, got the tensor itself.")
        g = <Tensor> value
        if not same_shape(g.c.array.layout, t.c.array.layout):
            raise RuntimeError(f"grad: expected shape {shape_tuple(t.c.array.layout)}, got "
                               f"{shape_tuple(g.c.array.layout)}.")
        if g.c.array.dtype != t.c.array.dtype:
            raise RuntimeError(f"grad: expected dtype {dtypes[t.c.array.dtype].name}, got "
                               f"{dtypes[g.c.array.dtype].name}. Convert it with .to().")
        Py_INCREF(value)
        t.c.grad = <PyObject*> value
        wg_track(t)
    Py_XDECREF(old)
    return 0


cdef Tensor detached(Tensor t):
    cdef Tensor o
    cdef Array a
    if t.c.flags & T_SLOW:
        return slow_detach(t)
    if t.c.array.storage == NULL and not array_promote(&t.c.array):
        raise_memory("detach")
    a = t.c.array
    array_ref(a)
    o = tensor_of(None if is_plain(t) or subclasses_off else result_class(type(t)), &a)
    o.c.array.flags = a.flags & kData
    return o


cdef int replace_data(Tensor t, Tensor value) except -1:
    """t.data = value: t keeps its history and identity and takes value's memory."""
    cdef Array a
    if recorder_traces():
        (<object> active_recorder).took_data(t, value)
    if value.c.array.storage == NULL and not array_promote(&value.c.array):
        raise_memory("data")
    a = value.c.array
    a.flags = 0
    if t.c.node >= 0 and n_flags[t.c.node] & N_LEAF and not is_inexact(a.dtype):
        raise RuntimeError("data: expected a floating dtype or a complex one for a tensor that requires grad, got "
                           f"{dtypes[a.dtype].name}.")
    array_ref(a)
    if t.c.flags & T_VIEW and a.storage != t.c.array.storage:
        no_view(t)
    replace_array(t, &a)
    return 0


cdef int replace_array(Tensor t, Array* a) except -1:
    """t takes over another array; its leaf node, where it has one, follows."""
    if t.c.node >= 0 and n_flags[t.c.node] & N_LEAF:
        layout_decref(n_layout[t.c.node])
        n_layout[t.c.node] = a.layout
        layout_incref(a.layout)
        n_dtype[t.c.node] = a.dtype
    array_unref(t.c.array)
    t.c.array = a[0]
    return 0
