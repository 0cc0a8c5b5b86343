"""Reductions, norms and cumulative results with PyTorch's overloads."""

import math

from . import _core
from ._bind import OPS
from ._dtypes import DTYPES
from ._overload import Publisher, cast, check_tensor, loses, return_type, store, wrap_dim

Tensor = _core.Tensor
publish = Publisher()
FUNCTIONS, METHODS = publish.functions, publish.methods

_sum, _mean, _amax, _amin = OPS["sum"], OPS["mean"], OPS["amax"], OPS["amin"]
_maximum, _minimum = OPS["maximum"], OPS["minimum"]
_max_along, _min_along = OPS["max_along"], OPS["min_along"]
_argmax, _argmin, _where = OPS["argmax"], OPS["argmin"], OPS["where"]
_bool, _int64, _float32 = DTYPES["bool"], DTYPES["int64"], DTYPES["float32"]


Max, Min = return_type("max", "values", "indices"), return_type("min", "values", "indices")
CumMax, CumMin = return_type("cummax", "values", "indices"), return_type("cummin", "values", "indices")
AMinMax = return_type("aminmax", "min", "max")


def _named_input(op, named):
    """The input under one of NumPy's names."""
    for name in ("x", "a", "x1"):
        if isinstance(named.get(name), Tensor):
            return named.pop(name)
    raise TypeError(f"{op}: expected a Tensor input, got none.")


@publish()
def sum(input=None, *args, dtype=None, **named):
    """The sum over dimensions, or over all of them.

    Args:
        dim: an int, a tuple of ints, or None for all dimensions.
        keepdim: the reduced dimensions stay with size 1.
        dtype: converts the input first; integers and bools are summed as int64 otherwise.

    Example:
        >>> import wengert
        >>> wengert.tensor([[1.0, 2.0], [3.0, 4.0]]).sum(0)
        tensor([4., 6.])
    """
    if dtype is None and not args and not named:
        return _sum(input)
    if input is None:
        input = _named_input("sum", named)
    out = named.get("out")
    if dtype is None and isinstance(out, Tensor) and isinstance(input, Tensor) and loses(input.dtype, out.dtype):
        if not args and named.keys().isdisjoint(("dim", "axis")):
            raise TypeError(f"sum: expected out= that can hold {input.dtype}, got {out.dtype}: can't be cast.")
        dtype = out.dtype  # as in PyTorch: over dimensions, the dtype of out= is that of the sum
    return _sum(input, *args, **named) if dtype is None else cast(_sum(cast(input, dtype), *args, **named), dtype)


@publish()
def mean(input=None, *args, dtype=None, **named):
    """The mean over dimensions, or over all of them. The input is floating, or dtype= makes it so."""
    if dtype is None and not args and not named:
        return _mean(input)
    if input is None:
        input = _named_input("mean", named)
    return _mean(input if dtype is None else cast(input, dtype), *args, **named)


@publish(out=True, numpy=True)
def prod(input, dim=None, keepdim=False, *, dtype=None):
    """The product over one dimension, or over all. Integers and bools are multiplied as int64."""
    input = cast(check_tensor("prod", input), dtype)
    if dim is None:
        return cast(OPS["prod_all"](input.reshape(-1), (-1,), False), dtype)
    return cast(OPS["prod_all"](input, (wrap_dim("prod", dim, input.dim()),), keepdim), dtype)


def _extreme(name, all_of, along, pairwise, kind):
    def extreme(input, *args, out=None, **named):
        if len(args) == 1 and not named and out is None:
            if isinstance(args[0], Tensor):
                return pairwise(input, args[0])
            return kind(*along(input, args[0], False))
        if not args and not named:
            result = all_of(input)
            return result if out is None else store(result, out)
        return general(input, *args, out=out, **named)

    def general(input, dim=None, keepdim=False, *, other=None, axis=None, keepdims=None, out=None):
        if isinstance(dim, Tensor):
            other, dim = dim, None
        if other is not None:
            result = pairwise(input, other)
        else:
            dim = axis if dim is None else dim
            if dim is None:
                raise TypeError(f"{name}: expected a dimension beside keepdim, got none. Pass dim=.")
            result = kind(*along(input, dim, keepdim if keepdims is None else keepdims))
        return result if out is None else store(result, out)

    extreme.__name__ = name
    extreme.__doc__ = f"""The {name}imum: of all elements, along a dimension, or of two tensors elementwise.

    {name}(input) is the value over all elements (ties share the gradient); {name}(input, dim, keepdim=False) the named
    tuple (values, indices) along a dimension; {name}(input, other) the elementwise {name}imum. NaN propagates.
    """
    return extreme


