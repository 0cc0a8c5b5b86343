"""Random tensors, seeds and generators."""

from . import _core
from . import _host as host
from ._bind import OPS
from ._dtypes import finfo, iinfo
from ._overload import check_tensor

Tensor = _core.Tensor
FUNCTIONS = {"rand": _core.make_rand, "randn": _core.make_randn}
METHODS = {}

default_generator = _core.default_generator()
default_generator.seed()  # programs that set no seed differ from run to run

_draw, _draw_inplace = _core.draw, _core.draw_inplace
_NAMES = "draw_integers draw_permutation uniform normal exponential bernoulli random_integers"
_ENTRY = {name: OPS[name].entry for name in _NAMES.split()}


def _function(f):
    FUNCTIONS[f.__name__] = f
    return f


def _method(f):
    METHODS[f.__name__] = f
    return f


# ---- seeds -------------------------------------------------------------------------------------------------------


@_function
def manual_seed(seed):
    """Starts the default generator's sequence of `seed`; returns the generator.

    Example:
        >>> import wengert
        >>> _ = wengert.manual_seed(0)
        >>> a = wengert.rand(3)
        >>> _ = wengert.manual_seed(0)
        >>> bool((a == wengert.rand(3)).all())
        True
    """
    return default_generator.manual_seed(seed)


@_function
def seed():
    """Gives the default generator a seed from the system; returns it."""
    return default_generator.seed()


@_function
def initial_seed():
    """The seed of the default generator's sequence."""
    return default_generator.initial_seed()


@_function
def get_rng_state():
    """The state of the default generator: seed and counter, as a uint8 tensor of shape (16,)."""
    return default_generator.get_state()


@_function
def set_rng_state(new_state):
    """Takes the default generator back to a state from get_rng_state()."""
    default_generator.set_state(new_state)


FUNCTIONS["default_generator"] = default_generator


# ---- checks ------------------------------------------------------------------------------------------------------


def _floating(tensor, op):
    check_tensor(op, tensor)
    if not tensor.dtype.is_floating_point:
        raise NotImplementedError(f"{op}: expected a floating dtype, got {tensor.dtype.name}.")


def _number(value, op):
    """The value itself; raises TypeError for what is no number."""
    if not isinstance(value, (int, float)) and (isinstance(value, Tensor) or getattr(value, "shape", None) != ()):
        raise TypeError(f"{op}: expected a number, got {type(value).__name__}.")
    return value


def _check_std(std, op):
    if not _number(std, op) >= 0.0:
        raise RuntimeError(f"{op}: expected a standard deviation of at least 0, got {std}.")


def _check_probability(p, op):
    if not 0.0 <= _number(p, op) <= 1.0:
        raise RuntimeError(f"{op}: expected a probability between 0 and 1, got {p}.")


def _check_open_probability(p, op):
    if not 0.0 < _number(p, op) < 1.0:
        raise RuntimeError(f"{op}: expected a probability above 0 and below 1, got {p}.")


def _check_positive(value, name, op):
    if not _number(value, op) > 0.0:
        raise RuntimeError(f"{op}: expected {name} above 0, got {value}.")


# Integers up to which every integer is a value of the floating dtype.
_WHOLE = {"float16": 2**11, "bfloat16": 2**8, "float32": 2**24, "float64": 2**53}


def _bounds(dtype):
    """The least and the greatest integer that a draw of integers may ask for."""
    if dtype.name == "bool":
        return 0, 1
    if dtype.is_floating_point:
        most = finfo(dtype).max
        return (-(2**63), 2**63 - 1) if most > 2.0**63 else (-int(most), int(most))
    limits = iinfo(dtype)
    return limits.min, limits.max


def _check_range(low, high, dtype, op):
    if low >= high:
        raise RuntimeError(f"{op}: expected low < high, got {low} and {high}.")
    least, most = _bounds(dtype)
    if low < least or high - 1 > most:
        raise RuntimeError(f"{op}: expected a range that {dtype.name} holds, got [{low}, {high}).")
    # The draw takes bounds of 64 bits whose difference counts modulo 2**64.
    return low, high if high < 2**63 else high - 2**64


# ---- new tensors -------------------------------------------------------------------------------------------------


def _finish(made, out, requires_grad, op):
    if out is not None:
        return _core.copy_out(op, made, out)
    return made.requires_grad_(True) if requires_grad else made


