"""Switches that programs set at their start and that change nothing here: results are exact and repeatable as they are."""

_PRECISIONS = ("highest", "high", "medium")
_state = {"precision": "highest", "deterministic": False, "warn_only": False}


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


FUNCTIONS = {
    f.__name__: f
    for f in (
        are_deterministic_algorithms_enabled,
        get_float32_matmul_precision,
        is_deterministic_algorithms_warn_only_enabled,
        set_float32_matmul_precision,
        set_flush_denormal,
        use_deterministic_algorithms,
    )
}
METHODS = {}
