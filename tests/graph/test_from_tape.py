"""Graph.from_tensor: the tape as a static graph that computes the same bits."""

import pytest

import wengert as w
from wengert import nn
from wengert.graph import Plan
from wengert.graph._interpreter import Interpreter


def test_a_network_with_its_parameters_by_name():
    w.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.LayerNorm(8), nn.Linear(8, 3, bias=False))
    x, t = w.randn(5, 4), w.tensor([0, 1, 2, 1, 0])
    loss = nn.functional.cross_entropy(model(x), t)
    g = w.Graph.from_tensor(loss, inputs={"x": x, "t": t}, names=dict(model.named_parameters()))
    g.verify()
    assert [g.names[v] for v in g.inputs] == ["x", "t"]
    assert {s.name for s in g.states.values()} == {name for name, _ in model.named_parameters()}
    assert all(s.kind == "parameter" for s in g.states.values())
    assert g.run(x, t).numpy().tobytes() == loss.detach().numpy().tobytes()
    other, classes = w.randn(5, 4), w.tensor([2, 2, 1, 0, 0])
    assert w.equal(g.run(other, classes), nn.functional.cross_entropy(model(other), classes))
    # Gradients of the graph are those of the tape.
    grads = g.gradients(g.tensor(g.outputs[0][1]), list(model.parameters()))
    g.outputs = []
    g.output(*grads)
    loss.backward()
    for a, p in zip(Plan(g, exact=True)(x, t), model.parameters(), strict=True):
        assert w.equal(a, p.grad)


def test_a_run_reads_what_tensors_hold_then():
    p, c = w.ones(3, requires_grad=True), w.arange(3.0)
    g = w.Graph.from_tensor((p * c).sum())
    with w.no_grad():
        p.fill_(2.0)
    c.fill_(5.0)
    assert g.run().item() == 30.0


def test_several_outputs_and_what_they_share():
    x = w.randn(3, requires_grad=True)
    h = x.exp()
    g = w.Graph.from_tensor([h.sum(), h.tanh()], inputs=[x])
    assert [node.op for node in g.nodes] == ["exp", "sum", "tanh"]
    a, b = g.run(w.zeros(3))
    assert a.item() == 3.0 and w.equal(b, w.ones(3).tanh())
    named = w.Graph.from_tensor({"total": h.sum(), "x": x}, inputs={"x": x}).compile()(x=w.zeros(3))
    assert named["total"].item() == 3.0 and w.equal(named["x"], w.zeros(3))


def test_views_and_writes_in_place():
    x = w.randn(4, 4, requires_grad=True)
    with w.record(values="all"):
        y = x * 1.0
        y[1:3].mul_(2.0)
        y.t()[0].add_(x[0])
        z = (y.view(2, 8).transpose(0, 1) + 1)[::2].sum(1)
    g = w.Graph.from_tensor(z, inputs=[x])
    g.verify()
    assert w.equal(g.run(x), z)
    v = w.randn(4, 4)
    expected = v.clone()
    expected[1:3].mul_(2.0)
    expected.t()[0].add_(v[0])
    assert w.equal(g.run(v), (expected.view(2, 8).transpose(0, 1) + 1)[::2].sum(1))


def test_operands_that_only_a_recording_knows():
    p, target = w.randn(4, requires_grad=True), w.randn(4)
    loss = ((p - target) ** 2).mean()
    with pytest.raises(RuntimeError, match="'b' of sub, which no gradient needs.*values='all'"):
        w.Graph.from_tensor(loss)
    with pytest.raises(RuntimeError, match="'b' of add"):
        w.Graph.from_tensor(p + 1)
    with w.record(values="all"):
        loss = ((p + 1 - target) ** 2).mean()
    g = w.Graph.from_tensor(loss, names={"p": p})
    assert w.equal(g.run(), loss) and "test_from_tape.py:" in g.nodes[0].line
    assert {s.name for s in g.states.values()} == {"p", "target"}
    fed = w.Graph.from_tensor(loss, inputs={"target": target})
    assert w.equal(fed.run(target + 1), ((p + 1 - (target + 1)) ** 2).mean())


def test_detached_values_stay_connected():
    x = w.randn(3, 4, requires_grad=True)
    with w.record(values="all"):
        h = x * 2
        y = (h - h.detach()).exp().sum() + h.sum()
    g = w.Graph.from_tensor(y, inputs=[x])
    assert "stop_gradient" in [node.op for node in g.nodes]
    v = w.randn(3, 4)
    assert w.allclose(g.run(v), 12 + 2 * v.sum())


def test_absent_operands():
    w.manual_seed(0)
    x, weight = w.randn(3, 4), w.randn(2, 4, requires_grad=True)
    g = w.Graph.from_tensor(nn.functional.linear(x, weight), inputs=[x])
    assert g.nodes[0].inputs[2] is None
    frozen = w.randn(2)
    with pytest.raises(RuntimeError, match="of linear"):
        w.Graph.from_tensor(nn.functional.linear(x, weight, frozen))


