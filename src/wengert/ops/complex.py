"""Complex numbers: their parts, conjugates and directions.

These rows are not holomorphic, so their rules say themselves what is conjugated (the flag `conjugates`). All other
rules are written once, for real numbers: where a saved value is complex, the backward pass hands them its conjugate.
The accumulator keeps the real part where an operand is real. See docs/decisions/0010-complex-rules.md.
"""

from ._def import binary, op, unary


@unary(kernel="conj", flags="conjugates", linear=True, public=False, ref="conj")
def conj(g, x, y):
    """The complex conjugate, elementwise."""
    return g.conj()


@unary(kernel="times_i", flags="conjugates", linear=True, public=False, ref=lambda np, x: x * 1j)
def times_i(g, x, y):
    """A complex tensor times the imaginary unit, elementwise."""
    return -g.times_i()


@binary(
    kernel="complex",
    flags="conjugates",
    linear=True,
    public=False,
    ref=lambda np, a, b: a + 1j * b,
    shown="complex",
)
def complex_of(g, real, imag, y):
    """The complex number of two real parts, elementwise."""
    return g, -g.times_i()


@op("real_part", flags="view conjugates", linear=True, public=False, ref="real")
def real_part(g, x, y):
    """The real parts of a complex tensor; a view."""
    return g


@op("imag_part", flags="view conjugates", linear=True, public=False, ref="imag")
def imag_part(g, x, y):
    """The imaginary parts of a complex tensor; a view."""
    return g.complex_of(0.0).times_i()


@op("view_as_real", flags="view conjugates", linear=True)
def view_as_real(g, x, y):
    """A complex tensor (…) as a real one (…, 2): real and imaginary parts; a view.

    Example:
        >>> import wengert
        >>> wengert.view_as_real(wengert.tensor([1 + 2j]))
        tensor([[1., 2.]])
    """
    return g.join_parts()


@op("view_as_complex", flags="view conjugates", linear=True)
def view_as_complex(g, x, y):
    """A real tensor (…, 2) as a complex one (…); a view. Raises RuntimeError where the parts do not lie side by side.

    Example:
        >>> import wengert
        >>> wengert.view_as_complex(wengert.tensor([[1.0, 2.0]]))
        tensor([1.+2.j])
    """
    return g.view_as_real()


@op("join_parts", flags="view conjugates", linear=True, public=False)
def join_parts(g, x, y):
    """view_as_complex that copies where it must."""
    return g.view_as_real()


@unary(flags="conjugates", public=False, kernel="sgn", kinks=(0.0,), core_name="sgn")
def sgn(g, x, y):
    """The direction x / |x| of a complex number, and 0 at 0; the sign of a real one, elementwise."""
    size = x.abs()
    along = g * y.conj()
    return size.equals(0).where(0, (g - (along + along.conj()) * 0.5 * y) / size)


@unary(flags="conjugates", public=False, kernel="angle", core_name="complex_angle")
def complex_angle(g, x, y):
    """The angle of a complex number in radians, elementwise. Its derivative at 0 is 0."""
    size = x.abs()
    return size.equals(0).where(0, g * x.times_i() / (size * size))
