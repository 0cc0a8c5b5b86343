"""Layers before batch normalization folded with it into one, for evaluation."""

import copy

import wengert
from wengert._parameter import Parameter


def fuse_linear_bn_weights(linear_w, linear_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b):
    """Weight and bias of one affine layer that does what a linear layer and the normalization behind it do.

    Args:
        linear_w, linear_b: weight (outputs, ...) and bias (outputs,) or None of the layer.
        bn_rm, bn_rv, bn_eps: running mean and variance, and what is added to the variance.
        bn_w, bn_b: scale and shift of the normalization, or None.

    Returns:
        Two parameters.
    """
    return _fused(linear_w, linear_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b, 0)


def fuse_conv_bn_weights(conv_w, conv_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b, transpose=False):
    """The same for a convolution; in a transposed one the outputs are the weight's second axis."""
    return _fused(conv_w, conv_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b, 1 if transpose else 0)


def _fused(weight, bias, mean, var, eps, scale, shift, axis):
    with wengert.no_grad():
        factor = (var + eps).rsqrt() if scale is None else scale * (var + eps).rsqrt()
        shape = [1] * weight.dim()
        shape[axis] = -1
        fused = (weight * factor.reshape(shape)).to(weight.dtype)
        moved = (0 if bias is None else bias) - mean
        moved = moved * factor + (0 if shift is None else shift)
    grads = weight.requires_grad, (weight if bias is None else bias).requires_grad
    return Parameter(fused, grads[0]), Parameter(moved.to(weight.dtype), grads[1])


def _fuse(layer, bn, fuse, *more):
    if layer.training or bn.training:
        raise AssertionError("fusion: expected both layers in evaluation mode. Call eval() first.")
    if bn.running_mean is None or bn.running_var is None:
        raise AssertionError("fusion: expected a normalization with running statistics, got none.")
    fused = copy.deepcopy(layer)
    fused.weight, fused.bias = fuse(
        fused.weight, fused.bias, bn.running_mean, bn.running_var, bn.eps, bn.weight, bn.bias, *more
    )
    return fused


def fuse_conv_bn_eval(conv, bn, transpose=False):
    """A copy of a convolution that does what it and the batch normalization behind it do in evaluation.

    Example:
        >>> conv, bn = wengert.nn.Conv2d(1, 2, 3).eval(), wengert.nn.BatchNorm2d(2).eval()
        >>> x = wengert.randn(1, 1, 5, 5)
        >>> wengert.allclose(fuse_conv_bn_eval(conv, bn)(x), bn(conv(x)), atol=1e-6)
        True
    """
    return _fuse(conv, bn, fuse_conv_bn_weights, transpose)


def fuse_linear_bn_eval(linear, bn):
    """A copy of a linear layer that does what it and the batch normalization behind it do in evaluation."""
    if linear.out_features != bn.num_features and bn.num_features != 1:
        raise AssertionError(
            f"fuse_linear_bn_eval: expected {linear.out_features} features in the normalization, got {bn.num_features}."
        )
    return _fuse(linear, bn, fuse_linear_bn_weights)
