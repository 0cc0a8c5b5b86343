"""Where the user's code stands: its line, and the modules that are being called."""

import ast
import itertools
import linecache
import sys

from .._record import open_blocks

RECORDERS = ("wengert.graph._recorder", "wengert.graph._capture")  # whose frames call the function that is recorded


_LIMIT = 1 << 14  # of what is remembered
_SUSPENDED = 0x20 | 0x80 | 0x200  # flags of the code of generators and coroutines, which go on under other callers
_seen = {}  # id of a code object -> its _Code
_names = {}  # id of the dict of the modules in one -> their names, by id


class _Code:
    """A code object, kept alive: whether it is this package's and whether it calls what is recorded, the name of what may
    be a module, whether its frames stay where they are, and its lines as text by the place of an instruction."""

    __slots__ = ("code", "lines", "own", "records", "stays", "variable")

    def __init__(self, frame):
        self.code = code = frame.f_code
        module = frame.f_globals.get("__name__", "")
        self.own = module.partition(".")[0] == "wengert"
        self.records = module in RECORDERS
        calls = code.co_name in ("__call__", "forward") and code.co_argcount
        self.variable = code.co_varnames[0] if calls else None
        self.stays = not code.co_flags & _SUSPENDED
        self.lines = {}

    def line(self, frame):
        """ "file.py:12" of where a frame of this code stands."""
        text = self.lines.get(frame.f_lasti)
        if text is None:
            text = self.lines[frame.f_lasti] = line_text((self.code.co_filename, frame.f_lineno))
        return text


def _about(frame):
    """What `_seen` says of a frame's code."""
    found = _seen.get(id(frame.f_code))
    if found is None:
        if len(_seen) >= _LIMIT:
            _seen.clear()
        found = _seen[id(frame.f_code)] = _Code(frame)
    return found


def _own(frame):
    return _about(frame).own


def user_line():
    """ "file.py:12" of the innermost frame outside this package, or None."""
    frame = sys._getframe(1)
    while frame is not None and _own(frame):
        frame = frame.f_back
    return None if frame is None else _about(frame).line(frame)


def line_text(line):
    """(file, line, ...) as "file.py:12": the base name only."""
    return f"{line[0].replace(chr(92), '/').rpartition('/')[2]}:{line[1]}" if line else ""


class _Function(str):
    """The name of a function of the user's that is running."""

    __slots__ = ()


class _Around:
    """What is around an operation or a frame.

    Attributes:
        what: modules and names of functions and blocks, from the inside out.
        recorded: how many of them are inside of the function that is recorded, with that function; None: there is none.
        latest: the innermost module among them, or None.
        lined: whether a frame outside of this package is inside of the frame; None where the frame itself is one.
        line_frame: the frame outside of this package, from this one on, that the line is of where none is inside; or None.
        scope: the names from the outside in, when they have been asked for.
    """

    __slots__ = ("latest", "line_frame", "lined", "recorded", "scope", "what")

    def __init__(self, what, recorded, lined, line_frame):
        self.what = what
        self.recorded = recorded
        self.latest = next((c for c in what if not isinstance(c, str)), None)
        self.lined = lined
        self.line_frame = line_frame
        self.scope = None

    def serves(self, lined, latest):
        """Whether it is the same for an operation with such frames and such a module inside."""
        return (self.lined is None or self.lined is lined) and (latest is None or self.latest is not latest)

    def called(self):
        """Modules and names from the outside in; of functions, those that the recorded one calls."""
        inside = self.recorded or 0
        if inside and isinstance(self.what[inside - 1], _Function):
            inside -= 1
        found = [c for k, c in enumerate(self.what) if not isinstance(c, _Function) or k < inside and c[0] != "<"]
        found.reverse()
        return found


def user_place():
    """Where an operation is made: (line, scope, modules).

    The line is the user's. The scope is the names of what is around the operation, from the outside in: modules that are
    being called, `wengert.scope` blocks and, in a function that is recorded, the functions that it calls. The modules
    are those of the scope.
    """
    line, around = _look(sys._getframe(1), {}, open_blocks())
    called = around.called()
    return line, scope_names(called), [m for m in called if not isinstance(m, str)]


class Places:
    """Where operations are made, one after another: what is around a frame that goes on running is known.

    Args:
        inside: how many frames of this package there are at least between who asks and what recorded the operation.
    """

    def __init__(self, inside=0):
        self._known = {}
        self._depth = 1 + inside

    def place(self):
        """The line and the scope, as `user_place` says them."""
        blocks = open_blocks()
        line, around = _look(sys._getframe(self._depth), {} if blocks else self._known, blocks)
        if around.scope is None:
            around.scope = scope_names(around.called())
        return line, around.scope

    def forget(self):
        """Lets the frames go."""
        self._known.clear()


def _look(frame, known, blocks):
    """The user's line and what is around a frame.

    `known` says what is around frames that were met before, from the outside in, and is brought up to date. It is empty
    where `wengert.scope` blocks are open (blocks: their names by frame).
    """
    line = line_frame = recorded = latest = None
    what = []  # see _Around
    met = []  # frames that gave a part of that: (frame, whether the line was found inside of it, how much was)
    since = 0  # how many of them are inside of `latest`, with its own
    while frame is not None:
        about = _seen.get(id(frame.f_code)) or _about(frame)
        if blocks:
            what.extend(reversed(blocks.pop(frame, ())))
        if about.own and about.variable is None:
            if about.records and line is not None and recorded is None:
                recorded = len(what)
            frame = frame.f_back
            continue
        lined = line is not None
        around = known.get(frame)
        if around is not None and around.serves(lined, latest):
            break
        if not lined and not about.own:
            line, line_frame = about.line(frame), frame
        module = None if about.variable is None else _module_called(frame, about.variable)
        if module is not None and module is latest:  # its forward and its __call__ are one
            del met[since:]  # what is around these depends on what is inside
        elif module is not None or not about.own:
            if about.stays and recorded is None:
                met.append((frame, lined if about.own else None, len(what)))
            what.append(_Function(about.code.co_name) if module is None else module)
            if module is not None:
                latest, since = module, len(met)
        frame = frame.f_back
    if frame is None:
        known.clear()
        what.extend(name for names in blocks.values() for name in reversed(names))
    else:
        while next(reversed(known)) is not frame:
            known.popitem()
        if line is None and around.line_frame is not None:
            line_frame = around.line_frame
            line = _about(line_frame).line(line_frame)
        if not what:
            return line, around
        if recorded is None and around.recorded is not None:
            recorded = len(what) + around.recorded
        what += around.what
    for place, lined, count in reversed(met):
        inside = None if recorded is None else recorded - count
        around = known[place] = _Around(what[count:], inside, lined, place if lined is None else line_frame)
    if not met or met[0][2]:
        around = _Around(what, recorded, True, None)
    return line, around


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
