"""Histograms, positions and differences on grids, with PyTorch's overloads."""

import math

import numpy as np

from . import _core
from ._bind import OPS
from ._dtypes import DTYPES
from ._overload import Publisher, cast, check_tensor, return_type, store, wrap_dims

Tensor = _core.Tensor
publish = Publisher()
FUNCTIONS, METHODS = publish.functions, publish.methods
Histogram = return_type("histogram", "hist", "bin_edges")
HistogramDD = return_type("histogramdd", "hist", "bin_edges")


MOST_BINS = 2**26  # the edges and counts of more, with what is between, fill gigabytes


def _counted(op, points, bins, bounds, weight, density, like):
    """NumPy's histogram of points (n, d); outermost bins as PyTorch has them."""
    if weight is not None:
        weight = weight.detach().numpy().reshape(-1)
    try:
        return np.histogramdd(points, bins=bins, range=bounds, weights=weight, density=density)
    except ValueError as error:
        raise RuntimeError(f"{op}: expected bins, range and weights that fit, got ones where {error}.") from None


def _edges(op, points, bins, bounds):
    """Edges of evenly spaced bins over a range, that of the points where there is none."""
    if isinstance(bins, Tensor):
        return bins.detach().numpy().astype(np.float64)
    if not isinstance(bins, int):
        raise TypeError(f"{op}: expected bins as an int or a tensor, got {type(bins).__name__}.")
    if bins < 1:
        raise RuntimeError(f"{op}: expected at least 1 bin, got {bins}.")
    if bins > MOST_BINS:
        raise MemoryError(f"{op}: expected at most {MOST_BINS} bins, got {bins}.")
    low, high = bounds if bounds is not None else (0.0, 1.0)
    if bounds is None and len(points):
        low, high = float(points.min()), float(points.max())
    if low == high:
        low, high = low - 0.5 if bounds is None else low, high + 0.5 if bounds is None else high + 1.0
    return np.linspace(low, high, bins + 1)


@publish()
def histogram(input, bins, *, range=None, weight=None, density=False, out=None):
    """Counts (or sums of weights) in bins, and the edges: a named tuple (hist, bin_edges).

    Args:
        input: a tensor of any shape. bins: a number of bins, or a tensor of rising edges.
        range: (low, high) of the bins; that of the values where it is None.
        weight: a weight for each element. density: counts become a density.

    Example:
        >>> import wengert
        >>> wengert.histogram(wengert.tensor([1.0, 2.0, 1.0]), 4, range=(0.0, 3.0)).hist
        tensor([0., 2., 1., 0.])
    """
    if not check_tensor("histogram", input).dtype.is_floating_point:
        raise RuntimeError(f"histogram: expected a floating tensor, got {input.dtype}.")
    points = input.detach().numpy().reshape(-1, 1).astype(np.float64)
    edges = _edges("histogram", points, bins, range)
    hist, _ = _counted("histogram", points, [edges], None, weight, density, input)
    result = Histogram(*(_core.from_memory(v).to(input.dtype) for v in (np.ascontiguousarray(hist), edges)))
    return result if out is None else store(result, out)


@publish(method=False)
def histogramdd(input, bins, *, range=None, weight=None, density=False, out=None):
    """Counts of points (..., d) in d-dimensional bins, and a tuple of edges: (hist, bin_edges)."""
    dims = check_tensor("histogramdd", input).shape[-1]
    points = input.detach().numpy().reshape(-1, dims).astype(np.float64)
    bins = [bins] * dims if isinstance(bins, int) else list(bins)
    if len(bins) != dims:
        raise RuntimeError(f"histogramdd: expected bins for each of {dims} dimensions, got {len(bins)}.")
    bounds = [None] * dims if range is None else list(zip(range[::2], range[1::2], strict=True))
    edges = [_edges("histogramdd", points[:, k], bins[k], bounds[k]) for k in np.arange(dims)]
    hist, _ = _counted("histogramdd", points, edges, None, weight, density, input)
    hist = _core.from_memory(np.ascontiguousarray(hist)).to(input.dtype)
    return HistogramDD(hist, tuple(_core.from_memory(e).to(input.dtype) for e in edges))


@publish(method=False)
def unravel_index(indices, shape):
    """Coordinates of positions in a flattened tensor of a shape: a tuple of one tensor for each dimension."""
    if check_tensor("unravel_index", indices).dtype.is_inexact or indices.dtype == DTYPES["bool"]:
        raise TypeError(f"unravel_index: expected integer indices, got {indices.dtype}.")
    shape = (shape,) if isinstance(shape, int) else tuple(int(v) for v in shape)
    if any(v < 0 for v in shape):
        raise ValueError(f"unravel_index: expected sizes of at least 0, got {shape}.")
    total, indices = math.prod(shape), cast(indices, DTYPES["int64"])
    if indices.numel() and (int(indices.min()) < -total or int(indices.max()) >= total):
        raise ValueError(f"unravel_index: expected indices inside shape {shape}, got ones outside.")
    rest, found = indices % total if total else indices, []
    for size in reversed(shape):
        found.append(rest % size)
        rest = rest // size
    return tuple(reversed(found))