@pytest.mark.parametrize("planned", [True, False])
def test_random_operations_repeat_their_numbers_or_draw_new_ones(planned):
    x = w.ones(200, requires_grad=True)
    y = nn.functional.dropout(x * 2, 0.5)
    again = w.Graph.from_tensor(y, inputs=[x])
    before = w.get_rng_state()
    assert w.equal(again.run(w.ones(200)), y) and w.equal(again.run(w.ones(200)), y)
    assert w.equal(w.get_rng_state(), before)
    copy = w.Graph.parse(again.to_text(), again.state_dict())
    assert copy.repeats and not copy.differences(again) and w.equal(copy.run(w.ones(200)), y)
    fresh = w.Graph.from_tensor(y, inputs=[x], repeat=False)
    assert fresh.differences(again)
    run = Plan(fresh, passes=()) if planned else Interpreter(fresh)
    first, second = run(w.ones(200)), run(w.ones(200))
    assert not w.equal(first, second) and set(first.tolist()) == {0.0, 4.0}


def test_saved_and_loaded(tmp_path):
    model = nn.Linear(3, 2)
    x = w.randn(4, 3)
    y = model(x).sigmoid()
    w.Graph.from_tensor(y, inputs={"x": x}, names=dict(model.named_parameters())).save(tmp_path / "g")
    g = w.graph.load(tmp_path / "g")
    assert w.equal(g.run(x), y) and sorted(g.state_dict()) == ["bias", "weight"]


def test_what_is_no_graph_says_why():
    x = w.randn(3, requires_grad=True)
    y = (x * x).tanh().sum()
    y.backward()
    with pytest.raises(RuntimeError, match="backward\\(\\) has freed"):
        w.Graph.from_tensor(y)
    with pytest.raises(RuntimeError, match="with history"):
        w.Graph.from_tensor(w.ones(3))
    with pytest.raises(TypeError, match="tensors as outputs"):
        w.Graph.from_tensor(3.0)
    with pytest.raises(RuntimeError, match="no operation of the tape reads"):
        w.Graph.from_tensor(x.exp(), inputs=[x, w.ones(3)])
    saved = x * x
    z = x.exp() * saved.detach()
    saved.detach().zero_()
    with pytest.raises(RuntimeError, match="changed in place"):
        w.Graph.from_tensor(z)
    with pytest.raises(RuntimeError, match="with values"):
        w.Graph.from_tensor(w.Graph("g").input("x", (3,)).exp())

    class Own(w.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            return g * 2

    with pytest.raises(RuntimeError, match="custom function"):
        w.Graph.from_tensor(Own.apply(x) + x)


def test_a_long_chain():
    x = w.ones((), requires_grad=True)
    y = x
    for _ in range(20000):
        y = y.sin()
    assert len(w.Graph.from_tensor(y, inputs=[x]).nodes) == 20000


DECOMPOSED = {
    "inv": lambda a: w.linalg.inv(a),
    "cholesky": lambda a: w.linalg.cholesky(a @ a.mT + w.eye(3)),
    "solve": lambda a: w.linalg.solve(a, w.arange(3.0)),
    "eigh": lambda a: sum(t.sum() for t in w.linalg.eigh(a @ a.mT)),
    "eigh, one result": lambda a: w.linalg.eigh(a @ a.mT).eigenvalues,
    "svd": lambda a: w.linalg.svd(a).S,
    "qr": lambda a: w.linalg.qr(a, mode="complete")[1],
    "slogdet": lambda a: a.slogdet().logabsdet,
    "fft": lambda a: w.fft.fft(a, n=5, dim=0, norm="ortho").abs(),
    "irfft": lambda a: w.fft.irfft(w.fft.rfft(a), n=4),
}


@pytest.mark.parametrize("name", DECOMPOSED)
def test_decompositions_and_fourier_transforms(name):
    f = DECOMPOSED[name]
    w.manual_seed(0)
    a = w.randn(3, 3, requires_grad=True)
    with w.record(values="all"):
        loss = (f(a) * 2).sin().sum()
    g = w.Graph.from_tensor(loss, inputs={"a": a})
    g.verify()
    assert any(node.op == "host" for node in g.nodes)
    assert w.equal(g.run(a), loss)
    other = w.randn(3, 3)
    assert w.equal(g.run(other), (f(other) * 2).sin().sum())
    # Gradients of the graph, and the graph read back from its text.
    (wanted,) = w.autograd.grad(loss, a)
    assert w.equal(type(g).parse(g.to_text(), g.state_dict()).run(other), g.run(other))
    (found,) = g.gradients(g.tensor(g.outputs[0][1]), [g.tensor(g.inputs[0])])
    g.outputs = []
    g.output(found)
    assert w.allclose(Plan(g)(a), wanted, rtol=1e-4, atol=1e-5)
