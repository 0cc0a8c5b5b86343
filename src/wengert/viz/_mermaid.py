"""Graphs in the language of Mermaid, which many pages and editors of Markdown draw."""

from ._build import build, caller_names
from ._model import CONSTANT, GRADIENT, INPUT, OPERATION, PARAMETER, STATE
from ._outline import CLOSE, OPEN, drawn_edges, in_order, node_lines, printable, walk

CLASSES = {INPUT: "input", PARAMETER: "parameter", CONSTANT: "constant", GRADIENT: "gradient", STATE: "state"}
COLORS = {
    "input": "fill:#dbeafe,color:#111827",
    "parameter": "fill:#dcfce7,color:#111827",
    "constant": "fill:#f1f5f9,color:#111827",
    "gradient": "fill:#ffedd5,color:#111827",
    "state": "fill:#f3e8ff,color:#111827",
}
PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 _.,:=+-/()[]…µ")


def mermaid(x, *example, backward=False, names=None):
    """A graph as a Mermaid flowchart: nodes as operations and variables, edges as data, subgraphs as scopes.

    Args:
        x: a tensor with history or a list of them, a Graph, a Plan or a compiled function or module (beside its graph), or a
            module.
        example: the inputs of a module; of static graphs inputs, where their values are to be shown.
        backward: the nodes of the backward pass are drawn too.
        names: a dict from names to tensors and modules; the variables of the caller where it is None.

    Returns:
        A string. Mermaid itself refuses more than 500 edges unless its page allows more.

    Raises:
        TypeError: something else is given.
        RuntimeError: no tensor has a history.

    Example:
        >>> import wengert
        >>> x = wengert.ones(3, requires_grad=True)
        >>> print(wengert.viz.mermaid(x.exp()))
        flowchart TB
          n0(["x<br>(3,) float32<br>= [1, 1, 1]"]):::input
          n1["exp<br>(3,) float32<br>= [2.718, 2.718, 2.718]"]
          n0 --> n1
          classDef input fill:#dbeafe,color:#111827
    """
    model = build(x, *example, names=caller_names() if names is None else names)
    nodes = in_order(model, backward)
    numbers = {k: n for n, k in enumerate(nodes)}
    lines = ["flowchart TB"]
    groups = 0
    used = set()
    for depth, what, item in walk(model, nodes):
        space = "  " * depth
        if what == OPEN:
            lines.append(f"{space}subgraph s{groups}[{quoted(item)}]")
            groups += 1
        elif what == CLOSE:
            lines.append(f"{space}end")
        else:
            label = quoted("\n".join(node_lines(model, item)))
            kind = int(model.kind[item])
            given = kind not in (OPERATION, GRADIENT, STATE)
            style = CLASSES.get(kind)
            used.add(style)
            box = f"([{label}])" if given else f"[{label}]"
            lines.append(f"{space}n{numbers[item]}{box}" + (f":::{style}" if style else ""))
    for source, target, backwards in drawn_edges(model, numbers):
        lines.append(f"  n{source} {'-.->' if backwards else '-->'} n{target}")
    lines.extend(f"  classDef {style} {color}" for style, color in COLORS.items() if style in used)
    return "\n".join(lines)


def quoted(text):
    """A label of Mermaid. Line ends stay; whatever could mean something to Mermaid or HTML is written as a code."""
    coded = "<br>".join("".join(map(_code, printable(line))) for line in str(text).split("\n"))
    return f'"{coded or " "}"'  # Mermaid takes no empty label


def _code(c):
    return c if c in PLAIN or (c.isalnum() and not c.isascii()) else f"#{ord(c)};"
