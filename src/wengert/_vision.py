"""What torchvision has in its compiled library, in tensor algebra: `torch.ops.torchvision`.

Importing this module registers the operations, under torchvision's names and with its order of arguments. Pooling of
regions is a product with two small matrices for each region, one for rows and one for columns: the samples of a bin, or
its cells, form a grid, whose weights are products of those of its rows and columns.
"""

import wengert

from .library import CustomOpDef, define

_INT32 = wengert.int32


def _want(ok, what):
    if not ok:
        raise RuntimeError(what)


def _nms(dets, scores, iou_threshold):
    """Indices of the boxes that no better one overlaps by more than the threshold, the best first (greedily)."""
    _want(
        dets.dim() == 2 and dets.size(1) == 4 and scores.shape == dets.shape[:1] and dets.dtype == scores.dtype,
        "nms: expected boxes of shape (n, 4) and n scores of one dtype, "
        f"got {tuple(dets.shape)} {dets.dtype} and {tuple(scores.shape)} {scores.dtype}.",
    )
    order = scores.argsort(descending=True, stable=True)
    boxes = dets[order]
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    kept = []
    while len(order):
        kept.append(order[:1])
        best, boxes, area, areas, order = boxes[0], boxes[1:], areas[0], areas[1:], order[1:]
        sides = wengert.minimum(best[2:], boxes[:, 2:]) - wengert.maximum(best[:2], boxes[:, :2])
        shared = sides.clamp(min=0).prod(1)
        # A threshold is a float64, also beside boxes of float32.
        left = ~((shared / (area + areas - shared)).double() > iou_threshold)
        boxes, areas, order = boxes[left], areas[left], order[left]
    return wengert.cat(kept) if kept else order


# Regions: one matrix for rows, one for columns.


def _check(op, input, rois):
    _want(
        input.dim() == 4 and rois.dim() == 2 and rois.size(1) == 5 and input.dtype == rois.dtype,
        f"{op}: expected images of shape (n, c, h, w) and regions of shape (k, 5) of one dtype, "
        f"got {tuple(input.shape)} {input.dtype} and {tuple(rois.shape)} {rois.dtype}.",
    )
    images = rois[:, 0].long()
    _want(
        bool(((images >= 0) & (images < len(input))).all()),
        f"{op}: expected regions of images 0 to {len(input) - 1}, got {sorted(set(images.tolist()))}.",
    )
    return images.tolist()


def _sampled(starts, ends, bins, size, ratio, least):
    """Weights (k, bins, size) that average evenly spaced samples, each interpolated between its two neighbours.

    Args:
        starts, ends: of the regions along one axis, (k,).
        bins: of a region; each has `ratio` samples, or one for each unit of its length where ratio is not positive.
        size: of the axis. Samples farther than 1 outside count as zero.
        least: length that a region has at least, or None.
    """
    lengths = ends - starts if least is None else (ends - starts).clamp(min=least)
    widths = lengths / bins
    counts = wengert.full_like(widths, ratio) if ratio > 0 else widths.ceil().clamp(min=0)
    most = int(counts.max()) if len(counts) else 0
    steps = wengert.arange(most, dtype=starts.dtype)
    at = starts[:, None] + wengert.arange(bins, dtype=starts.dtype) * widths[:, None]
    at = at[:, :, None] + (steps + 0.5) * widths[:, None, None] / counts.clamp(min=1)[:, None, None]
    there = (steps < counts[:, None, None]) & (at >= -1) & (at <= size)
    at = at.clamp(0, size - 1).nan_to_num()
    low = at.floor()
    weights = there / counts.clamp(min=1)[:, None, None]
    out = starts.new_zeros(len(starts), bins, size)
    out.scatter_add_(2, low.long(), weights * (1 - (at - low)))
    return out.scatter_add_(2, (low + 1).clamp(max=size - 1).long(), weights * (at - low))


def _aligned(rois, scale, bins, shape, ratio, aligned, least):
    offset = 0.5 if aligned else 0.0
    left, top, right, bottom = (rois[:, 1:] * scale - offset).unbind(1)
    rows = _sampled(top, bottom, bins[0], shape[0], ratio, least)
    return rows, _sampled(left, right, bins[1], shape[1], ratio, least)


