"""Graphs in the language of Graphviz."""

from ._build import build, caller_names
from ._model import CONSTANT, GRADIENT, INPUT, OPERATION, PARAMETER, STATE
from ._outline import CLOSE, OPEN, drawn_edges, in_order, node_lines, printable, walk

STYLES = {
    INPUT: "shape=ellipse, fillcolor=\"#dbeafe\"",
    PARAMETER: "shape=ellipse, fillcolor=\"#dcfce7\"",
    CONSTANT: "shape=ellipse, fillcolor=\"#f1f5f9\"",
    OPERATION: "shape=box, fillcolor=\"#ffffff\"",
    GRADIENT: "shape=box, fillcolor=\"#ffedd5\"",
    STATE: "shape=box, fillcolor=\"#f3e8ff\"",
}  # fmt: skip

ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "&": "&amp;"})


def dot(x, *example, backward=False, names=None):
    """A graph as DOT text for Graphviz: nodes as operations and variables, edges as data, clusters as scopes.

    Args:
        x: a tensor with history or a list of them, a Graph, a Plan or a compiled function or module (beside its graph), or a
            module.
        example: the inputs of a module; of static graphs inputs, where their values are to be shown.
        backward: the nodes of the backward pass are drawn too.
        names: a dict from names to tensors and modules; the variables of the caller where it is None.

    Returns:
        A string, the whole graph: Graphviz's own layout needs minutes beyond a few thousand nodes.

    Raises:
        TypeError: something else is given.
        RuntimeError: no tensor has a history.

    Example:
        >>> import wengert
        >>> x = wengert.ones(3, requires_grad=True)
        >>> print(wengert.viz.dot(x.exp()))
        digraph "exp" {
          node [style=filled, fontname="sans-serif", fontsize=11];
          edge [color="#64748b"];
          n0 [label="x\\n(3,) float32\\n= [1, 1, 1]", shape=ellipse, fillcolor="#dbeafe"];
          n1 [label="exp\\n(3,) float32\\n= [2.718, 2.718, 2.718]", shape=box, fillcolor="#ffffff"];
          n0 -> n1;
        }
    """
    model = build(x, *example, names=caller_names() if names is None else names)
    nodes = in_order(model, backward)
    lines = [
        f"digraph {quoted(model.title)} {{",
        '  node [style=filled, fontname="sans-serif", fontsize=11];',
        '  edge [color="#64748b"];',
    ]
    numbers = {k: n for n, k in enumerate(nodes)}
    clusters = 0
    for depth, what, item in walk(model, nodes):
        space = "  " * depth
        if what == OPEN:
            lines.append(f"{space}subgraph cluster_{clusters} {{")
            lines.append(f'{space}  label={quoted(item)}; color="#cbd5e1"; fontname="sans-serif";')
            clusters += 1
        elif what == CLOSE:
            lines.append(space + "}")
        else:
            label = quoted("\n".join(node_lines(model, item)))
            lines.append(f"{space}n{numbers[item]} [label={label}, {STYLES[int(model.kind[item])]}];")
    for source, target, backwards in drawn_edges(model, numbers):
        lines.append(f"  n{source} -> n{target}{' [style=dashed]' if backwards else ''};")
    return "\n".join([*lines, "}"])


def quoted(text):
    """A string of DOT. Line ends stay, everything else is data (Graphviz reads the character entities of HTML)."""
    parts = [printable(line).translate(ESCAPES) for line in str(text).split("\n")]
    return '"' + "\\n".join(parts) + '"'