@_function
def randint(
    low=None, high=None, size=None, *, generator=None, out=None, dtype=None, layout=None, device=None,
    requires_grad=False,
    pin_memory=False,
):  # fmt: skip
    """Integers drawn evenly from [low, high): `randint(high, size)` or `randint(low, high, size)`.

    Raises RuntimeError for an empty range and for bounds that the dtype cannot hold.

    Example:
        >>> import wengert
        >>> set(wengert.randint(3, 5, (100,)).tolist()) == {3, 4}
        True
    """
    if size is None:
        low, high, size = 0, low, high
    elif high is None:
        low, high = 0, low
    elif low is None:
        low = 0
    if high is None:
        raise TypeError(
            "randint: expected an upper bound, got none. Call randint(high, size) or randint(low, high, size)."
        )
    if size is None or isinstance(size, int):
        raise TypeError(f"randint: expected a size as a tuple, got {size!r}.")
    if device is not None:
        _core.want_cpu(device, "randint")
    kind = dtype or (out.dtype if out is not None else _core._dtype_from_name("int64"))
    low, high = _check_range(int(low), int(high), kind, "randint")
    made = _draw(_ENTRY["draw_integers"], [tuple(size), kind, low, high], generator)
    return _finish(made, out, requires_grad, "randint")


@_function
def randperm(
    n, *, generator=None, out=None, dtype=None, layout=None, device=None, requires_grad=False, pin_memory=False
):
    """The numbers 0 to n - 1 in random order: shape (n,), int64 by default.

    Example:
        >>> import wengert
        >>> sorted(wengert.randperm(4).tolist())
        [0, 1, 2, 3]
    """
    if n < 0:
        raise RuntimeError(f"randperm: expected n of at least 0, got {n}.")
    if device is not None:
        _core.want_cpu(device, "randperm")
    kind = dtype or (out.dtype if out is not None else None)
    if kind is not None and n > _WHOLE.get(kind.name, _bounds(kind)[1] + 1):
        raise RuntimeError(f"randperm: expected n that {kind.name} can count to, got {n}.")
    made = _draw(_ENTRY["draw_permutation"], [(n,), _core._dtype_from_name("int64")], generator)
    return _finish(made if kind is None else made.to(kind), out, requires_grad, "randperm")


def _like(input, dtype, device, op):
    if not isinstance(input, Tensor):
        raise TypeError(f"{op}: expected a Tensor, got {type(input).__name__}.")
    return _core.make_empty_like(input, dtype=dtype, device=device)


@_function
def rand_like(
    input, *, generator=None, dtype=None, layout=None, device=None, requires_grad=False, pin_memory=False,
    memory_format=None,
):  # fmt: skip
    """Numbers drawn evenly from [0, 1), of another tensor's shape and, unless given, dtype."""
    made = _like(input, dtype, device, "rand_like")
    return made.uniform_(generator=generator).requires_grad_(requires_grad)


@_function
def randn_like(
    input, *, generator=None, dtype=None, layout=None, device=None, requires_grad=False, pin_memory=False,
    memory_format=None,
):  # fmt: skip
    """Normally distributed numbers (mean 0, variance 1), of another tensor's shape and, unless given, dtype."""
    made = _like(input, dtype, device, "randn_like")
    return made.normal_(generator=generator).requires_grad_(requires_grad)


@_function
def randint_like(
    input, low=None, high=None, *, generator=None, dtype=None, layout=None, device=None, requires_grad=False,
    pin_memory=False, memory_format=None,
):  # fmt: skip
    """Integers drawn evenly from [low, high), of another tensor's shape and, unless given, dtype."""
    if low is None:
        low = 0
    elif high is None:
        low, high = 0, low
    made = _like(input, dtype, device, "randint_like")
    return made.random_(int(low), int(high), generator=generator).requires_grad_(requires_grad)


