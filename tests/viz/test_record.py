"""`wengert.record`: what is noted of nodes, what that costs, and how long it stays."""

import gc
import threading

import pytest

import wengert as w
from wengert import nn


def notes(t):
    return w._core.node_of(t).notes


def leaf(value):
    return w.tensor(value, requires_grad=True)


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.lin = nn.Linear(4, 4)
        self.act = nn.ReLU()

    def forward(self, x):
        def shifted(h):
            return self.act(h) + 1.5

        return shifted(self.lin(x))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.blocks = nn.ModuleList([Block(), Block()])
        self.cell = nn.Linear(4, 4)

    def forward(self, x):
        for block in self.blocks:
            x = block(x)
        for _ in range(3):
            x = self.cell(x)
        return x


def graph(*roots):
    return [node for node, _ in w._core.graph_nodes(list(roots))]


def test_values_and_gradients_of_every_node():
    x, y, z = leaf(-2.0), leaf(5.0), leaf(-4.0)
    with w.record() as r:
        q = x + y
        f = q * z
    f.backward()
    assert [r.notes(t).value.whole for t in (x, y, z, q, f)] == [-2, 5, -4, 3, -12]
    assert [r.notes(t).gradient.whole for t in (x, y, z, q, f)] == [-4, -4, 3, -4, 1]
    assert [r.notes(t).name for t in (x, y, z)] == ["x", "y", "z"]
    assert r.count == 2
    for node in graph(f):
        if node.op != "leaf":
            assert node.line[0] == __file__ and node.line[2] == "test_values_and_gradients_of_every_node"


def test_nothing_is_noted_outside():
    x = leaf([1.0])
    with w.record() as r:
        inside = x * 2
    outside = inside * 3
    assert notes(outside) is None and outside.grad_fn.line is None
    assert notes(inside).value.whole == [2.0]
    (leaf([1.0]) * 2).backward()
    assert r.count == 1


def test_gradients_of_a_later_backward_and_of_a_second_one():
    x = leaf([1.0, 2.0])
    with w.record() as r:
        y = (x * x).sum()
    assert r.notes(y).gradient is None
    y.backward(retain_graph=True)
    assert r.notes(x).gradient.whole == [2.0, 4.0]
    (10 * y).backward()  # its root is not noted: this pass is nobody's business
    assert r.notes(x).gradient.whole == [2.0, 4.0] and x.grad.tolist() == [22.0, 44.0]


def test_a_profile_takes_no_gradients_of_an_older_recording():
    x = leaf([1.0, 2.0])
    with w.record() as r:
        (x * x).sum().backward()
    with w.profiler.profile():
        (x * 10).sum().backward()
    assert r.notes(x).gradient.whole == [2.0, 4.0] and x.grad.tolist() == [12.0, 14.0]


def test_gradients_with_create_graph():
    x = leaf(2.0)
    with w.record() as r:
        y = x * x * x
        (g,) = w.autograd.grad(y, x, create_graph=True)
        g.backward()
    assert r.notes(x).gradient.whole == 12.0 and r.notes(g).value.whole == 12.0


def test_scopes_are_modules_functions_and_blocks():
    model = Net()
    with w.record():
        with w.scope("outer"):
            out = model(w.ones(2, 4)).sum()
    seen = {node.notes.scope for node in graph(out) if node.op == "linear"}
    assert seen == {
        ("outer", "Net", "blocks", "0", "lin"),
        ("outer", "Net", "blocks", "1", "lin"),
        ("outer", "Net", "cell"),
        ("outer", "Net", "cell#2"),
        ("outer", "Net", "cell#3"),
    }
    assert ("outer", "Net", "blocks", "1", "shifted", "act") in {
        n.notes.scope for n in graph(out) if n.op == "relu"
    }
    leaves = {(*node.notes.scope, node.notes.name) for node in graph(out) if node.op == "leaf"}
    assert leaves == {("outer", "Net", *name.split(".")) for name, _ in model.named_parameters()}


def test_scope_names_that_come_again_count():
    h = leaf(0.5)
    with w.record():
        made = []
        for _ in range(3):
            with w.scope("step"):
                h = h.tanh()
                made.append(notes(h).scope)
                h = h * 2
                made.append(notes(h).scope)
    assert made == [("step",)] * 2 + [("step#2",)] * 2 + [("step#3",)] * 2


def test_scope_through_an_exit_stack_and_as_bad_input():
    from contextlib import ExitStack

    with w.record(), ExitStack() as stack:
        stack.enter_context(w.scope("deep"))
        y = leaf(1.0) * 2
    assert notes(y).scope == ("deep",)
    with pytest.raises(TypeError, match="expected a name, got int"):
        w.scope(3)


