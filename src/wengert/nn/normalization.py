"""Layers that shift and scale to mean 0 and variance 1, over the batch or over each sample."""

import wengert

from . import functional as F
from . import init
from ._shapes import ntuple
from .module import Module
from .parameter import Parameter


class _NormBase(Module):
    """Parameters and running statistics of batch and instance normalization, one per channel (axis 1)."""

    _version = 2  # 1 had no num_batches_tracked

    def __init__(
        self, num_features, eps=1e-5, momentum=0.1, affine=True, track_running_stats=True, device=None,
        dtype=None, *,
        bias=True,
    ):  # fmt: skip
        super().__init__()
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.affine = affine
        self.track_running_stats = track_running_stats
        for name, wanted in (("weight", affine), ("bias", affine and bias)):
            empty = Parameter(wengert.empty(num_features, device=device, dtype=dtype)) if wanted else None
            self.register_parameter(name, empty)
        if track_running_stats:
            self.register_buffer("running_mean", wengert.zeros(num_features, device=device, dtype=dtype))
            self.register_buffer("running_var", wengert.ones(num_features, device=device, dtype=dtype))
            self.register_buffer("num_batches_tracked", wengert.tensor(0, dtype=wengert.long, device=device))
        else:
            for name in ("running_mean", "running_var", "num_batches_tracked"):
                self.register_buffer(name, None)
        self.reset_parameters()

    def reset_running_stats(self):
        """Mean 0, variance 1, no batch seen."""
        if self.track_running_stats:
            self.running_mean.zero_()
            self.running_var.fill_(1)
            self.num_batches_tracked.zero_()

    def reset_parameters(self):
        """Weight 1, bias 0, and the running statistics of a new layer."""
        self.reset_running_stats()
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)

    def _check_input_dim(self, input):
        raise NotImplementedError

    def _check_dims(self, input, *dims):
        if input.dim() not in dims:
            wanted = " or ".join(f"{d}D" for d in dims)
            raise ValueError(
                f"{type(self).__name__}: expected {wanted} input, got {input.dim()}D input of shape {tuple(input.shape)}."
            )

    def extra_repr(self):
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine},"
            f" bias={self.bias is not None}, track_running_stats={self.track_running_stats}"
        )

    def _load_from_state_dict(self, state_dict, prefix, local_metadata, *report):
        version = local_metadata.get("version")
        key = prefix + "num_batches_tracked"
        if (version is None or version < 2) and self.track_running_stats and key not in state_dict:
            state_dict[key] = self.num_batches_tracked.clone()
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *report)


class _BatchNorm(_NormBase):
    def forward(self, input):
        self._check_input_dim(input)
        momentum = 0.0 if self.momentum is None else self.momentum
        if self.training and self.track_running_stats and self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
            if self.momentum is None:  # the mean over all batches
                momentum = 1.0 / self.num_batches_tracked.item()
        use_batch = self.training or (self.running_mean is None and self.running_var is None)
        keeps = not self.training or self.track_running_stats
        return F.batch_norm(
            input, self.running_mean if keeps else None, self.running_var if keeps else None, self.weight,
            self.bias,
            use_batch, momentum, self.eps,
        )  # fmt: skip


class BatchNorm1d(_BatchNorm):
    """Normalize each channel of (N, C) or (N, C, L) over the batch; in evaluation by the running statistics.

    Args:
        num_features: the number of channels C.
        eps: added to the variance.
        momentum: weight of the new batch in the running statistics; None for the mean over all batches.
        affine: learn a scale and (with `bias`) a shift per channel.
        track_running_stats: keep running statistics.

    Example:
        >>> list(wengert.nn.BatchNorm1d(3).state_dict())
        ['weight', 'bias', 'running_mean', 'running_var', 'num_batches_tracked']
    """

    def _check_input_dim(self, input):
        self._check_dims(input, 2, 3)


