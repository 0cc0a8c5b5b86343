"""Inverses of max pooling, and pooling at random distances."""

from . import functional as F
from ._shapes import ntuple
from .module import Module


class _MaxUnpoolNd(Module):
    _axes = 0

    def __init__(self, kernel_size, stride=None, padding=0):
        super().__init__()
        n = self._axes
        self.kernel_size = ntuple(kernel_size, n)
        self.stride = self.kernel_size if stride is None else ntuple(stride, n)
        self.padding = ntuple(padding, n)

    def extra_repr(self):
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class MaxUnpool1d(_MaxUnpoolNd):
    """Maxima of `MaxPool1d(return_indices=True)` back at their places, 0 elsewhere.

    `output_size` of a call chooses among the sizes that pool to the input's.

    Example:
        >>> pool = wengert.nn.MaxPool1d(2, return_indices=True)
        >>> top, places = pool(wengert.tensor([[1.0, 3.0, 4.0, 2.0]]))
        >>> wengert.nn.MaxUnpool1d(2)(top, places).tolist()
        [[0.0, 3.0, 4.0, 0.0]]
    """

    _axes = 1

    def forward(self, input, indices, output_size=None):
        return F.max_unpool1d(input, indices, self.kernel_size, self.stride, self.padding, output_size)


class MaxUnpool2d(_MaxUnpoolNd):
    """`MaxUnpool1d` for (N, C, H, W) or (C, H, W)."""

    _axes = 2

    def forward(self, input, indices, output_size=None):
        return F.max_unpool2d(input, indices, self.kernel_size, self.stride, self.padding, output_size)


class MaxUnpool3d(_MaxUnpoolNd):
    """`MaxUnpool1d` for (N, C, D, H, W) or (C, D, H, W)."""

    _axes = 3

    def forward(self, input, indices, output_size=None):
        return F.max_unpool3d(input, indices, self.kernel_size, self.stride, self.padding, output_size)


class _FractionalMaxPoolNd(Module):
    _axes = 0

    def __init__(
        self, kernel_size, output_size=None, output_ratio=None, return_indices=False, _random_samples=None
    ):
        super().__init__()
        n, name = self._axes, type(self).__name__
        self.kernel_size = ntuple(kernel_size, n)
        self.return_indices = return_indices
        self.register_buffer("_random_samples", _random_samples)
        self.output_size = None if output_size is None else ntuple(output_size, n)
        self.output_ratio = None if output_ratio is None else ntuple(output_ratio, n)
        if (output_size is None) == (output_ratio is None):
            raise ValueError(f"{name}: expected either output_size or output_ratio, got both or none.")
        if self.output_ratio is not None and not all(0 < ratio < 1 for ratio in self.output_ratio):
            raise ValueError(f"{name}: expected an output_ratio between 0 and 1, got {output_ratio}.")

    def _pool(self, function, input):
        return function(
            input, self.kernel_size, self.output_size, self.output_ratio, self.return_indices, self._random_samples
        )


class FractionalMaxPool2d(_FractionalMaxPoolNd):
    """Maxima of windows of (N, C, H, W) or (C, H, W) at distances that vary at random (Graham, 2014).

    Args:
        kernel_size: the windows.
        output_size: how many windows along each axis; or `output_ratio`, their shares of the input's sizes.
        return_indices: return the places of the maxima, too.

    Example:
        >>> pool = wengert.nn.FractionalMaxPool2d(2, output_ratio=0.6)
        >>> list(pool(wengert.zeros(1, 3, 10, 5)).shape)
        [1, 3, 6, 3]
    """

    _axes = 2

    def forward(self, input):
        return self._pool(F.fractional_max_pool2d, input)


class FractionalMaxPool3d(_FractionalMaxPoolNd):
    """`FractionalMaxPool2d` for (N, C, D, H, W) or (C, D, H, W)."""

    _axes = 3

    def forward(self, input):
        return self._pool(F.fractional_max_pool3d, input)
