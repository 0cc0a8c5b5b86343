"""The names of nodes and values in generated code, and those by which code reaches functions and classes."""

import builtins
import functools
import keyword
import math
import re

import wengert
from wengert import _core, _overriding

# Names that generated code finds in its globals, beside Python's own.
BUILTINS = {"inf": math.inf, "nan": math.nan, "NoneType": type(None), "device": wengert.device, "torch": wengert}
IMPORTS = {
    "inf": "from math import inf",
    "nan": "from math import nan",
    "NoneType": "NoneType = type(None)",
    "device": "from wengert import device",
    "torch": "import wengert as torch",
    "wengert": "import wengert",
}


def snake_case(name):
    """A name in lower case, with an underscore before each capital that begins a word.

    Example:
        >>> snake_case("MyLayer2D")
        'my_layer2_d'
    """
    out = []
    for before, letter in zip(" " + name, name, strict=False):
        if letter.isupper() and before.isalnum() and not before.isupper():
            out.append("_")
        out.append(letter.lower())
    return "".join(out)


class Namespace:
    """Hands out names that are Python's identifiers and differ from each other.

    Example:
        >>> names = Namespace()
        >>> [names.create_name(n, None) for n in ("x", "x", "layer.0", "for")]
        ['x', 'x_1', 'layer_0', 'for_1']
    """

    def __init__(self):
        self._used = {}  # name -> what it was made for
        self._last = {}  # name without its number -> the highest number in use

    def create_name(self, candidate, obj):
        """A new name like `candidate`; the same one again for an object that has one already.

        Args:
            candidate: what the name should be.
            obj: what is named; None for what has no identity of its own.
        """
        candidate = re.sub(r"[^0-9a-zA-Z_]+", "_", candidate) or "_unnamed"
        if candidate[0].isdigit():
            candidate = f"_{candidate}"
        match = re.fullmatch(r"(.*)_(\d+)", candidate)
        base, number = (match[1], int(match[2])) if match else (candidate, None)
        while candidate in self._used or self._is_taken(candidate, obj):
            number = max(self._last.get(base, 0), number or 0) + 1
            candidate = f"{base}_{number}"
        self._used[candidate] = obj
        if number is not None:
            self._last[base] = max(number, self._last.get(base, 0))
        return candidate

    @staticmethod
    def _is_taken(name, obj):
        """Whether a name means something else in Python or in every generated function."""
        if keyword.iskeyword(name):
            return True
        for known in (vars(builtins), BUILTINS):
            if name in known and name != "_":  # an interactive Python keeps its last result there
                return obj is not known[name]
        return name == "wengert" and obj is not wengert


def target_name(target):
    """What a node is called after its target: a function's name, or a dotted name."""
    name = getattr(target, "__name__", None) or type(target).__name__ if callable(target) else str(target)
    if name.startswith("__") and name.endswith("__") and len(name) > 4:
        name = name[2:-2]
    return snake_case(name)


@functools.cache
def _public_names():
    """Names below the package's own, such as "nn.functional.relu", by the identity of what they name."""
    found = {id(_core.Tensor): "Tensor"}
    for prefix, values in sorted(_overriding.places().items(), key=lambda place: place[0] == "Tensor."):
        for name, value in values.items():
            if callable(value) and not name.startswith("_"):
                found.setdefault(id(value), f"{prefix}{name}")
    return found


def public_name(value):
    """The name by which the package publishes a function or class, such as "torch.nn.functional.relu"; None for others."""
    name = _public_names().get(id(value))
    return None if name is None else f"{_core.shown_name()}.{name}"


def qualified_name(value):
    """The dotted name of a function or class, as it is shown and as generated names are made of it."""
    found = public_name(value)
    if found is not None:
        return found
    module = getattr(value, "__module__", None) or type(value).__module__
    name = getattr(value, "__qualname__", None) or getattr(value, "__name__", None) or type(value).__name__
    return name if module == "builtins" else f"{module}.{name}"
