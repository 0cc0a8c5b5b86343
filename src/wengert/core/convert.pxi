# Conversion to other dtypes, and to the one device.

cdef Tensor converted(Tensor t, int code):
    """t in another dtype, recorded; t itself where it has it already."""
    cdef int64_t word = code
    if t.c.array.dtype == code:
        return t
    return <Tensor> apply_op(<Entry> entry_by_name["cast"], [t], attr_new(&word, 1))


cdef Tensor user_converted(Tensor t, int code):
    """converted() where a user asked for it: an imaginary part that is dropped is worth a warning."""
    if is_complex(t.c.array.dtype) and not is_complex(code) and code != kBool:
        from wengert._warn import warn
        warn("to: expected a complex dtype for complex values, got a real one: the imaginary part is dropped. "
             "Use .real where that is meant.")
    return converted(t, code)


def convert(Tensor self, dtype):
    """The tensor in another dtype; itself where it has it already."""
    return user_converted(self, dtype_code(dtype, "to"))


def to(Tensor self not None, *args, dtype=None, device=None, other=None, non_blocking=False, copy=False,
       memory_format=None):
    """The tensor in another dtype: `.to(dtype)`, `.to(device)`, `.to(device, dtype)`, `.to(other_tensor)`.

    Returns the tensor itself where nothing changes, unless `copy` is set. Differentiable. Raises AssertionError for
    the devices "cuda" and "xpu", RuntimeError for others than the CPU.

    Example:
        >>> import wengert
        >>> wengert.tensor([1, 2]).to(wengert.float64)
        tensor([1., 2.], dtype=wengert.float64)
    """
    cdef int code = self.c.array.dtype, flags = 0
    cdef Tensor t
    for a in args:
        if isinstance(a, DTypeObject) or a is float or a is int or a is bool or a is complex:
            dtype = a
        elif isinstance(a, Tensor):
            other = a
        elif isinstance(a, bool):
            if flags == 1:
                copy = a
            flags += 1
        elif a is not None:
            check_device(a, "to")
    if device is not None:
        check_device(device, "to")
    if other is not None:
        check_same_device(other, "to")
        code = (<Tensor?> other).c.array.dtype
    if dtype is not None:
        code = dtype_code(dtype, "to")
    t = user_converted(self, code)
    if copy and t is self:
        return apply_op(clone_entry(), [self], NULL)
    return t


def type_as(Tensor self not None, Tensor other not None):
    """The tensor in the dtype of another."""
    return user_converted(self, other.c.array.dtype)


def to_float32(Tensor self not None, memory_format=None):
    """The tensor as float32; itself where it is already."""
    return user_converted(self, kFloat32)


def to_float64(Tensor self not None, memory_format=None):
    """The tensor as float64; itself where it is already."""
    return user_converted(self, kFloat64)


def to_float16(Tensor self not None, memory_format=None):
    """The tensor as float16; itself where it is already."""
    return user_converted(self, kFloat16)


def to_bfloat16(Tensor self not None, memory_format=None):
    """The tensor as bfloat16; itself where it is already."""
    return user_converted(self, kBFloat16)


def to_int64(Tensor self not None, memory_format=None):
    """The tensor as int64; itself where it is already."""
    return user_converted(self, kInt64)


def to_int32(Tensor self not None, memory_format=None):
    """The tensor as int32; itself where it is already."""
    return user_converted(self, kInt32)


def to_int16(Tensor self not None, memory_format=None):
    """The tensor as int16; itself where it is already."""
    return user_converted(self, kInt16)


def to_int8(Tensor self not None, memory_format=None):
    """The tensor as int8; itself where it is already."""
    return user_converted(self, kInt8)


def to_uint8(Tensor self not None, memory_format=None):
    """The tensor as uint8; itself where it is already."""
    return user_converted(self, kUInt8)


def to_complex64(Tensor self not None, memory_format=None):
    """The tensor as complex64; itself where it is already."""
    return converted(self, kComplex64)


def to_complex128(Tensor self not None, memory_format=None):
    """The tensor as complex128; itself where it is already."""
    return converted(self, kComplex128)


def to_bool(Tensor self not None, memory_format=None):
    """The tensor as bool (true where not 0); itself where it is already."""
    return converted(self, kBool)


def cpu(Tensor self not None, memory_format=None):
    """The tensor itself: all tensors are on the CPU."""
    return self


def clone(Tensor input not None, *, memory_format=None):
    """A copy in memory of its own, through which gradients flow.

    Example:
        >>> import wengert
        >>> x = wengert.ones(2)
        >>> x.clone().zero_(), x
        (tensor([0., 0.]), tensor([1., 1.]))
    """
    return apply_op(clone_entry(), [input], NULL)


def contiguous(Tensor self not None, memory_format=None):
    """The tensor in row-major order without gaps; itself where it is so already."""
    if self.c.array.layout.contiguous and not self.c.flags & T_SLOW:
        return self
    return apply_op(<Entry> entry_by_name["contiguous"], [self], NULL)


def size(Tensor self not None, dim=None):
    """The sizes of the dimensions as a `Size`, or that of one dimension."""
    cdef Layout* l = self.c.array.layout
    cdef int64_t d
    if dim is None:
        return self.shape
    d = attr_int(dim, "size", "dim")
    if d < -l.ndim or d >= l.ndim:
        raise IndexError(f"size: expected a dimension in [{-l.ndim}, {l.ndim - 1}], got {d}.")
    if self.c.flags & T_SLOW:
        return self.shape[d]
    return l.shape()[d + l.ndim if d < 0 else d]


def transposed(Tensor self not None):
    """The dimensions in reverse order; a view."""
    cdef int64_t words[kMaxDims + 1]
    cdef int d, n = self.c.array.layout.ndim
    words[0] = n
    for d in range(n):
        words[d + 1] = n - 1 - d
    return apply_op(<Entry> entry_by_name["permute"], [self], attr_new(words, n + 1))


def fill_(Tensor self not None, value):
    """Writes a number, or the value of a 0-d tensor, to every element; returns the tensor."""
    if isinstance(value, Tensor) and (<Tensor> value).c.array.layout.ndim:
        raise RuntimeError(f"fill_: expected a number or a 0-d tensor, got shape {tuple(value.shape)}.")
    if not isinstance(value, (Tensor, int, float, complex)):
        if recorder_traces() and not self.c.flags & T_SLOW and value.__class__ in (int, float):
            # A number that the recorder follows.
            return (<object> active_recorder).run_inplace(entry_by_name["assign"], self, [self, value], ())
        value = number_of(value, "fill_")
    return copy_to(self, value, "fill_")


def zero_(Tensor self not None):
    """Writes 0 to every element; returns the tensor."""
    return copy_to(self, 0, "zero_")
