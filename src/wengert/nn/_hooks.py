"""Hooks of a module: around forward, and around the part of backward that belongs to it."""

import copy
import functools
import itertools
import weakref

import wengert
from wengert._warn import warn

_next_id = itertools.count()


class ModuleHooks:
    """All hooks of one module.

    It exists only while the module has, or once had, a hook: `Module.__call__` tests for that alone.
    """

    __slots__ = ("forward", "forward_pre", "backward", "backward_pre", "with_kwargs", "always_call")

    def __init__(self):
        self.forward = {}
        self.forward_pre = {}
        self.backward = {}
        self.backward_pre = {}
        self.with_kwargs = set()
        self.always_call = set()

    def after(self, first):
        """These hooks behind others."""
        both = ModuleHooks()
        for slot in self.__slots__:
            setattr(both, slot, getattr(first, slot) | getattr(self, slot))
        return both

    def is_empty(self):
        return not (self.forward or self.forward_pre or self.backward or self.backward_pre)

    def __deepcopy__(self, memo):
        """Copies share plain functions; methods of the copied module are bound to the copy."""
        twin = ModuleHooks()
        for slot in self.__slots__:
            setattr(twin, slot, copy.deepcopy(getattr(self, slot), memo))
        return twin

    def __getstate__(self):
        return {slot: getattr(self, slot) for slot in self.__slots__}

    def __setstate__(self, state):
        for slot, value in state.items():
            setattr(self, slot, value)


class RemovableHandle:
    """What registering a hook returns: `remove()` takes the hook away; as a context manager it does so at the end
    of the block.
    """

    def __init__(self, entries, owner=None):
        self.id = next(_next_id)
        self._entries = entries
        self._owner = None if owner is None else weakref.ref(owner)

    def remove(self):
        """Remove the hook. A second call does nothing."""
        self._entries.pop(self.id, None)
        owner = None if self._owner is None else self._owner()
        if owner is not None and owner._hooks is not None:
            owner._hooks.with_kwargs.discard(self.id)
            owner._hooks.always_call.discard(self.id)
            if owner._hooks.is_empty():
                owner._hooks = None

    def __getstate__(self):
        return {**self.__dict__, "_owner": None if self._owner is None else self._owner()}

    def __setstate__(self, state):
        self.__dict__.update(state)
        self._owner = None if state["_owner"] is None else weakref.ref(state["_owner"])

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.remove()


def add_hook(entries, hook, owner=None, prepend=False):
    """Put `hook` into the ordered dict `entries`, first if `prepend`; return its handle."""
    handle = RemovableHandle(entries, owner)
    if prepend:
        rest = list(entries.items())
        entries.clear()
        entries[handle.id] = hook
        entries.update(rest)
    else:
        entries[handle.id] = hook
    return handle


def _as_tuple(value):
    return value if isinstance(value, tuple) else (value,)


@functools.cache
def _gate():
    """The gate's class, made at first use: `wengert.autograd` need not be loaded before `wengert.nn`."""

    class Gate(wengert.autograd.Function):
        """Identity on a group of tensors. In backward it waits for all their gradients and passes them through a
        function.

        One node for the whole group is what makes a hook see, and replace, several gradients at once; hooks on
        single tensors cannot.
        """

        @staticmethod
        def forward(ctx, on_grads, *tensors):
            ctx.on_grads = on_grads
            return tuple(t.view_as(t) for t in tensors)

        @staticmethod
        def backward(ctx, *grads):
            return (None, *ctx.on_grads(grads))

    return Gate


class BackwardWatch:
    """One call of a module with backward hooks: gathers its gradients and runs the hooks on them."""

    def __init__(self, module, hooks):
        self._module = module
        self._hooks = list(hooks.backward.values())
        self._pre_hooks = list(hooks.backward_pre.values())
        self._grad_outputs = None
        self._input_count = 0
        self._input_slots = None

    @staticmethod
    def _pass_gate(values, on_grads):
        """`values` with its differentiable tensors sent through one gate, and their positions."""
        slots = [i for i, v in enumerate(values) if isinstance(v, wengert.Tensor) and v.requires_grad]
        if not slots or not wengert.is_grad_enabled():
            return values, None
        values = list(values)
        for i, tensor in zip(slots, _gate().apply(on_grads, *(values[i] for i in slots)), strict=True):
            values[i] = tensor
        return tuple(values), slots

    def wrap_inputs(self, args):
        """The positional arguments, watched."""
        self._input_count = len(args)
        if self._hooks:
            args, self._input_slots = self._pass_gate(args, self._on_grad_inputs)
        return args

    def wrap_output(self, result):
        """The result of forward (a tensor or a tuple of tensors), watched."""
        is_tuple = isinstance(result, (tuple, list))
        if not is_tuple and not isinstance(result, wengert.Tensor):
            warn(
                "For backward hooks to be called, module output should be a Tensor or a tuple of Tensors"
                f" but received {type(result)}",
            )
            return result
        values = tuple(result) if is_tuple else (result,)
        self._output_count = len(values)
        values, self._output_slots = self._pass_gate(values, self._on_grad_outputs)
        if not is_tuple:
            return values[0]
        if isinstance(result, tuple) and hasattr(result, "_fields"):
            return type(result)(*values)
        return type(result)(values)

    @staticmethod
    def _spread(grads, slots, count):
        full = [None] * count
        for i, grad in zip(slots, grads, strict=True):
            full[i] = grad
        return tuple(full)

    def _on_grad_outputs(self, grads):
        full = self._spread(grads, self._output_slots, self._output_count)
        for hook in self._pre_hooks:
            replaced = hook(self._module, full)
            if replaced is not None:
                full = self._checked(_as_tuple(replaced), len(full), "full backward pre-hook")
        self._grad_outputs = full
        if self._hooks and self._input_slots is None:
            warn(
                "Full backward hook is firing when gradients are computed with respect to module outputs since"
                " no inputs"
                " require gradients.",
            )
            self._run_hooks((None,) * self._input_count)
        return tuple(full[i] for i in self._output_slots)

    def _on_grad_inputs(self, grads):
        full = self._run_hooks(self._spread(grads, self._input_slots, self._input_count))
        return tuple(full[i] for i in self._input_slots)

    def _run_hooks(self, grad_inputs):
        for hook in self._hooks:
            replaced = hook(self._module, grad_inputs, self._grad_outputs)
            if replaced is not None:
                grad_inputs = self._checked(_as_tuple(replaced), len(grad_inputs), "full backward hook")
        return grad_inputs

    @staticmethod
    def _checked(grads, expected, what):
        if len(grads) != expected:
            raise RuntimeError(
                f"{what}: expected {expected} gradients, got {len(grads)}. Return one per tensor, or None."
            )
        return grads


