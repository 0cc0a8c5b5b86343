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
    raise _error_types.get(<int> kind, RuntimeError)((<bytes> e.text).decode("utf-8", "replace"))


cdef int raise_memory(str op) except -1:
    raise MemoryError(f"{op}: expected memory for the result, got none. Use smaller tensors or free some.")


cdef object shape_tuple(Layout* layout):
    cdef int d
    return tuple([layout.shape()[d] for d in range(layout.ndim)])
