"""Layers that learn the number of their inputs from the first call."""

import wengert

from .conv import Conv1d, Conv2d, Conv3d, ConvTranspose1d, ConvTranspose2d, ConvTranspose3d
from .linear import Linear
from .normalization import BatchNorm1d, BatchNorm2d, BatchNorm3d, InstanceNorm1d, InstanceNorm2d, InstanceNorm3d
from .parameter import UninitializedBuffer, UninitializedParameter, is_lazy


class LazyModuleMixin:
    """What a layer needs whose parameters get their shapes at the first call.

    A lazy class stands before the layer that it becomes among its bases, names it in `cls_to_become`, gives its
    parameters as `UninitializedParameter` and defines `initialize_parameters(*inputs)`, which materializes them.
    Before the first call the module moves between dtypes and is saved and loaded like any other; loading a state with
    shapes gives it these shapes.
    """

    cls_to_become = None

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._load_hook = self._register_load_state_dict_pre_hook(self._lazy_load_hook)
        self._initialize_hook = self.register_forward_pre_hook(self._infer_parameters, with_kwargs=True)

    def initialize_parameters(self, *args, **kwargs):
        """Materialize the parameters for these inputs. Every lazy class defines it."""
        raise NotImplementedError(f"initialize_parameters is not implemented for {type(self).__name__}")

    def has_uninitialized_params(self):
        """Whether any parameter or buffer of this module has no shape yet."""
        return any(is_lazy(t) for t in (*self._parameters.values(), *self._buffers.values()))

    def _save_to_state_dict(self, destination, prefix, keep_vars):
        super()._save_to_state_dict(destination, prefix, True)
        if not keep_vars:
            for key, value in destination.items():
                if key.startswith(prefix) and isinstance(value, wengert.Tensor) and not is_lazy(value):
                    destination[key] = value.detach()

    def _lazy_load_hook(self, state_dict, prefix, *rest):
        """Give own tensors the shapes of those that are about to be loaded."""
        for name, own in (*self._parameters.items(), *self._buffers.items()):
            given = state_dict.get(prefix + name)
            if is_lazy(own) and isinstance(given, wengert.Tensor) and not is_lazy(given):
                with wengert.no_grad():
                    own.materialize(given.shape)

    def _infer_parameters(self, module, args, kwargs):
        """Before the first call: shapes, then the final class, and no more hooks."""
        kwargs = kwargs or {}
        self.initialize_parameters(*args, **kwargs)
        if self.has_uninitialized_params():
            raise RuntimeError(
                f"{type(self).__name__}: expected initialize_parameters to materialize everything, got tensors left "
                "without a shape."
            )
        self._initialize_hook.remove()
        self._load_hook.remove()
        del self._initialize_hook, self._load_hook
        if self.cls_to_become is not None:
            self.__class__ = self.cls_to_become


class _Late(LazyModuleMixin):
    """What is common to the lazy layers of this file: no drawing of values before there are shapes."""

    def reset_parameters(self):
        """Draw the parameters anew, once they have shapes."""
        if "_initialize_hook" in self.__dict__ and not self.has_uninitialized_params():
            super().reset_parameters()

    def _make_late(self, names, factory):
        for name in names:
            setattr(self, name, UninitializedParameter(**factory))


class LazyLinear(_Late, Linear):
    """A `Linear` whose `in_features` are those of the first input.

    Example:
        >>> layer = wengert.nn.LazyLinear(2)
        >>> layer(wengert.zeros(5, 3)).shape, layer
        (wengert.Size([5, 2]), Linear(in_features=3, out_features=2, bias=True))
    """

    cls_to_become = Linear

    def __init__(self, out_features, bias=True, device=None, dtype=None):
        super().__init__(0, 0, False)
        self.out_features = out_features
        self._make_late(("weight", "bias") if bias else ("weight",), {"device": device, "dtype": dtype})

    def initialize_parameters(self, input):
        """Take `in_features` from the input's last axis."""
        if self.has_uninitialized_params():
            self.in_features = input.shape[-1]
            self.weight.materialize((self.out_features, self.in_features))
            if self.bias is not None:
                self.bias.materialize((self.out_features,))
            self.reset_parameters()


