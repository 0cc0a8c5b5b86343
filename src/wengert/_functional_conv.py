"""Convolution and pooling with PyTorch's arguments."""

import wengert

from ._bind import OPS
from ._overload import check_tensor
from ._padding import pad as _pad

_convolution, _conv_transpose = OPS["convolution"], OPS["conv_transpose"]
_max_pool, _avg_pool, _max_unpool = OPS["max_pool"], OPS["avg_pool"], OPS["max_unpool"]
_adaptive_max_pool, _adaptive_avg_pool = OPS["adaptive_max_pool"], OPS["adaptive_avg_pool"]


def sizes(op, name, value, n):
    """A number for each of n spatial dimensions, from one number or a sequence."""
    if isinstance(value, int):
        return (value,) * n
    found = tuple(int(v) for v in value)
    if len(found) == 1:
        return found * n
    if len(found) != n:
        raise RuntimeError(f"{op}: expected {name} as one number or {n} numbers, got {len(found)}.")
    return found


# ---- convolution -------------------------------------------------------------------------------------------------


def _named_padding(op, padding, input, weight, stride, dilation, n):
    """The padding that 'valid' and 'same' stand for, and the input, padded at its end where both sides differ."""
    if padding == "valid":
        return (0,) * n, input
    if padding != "same":
        raise RuntimeError(f"{op}: expected padding 'same', 'valid' or numbers, got {padding!r}.")
    if any(s != 1 for s in stride):
        raise RuntimeError(f"{op}: expected stride 1 with padding='same', got {stride}.")
    if weight.dim() != n + 2:
        raise RuntimeError(f"{op}: expected a weight of {n + 2} dimensions, got shape {tuple(weight.shape)}.")
    total = [d * (k - 1) for d, k in zip(dilation, weight.shape[2:], strict=True)]
    if any(t % 2 for t in total):
        input = _pad(input, [side for t in reversed(total) for side in (0, t % 2)])
    return tuple(t // 2 for t in total), input


def _whole_numbers(name, run):
    """The operation on integers, by way of float64; NotImplementedError where a result might not be exact there."""

    def exact(input, *arguments):
        operands = [v for v in (input, *arguments) if isinstance(v, wengert.Tensor)]
        if any(v.dtype != input.dtype for v in operands) or input.dtype.name == "bool":
            raise RuntimeError(
                f"{name}: expected operands of one dtype of numbers, got {[v.dtype for v in operands]}."
            )
        sizes = [int(v.abs().max()) if v.numel() else 0 for v in operands]
        terms = operands[1].numel() if len(operands) > 1 else 1  # of one sum at most, whichever way the weight lies
        bound = sizes[0] if len(operands) == 1 else sizes[0] * sizes[1] * terms + sum(sizes[2:])
        if bound >= 2**53:
            raise NotImplementedError(f"{name}: expected integers whose sums stay below 2**53, got larger ones.")
        result = run(*[v.double() if isinstance(v, wengert.Tensor) else v for v in (input, *arguments)])
        if isinstance(result, tuple):
            return result[0].long().to(input.dtype), result[1]
        return result.long().to(input.dtype)

    return exact


def _complex_numbers(name, run):
    """The convolution of complex numbers by those of their parts; real and imaginary parts of the input are one batch."""

    def in_parts(input, weight, bias, stride, *arguments):
        if any(v is not None and v.dtype != input.dtype for v in (weight, bias)):
            kinds = [v.dtype for v in (input, weight, bias) if v is not None]
            raise RuntimeError(f"{name}: expected operands of one dtype, got {kinds}.")
        alone = input.ndim == len(stride) + 1
        x = input.unsqueeze(0) if alone else input
        n = x.shape[0]
        parts = wengert.cat([x.real, x.imag])
        by_real, by_imag = (run(parts, w, None, stride, *arguments) for w in (weight.real, weight.imag))
        y = wengert.complex(by_real[:n] - by_imag[n:], by_real[n:] + by_imag[:n])
        if bias is not None:
            y = y + bias.reshape(-1, *(1,) * len(stride))
        return y.squeeze(0) if alone else y

    return in_parts


def _for_dtype(name, run, dtype):
    """A convolution as it is done for a dtype: floating ones are the kernels' own."""
    if dtype.is_floating_point:
        return run
    return (_complex_numbers if dtype.is_complex else _whole_numbers)(name, run)


def _conv(n):
    name = f"conv{n}d"

    def conv(input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
        check_tensor(name, input)
        check_tensor(name, weight)
        if input.ndim not in (n + 1, n + 2):
            raise RuntimeError(
                f"{name}: expected an input of {n + 2} dimensions, or {n + 1} without a batch, got shape "
                f"{tuple(input.shape)}."
            )
        stride, dilation = sizes(name, "stride", stride, n), sizes(name, "dilation", dilation, n)
        if isinstance(padding, str):
            padding, input = _named_padding(name, padding, input, weight, stride, dilation, n)
        else:
            padding = sizes(name, "padding", padding, n)
        run = _for_dtype(name, _convolution, input.dtype)
        return run(input, weight, bias, stride, padding, dilation, groups)

    conv.__name__ = conv.__qualname__ = name
    conv.__doc__ = f"""Cross-correlation over {n} spatial dimension{"s" if n > 1 else ""}.

    Args:
        input: (N, C, ...) or (C, ...).
        weight: (O, C / groups, ...).
        bias: (O,).
        stride, padding, dilation: one number, or one for each spatial dimension; padding may be 'valid' or 'same'.
        groups: channels are split into this many groups, each convolved on its own.

    Raises RuntimeError for shapes that do not fit.
    """
    return conv


conv1d, conv2d, conv3d = _conv(1), _conv(2), _conv(3)


def _transposed(n):
    name = f"conv_transpose{n}d"

    def conv(input, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1):
        check_tensor(name, input)
        check_tensor(name, weight)
        run = _for_dtype(name, _conv_transpose, input.dtype)
        return run(
            input,
            weight,
            bias,
            sizes(name, "stride", stride, n),
            sizes(name, "padding", padding, n),
            sizes(name, "output_padding", output_padding, n),
            sizes(name, "dilation", dilation, n),
            groups,
        )

    conv.__name__ = conv.__qualname__ = name
    conv.__doc__ = f"""The adjoint of conv{n}d, as an operation of its own ("transposed convolution").

    Args:
        input: (N, C, ...) or (C, ...).
        weight: (C, O / groups, ...).
        bias: (O,).
        stride, padding, output_padding, dilation: one number, or one for each spatial dimension. The result has
        size
            (size - 1) stride - 2 padding + dilation (kernel - 1) + output_padding + 1.

    Raises RuntimeError for shapes that do not fit.
    """
    return conv


conv_transpose1d, conv_transpose2d, conv_transpose3d = _transposed(1), _transposed(2), _transposed(3)


# ---- pooling -----------------------------------------------------------------------------------------------------


def _max(n):
    name = f"max_pool{n}d"

    def pool(input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False):
        check_tensor(name, input)
        kernel = sizes(name, "kernel_size", kernel_size, n)
        run = _max_pool if input.dtype.is_inexact else _whole_numbers(name, _max_pool)
        y, index = run(
            input,
            kernel,
            sizes(name, "stride", stride, n) if stride is not None and stride != [] and stride != () else kernel,
            sizes(name, "padding", padding, n),
            sizes(name, "dilation", dilation, n),
            ceil_mode,
        )
        return (y, index) if return_indices else y

    pool.__name__ = pool.__qualname__ = name
    pool.__doc__ = f"""The maxima of windows over {n} spatial dimension{"s" if n > 1 else ""} of (N, C, ...) or (C,
    ...).

    stride is kernel_size unless given; ceil_mode lets a last window reach over the end; with return_indices the
    flat
    places of the maxima in their planes are returned too. The gradient goes to the first maximum of a window.
    Raises
    RuntimeError for windows that do not fit.
    """
    return pool


max_pool1d, max_pool2d, max_pool3d = _max(1), _max(2), _max(3)


def max_pool1d_with_indices(input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False):
    """max_pool1d with the places of the maxima."""
    return max_pool1d(input, kernel_size, stride, padding, dilation, ceil_mode, True)


def max_pool2d_with_indices(input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False):
    """max_pool2d with the places of the maxima."""
    return max_pool2d(input, kernel_size, stride, padding, dilation, ceil_mode, True)


def max_pool3d_with_indices(input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False):
    """max_pool3d with the places of the maxima."""
    return max_pool3d(input, kernel_size, stride, padding, dilation, ceil_mode, True)


def _average(n):
    name = f"avg_pool{n}d"
    whole = _whole_numbers(name, _avg_pool)  # means of integers are cut off, as in PyTorch

    def pool(
        input,
        kernel_size,
        stride=None,
        padding=0,
        ceil_mode=False,
        count_include_pad=True,
        divisor_override=None,
    ):
        kernel = sizes(name, "kernel_size", kernel_size, n)
        return (whole if check_tensor(name, input).dtype == wengert.int64 else _avg_pool)(
            input,
            kernel,
            sizes(name, "stride", stride, n) if stride is not None and stride != [] and stride != () else kernel,
            sizes(name, "padding", padding, n),
            ceil_mode,
            count_include_pad,
            divisor_override,
        )

    pool.__name__ = pool.__qualname__ = name
    pool.__doc__ = f"""The means of windows over {n} spatial dimension{"s" if n > 1 else ""} of (N, C, ...) or (C,
    ...).

    stride is kernel_size unless given; ceil_mode lets a last window reach over the end; without count_include_pad
    padded
    places are not counted; divisor_override replaces the count. Raises RuntimeError for windows that do not fit.
    """
    return pool


avg_pool1d, avg_pool2d, avg_pool3d = _average(1), _average(2), _average(3)


def _adaptive_size(name, output_size, input, n):
    """output_size with the input's own sizes for None."""
    check_tensor(name, input)
    wanted = (output_size,) * n if output_size is None or isinstance(output_size, int) else tuple(output_size)
    if input.dim() <= n and isinstance(output_size, (tuple, list)):
        raise ValueError(f"{name}: expected an input of at least {n + 1} dimensions, got {tuple(input.shape)}.")
    if len(wanted) != n:
        raise RuntimeError(f"{name}: expected output_size as one number or {n} numbers, got {len(wanted)}.")
    return tuple(own if w is None else w for w, own in zip(wanted, input.shape[-n:], strict=True))


def _adaptive(kind, n):
    name = f"adaptive_{kind}_pool{n}d"
    text = f"""The {"means" if kind == "avg" else "maxima"} of output_size windows that cover the {n} spatial
    dimension{"s" if n > 1 else ""} of (N, C, ...) or (C, ...); a size of None keeps the input's. Window i of size
    m begins at
    floor(i * size / m) and ends before ceil((i + 1) * size / m).
    """
    if kind == "avg":

        def pool(input, output_size):
            return _adaptive_avg_pool(input, _adaptive_size(name, output_size, input, n))

    else:

        def pool(input, output_size, return_indices=False):
            y, index = _adaptive_max_pool(input, _adaptive_size(name, output_size, input, n))
            return (y, index) if return_indices else y

    pool.__name__ = pool.__qualname__ = name
    pool.__doc__ = text
    return pool


adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d = (_adaptive("avg", n) for n in (1, 2, 3))
adaptive_max_pool1d, adaptive_max_pool2d, adaptive_max_pool3d = (_adaptive("max", n) for n in (1, 2, 3))


def _near_size(name, n, wanted, default, step):
    """The last `n` of the wanted sizes, which must be less than a step away from the default ones."""
    if len(wanted) not in (n, n + 2):
        raise ValueError(f"{name}: expected an output_size of {n} or {n + 2} numbers, got {wanted}.")
    wanted = wanted[-n:]
    for size, usual, s in zip(wanted, default, step, strict=True):
        if not usual - s < size < usual + s:
            raise ValueError(
                f"{name}: expected an output_size less than {step} away from {default}, got {wanted}. Such inputs do "
                "not come from the pool."
            )
    return wanted


def _unpool(n):
    name = f"max_unpool{n}d"

    def unpool(input, indices, kernel_size, stride=None, padding=0, output_size=None):
        kernel = sizes(name, "kernel_size", kernel_size, n)
        step = kernel if stride is None else sizes(name, "stride", stride, n)
        padding = sizes(name, "padding", padding, n)
        spatial = input.shape[-n:]
        target = tuple(
            (size - 1) * s + k - 2 * p for size, s, k, p in zip(spatial, step, kernel, padding, strict=True)
        )
        if output_size is not None:
            target = _near_size(name, n, tuple(output_size), target, step)
        return _max_unpool(input, indices.to(wengert.int64), target)

    unpool.__name__ = unpool.__qualname__ = name
    unpool.__doc__ = f"""The inverse of max_pool{n}d with return_indices: maxima at their places, 0 elsewhere.

    output_size chooses among the sizes that pool to the input's. Raises RuntimeError for places out of range.
    """
    return unpool


max_unpool1d, max_unpool2d, max_unpool3d = _unpool(1), _unpool(2), _unpool(3)
