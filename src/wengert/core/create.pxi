# New tensors: empty, filled, from Python data, from and to NumPy and DLPack.

cdef Tensor new_tensor(int dtype, int ndim, const int64_t* shape, str op):
    cdef Array a
    cdef Tensor t
    cdef int d
    cdef int64_t n = 1
    if ndim > kMaxDims:
        raise ValueError(f"{op}: expected at most {kMaxDims} dimensions, got {ndim}.")
    for d in range(ndim):
        if shape[d] < 0:
            raise RuntimeError(f"{op}: expected sizes of at least 0, got {tuple([shape[k] for k in range(ndim)])}.")
        if shape[d] and n > 0x1fffffffffffffff // shape[d]:
            raise RuntimeError(f"{op}: expected a size that memory can hold, got "
                               f"{tuple([shape[k] for k in range(ndim)])}.")
        n *= shape[d]
    if not array_new(&a, dtype, layout_contiguous(ndim, shape)):
        raise MemoryError(f"{op}: expected memory for {n * itemsize(dtype)} bytes, got none. Use a smaller shape.")
    t = tensor_from(&a)
    if recorder_traces():
        memset(t.c.array.data(), 0, t.c.array.nbytes())   # what nobody writes to is the same in each recording
        (<object> active_recorder).made(t)
    return t


cdef int read_shape(object size, int64_t* shape, str op) except -1:
    """Fills shape from an int or a sequence of ints; returns the number of dimensions."""
    cdef int n = 0
    if not isinstance(size, (tuple, list)):
        shape[0] = attr_int(size, op, "size", TypeError)
        return 1
    if len(size) > kMaxDims:
        raise ValueError(f"{op}: expected at most {kMaxDims} dimensions, got {len(size)}.")
    for v in size:
        shape[n] = attr_int(v, op, "size", TypeError)
        n += 1
    return n


def empty(size, dtype=None):
    """A tensor of shape `size` with undefined contents."""
    cdef int64_t shape[kMaxDims]
    cdef int n = read_shape(size, shape, "empty")
    return new_tensor(default_dtype if dtype is None else dtype_code(dtype, "empty"), n, shape, "empty")


def full(size, value, dtype=None):
    """A tensor of shape `size` filled with a number; the dtype follows the number where it is not given."""
    cdef int64_t shape[kMaxDims]
    cdef int n = read_shape(size, shape, "full"), code
    cdef Array weak
    cdef Tensor t
    if isinstance(value, Tensor):
        value = value.item()
    if is_complex_number(value):
        code = complex_type(default_dtype) if dtype is None else dtype_code(dtype, "full")
        return filled(code, n, shape, value, "full")
    weak_array(value, &weak, "full")
    layout_decref(weak.layout)
    if dtype is None:
        code = default_dtype if weak.dtype == kFloat64 else weak.dtype
    else:
        code = dtype_code(dtype, "full")
    t = new_tensor(code, n, shape, "full")
    fill_array(&t.c.array, &weak)
    return t


cdef int fill_array(Array* a, Array* value) except -1:
    """Every element of a = value (0-d), converted."""
    cdef Array one
    cdef int64_t item = itemsize(a.dtype), total, done, part
    cdef char* p
    if as_contiguous(value[0], a.dtype, &one) < 0:
        raise_last()
    if a.storage == NULL:
        a.u = one.u
    elif a.layout.contiguous:
        p = a.data()
        total = a.nbytes()
        if one.storage == NULL and one.u.i64 == 0 and total:
            memset(p, 0, total)   # the bits of zero are zeros in every dtype
        elif total:
            memcpy(p, one.data(), item)
            done = item
            while done < total:
                # Doubles what is filled, up to a block that stays in the first cache.
                part = done if done < 16384 else 16384 // item * item
                part = part if part < total - done else total - done
                memcpy(p + done, p, part)
                done += part
    elif copy_into(one, a[0]) < 0:
        array_unref(one)
        raise_last()
    array_unref(one)
    return 0


# ---- from Python data -------------------------------------------------------------------------------------------

