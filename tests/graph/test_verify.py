"""The grammar of legal graphs: each kind of damage is found and named."""

import pytest

import wengert as w
from wengert.graph import Graph, GraphError, Node
from wengert.graph._interpreter import Interpreter


def good():
    g = Graph("g")
    x = g.input("x", (3, 4))
    p = g.parameter("p", w.ones(4))
    y = (x * p).sum(1)
    g.output(y)
    g.assign(p, p * 0.5)
    return g


def swap(g, k, **changes):
    node = g.nodes[k]
    for name, value in changes.items():
        setattr(node, name, value)


DAMAGE = {
    "operands that come before": lambda g: g.nodes.insert(0, g.nodes.pop(1)),
    "a cycle: mul %2 <- mul %2": lambda g: swap(g, 0, inputs=(2, 1)),
    "a cycle: .*sum": lambda g: (swap(g, 0, inputs=(3, 1)), g.shapes.__setitem__(3, (3, 4))),
    "op of the table": lambda g: swap(g, 0, op="frobnicate"),
    "expected 2 operands": lambda g: swap(g, 0, inputs=(0,)),
    "operand 1": lambda g: swap(g, 0, inputs=(0, None)),
    "values, numbers or None": lambda g: swap(g, 0, inputs=(0, 1.5)),
    "tuples of one": lambda g: swap(g, 0, inputs=(0, (1, 2))),
    "tuples of one, got \\('a',\\)": lambda g: swap(g, 0, inputs=(0, ("a",))),
    "2 attributes": lambda g: swap(g, 1, attrs=()),
    "a bool for keepdim": lambda g: swap(g, 1, attrs=((1,), 1)),
    "tuple of ints for dim": lambda g: swap(g, 1, attrs=((1.5,), False)),
    "None or a tuple": lambda g: swap(g, 1, attrs=([1], False)),
    "sum: expected a dimension": lambda g: swap(g, 1, attrs=((7,), False)),
    "of shape \\(3, 4\\)": lambda g: g.shapes.__setitem__(2, (3, 5)),
    "wengert.float32": lambda g: g.dtypes.__setitem__(2, w.float64),
    "1 results": lambda g: swap(g, 0, results=(2, g.new_value((), w.float32))),
    "one origin": lambda g: swap(g, 1, results=(2,)),
    "an input that is": lambda g: g.inputs.append(0),
    "values below": lambda g: g.inputs.append(99),
    "a dtype for each": lambda g: g.dtypes.pop(),
    "outputs that are values": lambda g: g.outputs.append(("", 77)),
    "writes of states": lambda g: g.writes.__setitem__(2, 2),
    "writes to p of shape": lambda g: g.writes.__setitem__(1, 3),
    "gradients of states": lambda g: g.grads.__setitem__(0, 2),
    "states of a kind": lambda g: setattr(g.states[1], "kind", "thing"),
    "a tensor of shape": lambda g: setattr(g.states[1], "tensor", w.ones(5)),
    "a structure of": lambda g: setattr(g, "structure", [0, 1]),
    "sizes by name": lambda g: g.shapes.__setitem__(0, (Graph("h").symbol("B"), 4)),
    "inputs, states or results": lambda g: g.inputs.clear(),
    "a payload": lambda g: g.nodes.append(Node("cond", (0,), (), (g.new_value((), w.float32),))),
}


@pytest.mark.parametrize("message", DAMAGE)
def test_damage(message):
    g = good()
    g.verify()
    DAMAGE[message](g)
    with pytest.raises(GraphError, match=message):
        g.verify()
    with pytest.raises(GraphError):
        g.compile()


def test_messages_name_the_line():
    g = good()
    g.nodes[1].inputs = (99,)
    with pytest.raises(GraphError, match=r"graph 'g', node %3 = sum \(test_verify.py:\d+\)"):
        g.verify()


def test_regions_are_checked():
    def build():
        g = Graph("g")
        x = g.input("x", (3,))
        out = w.cond(x.sum() > 0, lambda v: v * 2, lambda v: v, (x,))
        total, _ = w.scan(lambda c, v: (c + v, None), x[0], x)
        (end,) = w.while_loop(lambda c: c < 3, lambda c: c + 1, (total,))
        g.output(out, end)
        return g

    def node(g, op):
        return next(n for n in g.nodes if n.op == op)

    build().verify()
    for change in (
        lambda g: node(g, "cond").payload["true"].outputs.clear(),
        lambda g: node(g, "cond").payload.pop("false"),
        lambda g: setattr(node(g, "cond"), "inputs", node(g, "cond").inputs[:1]),
        lambda g: setattr(node(g, "cond"), "inputs", (0, 0)),
        lambda g: node(g, "cond").payload["true"].nodes.clear(),
        lambda g: node(g, "cond").payload["true"].add_state(w.ones(3)),
        lambda g: node(g, "scan").payload.update(length=4),
        lambda g: node(g, "scan").payload.update(carried=-1),
        lambda g: node(g, "scan").payload.update(carried=2),
        lambda g: node(g, "while_loop").payload.update(cond=node(g, "while_loop").payload["body"]),
        lambda g: setattr(node(g, "while_loop"), "attrs", (1,)),
    ):
        g = build()
        change(g)
        with pytest.raises(GraphError):
            g.verify()


def test_the_interpreter_and_the_plan_agree():
    model = w.nn.Sequential(w.nn.Linear(4, 5), w.nn.GELU(), w.nn.LayerNorm(5))
    g = Graph("g")
    x = g.input("x", (6, 4))
    loss = model(x).pow(2).mean()
    g.output(loss, *g.gradients(loss, list(model.parameters())[:1]))
    x = w.randn(6, 4)
    for a, b in zip(g.run(x), Interpreter(g)(x), strict=True):
        assert a.tolist() == b.tolist()
