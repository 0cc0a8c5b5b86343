"""Saving and loading the state of a module tree."""

import itertools
from collections import OrderedDict
from typing import NamedTuple

import wengert
from wengert._warn import warn

from ._hooks import add_hook
from .parameter import Parameter, is_lazy

_EXTRA_STATE_KEY_SUFFIX = "_extra_state"


def _renaming_hint(missing, unexpected):
    """What to do about keys whose names differ; a prefix that all have (of a wrapper that was saved) is named."""
    for prefix in sorted({key.removesuffix(missing[0]) for key in unexpected if key.endswith(missing[0])}):
        if all(prefix + key in unexpected for key in missing):
            return f"All missing keys are there behind {prefix!r}: cut it off, or load into the module inside."
    return "Rename the keys, build the model that was saved, or pass strict=False to load what fits."


class IncompatibleKeys(NamedTuple):
    """What `load_state_dict` reports: keys that were wanted and missing, and keys not wanted."""

    missing_keys: list
    unexpected_keys: list

    def __repr__(self):
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        return f"_IncompatibleKeys(missing_keys={self.missing_keys}, unexpected_keys={self.unexpected_keys})"

    __str__ = __repr__


class _WithModule(NamedTuple):
    """A hook that is called with the module, whichever copy of it that is."""

    function: object


