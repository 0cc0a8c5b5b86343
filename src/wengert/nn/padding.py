"""Padding layers. The padding is one number, or (before, after) of each padded axis from the last to the first."""

from . import functional as F
from ._shapes import ntuple
from .module import Module


class _PadNd(Module):
    _axes = 0
    _mode = "constant"

    def __init__(self, padding):
        super().__init__()
        self.padding = ntuple(padding, 2 * self._axes)

    def forward(self, input):
        return F.pad(input, self.padding, self._mode)

    def extra_repr(self):
        return f"{self.padding}"


class _ConstantPadNd(_PadNd):
    def __init__(self, padding, value):
        super().__init__(padding)
        self.value = value

    def forward(self, input):
        return F.pad(input, self.padding, "constant", self.value)

    def extra_repr(self):
        return f"padding={self.padding}, value={self.value}"


class ConstantPad1d(_ConstantPadNd):
    """Pad the last axis with a constant.

    Example:
        >>> wengert.nn.ConstantPad1d((0, 2), 7.0)(wengert.ones(1, 1)).tolist()
        [[1.0, 7.0, 7.0]]
    """

    _axes = 1


class ConstantPad2d(_ConstantPadNd):
    """Pad the last two axes with a constant."""

    _axes = 2


class ConstantPad3d(_ConstantPadNd):
    """Pad the last three axes with a constant."""

    _axes = 3


class _ZeroPad:
    def __init__(self, padding):
        super().__init__(padding, 0.0)

    def extra_repr(self):
        return f"{self.padding}"


class ZeroPad1d(_ZeroPad, ConstantPad1d):
    """Pad the last axis with zeros."""


class ZeroPad2d(_ZeroPad, ConstantPad2d):
    """Pad the last two axes with zeros."""


class ZeroPad3d(_ZeroPad, ConstantPad3d):
    """Pad the last three axes with zeros."""


class ReflectionPad1d(_PadNd):
    """Pad the last axis with its mirror image, the border element not repeated."""

    _axes = 1
    _mode = "reflect"


class ReflectionPad2d(ReflectionPad1d):
    """Pad the last two axes with their mirror image, the border elements not repeated."""

    _axes = 2


class ReflectionPad3d(ReflectionPad1d):
    """Pad the last three axes with their mirror image, the border elements not repeated."""

    _axes = 3


class ReplicationPad1d(_PadNd):
    """Pad the last axis with its border element."""

    _axes = 1
    _mode = "replicate"


class ReplicationPad2d(ReplicationPad1d):
    """Pad the last two axes with their border elements."""

    _axes = 2


class ReplicationPad3d(ReplicationPad1d):
    """Pad the last three axes with their border elements."""

    _axes = 3


class CircularPad1d(_PadNd):
    """Pad the last axis with its other end."""

    _axes = 1
    _mode = "circular"


class CircularPad2d(CircularPad1d):
    """Pad the last two axes with their other ends."""

    _axes = 2


class CircularPad3d(CircularPad1d):
    """Pad the last three axes with their other ends."""

    _axes = 3
