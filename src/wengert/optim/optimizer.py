"""Optimizer: parameter groups, per-parameter state, hooks, and their saved form."""

import functools
import itertools
from collections import OrderedDict, defaultdict
from collections.abc import Iterable
from copy import deepcopy

import wengert
from wengert import _core
from wengert._warn import warn
from wengert.optim._hooks import register


class _Required:
    """Marks an option that has no default: every parameter group must give it."""

    def __repr__(self):
        return "<required parameter>"


required = _Required()

_global_pre_hooks = OrderedDict()
_global_post_hooks = OrderedDict()

_HOOK_REGISTRIES = (
    "_optimizer_step_pre_hooks",
    "_optimizer_step_post_hooks",
    "_optimizer_state_dict_pre_hooks",
    "_optimizer_state_dict_post_hooks",
    "_optimizer_load_state_dict_pre_hooks",
    "_optimizer_load_state_dict_post_hooks",
)


def register_optimizer_step_pre_hook(hook):
    """Call ``hook(optimizer, args, kwargs)`` before every step of every optimizer; returns a removable handle."""
    return register(_global_pre_hooks, hook)


def register_optimizer_step_post_hook(hook):
    """Call ``hook(optimizer, args, kwargs)`` after every step of every optimizer; returns a removable handle."""
    return register(_global_post_hooks, hook)


def _with_step_hooks(step):
    """Wrap a ``step`` method so that hooks run around it; without hooks it costs two dictionary tests."""

    @functools.wraps(step)
    def hooked_step(self, *args, **kwargs):
        # When called through super(), the outermost step has run the hooks. Wrappers of an optimizer may be subclasses
        # that never ran Optimizer.__init__: they have no hooks.
        if "_optimizer_step_pre_hooks" in self.__dict__ and has_step_hooks(self) and type(self).step is hooked_step:
            return step_with_hooks(step, self, args, kwargs)
        return step(self, *args, **kwargs)

    hooked_step.hooked = True
    return hooked_step


def has_step_hooks(optimizer):
    """Whether anything is registered to run before or after a step of ``optimizer``."""
    return (
        optimizer._optimizer_step_pre_hooks
        or optimizer._optimizer_step_post_hooks
        or _global_pre_hooks
        or _global_post_hooks
    )


def step_with_hooks(step, optimizer, args, kwargs):
    """Call ``step(optimizer, *args, **kwargs)`` between the hooks before and after it."""
    args = (optimizer, *args)
    for hook in (*_global_pre_hooks.values(), *optimizer._optimizer_step_pre_hooks.values()):
        changed = hook(optimizer, args, kwargs)
        if changed is not None:
            if not (isinstance(changed, tuple) and len(changed) == 2):
                raise RuntimeError(
                    f"step pre-hook: expected None or a pair (args, kwargs), got {changed!r}. "
                    "Return nothing to leave the arguments alone."
                )
            args, kwargs = changed
    result = step(*args, **kwargs)
    for hook in (*optimizer._optimizer_step_post_hooks.values(), *_global_post_hooks.values()):
        hook(optimizer, args, kwargs)
    return result


def _type_name(value):
    return f"{type(value).__module__}.{type(value).__qualname__}"