class StateProtocol:
    """The part of `Module` that turns parameters and buffers into a flat dictionary and back."""

    _version = 1

    def get_extra_state(self):
        """State beside tensors to be saved with the module. Override together with `set_extra_state`."""
        raise RuntimeError(
            f"get_extra_state: expected {type(self).__name__} to override it. Define it and set_extra_state."
        )

    def set_extra_state(self, state):
        """Take back what `get_extra_state` returned."""
        raise RuntimeError(
            f"set_extra_state: expected {type(self).__name__} to override it. Define it and get_extra_state."
        )

    def _has_own(self, name):
        return getattr(type(self), name) is not getattr(StateProtocol, name)

    def _persistent_buffers(self):
        return {k: v for k, v in self._buffers.items() if k not in self._non_persistent_buffers_set}

    def _state_hooks(self, kind):
        """The hooks of one kind, a dict that exists from its first use on."""
        return self.__dict__.setdefault("_state_hook_table", {}).setdefault(kind, {})

    def _save_to_state_dict(self, destination, prefix, keep_vars):
        """Write this module's own entries, not those of its children."""
        for name, value in itertools.chain(self._parameters.items(), self._persistent_buffers().items()):
            if value is not None:
                destination[prefix + name] = value if keep_vars else value.detach()
        if self._has_own("get_extra_state"):
            destination[prefix + _EXTRA_STATE_KEY_SUFFIX] = self.get_extra_state()

    def state_dict(self, *args, destination=None, prefix="", keep_vars=False):
        """The parameters and persistent buffers of the whole tree, by dotted name.

        Args:
            destination: a dict to fill; a new OrderedDict by default.
            prefix: put before every name.
            keep_vars: keep the tensors themselves (they require gradients) instead of detached ones that share
                their memory.

        Returns:
            The dict; its `_metadata` holds the version of each module.

        Example:
            >>> list(wengert.nn.Linear(2, 3).state_dict())
            ['weight', 'bias']
        """
        if args:
            destination = args[0]
            prefix = args[1] if len(args) > 1 and prefix == "" else prefix
            keep_vars = args[2] if len(args) > 2 and keep_vars is False else keep_vars
        if destination is None:
            destination = OrderedDict()
            destination._metadata = OrderedDict()
        local_metadata = {"version": self._version}
        if hasattr(destination, "_metadata"):
            destination._metadata[prefix[:-1]] = local_metadata
        for hook in list(self._state_hooks("pre_save").values()):
            hook(self, prefix, keep_vars)
        self._save_to_state_dict(destination, prefix, keep_vars)
        for name, child in self._modules.items():
            if child is not None:
                child.state_dict(destination=destination, prefix=f"{prefix}{name}.", keep_vars=keep_vars)
        for hook in list(self._state_hooks("post_save").values()):
            replaced = hook(self, destination, prefix, local_metadata)
            if replaced is not None:
                destination = replaced
        return destination

    def register_state_dict_pre_hook(self, hook):
        """Call `hook(module, prefix, keep_vars)` before the state is gathered."""
        return add_hook(self._state_hooks("pre_save"), hook)

    def register_state_dict_post_hook(self, hook):
        """Call `hook(module, state_dict, prefix, local_metadata)` after the state is gathered; it changes the dict
        in place.
        """
        return add_hook(self._state_hooks("post_save"), hook)

    _register_state_dict_hook = register_state_dict_post_hook

    def register_load_state_dict_pre_hook(self, hook):
        """Call `hook(module, state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys,
        error_msgs)` before loading.
        """
        return add_hook(self._state_hooks("pre_load"), _WithModule(hook))

    def _register_load_state_dict_pre_hook(self, hook, with_module=False):
        if with_module:
            return self.register_load_state_dict_pre_hook(hook)
        return add_hook(self._state_hooks("pre_load"), hook)

    def register_load_state_dict_post_hook(self, hook):
        """Call `hook(module, incompatible_keys)` after loading; it may edit the two lists of keys in place."""
        return add_hook(self._state_hooks("post_load"), hook)

    def _load_from_state_dict(
        self, state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs
    ):
        """Copy this module's own entries out of `state_dict`, noting in the last three lists what does not fit."""
        report = (strict, missing_keys, unexpected_keys, error_msgs)
        for hook in list(self._state_hooks("pre_load").values()):
            if isinstance(hook, _WithModule):
                hook.function(self, state_dict, prefix, local_metadata, *report)
            else:
                hook(state_dict, prefix, local_metadata, *report)
        assign = local_metadata.get("assign_to_params_buffers", False)
        for name, old in itertools.chain(self._parameters.items(), self._persistent_buffers().items()):
            if old is None:
                continue
            key = prefix + name
            if key not in state_dict:
                if strict:
                    missing_keys.append(key)
                continue
            problem = self._load_entry(name, key, old, state_dict[key], assign)
            if problem:
                error_msgs.append(problem)
        self._load_extra_state(state_dict, prefix, strict, missing_keys, unexpected_keys)
        if strict:
            self._note_unexpected(state_dict, prefix, unexpected_keys)

    def _load_entry(self, name, key, old, new, assign):
        """Load one tensor. Returns what went wrong, or None."""
        if not isinstance(new, wengert.Tensor):
            return (
                f'While copying the parameter named "{key}", expected a Tensor or Tensor-like object from'
                " checkpoint"
                f" but received {type(new)}"
            )
        if is_lazy(old) and is_lazy(new):
            return None
        if is_lazy(new):
            return f'While copying the parameter named "{key}", expected a tensor with a shape, got {new!r}.'
        if old.dim() == 0 and tuple(new.shape) == (1,):
            new = new[0]
        if tuple(new.shape) != tuple(old.shape):
            return (
                f"size mismatch for {key}: copying a param with shape {new.shape} from checkpoint,"
                f" the shape in current model is {old.shape}."
            )
        try:
            if not assign and old.is_meta and not new.is_meta:
                warn(
                    f"for {key}: expected a model with memory, got one on the device 'meta': nothing is copied. Pass"
                    " assign=True."
                )
            if not assign:
                with wengert.no_grad():
                    old.copy_(new)
            elif isinstance(old, Parameter):
                fresh = new if isinstance(new, Parameter) else Parameter(new, requires_grad=old.requires_grad)
                setattr(self, name, fresh.requires_grad_(old.requires_grad))
            else:
                setattr(self, name, new)
        except Exception as error:
            return (
                f'While copying the parameter named "{key}", whose dimensions in the model are {old.shape} and'
                " whose"
                f" dimensions in the checkpoint are {new.shape}, an exception occurred : {error.args}."
            )
        return None

    def _load_extra_state(self, state_dict, prefix, strict, missing_keys, unexpected_keys):
        key = prefix + _EXTRA_STATE_KEY_SUFFIX
        if self._has_own("set_extra_state"):
            if key in state_dict:
                self.set_extra_state(state_dict[key])
            elif strict:
                missing_keys.append(key)
        elif strict and key in state_dict:
            unexpected_keys.append(key)

    def _note_unexpected(self, state_dict, prefix, unexpected_keys):
        own = self._persistent_buffers().keys() | self._parameters.keys()
        for key in state_dict:
            if key.startswith(prefix) and key != prefix + _EXTRA_STATE_KEY_SUFFIX:
                first, dot, _ = key[len(prefix) :].partition(".")
                if not (first in self._modules if dot else first in own):
                    unexpected_keys.append(key)

    def load_state_dict(self, state_dict, strict=True, assign=False):
        """Copy the entries of `state_dict` into the parameters and buffers of the tree.

        Args:
            state_dict: a mapping like the one that `state_dict()` returns.
            strict: raise if keys are missing or left over.
            assign: put the given tensors themselves in place instead of copying their values.

        Returns:
            A named tuple of `missing_keys` and `unexpected_keys`.

        Raises:
            TypeError: `state_dict` is not a mapping.
            RuntimeError: shapes differ, or (with `strict`) keys do.

        Example:
            >>> a, b = wengert.nn.Linear(2, 3), wengert.nn.Linear(2, 3)
            >>> a.load_state_dict(b.state_dict())
            <All keys matched successfully>
        """
        if not hasattr(state_dict, "items"):
            raise TypeError(
                f"load_state_dict: expected a dict, got {type(state_dict).__name__}. Pass what load() returned."
            )
        metadata = getattr(state_dict, "_metadata", None)
        entries = OrderedDict(state_dict)
        if metadata is not None:
            entries._metadata = metadata
        missing, unexpected, errors = [], [], []

        def load(module, entries, prefix):
            local = {} if metadata is None else metadata.get(prefix[:-1], {})
            if assign:
                local["assign_to_params_buffers"] = True
            module._load_from_state_dict(entries, prefix, local, True, missing, unexpected, errors)
            for name, child in module._modules.items():
                if child is not None:
                    below = f"{prefix}{name}."
                    load(child, {k: v for k, v in entries.items() if k.startswith(below)}, below)
            report = IncompatibleKeys(missing, unexpected)
            for hook in list(module._state_hooks("post_load").values()):
                hook(module, report)

        load(self, entries, "")
        if strict:
            for keys, what in ((missing, "Missing"), (unexpected, "Unexpected")):
                if keys:
                    listed = ", ".join(f'"{k}"' for k in keys)
                    errors.insert(0, f"{what} key(s) in state_dict: {listed}. ")
        if errors:
            if missing and unexpected:
                errors.append(_renaming_hint(missing, unexpected))
            listed = "\n\t".join(errors)
            raise RuntimeError(f"Error(s) in loading state_dict for {type(self).__name__}:\n\t{listed}")
        return IncompatibleKeys(missing, unexpected)
