"""The model of a picture: nodes, mirrors, edges, steps, memory."""

import numpy as np
import pytest

import wengert
from wengert import nn
from wengert.viz._build import build, caller_names
from wengert.viz._model import KINDS
from wengert.viz._rules import rule_text
from wengert.viz._summary import BINS, Summary


def product_of_a_sum():
    x, y, z = (wengert.tensor(v, requires_grad=True) for v in (2.0, -1.0, 3.0))
    q = x + y
    return build(q * z, names=caller_names(1))


def test_nodes_mirrors_and_steps():
    model = product_of_a_sum()
    assert [model.label(k) for k in range(5)] == ["x", "y", "z", "q", "mul"]
    assert [KINDS[k] for k in model.kind] == ["input"] * 3 + ["operation"] * 2 + ["gradient"] * 5
    assert model.step.tolist() == [0, 0, 0, 1, 2, 3, 4, 5, 6, 7]
    assert model.link[model.link].tolist() == list(range(10))
    assert [model.ops[model.op[k]] for k in model.link[3:5]] == ["AddBackward0", "MulBackward0"]
    forward = {(0, 3, 0), (1, 3, 1), (3, 4, 0), (2, 4, 1)}
    mirrored = {(model.link[t], model.link[s], p) for s, t, p in forward}
    assert set(zip(model.source, model.target, model.place, strict=True)) == forward | mirrored
    assert model.outputs == [4] and model.values[4].whole == 3.0 and model.values[3].whole == 1.0


def test_gradients_of_leaves_are_there_after_a_backward_pass():
    x = wengert.tensor([1.0, 2.0], requires_grad=True)
    y = (x * x).sum()
    y.backward()
    model = build(y, names={"x": x})
    assert model.gradients[0].whole == [2.0, 4.0]
    assert len(model.notes) == 1 and "freed this graph" in model.notes[0]


def test_memory_counts_what_rules_read():
    x = wengert.ones(256, requires_grad=True)
    read = build(x.tanh().sum()).alive()  # tanh's rule reads its result
    unread = build((x + x).sum()).alive()  # add's reads nothing
    kib = 1024
    assert read[0] == unread[0] == kib
    assert (read[1], unread[1]) == (2 * kib, 2 * kib)
    seed = 3  # the mirror of the sum has run, that of its operand has memory
    assert read[seed] == unread[seed] + kib
    assert read[-1] == unread[-1] == 2 * kib + 4  # x, its gradient and the result


def test_module_with_an_example_input():
    model = build(nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2)), wengert.ones(3, 4))
    assert model.title == "Sequential"
    assert [model.ops[k] for k in model.op[(model.kind == 3)]] == ["linear", "relu", "linear"]
    named = {
        (model.scopes[model.scope[k]][-1], name)
        for k, name in model.names.items()
        if KINDS[model.kind[k]] == "parameter"
    }
    assert named == {("0", "weight"), ("0", "bias"), ("2", "weight"), ("2", "bias")}


def test_parameters_that_nothing_reads_are_named():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.used, self.unused = nn.Linear(2, 2), nn.Linear(2, 2)

        def forward(self, x):
            return self.used(x)

    assert any("unused.weight, unused.bias" in note for note in build(Two(), wengert.ones(1, 2)).notes)


def test_graph():
    graph = wengert.graph.record(lambda a, b: ((a * 2).sin() + (b > 0)).sum(), wengert.ones(3), wengert.ones(3))
    model = build(graph)
    ops = [model.ops[k] for k in model.op]
    assert ops == ["input", "input", "mul", "sin", "gt", "add", "sum"]
    assert model.attrss[model.attrs[2]] == {"other": 2}
    flows = {(ops[s], ops[t]): f for s, t, f in zip(model.source, model.target, model.flows, strict=True)}
    assert not flows["input", "gt"] and flows["mul", "sin"]
    assert list(model.cuts.values()) == ["gt passes no gradient to input"]
    assert [model.label(k) for k in model.outputs] == ["sum"]


def test_summary_of_special_values():
    summary = Summary.of(wengert.tensor([float("nan"), float("inf"), 0.0, 2.0]))
    assert (summary.low, summary.high, summary.mean) == (0.0, 2.0, 1.0)
    assert (summary.nans, summary.infs, summary.zeros) == (0.25, 0.25, 0.25)
    large = Summary.of(wengert.arange(1000.0))
    assert large.whole is None and len(large.histogram) == BINS and sum(large.histogram) == 1000
    assert Summary.of(wengert.zeros(0)).whole == []
    assert Summary.of(wengert.ones(3, dtype=wengert.bfloat16)).dtype == "bfloat16"
    assert Summary.of(wengert.full((100,), float("nan"))).short() == "no finite element"
    assert Summary.of(wengert.ones(200, dtype=wengert.bool)).zeros == 0


def test_rules_have_text():
    from wengert.ops import TABLE

    for row in TABLE.values():
        assert bool(rule_text(row.name)) == row.differentiable, row.name
    assert rule_text("tanh") == "grad input = g * (1 - y * y)"


def test_what_has_no_graph_is_refused():
    with pytest.raises(RuntimeError, match="expected a tensor with history"):
        build(wengert.ones(2))
    with pytest.raises(RuntimeError, match="expected a tensor with history"):
        build([])
    with pytest.raises(TypeError, match="expected tensors, a Graph or a module with example inputs, got int"):
        build(3)
    with pytest.raises(TypeError, match="expected example inputs with a module or a static graph only"):
        build(wengert.ones(2, requires_grad=True), wengert.ones(2))
    graph = wengert.graph.record(lambda a: a * 2, wengert.ones(2))
    graph.nodes[0].inputs = graph.nodes[0].results
    with pytest.raises(ValueError, match="a cycle"):
        build(graph)
    graph.nodes, graph.inputs, graph.states = [], [], {}
    with pytest.raises(RuntimeError, match="empty"):
        build(graph)


def test_three_hundred_thousand_nodes_stay_cheap():
    x = wengert.ones(2, requires_grad=True)
    y = x
    for _ in range(75_000):
        y = y * x + 1
    model = build(y.sum())
    assert len(model) == 2 * 150_002
    assert isinstance(model.op, np.ndarray) and len(model.ops) < 12 and len(model.attrss) < 4
