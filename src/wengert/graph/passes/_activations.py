"""Activations written by hand, as the kernels that compute them in one go.

Only forms that this makes faster: SiLU, GELU with erf and GELU with x * x * x run as fast or faster as groups of elementwise
operations (docs/decisions/0016).
"""

import math

from ._fusing import Match, fused

_CLOSE = 1e-6  # relative: how near a constant typed by hand is to the one that it means


def _near(a, b):
    return abs(a - b) <= _CLOSE * abs(b)


def _factors(view, v):
    """(number, factors, nodes) of a value as a product of a number and other values."""
    number, factors, nodes, todo = 1.0, [], [], [v]
    while todo:
        v = todo.pop()
        if type(v) is tuple:
            number *= v[0]
            continue
        node = view.made(v, "mul", "div", "pow_scalar", "square")
        if node is None or len(nodes) > 8:
            factors.append(v)
        elif node.op == "mul":
            nodes.append(node)
            todo += node.inputs
        elif node.op == "div" and type(node.inputs[1]) is tuple and node.inputs[1][0]:
            nodes.append(node)
            number /= node.inputs[1][0]
            todo.append(node.inputs[0])
        elif node.op == "square" or node.op == "pow_scalar" and node.attrs in ((2.0,), (3.0,)):
            nodes.append(node)
            todo += [node.inputs[0]] * (2 if node.op == "square" else int(node.attrs[0]))
        else:
            factors.append(v)
    return number, factors, nodes


def _one_plus(view, v):
    """(value, nodes) where v is a value plus 1."""
    node = view.made(v, "add")
    if node is None:
        return None
    a, b = node.inputs if type(node.inputs[0]) is int else node.inputs[::-1]
    return (a, [node]) if type(a) is int and type(b) is tuple and b[0] == 1 else None


def _gelu(view, node):
    """x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x**3)))."""
    half, factors, nodes = _factors(view, node.results[0])
    if half != 0.5 or len(factors) != 2:
        return
    for x, other in (factors, factors[::-1]):
        plus = _one_plus(view, other)
        tanh = plus and view.made(plus[0], "tanh")
        inner = tanh and _argument(view, x, tanh.inputs[0])
        if inner:
            yield _unary(node, x, "gelu_tanh", [*nodes, *plus[1], tanh, *inner])


def _argument(view, x, v):
    """The nodes of sqrt(2/pi) (x + 0.044715 x**3), where v is that and the cube is a power."""
    number, factors, nodes = _factors(view, v)
    total = view.made(factors[0], "add") if len(factors) == 1 and _near(number, math.sqrt(2 / math.pi)) else None
    if total is None or x not in total.inputs:
        return None
    cube = total.inputs[1] if total.inputs[0] == x else total.inputs[0]
    number, factors, more = _factors(view, cube)
    power = any(n.op == "pow_scalar" and n.attrs == (3.0,) for n in more)
    return [*nodes, total, *more] if power and factors == [x, x, x] and _near(number, 0.044715) else None


def _unary(node, x, op, nodes):
    return Match(node.results[0], [x], nodes, lambda apply, inputs: apply(op, inputs))


def _sigmoid(view, node):
    """1 / (1 + exp(-x))."""
    top, bottom = node.inputs
    plus = _one_plus(view, bottom) if type(bottom) is int and top == (1,) else None
    exp = plus and view.made(plus[0], "exp")
    neg = exp and view.made(exp.inputs[0], "neg")
    if neg:
        yield _unary(node, neg.inputs[0], "sigmoid", [neg, exp, *plus[1], node])


gelu = fused("gelu", frozenset({"mul", "div"}), {"tanh", "pow_scalar", "mul", "add"}, _gelu)
sigmoid = fused("sigmoid", frozenset({"div"}), {"div", "exp", "neg", "add"}, _sigmoid)
