"""Attention written by hand, as the kernel that never has the whole matrix of scores."""

import math

from ._fusing import Match, fused

_KEYS = 256  # from so many on the kernel is faster than the product (docs/decisions/0016)


def _attention(view, node):
    """softmax(q @ k^T * scale + mask) @ v."""
    weights, v = node.inputs
    soft = view.made(weights, "softmax_rows")
    if soft is None or soft.attrs[0] % view.ndim(weights) != view.ndim(weights) - 1:
        return
    scores, mask, nodes = _masked(view, soft.inputs[0])
    scores, scale, more = _scaled(view, scores)
    product = view.made(scores, "matmul")
    turned = product and view.made(product.inputs[1], "transpose")
    if not turned or {d % view.ndim(v) for d in turned.attrs} != {view.ndim(v) - 1, view.ndim(v) - 2}:
        return
    q, k = product.inputs[0], turned.inputs[0]
    shapes = [view.shapes[t] for t in (q, k, v)]
    if len({s[:-2] for s in shapes}) > 1 or len(shapes[0]) < 3 or shapes[1][-2] < _KEYS:
        return
    if scale <= 0 or view.shapes[scores] != view.shapes[weights]:
        return

    def build(apply, _):
        given = mask and (apply("logical_not", [mask[0]]) if mask[1] else mask[0])
        return apply("attention", [q, k, v, given], (float(scale), False))

    yield Match(node.results[0], [q, k, v], [*nodes, *more, turned, product, soft, node], build)


def _masked(view, v):
    """(scores, (mask, whether it is of those left out) or None, nodes)."""
    node = view.made(v, "add", "where")
    if node is None:
        return v, None, []
    if node.op == "where":
        mask, fill, inner = node.inputs
        if fill == (-math.inf,) and type(inner) is int and type(mask) is int:
            return inner, (mask, True), [node]
        return v, None, []
    for inner, mask in (node.inputs, node.inputs[::-1]):
        if type(inner) is int and type(mask) is int and view.made(inner, "mul", "div", "matmul") is not None:
            return inner, (mask, False), [node]
    return v, None, []


def _scaled(view, v):
    """(scores, scale, nodes)."""
    node = view.made(v, "mul", "div")
    if node is None:
        return v, 1.0, []
    a, b = node.inputs if type(node.inputs[0]) is int else node.inputs[::-1]
    if type(b) is not tuple or node.op == "div" and (not b[0] or type(node.inputs[0]) is tuple):
        return v, 1.0, []
    return a, (b[0] if node.op == "mul" else 1 / b[0]), [node]


attention = fused("attention", frozenset({"matmul"}), {"matmul", "softmax_rows", "transpose"}, _attention)
