"""Helpers around training: data loading, checkpointing, timing."""

import wengert
from wengert._missing import module_error
from wengert.utils import checkpoint, data

__all__ = ["benchmark", "checkpoint", "data"]


def __getattr__(name):
    if name in ("benchmark", "_pytree"):  # loaded at first use
        import importlib

        return importlib.import_module(f"{__name__}.{name}")
    if name == "hooks":
        return wengert.nn._hooks
    raise module_error(__name__, name, __all__)
