"""Hooks of all modules at once: around every call, and when something is registered.

While there are none, a call costs nothing: `Module.__call__` itself is another function as long as there are some.
"""

from ._hooks import ModuleHooks, add_hook

_hooks = ModuleHooks()
_registrations = {"parameter": {}, "buffer": {}, "module": {}}
_calls = []  # the class of modules and its own __call__, told by `watch`


def watch(module_class):
    """Take note of the class whose calls are hooked; its instances show the hooks of all: compiled functions compare."""
    module_class._hooks_of_all = _hooks
    _calls[:] = [module_class, module_class.__call__]


def _hooked_call(self, *args, **kwargs):
    own = self._hooks
    return self._call_with_hooks(args, kwargs, _hooks if own is None else own.after(_hooks))


class _Handle:
    """What registering returns: `remove()` takes the hook away."""

    def __init__(self, handle, flags=()):
        self.id, self._handle, self._flags = handle.id, handle, flags
        _calls[0].__call__ = _hooked_call

    def remove(self):
        """Remove the hook. A second call does nothing."""
        self._handle.remove()
        for flag in self._flags:
            flag.discard(self.id)
        if _hooks.is_empty():
            _calls[0].__call__ = _calls[1]

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.remove()


def register_module_forward_pre_hook(hook):
    """Call `hook(module, args)` before forward of every module; see `Module.register_forward_pre_hook`.

    Hooks of all modules run before a module's own.

    Example:
        >>> names = []
        >>> with register_module_forward_pre_hook(lambda module, args: names.append(type(module).__name__)):
        ...     y = wengert.nn.Sequential(wengert.nn.Linear(2, 2), wengert.nn.ReLU())(wengert.zeros(1, 2))
        >>> names
        ['Sequential', 'Linear', 'ReLU']
    """
    return _Handle(add_hook(_hooks.forward_pre, hook))


def register_module_forward_hook(hook, *, with_kwargs=False, always_call=False):
    """Call `hook(module, args, output)` after forward of every module; see `Module.register_forward_hook`."""
    handle = add_hook(_hooks.forward, hook)
    flags = [flag for flag, on in ((_hooks.with_kwargs, with_kwargs), (_hooks.always_call, always_call)) if on]
    for flag in flags:
        flag.add(handle.id)
    return _Handle(handle, flags)


def register_module_full_backward_pre_hook(hook):
    """Call `hook(module, grad_output)` for every module; see `Module.register_full_backward_pre_hook`."""
    return _Handle(add_hook(_hooks.backward_pre, hook))


def register_module_full_backward_hook(hook):
    """Call `hook(module, grad_input, grad_output)` for every module; see `Module.register_full_backward_hook`."""
    return _Handle(add_hook(_hooks.backward, hook))


def register_module_backward_hook(hook):
    """The old name of `register_module_full_backward_hook`."""
    return register_module_full_backward_hook(hook)


def register_module_parameter_registration_hook(hook):
    """Call `hook(module, name, parameter)` when a module gets a parameter; what it returns, if not None, is taken."""
    return add_hook(_registrations["parameter"], hook)


def register_module_buffer_registration_hook(hook):
    """Call `hook(module, name, buffer)` when a module gets a buffer; what it returns, if not None, is taken."""
    return add_hook(_registrations["buffer"], hook)


def register_module_module_registration_hook(hook):
    """Call `hook(module, name, submodule)` when a module gets a child; what it returns, if not None, is taken."""
    return add_hook(_registrations["module"], hook)


def registered(kind, module, name, value):
    """The value after the hooks of its kind have seen it."""
    for hook in _registrations[kind].values():
        replaced = hook(module, name, value)
        if replaced is not None:
            value = replaced
    return value
