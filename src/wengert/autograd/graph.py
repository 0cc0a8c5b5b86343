"""The graph behind a tensor: hooks, saved values, nodes."""

from .. import _core

__all__ = ["Node", "save_on_cpu", "saved_tensors_hooks"]

Node = _core.Node


class RemovableHandle:
    """What registering a hook returns; `remove()` takes the hook away. Also a context manager that does so at its
    end."""

    def __init__(self, hooks, key):
        self._hooks = hooks
        self._key = key

    def remove(self):
        """Takes the hook away; calling it again does nothing."""
        self._hooks.pop(self._key, None)

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.remove()


class saved_tensors_hooks:
    """What operations inside save for the backward pass goes through `pack_hook`, and comes back through
    `unpack_hook`.

    Args:
        pack_hook: gets a tensor, returns any object.
        unpack_hook: gets that object, returns a tensor of the same shape and dtype.

    Example:
        >>> import wengert
        >>> seen = []
        >>> with wengert.autograd.graph.saved_tensors_hooks(lambda t: seen.append(1) or t, lambda t: t):
        ...     y = wengert.tensor(2.0, requires_grad=True).exp()
        >>> len(seen)
        1
    """

    def __init__(self, pack_hook, unpack_hook):
        self._hooks = (pack_hook, unpack_hook)

    def __enter__(self):
        _core.push_saved_hooks(*self._hooks)

    def __exit__(self, kind, value, trace):
        _core.pop_saved_hooks()


class save_on_cpu(saved_tensors_hooks):
    """Keeps copies of what operations save. Everything lives on the CPU already; the copies are protected from
    in-place changes."""

    def __init__(self, pin_memory=False, device_type="cpu"):
        super().__init__(lambda t: t.clone(), lambda t: t)


def _register_hook(self, hook):
    """Registers `hook(grad) -> Tensor or None`, called with this tensor's gradient during backward.

    A returned tensor replaces the gradient. Returns a handle with `remove()`. Raises RuntimeError for a tensor that
    does not require grad.
    """
    return RemovableHandle(*_core.add_hook(self, hook))


def _register_post_accumulate_grad_hook(self, hook):
    """Registers `hook(tensor)`, called after backward has added to this leaf's `.grad`. Returns a handle."""
    return RemovableHandle(*_core.add_hook(self, hook, "post"))


def _retain_grad(self):
    """Keeps the gradient of this non-leaf in `.grad` during backward; does nothing on a leaf."""
    _core.retain_grad(self)


def _detach_(self):
    """Cuts this tensor from its history, in place; returns it. Raises RuntimeError for a view."""
    return _core.detach_(self)


_core.set_handle_type(RemovableHandle)

METHODS = {
    "register_hook": _register_hook,
    "register_post_accumulate_grad_hook": _register_post_accumulate_grad_hook,
    "retain_grad": _retain_grad,
    "retains_grad": property(_core.retains_grad, doc="Whether retain_grad() was called on this non-leaf."),
    "detach_": _detach_,
}