class BatchNorm2d(_BatchNorm):
    """`BatchNorm1d` for (N, C, H, W)."""

    def _check_input_dim(self, input):
        self._check_dims(input, 4)


class BatchNorm3d(_BatchNorm):
    """`BatchNorm1d` for (N, C, D, H, W)."""

    def _check_input_dim(self, input):
        self._check_dims(input, 5)


class SyncBatchNorm(_BatchNorm):
    """Batch normalization over all processes of a group; with one process, as here, that of its own batch.

    For inputs (N, C) and (N, C, ...). The arguments are those of `BatchNorm1d`; `process_group` is kept.
    """

    def __init__(
        self, num_features, eps=1e-5, momentum=0.1, affine=True, track_running_stats=True, process_group=None,
        device=None, dtype=None, *, bias=True,
    ):  # fmt: skip
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias)
        self.process_group = process_group

    def _check_input_dim(self, input):
        if input.dim() < 2:
            raise ValueError(f"{type(self).__name__}: expected at least 2D input, got shape {tuple(input.shape)}.")

    @classmethod
    def convert_sync_batchnorm(cls, module, process_group=None):
        """The module with each batch normalization of the tree replaced by one of this class with the same state."""
        changed = module
        if isinstance(module, _BatchNorm) and not isinstance(module, cls):
            changed = cls(
                module.num_features, module.eps, module.momentum, module.affine, module.track_running_stats,
                process_group,
            )  # fmt: skip
            changed.weight, changed.bias = module.weight, module.bias
            for name in ("running_mean", "running_var", "num_batches_tracked"):
                setattr(changed, name, getattr(module, name))
            changed.training = module.training
        for name, child in module.named_children():
            changed.add_module(name, cls.convert_sync_batchnorm(child, process_group))
        return changed


class _InstanceNorm(_NormBase):
    _axes = 0

    def __init__(
        self, num_features, eps=1e-5, momentum=0.1, affine=False, track_running_stats=False, device=None,
        dtype=None, *,
        bias=True,
    ):  # fmt: skip
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias)

    def _check_input_dim(self, input):
        self._check_dims(input, self._axes + 1, self._axes + 2)

    def _normalize(self, input):
        return F.instance_norm(
            input, self.running_mean, self.running_var, self.weight, self.bias,
            self.training or not self.track_running_stats, 0.0 if self.momentum is None else self.momentum,
            self.eps,
        )  # fmt: skip

    def forward(self, input):
        self._check_input_dim(input)
        channels = input.shape[-self._axes - 1]
        if channels != self.num_features and self.affine:
            raise ValueError(
                f"expected input's size at dim={input.dim() - self._axes - 1} to match num_features"
                f" ({self.num_features}), but got: {channels}."
            )
        if input.dim() == self._axes + 1:
            return self._normalize(input.unsqueeze(0)).squeeze(0)
        return self._normalize(input)


class InstanceNorm1d(_InstanceNorm):
    """Normalize each channel of each sample of (N, C, L) or (C, L)."""

    _axes = 1


class InstanceNorm2d(_InstanceNorm):
    """Normalize each channel of each sample of (N, C, H, W) or (C, H, W)."""

    _axes = 2


class InstanceNorm3d(_InstanceNorm):
    """Normalize each channel of each sample of (N, C, D, H, W) or (C, D, H, W)."""

    _axes = 3


class LayerNorm(Module):
    """Normalize each sample over its last axes, whose sizes are `normalized_shape`.

    Example:
        >>> y = wengert.nn.LayerNorm(4)(wengert.tensor([[1.0, 2.0, 3.0, 4.0]]))
        >>> abs(y.mean().item()) < 1e-6
        True
    """

    def __init__(self, normalized_shape, eps=1e-5, elementwise_affine=True, bias=True, device=None, dtype=None):
        super().__init__()
        self.normalized_shape = ntuple(normalized_shape, 1)
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        for name, wanted in (("weight", elementwise_affine), ("bias", elementwise_affine and bias)):
            empty = wengert.empty(self.normalized_shape, device=device, dtype=dtype) if wanted else None
            self.register_parameter(name, None if empty is None else Parameter(empty))
        self.reset_parameters()

    def reset_parameters(self):
        """Weight 1, bias 0."""
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)

    def forward(self, input):
        return F.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self):
        return (
            f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine},"
            f" bias={self.bias is not None}"
        )