class HookProtocol:
    """The part of `Module` that registers hooks and calls forward with them."""

    def _own_hooks(self):
        if self._hooks is None:
            self._hooks = ModuleHooks()
        return self._hooks

    @property
    def _forward_hooks(self):
        return self._own_hooks().forward

    @property
    def _forward_pre_hooks(self):
        return self._own_hooks().forward_pre

    @property
    def _backward_hooks(self):
        return self._own_hooks().backward

    @property
    def _backward_pre_hooks(self):
        return self._own_hooks().backward_pre

    def register_forward_pre_hook(self, hook, *, prepend=False, with_kwargs=False):
        """Call `hook(module, args)` before forward; what it returns, if not None, replaces the arguments.

        Args:
            hook: the function. With `with_kwargs` it is called as `hook(module, args, kwargs)` and returns `(args,
                kwargs)` or None.
            prepend: run it before the hooks already there.
            with_kwargs: hand the keyword arguments over too.

        Returns:
            A handle with `remove()`.
        """
        hooks = self._own_hooks()
        handle = add_hook(hooks.forward_pre, hook, self, prepend)
        if with_kwargs:
            hooks.with_kwargs.add(handle.id)
        return handle

    def register_forward_hook(self, hook, *, prepend=False, with_kwargs=False, always_call=False):
        """Call `hook(module, args, output)` after forward; what it returns, if not None, replaces the output.

        Args:
            hook: the function. With `with_kwargs` it is called as `hook(module, args, kwargs, output)`.
            prepend: run it before the hooks already there.
            with_kwargs: hand the keyword arguments over too.
            always_call: run it even if forward raises.

        Returns:
            A handle with `remove()`.
        """
        hooks = self._own_hooks()
        handle = add_hook(hooks.forward, hook, self, prepend)
        if with_kwargs:
            hooks.with_kwargs.add(handle.id)
        if always_call:
            hooks.always_call.add(handle.id)
        return handle

    def register_full_backward_pre_hook(self, hook, prepend=False):
        """Call `hook(module, grad_output)` when the gradients of the module's outputs are known; it may return
        replacements.
        """
        return add_hook(self._own_hooks().backward_pre, hook, self, prepend)

    def register_full_backward_hook(self, hook, prepend=False):
        """Call `hook(module, grad_input, grad_output)` when the gradients of the module's inputs are known.

        It may return a tuple that replaces `grad_input`. Only positional tensor arguments are watched.
        """
        return add_hook(self._own_hooks().backward, hook, self, prepend)

    def register_backward_hook(self, hook):
        """The old name of `register_full_backward_hook`."""
        return self.register_full_backward_hook(hook)

    def _call_with_hooks(self, args, kwargs, hooks=None):
        hooks = self._hooks if hooks is None else hooks
        if hooks is None:
            return self.forward(*args, **kwargs)
        called = set()
        try:
            return self._run_hooked_forward(hooks, args, kwargs, called)
        except Exception:
            for key in [k for k in hooks.forward if k in hooks.always_call and k not in called]:
                self._run_after_failure(hooks, key, args, kwargs)
            raise

    def _run_hooked_forward(self, hooks, args, kwargs, called):
        for key, hook in list(hooks.forward_pre.items()):
            if key in hooks.with_kwargs:
                replaced = hook(self, args, kwargs)
                if replaced is not None:
                    if not (isinstance(replaced, tuple) and len(replaced) == 2):
                        raise RuntimeError(
                            f"forward pre-hook: expected None or a tuple of (args, kwargs), got {replaced!r}."
                            " Return one of these."
                        )
                    args, kwargs = replaced
            else:
                replaced = hook(self, args)
                if replaced is not None:
                    args = _as_tuple(replaced)
        watch = BackwardWatch(self, hooks) if hooks.backward or hooks.backward_pre else None
        if watch is not None:
            args = watch.wrap_inputs(args)
        result = self.forward(*args, **kwargs)
        for key, hook in list(hooks.forward.items()):
            called.add(key)
            replaced = hook(self, args, kwargs, result) if key in hooks.with_kwargs else hook(self, args, result)
            if replaced is not None:
                result = replaced
        return result if watch is None else watch.wrap_output(result)

    def _run_after_failure(self, hooks, key, args, kwargs):
        """Run an `always_call` hook with no result; its own failure must not hide the one that is on its way."""
        hook = hooks.forward[key]
        try:
            if key in hooks.with_kwargs:
                hook(self, args, kwargs, None)
            else:
                hook(self, args, None)
        except Exception as error:
            warn(f"module forward hook with ``always_call=True`` raised {error!r}, which was silenced")
