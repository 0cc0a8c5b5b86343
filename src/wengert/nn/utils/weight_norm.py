"""Weight and spectral normalization by a hook before forward (the form that older checkpoints have)."""

import wengert

from ..parameter import Parameter
from ._norms import (
    as_matrix,
    default_spectral_dim,
    largest_singular_value,
    norm_except,
    power_iteration,
    start_vectors,
)


class _Recompute:
    """A hook before forward that puts a computed weight into the module."""

    def __init__(self, name):
        self.name = name

    def __call__(self, module, args):
        setattr(module, self.name, self.compute(module))

    @classmethod
    def remove_from(cls, module, name):
        for key, hook in module._forward_pre_hooks.items():
            if type(hook) is cls and hook.name == name:
                hook.undo(module)
                del module._forward_pre_hooks[key]
                return module
        raise ValueError(f"{cls.label} of '{name}' not found in {module}")


class _WeightNormHook(_Recompute):
    label = "weight_norm"

    def __init__(self, name, dim):
        super().__init__(name)
        self.dim = None if dim == -1 else dim

    def compute(self, module):
        g, v = getattr(module, self.name + "_g"), getattr(module, self.name + "_v")
        return v * (g / norm_except(v, self.dim))

    def undo(self, module):
        weight = self.compute(module).detach()
        for suffix in ("", "_g", "_v"):
            delattr(module, self.name + suffix)
        setattr(module, self.name, Parameter(weight))


def weight_norm(module, name="weight", dim=0):
    """Replace parameter `name` by `name_g` (lengths) and `name_v` (directions), per slice of `dim`; return the
    module.
    """
    hook = _WeightNormHook(name, dim)
    weight = getattr(module, name)
    delattr(module, name)
    module.register_parameter(name + "_g", Parameter(norm_except(weight, hook.dim).detach()))
    module.register_parameter(name + "_v", Parameter(weight.detach()))
    hook(module, ())
    module.register_forward_pre_hook(hook)
    return module


def remove_weight_norm(module, name="weight"):
    """Undo `weight_norm`, keeping the present weight."""
    return _WeightNormHook.remove_from(module, name)


class _SpectralNormHook(_Recompute):
    label = "spectral_norm"

    def __init__(self, name, n_power_iterations, dim, eps):
        super().__init__(name)
        self.n_power_iterations = n_power_iterations
        self.dim = dim
        self.eps = eps

    def compute(self, module, iterate=None):
        weight = getattr(module, self.name + "_orig")
        u, v = getattr(module, self.name + "_u"), getattr(module, self.name + "_v")
        matrix = as_matrix(weight, self.dim)
        if module.training if iterate is None else iterate:
            # v first, as in the form that checkpoints were trained with.
            power_iteration(matrix.t(), v, u, self.n_power_iterations, self.eps)
        return weight / largest_singular_value(matrix, u, v)

    def undo(self, module):
        with wengert.no_grad():
            weight = self.compute(module, iterate=False)
        for suffix in ("", "_u", "_v", "_orig"):
            delattr(module, self.name + suffix)
        setattr(module, self.name, Parameter(weight.detach()))


def spectral_norm(module, name="weight", n_power_iterations=1, eps=1e-12, dim=None):
    """Divide parameter `name` by its largest singular value before every forward; return the module."""
    if n_power_iterations <= 0:
        raise ValueError(
            f"Expected n_power_iterations to be positive, but got n_power_iterations={n_power_iterations}"
        )
    hook = _SpectralNormHook(name, n_power_iterations, default_spectral_dim(module) if dim is None else dim, eps)
    weight = getattr(module, name)
    u, v = start_vectors(as_matrix(weight.detach(), hook.dim), eps, steps=0)
    delattr(module, name)
    module.register_parameter(name + "_orig", weight)
    setattr(module, name, weight.detach())
    module.register_buffer(name + "_u", u)
    module.register_buffer(name + "_v", v)
    module.register_forward_pre_hook(hook)
    return module


def remove_spectral_norm(module, name="weight"):
    """Undo `spectral_norm`, keeping the present weight."""
    return _SpectralNormHook.remove_from(module, name)