cdef int data_kind(object v) except -2:
    """0 bool, 1 int, 2 float or complex, 3 a tensor, an array or a NumPy scalar, 4 a sequence, -1 anything else."""
    if PyFloat_CheckExact(v):
        return 2
    if PyBool_Check(v):
        return 0
    if PyLong_Check(v):
        return 1
    if isinstance(v, (list, tuple)):
        return 4
    if not isinstance(v, Tensor) and (stands_for(v, float) or stands_for(v, int)):
        return 2 if stands_for(v, float) else 1
    # __array_interface__ makes a dict: it is asked for last.
    if (isinstance(v, Tensor) or hasattr(v, "__array_finalize__") or hasattr(v, "__array_interface__")
            or hasattr(v, "__array__")):
        return 3
    if PyFloat_Check(v) or isinstance(v, complex):
        return 2
    if hasattr(v, "__len__") and hasattr(v, "__getitem__") and not isinstance(v, (str, bytes, dict)):
        return 4
    return -1


cdef cbool stands_for(object v, type kind) except *:
    """Whether v calls itself a number of this kind without being one: a number that a recording follows."""
    return v.__class__ is kind


cdef int number_code(object v) except -1:
    """The dtype that a number asks for: its own, for tensors and NumPy scalars."""
    if PyFloat_CheckExact(v):
        return default_dtype
    if PyBool_Check(v):
        return kBool
    if PyLong_CheckExact(v):
        return kInt64
    if isinstance(v, Tensor):
        return (<Tensor> v).c.array.dtype
    if stands_for(v, float) or stands_for(v, int):
        return default_dtype if stands_for(v, float) else kInt64
    if hasattr(v, "dtype"):
        return (<DTypeObject> numpy_dtype_object(v.dtype)).code
    if isinstance(v, complex):
        return complex_type(default_dtype)
    return default_dtype if PyFloat_Check(v) else kInt64


cdef int64_t whole(object v) except? -1:
    return int64_of(v if PyLong_CheckExact(v) else int(v), "tensor", "an int", ValueError)


cdef int put_number(char* p, int dtype, object v) except -1:
    cdef int64_t n
    cdef double complex z
    if is_complex(dtype):
        z = complex(v)
        if dtype == kComplex64:
            (<float*> p)[0] = <float> z.real
            (<float*> p)[1] = <float> z.imag
        else:
            (<double*> p)[0] = z.real
            (<double*> p)[1] = z.imag
        return 0
    if dtype == kFloat32:
        (<float*> p)[0] = <float> <double> float(v)
    elif dtype == kFloat64:
        (<double*> p)[0] = float(v)
    elif dtype == kInt64:
        (<int64_t*> p)[0] = whole(v)
    elif dtype == kBool:
        (<uint8_t*> p)[0] = 1 if v else 0
    elif dtype == kFloat16:
        (<half_t*> p)[0] = float_to_half(<float> <double> float(v))
    elif dtype == kBFloat16:
        (<bfloat_t*> p)[0] = float_to_bfloat(<float> <double> float(v))
    else:
        n = whole(v)
        if dtype == kInt32:
            if n != <int32_t> n:
                raise RuntimeError(f"tensor: expected a value that int32 can hold, got {n}.")
            (<int32_t*> p)[0] = <int32_t> n
        elif dtype == kInt16:
            if n != <int16_t> n:
                raise RuntimeError(f"tensor: expected a value that int16 can hold, got {n}.")
            (<int16_t*> p)[0] = <int16_t> n
        elif dtype == kInt8:
            if n != <int8_t> n:
                raise RuntimeError(f"tensor: expected a value that int8 can hold, got {n}.")
            (<int8_t*> p)[0] = <int8_t> n
        else:
            if n != <uint8_t> n:
                raise RuntimeError(f"tensor: expected a value that uint8 can hold, got {n}.")
            (<uint8_t*> p)[0] = <uint8_t> n
    return 0


