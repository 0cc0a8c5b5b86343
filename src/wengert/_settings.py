"""Switches that programs set at their start and that change nothing here: results are exact and repeatable as they are."""

from . import _core

_PRECISIONS = ("highest", "high", "medium")
_state = {
    "precision": "highest",
    "deterministic": False,
    "warn_only": False,
    "interop_threads": 1,
    "warn_always": False,
}


def set_float32_matmul_precision(precision):
    """Accepts 'highest', 'high' or 'medium': products of float32 are computed in float32 in any case."""
    if precision not in _PRECISIONS:
        raise RuntimeError(f"set_float32_matmul_precision: expected one of {_PRECISIONS}, got {precision!r}.")
    _state["precision"] = precision


def get_float32_matmul_precision():
    """What `set_float32_matmul_precision` was given last."""
    return _state["precision"]


def use_deterministic_algorithms(mode, *, warn_only=False):
    """Accepts True or False: all algorithms give the same bits every time."""
    _state.update(deterministic=bool(mode), warn_only=bool(warn_only))


def are_deterministic_algorithms_enabled():
    """What `use_deterministic_algorithms` was given last."""
    return _state["deterministic"]


def is_deterministic_algorithms_warn_only_enabled():
    """Whether `use_deterministic_algorithms` was asked to warn only."""
    return _state["warn_only"]


def set_flush_denormal(mode):
    """Returns False: tiny numbers are not flushed to zero. RuntimeError is not raised, as in PyTorch."""
    return False


def set_num_interop_threads(int):
    """Accepts a positive number: operations of one program run one after the other, each on get_num_threads() threads."""
    if int < 1:
        raise RuntimeError(f"set_num_interop_threads: expected a positive number, got {int}.")
    _state["interop_threads"] = int


def get_num_interop_threads():
    """What `set_num_interop_threads` was given last."""
    return _state["interop_threads"]


def set_warn_always(b):
    """Accepts True or False: Python's warning filters decide how often a warning is shown."""
    _state["warn_always"] = bool(b)


def is_warn_always_enabled():
    """What `set_warn_always` was given last."""
    return _state["warn_always"]


def typename(obj):
    """The name of an object's type, as in "wengert.FloatTensor" for a float32 tensor."""
    if isinstance(obj, _core.Tensor):
        return obj.type()
    kind = obj if isinstance(obj, type) else type(obj)
    return (
        kind.__qualname__
        if kind.__module__ in ("builtins", "__builtin__")
        else f"{kind.__module__}.{kind.__qualname__}"
    )


FUNCTIONS = {
    f.__name__: f
    for f in (
        are_deterministic_algorithms_enabled,
        get_float32_matmul_precision,
        get_num_interop_threads,
        is_deterministic_algorithms_warn_only_enabled,
        is_warn_always_enabled,
        set_float32_matmul_precision,
        set_flush_denormal,
        set_num_interop_threads,
        set_warn_always,
        typename,
        use_deterministic_algorithms,
    )
}
METHODS = {}
