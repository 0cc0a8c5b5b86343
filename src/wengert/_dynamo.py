"""The names of `torch._dynamo` that training programs use. Settings can be set and read, and change nothing."""

import contextlib
import sys

from . import _compile_settings as config
from ._missing import explain
from .compiler import allow_in_graph, assume_constant_result, compile, disable, is_compiling, list_backends, reset

__all__ = [
    "allow_in_graph",
    "assume_constant_result",
    "config",
    "disable",
    "is_compiling",
    "list_backends",
    "mark_dynamic",
    "optimize",
    "reset",
]


def __getattr__(name):
    if name in ("OptimizedModule", "eval_frame"):
        from .graph import _compiled_module

        return _compiled_module.CompiledModule if name == "OptimizedModule" else sys.modules[__name__]
    return explain(__name__)(name)


def is_compile_supported(device_type):
    """Whether `compile` works for a kind of device: for the CPU."""
    return device_type == "cpu"


def is_dynamo_supported():
    """Whether functions can be captured: yes."""
    return True


class Unsupported(RuntimeError):
    """What torch raises for code that it cannot capture; here such calls run as they are written."""


class TransformGetItemToIndex(contextlib.nullcontext):
    """A context that changes nothing: indices that `vmap` maps over are indices as they are."""


def mark_dynamic(t, index=None, **options):
    """Nothing: a plan is made for each size."""


maybe_mark_dynamic = mark_static = mark_static_address = mark_unbacked = mark_dynamic


def graph_break(msg=""):
    """Nothing: a call is captured whole or not at all."""


def optimize(backend="inductor", **options):
    """A decorator that compiles; the older name of `wengert.compile`."""
    return compile
