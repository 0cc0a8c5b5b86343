"""The door to the compiled update passes of the core.

A pass takes lists (parameters, gradients, state) and scalars, updates everything in one call and returns True. It
returns False, having written nothing, when a tensor is not one it handles (dense float32 or float64, shapes and
dtypes equal); the caller then runs the update written in tensor operations.
"""

import contextlib

import wengert

_enabled = True


def find_pass(name):
    """Return the core's pass called ``name``, or None when passes are switched off or the core has none."""
    if not _enabled:
        return None
    return getattr(getattr(wengert, "_core", None), name, None)


@contextlib.contextmanager
def disabled():
    """Run the body with the compiled passes switched off; used to compare both ways of updating."""
    global _enabled
    before, _enabled = _enabled, False
    try:
        yield
    finally:
        _enabled = before
