"""Runs a program written for PyTorch as ``python script.py`` would, with wengert for torch."""

import builtins
import importlib.machinery
import io
import os
import runpy
import sys
import types

from .check import check
from .install import as_torch, share_with_children


def _without_our_frames(error):
    """The traceback of an error, beginning at the program's own file."""
    ours = (globals(), vars(runpy))
    trace = error.__traceback__
    while trace is not None and any(trace.tb_frame.f_globals is part for part in ours):
        trace = trace.tb_next
    return trace


def _main_module(path):
    """A fresh ``__main__`` for a file."""
    module = types.ModuleType("__main__")
    module.__file__ = path
    module.__builtins__ = builtins
    module.__loader__ = importlib.machinery.SourceFileLoader("__main__", path)
    return module


def _execute(path):
    with io.open_code(path) as file:
        code = compile(file.read(), path, "exec", dont_inherit=True)
    # It stays: what runs at the exit of the interpreter, and pickles of the program's classes, look there.
    main = sys.modules["__main__"] = _main_module(path)
    exec(code, vars(main))


def run(script, args=(), *, as_module=False):
    """Run a program with wengert for torch, in this process.

    ``sys.argv``, ``sys.path[0]``, ``__main__`` and ``__file__`` are as ``python script.py`` sets them. Names of torch that
    the program mentions and that are missing here are listed first, once, on standard error; the program runs all the
    same and fails only where it needs one. The switch of `as_torch` stays on, so that workers, threads and exit
    handlers find it.

    Args:
        script: the path of a file; with ``as_module`` the dotted name of a module, as ``python -m`` takes it.
        args: the program's arguments.
        as_module: whether ``script`` names a module.

    Returns:
        The exit code: 0, or 1 after an exception whose traceback was printed, or 130 after Ctrl-C. ``SystemExit`` is
        passed on.
    """
    if not as_module and not os.path.isfile(script):
        print(
            f"wengert run: expected the path of a program, got {script!r}: there is no such file.", file=sys.stderr
        )
        return 2
    sys.argv = [script, *args]
    sys.path[0] = os.getcwd() if as_module else os.path.dirname(os.path.abspath(script))
    as_torch()
    share_with_children()
    try:
        if as_module:
            runpy.run_module(script, run_name="__main__", alter_sys=True)
        else:
            report = check(script)
            if report:
                print(f"{report}\nwengert run: the program starts all the same.", file=sys.stderr)
            _execute(script)
    except SystemExit:
        raise
    except BaseException as error:
        sys.stdout.flush()
        error.__traceback__ = _without_our_frames(error)
        sys.excepthook(type(error), error, error.__traceback__)
        return 130 if isinstance(error, KeyboardInterrupt) else 1
    return 0
