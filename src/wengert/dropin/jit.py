"""The names of `torch.jit` with its compiler off, as torch has them under PYTORCH_JIT=0: functions stay Python's.

There is no TorchScript: nothing is compiled, saved or loaded.
"""

import builtins
import typing
from typing import Final

from wengert._missing import explain
from wengert.nn import Module

from .absent import stand_in

__all__ = ["Final", "ScriptFunction", "ScriptModule", "export", "ignore", "interface", "is_scripting", "is_tracing"]
__all__ += ["script", "script_method", "trace", "unused"]
__getattr__ = explain(__name__)


class ScriptModule(Module):
    """A base class of modules that TorchScript compiles; here a module like any other."""


class ScriptFunction:
    """What compiled functions are instances of: nothing is."""


def script(obj=None, **options):
    """Return a function, class or module as it is.

    Example:
        >>> import wengert
        >>> @wengert.jit.script
        ... def double(x):
        ...     return x * 2
        >>> double(4)
        8
    """
    return (lambda f: f) if obj is None else obj


def trace(func, example_inputs=None, **options):
    """Return a function or module as it is."""
    return func


def ignore(drop=False, **options):
    """Decorator that changes nothing, with and without arguments."""
    return drop if callable(drop) else lambda f: f


def export(fn):
    """Decorator that changes nothing."""
    return fn


def is_scripting():
    """Whether TorchScript is compiling: never."""
    return False


def is_tracing():
    """Whether a trace is being recorded: never."""
    return False


unused = interface = script_method = script_if_tracing = _script_if_tracing = export
_overload = _overload_method = export


def annotate(the_type, the_value):
    """Return a value as it is: its type is Python's."""
    return the_value


def Attribute(value, type):  # noqa: N802  (torch's name)
    """Return a value as it is: its type is Python's."""
    return value


def isinstance(obj, target_type):
    """Whether an object has a type or one of several, which may have parameters: these are not looked at."""
    kinds = target_type if type(target_type) is tuple else (target_type,)
    return builtins.isinstance(obj, tuple(typing.get_origin(kind) or kind for kind in kinds))


def freeze(mod, preserved_attrs=None, optimize_numerics=True):
    """Return a module as it is."""
    return mod


def optimize_for_inference(mod, other_methods=None):
    """Return a module as it is."""
    return mod


save, load = (
    stand_in(f"jit.{name}", "wengert.save and load keep the state of modules") for name in ("save", "load")
)
