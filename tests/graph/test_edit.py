"""Graphs that are walked, changed, composed and compared."""

import pytest

import wengert as w
from wengert.graph import Graph


def small():
    g = Graph("small")
    x, y = g.input("x", (3,)), g.input("y", (3,))
    p = g.parameter("p", w.tensor([1.0, 2.0, 3.0]))
    g.output(out=((x * p).tanh() + y).sum())
    return g


def run(g):
    return g.compile()(w.ones(3), w.ones(3))["out"].item()


def test_walking():
    g = small()
    assert [node.op for node in g.nodes] == ["mul", "tanh", "add", "sum"]
    mul, tanh, add, total = g.nodes
    assert [(a and a.op, b.op, v) for a, b, v in g.edges()][:3] == [
        (None, "mul", 0),
        (None, "mul", 2),
        ("mul", "tanh", 3),
    ]
    assert g.consumers("x") == [mul] and g.consumers(tanh.results[0]) == [add]
    assert total.named_attrs == {"dim": None, "keepdim": False}
    assert g.shapes[add.results[0]] == (3,) and g.dtypes[add.results[0]] is w.float32
    assert g.number(g.tensor("x")) == 0
    for bad in ("z", 99, -1, 1.5):
        with pytest.raises((KeyError, IndexError)):
            g.number(bad)


def test_replace_and_prune():
    g = small()
    mul, tanh = g.nodes[:2]
    sigmoid = g.insert("sigmoid", [mul.results[0]], before=tanh)
    g.replace(tanh.results[0], sigmoid.results[0])
    assert g.prune() == 1 and [n.op for n in g.nodes] == ["mul", "sigmoid", "add", "sum"]
    g.verify()
    expected = w.tensor([1.0, 2.0, 3.0]).sigmoid().sum() + 3
    assert run(g) == pytest.approx(expected.item())


def test_replace_by_what_is_made_of_it():
    g = small()
    mul = g.nodes[0]
    doubled = g.insert("mul", [mul.results[0], (2.0,)])
    g.replace(mul.results[0], doubled.results[0])
    g.verify()
    assert run(g) == pytest.approx(((w.tensor([1.0, 2.0, 3.0]) * 2).tanh().sum() + 3).item())
    with pytest.raises(RuntimeError, match="shape"):
        g.replace(mul.results[0], g.nodes[-1].results[0])


def test_remove():
    g = small()
    with pytest.raises(RuntimeError, match="tanh reads"):
        g.remove(g.nodes[0])
    with pytest.raises(RuntimeError, match="output"):
        g.remove(g.nodes[-1])
    node = g.insert("neg", ["x"])
    g.remove(node)
    with pytest.raises(ValueError, match="node of graph"):
        g.remove(node)
    assert g.differences(small()) == []


def test_insert_errors():
    g = small()
    before = g.to_text()
    with pytest.raises(ValueError, match="table"):
        g.insert("nothing", ["x"])
    with pytest.raises(TypeError, match="attribute 'exponent'"):
        g.insert("pow_scalar", ["x"], {})
    with pytest.raises(TypeError, match="among"):
        g.insert("sum", ["x"], {"dims": 1})
    with pytest.raises(RuntimeError, match="before mul"):
        g.insert("neg", [g.nodes[1].results[0]], before=g.nodes[0])
    with pytest.raises(IndexError):
        g.insert("sum", ["x"], {"dim": (4,)})
    assert Graph.parse(before, g.state_dict()).differences(g) == []
    g.verify()


def test_extract():
    g = small()
    mul, tanh, add, _ = g.nodes
    part = g.extract([mul.results[0], "y"], [add.results[0]])
    part.verify()
    assert [n.op for n in part.nodes] == ["tanh", "add"] and not part.states
    assert part.run(w.zeros(3), w.ones(3)).tolist() == [1.0] * 3
    assert g.extract(["x"], [tanh.results[0]]).run(w.zeros(3)).tolist() == [0.0] * 3
    with pytest.raises(RuntimeError, match="depends on y"):
        g.extract(["x"], [add.results[0]])