publish()(_extreme("max", _amax, _max_along, _maximum, Max))
publish()(_extreme("min", _amin, _min_along, _minimum, Min))


@publish(numpy=True)
def aminmax(input, *, dim=None, keepdim=False, out=None):
    """The smallest and the largest value, over all elements or along a dimension: a named tuple (min, max)."""
    result = AMinMax(_amin(input, dim, keepdim), _amax(input, dim, keepdim))
    return result if out is None else store(result, out)


def _arg(name, along):
    def arg(input, dim=None, keepdim=False):
        check_tensor(name, input)
        if input.dtype == _bool:
            raise RuntimeError(f"{name}: expected numbers, got a bool tensor. Use .int() first.")
        if dim is None and keepdim:
            return along(input, None, True)
        return along(input, dim, keepdim)

    arg.__name__ = name
    arg.__doc__ = f"The position of the {name[3:]}imum along a dimension, or in the flattened tensor."
    return arg


publish(out=True, numpy=True)(_arg("argmax", _argmax))
publish(out=True, numpy=True)(_arg("argmin", _argmin))


def _truth(name):
    row = OPS[name]

    def truth(input, dim=None, keepdim=False):
        if dim is not None and not isinstance(dim, int) and len(dim) == 0:
            result = OPS["ne"](input, 0)  # over no dimension: each element on its own
        else:
            result = row(input, dim, keepdim)
        return cast(result, input.dtype) if input.dtype == DTYPES["uint8"] else result

    truth.__name__ = name
    truth.__doc__ = f"Whether {name} of the elements are not zero, over dimensions or over all. uint8 stays uint8."
    return truth


publish(out=True, numpy=True)(_truth("any"))
publish(out=True, numpy=True)(_truth("all"))


def _correction(dim, unbiased, correction):
    """The three spellings: var(x, True), var(x, dim, unbiased), var(x, dim, correction=1)."""
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    if correction is None:
        correction = 1 if unbiased is None or unbiased else 0
    return dim, float(correction)


def _spread(name, row, doc):
    stat = OPS[row]

    def spread(input, dim=None, unbiased=None, keepdim=False, *, correction=None):
        check_tensor(name, input)
        dim, correction = _correction(dim, unbiased, correction)
        if input.dtype.is_complex:
            parts = OPS["var_stat"](input.real, dim, keepdim, correction)[0]
            total = parts + OPS["var_stat"](input.imag, dim, keepdim, correction)[0]
            return total if row == "var_stat" else total.sqrt()
        return stat(input, dim, keepdim, correction)[0]

    def spread_mean(input, dim=None, unbiased=None, keepdim=False, *, correction=None):
        where, _ = _correction(dim, unbiased, correction)
        return spread(input, dim, unbiased, keepdim, correction=correction), _mean(input, where, keepdim)

    spread.__name__, spread_mean.__name__ = name, name + "_mean"
    spread.__doc__ = f"""The {doc} over dimensions, or over all elements.

    Args:
        dim: an int, a tuple of ints, or None for all.
        unbiased: divide by n - 1 (the default) or by n.
        correction: divide by n - correction.
        keepdim: the reduced dimensions stay with size 1.
    """
    spread_mean.__doc__ = f"The {doc} and the mean over dimensions: ({name}, mean)."
    publish(out=True, numpy=True)(spread)
    publish(method=False, numpy=True)(spread_mean)


_spread("var", "var_stat", "variance")
_spread("std", "std_stat", "standard deviation")


def _no_complex(op, input):
    check_tensor(op, input)
    if input.dtype.is_complex:
        raise RuntimeError(f"{op}: expected a real tensor, got {input.dtype}. Use .real and .imag.")


@publish(out=True, numpy=True)
def nansum(input, dim=None, keepdim=False, *, dtype=None):
    """The sum with NaN counted as 0."""
    input = cast(input, dtype)
    _no_complex("nansum", input)
    if not input.dtype.is_floating_point:
        return _sum(input, dim, keepdim)
    return _sum(_where(input.isnan(), 0.0, input), dim, keepdim)


