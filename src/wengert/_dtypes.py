"""The dtype objects under their public names, and the limits of their numbers."""

from . import _core

(
    bool,
    uint8,
    int8,
    int16,
    int32,
    int64,
    float16,
    bfloat16,
    float32,
    float64,
    complex64,
    complex128,
) = _core.all_dtypes()
dtype = type(float32)
half, float, double, short, int, long = float16, float32, float64, int16, int32, int64
cfloat, cdouble = complex64, complex128
DTYPES = {d.name: d for d in _core.all_dtypes()} | {
    "half": half,
    "float": float,
    "double": double,
    "short": short,
    "int": int,
    "long": long,
    "cfloat": cfloat,
    "cdouble": cdouble,
}

# Bits of the fraction, smallest exponent of a normal number, largest exponent, decimal digits.
_FLOATS = {
    "float16": (10, -14, 15, 3),
    "bfloat16": (7, -126, 127, 2),
    "float32": (23, -126, 127, 6),
    "float64": (52, -1022, 1023, 15),
    # No tensors have the following ones; programs ask for their limits under the name torch.
    "float8_e4m3fn": (3, -6, 8, 0),
    "float8_e5m2": (2, -14, 15, 0),
    "float8_e4m3fnuz": (3, -7, 7, 0),
    "float8_e5m2fnuz": (2, -15, 15, 0),
}
_INTEGERS = {f"{sign}int{bits}": (bits, not sign) for sign in ("u", "") for bits in (8, 16, 32, 64)}


class finfo:
    """Limits of a floating dtype, or of the parts of a complex one.

    Attributes: bits, eps, max, min, tiny (smallest_normal), resolution, dtype.

    The dtype is the default dtype unless given. Raises TypeError for any other dtype.

    Example:
        >>> import wengert
        >>> wengert.finfo(wengert.float32).eps
        1.1920928955078125e-07
    """

    def __init__(self, type=None):
        type = _core.get_default_dtype() if type is None else type
        type = type.to_real() if isinstance(type, dtype) else type
        if getattr(type, "name", None) not in _FLOATS:
            raise TypeError(f"finfo: expected a floating dtype, got {type!r}. Use wengert.iinfo() for integers.")
        fraction, lowest, highest, digits = _FLOATS[type.name]
        self.dtype = type.name
        self.bits = 8 * type.itemsize
        self.eps = 2.0**-fraction
        taken = self.eps if type.name == "float8_e4m3fn" else 0.0  # its largest pattern is NaN
        self.max = (2.0 - self.eps - taken) * 2.0**highest
        self.min = -self.max
        self.tiny = self.smallest_normal = 2.0**lowest
        self.resolution = 10.0**-digits

    def __repr__(self):
        fields = ("resolution", "min", "max", "eps", "smallest_normal", "tiny")
        text = ", ".join(f"{name}={getattr(self, name):g}" for name in fields)
        return f"finfo({text}, dtype={self.dtype})"

    def __eq__(self, other):
        return isinstance(other, finfo) and other.dtype == self.dtype

    def __hash__(self):
        return hash(("finfo", self.dtype))


class iinfo:
    """Limits of an integer dtype: bits, max, min, dtype. Raises TypeError for any other dtype.

    Example:
        >>> import wengert
        >>> wengert.iinfo(wengert.int8).max
        127
    """

    def __init__(self, type):
        if getattr(type, "name", None) not in _INTEGERS:
            raise TypeError(f"iinfo: expected an integer dtype, got {type!r}. Use wengert.finfo() for floats.")
        self.bits, signed = _INTEGERS[type.name]
        self.dtype = type.name
        self.max = 2 ** (self.bits - signed) - 1
        self.min = -(2 ** (self.bits - 1)) if signed else 0

    def __repr__(self):
        return f"iinfo(min={self.min}, max={self.max}, dtype={self.dtype})"

    def __eq__(self, other):
        return isinstance(other, iinfo) and other.dtype == self.dtype

    def __hash__(self):
        return hash(("iinfo", self.dtype))
