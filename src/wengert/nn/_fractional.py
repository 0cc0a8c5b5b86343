"""Fractional max pooling (Graham, 2014): windows whose distances vary at random around a ratio that is no integer."""

import math

import wengert
from wengert._functional import check_tensor

from ._shapes import ntuple


def _starts(sample, size, count, window):
    """Where the windows of one axis begin, (..., count), for samples (...) from [0, 1)."""
    if count == 1:
        return wengert.full((*sample.shape, 1), size - window, dtype=wengert.int64)
    step = (size - window) / (count - 1)
    shift = sample.unsqueeze(-1)
    at = wengert.arange(count - 1, dtype=sample.dtype)
    first = ((at + shift) * step).to(wengert.int64) - (shift * step).to(wengert.int64)
    return wengert.cat((first, wengert.full((*sample.shape, 1), size - window, dtype=wengert.int64)), -1)


def _target_size(op, spatial, window, output_size, output_ratio):
    n = len(spatial)
    if output_size is None and output_ratio is None:
        raise ValueError(f"{op}: expected output_size or output_ratio, got neither. Pass one of them.")
    if output_size is None:
        output_size = tuple(int(s * r) for s, r in zip(spatial, ntuple(output_ratio, n), strict=True))
    target = ntuple(output_size, n)
    for size, count, k in zip(spatial, target, window, strict=True):
        if count + k - 1 > size or count < 1:
            raise RuntimeError(
                f"{op}: expected output_size + kernel_size - 1 <= {size}, got {count} + {k} - 1. Take a smaller one."
            )
    return target


def fractional_max_pool(op, n, input, kernel_size, output_size, output_ratio, return_indices, samples):
    """The pool over the last `n` axes of (N, C, ...) or (C, ...), and the places of the maxima in these axes."""
    check_tensor(op, input)
    if input.dim() not in (n + 1, n + 2):
        raise RuntimeError(f"{op}: expected an input with {n + 1} or {n + 2} axes, got {tuple(input.shape)}.")
    batched = input if input.dim() == n + 2 else input.unsqueeze(0)
    lead, spatial, window = batched.shape[:2], tuple(batched.shape[2:]), ntuple(kernel_size, n)
    target = _target_size(op, spatial, window, output_size, output_ratio)
    if samples is None:
        samples = wengert.rand((*lead, n), dtype=input.dtype)
    if tuple(samples.shape[1:]) != (lead[1], n) or samples.shape[0] < lead[0]:
        raise RuntimeError(f"{op}: expected samples of shape {(*lead, n)}, got {tuple(samples.shape)}.")
    samples = samples[: lead[0]]
    # The places of every window: axis by axis, (N, C, out1, ..., k1, ...) by broadcasting.
    place = wengert.zeros((1,) * (2 + 2 * n), dtype=wengert.int64)
    for d in range(n):
        # PyTorch draws the two samples of an image for the width first.
        sample = samples[..., n - 1 - d if n == 2 else d]
        starts = _starts(sample, spatial[d], target[d], window[d])
        axis = starts.unsqueeze(-1) + wengert.arange(window[d])
        shape = [1] * (2 * n)
        shape[d], shape[n + d] = target[d], window[d]
        place = place * spatial[d] + axis.reshape(*lead, *shape)
    inside = math.prod(window)
    windows = place.reshape(*lead, math.prod(target) * inside)
    values = batched.reshape(*lead, math.prod(spatial)).gather(2, windows).reshape(*lead, *target, inside)
    best, which = values.max(-1)
    if input.dim() == n + 1:
        best = best.squeeze(0)
    if not return_indices:
        return best
    places = windows.reshape(*lead, *target, inside).gather(-1, which.unsqueeze(-1)).squeeze(-1)
    return best, places if input.dim() == n + 2 else places.squeeze(0)
