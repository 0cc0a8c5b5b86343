"""Images and grids: resizing, sampling, windows as columns, shuffles of pixels and channels."""

import math
from itertools import product

import numpy as np

import wengert

from . import _core
from ._bind import OPS
from ._functional_conv import adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d, sizes
from ._overload import check_tensor
from ._padding import pad as _pad
from ._spans import fitting, places, span

_resample = OPS["resample"]
_where, _as_strided, _as_strided_embed = OPS["where"], OPS["as_strided"], OPS["as_strided_embed"]
_CUBIC = -0.75  # the free parameter of the cubic convolution kernel (Keys 1981)

# ---- resizing ----------------------------------------------------------------------------------------------------


def _target_sizes(input, size, scale_factor, recompute):
    """The new spatial sizes, and for each dimension the step in the input for one step in the result, or None."""
    n = input.ndim - 2
    if (size is None) == (scale_factor is None):
        raise ValueError("interpolate: expected either size or scale_factor, got both or none.")
    spatial = tuple(input.shape[2:])
    if size is not None:
        target = (size,) * n if isinstance(size, int) else tuple(int(s) for s in size)
        if len(target) != n:
            raise ValueError(f"interpolate: expected {n} sizes, got {len(target)}.")
        return target, (None,) * n
    factors = (
        (float(scale_factor),) * n if isinstance(scale_factor, (int, float)) else tuple(map(float, scale_factor))
    )
    if len(factors) != n:
        raise ValueError(f"interpolate: expected {n} scale factors, got {len(factors)}.")
    target = tuple(math.floor(s * f) for s, f in zip(spatial, factors, strict=True))
    return target, (None,) * n if recompute else tuple(1.0 / f for f in factors)


def _nearest(input, dim, count, step, exact):
    size = input.shape[dim]
    step = size / count if step is None else step
    source = (span("interpolate", 0, count) + (0.5 if exact else 0.0)) * step
    return input.index_select(dim, places(np.minimum(source.astype(np.int64), size - 1)))


def _between(input, dim, count, step, align_corners, cubic):
    size = input.shape[dim]
    if align_corners:
        step = (size - 1) / (count - 1) if count > 1 else 0.0
    elif step is None:
        step = size / count if count else 0.0
    return _resample(input, dim, count, step, 0.0 if align_corners else 0.5, cubic)


def _smooth_weights(count, size, step, align_corners, cubic):
    """Rows of a (count, size) matrix: a triangle or Keys's cubic (a = -0.5), stretched by the step where it is above 1."""
    if align_corners:
        step = (size - 1) / (count - 1) if count > 1 else 0.0
    elif step is None:
        step = size / count
    stretch = max(step, 1.0)
    reach = (2.0 if cubic else 1.0) * stretch
    rows = []
    for k in range(count):
        centre = step * (k + 0.5)
        low, high = max(int(centre - reach + 0.5), 0), min(int(centre + reach + 0.5), size)
        row = [0.0] * size
        for j in range(low, high):
            t = abs(j - centre + 0.5) / stretch
            row[j] = _smooth_cubic(t) if cubic else max(0.0, 1.0 - t)
        total = math.fsum(row)
        rows.append([w / total for w in row])
    return rows


def _smooth_cubic(t):
    a = -0.5
    if t < 1:
        return ((a + 2) * t - (a + 3)) * t * t + 1
    return (((t - 5) * t + 8) * t - 4) * a if t < 2 else 0.0


def _blend(input, dim, rows):
    """The rows' weighted sums along `dim`."""
    weights = wengert.tensor(rows, dtype=input.dtype)
    return (input.movedim(dim, -1) @ weights.T).movedim(-1, dim)


