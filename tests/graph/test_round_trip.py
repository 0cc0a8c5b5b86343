"""Graphs as text: what is printed is read back to the same graph; what is no graph is refused."""

import math

import pytest
from optools import tensor
from samples import all_samples

import wengert as w
from wengert.graph import Graph, GraphError, Node, ParseError


def round_trip(g):
    text = g.to_text()
    again = Graph.parse(text, g.state_dict())
    assert again.to_text() == text
    assert g.differences(again) == []
    return again


def step_graph():
    w.manual_seed(0)
    model = w.nn.Sequential(w.nn.Linear(4, 8), w.nn.Dropout(0.25), w.nn.BatchNorm1d(8), w.nn.Linear(8, 3))
    optimizer = w.optim.AdamW(model.parameters())
    g = Graph("step")
    with g:
        x, t = g.input("x", (None, 4)), g.input("t", (None,), w.int64)
        loss = w.nn.functional.cross_entropy(model(x), t)
        g.minimize(loss, optimizer)
        g.output(loss=loss)
    return g


def test_a_training_step():
    g = step_graph()
    again = round_trip(g)
    x, t = w.randn(5, 4), w.randint(0, 3, (5,))
    start = {k: v.clone() for k, v in g.state_dict().items()}
    w.manual_seed(1)
    loss = g.compile()(x, t)["loss"]
    after = {k: v.clone() for k, v in g.state_dict().items()}
    for k, v in g.state_dict().items():
        with w.no_grad():
            v.copy_(start[k])
    w.manual_seed(1)
    assert again.compile()(x, t)["loss"].item() == loss.item()
    for k, v in again.state_dict().items():
        assert v.tolist() == after[k].tolist(), k


NUMBERS = [0, 1, -7, 2**53 + 1, 0.0, -0.0, 1.5, -2.5e-300, 1e300, math.inf, -math.inf, math.nan, True, False]


@pytest.mark.parametrize("number", NUMBERS, ids=repr)
def test_numbers(number):
    g = Graph("numbers")
    x = g.add_input((3,), w.float64, "x")
    g.outputs = [("", g.apply("where", [g.apply("gt", [x, (0.0,)]).results[0], x, (number,)]).results[0])]
    again = round_trip(g)
    (value,) = again.nodes[1].inputs[2]
    assert type(value) is type(number) and repr(value) == repr(number)


def test_all_kinds_of_attributes():
    g = Graph("attributes")
    x = g.input("x", (4, 6))
    g.output(x.sum(), x.mean((0, 1), keepdim=True), x.to(w.float64), x.permute(1, 0), x**-1.5, x.argmax(), x[1:3])
    g.output(w.nn.functional.dropout(x, 0.5), x.std(0), x.argmax(1), x.as_strided((2, 2), (6, 1), 1), x.softmax(-1))
    round_trip(g)


@pytest.mark.parametrize(**all_samples(lambda row: row.name not in ("nonzero", "true_positions")))
def test_every_row(row, sample):
    g = Graph(row.name)
    inputs = []
    for v in sample.operands[0] if row.variadic else sample.operands:
        inputs.append(g.add_input(v.shape, tensor(v).dtype) if hasattr(v, "shape") else v if v is None else (v,))
    node = g.apply(row.name, inputs, sample.attrs, ("a", "b"), "file.py:1")
    g.outputs = [("", v) for v in node.results]
    again = round_trip(g)
    assert repr(again.nodes[0].attrs) == repr(tuple(tuple(v) if type(v) is list else v for v in node.attrs))


NAMES = [
    "",
    "a b",
    'quo"te',
    "new\nline",
    "tab\t",
    "\\",
    "ü",
    "日本",
    "\x00",
    "\u2028",
    "%1",
    "}{",
    "end",
    "x" * 300,
]


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_names(name):
    g = Graph(name)
    x = g.input(name or "x", (3,))
    p = g.parameter(name, w.ones(3))
    g.constant(w.zeros(3), name)
    g.output(x * p)
    g.outputs = [(name, g.outputs[0][1])]
    g.nodes[0].scope, g.nodes[0].line = (name, name), name
    round_trip(g)


def test_sizes_by_name_and_guards():
    g = Graph("sizes")
    x = g.input("x", (None, "T", 4))
    y = x.reshape(x.shape[0] * x.shape[1], 4)[1:] / (x.shape[0] - 1)
    if x.shape[1] > 3:
        y = y * (2.0 / x.shape[1])
    g.output(y)
    again = round_trip(g)
    assert [str(guard) for guard in again.guards] == ["T > 3"] and again.symbols == ["B", "T"]
    assert again.compile()(w.ones(3, 4, 4)).shape == (11, 4)


def test_structures_of_results():
    graph = w.graph.record(lambda x: (x.sum(), {"a": [x, None, "text", 1.5], "b": (x * 2,)}), w.ones(3))
    again = round_trip(graph)
    assert str(again.run(w.ones(3))) == str(graph.run(w.ones(3)))


