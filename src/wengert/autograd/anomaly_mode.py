"""The search for NaN in the backward pass."""

from .. import _core

__all__ = ["detect_anomaly", "is_anomaly_check_nan_enabled", "is_anomaly_enabled", "set_detect_anomaly"]


class _Anomaly:
    def __exit__(self, kind, value, trace):
        _core.set_anomaly_mode(self._before.pop())

    def __enter__(self):
        self._before.append(_core.set_anomaly_mode(self._level))


class detect_anomaly(_Anomaly):
    """Backward passes inside raise at the first NaN gradient and name the line that recorded the operation.

    Run the forward pass inside as well: that is where lines are remembered, and all else that `wengert.record` notes, so
    that `wengert.viz` shows values and gradients of a graph made here. Both become slower.

    Args:
        check_nan: False only records (lines appear in the errors of the backward pass).

    Raises:
        RuntimeError: in a backward pass inside, where a gradient becomes NaN.

    Example:
        >>> import wengert
        >>> with wengert.autograd.detect_anomaly():
        ...     x = wengert.tensor(-1.0, requires_grad=True)
        ...     y = x.sqrt()
        ...     y.backward()
        Traceback (most recent call last):
        RuntimeError: backward: expected finite gradients, got NaN in input 0 of SqrtBackward0, which was recorded
            at ...
    """

    def __init__(self, check_nan=True):
        self._level = 2 if check_nan else 1
        self._before = []
        self._recordings = []

    def __enter__(self):
        from .._record import record

        super().__enter__()
        self._recordings.append(record())
        self._recordings[-1].__enter__()

    def __exit__(self, kind, value, trace):
        self._recordings.pop().__exit__(kind, value, trace)
        super().__exit__(kind, value, trace)


class set_detect_anomaly(_Anomaly):
    """Switches the search for NaN on or off at once; as a context manager it is switched back at the end of the
    block. Of what `detect_anomaly` records, only lines are.

    Args:
        mode: on or off.
        check_nan: as for `detect_anomaly`.
    """

    def __init__(self, mode, check_nan=True):
        self._level = 0 if not mode else 2 if check_nan else 1
        self._before = [_core.set_anomaly_mode(self._level)]

    def __enter__(self):
        pass


def is_anomaly_enabled():
    """Whether anomaly mode is on."""
    return _core.anomaly_level() > 0


def is_anomaly_check_nan_enabled():
    """Whether anomaly mode looks for NaN, or would if it were on."""
    return _core.anomaly_level() != 1


FUNCTIONS = {
    "is_anomaly_enabled": is_anomaly_enabled,
    "is_anomaly_check_nan_enabled": is_anomaly_check_nan_enabled,
}
