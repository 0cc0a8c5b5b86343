"""Python's collector of cycles rests while graphs are made and compiled."""

import gc


class collector_resting:
    """Inside, Python does not look for cycles, unless `end()` was called.

    It would do so whenever some hundred objects more are alive, and now and then go through all there are. Recordings and
    passes make several for each node and none that becomes garbage in a cycle: of the time for 100,000 nodes that was a
    third.
    """

    _rests = False

    def __enter__(self):
        self._rests = gc.isenabled()
        gc.disable()
        return self

    def end(self):
        """Python looks for cycles again."""
        if self._rests:
            self._rests = False
            gc.enable()

    def __exit__(self, kind, value, trace):
        self.end()
