"""Checkpointing: give up the memory of saved values and compute them again in the backward pass."""

import contextlib
import functools

import wengert


def get_device_states(*args):
    """The GPUs on which tensors among the arguments lie, and the states of their generators: none."""
    return [], []


def set_device_states(devices, states, *, device_type=None):
    """Accepted: no GPU has a generator."""


def checkpoint(function, *args, use_reentrant=None, preserve_rng_state=True, context_fn=None, **kwargs):
    """Call ``function(*args, **kwargs)`` without keeping what its backward pass needs; backward calls it again.

    Values that operations inside save are replaced by place holders. The first one that backward asks for runs the
    function a second time, with the random state of the first, and all are filled.

    Args:
        function: computes the same values when it is called again.
        args, kwargs: its arguments.
        use_reentrant: accepted for compatibility; both values behave alike.
        preserve_rng_state: restore the random state for the second call (dropout drops the same elements).
        context_fn: returns two context managers, for the first and the second call.

    Returns:
        What ``function`` returns.

    Raises:
        RuntimeError: in backward, when the second call saves fewer values than the first.

    Example:
        >>> import wengert
        >>> x = wengert.ones(2, requires_grad=True)
        >>> y = wengert.utils.checkpoint.checkpoint(lambda v: (v * 3).exp().sum(), x, use_reentrant=False)
        >>> y.backward()
        >>> bool((x.grad == 3 * wengert.exp(wengert.tensor(3.0))).all())
        True
    """
    if not wengert.is_grad_enabled():
        return function(*args, **kwargs)
    first_context, second_context = (
        context_fn() if context_fn else (contextlib.nullcontext(), contextlib.nullcontext())
    )
    random_state = wengert.get_rng_state() if preserve_rng_state else None
    values = _Recomputed(function, args, kwargs, random_state, second_context)
    with first_context, wengert.autograd.graph.saved_tensors_hooks(values.hold, values.give):
        return function(*args, **kwargs)


class _Recomputed:
    """The values that one checkpointed call saved, in order; empty until backward asks for one."""

    def __init__(self, function, args, kwargs, random_state, context):
        self._call = functools.partial(function, *args, **kwargs)
        self._random_state = random_state
        self._context = context
        self._count = 0
        self._values = {}

    def hold(self, value):
        """Keep the value's number in its place."""
        self._count += 1
        return self._count - 1

    def give(self, number):
        """Return the value with this number; it is let go, so a second backward computes it again."""
        if number not in self._values:
            self._recompute()
        if number not in self._values:
            raise RuntimeError(
                f"checkpoint: expected the second call to save {self._count} values as the first did, got fewer. "
                "The function must do the same each time it is called."
            )
        return self._values.pop(number)

    def _recompute(self):
        fresh = {}

        def keep(value):
            fresh[len(fresh)] = value.detach()
            return value

        before = wengert.get_rng_state()
        try:
            if self._random_state is not None:
                wengert.set_rng_state(self._random_state)
            with wengert.enable_grad(), self._context:
                with wengert.autograd.graph.saved_tensors_hooks(keep, lambda value: value):
                    self._call()
        finally:
            if self._random_state is not None:
                wengert.set_rng_state(before)
        self._values = fresh


def checkpoint_sequential(functions, segments, input, use_reentrant=None, **kwargs):
    """Run a chain of functions with checkpoints: all but the last of ``segments`` parts are computed again.

    Args:
        functions: a ``Sequential`` or a list of functions of one argument.
        segments: number of parts, from 1 to the number of functions.
        input: what the first function gets.
        use_reentrant, kwargs: as for ``checkpoint``.

    Raises:
        ValueError: ``segments`` is out of range.
    """
    if isinstance(functions, wengert.nn.Sequential):
        functions = list(functions.children())
    if not 1 <= segments <= len(functions):
        raise ValueError(f"checkpoint_sequential: expected 1 to {len(functions)} segments, got {segments}.")

    def chain(part):
        def run(value):
            for function in part:
                value = function(value)
            return value

        return run

    length = len(functions) // segments
    for i in range(segments - 1):
        part = chain(functions[i * length : (i + 1) * length])
        input = checkpoint(part, input, use_reentrant=use_reentrant, **kwargs)
    return chain(functions[(segments - 1) * length :])(input)
