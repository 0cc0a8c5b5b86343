"""Gradients as nodes: for every differentiable row the bits that autograd gives."""

import numpy as np
import pytest
from optools import OPS, TABLE, core, gradients, run, tensor, values
from samples import all_samples

import wengert as w
from wengert.graph import Graph
from wengert.graph._interpreter import Interpreter


def bits(t):
    return None if t is None else (tuple(t.shape), t.dtype, values(t).tobytes())


def build(row, sample, places, upstream, order=1):
    """A graph of one row whose outputs are the result and its gradients."""
    g = w.Graph(row.name)
    listed = sample.operands[0] if row.variadic else sample.operands
    operands = []
    for k, v in enumerate(listed):
        if k in places:
            operands.append(g.input(f"x{k}", v.shape, tensor(v).dtype))
        else:
            operands.append(g.constant(tensor(v)) if isinstance(v, np.ndarray) else v)
    out = core.apply(OPS[row.name].entry, operands, sample.attrs)
    first = out[0] if isinstance(out, tuple) else out
    inputs = [operands[k] for k in places]
    found = g.gradients(first, inputs, g.constant(tensor(upstream)), allow_unused=True)
    if order == 2:
        total = sum((v * v).sum() for v in found if v is not None)
        found = g.gradients(total, inputs, allow_unused=True)
    g.output(first, *[v for v in found if v is not None])
    return g, [v is not None for v in found]


def eager(row, sample, places, upstream_of, order=1):
    listed = sample.operands[0] if row.variadic else sample.operands
    ts = [tensor(v, grad=k in places) if isinstance(v, np.ndarray) else v for k, v in enumerate(listed)]
    outs = run(row, [ts] if row.variadic else ts, sample.attrs)
    upstream = upstream_of(outs[0])
    if not outs[0].requires_grad:
        return outs[0], upstream, None
    inputs = [ts[k] for k in places]
    found = gradients(outs[0], tensor(upstream), inputs, create_graph=order == 2)
    if order == 2:
        parts = [(v * v).sum() for v in found if v is not None and v.requires_grad]
        if not parts:
            return outs[0], upstream, None
        found = gradients(sum(parts), w.ones((), dtype=parts[0].dtype), inputs)
    return outs[0], upstream, found


def float32(sample, row):
    listed = sample.operands[0] if row.variadic else sample.operands
    listed = [v.astype(np.float32) if isinstance(v, np.ndarray) and v.dtype == np.float64 else v for v in listed]
    return type(sample)([listed] if row.variadic else listed, sample.attrs)


@pytest.mark.parametrize(**all_samples(lambda row: row.differentiable and "random" not in row.flags))
def test_every_row(row, sample, rng):
    sample = float32(sample, row)
    places = sample.floating(row)
    if not places:
        return
    first, upstream, expected = eager(
        row, sample, places, lambda t: rng.standard_normal(tuple(t.shape)).astype(values(t).dtype)
    )
    if expected is None:
        return
    g, there = build(row, sample, places, upstream)
    g.verify()
    listed = sample.operands[0] if row.variadic else sample.operands
    result = Interpreter(g)(*[tensor(listed[k]) for k in places])
    result = result if isinstance(result, list) else [result]
    assert there == [v is not None for v in expected]
    assert bits(result[0]) == bits(first)
    for got, want in zip(result[1:], [v for v in expected if v is not None], strict=True):
        assert bits(got) == bits(want), row.name


@pytest.mark.parametrize(
    "name", ["tanh", "mul", "div", "matmul", "logsumexp", "softmax_rows", "layer_norm", "cumprod"]
)
def test_second_order(name, rng):
    from samples import samples

    row = TABLE[name]
    for sample in samples(row):
        places = sample.floating(row)
        first, upstream, expected = eager(row, sample, places, lambda t: rng.standard_normal(tuple(t.shape)), 2)
        if expected is None:
            continue
        g, there = build(row, sample, places, upstream, 2)
        result = Interpreter(g)(*[tensor(sample.operands[k]) for k in places])
        for got, want in zip(result[1:], [v for v in expected if v is not None], strict=True):
            np.testing.assert_allclose(values(got), values(want), rtol=1e-10, atol=1e-12, err_msg=name)


