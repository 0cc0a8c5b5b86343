"""Complex tensors: making them, taking them apart, conjugating. Real tensors go through as they are."""

import math

from . import _core
from ._bind import OPS
from ._dtypes import DTYPES
from ._overload import Publisher, check_tensor

Tensor = _core.Tensor
publish = Publisher()
FUNCTIONS, METHODS = publish.functions, publish.methods

_where = OPS["where"]


def _is_complex(x):
    return x.dtype.is_complex


# ---- making ---------------------------------------------------------------------------------------------------------


def _check_parts(op, a, b):
    for v in (a, b):
        check_tensor(op, v)
        if v.dtype not in (DTYPES["float32"], DTYPES["float64"]):
            raise RuntimeError(f"{op}: expected float32 or float64 tensors, got {v.dtype}. Convert with .float().")
    if a.dtype != b.dtype:
        raise RuntimeError(f"{op}: expected operands of one dtype, got {a.dtype} and {b.dtype}.")


@publish(method=False, out=True)
def complex(real, imag):
    """The complex tensor of real and imaginary parts, which broadcast: float32 gives complex64, float64 complex128.

    Example:
        >>> import wengert
        >>> wengert.complex(wengert.tensor([1.0, 2.0]), wengert.tensor([3.0, 4.0]))
        tensor([1.+3.j, 2.+4.j])
    """
    _check_parts("complex", real, imag)
    return OPS["complex_of"](real, imag)


@publish(method=False, out=True)
def polar(abs, angle):
    """The complex tensor abs * exp(i angle), of sizes and angles in radians.

    Example:
        >>> import wengert
        >>> wengert.polar(wengert.tensor([2.0]), wengert.tensor([0.0]))
        tensor([2.+0.j])
    """
    _check_parts("polar", abs, angle)
    return OPS["complex_of"](abs * angle.cos(), abs * angle.sin())


# ---- parts ----------------------------------------------------------------------------------------------------------


@publish(method=False)
def real(input):
    """The real parts, a view; a real tensor itself.

    Example:
        >>> import wengert
        >>> wengert.real(wengert.tensor([1 + 2j]))
        tensor([1.])
    """
    return OPS["real_part"](input) if _is_complex(check_tensor("real", input)) else input


@publish(method=False)
def imag(input):
    """The imaginary parts of a complex tensor, a view. Raises RuntimeError for a real one.

    Example:
        >>> import wengert
        >>> wengert.imag(wengert.tensor([1 + 2j]))
        tensor([2.])
    """
    return OPS["imag_part"](check_tensor("imag", input))


def _set_real(self, value):
    real(self).copy_(value if isinstance(value, Tensor) else _core.from_data(value))


def _set_imag(self, value):
    imag(self).copy_(value if isinstance(value, Tensor) else _core.from_data(value))


METHODS["real"] = property(real, _set_real)
METHODS["imag"] = property(imag, _set_imag)


@publish(out=True)
def angle(input):
    """The angle of complex numbers in radians; of real ones 0, pi for negative ones, NaN for NaN.

    Example:
        >>> import wengert
        >>> wengert.angle(wengert.tensor([1j]))
        tensor([1.5708])
    """
    check_tensor("angle", input)
    if _is_complex(input):
        return OPS["complex_angle"](input)
    if not input.dtype.is_floating_point:
        input = OPS["cast"](input, _core.get_default_dtype())
    return _where(input.isnan(), input, _where(input < 0, math.pi, input * 0.0))


@publish(inplace=True, out=True)
def sgn(input):
    """The direction x / |x| of complex numbers (0 at 0), the sign of real ones."""
    check_tensor("sgn", input)
    return OPS["sgn" if _is_complex(input) else "sign"](input)


@publish()
def isreal(input):
    """Where numbers have no imaginary part: everywhere, in a real tensor."""
    check_tensor("isreal", input)
    if _is_complex(input):
        return imag(input.detach()).eq(0)
    return _core.full(tuple(input.shape), True, DTYPES["bool"])


# ---- conjugates -----------------------------------------------------------------------------------------------------


@publish("conj_physical", out=True)
def conj(input):
    """The complex conjugate, in memory of its own; a real tensor itself.

    PyTorch's conj() is a view that conjugates when it is read; the values are the same.

    Example:
        >>> import wengert
        >>> wengert.tensor([1 + 2j]).conj()
        tensor([1.-2.j])
    """
    check_tensor("conj", input)
    return OPS["conj"](input) if _is_complex(input) else input


def _conj_physical_(self):
    name, operands = ("conj", ()) if _is_complex(self) else ("assign", (OPS["clone"](self),))
    return _core.inplace(OPS[name].entry, self, operands, ())


_conj_physical_.__name__ = "conj_physical_"
_conj_physical_.__doc__ = "In-place form of conj_physical: writes the result to the tensor and returns it."
METHODS["conj_physical_"] = _conj_physical_


@publish()
def resolve_conj(input):
    """The tensor itself: conjugates are computed when they are asked for."""
    return check_tensor("resolve_conj", input)


@publish()
def resolve_neg(input):
    """The tensor itself: negatives are computed when they are asked for."""
    return check_tensor("resolve_neg", input)


@publish()
def is_conj(input):
    """Whether the tensor waits for its conjugation: never."""
    check_tensor("is_conj", input)
    return False


@publish()
def is_neg(input):
    """Whether the tensor waits for its negation: never."""
    check_tensor("is_neg", input)
    return False


@publish()
def adjoint(input):
    """The last two dimensions swapped, and the conjugate."""
    check_tensor("adjoint", input)
    return conj(input.mT)


def _H(self):
    """The conjugate transpose of a matrix. Raises RuntimeError for anything but two dimensions (or none)."""
    if self.ndim not in (0, 2):
        raise RuntimeError(f"H: expected a matrix, got shape {tuple(self.shape)}.")
    return conj(self.transpose(0, 1) if self.ndim else self)


METHODS["H"] = property(_H, doc=_H.__doc__)
METHODS["mH"] = property(adjoint, doc="The conjugate transposes of matrices: the last two dimensions swapped.")
METHODS["cfloat"] = _core.to_complex64
METHODS["cdouble"] = _core.to_complex128
