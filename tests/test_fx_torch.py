"""Recorded programs beside PyTorch: the same source, the same graph, the same values."""

import operator

import numpy as np
import pytest
from against_torch import torch

import wengert as wg

torch_fx = pytest.importorskip("torch.fx")


def block(t):
    class Block(t.nn.Module):
        def __init__(self):
            super().__init__()
            self.body = t.nn.Sequential(t.nn.Conv2d(3, 4, 3, padding=1), t.nn.BatchNorm2d(4), t.nn.ReLU())
            self.gate = t.nn.Parameter(t.ones(4, 1, 1))
            self.register_buffer("shift", t.zeros(4, 1, 1))

        def forward(self, x: t.Tensor, scale=2.0):
            y = self.body(x)
            a, b = y.chunk(2, dim=1)
            y = t.cat([b, a * self.gate[:2]], dim=1) + self.shift
            return t.nn.functional.relu(y, inplace=False).mean((2, 3)) * scale

    return Block(), [np.random.default_rng(0).standard_normal((2, 3, 5, 5))]


def attention(t):
    class Attention(t.nn.Module):
        def __init__(self):
            super().__init__()
            self.qkv, self.out = t.nn.Linear(8, 24), t.nn.Linear(8, 8)

        def forward(self, x):
            n, length, width = x.shape
            q, k, v = self.qkv(x).view(n, length, 3, 2, width // 2).permute(2, 0, 3, 1, 4)
            scores = (q @ k.transpose(-2, -1)) / (width // 2) ** 0.5
            y = t.softmax(scores, dim=-1) @ v
            return self.out(y.transpose(1, 2).reshape(n, length, width))

    return Attention(), [np.random.default_rng(1).standard_normal((2, 3, 8))]


def arithmetic(t):
    def forward(a, b):
        c = -(a**2) + 3 // (b + 2) - a % 2
        d = (c > 0) & ~(a == b) | (b >= 1)
        e = t.where(d, c, a).sum(0, keepdim=True)
        a = a.clone()
        a += 1
        return {"e": e, "rest": (a[..., None, 1:], a.shape[0], [b.T, a.new_zeros(2)])}

    rng = np.random.default_rng(2)
    return forward, [rng.standard_normal((3, 3)), rng.standard_normal((3, 3))]


def by_name(t):
    def forward(x, y, *rest, k=2, **named):
        a, *_ = (x, y)
        return t.add(a, y, alpha=k).clamp_min(0.0).to(t.float64)[:, None] @ t.ones(1, 2, dtype=t.float64)

    rng = np.random.default_rng(3)
    return forward, [rng.standard_normal(3), rng.standard_normal(3)]


def names(t):
    def forward(input, print, x, x_1):
        x_2 = input.relu() + print.relu()
        return x_2.add(x).add(x_1)

    return forward, [np.ones(2)] * 4


PROGRAMS = [block, attention, arithmetic, by_name, names]


def both(program):
    """The traced program, its inputs and values, with either library; weights are the same."""
    ours, arrays = program(wg)
    theirs, _ = program(torch)
    if isinstance(theirs, torch.nn.Module):
        ours.double().load_state_dict(
            {k: wg.from_numpy(v.double().numpy()) for k, v in theirs.state_dict().items()}
        )
        theirs.double()
    return (wg.fx.symbolic_trace(ours), [wg.from_numpy(a.copy()) for a in arrays]), (
        torch_fx.symbolic_trace(theirs),
        [torch.from_numpy(a.copy()) for a in arrays],
    )


def as_shown(text):
    return text.replace("wengert.", "torch.")


def leaves(value):
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        return [leaf for v in value for leaf in leaves(v)]
    return [np.asarray(value.detach() if hasattr(value, "detach") else value)]


@pytest.mark.parametrize("program", PROGRAMS)
def test_programs_become_the_same_graph(program):
    (ours, x), (theirs, y) = both(program)
    assert as_shown(str(ours.graph)) == str(theirs.graph)
    assert as_shown(ours.code) == theirs.code
    for a, b in zip(leaves(ours(*x)), leaves(theirs(*y)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)
    for a, b in zip(leaves(wg.fx.Interpreter(ours).run(*x)), leaves(theirs(*y)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)


@pytest.mark.parametrize("program", [block, attention])
def test_gradients_of_recorded_programs(program):
    (ours, x), (theirs, y) = both(program)
    (ours(*x) ** 2).sum().backward()
    (theirs(*y) ** 2).sum().backward()
    assert [n for n, _ in ours.named_parameters()] == [n for n, _ in theirs.named_parameters()]
    for (name, a), (_, b) in zip(ours.named_parameters(), theirs.named_parameters(), strict=True):
        np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), rtol=1e-9, atol=1e-12, err_msg=name)


def by_hand(t, fx):
    graph = fx.Graph()
    x = graph.placeholder("x", default_value=1)
    names = [
        "a.0.b",
        "A1",
        "x",
        "x_5",
        "x_5",
        "x_1",
        "for",
        "print",
        "torch",
        "inf",
        "1a",
        "",
        "_",
        "MyName",
        "device",
    ]
    for name in names:
        graph.get_attr(name)
    written = graph.call_function(operator.iadd, (x, 1))
    graph.call_function(operator.setitem, (x, 0, written))
    shape = graph.call_function(getattr, (x, "shape"))
    inner = graph.call_method(
        "f", (x, [shape, slice(1, shape, None), (shape,), {"k": shape, 2: ...}]), {"d": t.float32}
    )
    with graph.inserting_before(inner):
        early = graph.call_module("m.n", (x,), {"b": None})
    with graph.inserting_after(x):
        graph.placeholder("input", t.Tensor)
        graph.placeholder("*rest")
    graph.output((early, [shape], {"k": inner}), int)
    copy = fx.Graph()
    copy.output(copy.graph_copy(graph, {}))
    return graph, copy


def test_graphs_built_by_hand_are_written_alike():
    for ours, theirs in zip(by_hand(wg, wg.fx), by_hand(torch, torch_fx), strict=True):
        assert as_shown(str(ours)) == str(theirs)
        assert as_shown(ours.python_code("self").src) == theirs.python_code("self").src
        assert [n.name for n in ours.nodes] == [n.name for n in theirs.nodes]
        assert [[u.name for u in n.users] for n in ours.nodes] == [[u.name for u in n.users] for n in theirs.nodes]


def test_replaced_patterns_are_the_same_code():
    def run(t, fx):
        def program(a, b):
            c = t.relu(a + b)
            d = t.relu(c + a)
            return c - d + t.relu(t.neg(a) + d)

        traced = fx.symbolic_trace(program)
        found = fx.replace_pattern(traced, lambda x, y: t.relu(x + y), lambda x, y: t.sigmoid(x) * y)
        return traced.code, len(found)

    ours, theirs = run(wg, wg.fx), run(torch, torch_fx)
    assert as_shown(ours[0]) == theirs[0] and ours[1] == theirs[1]
