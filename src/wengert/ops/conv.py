"""Rows of convolution and pooling over 1 to 3 spatial dimensions.

Convolution is linear in x and in w, and so are its gradients: the rules of four rows close over each other.
`spatial` is
any list with one entry for each spatial dimension.
"""

from ._def import boolean, integer, ints, op, opt_integer


@op("convolution", absent="b", public=False, batch="convolve")
def convolution(g, x, w, b, y, *, stride: ints, padding: ints, dilation: ints, groups: integer):
    """Cross-correlation of x (N, C, ...) with w (O, C / groups, ...), plus b (O,)."""
    return (
        g.conv_input(w, x, stride, padding, dilation, groups),
        g.conv_weight(x, w, stride, padding, dilation, groups),
        g.sum_channels(stride),
    )


@op("conv_input", public=False, batch="convolve")
def conv_input(g, u, w, like, y, *, stride: ints, padding: ints, dilation: ints, groups: integer):
    """The gradient of convolution for x, of like's shape."""
    return (
        g.conv_output(w, u, stride, padding, dilation, groups),
        u.conv_weight(g, w, stride, padding, dilation, groups),
        None,
    )


@op("conv_weight", public=False, batch="convolve_weight")
def conv_weight(g, u, x, like, y, *, stride: ints, padding: ints, dilation: ints, groups: integer):
    """The gradient of convolution for w, of like's shape."""
    return (
        x.conv_output(g, u, stride, padding, dilation, groups),
        u.conv_input(g, x, stride, padding, dilation, groups),
        None,
    )


@op("conv_transpose", absent="b", public=False, batch="convolve")
def conv_transpose(
    g, x, w, b, y, *, stride: ints, padding: ints, output_padding: ints, dilation: ints, groups: integer
):
    """The adjoint of convolution by w (C, O / groups, ...), applied to x (N, C, ...), plus b (O,)."""
    return (
        g.conv_output(w, x, stride, padding, dilation, groups),
        x.conv_weight(g, w, stride, padding, dilation, groups),
        g.sum_channels(stride),
    )


@op("convolution_like", public=False, batch="convolve")
def conv_output(g, x, w, like, y, *, stride: ints, padding: ints, dilation: ints, groups: integer):
    """Convolution cut to like's spatial sizes, where output_padding makes the plain one larger."""
    return (
        g.conv_input(w, x, stride, padding, dilation, groups),
        g.conv_weight(x, w, stride, padding, dilation, groups),
        None,
    )


@op("sum_channels", public=False, linear=True, batch="sum_channels")
def sum_channels(g, x, y, *, spatial: ints):
    """x (N, C, ...) or (C, ...) summed over all but the channels."""
    return g.expand_channels(x, spatial)


@op("expand_channels", flags="view", public=False, linear=True, batch="expand_channels")
def expand_channels(g, v, like, y, *, spatial: ints):
    """v (C,) in the shape of like (N, C, ...) or (C, ...)."""
    return g.sum_channels(spatial), None


# ---- pooling -----------------------------------------------------------------------------------------------------


@op("max_pool", public=False, outputs=2, batch="fold")
def max_pool(g, x, y, index, *, kernel_size: ints, stride: ints, padding: ints, dilation: ints, ceil_mode: boolean):
    """The maxima of windows, and their flat places in the planes of x."""
    return g.max_pool_backward(index, x, kernel_size)


@op("max_pool", kernel="adaptive_max_pool", public=False, outputs=2, batch="fold")
def adaptive_max_pool(g, x, y, index, *, output_size: ints):
    """The maxima of output_size windows that cover x, and their flat places in the planes of x."""
    return g.max_pool_backward(index, x, output_size)


@op("max_pool_backward", public=False, linear=True, batch="fold")
def max_pool_backward(g, u, index, like, y, *, spatial: ints):
    """Zeros of like's shape plus u at flat places in the planes."""
    return g.pool_gather(index, spatial), None, None


@op("pool_gather", public=False, linear=True, batch="fold")
def pool_gather(g, x, index, y, *, spatial: ints):
    """The values at flat places in the planes of x."""
    return g.max_pool_backward(index, x, spatial), None


@op("max_unpool", public=False, linear=True, batch="fold")
def max_unpool(g, x, index, y, *, output_size: ints):
    """Zeros with x's values at flat places in planes of output_size."""
    return g.pool_gather(index, output_size), None


@op("avg_pool", public=False, linear=True, batch="fold")
def avg_pool(
    g,
    x,
    y,
    *,
    kernel_size: ints,
    stride: ints,
    padding: ints,
    ceil_mode: boolean,
    count_include_pad: boolean,
    divisor_override: opt_integer,
):
    """The means of windows."""
    return g.avg_pool_backward(x, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)


@op("avg_pool_backward", public=False, linear=True, batch="fold")
def avg_pool_backward(
    g,
    u,
    like,
    y,
    *,
    kernel_size: ints,
    stride: ints,
    padding: ints,
    ceil_mode: boolean,
    count_include_pad: boolean,
    divisor_override: opt_integer,
):
    """The gradient of avg_pool, of like's shape."""
    return g.avg_pool(kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override), None


@op("avg_pool", kernel="adaptive_avg_pool", public=False, linear=True, batch="fold")
def adaptive_avg_pool(g, x, y, *, output_size: ints):
    """The means of output_size windows that cover x."""
    return g.adaptive_avg_pool_backward(x, output_size)


@op("avg_pool_backward", kernel="adaptive_avg_pool_backward", public=False, linear=True, batch="fold")
def adaptive_avg_pool_backward(g, u, like, y, *, output_size: ints):
    """The gradient of adaptive_avg_pool, of like's shape."""
    return g.adaptive_avg_pool(output_size), None
