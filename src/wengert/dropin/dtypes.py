"""Dtypes of torch that no tensor has here: programs ask for them by name, in tables of file formats and comparisons."""

from wengert import _core


class AbsentDtype:
    """The name of a dtype without tensors: unequal to every dtype that is here; calls that would use it raise TypeError."""

    stands_in = True

    def __init__(self, name, itemsize):
        self.name, self.itemsize = name, itemsize
        self.is_floating_point = name.startswith(("float", "bfloat"))
        self.is_complex = name.startswith("complex")
        self.is_signed = not name.startswith(("uint", "quint"))

    def __repr__(self):
        return f"{_core.shown_name()}.{self.name}"

    def __reduce__(self):
        return _by_name, (self.name,)


def _by_name(name):
    return ABSENT[name]


_BYTES = {"uint16": 2, "uint32": 4, "uint64": 8, "complex32": 4, "qint8": 1, "quint8": 1, "qint32": 4}
_BYTES |= dict.fromkeys(
    (
        "float8_e4m3fn float8_e5m2 float8_e4m3fnuz float8_e5m2fnuz float8_e8m0fnu float4_e2m1fn_x2 quint4x2 quint2x4"
        " int1 int2 int4 uint1 uint2 uint4"
    ).split(),
    1,
)
ABSENT = {name: AbsentDtype(name, size) for name, size in _BYTES.items()}
ABSENT["chalf"] = ABSENT["complex32"]
