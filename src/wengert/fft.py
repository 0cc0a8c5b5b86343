"""Discrete Fourier transforms. NumPy transforms, in single precision for float32 where it can (NumPy 2 and later).

Each function is one of three linear maps with a factor: complex to complex, real to the first half of a complex
spectrum, and that half back to real numbers. Their gradients are transforms again, so all of them can be
differentiated any number of times.

`norm` says where the factor 1/n stands: "backward" (the default) with the inverse transform, "forward" with the forward
one, "ortho" as 1/sqrt(n) with both.
"""

import math

import numpy as np

from . import _core
from . import _host as host
from ._bind import OPS
from ._overload import cast, check_tensor, numpy_names, store, wrap_dim, wrap_dims
from ._published import all_published
from ._rearranging import roll
from ._spans import fitting
from .autograd import Function

__all__ = [
    "fft",
    "fft2",
    "fftfreq",
    "fftn",
    "fftshift",
    "hfft",
    "hfft2",
    "hfftn",
    "ifft",
    "ifft2",
    "ifftn",
    "ifftshift",
    "ihfft",
    "ihfft2",
    "ihfftn",
    "irfft",
    "irfft2",
    "irfftn",
    "rfft",
    "rfft2",
    "rfftfreq",
    "rfftn",
]

# ---- the three maps ---------------------------------------------------------------------------------------------------


def _scaled(array, dtype, scale):
    array = np.ascontiguousarray(array, dtype=dtype)
    if scale != 1.0:
        array *= scale
    return (array,)


def _half_specs(a, scale, *dims):
    shape = list(a[0])
    shape[dims[-1]] = shape[dims[-1]] // 2 + 1
    return [(tuple(shape), a[1].to_complex())]


def _whole_specs(a, n, scale, *dims):
    shape = list(a[0])
    shape[dims[-1]] = n
    return [(tuple(shape), a[1].to_real())]


@host.register("fft.complex_to_complex", lambda a, *_: [a])
def _complex_to_complex(a, inverse, scale, *dims):
    return _scaled(
        np.fft.ifftn(a, axes=dims, norm="forward") if inverse else np.fft.fftn(a, axes=dims), a.dtype, scale
    )


@host.register("fft.real_to_half", _half_specs)
def _real_to_half(a, scale, *dims):
    return _scaled(np.fft.rfftn(a, axes=dims), np.result_type(a.dtype, np.complex64), scale)


@host.register("fft.half_to_real", _whole_specs)
def _half_to_real(a, n, scale, *dims):
    sizes = [*(a.shape[d] for d in dims[:-1]), n]
    return _scaled(np.fft.irfftn(a, s=sizes, axes=dims, norm="forward"), a.real.dtype, scale)


@host.gradient("fft.complex_to_complex", lambda options: (options[2:], *options[:2]))
class _ComplexToComplex(Function):
    """Sums of x exp(-+ 2 pi i k j / n) over `dims`, times `scale`."""

    _grad_name = "FftC2CBackward0"

    @staticmethod
    def forward(ctx, x, dims, inverse, scale):
        ctx.given = dims, inverse, scale
        return host.call("fft.complex_to_complex", x, options=(inverse, scale, *dims))[0]

    @staticmethod
    def backward(ctx, g):
        dims, inverse, scale = ctx.given
        return _ComplexToComplex.apply(g, dims, not inverse, scale), None, None, None


@host.gradient("fft.real_to_half", lambda options: (options[1:], options[0]))
class _RealToHalf(Function):
    """The forward transform of real numbers, up to index n // 2 of the last of `dims`."""

    _grad_name = "FftR2CBackward0"

    @staticmethod
    def forward(ctx, x, dims, scale):
        ctx.given = dims, scale, x.shape[dims[-1]]
        return host.call("fft.real_to_half", x, options=(scale, *dims))[0]

    @staticmethod
    def backward(ctx, g):
        dims, scale, n = ctx.given
        whole = _resized(g, dims[-1], n)
        return _ComplexToComplex.apply(whole, dims, True, scale).real, None, None


