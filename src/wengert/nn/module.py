"""The base class of all layers and models."""

import wengert

from ._global_hooks import (  # the names by which programs import them
    register_module_backward_hook,
    register_module_buffer_registration_hook,
    register_module_forward_hook,
    register_module_forward_pre_hook,
    register_module_full_backward_hook,
    register_module_full_backward_pre_hook,
    register_module_module_registration_hook,
    register_module_parameter_registration_hook,
    registered,
    watch,
)
from ._hooks import HookProtocol
from ._registry import NAMES, Registry
from ._state import (
    _EXTRA_STATE_KEY_SUFFIX,  # noqa: F401  (a name that packages import, like the next one)
    StateProtocol,
)
from ._state import IncompatibleKeys as _IncompatibleKeys  # noqa: F401
from .parameter import Buffer, Parameter

__all__ = [
    "Module",
    "register_module_backward_hook",
    "register_module_buffer_registration_hook",
    "register_module_forward_hook",
    "register_module_forward_pre_hook",
    "register_module_full_backward_hook",
    "register_module_full_backward_pre_hook",
    "register_module_module_registration_hook",
    "register_module_parameter_registration_hook",
]

_NO_INPUT = object()


def _indented(text, by=2):
    first, *rest = text.split("\n")
    return "\n".join([first] + [" " * by + line for line in rest])


def _check_new_name(module, name, kind):
    """Refuse names that are no attribute names, or are taken by something that is not `kind`'s own registry."""
    if not isinstance(name, str):
        raise TypeError(f"Module: expected the name of a {kind} as a str, got {type(name).__name__}.")
    if "." in name:
        raise KeyError(f"Module: expected the name of a {kind} without '.', got {name!r}.")
    if name == "":
        raise KeyError(f"Module: expected the name of a {kind}, got ''.")
    if hasattr(module, name) and name not in getattr(module, f"_{kind}s"):
        raise KeyError(f"Module: expected a new name for a {kind}, got {name!r}, which already exists.")


def parse_to(*args, device=None, dtype=None, tensor=None, **options):
    """The (device, dtype) that arguments of `Module.to` name; None for what they do not."""
    for value in (*args, tensor):
        if isinstance(value, wengert.Tensor):
            device, dtype = value.device, value.dtype
        elif isinstance(value, wengert.dtype):
            dtype = value
        elif isinstance(value, (str, wengert.device)):
            device = value
    return None if device is None else wengert.device(device), dtype