@publish(out=True, numpy=True)
def nanmean(input, dim=None, keepdim=False, *, dtype=None):
    """The mean of what is not NaN."""
    check_tensor("nanmean", input)
    if dtype is None and not input.dtype.is_inexact:
        raise RuntimeError(f"nanmean: expected a floating tensor, got {input.dtype}. Pass dtype=, or use mean().")
    input = cast(input, dtype)
    _no_complex("nanmean", input)
    missing = input.isnan()
    count = _sum(OPS["logical_not"](missing), dim, keepdim)
    return _sum(_where(missing, 0.0, input), dim, keepdim) / cast(count, input.dtype)


@publish(out=True, numpy=True)
def logsumexp(input, dim, keepdim=False):
    """log(sum(exp(input))) over dimensions, without overflow."""
    check_tensor("logsumexp", input)
    if input.dtype.is_complex:
        largest = OPS["amax"](input.real.detach(), dim, True)
        largest = OPS["where"](OPS["isfinite"](largest), largest, 0.0)
        total = (input - largest).exp().sum(dim, True).log() + largest
        return (
            total if keepdim or not input.dim() else OPS["squeeze"](total, (dim,) if isinstance(dim, int) else dim)
        )
    return OPS["logsumexp"](input, dim, keepdim)


@publish(numpy=True)
def count_nonzero(input, dim=None):
    """How many elements are not zero, over dimensions or over all."""
    return OPS["count_nonzero"](input, dim, False)


# ---- norms ----------------------------------------------------------------------------------------------------------


def vector_norm(x, p, dim, keepdim):
    """The p-norm over dimensions (None: all) of a floating or complex tensor."""
    if x.dtype.is_complex:
        x = x.abs()
    if not x.dtype.is_floating_point:
        raise RuntimeError(f"norm: expected a floating dtype, got {x.dtype}. Pass dtype=, or convert the tensor.")
    if p == 2:
        return OPS["norm2"](x, dim, keepdim)
    if p == 0:
        return _sum(cast(x.ne(0), x.dtype), dim, keepdim)
    if p == 1:
        return _sum(x.abs(), dim, keepdim)
    if p in (math.inf, -math.inf):
        empty = x.numel() == 0
        if empty and p > 0 and dim is None:
            return _sum(x, dim, keepdim)
        return (_amax if p > 0 else _amin)(x.abs(), dim, keepdim)
    total = _sum(x.abs() ** p, dim, keepdim)
    if p < 0:
        return total ** (1 / p)
    zero = total.eq(0)
    return _where(zero, 0.0, _where(zero, 1.0, total) ** (1 / p))


@publish(out=True, numpy=True)
def norm(input, p="fro", dim=None, keepdim=False, dtype=None):
    """The p-norm of the elements over dimensions, or over all.

    p is a number, math.inf, -math.inf, 'fro' (2) or 'nuc' (the sum of singular values of a matrix). The derivative of
    the 2-norm at 0 is 0.
    """
    check_tensor("norm", input)
    if dtype is not None and input.dtype.is_complex and not dtype.is_complex:
        raise RuntimeError(f"norm: expected a complex dtype for a complex input, got {dtype}.")
    if not input.dtype.is_inexact:
        raise RuntimeError(
            f"norm: expected a floating or complex tensor, got {input.dtype}. Convert it with .float()."
        )
    input = cast(input, dtype)
    if p == "nuc":
        from .linalg import matrix_norm

        return matrix_norm(input, "nuc", dim if dim is not None else (-2, -1), keepdim)
    if p is None or p == "fro":
        p = 2
    elif isinstance(p, str):
        p = float(p)
    return vector_norm(input, p, dim, keepdim)


@publish()
def dist(input, other, p=2):
    """The p-norm of input - other."""
    check_tensor("dist", input)
    check_tensor("dist", other)
    return vector_norm(input - other, p, None, False)