cdef Tensor from_parts(list parts, int64_t* shape, int ndim, object dtype):
    """A tensor of nested sequences that end in arrays or tensors of one shape."""
    cdef Tensor t, out
    cdef Array one
    cdef int d, code
    cdef int64_t k = 0
    first = parts[0] if isinstance(parts[0], Tensor) else from_array(parts[0], True)
    code = (<Tensor> first).c.array.dtype if dtype is None else dtype_code(dtype, "tensor")
    if ndim + (<Tensor> first).c.array.layout.ndim > kMaxDims:
        raise ValueError(f"tensor: expected at most {kMaxDims} dimensions, got more.")
    for d in range((<Tensor> first).c.array.layout.ndim):
        shape[ndim + d] = (<Tensor> first).c.array.layout.shape()[d]
    out = new_tensor(code, ndim + (<Tensor> first).c.array.layout.ndim, shape, "tensor")
    for v in parts:
        if data_kind(v) != 3:
            raise ValueError(f"tensor: expected arrays of shape {tuple(first.shape)}, got {type(v).__name__}.")
        t = v if isinstance(v, Tensor) else from_array(v, True)
        if not same_shape(t.c.array.layout, (<Tensor> first).c.array.layout):
            raise ValueError(f"tensor: expected arrays of shape {tuple(first.shape)}, got {tuple(t.shape)}. All rows "
                             "must have the same shape.")
        if as_contiguous(t.c.array, code, &one) < 0:
            raise_last()
        memcpy(out.c.array.data() + k * one.nbytes(), one.data(), one.nbytes())
        array_unref(one)
        k += 1
    return out


def from_data(data, dtype=None):
    """A new tensor from a number, nested sequences of numbers (or of tensors), or an array. Copies."""
    cdef int64_t shape[kMaxDims]
    cdef int ndim = 0, kind = data_kind(data), code, highest = -1, k
    cdef Tensor t
    cdef Array a
    cdef char* p
    cdef int64_t item
    if kind == 3:
        if isinstance(data, Tensor):
            t = <Tensor> data
        elif getattr(data, "shape", None) == () and hasattr(data, "item") and not hasattr(data, "__array_finalize__"):
            # A NumPy scalar.
            return from_data(data.item(), dtype if dtype is not None else numpy_dtype_object(data.dtype))
        else:
            t = from_array(data, True)
        code = t.c.array.dtype if dtype is None else dtype_code(dtype, "tensor")
        a.layout = layout_contiguous(t.c.array.layout.ndim, t.c.array.layout.shape())
        if not array_new(&a, code, a.layout):
            raise_memory("tensor")
        if a.storage == NULL:
            array_unref(a)
            if as_contiguous(t.c.array, code, &a) < 0:
                raise_last()
            if a.storage != NULL:
                value = item_of(&a, 0)
                array_unref(a)
                return from_data(value, dtypes[code])
            return tensor_from(&a)
        if copy_into(t.c.array, a) < 0:
            array_unref(a)
            raise_last()
        return tensor_from(&a)
    if kind == -1:
        raise TypeError(f"tensor: expected numbers, sequences of them or an array, got {type(data).__name__}.")
    level = [data]
    while kind == 4:
        if ndim >= kMaxDims:
            raise ValueError(f"tensor: expected at most {kMaxDims} nested sequences, got more.")
        size = len(level[0])
        flat = []
        for part in level:
            if data_kind(part) != 4 or len(part) != size:
                got = len(part) if hasattr(part, "__len__") else "a number"
                raise ValueError(f"tensor: expected sequences of length {size} at dimension {ndim}, got {got}. All rows "
                                 "must have the same length.")
            flat.extend(part)
        shape[ndim] = size
        ndim += 1
        level = flat
        if not level:
            break
        kind = data_kind(level[0])
    if level and kind == 3 and tuple(level[0].shape) != ():
        return from_parts(level, shape, ndim, dtype)
    for v in level:
        if PyFloat_CheckExact(v):
            highest = default_dtype if highest < 0 else promote(highest, default_dtype)
            continue
        kind = data_kind(v)
        if kind == 4:
            raise ValueError(f"tensor: expected a number at dimension {ndim}, got a sequence of length {len(v)}. All "
                             "rows must have the same length.")
        if kind < 0:
            raise TypeError(f"tensor: expected numbers, got {type(v).__name__}.")
        if kind == 2 and dtype is not None and isinstance(v, complex) and not is_complex(dtype_code(dtype, "tensor")):
            raise TypeError(f"tensor: expected numbers that {dtype} can hold, got {v}. Use a complex dtype.")
        if kind == 3 and tuple(v.shape) != ():
            raise ValueError(f"tensor: expected a number at dimension {ndim}, got shape {tuple(v.shape)}.")
        if dtype is None:
            k = number_code(v)
            highest = k if highest < 0 else promote(highest, k)
    if dtype is not None:
        code = dtype_code(dtype, "tensor")
    else:
        code = default_dtype if highest < 0 else highest
    t = new_tensor(code, ndim, shape, "tensor")
    p = t.c.array.data()
    item = itemsize(code)
    for v in level:
        put_number(p, code, v)
        p += item
    return t