def test_shared_values_and_broadcasts():
    a, b = w.randn(3, 1).requires_grad_(), w.randn(4).requires_grad_()

    def f(a, b):
        c = a * b + a
        return (c.exp() * c + b).sum()

    g = w.Graph("shared")
    x, y = g.input("a", (3, 1)), g.input("b", (4,))
    loss = f(x, y)
    g.output(loss, *g.gradients(loss, [x, y]))
    result = g.run(a.detach(), b.detach())
    expected = f(a, b)
    for got, want in zip(result, [expected, *w.autograd.grad(expected, [a, b])], strict=True):
        assert bits(got) == bits(want)


def test_what_cuts_gradients():
    g = w.Graph("cut")
    x = g.input("x", (3,))
    with w.no_grad():
        y = x * 2
    gradient = g.gradients((x.detach() * x + y * x).sum(), x)
    g.output(gradient)
    assert g.run(w.tensor([1.0, 2.0, 3.0])).tolist() == [3.0, 6.0, 9.0]
    with pytest.raises(RuntimeError, match="depends on"):
        g.gradients(y.sum(), x)
    assert g.gradients([y.sum()], [x], allow_unused=True) == [None]


def test_autograd_grad_on_symbolic_tensors():
    g = w.Graph("grad")
    x = g.input("x", ("n",))
    (first,) = w.autograd.grad((x**3).sum(), x)
    (second,) = w.autograd.grad(first.sum(), [x])
    g.output(second)
    assert g.compile()(w.tensor([1.0, 2.0])).tolist() == [6.0, 12.0]


def test_dropout_and_its_gradient_draw_the_same():
    g = w.Graph("dropout")
    x = g.input("x", (1000,))
    y = w.nn.functional.dropout(x, 0.5)
    g.output(y, g.gradients(y.sum(), x))
    first, gradient = g.run(w.ones(1000))
    assert first.tolist() == gradient.tolist()
    assert g.run(w.ones(1000))[0].tolist() != first.tolist()


def test_errors():
    g = w.Graph("errors")
    x, n = g.input("x", (3,)), g.input("n", (3,), w.int64)
    with pytest.raises(RuntimeError, match="one element"):
        g.gradients(x, x)
    with pytest.raises(RuntimeError, match="floating"):
        g.gradients(n.sum(), x)
    with pytest.raises(TypeError, match="tensors"):
        g.gradients(x.sum(), "x")
    with pytest.raises(RuntimeError, match="shape"):
        g.gradients(x, x, w.ones(2))
    with pytest.raises(RuntimeError, match="g.gradients"):
        x.sum().backward()
    other = w.Graph("other").input("y", (3,))
    with pytest.raises(RuntimeError, match="'other'"):
        g.gradients((x * 2).sum(), other)


@pytest.mark.parametrize(
    "cls", [w.optim.SGD, w.optim.Adam, w.optim.AdamW, w.optim.RMSprop], ids=lambda c: c.__name__
)
def test_a_step_on_symbolic_gradients_names_minimize(cls):
    layer = w.nn.Linear(3, 2)
    optimizer = cls(layer.parameters(), lr=0.1)
    g = Graph("step")
    loss = layer(g.input("x", (4, 3))).sum()
    found = g.gradients(loss, list(layer.parameters()))
    with g, pytest.raises(RuntimeError, match="minimize"):
        optimizer.step()
    for p, grad in zip(layer.parameters(), found, strict=True):
        p.grad = grad
    with pytest.raises(RuntimeError, match="minimize"):
        optimizer.step()
    assert not g.writes