def test_call_and_inline():
    layer = Graph("layer")
    x = layer.input("x", (None, 3))
    weight = w.randn(3, 3)
    layer.output((x @ layer.parameter("w", weight)).tanh(), x.shape[0] + x.sum())
    g = Graph("outer")
    z = g.input("z", (4, 3))
    y, total = g.call(layer, g.call(layer, z)[0])
    g.output(y, total, g.gradients((y * y).sum() + total, z))
    assert [n.op for n in g.nodes].count("call") == 4  # two of them forward
    value = w.randn(4, 3)
    called = g.compile()(value)
    flat = g.copy()
    assert flat.inline() == 4 and all(n.op != "call" for n in flat.nodes)
    flat.verify()
    for a, b in zip(called, flat.compile()(value), strict=True):
        assert a.tolist() == b.tolist()
    z = value.clone().requires_grad_()
    y = ((z @ weight).tanh() @ weight).tanh()
    loss = (y * y).sum() + ((z @ weight).tanh().sum() + 4)
    assert called[0].tolist() == y.tolist()
    assert w.allclose(called[2], w.autograd.grad(loss, z)[0], atol=1e-6)
    with pytest.raises(RuntimeError, match=r"\(B, 3\)"):
        g.call(layer, g.tensor("z")[0])
    with pytest.raises(RuntimeError, match="float32"):
        g.call(layer, g.tensor("z").double())
    with pytest.raises(RuntimeError, match="1 tensors"):
        g.call(layer)
    with pytest.raises(RuntimeError, match="itself"):
        g.call(g, z)
    writer = Graph("writer")
    p = writer.parameter("p", w.ones(2))
    writer.assign(p, p * 2)
    with pytest.raises(RuntimeError, match="writes"):
        g.call(writer)


def test_comparison():
    assert small().differences(small()) == []
    changes = {
        "sub at": lambda g: setattr(g.nodes[2], "op", "sub"),
        "operand 1: 2.0": lambda g: setattr(g.nodes[0], "inputs", (0, (2.0,))),
        "keepdim: True": lambda g: setattr(g.nodes[3], "attrs", (None, True)),
        "output 0: 'out2'": lambda g: setattr(g, "outputs", [("out2", g.outputs[0][1])]),
        "1 unused": lambda g: g.insert("neg", ["x"]),
        "3 inputs": lambda g: g.input("z"),
        "x used again": lambda g: setattr(g.nodes[2], "inputs", (g.nodes[2].inputs[0], 0)),
        "wengert.float64": lambda g: g.dtypes.__setitem__(4, w.float64),
    }
    for text, change in changes.items():
        g = small()
        change(g)
        found = g.differences(small())
        assert found and any(text in line for line in found), (text, found)


def test_numbers_are_compared_exactly():
    def graph(number):
        g = Graph("g")
        g.output(g.input("x", (3,)) * number)
        return g

    nan = float("nan")
    assert graph(nan).differences(graph(float("nan"))) == []
    for a, b in ((0.0, -0.0), (2, 2.0), (1, True), (1.0, nan)):
        assert graph(a).differences(graph(b))


def test_chains_are_deep():
    g = Graph("deep")
    x = g.add_input((3,), w.float32, "x")
    v = x
    for _ in range(20000):
        v = g.add_node("neg", (v,), (), [((3,), w.float32)]).results[0]
    g.outputs = [("", v)]
    assert g.differences(g.copy()) == [] and g.prune() == 0
    g.sort()
    assert len(Graph.parse(g.to_text()).nodes) == 20000


def test_calls_of_graphs_that_repeat_their_numbers_are_not_inlined():
    x = w.ones(64).requires_grad_()
    once = Graph.from_tensor(w.nn.functional.dropout(x * 2).sum(), inputs={"x": x})
    g = Graph("around")
    a = g.input("a", (64,))
    g.output(g.call(once, a), g.call(Graph.from_tensor((x * 3).sum(), inputs={"x": x}), a))
    assert g.inline() == 1
    plan = g.compile()
    assert len({plan(w.ones(64))[0].item() for _ in range(5)}) == 1