# ---- NumPy and DLPack -------------------------------------------------------------------------------------------

cdef dict _typestr = {"|b1": kBool, "|u1": kUInt8, "|i1": kInt8, "<i2": kInt16, "<i4": kInt32, "<i8": kInt64,
                      "<f2": kFloat16, "<f4": kFloat32, "<f8": kFloat64, "<c8": kComplex64, "<c16": kComplex128}
cdef list _typestr_of = ["|b1", "|u1", "|i1", "<i2", "<i4", "<i8", "<f2", None, "<f4", "<f8", "<c8", "<c16"]


cdef object numpy_dtype_object(object dtype):
    code = _typestr.get(dtype.str)
    if code is None:
        raise TypeError(f"tensor: expected a NumPy dtype among {sorted(_typestr)}, got {dtype.str!r}.")
    return dtypes[code]


cdef void release_owner(void* owner) noexcept with gil:
    Py_DECREF(<object> <PyObject*> owner)


cdef dict _buffer_formats = {"?": kBool, "B": kUInt8, "b": kInt8, "h": kInt16, "i": kInt32, "l": kInt64, "q": kInt64,
                             "e": kFloat16, "f": kFloat32, "d": kFloat64, "Zf": kComplex64, "Zd": kComplex128}


cdef Tensor from_buffer(object array):
    """A tensor over the memory of an array with a plain buffer, or None: faster than reading __array_interface__."""
    cdef Py_buffer view
    cdef Array a
    cdef int64_t shape[kMaxDims]
    cdef int64_t strides[kMaxDims]
    cdef int d, code
    cdef size_t span = 0
    try:
        PyObject_GetBuffer(array, &view, PyBUF_FORMAT | PyBUF_STRIDES)
    except (BufferError, ValueError, TypeError):
        return None
    try:
        found = _buffer_formats.get((<bytes> view.format).decode()) if view.format != NULL else None
        if found is None or view.ndim > kMaxDims or itemsize(found) != view.itemsize:
            return None
        code = found
        for d in range(view.ndim):
            if view.strides[d] < 0 or view.strides[d] % view.itemsize:
                return None
            shape[d] = view.shape[d]
            strides[d] = view.strides[d] // view.itemsize
        memset(&a, 0, sizeof(Array))
        a.layout = layout_strided(view.ndim, shape, strides)
        a.dtype = <uint8_t> code
        if a.layout.numel:
            span = view.itemsize
            for d in range(view.ndim):
                span += <size_t> ((shape[d] - 1) * view.strides[d])
        Py_INCREF(array)
        a.storage = storage_wrap(view.buf, span, view.readonly != 0, release_owner, <void*> array)
        if a.storage == NULL:
            Py_DECREF(array)
            layout_decref(a.layout)
            raise_memory("from_numpy")
        return tensor_from(&a)
    finally:
        PyBuffer_Release(&view)


cdef Tensor from_array(object array, cbool may_copy):
    """A tensor over the memory of a NumPy array (or anything with __array_interface__)."""
    cdef Tensor quick = from_buffer(array) if hasattr(array, "__array_finalize__") else None
    if quick is not None:
        return quick
    return from_interface(array, may_copy)