def test_constants_are_operands():
    x, data = leaf([1.0, 2.0]), w.tensor([3.0, 4.0])
    with w.record() as r:
        y = (x + 1.5) * data
    inner = y.grad_fn.next_functions[0][0]
    assert r.notes(y).operands[1].value.whole == [3.0, 4.0] and 0 not in r.notes(y).operands
    assert inner.notes.operands[1].value == 1.5
    assert r.notes(y).operands[1].name == "data"


def test_what_was_cut_off_knows_its_source():
    x = leaf([1.0, 2.0])
    with w.record() as r:
        h = x * 2
        cut = h.detach()
        y = x + cut
        z = x + w.tensor([5.0, 6.0])
    found = r.notes(y).operands[1]
    assert (found.source, found.how, found.name) == (h.grad_fn.sequence, "detach", "cut")
    assert r.notes(z).operands[1].source is None


def test_large_values_are_summaries_unless_all_are_asked_for():
    x = w.ones(1000, requires_grad=True)
    with w.record() as r:
        y = x * 2
    with w.record(values="all") as everything:
        z = x * 2
    with w.record(values=None) as nothing:
        v = x * 2
    assert r.notes(y).value.whole is None and (r.notes(y).value.low, r.notes(y).value.mean) == (2.0, 2.0)
    assert everything.notes(z).value.tolist() == [2.0] * 1000
    assert nothing.notes(v).value is None and nothing.notes(v).line is not None
    z.sum().backward()
    assert everything.notes(x).gradient is None  # sum was not recorded
    with pytest.raises(ValueError, match="expected values to be one of"):
        w.record(values="everything")


def test_values_are_those_of_the_moment():
    x = leaf([1.0])
    with w.record(values="all") as r:
        y = x * 3
        with w.no_grad():
            y.zero_()
            x.fill_(7.0)
        assert r.notes(y).value.tolist() == [3.0] and r.notes(x).value.tolist() == [1.0]
        x * 2
        assert r.notes(x).value.tolist() == [7.0]


def test_in_place_writes_and_views():
    x = leaf([1.0, 2.0])
    with w.record() as r:
        y = x * 2
        y[0].mul_(10)
        y.add_(1)
        out = y.sum()
    out.backward()
    assert r.notes(y).value.whole == [21.0, 5.0]
    assert r.notes(x).gradient.whole == [20.0, 2.0]
    assert all(node.notes.value is not None for node in graph(out))


