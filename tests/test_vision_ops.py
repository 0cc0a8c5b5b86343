"""torchvision's compiled operations, against their definitions written as loops over samples."""

import math

import numpy as np
import pytest
from optools import wengert

from wengert import library

REGIONS = 12


@pytest.fixture(scope="module")
def ops():
    found = library.Ops()
    found.load_library("site-packages/torchvision/_C.so")
    return found.torchvision


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def regions():
    """Of two images; some reach outside, one has no size, one is inside out."""
    rng = np.random.default_rng(1)
    corner, size = rng.random((REGIONS, 2)) * 14 - 3, rng.random((REGIONS, 2)) * 9
    size[3], size[4] = 0, -2
    return np.concatenate([rng.integers(0, 2, (REGIONS, 1)), corner, corner + size], 1)


def tensor(values):
    return wengert.tensor(values, dtype=wengert.float64)


def interpolated(plane, y, x):
    height, width = plane.shape
    if not (-1 <= y <= height and -1 <= x <= width):
        return 0.0
    y, x = min(max(y, 0), height - 1), min(max(x, 0), width - 1)
    top, left = int(y), int(x)
    below, right = min(top + 1, height - 1), min(left + 1, width - 1)
    a, b = y - top, x - left
    upper = (1 - b) * plane[top, left] + b * plane[top, right]
    return (1 - a) * upper + a * ((1 - b) * plane[below, left] + b * plane[below, right])


def bins_of(images, rois, bins, sensitive, value):
    """A result whose entry is value(region, plane, row of bins, column of bins)."""
    channels = images.shape[1] // (bins[0] * bins[1]) if sensitive else images.shape[1]
    out = np.zeros((len(rois), channels, *bins))
    for k, c, p, q in np.ndindex(out.shape):
        plane = images[int(rois[k, 0]), (c * bins[0] + p) * bins[1] + q if sensitive else c]
        out[k, c, p, q] = value(rois[k, 1:], plane, p, q)
    return out


def aligned_value(scale, bins, ratio, aligned, least):
    def value(box, plane, p, q):
        left, top, right, bottom = box * scale - (0.5 if aligned else 0)
        height, width = max(bottom - top, least), max(right - left, least)
        high, wide = height / bins[0], width / bins[1]
        rows, columns = (ratio if ratio > 0 else math.ceil(v) for v in (high, wide))
        at = [
            (top + p * high + (i + 0.5) * high / rows, left + q * wide + (j + 0.5) * wide / columns)
            for i in range(rows)
            for j in range(columns)
        ]
        return sum(interpolated(plane, y, x) for y, x in at) / max(len(at), 1)

    return value


def cells_value(scale, bins, extra, cut, reduce):
    def away(v):
        return int(math.copysign(math.floor(abs(v) + 0.5), v))

    def value(box, plane, p, q):
        left, top, right, bottom = (away(v * scale) for v in box)
        high, wide = max(bottom - top + extra, 1) / bins[0], max(right - left + extra, 1) / bins[1]
        limits = plane.shape[0] - cut, plane.shape[1] - cut
        rows = [math.floor(p * high) + top, math.ceil((p + 1) * high) + top]
        columns = [math.floor(q * wide) + left, math.ceil((q + 1) * wide) + left]
        rows, columns = np.clip(rows, 0, limits[0]), np.clip(columns, 0, limits[1])
        part = plane[slice(*rows), slice(*columns)]
        return reduce(part) if part.size else 0.0

    return value


def check(call, want):
    x = tensor(numbers(2, 12, 9, 11)).requires_grad_()
    np.testing.assert_allclose(call(x).detach().numpy(), want, rtol=1e-12, atol=1e-12)
    assert wengert.autograd.gradcheck(call, (x,))


IMAGES, ROIS, BINS, SCALE = numbers(2, 12, 9, 11), regions(), (2, 3), 0.8


@pytest.mark.parametrize("ratio", [-1, 2])
@pytest.mark.parametrize("aligned", [False, True])
def test_roi_align(ops, ratio, aligned):
    want = bins_of(
        IMAGES, ROIS, BINS, False, aligned_value(SCALE, BINS, ratio, aligned, -math.inf if aligned else 1)
    )
    check(lambda x: ops.roi_align(x, tensor(ROIS), SCALE, *BINS, ratio, aligned), want)


@pytest.mark.parametrize("ratio", [-1, 2])
def test_ps_roi_align(ops, ratio):
    want = bins_of(IMAGES, ROIS, BINS, True, aligned_value(SCALE, BINS, ratio, True, -math.inf))
    check(lambda x: ops.ps_roi_align(x, tensor(ROIS), SCALE, *BINS, ratio)[0], want)
    channels = ops.ps_roi_align(tensor(IMAGES), tensor(ROIS), SCALE, *BINS, ratio)[1]
    assert channels[3].flatten().tolist() == list(range(12)) and channels.dtype == wengert.int32


def test_roi_pool(ops):
    want = bins_of(IMAGES, ROIS, BINS, False, cells_value(SCALE, BINS, 1, 0, np.max))
    check(lambda x: ops.roi_pool(x, tensor(ROIS), SCALE, *BINS)[0], want)


