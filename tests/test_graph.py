"""Recorded graphs: a run gives the same bits as the function, and pictures in text."""

import pytest

import wengert as w


def same(a, b):
    return a.shape == b.shape and a.dtype == b.dtype and a.tolist() == b.tolist()


FUNCTIONS = {
    "chain": lambda x: (x * 2).tanh().exp() - 1,
    "numbers": lambda x: (x + 3) / 2 - x**2 + (1 - x),
    "reductions": lambda x: x.sum(0) + x.mean() * x.amax(1).sum(),
    "shapes": lambda x: x.T.reshape(-1)[2:7].view(5, 1).expand(5, 2).permute(1, 0),
    "joins": lambda x: w.cat([x, x * 2], 1)[:, 1:],
    "several results": lambda x: (x.sum(), {"a": x * 2, "b": [x.cos(), 7]}),
    "sort": lambda x: x.sort(1)[0],
    "write": lambda x: _written(x * 1),
    "write through a view": lambda x: _written_view(x * 1),
    "detach": lambda x: (x * 2).detach() + 1,
    "returned input": lambda x: x,
}


def _written(y):
    y.mul_(2)
    y[0] = y[1] + 1
    return y


def _written_view(y):
    flat = y.view(-1)
    row = y[1]
    flat.add_(1)
    row.mul_(3)
    return y, flat, row


@pytest.mark.parametrize("name", FUNCTIONS)
def test_same_bits(name):
    f = FUNCTIONS[name]
    graph = w.graph.record(f, w.randn(3, 4))
    for _ in range(2):
        x = w.randn(3, 4)
        expected, result = f(x), graph.run(x)
        if isinstance(expected, w.Tensor):
            assert same(result, expected)
        else:
            assert str(result) == str(expected)


def test_gradients_inside():
    weight = w.randn(3, 3).requires_grad_()

    def loss_and_gradient(x):
        loss = ((x @ weight).tanh() ** 2).mean()
        return loss, w.autograd.grad(loss, weight)[0]

    graph = w.graph.record(loss_and_gradient, w.randn(4, 3))
    x = w.randn(4, 3)
    for a, b in zip(graph.run(x), loss_and_gradient(x), strict=True):
        assert same(a, b)


def test_writes_to_tensors_from_outside():
    p = w.ones(3)

    def step(x):
        p.sub_(x * 0.1)
        return p.sum()

    x = w.randn(3)
    graph = w.graph.record(step, x)
    start = p.clone()
    result, after = graph.run(x), p.clone()
    p.copy_(start)
    assert same(step(x), result) and same(p, after)


def test_constants_are_read_when_it_runs():
    p = w.ones(2)
    graph = w.graph.record(lambda x: x * p, w.zeros(2))
    p.fill_(3.0)
    assert graph.run(w.ones(2)).tolist() == [3.0, 3.0]


def test_random_numbers_are_drawn_anew():
    graph = w.graph.record(lambda x: x + w.rand(4), w.zeros(4))
    assert graph.run(w.zeros(4)).tolist() != graph.run(w.zeros(4)).tolist()


def test_vmap_inside():
    f = w.func.vmap(w.func.grad(lambda v: (v.sin() * v[0]).sum()))
    graph = w.graph.record(f, w.randn(4, 3))
    x = w.randn(4, 3)
    assert same(graph.run(x), f(x))


def test_errors():
    with pytest.raises(RuntimeError, match="item"):
        w.graph.record(lambda x: x * x.sum().item(), w.ones(3))
    with pytest.raises(TypeError, match="tensors"):
        w.graph.record(lambda x: x, 1.0)
    graph = w.graph.record(lambda x: x * 2, w.ones(3))
    with pytest.raises(RuntimeError, match="shape"):
        graph.run(w.ones(4))
    with pytest.raises(ValueError, match="inputs"):
        graph.run()
    # A failed recording leaves nothing behind.
    assert (w.ones(2) * w.ones(2).sum().item()).tolist() == [2.0, 2.0]


def test_text_of_a_graph():
    graph = w.graph.record(lambda x: (x * 2).sum(), w.zeros(3))
    assert str(graph).splitlines() == [
        "%0  input  (3,)  float32",
        "%1  mul    (3,)  float32  %0, 2",
        "%2  sum    ()    float32  %1, dim=None, keepdim=False",
        "outputs: %2",
    ]


def test_one_tensor_for_two_inputs():
    x = w.ones(2)
    graph = w.graph.record(lambda a, b: a - b, x, x)
    assert graph.run(w.ones(2), w.zeros(2)).tolist() == [1.0, 1.0]
