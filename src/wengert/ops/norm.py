"""Rows of normalisation. Each is a kernel with three gradients; a row for each of these alone has a derived rule.

Statistics (mean, rstd) are handed to the gradient kernels as they were saved, but they depend on x: the derived
rules
compute them anew from x, so that every order of derivative is whole.
"""

from math import prod

from ._def import integer, op, real
from ._derive import pullback

# ---- the ops in plain tensor algebra: what the gradients of gradients are derived from ---------------------------


def _standard(x, axes, count, eps, centered=True):
    """x with mean 0 (where centered) and mean square 1 over axes."""
    d = x - x.sum(axes, True) * (1 / count) if centered else x
    return d * ((d * d).sum(axes, True) * (1 / count) + eps).rsqrt()


def _row_standard(x, shape, dims, eps, centered):
    return _standard(x, list(range(-dims, 0)), prod(shape[-dims:]) or 1, eps, centered)


def _channel_standard(x, shape, eps):
    axes = [0, *range(2, len(shape))]
    return _standard(x, axes, prod(shape[a] for a in axes) or 1, eps)


def _group_standard(x, shape, groups, eps):
    rows = x.reshape([shape[0], groups, prod(shape[1:]) // groups])
    return _standard(rows, [2], prod(shape[1:]) // groups or 1, eps).reshape(list(shape))


def _channel(v, shape):
    """(C,) against (N, C, ...)."""
    return v.reshape([shape[1]] + [1] * (len(shape) - 2))


def _input_rule(g, u, x, w, standard, spread):
    """Gradients of the row that computes gx, for u, x and w."""

    def norm(x, w):
        y = standard(x)
        return y if w is None else y * spread(w)

    return pullback(lambda u, x, w: pullback(norm, [x, w], u)[0], [u, x, w], g)


def _weight_rule(g, u, x, standard, spread):
    """Gradients of the row that computes gw = sum of u times the normalised x, for u and x."""
    y = standard(x)
    scaled = spread(g)
    return scaled * y, pullback(standard, [x], scaled * u)[0]


# `dims` counts dimensions from the end: vmap must not take it for the name of one.

# ---- rows --------------------------------------------------------------------------------------------------------


@op("row_norm", absent="w b", kernel="layer_norm", public=False, outputs=3, batch="leading")
def layer_norm(g, x, w, b, y, mean, rstd, *, dims: integer, eps: real):
    """Mean 0 and variance 1 over the last `dims` dimensions, then times w plus b."""
    return g.layer_norm_backward(x, w, b, mean, rstd, dims, eps)


@op(
    "row_norm_backward",
    absent="w like",
    public=False,
    outputs=3,
    differentiable=False,
    batch="loop",
    parts=("layer_norm_gx", "layer_norm_gw", "layer_norm_gb"),
)
def layer_norm_backward(g, u, x, w, like, mean, rstd, gx, gw, gb, *, dims: integer, eps: real):
    """The gradients of layer_norm."""


@op("row_norm_gx", absent="w like", kernel="layer_norm_backward", public=False, batch="loop", shaped=True)
def layer_norm_gx(g, u, x, w, like, mean, rstd, y, *, dims: integer, eps: real):
    """layer_norm's gradient for x."""
    gu, gx, gw = _input_rule(g, u, x, w, lambda x_: _row_standard(x_, x.shape, dims, eps, True), lambda v: v)
    return gu, gx, gw, None, None, None


@op("row_norm_gw", absent="w like", kernel="layer_norm_backward", public=False, batch="loop", shaped=True)
def layer_norm_gw(g, u, x, w, like, mean, rstd, y, *, dims: integer, eps: real):
    """layer_norm's gradient for its weight."""
    gu, gx = _weight_rule(g, u, x, lambda x_: _row_standard(x_, x.shape, dims, eps, True), lambda v: v)
    return gu, gx, None, None, None, None


@op("row_norm_gb", absent="w like", kernel="layer_norm_backward", public=False, batch="loop")
def layer_norm_gb(g, u, x, w, like, mean, rstd, y, *, dims: integer, eps: real):
    """layer_norm's gradient for its bias."""
    return g.expand_like(u), None, None, None, None, None


@op("row_norm", absent="w", kernel="rms_norm", public=False, outputs=2, batch="leading")
def rms_norm(g, x, w, y, rstd, *, dims: integer, eps: real):
    """x divided by its root mean square over the last `dims` dimensions, then times w."""
    return g.rms_norm_backward(x, w, rstd, dims, eps)


@op(
    "row_norm_backward",
    absent="w",
    public=False,
    outputs=2,
    differentiable=False,
    batch="loop",
    parts=("rms_norm_gx", "rms_norm_gw"),
)
def rms_norm_backward(g, u, x, w, rstd, gx, gw, *, dims: integer, eps: real):
    """The gradients of rms_norm."""


@op("row_norm_gx", absent="w", kernel="rms_norm_backward", public=False, batch="loop", shaped=True)
def rms_norm_gx(g, u, x, w, rstd, y, *, dims: integer, eps: real):
    """rms_norm's gradient for x."""
    gu, gx, gw = _input_rule(g, u, x, w, lambda x_: _row_standard(x_, x.shape, dims, eps, False), lambda v: v)
    return gu, gx, gw, None


@op("row_norm_gw", absent="w", kernel="rms_norm_backward", public=False, batch="loop", shaped=True)
def rms_norm_gw(g, u, x, w, rstd, y, *, dims: integer, eps: real):
    """rms_norm's gradient for its weight."""
    gu, gx = _weight_rule(g, u, x, lambda x_: _row_standard(x_, x.shape, dims, eps, False), lambda v: v)
    return gu, gx, None, None


# ---- channels ----------------------------------------------------------------------------------------------------


@op("batch_norm_train", absent="w b", public=False, outputs=4, shown="batch_norm")
def batch_norm_train(g, x, w, b, y, mean, var, rstd, *, eps: real):
    """Each channel (axis 1) with mean 0 and variance 1 over the other dimensions, then times w plus b."""
    return g.batch_norm_backward(x, w, b, mean, rstd, eps)


@op(
    "channel_norm_backward",
    absent="w like",
    kernel="batch_norm_train_backward",
    public=False,
    outputs=3,
    differentiable=False,
    parts=("batch_norm_gx", "batch_norm_gw", "batch_norm_gb"),
)
def batch_norm_backward(g, u, x, w, like, mean, rstd, gx, gw, gb, *, eps: real):
    """The gradients of batch_norm_train."""


@op("channel_norm_gx", absent="w like", kernel="batch_norm_train_backward", public=False, shaped=True)
def batch_norm_gx(g, u, x, w, like, mean, rstd, y, *, eps: real):
    """batch_norm_train's gradient for x."""
    shape = x.shape
    found = _input_rule(g, u, x, w, lambda x_: _channel_standard(x_, shape, eps), lambda v: _channel(v, shape))
    return *found, None, None, None


@op("channel_norm_gw", absent="w like", kernel="batch_norm_train_backward", public=False, shaped=True)
def batch_norm_gw(g, u, x, w, like, mean, rstd, y, *, eps: real):
    """batch_norm_train's gradient for its weight."""
    shape = x.shape
    gu, gx = _weight_rule(g, u, x, lambda x_: _channel_standard(x_, shape, eps), lambda v: _channel(v, shape))
    return gu, gx, None, None, None, None


@op("channel_norm_gb", absent="w like", kernel="batch_norm_train_backward", public=False, shaped=True)
def batch_norm_gb(g, u, x, w, like, mean, rstd, y, *, eps: real):
    """batch_norm_train's gradient for its bias."""
    return _channel(g, x.shape).expand_like(u), None, None, None, None, None


@op("batch_norm_eval", absent="w b", public=False, outputs=2, shown="batch_norm")
def batch_norm_eval(g, x, w, b, mean, var, y, rstd, *, eps: real):
    """(x - mean) / sqrt(var + eps) for each channel, then times w plus b; mean and var are constants."""
    gx, gw, gb = g.batch_norm_eval_backward(x, w, b, mean, rstd, eps)
    return gx, gw, gb, None, None


@op(
    "channel_norm_backward",
    absent="w like",
    public=False,
    outputs=3,
    differentiable=False,
    parts=("batch_norm_eval_gx", "batch_norm_eval_gw", "batch_norm_eval_gb"),
)
def batch_norm_eval_backward(g, u, x, w, like, mean, rstd, gx, gw, gb, *, eps: real):
    """The gradients of batch_norm_eval."""


@op("channel_norm_gx", absent="w like", kernel="batch_norm_eval_backward", public=False, shaped=True)
def batch_norm_eval_gx(g, u, x, w, like, mean, rstd, y, *, eps: real):
    """batch_norm_eval's gradient for x: u times w rstd."""
    shape = x.shape
    scaled = g * _channel(rstd, shape)
    if w is None:
        return scaled, None, None, None, None, None
    axes = [0, *range(2, len(shape))]
    return scaled * _channel(w, shape), None, (scaled * u).sum(axes), None, None, None


@op("channel_norm_gw", absent="w like", kernel="batch_norm_eval_backward", public=False, shaped=True)
def batch_norm_eval_gw(g, u, x, w, like, mean, rstd, y, *, eps: real):
    """batch_norm_eval's gradient for its weight."""
    shape = x.shape
    scaled = _channel(g * rstd, shape)
    return scaled * (x - _channel(mean, shape)), scaled * u, None, None, None, None


@op("channel_norm_gb", absent="w like", kernel="batch_norm_eval_backward", public=False, shaped=True)
def batch_norm_eval_gb(g, u, x, w, like, mean, rstd, y, *, eps: real):
    """batch_norm_eval's gradient for its bias."""
    return _channel(g, x.shape).expand_like(u), None, None, None, None, None


@op("group_norm", absent="w b", public=False, outputs=3)
def group_norm(g, x, w, b, y, mean, rstd, *, groups: integer, eps: real):
    """Mean 0 and variance 1 over each group of channels of each sample, then times w plus b by channel."""
    return g.group_norm_backward(x, w, b, mean, rstd, groups, eps)


@op(
    "channel_norm_backward",
    absent="w like",
    public=False,
    outputs=3,
    differentiable=False,
    parts=("group_norm_gx", "group_norm_gw", "group_norm_gb"),
)
def group_norm_backward(g, u, x, w, like, mean, rstd, gx, gw, gb, *, groups: integer, eps: real):
    """The gradients of group_norm."""


@op("channel_norm_gx", absent="w like", kernel="group_norm_backward", public=False, shaped=True)
def group_norm_gx(g, u, x, w, like, mean, rstd, y, *, groups: integer, eps: real):
    """group_norm's gradient for x."""
    shape = x.shape
    found = _input_rule(
        g, u, x, w, lambda x_: _group_standard(x_, shape, groups, eps), lambda v: _channel(v, shape)
    )
    return *found, None, None, None


@op("channel_norm_gw", absent="w like", kernel="group_norm_backward", public=False, shaped=True)
def group_norm_gw(g, u, x, w, like, mean, rstd, y, *, groups: integer, eps: real):
    """group_norm's gradient for its weight."""
    shape = x.shape
    gu, gx = _weight_rule(g, u, x, lambda x_: _group_standard(x_, shape, groups, eps), lambda v: _channel(v, shape))
    return gu, gx, None, None, None, None


@op("channel_norm_gb", absent="w like", kernel="group_norm_backward", public=False, shaped=True)
def group_norm_gb(g, u, x, w, like, mean, rstd, y, *, groups: integer, eps: real):
    """group_norm's gradient for its bias."""
    return _channel(g, x.shape).expand_like(u), None, None, None, None, None


@op("total_norm", variadic=True, public=False, differentiable=False)
def total_norm(g, tensors, y):
    """The 2-norm of all elements of tensors of one dtype, float32 or float64, taken as one vector."""