def _rounded(x):
    """The nearest integer, of two the one farther from zero."""
    whole = x.trunc()
    return whole + ((x - whole).abs() >= 0.5) * x.sign()


def _cells(starts, lengths, bins, last):
    """First cell and end of each bin along one axis, (k, bins) each, within 0 and `last`."""
    steps = wengert.arange(bins, dtype=starts.dtype)
    width = (lengths.clamp(min=1) / bins)[:, None]
    first = (steps * width).floor() + starts[:, None]
    return first.clamp(0, last).long(), (((steps + 1) * width).ceil() + starts[:, None]).clamp(0, last).long()


def _means(rois, scale, bins, shape):
    """Weights of rows and columns that average the cells of each bin; the last row and column are in none."""
    left, top, right, bottom = _rounded(rois[:, 1:] * scale).unbind(1)
    out = []
    for start, end, count, size in ((top, bottom, bins[0], shape[0]), (left, right, bins[1], shape[1])):
        first, stop = (v[:, :, None] for v in _cells(start, end - start, count, size - 1))
        cells = wengert.arange(size)
        inside = (cells >= first) & (cells < stop)
        out.append(inside.to(rois.dtype) / (stop - first).clamp(min=1))
    return out


def _windows(rows, columns):
    """For each region the slices of rows and columns whose weights are not all zero, and these weights."""
    ranges = []
    for weights in (rows, columns):
        used = (weights != 0).any(1).to(_INT32)
        first, last = used.argmax(1), used.size(1) - used.flip(1).argmax(1)
        ranges.append(list(zip(first.tolist(), last.tolist(), strict=True)))
    for k, ((top, bottom), (left, right)) in enumerate(zip(*ranges, strict=True)):
        yield k, slice(top, bottom), slice(left, right), rows[k, :, top:bottom], columns[k, :, left:right]


def _pooled(input, images, rows, columns):
    out = input.new_zeros(len(images), input.size(1), rows.size(1), columns.size(1))
    for k, high, wide, row, column in _windows(rows, columns):
        out[k] = row @ (input[images[k], :, high, wide] @ column.mT)
    return out


def _pooled_backward(grad, images, rows, columns, shape):
    out = grad.new_zeros(shape)
    for k, high, wide, row, column in _windows(rows, columns):
        out[images[k], :, high, wide] += row.mT @ grad[k] @ column
    return out


def _roi_align(input, rois, spatial_scale, pooled_height, pooled_width, sampling_ratio, aligned):
    images = _check("roi_align", input, rois)
    bins, least = (pooled_height, pooled_width), None if aligned else 1.0
    return _pooled(
        input, images, *_aligned(rois, spatial_scale, bins, input.shape[2:], sampling_ratio, aligned, least)
    )


def _roi_align_backward(grad, rois, scale, height, width, n, c, h, w, sampling_ratio, aligned):
    weights = _aligned(rois, scale, (height, width), (h, w), sampling_ratio, aligned, None if aligned else 1.0)
    return _pooled_backward(grad, rois[:, 0].long().tolist(), *weights, (n, c, h, w))


# Position-sensitive: each bin has channels of its own.


def _check_channels(op, input, bins):
    _want(
        input.size(1) % (bins[0] * bins[1]) == 0,
        f"{op}: expected channels in multiples of {bins[0]} * {bins[1]}, got {input.size(1)}.",
    )


def _sensitive(input, images, rows, columns):
    bins = rows.size(1), columns.size(1)
    parts = input.unflatten(1, (-1, *bins))
    out = input.new_zeros(len(images), parts.size(1), *bins)
    for k, high, wide, row, column in _windows(rows, columns):
        rowed = (parts[images[k], ..., high, wide] * row[:, None, :, None]).sum(-2)
        out[k] = (rowed * column).sum(-1)
    mapping = wengert.arange(input.size(1), dtype=_INT32).reshape(out.shape[1:])
    return out, mapping.expand(out.shape).clone()


def _sensitive_backward(grad, images, rows, columns, shape):
    out = grad.new_zeros(shape)
    parts = out.unflatten(1, (-1, rows.size(1), columns.size(1)))
    for k, high, wide, row, column in _windows(rows, columns):
        each = grad[k][..., None, None] * row[:, None, :, None] * column[:, None, :]
        parts[images[k], ..., high, wide] += each
    return out