class GroupNorm(Module):
    """Normalize each sample over groups of its channels (axis 1).

    Example:
        >>> list(wengert.nn.GroupNorm(2, 6)(wengert.zeros(5, 6, 3)).shape)
        [5, 6, 3]
    """

    def __init__(self, num_groups, num_channels, eps=1e-5, affine=True, device=None, dtype=None, *, bias=True):
        super().__init__()
        if num_channels % num_groups != 0:
            raise ValueError(
                f"GroupNorm: expected num_channels divisible by num_groups, got {num_channels} and {num_groups}."
            )
        self.num_groups = num_groups
        self.num_channels = num_channels
        self.eps = eps
        self.affine = affine
        for name, wanted in (("weight", affine), ("bias", affine and bias)):
            empty = Parameter(wengert.empty(num_channels, device=device, dtype=dtype)) if wanted else None
            self.register_parameter(name, empty)
        self.reset_parameters()

    def reset_parameters(self):
        """Weight 1, bias 0."""
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)

    def forward(self, input):
        return F.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self):
        return (
            f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}"
            f", bias={self.bias is not None}"
        )


class RMSNorm(Module):
    """Divide each sample by the root of its mean square over the last axes (Zhang and Sennrich, 2019).

    `eps=None` stands for the machine epsilon of the input's dtype.
    """

    def __init__(self, normalized_shape, eps=None, elementwise_affine=True, device=None, dtype=None):
        super().__init__()
        self.normalized_shape = ntuple(normalized_shape, 1)
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        if elementwise_affine:
            self.weight = Parameter(wengert.empty(self.normalized_shape, device=device, dtype=dtype))
        else:
            self.register_parameter("weight", None)
        self.reset_parameters()

    def reset_parameters(self):
        """Weight 1."""
        if self.weight is not None:
            init.ones_(self.weight)

    def forward(self, input):
        return F.rms_norm(input, self.normalized_shape, self.weight, self.eps)

    def extra_repr(self):
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"


class _ChannelWindow(Module):
    """What the normalisations over neighbouring channels hold."""

    def __init__(self, size, alpha=1e-4, beta=0.75, k=1.0):
        super().__init__()
        self.size = size
        self.alpha = alpha
        self.beta = beta
        self.k = k

    def extra_repr(self):
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"


class LocalResponseNorm(_ChannelWindow):
    """x / (k + alpha / size * sum of squares over `size` neighbouring channels)^beta."""

    def forward(self, input):
        return F.local_response_norm(input, self.size, self.alpha, self.beta, self.k)


class CrossMapLRN2d(_ChannelWindow):
    """LocalResponseNorm of images (N, C, H, W) as it was first: from the third window on, the first channel counts too.

    Sizes are odd; an even one counts as the odd one below it, but divides alpha.
    """

    def __init__(self, size, alpha=1e-4, beta=0.75, k=1):
        super().__init__(size, alpha, beta, k)

    def forward(self, input):
        if input.dim() != 4:
            raise RuntimeError(f"CrossMapLRN2d: expected an input of 4 dimensions, got {input.dim()}.")
        channel = wengert.arange(input.shape[1])
        reach = (self.size - 1) // 2 + 1
        window = ((channel[:, None] - channel).abs() < reach) | (channel == 0)
        sums = wengert.einsum("dc,nchw->ndhw", window.to(input.dtype), input * input)
        return input * (self.k + self.alpha / self.size * sums) ** -self.beta
