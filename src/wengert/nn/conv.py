"""Convolutions and transposed convolutions."""

import math

import wengert

from . import functional as F
from . import init
from ._shapes import ntuple
from .module import Module
from .parameter import Parameter

_PADDING_MODES = ("zeros", "reflect", "replicate", "circular")


class _ConvNd(Module):
    """Settings, parameters and printed form of every convolution. `_axes` is the number of spatial axes."""

    _axes = 0

    def __init__(
        self, in_channels, out_channels, kernel_size, stride, padding, dilation, transposed, output_padding, groups,
        bias, padding_mode, device=None, dtype=None,
    ):  # fmt: skip
        super().__init__()
        n = self._axes
        op = type(self).__name__
        if groups <= 0:
            raise ValueError(f"{op}: expected groups of at least 1, got {groups}.")
        for name, channels in (("in_channels", in_channels), ("out_channels", out_channels)):
            if channels % groups != 0:
                raise ValueError(f"{op}: expected {name} divisible by groups, got {channels} and {groups}.")
        if isinstance(padding, str):
            if padding not in ("same", "valid"):
                raise ValueError(
                    f"{op}: expected padding 'valid', 'same' or numbers, got {padding!r}. Pass one of these."
                )
            if padding == "same" and any(s != 1 for s in ntuple(stride, n)):
                raise ValueError(
                    f"{op}: expected stride 1 with padding='same', got {stride}. Pass the padding as numbers."
                )
        if padding_mode not in _PADDING_MODES:
            raise ValueError(f"{op}: expected a padding_mode of {sorted(_PADDING_MODES)}, got {padding_mode!r}.")
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = ntuple(kernel_size, n)
        self.stride = ntuple(stride, n)
        self.padding = padding if isinstance(padding, str) else ntuple(padding, n)
        self.dilation = ntuple(dilation, n)
        self.transposed = transposed
        self.output_padding = ntuple(output_padding, n)
        self.groups = groups
        self.padding_mode = padding_mode
        # F.pad wants (before, after) from the last axis to the first.
        self._reversed_padding_repeated_twice = [p for pair in reversed(self._padding_pairs()) for p in pair]
        channels = (in_channels, out_channels // groups) if transposed else (out_channels, in_channels // groups)
        self.weight = Parameter(wengert.empty((*channels, *self.kernel_size), device=device, dtype=dtype))
        if bias:
            self.bias = Parameter(wengert.empty(out_channels, device=device, dtype=dtype))
        else:
            self.register_parameter("bias", None)
        self.reset_parameters()

    def _padding_pairs(self):
        if self.padding == "valid":
            return [(0, 0)] * self._axes
        if self.padding == "same":
            totals = [d * (k - 1) for d, k in zip(self.dilation, self.kernel_size, strict=True)]
            return [(total // 2, total - total // 2) for total in totals]
        return [(p, p) for p in self.padding]

    def reset_parameters(self):
        """Draw weight and bias anew from U(-k, k), k = 1 / sqrt(inputs of one output)."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            fan_in, _ = init._calculate_fan_in_and_fan_out(self.weight)
            if fan_in != 0:
                bound = 1 / math.sqrt(fan_in)
                init.uniform_(self.bias, -bound, bound)

    def extra_repr(self):
        text = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        if self.padding != (0,) * self._axes:
            text += f", padding={self.padding}"
        if self.dilation != (1,) * self._axes:
            text += f", dilation={self.dilation}"
        if self.output_padding != (0,) * self._axes:
            text += f", output_padding={self.output_padding}"
        if self.groups != 1:
            text += f", groups={self.groups}"
        if self.bias is None:
            text += ", bias=False"
        if self.padding_mode != "zeros":
            text += f", padding_mode={self.padding_mode}"
        return text


class _Conv(_ConvNd):
    def __init__(
        self, in_channels, out_channels, kernel_size, stride=1, padding=0, dilation=1, groups=1, bias=True,
        padding_mode="zeros", device=None, dtype=None,
    ):  # fmt: skip
        super().__init__(
            in_channels, out_channels, kernel_size, stride, padding, dilation, False, 0, groups, bias, padding_mode,
            device, dtype,
        )  # fmt: skip

    def _padded(self, input):
        """The input with its border filled by the padding mode, and the padding that is left to the convolution."""
        if self.padding_mode == "zeros":
            return input, self.padding
        return F.pad(input, self._reversed_padding_repeated_twice, mode=self.padding_mode), 0

    def _conv_forward(self, input, weight, bias):
        input, padding = self._padded(input)
        return self._convolve(input, weight, bias, self.stride, padding, self.dilation, self.groups)

    def forward(self, input):
        return self._conv_forward(input, self.weight, self.bias)


class Conv1d(_Conv):
    """Cross-correlation of (N, C, L) or (C, L) with kernels (out_channels, C / groups, K).

    Example:
        >>> list(wengert.nn.Conv1d(2, 4, 3)(wengert.zeros(1, 2, 10)).shape)
        [1, 4, 8]
    """

    _axes = 1

    def _convolve(self, *args):
        return F.conv1d(*args)


class Conv2d(_Conv):
    """Cross-correlation of (N, C, H, W) or (C, H, W) with kernels (out_channels, C / groups, KH, KW).

    Example:
        >>> list(wengert.nn.Conv2d(3, 8, 3, padding=1)(wengert.zeros(1, 3, 6, 6)).shape)
        [1, 8, 6, 6]
    """

    _axes = 2

    def _convolve(self, *args):
        return F.conv2d(*args)

    def forward(self, input):
        if self.padding_mode == "zeros":
            return F.conv2d(input, self.weight, self.bias, self.stride, self.padding, self.dilation, self.groups)
        return self._conv_forward(input, self.weight, self.bias)


class Conv3d(_Conv):
    """Cross-correlation of (N, C, D, H, W) or (C, D, H, W) with kernels (out_channels, C / groups, KD, KH, KW)."""

    _axes = 3

    def _convolve(self, *args):
        return F.conv3d(*args)


class _ConvTransposeNd(_ConvNd):
    def __init__(
        self, in_channels, out_channels, kernel_size, stride=1, padding=0, output_padding=0, groups=1, bias=True,
        dilation=1, padding_mode="zeros", device=None, dtype=None,
    ):  # fmt: skip
        if padding_mode != "zeros":
            raise ValueError(f'Only "zeros" padding mode is supported for {type(self).__name__}')
        super().__init__(
            in_channels, out_channels, kernel_size, stride, padding, dilation, True, output_padding, groups, bias,
            padding_mode, device, dtype,
        )  # fmt: skip

    def _output_padding_for(self, input, output_size):
        """The extra rows at the far end that make the output `output_size`; the setting itself if that is None."""
        if output_size is None:
            return self.output_padding
        n = self._axes
        output_size = tuple(output_size)
        spatial = tuple(input.shape)[-n:]
        if len(output_size) == input.dim():
            output_size = output_size[-n:]
        if len(output_size) != n:
            raise ValueError(
                f"{type(self).__name__}: expected output_size with {n} or {input.dim()} elements, got"
                f" {len(output_size)}."
                " Pass the spatial sizes."
            )
        extra = []
        for axis in range(n):
            smallest = (
                (spatial[axis] - 1) * self.stride[axis]
                - 2 * self.padding[axis]
                + self.dilation[axis] * (self.kernel_size[axis] - 1)
                + 1
            )
            if not smallest <= output_size[axis] < smallest + self.stride[axis]:
                raise ValueError(
                    f"{type(self).__name__}: expected output size {axis} between {smallest} and"
                    f" {smallest + self.stride[axis] - 1}, got {output_size[axis]}. Pass one of these."
                )
            extra.append(output_size[axis] - smallest)
        return tuple(extra)

    def forward(self, input, output_size=None):
        output_padding = self._output_padding_for(input, output_size)
        return self._convolve(
            input, self.weight, self.bias, self.stride, self.padding, output_padding, self.groups, self.dilation
        )


class ConvTranspose1d(_ConvTransposeNd):
    """The gradient of `Conv1d` with respect to its input, used as a layer: (N, C, L) grows by the stride.

    Example:
        >>> list(wengert.nn.ConvTranspose1d(2, 4, 2, stride=2)(wengert.zeros(1, 2, 5)).shape)
        [1, 4, 10]
    """

    _axes = 1

    def _convolve(self, *args):
        return F.conv_transpose1d(*args)


class ConvTranspose2d(_ConvTransposeNd):
    """The gradient of `Conv2d` with respect to its input, used as a layer: (N, C, H, W) grows by the stride."""

    _axes = 2

    def _convolve(self, *args):
        return F.conv_transpose2d(*args)


class ConvTranspose3d(_ConvTransposeNd):
    """The gradient of `Conv3d` with respect to its input, used as a layer: (N, C, D, H, W) grows by the stride."""

    _axes = 3

    def _convolve(self, *args):
        return F.conv_transpose3d(*args)
