"""Graphs as aligned text."""

from .. import _core
from ..graph._graph import Graph, align


def text(*of):
    """A graph as text: one line for each node, latest first, with op, shape, dtype, inputs and attributes.

    Args:
        of: tensors with history, or one Graph.

    Raises:
        TypeError: something else is given.
        RuntimeError: no tensor has a history.

    Example:
        >>> import wengert
        >>> x = wengert.ones(2, requires_grad=True)
        >>> print(wengert.viz.text((x * x).sum()))
        0  sum   ()    float32  1  dim=None, keepdim=False
        1  mul   (2,)  float32  2, 2
        2  leaf  (2,)  float32
    """
    if len(of) == 1 and isinstance(of[0], Graph):
        return str(of[0])
    for t in of:
        if not isinstance(t, _core.Tensor):
            raise TypeError(f"text: expected tensors or a Graph, got {type(t).__name__}.")
    nodes = _core.graph_nodes(list(of))
    if not nodes:
        raise RuntimeError("text: expected a tensor with history, got none that requires grad.")
    rows = []
    for k, (node, places) in enumerate(nodes):
        shape = "" if node.shape is None else str(tuple(node.shape))
        dtype = "" if node.dtype is None else str(node.dtype).rpartition(".")[2]
        inputs = ", ".join("-" if p < 0 else str(p) for p in places)
        attrs = ", ".join(f"{name}={value}" for name, value in node.attributes.items())
        rows.append((str(k), node.op, shape, dtype, inputs, attrs))
    return "\n".join(align(rows))