@_function
def normal(
    mean=0.0, std=1.0, size=None, *, generator=None, out=None, dtype=None, layout=None, device=None,
    requires_grad=False, pin_memory=False,
):  # fmt: skip
    """Normally distributed numbers: of one mean and deviation and a size, or with a tensor for either or both.

    Tensors broadcast together; no gradient flows to them. Raises RuntimeError for a negative deviation.

    Example:
        >>> import wengert
        >>> wengert.normal(0.0, 1.0, (2, 3)).shape, wengert.normal(wengert.zeros(4), 0.5).shape
        (wengert.Size([2, 3]), wengert.Size([4]))
    """
    given = [v for v in (mean, std) if isinstance(v, Tensor)]
    if not given:
        if size is None:
            raise TypeError("normal: expected a size together with two numbers, got none.")
        _check_std(std, "normal")
        made = _core.make_empty(size, dtype=dtype or (out.dtype if out is not None else None), device=device)
        made.normal_(mean, std, generator=generator)
        return _finish(made, out, requires_grad, "normal")
    if size is not None:
        raise TypeError("normal: expected no size together with tensors, got one.")
    mean, std = (v.detach() if isinstance(v, Tensor) else v for v in (mean, std))
    for v in (mean, std):
        if not isinstance(v, Tensor):
            continue
        if v is std or not v.dtype.is_complex:  # of a complex mean, each part has half of the variance
            _floating(v, "normal")
    if isinstance(std, Tensor):
        std = host.checked("deviations", std)
    else:
        _check_std(std, "normal")
    shape_of = mean + std
    made = _core.make_empty_like(shape_of).normal_(generator=generator)
    return _finish(made.mul_(std).add_(mean), out, requires_grad, "normal")


@_function
@_method
def bernoulli(input, p=None, *, generator=None, out=None):
    """1 with the probability that `input` holds (or with `p`, if given), else 0, of input's shape and dtype.

    Raises RuntimeError for probabilities outside [0, 1].

    Example:
        >>> import wengert
        >>> wengert.bernoulli(wengert.tensor([0.0, 1.0]))
        tensor([0., 1.])
    """
    if p is not None:
        made = _core.make_empty_like(input).bernoulli_(p, generator=generator)
        return _finish(made, out, False, "bernoulli")
    _floating(input, "bernoulli")
    return _finish(_below(input.detach(), generator, "bernoulli").to(input.dtype), out, False, "bernoulli")


@host.check("deviations")
def _deviations(std):
    if std.numel() and not bool((std >= 0).all()):
        raise RuntimeError("normal: expected standard deviations of at least 0, got a smaller one.")


def _below(p, generator, op):
    """True with the probability in p: a draw of [0, 1) that is below it."""
    p = host.checked("probabilities", p, op)
    return rand_like(p, generator=generator) < p


@host.check("probabilities")
def _probabilities(p, op):
    if p.numel() and not bool(((p >= 0) & (p <= 1)).all()):
        raise RuntimeError(f"{op}: expected probabilities between 0 and 1, got others.")


@_function
@_method
def multinomial(input, num_samples, replacement=False, *, generator=None, out=None):
    """Indices drawn with the weights in the last dimension: (n,) → (k,) or (m, n) → (m, k), int64.

    The weights need not sum to 1. Raises RuntimeError for weights that are negative, not finite or all 0 and, without
    replacement, for more samples than weights.

    Example:
        >>> import wengert
        >>> wengert.multinomial(wengert.tensor([0.0, 1.0, 0.0]), 2, replacement=True)
        tensor([1, 1])
    """
    _floating(input, "multinomial")
    if input.ndim not in (1, 2):
        raise RuntimeError(f"multinomial: expected 1 or 2 dimensions, got shape {tuple(input.shape)}.")
    n = input.shape[-1]
    if num_samples <= 0:
        raise RuntimeError(f"multinomial: expected at least 1 sample, got {num_samples}.")
    if not replacement and num_samples > n:
        raise RuntimeError(f"multinomial: expected at most {n} samples without replacement, got {num_samples}.")
    weights = input.detach().to(_core._dtype_from_name("float64"))
    if generator is None:
        (made,) = host.call("multinomial", weights, options=(num_samples, bool(replacement)))
    else:
        made = _core.from_numpy(_pick(weights.numpy(), num_samples, replacement, generator)[0])
    return _finish(made, out, False, "multinomial")


def _indices(weights, num_samples, replacement):
    return [((*weights[0][:-1], num_samples), _core._dtype_from_name("int64"))]