class Optimizer:
    """Base class of all optimizers.

    Args:
        params: an iterable of tensors, of ``(name, tensor)`` pairs, or of dicts with ``"params"`` and options.
        defaults: dict of options; a group that does not name an option gets it from here.

    Attributes:
        param_groups: list of dicts, each with ``"params"`` and the options of the group.
        state: dict from parameter to the dict of what the optimizer remembers about it.
        defaults: the dict given at construction.

    Raises:
        TypeError: ``params`` is one tensor, or holds something that is no tensor.
        ValueError: there are no parameters, a non-leaf, or one parameter in two groups.

    A subclass defines ``step`` and keeps what it needs in ``self.state[p]``.

    Example:
        >>> import wengert
        >>> class Descent(wengert.optim.Optimizer):
        ...     def __init__(self, params, lr):
        ...         super().__init__(params, {"lr": lr})
        ...     def step(self, closure=None):
        ...         with wengert.no_grad():
        ...             for group in self.param_groups:
        ...                 for p in group["params"]:
        ...                     p.add_(p.grad, alpha=-group["lr"])
        >>> w = wengert.ones(2, requires_grad=True)
        >>> (w * w).sum().backward()
        >>> Descent([w], lr=0.25).step()
        >>> w.tolist()
        [0.5, 0.5]
    """

    _kept_dtypes = ("step",)  # entries of the state that loading does not convert to the parameter's dtype

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        step = cls.__dict__.get("step")
        if step is not None and not hasattr(step, "hooked"):
            cls.step = _with_step_hooks(step)

    def __init__(self, params, defaults):
        self.defaults = defaults
        self._make_hook_registries()
        if isinstance(params, wengert.Tensor):
            raise TypeError(
                f"{type(self).__name__}: expected params to be an iterable of tensors or dicts, "
                f"got {_type_name(params)}. Put the tensor into a list."
            )
        self.state = defaultdict(dict)
        self.param_groups = []
        try:
            groups = list(params)
        except TypeError:
            raise TypeError(
                f"{type(self).__name__}: expected params as tensors or dicts in a list, got {_type_name(params)}. Pass "
                "model.parameters()."
            ) from None
        if not groups:
            raise ValueError(
                f"{type(self).__name__}: expected at least one parameter, got an empty parameter list. parameters() is "
                "used up by the first that goes through it."
            )
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        for group in groups:
            self.add_param_group(group)

    def _make_hook_registries(self):
        for name in _HOOK_REGISTRIES:
            self.__dict__.setdefault(name, OrderedDict())

    def __getstate__(self):
        return {"defaults": self.defaults, "state": self.state, "param_groups": self.param_groups}

    def __setstate__(self, state):
        state = dict(state)
        if "state" in state:
            self.state = state.pop("state")
        self.__dict__.update(state)
        self._make_hook_registries()
        self.defaults.setdefault("differentiable", False)

    def __repr__(self):
        lines = [f"{type(self).__name__} ("]
        for i, group in enumerate(self.param_groups):
            lines.append(f"Parameter Group {i}")
            lines += [f"    {key}: {group[key]}" for key in sorted(group) if key != "params"]
            lines.append("")
        return "\n".join(lines).removesuffix("\n") + "\n)"

    def register_step_pre_hook(self, hook):
        """Call ``hook(optimizer, args, kwargs)`` before each step; it may return new ``(args, kwargs)``."""
        return register(self._optimizer_step_pre_hooks, hook)

    def register_step_post_hook(self, hook):
        """Call ``hook(optimizer, args, kwargs)`` after each step."""
        return register(self._optimizer_step_post_hooks, hook)

    def register_state_dict_pre_hook(self, hook, prepend=False):
        """Call ``hook(optimizer)`` before ``state_dict`` collects the state."""
        return register(self._optimizer_state_dict_pre_hooks, hook, prepend)

    def register_state_dict_post_hook(self, hook, prepend=False):
        """Call ``hook(optimizer, state_dict)`` on the finished dict; a dict that it returns replaces it."""
        return register(self._optimizer_state_dict_post_hooks, hook, prepend)

    def register_load_state_dict_pre_hook(self, hook, prepend=False):
        """Call ``hook(optimizer, state_dict)`` on a shallow copy before loading; a returned dict replaces it."""
        return register(self._optimizer_load_state_dict_pre_hooks, hook, prepend)

    def register_load_state_dict_post_hook(self, hook, prepend=False):
        """Call ``hook(optimizer)`` after ``load_state_dict``."""
        return register(self._optimizer_load_state_dict_post_hooks, hook, prepend)

    def state_dict(self):
        """Return ``{"state": {index: state}, "param_groups": [options with "params" as indices]}``.

        Parameters are numbered through all groups in order. Tensors are referred to, not copied.
        """
        for hook in self._optimizer_state_dict_pre_hooks.values():
            hook(self)
        index_of = {}
        packed_groups = []
        start = 0
        for group in self.param_groups:
            packed = {key: value for key, value in group.items() if key != "params"}
            for i, p in enumerate(group["params"], start):
                index_of.setdefault(id(p), i)
            packed["params"] = [index_of[id(p)] for p in group["params"]]
            start += len(packed["params"])
            packed_groups.append(packed)
        packed_state = {}
        for key, value in self.state.items():
            packed_state[index_of[id(key)] if isinstance(key, wengert.Tensor) else key] = value
        result = {"state": packed_state, "param_groups": packed_groups}
        for hook in self._optimizer_state_dict_post_hooks.values():
            changed = hook(self, result)
            if changed is not None:
                result = changed
        return result

    def load_state_dict(self, state_dict):
        """Take over state and options from a dict made by ``state_dict``.

        State tensors of floating-point parameters are converted to the parameter's dtype; step counts are not.

        Raises:
            ValueError: the number of groups, or of parameters in a group, differs.
        """
        state_dict = state_dict.copy()
        for hook in self._optimizer_load_state_dict_pre_hooks.values():
            changed = hook(self, state_dict)
            if changed is not None:
                state_dict = changed

        groups = self.param_groups
        if "param_groups" not in state_dict:
            raise KeyError(
                "load_state_dict: expected the state of an optimizer with the key 'param_groups', got keys "
                f"{sorted(map(str, state_dict))[:4]}. That of a model goes into model.load_state_dict()."
            )
        saved_groups = deepcopy(state_dict["param_groups"])
        if len(groups) != len(saved_groups):
            raise ValueError(
                f"load_state_dict: expected {len(groups)} parameter groups, got a different number: {len(saved_groups)}."
            )
        for i, (group, saved) in enumerate(zip(groups, saved_groups, strict=True)):
            if len(group["params"]) != len(saved["params"]):
                raise ValueError(
                    f"load_state_dict: expected {len(group['params'])} parameters in group {i}, as the optimizer has, got "
                    f"{len(saved['params'])}: it doesn't match the size of optimizer's group."
                )
        param_of = dict(
            zip(
                itertools.chain.from_iterable(s["params"] for s in saved_groups),
                itertools.chain.from_iterable(g["params"] for g in groups),
                strict=True,
            )
        )
        state = defaultdict(dict)
        for key, value in state_dict["state"].items():
            if key in param_of:
                state[param_of[key]] = _converted(param_of[key], value, self._kept_dtypes)
            else:
                state[key] = value
        for group, saved in zip(groups, saved_groups, strict=True):
            saved["params"] = group["params"]
            if "param_names" in group:
                saved.setdefault("param_names", group["param_names"])
        self.__setstate__({"state": state, "param_groups": saved_groups})
        for hook in self._optimizer_load_state_dict_post_hooks.values():
            hook(self)

    def zero_grad(self, set_to_none=True):
        """Clear the gradients of all parameters: set them to None, or fill them with zeros in place."""
        for group in self.param_groups:
            if set_to_none:
                _core.clear_grads(group["params"])
                continue
            for p in group["params"]:
                grad = p.grad
                if grad is None:
                    continue
                if grad.grad_fn is not None:
                    grad.detach_()
                else:
                    grad.requires_grad_(False)
                grad.zero_()

    def step(self, closure=None):
        """Update the parameters once from their gradients; every optimizer defines this."""
        raise NotImplementedError

    def _patch_step_function(self):
        """Nothing to do: `step` is wrapped where its class is made. Wrappers of optimizers call it."""

    def add_param_group(self, param_group):
        """Add a dict with ``"params"`` and options; options that it does not name come from ``defaults``."""
        if not isinstance(param_group, dict):
            raise TypeError(
                f"add_param_group: expected a dict with 'params', got {_type_name(param_group)}. Use {{'params': ...}}."
            )
        if "params" not in param_group:
            raise KeyError(
                f"add_param_group: expected a group with the key 'params', got keys {sorted(param_group)}."
            )
        params = param_group["params"]
        if isinstance(params, wengert.Tensor):
            params = [params]
        elif isinstance(params, set):
            raise TypeError(
                "add_param_group: expected params in a fixed order, got a set. Use a list: the order of a set may "
                "differ between runs, and saved state is matched by order."
            )
        else:
            params = list(params)
        names = [entry[0] for entry in params if isinstance(entry, tuple)]
        if names and len(names) != len(params):
            raise ValueError("all optimizer params should be with/without names. Some param names are missing")
        params = [entry[1] if isinstance(entry, tuple) else entry for entry in params]
        param_group["params"] = params
        if names:
            param_group["param_names"] = names
        for p in params:
            if not isinstance(p, wengert.Tensor):
                raise TypeError(
                    f"{type(self).__name__}: expected Tensors as parameters, got {_type_name(p)} among them."
                )
            if not self.defaults.get("differentiable") and not (p.is_leaf or p.retains_grad):
                raise ValueError(
                    f"{type(self).__name__}: expected leaves as parameters, got a non-leaf Tensor, the result of an "
                    f"operation ({p.grad_fn.name()}). Pass the tensor that it was made from, or "
                    ".detach().requires_grad_()."
                )
        for name, default in self.defaults.items():
            if default is required and name not in param_group:
                raise ValueError(
                    f"parameter group didn't specify a value of required optimization parameter {name}"
                )
            param_group.setdefault(name, default)

        own = {id(p) for p in params}
        if len(own) != len(params):
            warn(
                "optimizer contains a parameter group with duplicate parameters; each is updated once per entry. "
                "Remove the duplicates.",
            )
        for group in self.param_groups:
            if ("param_names" in param_group) != ("param_names" in group):
                kind = "with" if "param_names" in param_group else "without"
                raise ValueError(
                    "all optimizer param groups should be with/without names. "
                    f"cannot add param group {kind} names to the optimizer"
                )
            if not own.isdisjoint(id(p) for p in group["params"]):
                raise ValueError(
                    f"{type(self).__name__}: expected each parameter in one group, got some parameters that appear in more "
                    "than one parameter group."
                )
        self.param_groups.append(param_group)


def _converted(param, value, kept_dtypes, key=None):
    """Return saved state with its tensors in the dtype of ``param``, but for the entries ``kept_dtypes``."""
    if isinstance(value, wengert.Tensor):
        if key in kept_dtypes or not param.dtype.is_inexact:
            return value
        return value.to(dtype=param.dtype)
    if isinstance(value, dict):
        return {k: _converted(param, v, kept_dtypes, k) for k, v in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, (str, bytes)):
        return type(value)(_converted(param, v, kept_dtypes) for v in value)
    return value
