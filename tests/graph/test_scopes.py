"""Scopes of static graphs: modules, functions of a recorded function, and `wengert.scope` blocks, from the outside in."""

import wengert
from wengert import nn
from wengert.graph import _lines


def halved(x):
    return x * 0.5


class Block(nn.Module):
    def __init__(this):  # the first argument's name is the user's
        super().__init__()
        this.inner = nn.Linear(3, 3)

    def forward(this, x):
        with wengert.scope("part one"):
            x = this.inner(x)
        return halved(this.squashed(x))

    def squashed(this, x):
        return x.tanh()


def scopes(graph):
    return {node.op: node.scope for node in graph.nodes}


def test_blocks_in_a_graph_by_hand():
    g = wengert.Graph("g")
    x = g.input("x", shape=(2, 3))
    with wengert.scope("a"):
        with wengert.scope("b"):
            y = x.sin()
        y = y.cos()
    g.output(y.exp())
    assert scopes(g) == {"sin": ("a", "b"), "cos": ("a",), "exp": ()}


def test_blocks_stand_between_the_modules_that_they_are_in():
    g = wengert.Graph("g")
    with wengert.scope("net"):
        g.output(nn.Sequential(Block())(g.input("x", shape=(2, 3))))
    assert scopes(g)["linear"] == ("net", "Sequential", "0", "part one", "inner")
    assert scopes(g)["tanh"] == ("net", "Sequential", "0"), "functions count where one is recorded"
    assert {state.name for state in g.states.values()} == {"0.inner.weight", "0.inner.bias"}


def test_functions_that_a_recorded_function_calls():
    def step(x):
        return halved(x).sin()

    graph = wengert.graph.record(step, wengert.ones(3))
    assert scopes(graph) == {"mul": ("halved",), "sin": ()}
    lambda_graph = wengert.graph.record(lambda x: halved(x.cos()), wengert.ones(3))
    assert scopes(lambda_graph) == {"cos": (), "mul": ("halved",)}


def captured(function, *inputs):
    for _ in range(2):
        function(*inputs)
    return scopes(function.plan.source)


def test_a_compiled_function_and_a_compiled_module():
    model = nn.Sequential(Block())

    @wengert.compile
    def step(x):
        with wengert.scope("loss"), wengert.no_grad():
            return halved(model(x)).exp()

    found = captured(step, wengert.randn(2, 3))
    assert found["exp"] == ("loss",)
    assert found["linear"] == ("loss", "Sequential", "0", "part one", "inner")
    assert found["tanh"] == ("loss", "Sequential", "0", "squashed")
    compiled = wengert.compile(model)
    with wengert.no_grad():
        assert captured_module(compiled)["linear"] == ("Sequential", "0", "part one", "inner")


def captured_module(compiled):
    for _ in range(2):
        compiled(wengert.randn(2, 3))
    return scopes(compiled._compiled.plan.source)


def decorated(forward):
    def outer(self, x):
        return forward(self, x)

    return outer


class Decorated(nn.Module):
    @decorated
    def forward(self, x):
        return x.sin()


def test_a_module_whose_forward_is_decorated_counts_once():
    g = wengert.Graph("g")
    g.output(Decorated()(g.input("x", shape=(2,))))
    assert scopes(g) == {"sin": ("Decorated",)}


def test_blocks_of_a_caller_and_of_a_context_manager_are_outside():
    import contextlib

    @contextlib.contextmanager
    def named(name):
        with wengert.scope(name):
            yield

    g = wengert.Graph("g")
    x = g.input("x", shape=(3,))
    with named("outer"):
        y = (lambda t: t.sin())(x)
    g.output(y)
    assert scopes(g) == {"sin": ("outer",)}


def test_a_line_of_the_tape_names_no_folder():
    x = wengert.ones(3, requires_grad=True)
    with wengert.record(values="all"):
        y = (x * 2).sum()
    graph = wengert.Graph.from_tensor(y)
    assert all(node.line.startswith("test_scopes.py:") for node in graph.nodes)


class Twice(nn.Linear):
    def forward(self, x):
        def part(t):
            return super(Twice, self).forward(t).sin()

        return part(x) + part(x.cos())


def in_parts(x, n):
    for k in range(n):
        yield halved(x) + k


def next_of(parts):
    return next(parts)


def nested(x, n):
    return nested(x * n, n - 1).exp() if n else x.neg()


def test_what_is_around_a_frame_is_the_same_when_it_is_remembered(monkeypatch):
    model = nn.Sequential(Block(), Twice(3, 3), Decorated(), nn.Tanh())
    model[3].register_forward_hook(lambda module, inputs, out: halved(out))

    def step(x):
        parts = in_parts(x, 4)
        first, second, third = next(parts), next_of(parts), next(parts)
        y = model(x) + first * second * third
        y = y + nested(y, 3) + (lambda t: t.sin() + next_of(parts))(y)
        with wengert.scope("block"):
            y = model(y.relu()).mean() + nested(y, 1).sum()
        y.backward()
        return y

    def places(function):
        model.zero_grad()
        graph = wengert.graph.record(function, wengert.ones(2, 3))
        return [(node.op, node.line, node.scope) for node in graph.nodes]

    remembered = places(step), places(model)
    look = _lines._look
    monkeypatch.setattr(_lines, "_look", lambda frame, known, blocks: look(frame, {}, blocks))
    assert remembered == (places(step), places(model))
    assert len({scope for _, _, scope in remembered[0]}) > 10
