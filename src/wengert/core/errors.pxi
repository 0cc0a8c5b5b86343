# Errors of the C++ side as Python exceptions. Cold: never inlined into a hot function.

cdef dict _error_types = {
    kTypeError: TypeError,
    kValueError: ValueError,
    kIndexError: IndexError,
    kRuntimeError: RuntimeError,
    kMemoryError: MemoryError,
    kNotImplemented: NotImplementedError,
}


cdef int raise_last() except -1:
    """Raises the error that the runtime set on this thread."""
    cdef Error* e = &last_error()
    cdef ErrorKind kind = e.kind
    e.kind = kNoError
    if kind == kInterrupted:
        raise KeyboardInterrupt
    op, colon, rest = (<bytes> e.text).decode("utf-8", "replace").partition(":")
    raise _error_types.get(<int> kind, RuntimeError)(shown_op(op) + colon + rest)


cdef int64_t int64_of(object v, object op, str what, object kind) except? -1:
    """A Python int as one of 64 bits; raises `kind` where it is larger. op: its name, or its Entry."""
    cdef int overflow = 0
    cdef int64_t word = PyLong_AsLongLongAndOverflow(v, &overflow)
    if overflow:
        got = v if v.bit_length() < 128 else f"one of {v.bit_length()} bits"
        name = (<Entry> op).name if isinstance(op, Entry) else op
        raise kind(f"{shown_op(name)}: expected {what} from -2**63 to 2**63 - 1, got {got}.")
    return word


cdef str shown_op(str op):
    """The name by which users know a row; any other text as it is."""
    entry = entry_by_name.get(op)
    return op if entry is None else entry.row.shown


cdef int raise_memory(str op) except -1:
    raise MemoryError(f"{shown_op(op)}: expected memory for the result, got none. Use smaller tensors or free some.")


cdef object shape_tuple(Layout* layout):
    cdef int d
    return tuple([layout.shape()[d] for d in range(layout.ndim)])