@host.register("multinomial", _indices, random=True)
def _pick(weights, num_samples, replacement, generator=None):
    import numpy

    n = weights.shape[-1]
    with numpy.errstate(over="ignore", invalid="ignore"):
        total = weights.sum(-1)
    # A finite total of weights of at least 0 says that all are finite.
    if not (weights.min(initial=0.0) >= 0 and numpy.isfinite(total).all()):
        if not (numpy.isfinite(weights).all() and (weights >= 0).all()):
            raise RuntimeError("multinomial: expected weights that are finite and at least 0, got others.")
    if not (total > 0).all():
        raise RuntimeError("multinomial: expected a positive weight in each row, got a row of zeros.")
    rows = weights.reshape(-1, n)
    drawn = _core.make_empty(len(rows), num_samples if replacement else n, dtype=_core._dtype_from_name("float64"))
    if replacement:
        picked = _passing(rows, drawn.uniform_(generator=generator).numpy())
    else:
        # The times of n exponential clocks with the weights as rates: the first to ring are the sample
        # (Efraimidis and Spirakis, 2006).
        times = drawn.exponential_(generator=generator).div_(_core.from_numpy(rows))
        if num_samples == 1:
            picked = times.argmin(-1, keepdim=True).numpy()
        else:
            picked = numpy.argsort(times.numpy(), -1, kind="stable")[:, :num_samples]
    shape = (*weights.shape[:-1], num_samples)
    return (numpy.ascontiguousarray(picked.astype(numpy.int64, copy=False)).reshape(shape),)