cdef Tensor from_interface(object array, cbool may_copy):
    """from_array for anything else, and for what it cannot take: reads __array_interface__."""
    cdef int64_t shape[kMaxDims]
    cdef int64_t strides[kMaxDims]
    cdef Array a
    cdef int d, ndim, code
    cdef int64_t item
    cdef size_t address, low = 0, high = 0
    if not hasattr(array, "__array_interface__"):
        array = array.__array__()
    face = array.__array_interface__
    typestr = face["typestr"]
    if typestr not in _typestr:
        raise TypeError(f"from_numpy: expected a dtype among {sorted(_typestr)}, got {typestr!r}. Convert the array "
                        "with .astype().")
    code = _typestr[typestr]
    item = itemsize(code)
    ndim = <int> len(face["shape"])
    if ndim > kMaxDims:
        raise ValueError(f"from_numpy: expected at most {kMaxDims} dimensions, got {ndim}.")
    for d in range(ndim):
        shape[d] = face["shape"][d]
    steps = face.get("strides")
    if steps is None:
        n = item
        for d in range(ndim - 1, -1, -1):
            strides[d] = n // item
            n *= shape[d]
    else:
        for d in range(ndim):
            if steps[d] % item or steps[d] < 0:
                if not may_copy:
                    raise ValueError(f"from_numpy: expected strides that are multiples of the item size and not "
                                     f"negative, got {steps}. Use array.copy().")
                return from_interface(array.copy(), False)
            strides[d] = steps[d] // item
    address, readonly = face["data"]
    a.layout = layout_strided(ndim, shape, strides)
    if a.layout.numel:
        high = item
        for d in range(ndim):
            high += <size_t> ((shape[d] - 1) * strides[d] * item)
    Py_INCREF(array)
    a.storage = storage_wrap(<void*> address, high, readonly, release_owner, <void*> array)
    if a.storage == NULL:
        Py_DECREF(array)
        layout_decref(a.layout)
        raise_memory("from_numpy")
    a.u.offset = 0
    a.version = 0
    a.dtype = <uint8_t> code
    a.flags = 0
    a.slot = 0
    return tensor_from(&a)


def from_numpy(array):
    """A tensor that shares the memory of a NumPy array. A read-only array gives a tensor that refuses to be written to.
    """
    if not hasattr(array, "__array_finalize__"):   # scalars have none
        raise TypeError(f"from_numpy: expected a NumPy array, got {type(array).__name__}.")
    return from_array(array, False)


def from_memory(array):
    """A tensor over the memory of anything with __array_interface__; a copy where strides do not allow it."""
    return from_array(array, True)


cdef object _ndarray = None
cdef list _numpy_dtypes = []


cdef int load_numpy() except -1:
    """NumPy is imported when the first array is asked for."""
    global _ndarray
    import numpy
    _ndarray = numpy.ndarray
    for typestr in _typestr_of:
        _numpy_dtypes.append(None if typestr is None else numpy.dtype(typestr))
    return 0


cdef object shared_array(Tensor t):
    cdef Layout* l = t.c.array.layout
    cdef int d
    cdef int64_t item = itemsize(t.c.array.dtype)
    if _ndarray is None:
        load_numpy()
    if t.c.flags & T_SLOW:
        single(t, "numpy")
    if active_recorder != NULL:
        (<object> active_recorder).mark_value_read("numpy")
    if _typestr_of[t.c.array.dtype] is None:
        raise TypeError(f"numpy: expected a dtype that NumPy has, got {dtypes[t.c.array.dtype].name}. Use .float() "
                        "first.")
    if t.c.array.storage == NULL and not array_promote(&t.c.array):
        raise_memory("numpy")
    # The array keeps the whole storage: later changes of t's data do not move it.
    # A view of no elements may lie behind the end of its storage.
    return _ndarray(shape_tuple(l), _numpy_dtypes[t.c.array.dtype], storage_tensor(t),
                    t.c.array.u.offset if l.numel else 0,
                    tuple([l.strides()[d] * item for d in range(l.ndim)]))


cdef object to_numpy(Tensor t, cbool force):
    if t.c.flags & T_VIEW:
        refresh_view(t)
    if t.c.node >= 0 and not force and not wg_grad_off():
        raise RuntimeError("numpy: expected a tensor without history, got one that requires grad. Use "
                           "t.detach().numpy().")
    return shared_array(t)


cdef object numpy_array(Tensor t, object dtype, object copy):
    array = to_numpy(t, False)
    if dtype is not None and array.dtype != dtype:
        if copy is False:
            raise ValueError("__array__: expected no copy, got a dtype that needs one.")
        return array.astype(dtype)
    return array.copy() if copy else array