def test_nested_regions():
    g = Graph("nested")
    x = g.input("x", (None, 3))
    p = g.parameter("p", w.ones(3))

    def step(carry, row):
        out = w.cond(
            row.sum() > 0,
            lambda r: r * p,
            lambda r: w.while_loop(lambda v: v.sum() < 1, lambda v: v + p, (r,))[0],
            (row,),
        )
        return carry + out, out

    total, rows = w.scan(step, w.zeros(3) + x[0] * 0, x)
    g.output(total, rows, *g.gradients(total.sum(), [x, p]))
    again = round_trip(g)
    x = w.randn(5, 3)
    for a, b in zip(g.compile()(x), again.compile()(x), strict=True):
        assert a.tolist() == b.tolist()


def test_recorded_graphs():
    weight = w.randn(3, 3)
    graph = w.graph.record(lambda x: (x @ weight).relu().sum(), w.ones(2, 3))
    assert round_trip(graph).run(w.ones(2, 3)).item() == graph.run(w.ones(2, 3)).item()


TEXT = """graph "g"
%0 = input "x": float32[3]
%1 = parameter "p" @"p": float32[3]
%2 = mul(%0, %1): float32[3]
output "" = %2
end
"""


def test_what_is_read():
    assert Graph.parse(TEXT, {"p": w.ones(3) * 2}).run(w.ones(3)).tolist() == [2.0] * 3


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('graph "g"', "grph", "line 1"),
        ('"g"', '"g', "line 1"),
        ('"g"', r'"\q"', "string"),
        ("float32[3]", "float99[3]", "dtype"),
        ("float32[3]", "float32[-3]", "sizes"),
        ("float32[3]", "float32[3", "line"),
        ("float32[3]", "float32[<]", "line"),
        ("float32[3]", "float32[import os]", "size"),
        ("%2 = mul", "%0 = mul", "once"),
        ("mul(%0, %1)", "mul(%0, %1", "line 4"),
        ("mul(%0, %1)", "mul(%0 %1)", "line 4"),
        ("mul(%0, %1)", "mul(%0, %1) {a=1}", "attributes"),
        ('@"p"', '@"q"', "'q'"),
        ("output", "outpt", "statement"),
        ("end", "", "statement or 'end'"),
        ("end", "end end", "nothing after"),
        ("%2", "%99999999999", "gaps"),
        ("%2 =", "%2, %3 =", "2 dtypes"),
        ('output "" = %2', "result {1.5: 2} fixed {}", "key"),
        ('output "" = %2', "result 0 fixed 1.5", "dict of fixed results"),
        ("%2 = mul(%0, %1): float32[3]", "%2 = mul(%0, %1): float32[3] in 1.5", "list of strings as a scope"),
        ("%2 = mul(%0, %1): float32[3]", "%2 = mul(%0, %1): float32[3] in [1]", "list of strings as a scope"),
    ],
)
def test_what_is_refused(old, new, message):
    with pytest.raises(ParseError, match=message):
        Graph.parse(TEXT.replace(old, new), {"p": w.ones(3)})


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("mul", "mull", "op of the table"),
        ("mul(%0, %1)", "mul(%0)", "2 operands"),
        ("mul(%0, %1)", "mul(%0, _)", "operand 1"),
        ("mul(%0, %1)", "mul(%0, %2)", "cycle"),
        ("mul(%0, %1)", "mul(%0, %7)", "values below|inputs, states or results"),
        ("%2 = mul(%0, %1): float32[3]", "%2 = mul(%0, %1): float32[4]", "shape"),
        ("%2 = mul(%0, %1): float32[3]", "%2 = mul(%0, %1): float64[3]", "float32"),
        ('output "" = %2', 'output "" = %7', "outputs"),
        ('output "" = %2', "write %0 = %7", "values of the graph"),
        ('@"p": float32[3]', '@"p": float32[4]', "state"),
        ('output "" = %2', "result [0, 1] fixed {}", "structure"),
        ("float32[3]", "float32[N]", "sizes by name"),
    ],
)
def test_illegal_graphs_are_refused(old, new, message):
    with pytest.raises(GraphError, match=message):
        Graph.parse(TEXT.replace(old, new), {"p": w.ones(3)})


def test_what_cannot_be_written():
    g = Graph("g")
    x = g.add_input((3,), w.float32)
    g.nodes.append(Node("scan", (x,), (), (), payload=object()))
    with pytest.raises(TypeError, match="payload"):
        g.to_text()
    with pytest.raises(TypeError, match="string"):
        Graph.parse(3)
    deep = 'graph "g"\n%1 = call(%0): float32[] with "graph" = ' * 100
    with pytest.raises(ParseError, match="deep"):
        Graph.parse(deep)


@pytest.mark.parametrize("cls", [w.optim.SGD, w.optim.Adam, w.optim.RMSprop], ids=lambda c: c.__name__)
def test_a_minimized_graph_goes_on_after_it_is_read(cls, tmp_path):
    w.manual_seed(1)
    layer = w.nn.Linear(3, 2)
    g = Graph("training")
    loss = layer(g.input("x", (4, 3))).pow(2).sum()
    g.minimize(loss, cls(layer.parameters(), lr=0.05))
    g.output(loss)
    g.compile()(w.ones(4, 3))
    g.save(tmp_path / "step")
    again = Graph.load(tmp_path / "step")
    assert again.differences(g) == []
    mine, read = g.compile(), again.compile()
    for _ in range(4):
        assert w.equal(mine(w.ones(4, 3)), read(w.ones(4, 3)))