class Module(HookProtocol, StateProtocol):
    """Base class of every layer and model: a tree of parameters, buffers and further modules.

    Assigning a `Parameter` or a `Module` to an attribute registers it. Subclasses call `super().__init__()` first
    and define `forward`.

    Example:
        >>> class Doubler(wengert.nn.Module):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.scale = wengert.nn.Parameter(wengert.tensor(2.0))
        ...     def forward(self, x):
        ...         return x * self.scale
        >>> Doubler()(wengert.ones(3)).tolist()
        [2.0, 2.0, 2.0]
    """

    dump_patches = False

    def __init__(self, *args, **kwargs):
        if args or kwargs:
            raise TypeError(
                f"{type(self).__name__}.__init__: expected no arguments for Module, got {args} {kwargs}. Drop them."
            )
        d = self.__dict__
        d["training"] = True
        d["_hooks"] = None
        d["_parameters"] = Registry(self)
        d["_buffers"] = Registry(self)
        d["_non_persistent_buffers_set"] = set()
        d["_modules"] = Registry(self)

    def __call__(self, x=_NO_INPUT, /, *args, **kwargs):
        # One named argument: the common call then builds no argument tuple of its own (127 against 190 ns).
        if self._hooks is None:
            if not args and not kwargs and x is not _NO_INPUT:
                return self.forward(x)
            return self.forward(*args, **kwargs) if x is _NO_INPUT else self.forward(x, *args, **kwargs)
        return self._call_with_hooks(args if x is _NO_INPUT else (x, *args), kwargs)

    def forward(self, *args):
        """Compute the output. Every subclass defines it."""
        raise NotImplementedError(f'Module [{type(self).__name__}] is missing the required "forward" function')

    # ---- attributes

    def __setattr__(self, name, value):
        d = self.__dict__
        if isinstance(value, Parameter):
            self._leave_registries(name, "_parameters", "parameters")
            self.register_parameter(name, value)
        elif isinstance(value, Module):
            self._leave_registries(name, "_modules", "module")
            d["_modules"][name] = registered("module", self, name, value)
        elif name in d.get("_parameters", ()):
            if value is not None:
                raise TypeError(
                    f"{type(self).__name__}: expected a Parameter or None as parameter {name!r}, got "
                    f"{type(value).__name__}. Wrap it in nn.Parameter(), or write with {name}.copy_() inside no_grad()."
                )
            d["_parameters"][name] = None
        elif name in d.get("_modules", ()):
            if value is not None:
                raise TypeError(
                    f"{type(self).__name__}: expected a Module or None as child module {name!r}, got {type(value).__name__}."
                )
            d["_modules"][name] = None
        elif name in d.get("_buffers", ()):
            if value is not None and not isinstance(value, wengert.Tensor):
                raise TypeError(
                    f"{type(self).__name__}: expected a Tensor or None as buffer {name!r}, got {type(value).__name__}."
                )
            d["_buffers"][name] = value
        elif isinstance(value, Buffer):
            self._leave_registries(name, "_buffers", "buffers")
            self.register_buffer(name, value, getattr(value, "persistent", True))
        elif name in NAMES:
            if name in d:
                d[name].clear()
            d[name] = Registry(self, value)
        else:
            object.__setattr__(self, name, value)

    def _leave_registries(self, name, target, kind):
        """Make room for `name` in the registry `target`: it must be in no other, nor be a plain attribute."""
        d = self.__dict__
        if target not in d:
            raise AttributeError(f"cannot assign {kind} before Module.__init__() call")
        for other in NAMES:
            if other != target and name in d[other]:
                del d[other][name]
                d["_non_persistent_buffers_set"].discard(name)
        if name not in d[target]:
            d.pop(name, None)

    def __getattr__(self, name):
        # The registries repeat their entries in the instance dictionary: only subclasses that ask by super().__getattr__
        # find something here.
        for registry in ("_parameters", "_buffers", "_modules"):
            found = self.__dict__.get(registry, ())
            if name in found:
                return found[name]
        raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")

    def __delattr__(self, name):
        for registry in NAMES:
            if name in self.__dict__[registry]:
                del self.__dict__[registry][name]
                self._non_persistent_buffers_set.discard(name)
                return
        object.__delattr__(self, name)

    def __dir__(self):
        names = {*dir(type(self)), *self.__dict__, *self._parameters, *self._modules, *self._buffers}
        return sorted(name for name in names if not name[:1].isdigit())

    def __getstate__(self):
        mirrored = {name for registry in NAMES for name in self.__dict__.get(registry, ())}
        state = {k: v for k, v in self.__dict__.items() if k not in mirrored}
        for registry in NAMES:
            if registry in state:
                state[registry] = dict(state[registry])
        return state

    def __setstate__(self, state):
        d = self.__dict__
        d.update(state)
        d.setdefault("_hooks", None)
        for registry in NAMES:
            d[registry] = Registry(self, d.get(registry, {}))

    # ---- registration

    def register_parameter(self, name, param):
        """Add a parameter under `name`; None reserves the name and no more."""
        if "_parameters" not in self.__dict__:
            raise AttributeError("cannot assign parameter before Module.__init__() call")
        _check_new_name(self, name, "parameter")
        if param is not None and not isinstance(param, Parameter):
            raise TypeError(
                f"register_parameter: expected a Parameter or None as {name!r}, got {type(param).__name__}. Wrap it in "
                "nn.Parameter()."
            )
        if param is not None and param.grad_fn is not None:
            raise ValueError(
                f"Cannot assign non-leaf Tensor to parameter '{name}'. Model parameters must be created explicitly."
                " To express it as a function of another Tensor, compute the value in the forward() method."
            )
        self._parameters[name] = None if param is None else registered("parameter", self, name, param)

    def register_buffer(self, name, tensor, persistent=True):
        """Add a tensor that is state but not trained (a running mean); `persistent=False` leaves it out of
        `state_dict`.

        Example:
            >>> m = wengert.nn.Module()
            >>> m.register_buffer("mean", wengert.zeros(2))
            >>> list(m.state_dict())
            ['mean']
        """
        if "_buffers" not in self.__dict__:
            raise AttributeError("cannot assign buffer before Module.__init__() call")
        _check_new_name(self, name, "buffer")
        if tensor is not None and not isinstance(tensor, wengert.Tensor):
            raise TypeError(f"register_buffer: expected a Tensor or None as {name!r}, got {type(tensor).__name__}.")
        self._buffers[name] = registered("buffer", self, name, tensor)
        if persistent:
            self._non_persistent_buffers_set.discard(name)
        else:
            self._non_persistent_buffers_set.add(name)

    def register_module(self, name, module):
        """Add a child module under `name` (or None, which reserves the name)."""
        if module is not None and not isinstance(module, Module):
            raise TypeError(f"{type(self).__name__}: expected a Module as {name!r}, got {type(module).__name__}.")
        _check_new_name(self, name, "module")
        self._modules[name] = registered("module", self, name, module)

    add_module = register_module

    # ---- walking the tree

    def named_modules(self, memo=None, prefix="", remove_duplicate=True):
        """Yield `(dotted name, module)` for this module and all below it, parents first; a shared module once."""
        memo = set() if memo is None else memo
        stack = [(prefix, self)]
        while stack:
            name, module = stack.pop()
            if module in memo:
                continue
            if remove_duplicate:
                memo.add(module)
            yield name, module
            dot = name + "." if name else ""
            below = [(dot + key, child) for key, child in module._modules.items() if child is not None]
            stack.extend(reversed(below))

    def modules(self, remove_duplicate=True):
        """Yield this module and all below it."""
        for _, module in self.named_modules(remove_duplicate=remove_duplicate):
            yield module

    def named_children(self):
        """Yield `(name, module)` of the direct children, a shared one once."""
        seen = set()
        for name, child in self._modules.items():
            if child is not None and child not in seen:
                seen.add(child)
                yield name, child

    def children(self):
        """Yield the direct children."""
        for _, child in self.named_children():
            yield child

    def _named_members(self, get_members_fn, prefix="", recurse=True, remove_duplicate=True):
        seen = set()
        owners = (
            self.named_modules(prefix=prefix, remove_duplicate=remove_duplicate) if recurse else [(prefix, self)]
        )
        for owner, module in owners:
            dot = owner + "." if owner else ""
            for name, value in get_members_fn(module):
                if value is None or id(value) in seen:
                    continue
                if remove_duplicate:
                    seen.add(id(value))
                yield dot + name, value

    def named_parameters(self, prefix="", recurse=True, remove_duplicate=True):
        """Yield `(dotted name, parameter)`, a shared parameter once unless `remove_duplicate` is False."""
        return self._named_members(lambda m: m._parameters.items(), prefix, recurse, remove_duplicate)

    def parameters(self, recurse=True):
        """Yield the parameters of the tree (of this module alone without `recurse`)."""
        for _, param in self.named_parameters(recurse=recurse):
            yield param

    def named_buffers(self, prefix="", recurse=True, remove_duplicate=True):
        """Yield `(dotted name, buffer)`."""
        return self._named_members(lambda m: m._buffers.items(), prefix, recurse, remove_duplicate)

    def buffers(self, recurse=True):
        """Yield the buffers of the tree."""
        for _, buffer in self.named_buffers(recurse=recurse):
            yield buffer

    def get_submodule(self, target):
        """The module at the dotted path `target`; the empty path is this module. Raises AttributeError if there is
        none.
        """
        module = self
        for name in target.split(".") if target else ():
            if not hasattr(module, name):
                raise AttributeError(f"{module._get_name()} has no attribute `{name}`")
            module = getattr(module, name)
            if not isinstance(module, Module):
                raise AttributeError(f"`{name}` is not an nn.Module")
        return module

    def set_submodule(self, target, module, strict=False):
        """Put `module` at the dotted path `target`; with `strict` something must be there already."""
        if not target:
            raise ValueError("Cannot set the submodule without a target name!")
        if not isinstance(module, Module):
            raise ValueError(f"`module` is not an nn.Module, found {type(module)}")
        parent_path, _, name = target.rpartition(".")
        parent = self.get_submodule(parent_path)
        if strict and not hasattr(parent, name):
            raise AttributeError(f"{parent._get_name()} has no attribute `{name}`")
        if hasattr(parent, name) and not isinstance(getattr(parent, name), Module):
            raise AttributeError(f"`{name}` is not an nn.Module")
        setattr(parent, name, module)

    def _get_leaf(self, target, registry, kind):
        path, _, name = target.rpartition(".")
        module = self.get_submodule(path)
        if not hasattr(module, name):
            raise AttributeError(f"{module._get_name()} has no attribute `{name}`")
        if name not in getattr(module, registry):
            raise AttributeError(f"`{name}` is not {kind}")
        return getattr(module, name)

    def get_parameter(self, target):
        """The parameter at the dotted path `target`."""
        return self._get_leaf(target, "_parameters", "an nn.Parameter")

    def get_buffer(self, target):
        """The buffer at the dotted path `target`."""
        return self._get_leaf(target, "_buffers", "a buffer")

    def apply(self, fn):
        """Call `fn(module)` on every module of the tree, children first; return self."""
        for child in self.children():
            child.apply(fn)
        fn(self)
        return self

    # ---- modes and gradients

    def train(self, mode=True):
        """Set `training` on the whole tree (dropout and batch norm look at it); return self."""
        if not isinstance(mode, bool):
            raise ValueError(f"train: expected a bool, got {mode!r}.")
        self.training = mode
        for child in self.children():
            child.train(mode)
        return self

    def eval(self):
        """The same as `train(False)`."""
        return self.train(False)

    def requires_grad_(self, requires_grad=True):
        """Let, or do not let, the parameters of the tree collect gradients; return self."""
        for param in self.parameters():
            param.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none=True):
        """Drop the gradients of all parameters, or fill them with zeros if `set_to_none` is False."""
        for param in self.parameters():
            if set_to_none:
                param.grad = None
            elif param.grad is not None:
                param.grad.detach_()
                param.grad.zero_()

    # ---- conversion

    def _apply(self, fn, recurse=True):
        """Replace every tensor by `fn(tensor)`.

        Parameters stay the same objects, so optimizers keep hold of them, but for those that come from the device "meta"
        or go there.
        """
        if recurse:
            for child in self.children():
                child._apply(fn)
        for name, param in self._parameters.items():
            if param is None:
                continue
            grad = param.grad
            with wengert.no_grad():
                fresh = fn(param.data)
                if fresh.is_meta or param.is_meta:  # without memory on one side: another object
                    self._parameters[name] = Parameter(fresh, param.requires_grad)
                    continue
                param.grad = None
                param.data = fresh
                if grad is not None:
                    grad.data = fn(grad.data)
                    param.grad = grad
        for name, buffer in self._buffers.items():
            if buffer is not None:
                self._buffers[name] = fn(buffer)
        return self

    def to(self, *args, **kwargs):
        """Convert floating-point parameters and buffers to a dtype, in place: `to(dtype)`, `to("cpu")`, `to("cpu",
        dtype)`, `to(other)`.

        Raises:
            TypeError: the dtype is not a floating-point or complex one.
        """
        device, dtype = parse_to(*args, **kwargs)
        if dtype is not None and not (dtype.is_floating_point or dtype.is_complex):
            raise TypeError(
                f"Module.to: expected a floating or complex dtype, got {dtype}. Parameters are not converted to integers."
            )

        def convert(t):
            if dtype is not None and (t.is_floating_point() or t.is_complex()):
                t = t.to(dtype)
            return t if device is None else t.to(device)

        return self._apply(convert)

    def to_empty(self, *, device, recurse=True):
        """Give every parameter and buffer new memory with undefined contents, in place."""
        return self._apply(lambda t: wengert.empty_like(t, device=device), recurse=recurse)

    def type(self, dst_type):
        """Convert every parameter and buffer to `dst_type`."""
        return self._apply(lambda t: t.type(dst_type))

    def _to_floating(self, dtype):
        return self._apply(lambda t: t.to(dtype) if t.is_floating_point() else t)

    def float(self):
        """Convert floating-point parameters and buffers to float32; return self."""
        return self._to_floating(wengert.float32)

    def double(self):
        """Convert floating-point parameters and buffers to float64; return self."""
        return self._to_floating(wengert.float64)

    def half(self):
        """Convert floating-point parameters and buffers to float16; return self."""
        return self._to_floating(wengert.float16)

    def bfloat16(self):
        """Convert floating-point parameters and buffers to bfloat16; return self."""
        return self._to_floating(wengert.bfloat16)

    def cpu(self):
        """Move to the processor, where everything already is; return self."""
        return self._apply(lambda t: t.cpu())

    def cuda(self, device=None):
        """Raise the error of a missing device, as moving any tensor there does."""
        return self._apply(lambda t: t.cuda(device))

    def ipu(self, device=None):
        """Raise the error of a missing device, as `cuda` does."""
        return self._apply(lambda t: t.ipu(device))

    def mtia(self, device=None):
        """Raise the error of a missing device, as `cuda` does."""
        return self._apply(lambda t: t.mtia(device))

    def xpu(self, device=None):
        """Raise the error of a missing device, as `cuda` does."""
        return self._apply(lambda t: t.xpu(device))

    def share_memory(self):
        """Put all tensors into memory that other processes can map; return self."""
        return self._apply(lambda t: t.share_memory_())

    # ---- printing

    def _get_name(self):
        return type(self).__name__

    def extra_repr(self):
        """What stands between the parentheses of the printed form. Override it in a layer with settings."""
        return ""

    def __repr__(self):
        extra = self.extra_repr()
        lines = extra.split("\n") if extra else []
        children = [f"({name}): {_indented(repr(child))}" for name, child in self._modules.items()]
        if not children and len(lines) <= 1:
            return f"{self._get_name()}({''.join(lines)})"
        return f"{self._get_name()}(\n  " + "\n  ".join(lines + children) + "\n)"


watch(Module)
