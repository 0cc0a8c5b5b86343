"""What programs say about compilation: `torch.compiler`. See `wengert.compile` for compilation itself."""

import contextlib

from ._compile import compile
from ._missing import explain
from .func._levels import recorders

__all__ = [
    "allow_in_graph",
    "assume_constant_result",
    "compile",
    "cudagraph_mark_step_begin",
    "disable",
    "is_compiling",
    "is_dynamo_compiling",
    "is_exporting",
    "list_backends",
    "nested_compile_region",
    "reset",
    "set_stance",
]
__getattr__ = explain(__name__)


def is_compiling():
    """Whether a call of a compiled function is being recorded.

    Example:
        >>> import wengert
        >>> wengert.compiler.is_compiling(), wengert.compile(lambda: wengert.compiler.is_compiling())()
        (False, True)
    """
    return any(hasattr(recorder, "ties") for recorder in recorders())


is_dynamo_compiling = is_compiling


def is_exporting():
    """Whether a program is being exported: never."""
    return False


def reset():
    """Forgets all plans, and why functions have none: every compiled function is recorded anew."""
    from .graph._compiled import forget_plans

    forget_plans()


def disable(fn=None, recursive=True, *, reason=None):
    """The function behind a compiled one, or the function itself: called alone, it runs as it is written.

    Inside of another compiled function its operations are recorded like all others; what cannot be captured in it makes
    that call run as it is written.

    Args:
        fn: a function or module; without it, a decorator is returned.
        recursive, reason: taken for compatibility.
    """
    if fn is None:
        return lambda f: disable(f, recursive)
    return getattr(fn, "_orig_mod", None) or getattr(fn, "_fn", fn)


def allow_in_graph(fn):
    """Returns the function: all of its operations are recorded anyway."""
    return fn


assume_constant_result = nested_compile_region = allow_in_graph


def cudagraph_mark_step_begin():
    """Nothing: results of plans are never overwritten by later calls."""


def list_backends(exclude_tags=()):
    """The names of what compiles: one."""
    return ["inductor"]


def set_stance(stance="default", *, skip_guard_eval_unsafe=False, force_backend=None):
    """Nothing, as a context manager too: plain calls and plans do the same."""
    return contextlib.nullcontext()
