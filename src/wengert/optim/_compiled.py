"""The door to the compiled update passes of the core.

A pass takes a parameter group and the optimizer's state, updates every parameter of the group that has a gradient
and returns True. It returns False, having written nothing, when something is not as its kernel wants it (dense
float32 or float64 of one dtype, options that are plain numbers, state that is there); the caller then runs the
update written in tensor operations.
"""

import contextlib

from wengert import _core

passes = {
    "SGD": _core.sgd_step,
    "Adam": _core.adam_step,
    "RMSprop": _core.rmsprop_step,
    "Adagrad": _core.adagrad_step,
}


@contextlib.contextmanager
def disabled():
    """Run the body with the compiled passes switched off; used to compare both ways of updating."""
    before = passes.copy()
    passes.clear()
    try:
        yield
    finally:
        passes.update(before)
