# dtype objects, and Python numbers as arrays.

cdef str shown_package = "wengert"


def show_as(str name):
    """Sets the package's name in printed dtypes, shapes and layouts; returns the one before."""
    global shown_package
    before = shown_package
    shown_package = name
    return before


def shown_name():
    """The package's name in printed dtypes, shapes and layouts: "wengert", or "torch" inside as_torch()."""
    return shown_package


@cython.binding(False)
cdef class DTypeObject:
    """An element type, such as wengert.float32. Compare with `is` or `==`."""
    cdef readonly int code
    cdef readonly str name

    def __repr__(self):
        return shown_package + "." + self.name

    def __reduce__(self):
        return _dtype_from_name, (self.name,)

    @property
    def itemsize(self):
        """Bytes of one element."""
        return itemsize(self.code)

    @property
    def is_floating_point(self):
        """Whether the type is a floating one."""
        return is_float(self.code)

    @property
    def is_complex(self):
        """Whether the type is complex."""
        return is_complex(self.code)

    @property
    def is_inexact(self):
        """Whether the type is floating or complex: tensors of such a type can require grad."""
        return is_inexact(self.code)

    def to_complex(self):
        """The complex type whose parts hold this type."""
        if not is_inexact(self.code) or is_complex(self.code):
            return self if is_complex(self.code) else dtypes[complex_type(default_dtype)]
        return dtypes[complex_type(self.code)]

    def to_real(self):
        """The type of the parts of a complex type; itself for any other."""
        return dtypes[part_type(self.code)] if is_complex(self.code) else self

    @property
    def is_signed(self):
        """Whether the type holds negative values."""
        return self.code != kBool and self.code != kUInt8


cdef list dtypes = []


def _dtype_from_name(str name):
    for d in dtypes:
        if (<DTypeObject> d).name == name:
            return d
    raise ValueError(f"dtype: expected one of {[d.name for d in dtypes]}, got {name!r}.")


cdef int _make_dtypes() except -1:
    cdef DTypeObject d
    cdef int i
    for i in range(kNumDTypes):
        d = DTypeObject.__new__(DTypeObject)
        d.code = i
        d.name = (<bytes> kDTypeName[i]).decode()
        dtypes.append(d)
    return 0


_make_dtypes()


def all_dtypes():
    """All dtype objects, in the order of their numbers."""
    return list(dtypes)


def set_default_dtype(dtype):
    """Sets the floating dtype of new tensors and of results of integer operands (float32 at first)."""
    global default_dtype
    if not isinstance(dtype, DTypeObject) or not is_float((<DTypeObject> dtype).code):
        raise TypeError(f"set_default_dtype: expected a floating dtype, got {dtype!r}.")
    default_dtype = (<DTypeObject> dtype).code


def get_default_dtype():
    """The floating dtype of new tensors."""
    return dtypes[default_dtype]


cdef int dtype_code(object d, str op) except -1:
    if isinstance(d, DTypeObject):
        return (<DTypeObject> d).code
    if d is float:
        return kFloat64
    if d is int:
        return kInt64
    if d is bool:
        return kBool
    if d is complex:
        return kComplex128
    raise TypeError(f"{op}: expected a dtype such as wengert.float32, got {d!r}.")


cdef int weak_array(object v, Array* out, object op) except -1:
    """A Python number as a weak 0-d array: bool, int64 or float64. Borrowed layout reference counted. op: for errors."""
    out.storage = NULL
    out.layout = layout_scalar()
    layout_incref(out.layout)
    out.version = 0
    out.slot = 0
    out.flags = kWeak
    out.u.i64 = 0
    if PyFloat_CheckExact(v):
        out.dtype = kFloat64
        out.u.f64 = PyFloat_AS_DOUBLE(v)
    elif PyBool_Check(v):
        out.dtype = kBool
        (<uint8_t*> out.data())[0] = 1 if v is True else 0
    elif PyLong_CheckExact(v):
        out.dtype = kInt64
        out.u.i64 = int64_of(v, op, "a number", OverflowError)
    elif PyFloat_Check(v):
        out.dtype = kFloat64
        out.u.f64 = float(v)
    elif hasattr(v, "__index__"):
        out.dtype = kInt64
        out.u.i64 = int64_of(v.__index__(), op, "a number", OverflowError)
    elif hasattr(v, "item") and getattr(v, "shape", None) == ():
        layout_decref(out.layout)
        return weak_array(v.item(), out, op)
    else:
        layout_decref(out.layout)
        raise TypeError(f"number: expected a bool, int or float, got {type(v).__name__}.")
    return 0
