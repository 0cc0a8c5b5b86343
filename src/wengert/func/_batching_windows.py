"""vmap over convolution and pooling: the batch becomes part of a dimension that the op treats element by element.

What every element of the batch shares the weights with is more samples: the batch joins N. Weights of their own are more
groups: the batch joins the channels, element b's in groups of their own, so that one convolution does them all.
"""

from .. import _core
from ._levels import call, expand, reshape, zeros


def fold(frame, entry, operands, attrs):
    """Pooling: all leading dimensions are alike, so the batch and the first of them become one."""
    shapes = [tuple(v.shape) for v in operands]
    if any(len(shape) < 2 for shape in shapes):
        return None
    merged = [
        zeros((frame.size * shape[0], *shape[1:]), v.dtype)
        if name == "like"
        else reshape(frame.batch(v), (frame.size * shape[0], *shape[1:]))
        for v, shape, name in zip(operands, shapes, entry.row.inputs, strict=True)
    ]
    out = _core.apply(entry, merged, attrs)
    many = isinstance(out, tuple)
    parts = [reshape(v, (frame.size, shapes[0][0], *tuple(v.shape)[1:])) for v in (out if many else (out,))]
    return tuple(parts) if many else parts[0]


def _samples(x, spatial):
    """The tensor with its dimension N, which may be missing."""
    return x if len(x.shape) == spatial + 2 else call("unsqueeze", x, attrs=(0,))


def _move(t, source, target):
    order = [d for d in range(len(t.shape)) if d != source]
    order.insert(target, source)
    return call("permute", t, attrs=(tuple(order),))


def _into_samples(frame, x):
    """(N, ...) of each element as (batch * N, ...)."""
    return reshape(frame.batch(x), (frame.size * x.shape[0], *tuple(x.shape)[1:]))


def _into_channels(frame, x):
    """(N, C, ...) of each element as (N, batch * C, ...)."""
    n, c, *rest = x.shape
    return reshape(_move(frame.batch(x), 0, 1), (n, frame.size * c, *rest))


def _from_channels(frame, y):
    """(N, batch * C, ...) as (batch, N, C, ...)."""
    n, c, *rest = y.shape
    return _move(reshape(y, (n, frame.size, c // frame.size, *rest)), 1, 0)


def _like_channels(frame, like):
    n, c, *rest = like.shape
    return zeros((n, frame.size * c, *rest), like.dtype)


def _grouped(frame, attrs):
    """The attributes with groups, the last one, times the batch."""
    return (*attrs[:-1], attrs[-1] * frame.size)


def convolve(frame, entry, operands, attrs):
    """convolution and conv_transpose (x, w, b), conv_input and conv_output (x, w, like)."""
    x, w, last = operands
    spatial = len(attrs[0])
    alone = len(x.shape) == spatial + 1
    x = _samples(x, spatial)
    has_like = entry.row.inputs[2] == "like"
    like = _samples(last, spatial) if has_like else None
    shared = not frame.peel(w)[1]
    bias = None if has_like or last is None else last
    late = bias is not None and frame.peel(bias)[1]  # a bias of each element's own is added at the end
    if shared:
        third = None if late else bias
        if has_like:
            third = zeros((frame.size * like.shape[0], *tuple(like.shape)[1:]), like.dtype)
        out = _core.apply(entry, [_into_samples(frame, x), w, third], attrs)
        y = reshape(out, (frame.size, x.shape[0], *tuple(out.shape)[1:]))
        if late:
            y = call("add", y, reshape(frame.batch(bias), (frame.size, 1, bias.shape[0]) + (1,) * spatial))
    else:
        wide = reshape(frame.batch(w), (frame.size * w.shape[0], *tuple(w.shape)[1:]))
        third = None if bias is None else reshape(frame.batch(bias), (frame.size * bias.shape[0],))
        third = _like_channels(frame, like) if has_like else third
        y = _from_channels(
            frame, _core.apply(entry, [_into_channels(frame, x), wide, third], _grouped(frame, attrs))
        )
    return call("select", y, attrs=(1, 0)) if alone else y


def convolve_weight(frame, entry, operands, attrs):
    """conv_weight (u, x, like): each element has a weight of its own, so the batch becomes groups."""
    spatial = len(attrs[0])
    u, x, like = _samples(operands[0], spatial), _samples(operands[1], spatial), operands[2]
    shape = tuple(like.shape)
    wide = zeros((frame.size * shape[0], *shape[1:]), like.dtype)
    out = _core.apply(entry, [_into_channels(frame, u), _into_channels(frame, x), wide], _grouped(frame, attrs))
    return reshape(out, (frame.size, *shape))


def sum_channels(frame, entry, operands, attrs):
    """x (N, C, ...) or (C, ...) summed to (C,)."""
    x = _samples(operands[0], len(attrs[0]))
    out = _core.apply(entry, [_into_channels(frame, x)], attrs)
    return reshape(out, (frame.size, x.shape[1]))


def expand_channels(frame, entry, operands, attrs):
    """v (C,) in the shape of like (N, C, ...) or (C, ...)."""
    v, like = operands
    spatial = len(attrs[0])
    lead = (1,) * (len(like.shape) - spatial - 1)
    column = reshape(frame.batch(v), (frame.size, *lead, v.shape[0]) + (1,) * spatial)
    return expand(column, (frame.size, *like.shape))


RULES = {
    "convolve": convolve,
    "convolve_weight": convolve_weight,
    "expand_channels": expand_channels,
    "fold": fold,
    "sum_channels": sum_channels,
}
