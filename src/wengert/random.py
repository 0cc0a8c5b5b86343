"""The state of the default generator, and a block that gives it back."""

import contextlib

from ._missing import explain
from ._random import default_generator, get_rng_state, initial_seed, manual_seed, seed, set_rng_state

__all__ = [
    "default_generator", "fork_rng", "get_rng_state", "initial_seed", "manual_seed", "seed", "set_rng_state",
]  # fmt: skip

__getattr__ = explain(__name__)


@contextlib.contextmanager
def fork_rng(devices=None, enabled=True, device_type="cuda"):
    """Random numbers drawn inside leave those after the block as they would have been.

    Args:
        devices, device_type: accepted; the CPU's generator is the only one.
        enabled: False makes the block do nothing.

    Example:
        >>> import wengert
        >>> _ = wengert.manual_seed(0)
        >>> with wengert.random.fork_rng():
        ...     a = wengert.rand(3)
        >>> bool((a == wengert.rand(3)).all())
        True
    """
    if not enabled:
        yield
        return
    state = get_rng_state()
    try:
        yield
    finally:
        set_rng_state(state)
