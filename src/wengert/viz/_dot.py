"""Graphs in the language of Graphviz."""

from ._build import build, caller_names
from ._model import CONSTANT, GRADIENT, INPUT, KINDS, OPERATION, PARAMETER, STATE
from ._outline import Group, in_order, outline, printable, shape_text

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
        x: a tensor with history or a list of them, a Graph (`example`: inputs whose values are shown), a Plan, a compiled
            function or module, or a module (then `example` are its inputs).
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
    todo = [(outline(model, nodes, fold=False), 0)]
    while todo:
        item, depth = todo.pop()
        space = "  " * depth
        if isinstance(item, str):
            lines.append(space + item)
        elif isinstance(item, Group):
            if depth:
                lines.append(f"{space}subgraph cluster_{clusters} {{")
                lines.append(f'{space}  label={quoted(item.name)}; color="#cbd5e1"; fontname="sans-serif";')
                clusters += 1
                todo.append(("}", depth))
            todo.extend((m, depth + 1) for m in reversed(item.members))
        else:
            label = quoted("\n".join(node_lines(model, item)))
            lines.append(f"{space}n{numbers[item]} [label={label}, {STYLES[int(model.kind[item])]}];")
    for source, target, backwards in drawn_edges(model, numbers):
        lines.append(f"  n{source} -> n{target}{' [style=dashed]' if backwards else ''};")
    return "\n".join([*lines, "}"])


def drawn_edges(model, numbers):
    """The edges among the nodes that are drawn, by their numbers: triples (source, target, whether it is a gradient's)."""
    edges = set()
    for s, t in zip(model.source.tolist(), model.target.tolist(), strict=True):
        if s in numbers and t in numbers:
            edges.add((numbers[s], numbers[t], bool(model.backward[s] or model.backward[t])))
    return sorted(edges)


def node_lines(model, k):
    """What stands in the box of a node: what it is called, shape and dtype, value and gradient."""
    kind = model.kind[k]
    op = model.ops[model.op[k]]
    name = model.names.get(k)
    if kind in (OPERATION, GRADIENT, STATE):
        first = f"{name} = {op}" if name else op
    else:
        first = name or KINDS[kind]
    lines = [first, f"{shape_text(model, k)} {model.dtypes[model.dtype[k]]}".strip()]
    for sign, values in (("=", model.values), ("grad", model.gradients)):
        if k in values:
            lines.append(f"{sign} {values[k].short()}")
    return [printable(line) for line in lines if line]


def quoted(text):
    """A string of DOT. Line ends stay, everything else is data (Graphviz reads the character entities of HTML)."""
    parts = [printable(line).translate(ESCAPES) for line in str(text).split("\n")]
    return '"' + "\\n".join(parts) + '"'
