# Python subclasses of Tensor: results keep the class, __torch_function__ is asked, Parameter's subclasses give way.
#
# Note [Subclasses]. Plain tensors never come here: dispatch looks at the exact type first. A class that overrides
# __torch_function__ is asked with the op's callable; inside super().__torch_function__ the ops run on plain results,
# which are then given the class.

cdef int subclasses_off = 0   # depth of disabled blocks; with the interpreter lock only
cdef object default_torch_function = None


cdef object result_class(object cls):
    """The class of results of an op on `cls`: None for plain tensors (Parameter and what follows it)."""
    return None if getattr(cls, "_plain_results", False) else cls


cdef tuple ask_subclasses(Entry e, list operands, Attr* attr):
    """(class of the result or None, None), or (NotImplemented, result) where a __torch_function__ made it."""
    cdef list kinds = []
    cdef object best = None
    for v in operands:
        if isinstance(v, Tensor) and not is_plain(v) and type(v) not in kinds:
            place = len(kinds)
            for k in range(len(kinds)):
                if issubclass(type(v), kinds[k]):
                    place = k
                    break
            kinds.insert(place, type(v))
    custom = False
    for cls in kinds:
        if result_class(cls) is None:
            continue
        if best is None:
            best = cls
        if getattr(cls.__torch_function__, "__func__", None) is not default_torch_function:
            custom = True
    if not custom:
        return best, None
    attrs = decode_attrs(e, attr)
    if e.info.flags & kRandom:
        attrs = attrs[:len(attrs) - 2]   # seed and offset are drawn when the op runs
    args = (list(operands), *attrs) if e.variadic else (*operands, *attrs)
    for cls in kinds:
        if result_class(cls) is None:
            continue
        result = cls.__torch_function__(op_objects[e.name], tuple(kinds), args, {})
        if result is not NotImplemented:
            return NotImplemented, result
    raise TypeError(f"{e.name}: expected a __torch_function__ that takes it, got NotImplemented from "
                    f"{[cls.__name__ for cls in kinds]}.")


def subclasses_are_off():
    """Whether ops ignore subclasses."""
    return subclasses_off > 0


def set_default_torch_function(function):
    """Hands the core Tensor's own __torch_function__, which needs no call."""
    global default_torch_function
    default_torch_function = function


@cython.binding(False)
cdef class SubclassesOff:
    """A context in which ops ignore subclasses: results are plain tensors."""

    def __enter__(self):
        global subclasses_off
        subclasses_off += 1
        return self

    def __exit__(self, *exception):
        global subclasses_off
        subclasses_off -= 1