@host.gradient("fft.half_to_real", lambda options: (options[2:], *options[:2]))
class _HalfToReal(Function):
    """The inverse transform of the first half of a Hermitian spectrum to n real numbers along the last of `dims`."""

    _grad_name = "FftC2RBackward0"

    @staticmethod
    def forward(ctx, x, dims, n, scale):
        ctx.given = dims, n, scale
        return host.call("fft.half_to_real", x, options=(n, scale, *dims))[0]

    @staticmethod
    def backward(ctx, g):
        # What the half leaves out is there twice: once as itself, once as its mirror image.
        dims, n, scale = ctx.given
        half = _RealToHalf.apply(g, dims, scale)
        twice = _core.full((half.shape[dims[-1]],), 2.0, g.dtype)
        twice[0] = 1.0
        if n % 2 == 0:
            twice[-1] = 1.0
        after = half.dim() - 1 - dims[-1]
        return half * OPS["reshape"](twice, (-1, *(1,) * after)), None, None, None


# ---- arguments --------------------------------------------------------------------------------------------------------


def _resized(x, dim, n):
    """x cut, or continued with zeros, to n elements along a dimension."""
    have = x.shape[dim]
    if n < have:
        return OPS["slice"](x, dim, 0, n, 1)
    if n == have:
        return x
    shape = list(x.shape)
    shape[dim] = n - have
    return OPS["cat"]([x, _core.full(tuple(shape), 0, x.dtype)], dim)


def _scale(op, norm, n, inverse):
    if norm not in (None, "backward", "ortho", "forward"):
        raise RuntimeError(f"{op}: expected norm None, 'backward', 'ortho' or 'forward', got {norm!r}.")
    if norm == "ortho":
        return 1.0 / math.sqrt(n)
    return 1.0 / n if (norm == "forward") != inverse else 1.0


def _input(op, x, real=False, complex=False):
    if x.dtype.name in ("float16", "bfloat16"):
        raise RuntimeError(
            f"{op}: expected float32, float64 or a complex dtype, got {x.dtype}. Use .float() first."
        )
    if real and x.dtype.is_complex:
        raise RuntimeError(f"{op}: expected a real tensor, got {x.dtype}. Use the transform without 'r', or .real.")
    if not x.dtype.is_inexact:
        x = cast(x, _core.get_default_dtype())
    return cast(x, x.dtype.to_complex()) if complex else x


def _check_size(op, n):
    if n < 1:
        raise RuntimeError(f"{op}: expected at least one element to transform, got {n}.")
    return n


def _one(op, x, n, dim):
    """(dims, n) of a transform over one dimension."""
    check_tensor(op, x)
    if x.dim() == 0:
        raise IndexError(f"{op}: expected a tensor with dimensions, got shape ().")
    dim = wrap_dim(op, dim, x.dim())
    return (dim,), None if n is None else (n,)


def _several(op, x, s, dim):
    """(dims, sizes or None) of a transform over several dimensions."""
    check_tensor(op, x)
    s = (s,) if isinstance(s, int) else s
    if dim is None:
        if s is not None and len(s) > x.dim():
            raise RuntimeError(f"{op}: expected at most {x.dim()} sizes in s, got {len(s)}.")
        return tuple(range(0 if s is None else x.dim() - len(s), x.dim())), s
    dims = wrap_dims(op, dim, x.dim())
    if s is not None and len(s) != len(dims):
        raise RuntimeError(f"{op}: expected as many sizes in s as dimensions, got {len(s)} and {len(dims)}.")
    return dims, s


