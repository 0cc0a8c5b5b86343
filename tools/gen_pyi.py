"""Writes src/wengert/_ops.pyi: signatures of the package's functions and of Tensor's methods.

Rows of the op table give theirs with types; functions written by hand give their names and defaults.

    python tools/gen_pyi.py           writes the file
    python tools/gen_pyi.py --check   exits with 1 when the file is not what the rows say
"""

import inspect
import re
import sys
import types
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CORE = ROOT / "src" / "wengert" / "_core.pyi"
TARGET = ROOT / "src" / "wengert" / "_ops.pyi"
KINDS = {
    "i": "builtins.int",
    "b": "builtins.bool",
    "f": "builtins.float",
    "d": "dtype",
    "I": "builtins.int | Sequence[builtins.int]",
    "j": "builtins.int | None",
    "g": "builtins.float | None",
}
HEADER = '''# ruff: noqa: E501
"""Functions of the package and methods of Tensor. Written by tools/gen_pyi.py from the op table: do not edit."""

import builtins
from collections.abc import Sequence
from typing import Any

from ._core import DTypeObject as dtype
from ._core import Tensor

_Operand = Tensor | builtins.bool | builtins.int | builtins.float | builtins.complex
'''


def operand(row, k):
    """The type of operand k: the first is a tensor, others may be numbers where the op works element by element."""
    if row.variadic:
        return "Sequence[Tensor]"
    kind = "_Operand" if row.elementwise and k > 0 else "Tensor"
    return f"{kind} | None" if row.args[k] in row.optional else kind


def parameters(row, required):
    """The parameters of a row's callable, operands first, then attributes; the random state is not one of them."""
    out = []
    for k, name in enumerate(row.args):
        default = " = None" if name in row.optional else ""
        out.append(f"{name}: {operand(row, k)}{default}")
    fields = row.fields[:-2] if "random" in row.flags else row.fields
    for name, kind, default in zip(fields, row.schema, row.defaults, strict=False):
        text = KINDS[kind]
        if default is None and "None" not in text:
            text += " | None"
        out.append(f"{name}: {text}" + ("" if default is required else f" = {default!r}"))
    return out


def result(row):
    """The type of what the callable returns."""
    if len(row.outputs) == 1:
        return "Tensor"
    return f"tuple[{', '.join(['Tensor'] * len(row.outputs))}]"


def untyped(function, method):
    """The parameters of a function of ours without annotations, as text; anything where it tells none."""
    try:
        found = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return "self, *args: Any, **kwargs: Any" if method else "*args: Any, **kwargs: Any"
    out, starred = [], False
    for k, p in enumerate(found):
        if p.kind is p.VAR_POSITIONAL:
            out.append(f"*{p.name}: Any")
            starred = True
        elif p.kind is p.VAR_KEYWORD:
            out.append(f"**{p.name}: Any")
        else:
            if p.kind is p.KEYWORD_ONLY and not starred:
                out.append("*")
                starred = True
            # An optional first parameter is not only the tensor of a method.
            kind = "" if method and k == 0 and p.default is p.empty else ": Any"
            out.append(f"{p.name}{kind}" + ("" if p.default is p.empty else " = ..."))
    return ", ".join(out) if out or not method else "self"


def render_function(name, value, required, method):
    """One line: a function of the package or a method of Tensor."""
    indent = "    " if method else ""
    row = getattr(value, "row", None)
    if row is not None:
        given = parameters(row, required)
        given = [row.args[0], *given[1:]] if method else given
        if not method:
            given += ["*", "out: Tensor | None = None"]
        return f"{indent}def {name}({', '.join(given)}) -> {result(row)}: ..."
    if isinstance(value, (property, types.GetSetDescriptorType)):
        return f"{indent}@property\n{indent}def {name}(self) -> Any: ..."
    return f"{indent}def {name}({untyped(value, method)}) -> Any: ..."


def render(wengert, required):
    """The text of the file: what is published, beside what _core.pyi says by hand."""
    by_hand = set(re.findall(r"def (\w+)\(|^    (\w+):", CORE.read_text(encoding="utf-8"), re.MULTILINE))
    by_hand = {name for pair in by_hand for name in pair}
    tensor = vars(wengert.Tensor)
    names = [n for n in sorted(tensor) if not n.startswith("_") and n not in by_hand and hasattr(wengert.Tensor, n)]
    methods = [render_function(n, tensor[n], required, True) for n in names if n not in ("mro",)]
    published = {n: v for n, v in vars(wengert).items() if not n.startswith("_") and callable(v)}
    functions = [
        render_function(n, v, required, False)
        for n, v in sorted(published.items())
        if not isinstance(v, type) and not isinstance(v, wengert.dtype)
    ]
    return HEADER + "\n" + "\n".join(functions) + "\n\nclass OpMethods:\n" + "\n".join(methods) + "\n"


def main(argv):
    sys.path.append(str(ROOT / "src"))
    import wengert
    from wengert.ops import Required

    text = render(wengert, Required)
    if "--check" in argv:
        if not TARGET.exists() or TARGET.read_text(encoding="utf-8") != text:
            print(f"{TARGET.name}: expected what the rows say, got something else. Run tools/gen_pyi.py.")
            return 1
        return 0
    TARGET.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