def test_custom_functions():
    class Twice(w.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            return g * 2

    x = leaf([1.0, 2.0])
    with w.record() as r:
        y = Twice.apply(x)
        out = y.sum()
    out.backward()
    assert r.notes(y).value.whole == [2.0, 4.0] and r.notes(y).gradient.whole == [1.0, 1.0]
    assert r.notes(x).gradient.whole == [2.0, 2.0] and r.notes(y).line[0] == __file__


def test_notes_go_with_their_graph():
    gc.collect()
    x = leaf([1.0])
    before = w._core.node_stats()["live"]
    with w.record() as r:
        for _ in range(100):
            (x * 2).sum().backward()
        gc.collect()
        assert w._core.node_stats()["live"] == before
        assert w._core.noted() == 1  # the leaf
    assert r.count == 200
    del x, r
    gc.collect()
    assert w._core.noted() == 0


def test_another_thread_records_nothing():
    made = []

    def work():
        made.append(leaf(1.0) * 2)

    with w.record() as r:
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert r.count == 0 and notes(made[0]).value is None


def test_nested_recordings_and_reentry():
    x = leaf(1.0)
    with w.record() as outer:
        a = x * 2
        with w.record(values=None) as inner:
            b = x * 3
        c = x * 4
    with outer:
        d = x * 5
    e = x * 6
    assert (outer.count, inner.count) == (3, 1)
    assert [notes(t) and notes(t).value and notes(t).value.whole for t in (a, b, c, d, e)] == [2, None, 4, 5, None]


def test_a_failing_block_closes_its_recording():
    with pytest.raises(ZeroDivisionError):
        with w.record():
            with w.scope("part"):
                raise ZeroDivisionError
    y = leaf(1.0) * 2
    assert notes(y) is None


def test_names_of_leaves_in_containers():
    params = {"w1": leaf([1.0])}
    several = [leaf([1.0]), leaf([2.0])]
    with w.record() as r:
        params["w1"] * several[1]
    assert r.notes(params["w1"]).name == "params['w1']" and r.notes(several[1]).name == "several[1]"


def test_recording_inside_transforms():
    with w.record():
        g = w.func.grad(lambda v: (v * v).sum())(w.tensor([1.0, 2.0]))
        h = w.func.vmap(lambda v: v * 2)(leaf([1.0, 2.0]))
    assert g.tolist() == [2.0, 4.0] and h.tolist() == [2.0, 4.0]


def test_saved_tensors_hooks_and_recording():
    x = leaf([3.0])
    with w.record() as r, w.autograd.graph.saved_tensors_hooks(lambda t: t * 1, lambda t: t):
        y = x * x
    y.backward()
    assert x.grad.tolist() == [6.0] and r.notes(y).value.whole == [9.0]


def test_a_recording_that_fails_gives_its_node_back(monkeypatch):
    gc.collect()
    x = leaf([1.0])
    before = w._core.node_stats()["live"]

    def broken(self, *args):
        raise ArithmeticError("broken")

    with w.record() as r:
        monkeypatch.setattr(type(r), "note_node", broken)
        with pytest.raises(ArithmeticError):
            x * 2
        with pytest.raises(ArithmeticError):
            x.sum()
    assert w._core.node_stats()["live"] == before


def test_notes_of_something_else():
    with w.record() as r:
        pass
    assert r.notes(w.ones(2)) is None
    with pytest.raises(TypeError, match="expected a Tensor, got int"):
        r.notes(3)


def test_what_no_grad_and_ops_without_a_derivative_cut_off():
    x = leaf([1.0, 2.0, 3.0])
    with w.record():
        h = x * 2
        with w.no_grad():
            scale = h.mean() + 1  # two ops: the second one's operands have no history any more
        hot = (h > 3).float()
        y = h * scale * hot
    found = {
        o.name: (o.source, o.how) for n in graph(y) if n.op == "mul" for o in (n.notes.operands or {}).values()
    }
    assert found["scale"] == (h.grad_fn.sequence, "no_grad")
    assert found["hot"] == (h.grad_fn.sequence, "gt")
    model = w.viz._build.build(y)
    assert sorted(model.cuts.values()) == ["gt", "no_grad"]


def test_recording_inside_a_static_recording():
    def inside(v):
        with w.record():
            return (v * 2).exp().sum()

    assert [n.op for n in w.graph.record(inside, w.zeros(3)).nodes] == ["mul", "exp", "sum"]

    def gradient(v):
        v = v.detach().requires_grad_()
        with w.record():
            (g,) = w.autograd.grad((v * v).sum(), v)
        return g

    graph = w.graph.record(gradient, w.zeros(3))
    assert graph.run(w.tensor([1.0, 2.0, 3.0])).tolist() == [2.0, 4.0, 6.0]

    def reads(v):
        with w.record():
            return v * v.sum().item()

    with pytest.raises(RuntimeError, match="item"):
        w.graph.record(reads, w.ones(3))


def test_a_program_keeps_its_own_locals():
    x = leaf([1.0])
    mine = locals()
    with w.record() as r:
        y = x * 2
    assert mine["x"] is x and r.notes(x).name == "x" and r.notes(y).value.whole == [2.0]


def test_anomaly_mode_records():
    layer = w.nn.Linear(2, 2)
    with w.autograd.detect_anomaly():
        y = layer(w.ones(1, 2)).sum()
    y.backward()
    notes = y.grad_fn.next_functions[0][0].notes
    assert notes.line[0].endswith("test_record.py") and notes.scope == ("Linear",)
    assert notes.value.shape == (1, 2) and notes.gradient.whole == [[1.0, 1.0]]
    assert (w.ones(2, requires_grad=True) * 2).grad_fn.notes is None, "it ends with the block"


@pytest.mark.parametrize("layer", [lambda x, k, b: nn.functional.linear(x, k, b), lambda x, k, b: x @ k.T + b])
def test_operands_of_which_only_the_shape_is_asked(layer):
    """The gradient of a bias, in a recorded backward pass, is summed to the shape of the bias."""
    x, k, b = (w.rand(*shape, requires_grad=True) for shape in ((5, 2), (3, 2), (3,)))
    with w.record():
        (gradient,) = w.autograd.grad(layer(x, k, b).tanh().sum(), [b], create_graph=True)
        loss = (gradient * b).sum()
        loss.backward()
    node = next(n for n in graph(loss) if n.op in ("sum_to_like", "reshape_like"))
    assert not node.notes.operands and node.notes.value.shape == (3,)
    assert "sum_to_like" in w.viz.text(loss)
