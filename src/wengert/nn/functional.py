"""The functions behind the layers: compiled ops of the core, and functions composed of tensor operations."""

import math

import wengert
from wengert._functional import (
    adaptive_avg_pool1d,
    adaptive_avg_pool2d,
    adaptive_avg_pool3d,
    adaptive_max_pool1d,
    adaptive_max_pool2d,
    adaptive_max_pool3d,
    affine_grid,
    avg_pool1d,
    avg_pool2d,
    avg_pool3d,
    batch_norm,
    bilinear,
    celu,
    channel_shuffle,
    check_tensor,
    conv1d,
    conv2d,
    conv3d,
    conv_transpose1d,
    conv_transpose2d,
    conv_transpose3d,
    cosine_similarity,
    cross_entropy,
    dropout,
    elu,
    embedding,
    embedding_bag,
    fold,
    gelu,
    glu,
    grid_sample,
    group_norm,
    hardshrink,
    hardsigmoid,
    hardswish,
    hardtanh,
    instance_norm,
    interpolate,
    layer_norm,
    leaky_relu,
    linear,
    log_softmax,
    logsigmoid,
    max_pool1d,
    max_pool1d_with_indices,
    max_pool2d,
    max_pool2d_with_indices,
    max_pool3d,
    max_pool3d_with_indices,
    max_unpool1d,
    max_unpool2d,
    max_unpool3d,
    mish,
    nll_loss,
    normalize,
    one_hot,
    pad,
    pairwise_distance,
    pixel_shuffle,
    pixel_unshuffle,
    prelu,
    relu,
    relu_,
    rms_norm,
    rrelu,
    scaled_dot_product_attention,
    selu,
    silu,
    softmax,
    softmin,
    softplus,
    softshrink,
    tanhshrink,
    threshold,
    unfold,
)
from wengert._missing import explain
from wengert._published import all_published

from ._attention import multi_head_attention_forward
from ._ctc import ctc_loss
from ._dropouts import (
    alpha_dropout,
    dropout1d,
    dropout2d,
    dropout3d,
    feature_alpha_dropout,
    gumbel_softmax,
)
from ._fractional import fractional_max_pool
from ._losses import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    gaussian_nll_loss,
    huber_loss,
    kl_div,
    l1_loss,
    mse_loss,
    poisson_nll_loss,
    smooth_l1_loss,
)
from ._margin_losses import (
    cosine_embedding_loss,
    hinge_embedding_loss,
    margin_ranking_loss,
    multi_margin_loss,
    multilabel_margin_loss,
    multilabel_soft_margin_loss,
    soft_margin_loss,
    triplet_margin_loss,
    triplet_margin_with_distance_loss,
)
from ._shapes import ntuple


def sigmoid(input):
    """1 / (1 + exp(-x))."""
    return wengert.sigmoid(input)


def tanh(input):
    """The hyperbolic tangent."""
    return wengert.tanh(input)


def softsign(input):
    """x / (1 + |x|)."""
    check_tensor("softsign", input)
    return input / (input.abs() + 1)


def relu6(input, inplace=False):
    """x clamped to [0, 6]."""
    return hardtanh(input, 0.0, 6.0, inplace)


def elu_(input, alpha=1.0):
    """`elu` in place."""
    return elu(input, alpha, True)


def selu_(input):
    """`selu` in place."""
    check_tensor("selu_", input)
    return selu(input, True)


def celu_(input, alpha=1.0):
    """`celu` in place."""
    check_tensor("celu_", input)
    return celu(input, alpha, True)


def leaky_relu_(input, negative_slope=0.01):
    """`leaky_relu` in place."""
    return leaky_relu(input, negative_slope, True)


def hardtanh_(input, min_val=-1.0, max_val=1.0):
    """`hardtanh` in place."""
    return hardtanh(input, min_val, max_val, True)


_threshold = threshold  # threshold_ has an argument of this name


def threshold_(input, threshold, value):
    """`threshold` in place."""
    return _threshold(input, threshold, value, True)


def rrelu_(input, lower=1.0 / 8, upper=1.0 / 3, training=False):
    """`rrelu` in place."""
    return rrelu(input, lower, upper, training, True)


