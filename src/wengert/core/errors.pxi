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


cdef str shown_op(str op):
    """The name by which users know a row; any other text as it is."""
    entry = entry_by_name.get(op)
    return op if entry is None else entry.row.shown


cdef int raise_memory(str op) except -1:
    raise MemoryError(f"{shown_op(op)}: expected memory for the result, got none. Use smaller tensors or free some.")


cdef object shape_tuple(Layout* layout):
    cdef int d
    return tuple([layout.shape()[d] for d in range(layout.ndim)])