def _ps_roi_align(input, rois, spatial_scale, pooled_height, pooled_width, sampling_ratio):
    images, bins = _check("ps_roi_align", input, rois), (pooled_height, pooled_width)
    _check_channels("ps_roi_align", input, bins)
    return _sensitive(
        input, images, *_aligned(rois, spatial_scale, bins, input.shape[2:], sampling_ratio, True, None)
    )


def _ps_roi_align_backward(grad, rois, mapping, scale, height, width, sampling_ratio, n, c, h, w):
    weights = _aligned(rois, scale, (height, width), (h, w), sampling_ratio, True, None)
    return _sensitive_backward(grad, rois[:, 0].long().tolist(), *weights, (n, c, h, w))


def _ps_roi_pool(input, rois, spatial_scale, pooled_height, pooled_width):
    images, bins = _check("ps_roi_pool", input, rois), (pooled_height, pooled_width)
    _check_channels("ps_roi_pool", input, bins)
    return _sensitive(input, images, *_means(rois, spatial_scale, bins, input.shape[2:]))


def _ps_roi_pool_backward(grad, rois, mapping, scale, height, width, n, c, h, w):
    weights = _means(rois, scale, (height, width), (h, w))
    return _sensitive_backward(grad, rois[:, 0].long().tolist(), *weights, (n, c, h, w))


# The largest of each bin.


def _largest(values, spans):
    """Largest values along the last dimension, and where: (..., spans); of equal ones the first, -1 for an empty span."""
    found = []
    for first, stop in spans:
        if first < stop:
            best, where = values[..., first:stop].max(-1)
            found.append((best, where + first))
        else:
            none = values.new_zeros(values.shape[:-1])
            found.append((none, none.long() - 1))
    return (wengert.stack(part, -1) for part in zip(*found, strict=True))


def _roi_pool(input, rois, spatial_scale, pooled_height, pooled_width):
    images = _check("roi_pool", input, rois)
    height, width = input.shape[2:]
    left, top, right, bottom = _rounded(rois[:, 1:] * spatial_scale).unbind(1)
    rows = wengert.stack(_cells(top, bottom - top + 1, pooled_height, height), -1).tolist()
    columns = wengert.stack(_cells(left, right - left + 1, pooled_width, width), -1).tolist()
    out = input.new_zeros(len(images), input.size(1), pooled_height, pooled_width)
    places = wengert.full(out.shape, -1, dtype=_INT32)
    for k, image in enumerate(images):
        across, column = _largest(input[image], columns[k])
        best, row = _largest(across.mT, rows[k])
        column = column.mT.gather(2, row.clamp(min=0))
        there = (row >= 0) & (column >= 0)
        out[k] = (best * there).mT
        places[k] = wengert.where(there, row * width + column, -1).mT.to(_INT32)
    return out, places


def _roi_pool_backward(grad, rois, argmax, scale, height, width, n, c, h, w):
    out = grad.new_zeros(n, c * h * w)
    planes = wengert.arange(c)[:, None, None] * (h * w)
    where = (rois[:, 0].long() * (c * h * w))[:, None, None, None] + planes + argmax.long().clamp(min=0)
    out.view(-1).index_add_(0, where.reshape(-1), (grad * (argmax >= 0)).reshape(-1))
    return out.view(n, c, h, w)


# Convolution at places of its own.