def upsample(input, size=None, scale_factor=None, mode="nearest", align_corners=None):
    """The old name of `interpolate`."""
    return interpolate(input, size, scale_factor, mode, align_corners)


def upsample_nearest(input, size=None, scale_factor=None):
    """The old name of `interpolate` with mode 'nearest'."""
    return interpolate(input, size, scale_factor, "nearest")


def upsample_bilinear(input, size=None, scale_factor=None):
    """The old name of `interpolate` with mode 'bilinear' and align_corners."""
    return interpolate(input, size, scale_factor, "bilinear", align_corners=True)


def local_response_norm(input, size, alpha=1e-4, beta=0.75, k=1.0):
    """x / (k + alpha * mean of x^2 over `size` neighbouring channels)^beta, for (N, C, ...) with a spatial axis."""
    check_tensor("local_response_norm", input)
    if input.dim() < 3:
        raise ValueError(f"local_response_norm: expected at least 3 dimensions, got shape {tuple(input.shape)}.")
    batch, channels = input.shape[:2]
    # One image row per sample: channels down, all positions across; windows run over the channels alone.
    squares = input.mul(input).reshape(batch, 1, channels, math.prod(input.shape[2:]))
    padded = pad(squares, (0, 0, size // 2, (size - 1) // 2))
    means = avg_pool2d(padded, (size, 1), stride=1).reshape(input.shape)
    return input / means.mul(alpha).add(k).pow(beta)


def _lp_pool(average, maximum, input, norm_type, elements, kernel_size, stride, ceil_mode):
    if math.isinf(norm_type):
        sign = math.copysign(1, norm_type)
        return sign * maximum(sign * input.abs(), kernel_size, stride, 0, 1, ceil_mode)
    means = average(input.pow(norm_type), kernel_size, stride, 0, ceil_mode)
    return (means.sign() * relu(means.abs())).mul(elements).pow(1.0 / norm_type)


def lp_pool1d(input, norm_type, kernel_size, stride=None, ceil_mode=False):
    """(sum of x^p)^(1/p) over windows of the last axis."""
    check_tensor("lp_pool1d", input)
    width = kernel_size if isinstance(kernel_size, int) else kernel_size[0]
    return _lp_pool(avg_pool1d, max_pool1d, input, norm_type, width, kernel_size, stride, ceil_mode)


def _fractional(n):
    name = f"fractional_max_pool{n}d"

    def pool(input, kernel_size, output_size=None, output_ratio=None, return_indices=False, _random_samples=None):
        return fractional_max_pool(
            name, n, input, kernel_size, output_size, output_ratio, return_indices, _random_samples
        )

    def pool_with_indices(
        input, kernel_size, output_size=None, output_ratio=None, return_indices=False, _random_samples=None
    ):
        return pool(input, kernel_size, output_size, output_ratio, True, _random_samples)

    pool.__name__ = pool.__qualname__ = name
    pool.__doc__ = """Maxima of windows of (N, C, ...) at distances that vary at random (Graham, 2014).

    Args:
        input: the images; the batch axis may be missing.
        kernel_size: the windows, one size or one for each axis.
        output_size: how many windows along each axis; or output_ratio: their shares of the input's sizes.
        return_indices: return the places of the maxima in the flattened spatial axes, too.

    Raises ValueError without a size or ratio, RuntimeError where windows do not fit.
    """
    pool_with_indices.__name__ = pool_with_indices.__qualname__ = name + "_with_indices"
    pool_with_indices.__doc__ = f"`{name}` with the places of the maxima."
    return pool, pool_with_indices


fractional_max_pool2d, fractional_max_pool2d_with_indices = _fractional(2)
fractional_max_pool3d, fractional_max_pool3d_with_indices = _fractional(3)


def lp_pool3d(input, norm_type, kernel_size, stride=None, ceil_mode=False):
    """(sum of x^p)^(1/p) over windows of the last three axes."""
    check_tensor("lp_pool3d", input)
    kernel = ntuple(kernel_size, 3)
    return _lp_pool(avg_pool3d, max_pool3d, input, norm_type, math.prod(kernel), kernel, stride, ceil_mode)


def lp_pool2d(input, norm_type, kernel_size, stride=None, ceil_mode=False):
    """(sum of x^p)^(1/p) over windows of the last two axes."""
    check_tensor("lp_pool2d", input)
    height, width = (kernel_size, kernel_size) if isinstance(kernel_size, int) else kernel_size
    return _lp_pool(avg_pool2d, max_pool2d, input, norm_type, height * width, kernel_size, stride, ceil_mode)


def pdist(input, p=2.0):
    """The p-norm distances between all pairs of rows of (N, M), as (N (N - 1) / 2,)."""
    if check_tensor("pdist", input).dim() != 2:
        raise RuntimeError(f"pdist: expected a matrix, got shape {tuple(input.shape)}.")
    rows = input.shape[0]
    first, second = wengert.triu_indices(rows, rows, 1)
    return wengert.linalg.vector_norm(input[first] - input[second], p, dim=-1)


__getattr__ = explain(__name__)
__all__ = [
    "adaptive_avg_pool1d",
    "adaptive_avg_pool2d",
    "adaptive_avg_pool3d",
    "adaptive_max_pool1d",
    "adaptive_max_pool2d",
    "adaptive_max_pool3d",
    "affine_grid",
    "alpha_dropout",
    "avg_pool1d",
    "avg_pool2d",
    "avg_pool3d",
    "batch_norm",
    "bilinear",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "celu",
    "celu_",
    "channel_shuffle",
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
    "cosine_embedding_loss",
    "cosine_similarity",
    "cross_entropy",
    "ctc_loss",
    "dropout",
    "dropout1d",
    "dropout2d",
    "dropout3d",
    "elu",
    "elu_",
    "embedding",
    "embedding_bag",
    "feature_alpha_dropout",
    "fold",
    "fractional_max_pool2d",
    "fractional_max_pool2d_with_indices",
    "fractional_max_pool3d",
    "fractional_max_pool3d_with_indices",
    "gaussian_nll_loss",
    "gelu",
    "glu",
    "grid_sample",
    "group_norm",
    "gumbel_softmax",
    "hardshrink",
    "hardsigmoid",
    "hardswish",
    "hardtanh",
    "hardtanh_",
    "hinge_embedding_loss",
    "huber_loss",
    "instance_norm",
    "interpolate",
    "kl_div",
    "l1_loss",
    "layer_norm",
    "leaky_relu",
    "leaky_relu_",
    "linear",
    "local_response_norm",
    "log_softmax",
    "logsigmoid",
    "lp_pool1d",
    "lp_pool2d",
    "lp_pool3d",
    "margin_ranking_loss",
    "max_pool1d",
    "max_pool1d_with_indices",
    "max_pool2d",
    "max_pool2d_with_indices",
    "max_pool3d",
    "max_pool3d_with_indices",
    "max_unpool1d",
    "max_unpool2d",
    "max_unpool3d",
    "mish",
    "mse_loss",
    "multi_head_attention_forward",
    "multi_margin_loss",
    "multilabel_margin_loss",
    "multilabel_soft_margin_loss",
    "nll_loss",
    "normalize",
    "one_hot",
    "pad",
    "pairwise_distance",
    "pdist",
    "pixel_shuffle",
    "pixel_unshuffle",
    "poisson_nll_loss",
    "prelu",
    "relu",
    "relu6",
    "relu_",
    "rms_norm",
    "rrelu",
    "rrelu_",
    "scaled_dot_product_attention",
    "selu",
    "selu_",
    "sigmoid",
    "silu",
    "smooth_l1_loss",
    "soft_margin_loss",
    "softmax",
    "softmin",
    "softplus",
    "softshrink",
    "softsign",
    "tanh",
    "tanhshrink",
    "threshold",
    "threshold_",
    "triplet_margin_loss",
    "triplet_margin_with_distance_loss",
    "unfold",
    "upsample",
    "upsample_bilinear",
    "upsample_nearest",
]
all_published("nn.functional", globals(), None)
