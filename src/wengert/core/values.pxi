# Values as Python numbers: item(), tolist() and what needs one number.

cdef object item_at(const char* p, int dtype):
    if dtype == kFloat32:
        return (<float*> p)[0]
    if dtype == kFloat64:
        return (<double*> p)[0]
    if dtype == kInt64:
        return (<int64_t*> p)[0]
    if dtype == kBool:
        return (<uint8_t*> p)[0] != 0
    if dtype == kInt32:
        return (<int32_t*> p)[0]
    if dtype == kUInt8:
        return (<uint8_t*> p)[0]
    if dtype == kInt8:
        return (<int8_t*> p)[0]
    if dtype == kInt16:
        return (<int16_t*> p)[0]
    if dtype == kComplex64:
        return complex((<float*> p)[0], (<float*> p)[1])
    if dtype == kComplex128:
        return complex((<double*> p)[0], (<double*> p)[1])
    if dtype == kFloat16:
        return half_to_float((<half_t*> p)[0])
    return bfloat_to_float((<bfloat_t*> p)[0])


cdef object item_of(Array* a, int64_t offset):
    return item_at(a.data() + offset, a.dtype)


cdef int raise_no_value(Tensor t, str op) except -1:
    """A wrapper has no value that Python could read."""
    explain = getattr(payload(t), "explain_no_value", None)
    if explain is not None:
        raise RuntimeError(explain(op))
    raise RuntimeError(f"{op}: expected a tensor with a value, got one inside a transform. Use tensor operations such "
                       "as where() instead.")


cdef object single(Tensor t, str op):
    if t.c.flags & T_SLOW:
        raise_no_value(t, op)
    if t.c.array.layout.numel != 1:
        # float() and int() fail as Python conversions do, item() as an operation.
        kind = ValueError if op == "float" or op == "int" else RuntimeError
        raise kind(f"{op}: expected a tensor of one element, got shape {shape_tuple(t.c.array.layout)}. "
                   "Use tolist() for several.")
    if active_recorder != NULL:
        stand_in = (<object> active_recorder).mark_value_read(op, t)
        if stand_in is not None:
            return stand_in
    return item_of(&t.c.array, 0)


cdef object real_number(object v, str op):
    """A number as a real one; an imaginary part is an error."""
    if not isinstance(v, complex):
        return v
    if v.imag != 0:
        raise RuntimeError(f"{op}: expected a number without an imaginary part, got {v}. Use .real or abs().")
    return v.real


cdef object to_list(Tensor t):
    cdef Array* a = &t.c.array
    cdef int64_t index[kMaxDims]
    cdef int ndim = a.layout.ndim, d
    cdef int64_t k, item = itemsize(a.dtype)
    if t.c.flags & T_SLOW:
        return single(t, "tolist")
    if active_recorder != NULL:
        (<object> active_recorder).mark_value_read("tolist", t)
    if ndim == 0:
        return item_of(a, 0)
    if a.layout.numel == 0:
        out = []
        if ndim > 1 and a.layout.shape()[0]:
            return [to_list(<Tensor> part) for part in unbind_all(t)]
        return out
    # Innermost rows first, then lists of lists from the inside out.
    cdef int64_t inner = a.layout.shape()[ndim - 1], step = a.layout.strides()[ndim - 1] * item
    cdef int64_t rows = a.layout.numel // inner, offset
    for d in range(ndim):
        index[d] = 0
    level = []
    for k in range(rows):
        offset = 0
        for d in range(ndim - 1):
            offset += index[d] * a.layout.strides()[d]
        offset *= item
        level.append([item_of(a, offset + j * step) for j in range(inner)])
        d = ndim - 2
        while d >= 0:
            index[d] += 1
            if index[d] < a.layout.shape()[d]:
                break
            index[d] = 0
            d -= 1
    for d in range(ndim - 2, 0, -1):
        size = a.layout.shape()[d]
        level = [level[k:k + size] for k in range(0, len(level), size)]
    return level if ndim > 1 else level[0]
