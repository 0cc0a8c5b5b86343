"""Python's collector of cycles rests while graphs are compiled."""

import gc
from contextlib import contextmanager


@contextmanager
def collector_resting():
    """Inside, Python does not look for cycles.

    It would do so whenever some hundred objects more are alive, and now and then go through all there are. A pass makes
    several for each node and none that becomes garbage in a cycle: of the time for 100,000 nodes that was a quarter.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
