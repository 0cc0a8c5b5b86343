# Watching Python state: containers compared, by identity first, with what they held. A compiled function does this
# before each run, so it has to be as quick as looking at pointers.

cdef extern from "Python.h":
    int PyDict_Next(PyObject*, Py_ssize_t*, PyObject**, PyObject**) noexcept
    Py_ssize_t PyDict_Size(PyObject*) noexcept
    Py_ssize_t PyList_GET_SIZE(PyObject*) noexcept
    PyObject* PyList_GET_ITEM(PyObject*, Py_ssize_t) noexcept
    Py_ssize_t PyTuple_GET_SIZE(PyObject*) noexcept
    PyObject* PyTuple_GET_ITEM(PyObject*, Py_ssize_t) noexcept
    bint PyDict_CheckExact(PyObject*) noexcept
    int PyDict_Check_ "PyDict_Check"(PyObject*) noexcept
    int PyList_Check_ "PyList_Check"(PyObject*) noexcept
    bint PyCell_Check(PyObject*) noexcept
    PyObject* PyCell_GET(PyObject*) noexcept
    PyObject* PyDict_GetItemWithError(PyObject*, PyObject*) noexcept
    bint PyFunction_Check(PyObject*) noexcept
    PyObject* PyFunction_GetCode(PyObject*) noexcept
    PyObject* PyFunction_GetDefaults(PyObject*) noexcept
    PyObject* PyFunction_GetKwDefaults(PyObject*) noexcept

anything = object()   # stands for a value that may change


def held_by(container):
    """What a container holds, as a tuple: of a dict keys and values in turn, of a function its code and defaults; what is
    no dict, list, cell or function is called and tells."""
    if isinstance(container, dict):
        return tuple([v for pair in dict.items(container) for v in pair])
    if isinstance(container, list):
        return tuple(container)
    if PyCell_Check(<PyObject*> container):
        return () if PyCell_GET(<PyObject*> container) == NULL else (<object> PyCell_GET(<PyObject*> container),)
    if PyFunction_Check(<PyObject*> container):
        return container.__code__, container.__defaults__, container.__kwdefaults__
    return tuple(container())


def attributes_of(Tensor t):
    """The dict of attributes that Python code has given a tensor; None where it has given none."""
    return None if t.c.dict == NULL else <object> t.c.dict


def class_dict(cls):
    """The dict of a class, which type.__dict__ shows read-only."""
    if not isinstance(cls, type):
        raise TypeError(f"class_dict: expected a class, got {type(cls).__name__}.")
    return <object> (<PyTypeObject*> cls).tp_dict


cdef inline int same_value(PyObject* now, PyObject* held, object differs) except -1:
    if now == held or held == <PyObject*> anything:
        return 1
    return not differs(<object> now, <object> held)


cdef inline cbool same_part(PyObject* now, PyObject* held) noexcept:
    """Of a part of a function that may be missing, which `held` says with None."""
    return now == held or now == NULL and held == <PyObject*> None


cdef int same_items(PyObject* box, PyObject* held, object differs) except -1:
    cdef Py_ssize_t k = 0, at = 0
    cdef PyObject* key
    cdef PyObject* value
    cdef Py_ssize_t n = PyTuple_GET_SIZE(held)
    if PyDict_Check_(box):
        if 2 * PyDict_Size(box) != n:
            return 0
        while PyDict_Next(box, &at, &key, &value):
            if k + 2 > n:
                return 0
            if not same_value(key, PyTuple_GET_ITEM(held, k), differs):
                return 0
            if not same_value(value, PyTuple_GET_ITEM(held, k + 1), differs):
                return 0
            k += 2
        return 1
    if PyList_Check_(box):
        if PyList_GET_SIZE(box) != n:
            return 0
        for k in range(n):
            if k >= PyList_GET_SIZE(box) or not same_value(PyList_GET_ITEM(box, k), PyTuple_GET_ITEM(held, k), differs):
                return 0
        return 1
    if PyCell_Check(box):
        value = PyCell_GET(box)
        if value == NULL or n == 0:
            return value == NULL and n == 0
        return same_value(value, PyTuple_GET_ITEM(held, 0), differs)
    if PyFunction_Check(box):
        return (PyFunction_GetCode(box) == PyTuple_GET_ITEM(held, 0)
                and same_part(PyFunction_GetDefaults(box), PyTuple_GET_ITEM(held, 1))
                and same_part(PyFunction_GetKwDefaults(box), PyTuple_GET_ITEM(held, 2)))
    now = (<object> box)()
    if not isinstance(now, tuple) or len(now) != n:
        return 0
    for k in range(n):
        if not same_value(PyTuple_GET_ITEM(<PyObject*> now, k), PyTuple_GET_ITEM(held, k), differs):
            return 0
    return 1


def first_changed(list watched, list named, differs):
    """The first thing that is not as it was; None where all are.

    Args:
        watched: pairs (container, what `held_by` gave).
        named: triples (dict, key, value under it, or `anything` where nothing may be compared).
        differs: a function of two values that are not the same object.
    """
    cdef PyObject* now
    for entry in named:
        now = PyDict_GetItemWithError(PyTuple_GET_ITEM(<PyObject*> entry, 0), PyTuple_GET_ITEM(<PyObject*> entry, 1))
        if now == NULL or not same_value(now, PyTuple_GET_ITEM(<PyObject*> entry, 2), differs):
            return entry
    for entry in watched:
        if not same_items(PyTuple_GET_ITEM(<PyObject*> entry, 0), PyTuple_GET_ITEM(<PyObject*> entry, 1), differs):
            return entry
    return None


def moment():
    """A number that every node recorded from now on reaches or exceeds."""
    return next_seq


def shares_memory(Tensor t):
    """Whether another tensor may look at the memory of t."""
    return t.c.array.storage != NULL and t.c.array.storage.refs > 1
