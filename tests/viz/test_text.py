"""Graphs as text: aligned, grouped by scope, alike groups folded, truncated with counts."""

import re

import pytest

import wengert as w
from wengert import nn
from wengert.viz import text


def chain(count):
    x = y = w.ones(2, requires_grad=True)
    for k in range(count):
        y = y * 1.01 if k % 3 else y.tanh()
    return x, y


def test_columns_are_aligned():
    x, y, z = (w.tensor(v, requires_grad=True) for v in (-2.0, 5.0, -4.0))
    with w.record():
        f = (x + y) * z
    f.backward()
    lines = text(f).splitlines()
    assert lines[0] == "f: 5 nodes: 1 add, 1 mul, 3 given"
    assert [line.index("float32") for line in lines[1:]] == [lines[1].index("float32")] * 5
    assert [line.split()[0] for line in lines[1:]] == ["%0", "%1", "%2", "%3", "%4"]
    assert re.search(r"%2 +add +\(\) +float32 +%0, %1 +value 3 +gradient -4 +test_text.py:\d+$", lines[3])


def test_without_a_recording_it_says_how_to_see_more():
    x = w.tensor([1.0, 2.0], requires_grad=True)
    shown = text((x * x).sum())
    assert shown.splitlines()[-1].startswith("note: Values, gradients") and "wengert.record()" in shown
    assert "value [1, 2]" in shown  # a leaf that lives


def test_a_freed_graph_keeps_its_structure_and_says_so():
    x = w.tensor([1.0, 2.0], requires_grad=True)
    y = (x * x).sum()
    y.backward()
    shown = text(y)
    assert "mul" in shown and "freed" in shown and "gone" in shown


def test_scopes_group_and_alike_groups_fold():
    model = nn.Sequential(*[nn.Sequential(nn.Linear(4, 4), nn.ReLU()) for _ in range(12)])
    shown = text(model, w.ones(2, 4))
    assert shown.splitlines()[0] == "Sequential: 49 nodes: 12 linear, 12 relu, 25 given"
    assert "and 11 alike: 1, 2, …, 11" in shown
    assert shown.count(" linear ") == 1 and len(shown.splitlines()) < 15


def test_groups_that_differ_are_not_folded():
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 5), nn.Linear(5, 4))
    shown = text(model, w.ones(2, 4))
    assert "alike" not in shown and shown.count(" linear ") == 4


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 12, 100])
@pytest.mark.parametrize("count", [1, 5, 1000])
def test_truncation_counts_what_it_leaves_out(count, limit):
    x, y = chain(count)
    lines = text(y, limit=limit).splitlines()[1:-1]
    shown = [line for line in lines if line.lstrip().startswith("%")]
    hidden = sum(int(m[1].replace(",", "")) for m in re.finditer(r"… ([\d,]+) nodes?:", "\n".join(lines)))
    assert len(shown) + hidden == count + 1 and len(shown) <= limit and x is not None


def test_groups_without_room_stay_closed_with_counts():
    h = w.ones(3, requires_grad=True)
    with w.record():
        for k in range(4):
            with w.scope(f"part {k}"):
                for _ in range(k + 2):
                    h = h.tanh() * 1.5
    shown = text(h, limit=6)
    assert "part 3  (10 nodes: 5 tanh, 5 mul)" in shown
    whole = text(h, limit=None)
    assert sum(line.lstrip().startswith("%") for line in whole.splitlines()) == 29 and "…" not in whole


def test_operands_are_numbers_of_the_list_even_where_folded():
    h = x = w.ones(3, requires_grad=True)
    with w.record():
        for _ in range(5):
            with w.scope("step"):
                h = h.tanh()
        out = h + x
    assert re.search(r"%6 +out +add +\(3,\) +float32 +%5, %0 ", text(out))


def test_backward_nodes_are_listed_on_request():
    x = w.tensor(2.0, requires_grad=True)
    shown = text(x * x, backward=True)
    assert "MulBackward0" in shown and "AccumulateGrad" in shown
    assert "MulBackward0" not in text(x * x)


def test_names_are_data():
    x = w.ones(2, requires_grad=True)
    with w.record():
        with w.scope("two\nlines\x1b[31m"):
            y = x * 2
    shown = text(y, names={"a\nb\x00": x})
    assert "two\\nlines\\x1b[31m" in shown and "a\\nb\\x00" in shown
    assert "\x1b" not in shown and len(shown.splitlines()) == 4


def test_bad_input():
    x = w.ones(2, requires_grad=True)
    with pytest.raises(TypeError, match="expected tensors, a Graph or a module"):
        text(3)
    with pytest.raises(RuntimeError, match="tensor with history"):
        text(w.ones(2))
    with pytest.raises(RuntimeError, match="tensor with history"):
        text([])
    with pytest.raises(ValueError, match="limit of at least 1"):
        text(x * 2, limit=0)


def test_static_graphs_list_their_backward_pass_as_such():
    from test_static import loops, training_step

    lines = text(training_step()[0]).splitlines()
    assert [line for line in lines if line.strip() == "backward"] == ["  backward"]
    update = next(line for line in lines if " update " in line)
    assert "… 14 more" in update and len(update) < 250
    lines = text(loops()).splitlines()
    assert sum(line.strip() == "while_loop" for line in lines) == 1, "what comes from outside does not cut a group"
    assert sum(line.strip() == "one turn" for line in lines) == 1


def test_each_scope_is_one_cluster():
    from test_static import training_step

    source = w.viz.dot(training_step()[0])
    assert source.count('label="Sequential"') == source.count('label="optimizer"') == 1
