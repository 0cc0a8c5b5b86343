"""Where the user's code stands: its line, and the modules that are being called."""

import ast
import itertools
import linecache
import os
import sys


def _own(frame):
    return frame.f_globals.get("__name__", "").partition(".")[0] == "wengert"


def user_line():
    """ "file.py:12" of the innermost frame outside this package, or None."""
    frame = sys._getframe(1)
    while frame is not None and _own(frame):
        frame = frame.f_back
    return None if frame is None else f"{os.path.basename(frame.f_code.co_filename)}:{frame.f_lineno}"


def user_place():
    """(line, scope, module): the user's line, the names of the modules being called from the outside in, and the
    innermost module."""
    frame = sys._getframe(1)
    line = None
    called = []
    while frame is not None:
        if line is None and not _own(frame):
            line = f"{os.path.basename(frame.f_code.co_filename)}:{frame.f_lineno}"
        if frame.f_code.co_name in ("__call__", "forward") and frame.f_code.co_varnames[:1] == ("self",):
            module = frame.f_locals.get("self")
            if hasattr(module, "_modules") and (not called or called[-1] is not module):
                called.append(module)
        frame = frame.f_back
    called.reverse()
    return line, tuple(scope_names(called)), called[-1] if called else None


def scope_names(modules):
    """The name of each module in the one around it; the class's name where that does not hold it."""
    names = []
    for outer, module in zip([None, *modules], modules, strict=False):
        name = None if outer is None else next((n for n, m in outer._modules.items() if m is module), None)
        names.append(type(module).__name__ if name is None else name)
    return names


def counts_python_things(frame):
    """Whether what a frame of the user's code is at is `range(...)` or a list, tuple or string times something."""
    if _own(frame):
        return False
    positions = next(itertools.islice(frame.f_code.co_positions(), frame.f_lasti // 2, None), (None,) * 4)
    if None in positions:
        return False
    first, last, begin, end = positions
    lines = [linecache.getline(frame.f_code.co_filename, n).encode() for n in range(first, last + 1)]
    if not all(lines):
        return False
    lines[-1] = lines[-1][:end]
    lines[0] = lines[0][begin:]
    try:
        node = ast.parse(b"(" + b"".join(lines) + b")", mode="eval").body
    except SyntaxError:
        return False
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and node.func.id == "range"
    things = (ast.List, ast.Tuple, ast.ListComp, ast.JoinedStr)
    return isinstance(node, ast.BinOp) and any(isinstance(v, things) for v in (node.left, node.right))