def _passing(rows, unit):
    """For each share of a row of `unit`, in [0, 1), the index at which the row's running sum of weights passes it."""
    import numpy

    n, count = rows.shape[-1], unit.shape[-1]
    bounds = numpy.cumsum(rows, -1)
    heights = unit * bounds[:, -1:]
    picked = numpy.empty(unit.shape, numpy.int64)
    if count * n <= 4096:  # comparing with every bound, many rows at a time, is faster than a search for each row
        step = max(1, 2**18 // (count * n))
        for k in range(0, len(rows), step):
            some = slice(k, k + step)
            numpy.sum(bounds[some, None, :] <= heights[some, :, None], -1, out=picked[some])
    else:
        for bound, row, out in zip(bounds, heights, picked, strict=True):
            out[:] = numpy.searchsorted(bound, row, side="right")
    # The last bound can round below u * total; the last positive weight takes what is left.
    last = n - 1 - (rows[:, ::-1] > 0).argmax(-1)
    return numpy.minimum(picked, last[:, None])


# ---- in place ----------------------------------------------------------------------------------------------------


@_method
def uniform_(self, from_=0.0, to=1.0, *, generator=None, **names):
    """Fills the tensor with numbers drawn evenly from [from, to); returns it. `from` may be given by name."""
    low = names.pop("from", from_)
    if names:
        raise TypeError(f"uniform_: expected the arguments from, to and generator, got {sorted(names)}.")
    if self.dtype.is_complex:
        OPS["view_as_real"](self).uniform_(low, to, generator=generator)
        return self
    _floating(self, "uniform_")
    if not low <= to:
        raise RuntimeError(f"uniform_: expected from <= to, got {low} and {to}.")
    return _draw_inplace(_ENTRY["uniform"], self, (low, to), generator)


@_method
def normal_(self, mean=0.0, std=1.0, *, generator=None):
    """Fills the tensor with normally distributed numbers; returns it.

    Both parts of complex numbers are drawn, each with half of the variance.
    """
    if self.dtype.is_complex:
        OPS["view_as_real"](self).normal_(mean, std * 0.5**0.5, generator=generator)
        return self
    _floating(self, "normal_")
    _check_std(std, "normal_")
    return _draw_inplace(_ENTRY["normal"], self, (mean, std), generator)


@_method
def exponential_(self, lambd=1.0, *, generator=None):
    """Fills the tensor with exponentially distributed numbers of rate `lambd`; returns it."""
    _floating(self, "exponential_")
    _check_positive(lambd, "a rate", "exponential_")
    return _draw_inplace(_ENTRY["exponential"], self, (lambd,), generator)


@_method
def bernoulli_(self, p=0.5, *, generator=None):
    """Fills the tensor with 1 with probability p (a number, or a tensor that broadcasts), else 0; returns it."""
    if isinstance(p, Tensor):
        drawn = _below(p.detach().expand(self.shape).clone(), generator, "bernoulli_")
        return self.copy_(drawn)
    _check_probability(p, "bernoulli_")
    return _draw_inplace(_ENTRY["bernoulli"], self, (p,), generator)


@_method
def random_(self, from_=None, to=None, *, generator=None, **names):
    """Fills the tensor with integers; returns it.

    `random_()` draws from [0, greatest] (for floating dtypes, the greatest up to which all integers are values),
    `random_(to)` from [0, to), `random_(from, to)` from [from, to).
    """
    low = names.pop("from", from_)
    if names:
        raise TypeError(f"random_: expected the arguments from, to and generator, got {sorted(names)}.")
    if low is None and to is None:
        most = _WHOLE.get(self.dtype.name) or _bounds(self.dtype)[1]
        low, to = 0, most + 1
    elif to is None:
        low, to = 0, low
    low, to = _check_range(int(low or 0), int(to), self.dtype, "random_")
    return _draw_inplace(_ENTRY["random_integers"], self, (low, to), generator)


@_method
def log_normal_(self, mean=1.0, std=2.0, *, generator=None):
    """Fills the tensor with numbers whose logarithms are normally distributed; returns it."""
    _floating(self, "log_normal_")
    _check_positive(std, "a standard deviation", "log_normal_")
    drawn = _core.make_empty_like(self).normal_(mean, std, generator=generator)
    return self.copy_(drawn.exp())


@_method
def cauchy_(self, median=0.0, sigma=1.0, *, generator=None):
    """Fills the tensor with numbers of the Cauchy distribution; returns it."""
    _floating(self, "cauchy_")
    _check_positive(sigma, "sigma", "cauchy_")
    angle = _core.make_empty_like(self).uniform_(-1.5707963267948966, 1.5707963267948966, generator=generator)
    return self.copy_(angle.tan() * sigma + median)


@_method
def geometric_(self, p, *, generator=None):
    """Fills the tensor with the number of trials (1, 2, …) up to the first success of probability p; returns it."""
    _check_open_probability(p, "geometric_")
    import math

    # The whole part of an exponential draw of rate -log(1 - p), plus one.
    work = self.dtype if self.dtype.name in ("float32", "float64") else _core._dtype_from_name("float64")
    drawn = _core.make_empty(self.shape, dtype=work).exponential_(-math.log1p(-p), generator=generator)
    return self.copy_(drawn.floor() + 1)


# ---- dropout -----------------------------------------------------------------------------------------------------

_dropout = OPS["dropout"]


def _refuse_dropout(p):
    raise ValueError(f"dropout: expected a probability between 0 and 1, got {p}.")


@_function
def dropout(input, p=0.5, training=True, inplace=False):
    """Zeros each element with probability p and scales the others by 1 / (1 - p); the input itself unless training.

    Shapes: any. Raises ValueError for p outside [0, 1], RuntimeError for a dtype that is not floating.

    Example:
        >>> import wengert
        >>> sorted(set(wengert.dropout(wengert.ones(1000), 0.5, True).tolist()))
        [0.0, 2.0]
    """
    if not 0.0 <= p <= 1.0:
        _refuse_dropout(p)
    if not training or p == 0.0:
        return input
    if inplace:
        return _draw_inplace(_dropout.entry, input, (p,))
    return _dropout(input, p)


@_function
def feature_dropout(input, p=0.5, training=True, inplace=False):
    """Zeros whole channels, input[n, c], with probability p and scales the others by 1 / (1 - p).

    Shapes: (N, C, …). Raises ValueError for p outside [0, 1], RuntimeError for fewer than two dimensions.
    """
    check_tensor("feature_dropout", input)
    if not 0.0 <= p <= 1.0:
        _refuse_dropout(p)
    if input.ndim < 2:
        raise RuntimeError(f"feature_dropout: expected at least 2 dimensions, got shape {tuple(input.shape)}.")
    if not training or p == 0.0:
        return input
    factor = input.new_ones(tuple(input.shape[:2]) + (1,) * (input.ndim - 2))
    factor = _draw_inplace(_dropout.entry, factor, (p,))
    return input.mul_(factor) if inplace else input * factor


def dropout_(input, p=0.5, training=True):
    """In-place form of dropout."""
    return dropout(input, p, training, True)


def feature_dropout_(input, p=0.5, training=True):
    """In-place form of feature_dropout."""
    return feature_dropout(input, p, training, True)


FUNCTIONS |= {"dropout_": dropout_, "feature_dropout_": feature_dropout_}