def _deform_conv2d(input, weight, offset, mask, bias, sh, sw, ph, pw, dh, dw, groups, offset_groups, use_mask):
    n, c, height, width = input.shape
    out_channels, _, kh, kw = weight.shape
    oh = (height + 2 * ph - (dh * (kh - 1) + 1)) // sh + 1
    ow = (width + 2 * pw - (dw * (kw - 1) + 1)) // sw + 1
    want = (n, offset_groups * 2 * kh * kw, oh, ow)
    _want(
        tuple(offset.shape) == want,
        f"deform_conv2d: expected offsets of shape {want}, got {tuple(offset.shape)}.",
    )
    taps = (n, offset_groups, kh, kw, oh, ow)
    y, x = offset.reshape(n, offset_groups, kh, kw, 2, oh, ow).unbind(4)

    def grid(count, step, axis):
        shape = [1] * 4
        shape[axis] = count
        return (wengert.arange(count) * step).reshape(shape)

    y = y + (grid(oh, sh, 2) - ph + grid(kh, dh, 0))
    x = x + (grid(ow, sw, 3) - pw + grid(kw, dw, 1))
    low_y, low_x = y.detach().floor(), x.detach().floor()
    flat = input.reshape(n, offset_groups, c // offset_groups, height * width)
    columns = 0
    for below, by_y in ((0, 1 - (y - low_y)), (1, y - low_y)):
        for right, by_x in ((0, 1 - (x - low_x)), (1, x - low_x)):
            row, column = low_y + below, low_x + right
            inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
            where = row.clamp(0, height - 1) * width + column.clamp(0, width - 1)
            where = where.long().reshape(n, offset_groups, 1, -1).expand(-1, -1, c // offset_groups, -1)
            share = by_y * by_x * inside
            columns = columns + flat.gather(3, where) * share.reshape(n, offset_groups, 1, -1)
    if use_mask:
        columns = columns * mask.reshape(taps).reshape(n, offset_groups, 1, -1)
    columns = columns.reshape(n, groups, (c // groups) * kh * kw, oh * ow)
    out = weight.reshape(groups, out_channels // groups, -1) @ columns
    out = out.reshape(n, out_channels, oh, ow)
    return out if bias is None or bias.numel() == 0 else out + bias.reshape(-1, 1, 1)


def _deform_conv2d_backward(grad, input, weight, offset, mask, bias, *settings):
    parts = [v.detach().requires_grad_() for v in (input, weight, offset, mask, bias)]
    with wengert.enable_grad():
        out = _deform_conv2d(*parts, *settings)
    found = wengert.autograd.grad(out, parts, grad, allow_unused=True)
    return tuple(wengert.zeros_like(p) if g is None else g for p, g in zip(parts, found, strict=True))


def _gradient(backward, order, tensors):
    """How gradients go through an operation, in the terms of its backward operation, as torchvision registers them.

    Args:
        backward: the function.
        order: of its arguments behind the gradient and the saved tensors: makes them of the operation's and the shape.
        tensors: how many of the operation's results go into it, behind the regions.
    """

    def setup(ctx, inputs, output):
        ctx.save_for_backward(inputs[1], *(output[1:] if tensors else ()))
        ctx.shape, ctx.rest = inputs[0].shape, inputs[2:]

    def run(ctx, grad, *unused):
        found = backward(grad, *ctx.saved_tensors, *order(ctx.rest, ctx.shape))
        return found, *[None] * (1 + len(ctx.rest))

    return run, setup


def _deformed(ctx, grad):
    found = _deform_conv2d_backward(grad, *ctx.saved_tensors, *ctx.settings)
    return *found, *[None] * len(ctx.settings)


def _deform_setup(ctx, inputs, output):
    ctx.save_for_backward(*inputs[:5])
    ctx.settings = inputs[5:]


def _register():
    def make(name, function, gradient=None):
        op = CustomOpDef(f"torchvision::{name}", function)
        if gradient is not None:
            op.register_autograd(gradient[0], setup_context=gradient[1])

    make("_cuda_version", lambda: -1)
    make("nms", _nms)
    orders = {
        "roi_align": (_roi_align, _roi_align_backward, lambda rest, shape: (*rest[:3], *shape, *rest[3:])),
        "roi_pool": (_roi_pool, _roi_pool_backward, lambda rest, shape: (*rest, *shape)),
        "ps_roi_align": (_ps_roi_align, _ps_roi_align_backward, lambda rest, shape: (*rest, *shape)),
        "ps_roi_pool": (_ps_roi_pool, _ps_roi_pool_backward, lambda rest, shape: (*rest, *shape)),
    }
    for name, (forward, backward, order) in orders.items():
        make(name, forward, _gradient(backward, order, name != "roi_align"))
        make(f"_{name}_backward", backward)
    make("deform_conv2d", _deform_conv2d, (_deformed, _deform_setup))
    make("_deform_conv2d_backward", _deform_conv2d_backward)
    for name in ("qnms", "qroi_align", "box_iou_rotated"):
        define(f"torchvision::{name}")


_register()
