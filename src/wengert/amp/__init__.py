"""Mixed precision as programs ask for it: `autocast`, which leaves dtypes alone here, and `GradScaler`."""

import functools

import wengert
from wengert._warn import warn

from .scaler import GradScaler

__all__ = ["GradScaler", "autocast", "custom_bwd", "custom_fwd", "get_autocast_dtype", "is_autocast_available"]
__all__ += ["is_autocast_enabled"]


class autocast:  # noqa: N801  (torch's name)
    """A region in which torch computes some ops in a smaller dtype. Here it changes nothing: ops keep their dtypes.

    On the CPUs that this library is for, float32 is as fast as bfloat16 or faster, and exact. A model that is to
    compute in bfloat16 says so: ``model.to(wengert.bfloat16)``.

    Args:
        device_type: "cpu"; "cuda" is switched off with a warning, as torch does it where there is no GPU.
        dtype: accepted.
        enabled: whether the region is on.
        cache_enabled: accepted.

    Example:
        >>> import wengert
        >>> with wengert.autocast("cpu", dtype=wengert.bfloat16):
        ...     (wengert.ones(2, 2) @ wengert.ones(2, 2)).dtype
        wengert.float32
    """

    def __init__(self, device_type, dtype=None, enabled=True, cache_enabled=None):
        if not isinstance(device_type, str):
            raise ValueError(f"autocast: expected device_type to be a string, got {type(device_type).__name__}.")
        if not is_autocast_available(device_type):
            raise RuntimeError(f"autocast: expected a device_type of 'cpu' or 'cuda', got {device_type!r}.")
        if enabled and device_type == "cuda":
            warn("autocast: there is no GPU for device_type 'cuda'; disabled.")
            enabled = False
        self.device, self.fast_dtype = device_type, wengert.bfloat16 if dtype is None else dtype
        self._enabled = enabled

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return False

    def __call__(self, function):
        @functools.wraps(function)
        def within(*args, **kwargs):
            return function(*args, **kwargs)

        return within


def is_autocast_enabled(device_type=None):
    """Whether operations choose their dtypes by themselves: never, inside of `autocast` neither."""
    return False


def get_autocast_dtype(device_type):
    """The dtype that `autocast` has unless it is given one: bfloat16 for "cpu", float16 for "cuda"."""
    if not is_autocast_available(device_type):
        raise RuntimeError(f"get_autocast_dtype: expected 'cpu' or 'cuda', got {device_type!r}.")
    return wengert.bfloat16 if device_type == "cpu" else wengert.float16


def is_autocast_available(device_type):
    """Whether `autocast` accepts a device's name."""
    return device_type in ("cpu", "cuda")


def _unchanged(function, device_type):
    if not isinstance(device_type, str):
        raise ValueError(f"expected device_type as a string, got {device_type!r}.")
    return (lambda f: f) if function is None else function


def custom_fwd(fwd=None, *, device_type, cast_inputs=None):
    """Decorator of a Function's forward: the function itself, because `autocast` changes nothing."""
    return _unchanged(fwd, device_type)


def custom_bwd(bwd=None, *, device_type):
    """Decorator of a Function's backward: the function itself, because `autocast` changes nothing."""
    return _unchanged(bwd, device_type)
