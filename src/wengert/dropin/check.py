"""Which names of torch a program needs that are missing here, found by reading it."""

import ast
import dataclasses
import os
import tokenize

from wengert._missing import INSTEAD, nearest

from .scan import scan

# Packages that are compiled against PyTorch itself.
_COMPILED = {"torchaudio", "torchtext", "xformers", "torch_scatter", "torch_sparse", "triton"}


@dataclasses.dataclass(frozen=True)
class Need:
    """A place of a program: the missing name, the file, the line's number and its text."""

    name: str
    file: str
    line: int
    text: str


class Report:
    """What is missing for a program; false when nothing is.

    Attributes:
        script: the program's path.
        needs: the places, in the order of the program.
    """

    def __init__(self, script, needs):
        self.script, self.needs = script, needs

    def __bool__(self):
        return bool(self.needs)

    def __str__(self):
        if not self.needs:
            return ""
        by_name = {}
        for need in self.needs:
            by_name.setdefault(need.name, []).append(need)
        count = len(by_name)
        head = f"{self.script}: {count} name{'s' if count > 1 else ''} of torch that wengert does not have:"
        return "\n".join([head, *(self._lines(name, places) for name, places in sorted(by_name.items()))])

    @staticmethod
    def _lines(name, places):
        rows = [f"    {os.path.basename(p.file)}:{p.line}: {p.text}" for p in places]
        return "\n".join([f"  {name}{advice(name)}", *rows])


def advice(name):
    """What to do about a missing name, as the end of a line; empty if nothing is known."""
    owner, _, last = name.rpartition(".")
    if name.partition(".")[0] in _COMPILED:
        return ": compiled against PyTorch, it cannot run on wengert"
    if last in INSTEAD:
        return f": {INSTEAD[last]}"
    from .scan import known_names

    found = nearest(last, known_names(owner))
    return f": the nearest that it has is {found!r}" if found else ""


def _neighbours(tree, folder):
    """Paths of the files beside a program that it imports."""
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            stem = node.module or ""
            names = [stem] if stem else []
            names += [f"{stem}.{alias.name}".lstrip(".") for alias in node.names]
        for name in names:
            base = os.path.join(folder, *name.split("."))
            for path in (base + ".py", os.path.join(base, "__init__.py")):
                if os.path.isfile(path):
                    yield path


def check(script):
    """List the names of torch that a program mentions and that are missing here, without running it.

    Followed are aliases of modules, names imported from them, chains of attributes, and methods of variables that
    can only be tensors; files beside the program that it imports are read, too. Names that the program itself
    guards (with ``try``, ``hasattr`` or ``cuda.is_available()``) are left out.

    Args:
        script: the program's path.

    Returns:
        A `Report`: its text is the message, and it is false when nothing is missing. A program that Python cannot
        parse has an empty one: running it tells more.
    """
    todo, seen, needs = [os.path.abspath(script)], set(), []
    while todo:
        path = todo.pop(0)
        if path in seen:
            continue
        seen.add(path)
        try:
            with tokenize.open(path) as file:
                source = file.read()
            tree = ast.parse(source)
        except (OSError, SyntaxError, ValueError):
            continue
        lines = source.splitlines()
        found = scan(tree, _COMPILED)
        needs += [Need(name, path, line, lines[line - 1].strip()) for name, line in found]
        todo += list(_neighbours(tree, os.path.dirname(path)))
    return Report(str(script), needs)