def _fitted(op, x, dims, s, half=False):
    """x resized to the wanted sizes, and the sizes; with `half`, x holds s // 2 + 1 elements of the last of them."""
    sizes = []
    for k, d in enumerate(dims):
        last = half and k == len(dims) - 1
        n = None if s is None or s[k] == -1 else s[k]
        if n is None:
            n = 2 * (x.shape[d] - 1) if last else x.shape[d]
        sizes.append(_check_size(op, n))
        x = _resized(x, d, n // 2 + 1 if last else n)
    return x, sizes


def _complex(op, x, dims, s, norm, inverse):
    x = _input(op, x, complex=True)
    x, sizes = _fitted(op, x, dims, s)
    if not dims:
        return x
    return _ComplexToComplex.apply(x, dims, inverse, _scale(op, norm, math.prod(sizes), inverse))


def _to_half(op, x, dims, s, norm, inverse=False):
    x = _input(op, x, real=True)
    if not dims:
        raise RuntimeError(f"{op}: expected at least one dimension to transform, got none.")
    x, sizes = _fitted(op, x, dims, s)
    return _RealToHalf.apply(x, dims, _scale(op, norm, math.prod(sizes), inverse))


def _from_half(op, x, dims, s, norm, inverse=True):
    x = _input(op, x, complex=True)
    if not dims:
        raise RuntimeError(f"{op}: expected at least one dimension to transform, got none.")
    x, sizes = _fitted(op, x, dims, s, half=True)
    x = x if inverse else x.conj()
    return _HalfToReal.apply(x, dims, sizes[-1], _scale(op, norm, math.prod(sizes), inverse))


def _done(result, out):
    return result if out is None else store(result, out)


# ---- one dimension ----------------------------------------------------------------------------------------------------


def fft(input, n=None, dim=-1, norm=None, *, out=None):
    """The discrete Fourier transform along a dimension: sum_j x_j exp(-2 pi i j k / n), complex.

    Args:
        input: a tensor; real ones count as complex.
        n: the length of the transform: the input is cut, or continued with zeros, to it.
        dim: the dimension.
        norm: where the factor 1/n stands: "backward" (not here), "forward" (here) or "ortho" (its square root).

    Raises RuntimeError for n below 1, for half-precision input and for an unknown norm, IndexError for a dimension that
    is not there.

    Example:
        >>> import wengert
        >>> wengert.fft.fft(wengert.tensor([1.0, 0.0]))
        tensor([1.+0.j, 1.+0.j])
    """
    return _done(_complex("fft", input, *_one("fft", input, n, dim), norm, False), out)


def ifft(input, n=None, dim=-1, norm=None, *, out=None):
    """The inverse of fft: sum_k x_k exp(2 pi i j k / n) / n, complex. Arguments as for fft."""
    return _done(_complex("ifft", input, *_one("ifft", input, n, dim), norm, True), out)


def rfft(input, n=None, dim=-1, norm=None, *, out=None):
    """fft of real numbers up to index n // 2; the rest mirrors it. Raises RuntimeError for complex input.

    Example:
        >>> import wengert
        >>> wengert.fft.rfft(wengert.ones(4))
        tensor([4.+0.j, 0.+0.j, 0.+0.j])
    """
    return _done(_to_half("rfft", input, *_one("rfft", input, n, dim), norm), out)


def irfft(input, n=None, dim=-1, norm=None, *, out=None):
    """The inverse of rfft: n real numbers (2 (m - 1) for m given ones unless n says so)."""
    return _done(_from_half("irfft", input, *_one("irfft", input, n, dim), norm), out)


def hfft(input, n=None, dim=-1, norm=None, *, out=None):
    """fft of a Hermitian signal that is given by its first half: n real numbers."""
    return _done(_from_half("hfft", input, *_one("hfft", input, n, dim), norm, False), out)


def ihfft(input, n=None, dim=-1, norm=None, *, out=None):
    """The inverse of hfft: the first half of a Hermitian signal."""
    return _done(_to_half("ihfft", input, *_one("ihfft", input, n, dim), norm, True).conj(), out)


# ---- several dimensions -----------------------------------------------------------------------------------------------


def fftn(input, s=None, dim=None, norm=None, *, out=None):
    """fft along several dimensions: all of them, or the last len(s), unless dim names them.

    Args:
        input: a tensor.
        s: sizes to which the dimensions are cut or continued with zeros; -1 keeps a size.
        dim: the dimensions.
        norm: as for fft, with n the product of all sizes.

    Raises RuntimeError where s and dim have different lengths or a dimension is named twice.
    """
    return _done(_complex("fftn", input, *_several("fftn", input, s, dim), norm, False), out)


def ifftn(input, s=None, dim=None, norm=None, *, out=None):
    """The inverse of fftn."""
    return _done(_complex("ifftn", input, *_several("ifftn", input, s, dim), norm, True), out)


def rfftn(input, s=None, dim=None, norm=None, *, out=None):
    """fftn of real numbers, up to index n // 2 of the last dimension."""
    return _done(_to_half("rfftn", input, *_several("rfftn", input, s, dim), norm), out)


def irfftn(input, s=None, dim=None, norm=None, *, out=None):
    """The inverse of rfftn; s tells the sizes of the result."""
    return _done(_from_half("irfftn", input, *_several("irfftn", input, s, dim), norm), out)


def hfftn(input, s=None, dim=None, norm=None, *, out=None):
    """fftn of a Hermitian signal that is given by the first half of its last dimension: real numbers."""
    return _done(_from_half("hfftn", input, *_several("hfftn", input, s, dim), norm, False), out)


def ihfftn(input, s=None, dim=None, norm=None, *, out=None):
    """The inverse of hfftn."""
    return _done(_to_half("ihfftn", input, *_several("ihfftn", input, s, dim), norm, True).conj(), out)


def fft2(input, s=None, dim=(-2, -1), norm=None, *, out=None):
    """fftn over two dimensions, the last ones unless dim names others."""
    return fftn(input, s, dim, norm, out=out)


def ifft2(input, s=None, dim=(-2, -1), norm=None, *, out=None):
    """The inverse of fft2."""
    return ifftn(input, s, dim, norm, out=out)


def rfft2(input, s=None, dim=(-2, -1), norm=None, *, out=None):
    """rfftn over two dimensions.

    Example:
        >>> import wengert
        >>> wengert.fft.rfft2(wengert.ones(2, 4)).shape
        wengert.Size([2, 3])
    """
    return rfftn(input, s, dim, norm, out=out)


def irfft2(input, s=None, dim=(-2, -1), norm=None, *, out=None):
    """The inverse of rfft2."""
    return irfftn(input, s, dim, norm, out=out)


def hfft2(input, s=None, dim=(-2, -1), norm=None, *, out=None):
    """hfftn over two dimensions."""
    return hfftn(input, s, dim, norm, out=out)


def ihfft2(input, s=None, dim=(-2, -1), norm=None, *, out=None):
    """The inverse of hfft2."""
    return ihfftn(input, s, dim, norm, out=out)


# ---- frequencies ------------------------------------------------------------------------------------------------------


def _frequencies(numbers, n, d, out, dtype, requires_grad):
    values = cast(_core.from_numpy(numbers), dtype or _core.get_default_dtype()) * (1.0 / (n * d))
    if requires_grad:
        values.requires_grad_()
    return _done(values, out)


def _check_count(op, n):
    if n < 1:
        raise RuntimeError(f"{op}: expected at least one sample, got n = {n}.")
    fitting(op, n)


def fftfreq(n, d=1.0, *, out=None, dtype=None, layout=None, device=None, requires_grad=False):
    """The frequencies of fft's results for n samples at distance d: [0, 1, ..., -2, -1] / (n d).

    Example:
        >>> import wengert
        >>> wengert.fft.fftfreq(4)
        tensor([ 0.0000,  0.2500, -0.5000, -0.2500])
    """
    _check_count("fftfreq", n)
    half = (n + 1) // 2
    numbers = np.concatenate([np.arange(half), np.arange(half - n, 0)])
    return _frequencies(numbers, n, d, out, dtype, requires_grad)


def rfftfreq(n, d=1.0, *, out=None, dtype=None, layout=None, device=None, requires_grad=False):
    """The frequencies of rfft's results for n samples at distance d: [0, 1, ..., n // 2] / (n d)."""
    _check_count("rfftfreq", n)
    return _frequencies(np.arange(n // 2 + 1), n, d, out, dtype, requires_grad)


def _shifted(op, x, dim, amount):
    dims = wrap_dims(op, dim, check_tensor(op, x).dim())
    return roll(x, tuple(amount(x.shape[d]) for d in dims), dims) if dims else x


def fftshift(input, dim=None):
    """The spectrum with frequency 0 in the middle, along all dimensions or those named."""
    return _shifted("fftshift", input, dim, lambda n: n // 2)


def ifftshift(input, dim=None):
    """The inverse of fftshift."""
    return _shifted("ifftshift", input, dim, lambda n: (n + 1) // 2)


# NumPy's names of arguments, as PyTorch takes them: axis= for dim=.
globals().update({name: numpy_names(globals()[name]) for name in __all__ if not name.endswith("freq")})
all_published("fft", globals(), __all__)