def test_ps_roi_pool(ops):
    want = bins_of(IMAGES, ROIS, BINS, True, cells_value(SCALE, BINS, 0, 1, np.mean))
    check(lambda x: ops.ps_roi_pool(x, tensor(ROIS), SCALE, *BINS)[0], want)


def test_no_regions(ops):
    x, none = tensor(IMAGES).requires_grad_(), wengert.zeros(0, 5, dtype=wengert.float64)
    out = ops.roi_align(x, none, 1.0, 2, 3, -1, True)
    out.sum().backward()
    assert out.shape == (0, 12, 2, 3) and not x.grad.any()
    assert ops.roi_pool(x, none, 1.0, 2, 3)[0].shape == (0, 12, 2, 3)
    assert ops.nms(wengert.zeros(0, 4), wengert.zeros(0), 0.5).tolist() == []


def test_regions_that_do_not_fit_are_refused(ops):
    x = wengert.zeros(2, 12, 9, 11)
    with pytest.raises(RuntimeError, match=r"regions of images 0 to 1, got \[7\]"):
        ops.roi_align(x, wengert.tensor([[7.0, 0, 0, 1, 1]]), 1.0, 2, 2, 2, True)
    with pytest.raises(RuntimeError, match="one dtype"):
        ops.roi_pool(x, wengert.zeros(1, 5, dtype=wengert.float64), 1.0, 2, 2)
    with pytest.raises(RuntimeError, match="multiples of 5"):
        ops.ps_roi_pool(x, wengert.zeros(1, 5), 1.0, 5, 1)
    with pytest.raises(RuntimeError, match="n scores"):
        ops.nms(wengert.zeros(3, 4), wengert.zeros(2), 0.5)


def test_nms(ops):
    corner, size = np.random.default_rng(2).random((2, 60, 2)) * np.array([[[10]], [[5]]])
    boxes, scores = np.concatenate([corner, corner + size], 1), numbers(60).round(1)
    order = sorted(range(60), key=lambda i: -scores[i])

    def overlap(a, b):
        width, height = np.maximum(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0)
        area = [(c[2] - c[0]) * (c[3] - c[1]) for c in (a, b)]
        return width * height / (sum(area) - width * height)

    for threshold in (0.1, 0.5):
        want = []
        for i in order:
            if all(overlap(boxes[i], boxes[j]) <= threshold for j in want):
                want.append(i)
        assert ops.nms(tensor(boxes), tensor(scores), threshold).tolist() == want


SETTINGS = dict(stride=2, padding=1, groups=2)


def deformed(ops, x, weight, offset, mask, bias):
    return ops.deform_conv2d(x, weight, offset, mask, bias, 2, 2, 1, 1, 1, 1, 2, 2, True)


def test_deform_conv2d_at_the_grid_is_a_convolution(ops):
    x, weight, bias = (tensor(numbers(*shape)) for shape in ((2, 4, 7, 8), (6, 2, 3, 3), (6,)))
    offset, mask = (wengert.full((2, n, 4, 4), v, dtype=wengert.float64) for n, v in ((36, 0.0), (18, 1.0)))
    want = wengert.nn.functional.conv2d(x, weight, bias, **SETTINGS)
    assert wengert.allclose(deformed(ops, x, weight, offset, mask, bias), want, rtol=1e-12)
    offset[:, 1::2] = 1  # each tap one column to the right: the image shifted by one
    moved = wengert.nn.functional.pad(x, (1, 2, 1, 1))[..., 1:]
    want = wengert.nn.functional.conv2d(moved, weight, bias, stride=2, groups=2)
    shifted = deformed(ops, x, weight, offset, mask, bias)
    assert wengert.allclose(shifted, want, rtol=1e-12)


def test_deform_conv2d_between_the_grid(ops):
    """One tap, one channel: the sample is interpolated, with zeros around the image."""
    plane, offset = numbers(5, 6), numbers(2, 5, 6, seed=3) * 3
    padded = np.pad(plane, 20)
    want = np.array(
        [
            [interpolated(padded, i + 20 + offset[0, i, j], j + 20 + offset[1, i, j]) for j in range(6)]
            for i in range(5)
        ]
    )
    parts = (
        tensor(plane)[None, None],
        tensor([[[[2.0]]]]),
        tensor(offset)[None],
        tensor([[[[1.0]]]]),
        tensor([0.5]),
    )
    got = ops.deform_conv2d(*parts, 1, 1, 0, 0, 1, 1, 1, 1, False)
    np.testing.assert_allclose(got[0, 0].numpy(), 2 * want + 0.5, rtol=1e-12)


def test_gradients_of_deform_conv2d(ops):
    shapes = ((1, 4, 5, 5), (4, 2, 3, 3), (1, 36, 3, 3), (1, 18, 3, 3), (4,))
    parts = [tensor(numbers(*shape, seed=i)).requires_grad_() for i, shape in enumerate(shapes)]
    assert wengert.autograd.gradcheck(lambda *p: deformed(ops, *p), parts)
    with pytest.raises(RuntimeError, match="offsets of shape"):
        deformed(ops, *parts[:2], parts[2][:, :4], *parts[3:])


def test_other_libraries_are_refused():
    with pytest.raises(OSError, match="needs PyTorch itself"):
        library.Ops().load_library("build/mine.so")