@publish()
def nonzero_static(input, *, size, fill_value=-1):
    """Coordinates of the first `size` elements that are not zero; missing ones are fill_value: (size, dimensions)."""
    if size < 0:
        raise RuntimeError(f"nonzero_static: expected a size of at least 0, got {size}.")
    found = OPS["nonzero"](input)[:size]
    rest = _core.full((size - found.shape[0], input.dim()), fill_value, DTYPES["int64"])
    return OPS["cat"]([found, rest], 0)


# ---- differences on grids -------------------------------------------------------------------------------------------


def _difference(x, dim, spacing, edge_order):
    """Second-order differences inside, of edge_order at the ends; spacing is a number or the coordinates."""
    n = x.shape[dim]
    if n < edge_order + 1:
        raise RuntimeError(f"gradient: expected at least {edge_order + 1} elements along dimension {dim}, got {n}.")

    def at(start, length):
        return OPS["slice"](x, dim, start, length, 1)

    if not isinstance(spacing, Tensor):
        inner = (at(2, n - 2) - at(0, n - 2)) / (2 * spacing)
        if edge_order == 1:
            ends = (at(1, 1) - at(0, 1)) / spacing, (at(n - 1, 1) - at(n - 2, 1)) / spacing
        else:
            ends = (
                (-1.5 * at(0, 1) + 2 * at(1, 1) - 0.5 * at(2, 1)) / spacing,
                (1.5 * at(n - 1, 1) - 2 * at(n - 2, 1) + 0.5 * at(n - 3, 1)) / spacing,
            )
        return OPS["cat"]([ends[0], inner, ends[1]], dim)
    steps = (spacing[1:] - spacing[:-1]).reshape((-1,) + (1,) * (x.dim() - 1 - dim))

    def step(k, length=1):
        return OPS["slice"](steps, 0, k, length, 1)

    a, b = step(0, n - 2), step(1, n - 2)
    inner = (
        at(0, n - 2) * (-b / (a * (a + b)))
        + at(1, n - 2) * ((b - a) / (a * b))
        + at(2, n - 2) * (a / (b * (a + b)))
    )
    if edge_order == 1:
        ends = (at(1, 1) - at(0, 1)) / step(0), (at(n - 1, 1) - at(n - 2, 1)) / step(n - 2)
    else:
        a, b = step(0), step(1)
        first = (
            at(0, 1) * (-(2 * a + b) / (a * (a + b)))
            + at(1, 1) * ((a + b) / (a * b))
            - at(2, 1) * (a / (b * (a + b)))
        )
        a, b = step(n - 3), step(n - 2)
        last = at(n - 3, 1) * (b / (a * (a + b))) - at(n - 2, 1) * ((a + b) / (a * b))
        ends = first, last + at(n - 1, 1) * ((a + 2 * b) / (b * (a + b)))
    return OPS["cat"]([ends[0], inner, ends[1]], dim)


@publish(method=False)
def gradient(input, *, spacing=1, dim=None, edge_order=1):
    """Estimated derivatives of samples on a grid along dimensions, by central differences: a list of tensors.

    Args:
        input: the samples.
        spacing: the distance between samples: a number for all dimensions, or a list of numbers or of 1-d coordinates, one
            for each dimension.
        dim: a dimension or several; all by default. edge_order: 1 or 2, the order of the differences at the ends.

    Example:
        >>> import wengert
        >>> wengert.gradient(wengert.tensor([1.0, 4.0, 9.0, 16.0]))
        [tensor([3., 4., 6., 7.])]
    """
    if edge_order not in (1, 2):
        raise RuntimeError(f"gradient: expected edge_order 1 or 2, got {edge_order}.")
    dims = wrap_dims("gradient", dim, check_tensor("gradient", input).dim())
    spacing = 1 if spacing is None else spacing
    single = isinstance(spacing, (int, float, complex)) or (isinstance(spacing, Tensor) and spacing.dim() == 0)
    steps = [spacing] * len(dims) if single else list(spacing)
    if len(steps) != len(dims):
        raise RuntimeError(f"gradient: expected a spacing for each of {len(dims)} dimensions, got {len(steps)}.")
    for step, d in zip(steps, dims, strict=True):
        if isinstance(step, Tensor) and step.dim() == 1 and step.shape[0] != input.shape[d]:
            raise RuntimeError(
                f"gradient: expected {input.shape[d]} coordinates for dimension {d}, got {step.shape[0]}."
            )
    steps = [s.item() if isinstance(s, Tensor) and s.dim() == 0 else s for s in steps]
    return [_difference(input, d, step, edge_order) for d, step in zip(dims, steps, strict=True)]
