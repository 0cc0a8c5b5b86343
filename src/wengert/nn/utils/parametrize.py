"""Parametrizations: tensors of a module that are computed from other parameters whenever they are read."""

import copy
from contextlib import contextmanager

import wengert

from ..container import ModuleDict, ModuleList
from ..module import Module
from ..parameter import Parameter

_cache_depth = 0
_cache = {}


@contextmanager
def cached():
    """Within the block each parametrized tensor is computed once and kept."""
    global _cache_depth
    _cache_depth += 1
    try:
        yield
    finally:
        _cache_depth -= 1
        if not _cache_depth:
            _cache.clear()


class ParametrizationList(ModuleList):
    """The parametrizations of one tensor, applied in order to `original` (or `original0`, `original1`, ...)."""

    def __init__(self, modules, original, unsafe=False):
        super().__init__(modules)
        self.unsafe = unsafe
        value = self._invert(original)
        self.is_tensor = isinstance(value, wengert.Tensor)
        self.ntensors = 1 if self.is_tensor else len(value)
        if self.is_tensor:
            self._put("original", value, original, reuse=isinstance(original, Parameter))
        else:
            for name, part in zip(self._names(), value, strict=True):
                self._put(name, part, original, reuse=False)

    def _names(self):
        return ["original"] if self.is_tensor else [f"original{i}" for i in range(self.ntensors)]

    def _put(self, name, value, original, reuse):
        if not isinstance(original, Parameter):
            self.register_buffer(name, value)
        elif reuse:
            # The parameter object stays, so that optimizers keep hold of it.
            with wengert.no_grad():
                original.data = value.detach()
            self.register_parameter(name, original)
        else:
            self.register_parameter(name, Parameter(value.detach(), requires_grad=original.requires_grad))

    def _invert(self, value):
        with wengert.no_grad():
            for module in reversed(list(self)):
                if hasattr(module, "right_inverse"):
                    value = module.right_inverse(value)
        return value

    def right_inverse(self, value):
        """Set the originals so that the parametrized tensor becomes `value`."""
        value = self._invert(value)
        with wengert.no_grad():
            for name, part in zip(self._names(), [value] if self.is_tensor else value, strict=True):
                getattr(self, name).data = part.detach()

    def forward(self):
        originals = [getattr(self, name) for name in self._names()]
        first, *rest = self
        value = first(*originals)
        for module in rest:
            value = module(value)
        return value


def _parametrized_property(name):
    def read(self):
        if not _cache_depth:
            return self.parametrizations[name]()
        key = (id(self), name)
        if key not in _cache:
            _cache[key] = self.parametrizations[name]()
        return _cache[key]

    def write(self, value):
        self.parametrizations[name].right_inverse(value)

    return property(read, write)


def _give_own_class(module):
    """Make the module the only instance of a subclass that can hold properties."""
    base = type(module)

    def __getstate__(self):
        raise RuntimeError(
            "Serialization of parametrized modules is only supported through state_dict()."
            " Load it into a module that was parametrized in the same way."
        )

    def __deepcopy__(self, memo):
        twin = self.__new__(type(self))
        memo[id(self)] = twin
        twin.__setstate__(copy.deepcopy(Module.__getstate__(self), memo))
        twin.__class__ = type(type(self).__name__, type(self).__bases__, dict(vars(type(self))))
        return twin

    body = {"__getstate__": __getstate__, "__deepcopy__": __deepcopy__}
    module.__class__ = type(f"Parametrized{base.__name__}", (base,), body)


def is_parametrized(module, tensor_name=None):
    """Whether the module has parametrizations (of the tensor `tensor_name`, if given)."""
    table = module.__dict__.get("parametrizations")
    if not isinstance(table, ModuleDict):
        return False
    return len(table) > 0 if tensor_name is None else tensor_name in table


def register_parametrization(module, tensor_name, parametrization, *, unsafe=False):
    """Compute `module.<tensor_name>` by `parametrization` from now on; return the module.

    Args:
        module: the owner of the tensor.
        tensor_name: the name of a parameter or buffer.
        parametrization: a module; its `right_inverse`, if any, finds the original that gives the present value.
        unsafe: allow the parametrization to change shape or dtype.

    Raises:
        ValueError: there is no such tensor, or the result has another shape or dtype.

    Example:
        >>> class Symmetric(Module):
        ...     def forward(self, x):
        ...         return x.triu() + x.triu(1).T
        >>> layer = register_parametrization(wengert.nn.Linear(3, 3), "weight", Symmetric())
        >>> bool((layer.weight == layer.weight.T).all())
        True
    """
    parametrization.train(module.training)
    if is_parametrized(module, tensor_name):
        parts = module.parametrizations[tensor_name]
        before = getattr(module, tensor_name)
        _check_kept(before, parametrization(before), tensor_name, unsafe or parts.unsafe)
        if hasattr(parametrization, "right_inverse"):
            with wengert.no_grad():
                parts.right_inverse(parametrization.right_inverse(before))
        parts.append(parametrization)
        return module
    if tensor_name not in module._parameters and tensor_name not in module._buffers:
        raise ValueError(
            f"Module '{module}' does not have a parameter, a buffer, or a parametrized element with name"
            f" '{tensor_name}'"
        )
    original = getattr(module, tensor_name)
    before = original.detach().clone()
    parts = ParametrizationList([parametrization], original, unsafe)
    try:
        _check_kept(before, parts(), tensor_name, unsafe)
    except ValueError:
        original.data = before
        raise
    delattr(module, tensor_name)
    if not is_parametrized(module):
        _give_own_class(module)
        module.parametrizations = ModuleDict()
    setattr(type(module), tensor_name, _parametrized_property(tensor_name))
    module.parametrizations[tensor_name] = parts
    return module


def _check_kept(before, after, name, unsafe):
    if not unsafe and (after.shape != before.shape or after.dtype != before.dtype):
        raise ValueError(
            f"register_parametrization: expected '{name}' to keep shape {tuple(before.shape)} and dtype"
            f" {before.dtype},"
            f" got {tuple(after.shape)} and {after.dtype}. Pass unsafe=True to allow it."
        )


def remove_parametrizations(module, tensor_name, leave_parametrized=True):
    """Make `module.<tensor_name>` an ordinary tensor again: its computed value, or the original without
    `leave_parametrized`.

    Raises:
        ValueError: the tensor is not parametrized, or several originals cannot be left as one.
    """
    if not is_parametrized(module, tensor_name):
        raise ValueError(f"Module {module} does not have a parametrization on {tensor_name}")
    parts = module.parametrizations[tensor_name]
    if not parts.is_tensor and not leave_parametrized:
        raise ValueError(
            "Cannot leave unparametrized (`leave_parametrized=False`) a tensor that is parametrized in terms of"
            " a sequence of tensors."
        )
    first = getattr(parts, parts._names()[0])
    value = first
    if leave_parametrized:
        with wengert.no_grad():
            computed = getattr(module, tensor_name).detach().clone()
        if parts.is_tensor:
            value.data = computed
        else:
            value = (
                Parameter(computed, requires_grad=first.requires_grad) if isinstance(first, Parameter) else computed
            )
    del module.parametrizations[tensor_name]
    delattr(type(module), tensor_name)
    if isinstance(value, Parameter):
        module.register_parameter(tensor_name, value)
    else:
        module.register_buffer(tensor_name, value)
    if not is_parametrized(module):
        del module.parametrizations
        module.__class__ = type(module).__bases__[0]
    return module


def type_before_parametrizations(module):
    """The class that the module had before it was parametrized."""
    return type(module).__bases__[0] if is_parametrized(module) else type(module)
