"""Saved graphs: the same graph and the same numbers after loading; damaged and foreign files are refused."""

import io
import random

import pytest
from test_round_trip import step_graph

import wengert as w
from wengert.graph import Graph, load
from wengert.serialization import FormatError


def saved(g):
    file = io.BytesIO()
    g.save(file)
    return file.getvalue()


def test_save_and_load(tmp_path):
    g = step_graph()
    path = tmp_path / "step.graph"
    g.save(path)
    again = w.Graph.load(path)
    assert g.differences(again) == [] and again.to_text() == g.to_text()
    x, t = w.randn(5, 4), w.randint(0, 3, (5,))
    w.manual_seed(2)
    first = [again.compile()(x, t)["loss"].item() for _ in range(3)]
    w.manual_seed(2)
    assert [g.compile()(x, t)["loss"].item() for _ in range(3)] == first
    for a, b in zip(g.state_dict().values(), again.state_dict().values(), strict=True):
        assert a.tolist() == b.tolist() and not w._core.same_storage(a, b)


def test_special_values_of_states():
    value = w.tensor([float("nan"), float("inf"), -0.0, 1e-45])
    g = Graph("g")
    g.output(g.constant(value, "c") * 1)
    assert str(load(io.BytesIO(saved(g))).run().tolist()) == str(value.tolist())


def test_damaged_files():
    data = saved(step_graph())
    choose = random.Random(1)
    for _ in range(40):
        at = choose.randrange(len(data))
        damaged = bytearray(data)
        damaged[at] ^= 1 << choose.randrange(8)
        try:
            found = load(io.BytesIO(bytes(damaged)))
        except FormatError:
            continue
        assert found.to_text() == load(io.BytesIO(data)).to_text()  # padding that nothing reads
    for cut in (0, 3, 20, 100, len(data) // 2, len(data) - 1):
        with pytest.raises(FormatError):
            load(io.BytesIO(data[:cut]))


def state_of(g):
    file = io.BytesIO(saved(g))
    return w.load(file)


def forged(**changes):
    g = Graph("g")
    g.output(g.input("x", (3,)) * g.parameter("p", w.ones(3)))
    file = io.BytesIO()
    w.save(state_of(g) | changes, file)
    file.seek(0)
    return file


def test_foreign_and_forged_files():
    assert load(forged()).run(w.ones(3)).tolist() == [1.0] * 3
    foreign = io.BytesIO()
    w.save({"weights": w.ones(2)}, foreign)
    foreign.seek(0)
    text = state_of(load(forged()))["text"]
    for file, message in (
        (foreign, "saved graph"),
        (forged(version=2), "version"),
        (forged(states=[1]), "tensors"),
        (forged(states={}), "'p'"),
        (forged(states={"p": w.ones(4)}), "state"),
        (forged(text=None), "string"),
        (forged(text="rubbish"), "legal"),
        (forged(text=text.replace("mul(%0, %1)", "mul(%0, %2)")), "cycle"),
        (io.BytesIO(b"not a file"), "expected"),
    ):
        with pytest.raises(FormatError, match=message):
            load(file)


def test_illegal_graphs_are_not_saved():
    g = Graph("g")
    x = g.input("x", (3,))
    g.output(x * 2)
    g.nodes[0].inputs = (g.nodes[0].results[0], (2,))
    with pytest.raises(RuntimeError, match="cycle"):
        saved(g)