class _LateConv(_Late):
    """What the six lazy convolutions share; their numbers of spatial axes are those of their bases."""

    def _finish(self, out_channels, bias, **factory):
        self.out_channels = out_channels
        self._make_late(("weight", "bias") if bias else ("weight",), factory)

    def initialize_parameters(self, input, *args, **kwargs):
        """Take `in_channels` from the input's channel axis."""
        if not self.has_uninitialized_params():
            return
        if input.dim() not in (self._axes + 1, self._axes + 2):
            raise RuntimeError(
                f"{type(self).__name__}: expected an input with {self._axes + 1} or {self._axes + 2} axes, got "
                f"{tuple(input.shape)}."
            )
        self.in_channels = input.shape[-self._axes - 1]
        if self.in_channels % self.groups != 0:
            raise ValueError("in_channels must be divisible by groups")
        pair = (self.out_channels, self.in_channels)
        first, second = reversed(pair) if self.transposed else pair
        self.weight.materialize((first, second // self.groups, *self.kernel_size))
        if self.bias is not None:
            self.bias.materialize((self.out_channels,))
        self.reset_parameters()


class _LateForward(_LateConv):
    def __init__(
        self, out_channels, kernel_size, stride=1, padding=0, dilation=1, groups=1, bias=True, padding_mode="zeros",
        device=None, dtype=None,
    ):  # fmt: skip
        super().__init__(0, 0, kernel_size, stride, padding, dilation, groups, False, padding_mode)
        self._finish(out_channels, bias, device=device, dtype=dtype)


class _LateTransposed(_LateConv):
    def __init__(
        self, out_channels, kernel_size, stride=1, padding=0, output_padding=0, groups=1, bias=True, dilation=1,
        padding_mode="zeros", device=None, dtype=None,
    ):  # fmt: skip
        super().__init__(0, 0, kernel_size, stride, padding, output_padding, groups, False, dilation, padding_mode)
        self._finish(out_channels, bias, device=device, dtype=dtype)


class _LateNorm(_Late):
    """What lazy normalizations share: parameters and statistics of the channels of the first input."""

    def __init__(
        self, eps=1e-5, momentum=0.1, affine=True, track_running_stats=True, device=None, dtype=None, *, bias=True
    ):
        super().__init__(0, eps, momentum, False, False)
        factory = {"device": device, "dtype": dtype}
        self.affine = affine
        self.track_running_stats = track_running_stats
        self._make_late([name for name, on in (("weight", affine), ("bias", affine and bias)) if on], factory)
        if track_running_stats:
            self.running_mean = UninitializedBuffer(**factory)
            self.running_var = UninitializedBuffer(**factory)
            self.num_batches_tracked = wengert.tensor(0, dtype=wengert.long)

    def reset_running_stats(self):
        """Mean 0 and variance 1, once there are channels."""
        if "_initialize_hook" in self.__dict__ and not self.has_uninitialized_params():
            super().reset_running_stats()

    def initialize_parameters(self, input):
        """Take `num_features` from the input's channel axis."""
        if self.has_uninitialized_params():
            self.num_features = input.shape[1]
            for tensor in (self.weight, self.bias, self.running_mean, self.running_var):
                if tensor is not None:
                    tensor.materialize((self.num_features,))
            self.reset_parameters()


class LazyConv1d(_LateForward, Conv1d):
    """A `Conv1d` whose `in_channels` are those of the first input."""

    cls_to_become = Conv1d


class LazyConv2d(_LateForward, Conv2d):
    """A `Conv2d` whose `in_channels` are those of the first input."""

    cls_to_become = Conv2d


class LazyConv3d(_LateForward, Conv3d):
    """A `Conv3d` whose `in_channels` are those of the first input."""

    cls_to_become = Conv3d


class LazyConvTranspose1d(_LateTransposed, ConvTranspose1d):
    """A `ConvTranspose1d` whose `in_channels` are those of the first input."""

    cls_to_become = ConvTranspose1d


class LazyConvTranspose2d(_LateTransposed, ConvTranspose2d):
    """A `ConvTranspose2d` whose `in_channels` are those of the first input."""

    cls_to_become = ConvTranspose2d


class LazyConvTranspose3d(_LateTransposed, ConvTranspose3d):
    """A `ConvTranspose3d` whose `in_channels` are those of the first input."""

    cls_to_become = ConvTranspose3d


class LazyBatchNorm1d(_LateNorm, BatchNorm1d):
    """A `BatchNorm1d` whose `num_features` are the channels of the first input."""

    cls_to_become = BatchNorm1d


class LazyBatchNorm2d(_LateNorm, BatchNorm2d):
    """A `BatchNorm2d` whose `num_features` are the channels of the first input."""

    cls_to_become = BatchNorm2d


class LazyBatchNorm3d(_LateNorm, BatchNorm3d):
    """A `BatchNorm3d` whose `num_features` are the channels of the first input."""

    cls_to_become = BatchNorm3d


class LazyInstanceNorm1d(_LateNorm, InstanceNorm1d):
    """An `InstanceNorm1d` whose `num_features` are the channels of the first input."""

    cls_to_become = InstanceNorm1d


class LazyInstanceNorm2d(_LateNorm, InstanceNorm2d):
    """An `InstanceNorm2d` whose `num_features` are the channels of the first input."""

    cls_to_become = InstanceNorm2d


class LazyInstanceNorm3d(_LateNorm, InstanceNorm3d):
    """An `InstanceNorm3d` whose `num_features` are the channels of the first input."""

    cls_to_become = InstanceNorm3d