def interpolate(
    input,
    size=None,
    scale_factor=None,
    mode="nearest",
    align_corners=None,
    recompute_scale_factor=None,
    antialias=False,
):
    """Resizes the spatial dimensions of (N, C, ...).

    Args:
        size: the new sizes; or scale_factor: their ratios to the old ones.
        mode: 'nearest', 'nearest-exact', 'area' (1 to 3 dimensions), 'linear' (1), 'bilinear', 'bicubic' (2),
            'trilinear' (3).
        align_corners: first and last elements keep their places (linear and cubic modes).
        antialias: where the result is smaller, the filter is as much wider ('bilinear' and 'bicubic' of images).

    Raises ValueError for sizes that do not fit and NotImplementedError for a mode of other dimensions.

    Example:
        >>> import wengert
        >>> wengert.nn.functional.interpolate(wengert.tensor([[[1.0, 2.0]]]), scale_factor=2)
        tensor([[[1., 1., 2., 2.]]])
    """
    check_tensor("interpolate", input)
    n = input.ndim - 2
    if n not in (1, 2, 3):
        raise ValueError(
            f"interpolate: expected an input (N, C, ...) of 3 to 5 dimensions, got {tuple(input.shape)}."
        )
    if antialias and mode not in ("bilinear", "bicubic"):
        raise ValueError(f"interpolate: expected mode 'bilinear' or 'bicubic' with antialias, got {mode!r}.")
    plain = mode in ("nearest", "nearest-exact", "area")
    if plain and align_corners is not None:
        raise ValueError(f"interpolate: expected no align_corners with mode={mode!r}, got {align_corners}.")
    if not plain and {"linear": 1, "bilinear": 2, "bicubic": 2, "trilinear": 3}.get(mode) != n:
        raise NotImplementedError(f"interpolate: expected a mode for {n} spatial dimensions, got {mode!r}.")
    target, steps = _target_sizes(input, size, scale_factor, recompute_scale_factor)
    fitting("interpolate", math.prod(target))
    if mode == "area":
        return (adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d)[n - 1](input, target)
    bytes_ = not plain and not input.dtype.is_floating_point
    if bytes_ and (n != 2 or input.dtype.name != "uint8"):
        raise NotImplementedError(
            f"interpolate: expected a floating dtype (or an image of uint8) with mode {mode!r}, got {input.dtype}."
        )
    y = input.float() if bytes_ else input
    sizes = list(enumerate(zip(target, steps, strict=True), 2))
    for d, (count, step) in sizes if plain else reversed(sizes):
        own = y.shape[d]
        if antialias:
            y = _blend(y, d, _smooth_weights(count, own, step, align_corners, mode == "bicubic"))
        elif mode == "nearest" and own and count % own == 0 and (step is None or step * count == own):
            y = _repeat_each(y, d, count // own)
        elif mode.startswith("nearest"):
            y = _nearest(y, d, count, step, mode == "nearest-exact")
        else:
            y = _between(y, d, count, step, align_corners, mode == "bicubic")
        if bytes_:  # a picture of bytes after each dimension, as in PyTorch
            y = y.round().clamp(0, 255)
    return y.to(input.dtype) if bytes_ else y


def _repeat_each(x, dim, times):
    if times == 1:
        return x
    shape = tuple(x.shape)
    wide = x.unsqueeze(dim + 1).expand(*shape[: dim + 1], times, *shape[dim + 1 :])
    return wide.reshape(*shape[:dim], shape[dim] * times, *shape[dim + 1 :])


# ---- sampling at grids -------------------------------------------------------------------------------------------


def affine_grid(theta, size, align_corners=False):
    """The sampling grid of affine maps, for grid_sample.

    theta is (N, 2, 3) with size (N, C, H, W), giving (N, H, W, 2); or (N, 3, 4) with (N, C, D, H, W), giving
    (N, D, H, W, 3). Coordinates run from -1 to 1 in the order x, y, z.
    """
    check_tensor("affine_grid", theta)
    spatial = tuple(size)[2:]
    n = len(spatial)
    if n not in (2, 3) or tuple(theta.shape[1:]) != (n, n + 1):
        raise ValueError(
            f"affine_grid: expected theta (N, {n}, {n + 1}) for size {tuple(size)}, got {tuple(theta.shape)}."
        )
    axes = []
    for d, count in enumerate(spatial):
        if count <= 1:
            places = [0.0] * count
        elif align_corners:
            places = [2.0 * i / (count - 1) - 1.0 for i in range(count)]
        else:
            places = [(2.0 * i + 1.0) / count - 1.0 for i in range(count)]
        shape = [1] * n
        shape[d] = count
        axes.append(wengert.tensor(places, dtype=theta.dtype).reshape(shape).expand(*spatial))
    ones = _core.full(spatial, 1.0, theta.dtype)
    base = wengert.stack([*reversed(axes), ones], -1).reshape(1, -1, n + 1)
    return (base @ theta.transpose(1, 2)).reshape(theta.shape[0], *spatial, n)


def _reflect(p, low, high):
    """p reflected into [low, high]."""
    if high <= low:
        return p * 0
    span = high - low
    distance = (p - low).abs()
    turns = (distance / span).floor().detach()
    rest = distance - turns * span
    return _where(turns % 2 == 0, rest + low, high - rest)


def _within(p, size, padding_mode, align_corners):
    if padding_mode == "reflection":
        p = _reflect(p, 0.0, size - 1.0) if align_corners else _reflect(p, -0.5, size - 0.5)
    if padding_mode != "zeros":
        p = _where(p < 0, 0.0, _where(p > size - 1, size - 1.0, p))
    return p


def _cubic_weights(t):
    """Weights of the four neighbours of points at distance t from the second."""
    a = _CUBIC

    def near(x):
        return ((a + 2) * x - (a + 3)) * x * x + 1

    def far(x):
        return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a

    return far(t + 1), near(t), near(1 - t), far(2 - t)


def _pick(flat, spatial, index, padding_mode, align_corners):
    """Values of flat (N, C, elements) at integer places: a list of floating tensors (N, points), one for each
    dimension.
    """
    place, valid = None, None
    for p, size in zip(index, spatial, strict=True):
        p = _within(p, size, padding_mode, align_corners)
        inside = (p >= 0) & (p <= size - 1)
        valid = inside if valid is None else valid & inside
        p = _where(inside, p, 0.0).to(wengert.int64)
        place = p if place is None else place * size + p
    batch, channels, _ = flat.shape
    found = flat.gather(2, place.unsqueeze(1).expand(batch, channels, place.shape[1]))
    return _where(valid.unsqueeze(1), found, 0.0) if padding_mode == "zeros" else found


def grid_sample(input, grid, mode="bilinear", padding_mode="zeros", align_corners=None):
    """Values of (N, C, H, W) or (N, C, D, H, W) at the places of a grid.

    The grid is (N, ..., 2 or 3), in [-1, 1], in the order x, y, z.

    Args:
        mode: 'bilinear', 'nearest' or 'bicubic' (two spatial dimensions only).
        padding_mode: 'zeros', 'border' or 'reflection' for places outside.
        align_corners: -1 and 1 are the centres of the corner elements instead of their outer edges.

    Returns (N, C, ...). Raises ValueError for unknown modes, RuntimeError for shapes that do not fit.
    """
    check_tensor("grid_sample", input)
    check_tensor("grid_sample", grid)
    n = input.ndim - 2
    if mode not in ("bilinear", "nearest", "bicubic"):
        raise ValueError(f"grid_sample: expected mode 'bilinear', 'nearest' or 'bicubic', got {mode!r}.")
    if padding_mode not in ("zeros", "border", "reflection"):
        raise ValueError(f"grid_sample: expected padding 'zeros', 'border' or 'reflection', got {padding_mode!r}.")
    if n not in (2, 3) or grid.ndim != input.ndim or grid.shape[-1] != n or grid.shape[0] != input.shape[0]:
        raise RuntimeError(
            f"grid_sample: expected a grid (N, ..., {n}) for input {tuple(input.shape)}, got {tuple(grid.shape)}."
        )
    if mode == "bicubic" and n != 2:
        raise RuntimeError(f"grid_sample: expected 4 dimensions for mode 'bicubic', got {input.ndim}.")
    align_corners = bool(align_corners)
    spatial = tuple(input.shape[2:])
    batch, channels = input.shape[:2]
    flat = input.reshape(batch, channels, math.prod(spatial))
    points = []
    for d, size in enumerate(spatial):
        g = grid.select(-1, n - 1 - d).reshape(batch, -1)
        p = (g + 1) * ((size - 1) / 2) if align_corners else ((g + 1) * size - 1) * 0.5
        points.append(p if mode == "bicubic" else _within(p, size, padding_mode, align_corners))
    if mode == "nearest":
        index = [p.detach().round() for p in points]
        y = _pick(flat, spatial, index, padding_mode, align_corners)
    else:
        low = [p.detach().floor() for p in points]
        rest = [p - i for p, i in zip(points, low, strict=True)]
        if mode == "bilinear":
            reach, weights = (0, 1), [(1 - r, r) for r in rest]
        else:
            reach, weights = (-1, 0, 1, 2), [_cubic_weights(r) for r in rest]
        y = None
        for corner in product(range(len(reach)), repeat=n):
            index = [i + reach[k] for i, k in zip(low, corner, strict=True)]
            weight = None
            for own, k in zip(weights, corner, strict=True):
                weight = own[k] if weight is None else weight * own[k]
            part = _pick(flat, spatial, index, padding_mode, align_corners) * weight.unsqueeze(1)
            y = part if y is None else y + part
    return y.reshape(batch, channels, *grid.shape[1:-1])


# ---- windows as columns ------------------------------------------------------------------------------------------


def _windows(op, height, width, kernel, stride, padding, dilation):
    """Counts of windows for padded sizes."""
    counts = []
    for k, (size, own) in enumerate(zip((height, width), kernel, strict=True)):
        room = size + 2 * padding[k] - dilation[k] * (own - 1) - 1
        if room < 0:
            raise RuntimeError(f"{op}: expected sizes at least as large as the window, got {(height, width)}.")
        counts.append(room // stride[k] + 1)
    return counts


def _window_view(batch, channels, padded, kernel, stride, dilation, counts):
    """Shape and strides of all windows of a contiguous (N, C, *padded): (N, C, kh, kw, windows down, windows
    across).
    """
    h, w = padded
    shape = (batch, channels, *kernel, *counts)
    return shape, (channels * h * w, h * w, dilation[0] * w, dilation[1], stride[0] * w, stride[1])


def unfold(input, kernel_size, dilation=1, padding=0, stride=1):
    """The windows of images as columns: (N, C, H, W) → (N, C kh kw, L); without a batch too.

    Raises RuntimeError for other shapes and windows that do not fit.
    """
    check_tensor("unfold", input)
    if input.ndim not in (3, 4):
        raise RuntimeError(f"unfold: expected an input (N, C, H, W) or (C, H, W), got shape {tuple(input.shape)}.")
    single = input.ndim == 3
    x = input.unsqueeze(0) if single else input
    kernel, dilation, padding, stride = (
        sizes("unfold", name, v, 2)
        for name, v in (
            ("kernel_size", kernel_size),
            ("dilation", dilation),
            ("padding", padding),
            ("stride", stride),
        )
    )
    batch, channels, height, width = x.shape
    counts = _windows("unfold", height, width, kernel, stride, padding, dilation)
    if any(padding):
        x = _pad(x, (padding[1], padding[1], padding[0], padding[0]))
    padded = (height + 2 * padding[0], width + 2 * padding[1])
    shape, strides = _window_view(batch, channels, padded, kernel, stride, dilation, counts)
    y = _as_strided(x.contiguous(), shape, strides, 0)
    y = y.reshape(batch, channels * kernel[0] * kernel[1], counts[0] * counts[1])
    return y.squeeze(0) if single else y


def fold(input, output_size, kernel_size, dilation=1, padding=0, stride=1):
    """Columns added up to images, the adjoint of unfold: (N, C kh kw, L) → (N, C, *output_size).

    Raises RuntimeError for shapes that do not fit.
    """
    check_tensor("fold", input)
    if input.ndim not in (2, 3):
        raise RuntimeError(f"fold: expected an input (N, C kh kw, L) or (C kh kw, L), got {tuple(input.shape)}.")
    single = input.ndim == 2
    x = input.unsqueeze(0) if single else input
    height, width = sizes("fold", "output_size", output_size, 2)
    kernel, dilation, padding, stride = (
        sizes("fold", name, v, 2)
        for name, v in (
            ("kernel_size", kernel_size),
            ("dilation", dilation),
            ("padding", padding),
            ("stride", stride),
        )
    )
    counts = _windows("fold", height, width, kernel, stride, padding, dilation)
    batch, rows, columns = x.shape
    area = kernel[0] * kernel[1]
    if rows % area or columns != counts[0] * counts[1]:
        raise RuntimeError(
            f"fold: expected (N, multiple of {area}, {counts[0] * counts[1]}) for output size "
            f"{(height, width)}, got {tuple(input.shape)}."
        )
    channels = rows // area
    padded = (height + 2 * padding[0], width + 2 * padding[1])
    shape, strides = _window_view(batch, channels, padded, kernel, stride, dilation, counts)
    like = _core.full((batch, channels, *padded), 0.0, x.dtype)
    y = _as_strided_embed(x.reshape(shape), like, shape, strides, 0)
    y = y[:, :, padding[0] : padding[0] + height, padding[1] : padding[1] + width]
    return y.squeeze(0) if single else y


# ---- shuffles ----------------------------------------------------------------------------------------------------


def pixel_shuffle(input, upscale_factor):
    """Channels moved into space: (..., C r^2, H, W) → (..., C, H r, W r)."""
    check_tensor("pixel_shuffle", input)
    r = upscale_factor
    if input.ndim < 3 or r <= 0 or input.shape[-3] % (r * r):
        raise RuntimeError(
            f"pixel_shuffle: expected (..., channels divisible by {r * r}, H, W), got {tuple(input.shape)}."
        )
    *lead, channels, height, width = input.shape
    k = len(lead)
    parts = input.reshape(*lead, channels // (r * r), r, r, height, width)
    parts = parts.permute(*range(k), k, k + 3, k + 1, k + 4, k + 2)
    return parts.reshape(*lead, channels // (r * r), height * r, width * r)


def pixel_unshuffle(input, downscale_factor):
    """Space moved into channels: (..., C, H r, W r) → (..., C r^2, H, W)."""
    check_tensor("pixel_unshuffle", input)
    r = downscale_factor
    if input.ndim < 3 or r <= 0 or input.shape[-2] % r or input.shape[-1] % r:
        raise RuntimeError(
            f"pixel_unshuffle: expected (..., C, H, W) with H and W divisible by {r}, got {tuple(input.shape)}."
        )
    *lead, channels, height, width = input.shape
    k = len(lead)
    parts = input.reshape(*lead, channels, height // r, r, width // r, r)
    parts = parts.permute(*range(k), k, k + 2, k + 4, k + 1, k + 3)
    return parts.reshape(*lead, channels * r * r, height // r, width // r)


def channel_shuffle(input, groups):
    """The channels (axis 1) of (N, C, ...) interleaved from `groups` groups.

    Raises RuntimeError where the channels are not divisible by groups.
    """
    if check_tensor("channel_shuffle", input).dim() < 3:
        raise RuntimeError(f"channel_shuffle: expected at least 3 dimensions, got shape {tuple(input.shape)}.")
    batch, channels, *spatial = input.shape
    if groups <= 0 or channels % groups:
        raise RuntimeError(f"channel_shuffle: expected channels divisible by {groups}, got {channels}.")
    parts = input.reshape(batch, groups, channels // groups, *spatial)
    return parts.transpose(1, 2).reshape(batch, channels, *spatial)