@publish(inplace=True, out=True)
def renorm(input, p, dim, maxnorm):
    """Slices along a dimension whose p-norm is larger than maxnorm are scaled to it; p > 0, maxnorm >= 0."""
    if not (p > 0 and maxnorm >= 0):
        raise RuntimeError(f"renorm: expected p > 0 and maxnorm >= 0, got {p} and {maxnorm}.")
    if check_tensor("renorm", input).dim() < 2:
        raise RuntimeError(f"renorm: expected at least 2 dimensions, got shape {tuple(input.shape)}.")
    dim = wrap_dim("renorm", dim, input.dim())
    others = tuple(d for d in range(input.dim()) if d != dim)
    size = vector_norm(input, p, others, True)
    return input * _where(size > maxnorm, maxnorm / (size + 1e-7), 1.0)


# ---- cumulative -----------------------------------------------------------------------------------------------------


def _cumulative(name):
    row = OPS[name]

    def cumulative(input, dim, *, dtype=None):
        return cast(row(cast(input, dtype), dim), dtype)

    cumulative.__name__ = name
    cumulative.__doc__ = row.row.doc
    publish(out=True, numpy=True, inplace=name != "logcumsumexp")(cumulative)


for _name in ("cumsum", "cumprod", "logcumsumexp"):
    _cumulative(_name)


@publish(out=True, numpy=True)
def cummax(input, dim):
    """The running maximum along a dimension: (values, indices). NaN wins and stays; of equal values the later counts."""
    return CumMax(*OPS["cummax"](input, dim))


@publish(out=True, numpy=True)
def cummin(input, dim):
    """The running minimum along a dimension: (values, indices). NaN wins and stays; of equal values the later counts."""
    return CumMin(*OPS["cummin"](input, dim))


@publish(numpy=True, out=True)
def diff(input, n=1, dim=-1, prepend=None, append=None):
    """The n-th difference of neighbours along a dimension."""
    if check_tensor("diff", input).dim() == 0:
        raise RuntimeError("diff: expected a tensor with dimensions, got shape ().")
    if n < 0:
        raise RuntimeError(f"diff: expected n of at least 0, got {n}.")
    if n == 0:
        return OPS["alias"](input)
    parts = [t for t in (prepend, input, append) if t is not None]
    if len(parts) > 1:
        input = OPS["cat"](parts, dim)
    dim = wrap_dim("diff", dim, input.dim())
    for _ in range(n):
        size = input.shape[dim]
        if size == 0:
            break
        ahead, behind = OPS["slice"](input, dim, 1, size - 1, 1), OPS["slice"](input, dim, 0, size - 1, 1)
        input = ahead - behind if input.dtype != DTYPES["bool"] else OPS["logical_xor"](ahead, behind)
    return input


def _areas(op, y, x, dx, dim):
    """The trapezoids between neighbours along a dimension."""
    if x is not None:
        check_tensor(op, x)
    if check_tensor(op, y).dtype == DTYPES["bool"]:
        raise RuntimeError(f"{op}: expected numbers, got bool values. Convert them first.")
    dim = wrap_dim(op, dim, y.dim())
    size = y.shape[dim]
    if size < 1:
        return y if y.dtype.is_inexact else cast(y, _core.get_default_dtype())
    pairs = OPS["slice"](y, dim, 1, size - 1, 1) + OPS["slice"](y, dim, 0, size - 1, 1)
    if x is None:
        return pairs * (dx / 2)
    if x.dim() == 1:
        x = x.reshape(tuple(-1 if d == dim else 1 for d in range(y.dim())))
    if not x.dim():
        raise RuntimeError(f"{op}: expected points x with dimensions, got shape ().")
    return pairs * diff(x, dim=wrap_dim(op, dim - y.dim(), x.dim())) / 2


@publish("trapz", method=False, numpy=True)
def trapezoid(y, x=None, *, dx=1, dim=-1):
    """The integral along a dimension by the trapezoidal rule, for the points x or for equal steps dx.

    Example:
        >>> import wengert
        >>> wengert.trapezoid(wengert.tensor([1.0, 2.0, 3.0]))
        tensor(4.)
    """
    return _sum(_areas("trapezoid", y, x, dx, dim), dim)


@publish(method=False, numpy=True)
def cumulative_trapezoid(y, x=None, *, dx=1, dim=-1):
    """The running integral along a dimension by the trapezoidal rule."""
    return OPS["cumsum"](_areas("cumulative_trapezoid", y, x, dx, dim), dim)
