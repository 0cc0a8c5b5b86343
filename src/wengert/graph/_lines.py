"""Where the user's code stands: its line, and the modules that are being called."""

import ast
import itertools
import linecache
import sys

from .._record import open_blocks

RECORDERS = ("wengert.graph._recorder", "wengert.graph._capture")  # whose frames call the function that is recorded


_LIMIT = 1 << 14  # of what is remembered
_seen = {}  # id of a code object -> (that object, kept alive; whether it is this package's; name of what may be a module)
_names = {}  # id of the dict of the modules in one -> their names, by id


def _own(frame):
    return _about(frame)[1]


def _about(frame):
    """What `_seen` says of a frame's code."""
    code = frame.f_code
    found = _seen.get(id(code))
    if found is None:
        if len(_seen) >= _LIMIT:
            _seen.clear()
        own = frame.f_globals.get("__name__", "").partition(".")[0] == "wengert"
        calls = code.co_name in ("__call__", "forward") and code.co_argcount
        found = _seen[id(code)] = code, own, code.co_varnames[0] if calls else None
    return found


def user_line():
    """ "file.py:12" of the innermost frame outside this package, or None."""
    frame = sys._getframe(1)
    while frame is not None and _own(frame):
        frame = frame.f_back
    return None if frame is None else line_text((frame.f_code.co_filename, frame.f_lineno))


def line_text(line):
    """(file, line, ...) as "file.py:12": the base name only."""
    return f"{line[0].replace(chr(92), '/').rpartition('/')[2]}:{line[1]}" if line else ""


class _Function(str):
    """The name of a function of the user's that is running."""

    __slots__ = ()


def user_place():
    """Where an operation is made: (line, scope, modules).

    The line is the user's. The scope is the names of what is around the operation, from the outside in: modules that are
    being called, `wengert.scope` blocks and, in a function that is recorded, the functions that it calls. The modules
    are those of the scope.
    """
    frame = sys._getframe(1)
    line = None
    called = []  # modules and names, from the inside out
    latest = None  # the module met last
    recorded = 0  # how many of them are inside of the function that is recorded, with that function
    blocks = open_blocks()
    while frame is not None:
        code, own, variable = _seen.get(id(frame.f_code)) or _about(frame)
        if line is None and not own:
            line = line_text((code.co_filename, frame.f_lineno))
        if blocks:
            called.extend(reversed(blocks.pop(frame, ())))
        module = None if variable is None else _module_called(frame, variable)
        if module is not None:
            if module is not latest:  # its forward and its __call__ are one
                called.append(module)
                latest = module
        elif not own:
            called.append(_Function(code.co_name))
        elif line is not None and not recorded and frame.f_globals["__name__"] in RECORDERS:
            recorded = len(called)
        frame = frame.f_back
    called.extend(name for names in blocks.values() for name in reversed(names))
    if recorded and isinstance(called[recorded - 1], _Function):
        recorded -= 1
    called = [c for k, c in enumerate(called) if not isinstance(c, _Function) or k < recorded and c[0] != "<"]
    called.reverse()
    return line, scope_names(called), [m for m in called if not isinstance(m, str)]


def _module_called(frame, variable):
    """The module whose __call__ or forward a frame is: the value of its first variable; None where that is none."""
    module = frame.f_locals.get(variable)
    if not hasattr(module, "_modules"):
        return None
    return module._modules.get("_orig_mod", module)  # a compiled module stands for the one that it holds


def scope_names(called):
    """The name of each module in the one around it; the class's name where that does not hold it."""
    names = []
    outer = None
    for scope in called:
        if isinstance(scope, str):
            names.append(scope)
            continue
        name = None if outer is None else _name_in(outer._modules, scope)
        names.append(type(scope).__name__ if name is None else name)
        outer = scope
    return tuple(names)


def _name_in(modules, scope):
    """The name of a module in a dict of them, or None. Names are remembered: a container may hold thousands."""
    name = _names.get(id(modules), {}).get(id(scope))
    if name is not None and modules.get(name) is scope:
        return name
    name = next((n for n, m in modules.items() if m is scope), None)
    if name is not None:
        if len(_names) >= _LIMIT:
            _names.clear()
        _names[id(modules)] = {id(m): n for n, m in reversed(modules.items())}
    return name


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
