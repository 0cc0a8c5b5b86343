"""`wengert.profiler`: what is counted, what nests, what is written, and that it changes nothing."""

import gzip
import json
import threading

import pytest

import wengert as w
from wengert import nn
from wengert.profiler import ProfilerAction, ProfilerActivity, profile, record_function, schedule


def leaf(*shape):
    return w.ones(*shape, requires_grad=True)


def averages(prof):
    return {e.key: e for e in prof.key_averages()}


def test_counts_times_and_bytes():
    x = leaf(100)
    with profile(activities=[ProfilerActivity.CPU]) as prof:
        for _ in range(3):
            y = (x * 2).exp().sum()
            y.backward()
    found = averages(prof)
    assert {k: e.count for k, e in found.items()} == {
        "mul": 3, "exp": 3, "sum": 3, "MulBackward0": 3, "ExpBackward0": 3, "SumBackward0": 3, "AccumulateGrad": 3,
    }  # fmt: skip
    assert found["mul"].self_cpu_memory_usage == 3 * 400 and found["sum"].cpu_memory_usage == 12
    assert all(e.cpu_time_total > 0 and e.cpu_time == e.cpu_time_total / e.count for e in found.values())
    assert [e.name for e in prof.events()][:7] == [
        "mul", "exp", "sum", "SumBackward0", "ExpBackward0", "MulBackward0", "AccumulateGrad",
    ]  # fmt: skip
    starts = [e.start for e in prof.events()]
    assert starts == sorted(starts) and starts[0] >= 0


def test_nothing_is_seen_outside_and_results_stay_the_same():
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    data = w.randn(3, 4)

    def run():
        model.zero_grad()
        out = model(data).square().mean()
        out.backward()
        return out.item(), [p.grad.tolist() for p in model.parameters()]

    expected = run()
    with profile() as prof:
        assert run() == expected
    seen = len(prof.events())
    assert run() == expected and len(prof.events()) == seen


def test_views_take_no_memory_and_writes_are_named():
    x = w.zeros(10, 10)
    with profile() as prof:
        x.t()
        x.add_(1)
        x.reshape(100)
    found = averages(prof)
    assert all(e.cpu_memory_usage == 0 for e in found.values()) and "add_" in found


def test_ranges_nest_and_self_times_add_up():
    x = leaf(50)
    with profile() as prof:
        with record_function("outer"):
            with record_function("inner"):
                y = x * 2
            y.exp()
        x.tanh()
    found = averages(prof)
    outer, inner = found["outer"], found["inner"]
    assert outer.cpu_time_total > inner.cpu_time_total + found["exp"].cpu_time_total
    assert outer.self_cpu_time_total == pytest.approx(
        outer.cpu_time_total - inner.cpu_time_total - found["exp"].cpu_time_total
    )
    assert outer.cpu_memory_usage == 400 and outer.self_cpu_memory_usage == 0
    top = outer.cpu_time_total + found["tanh"].cpu_time_total
    assert prof.key_averages().total_average().self_cpu_time_total == pytest.approx(top)


def test_optimizer_steps_are_ranges_and_stay_compiled():
    p = leaf(1000)
    optimizer = w.optim.Adam([p])
    p.grad = w.ones(1000)
    with profile() as prof:
        optimizer.step()
    assert [e.name for e in prof.events()] == ["Optimizer.step#Adam.step"]
    optimizer.step()
    assert len(prof.events()) == 1


def test_record_function_decorates_and_does_nothing_without_a_profile():
    @record_function("work")
    def work(x):
        """Doc."""
        return x * 2

    assert work(w.ones(1)).item() == 2 and work.__doc__ == "Doc."
    with profile() as prof:
        work(w.ones(1))
    assert "work" in averages(prof)
    with pytest.raises(TypeError, match="expected a name, got int"):
        record_function(3)


def test_shapes_on_request():
    with profile(record_shapes=True) as prof:
        w.ones(2, 3) @ w.ones(3, 4)
        w.ones(5, 3) @ w.ones(3, 4)
    grouped = prof.key_averages(group_by_input_shape=True)
    shapes = [e.input_shapes for e in grouped if e.key == "matmul"]
    assert shapes == [[[2, 3], [3, 4]], [[5, 3], [3, 4]]]
    assert len([e for e in prof.key_averages() if e.key == "matmul"]) == 1
    assert "[[2, 3], [3, 4]]" in grouped.table()


def test_table_sorts_limits_and_aligns():
    with profile() as prof:
        for _ in range(3):
            w.ones(4).exp()
        w.ones(1000).tanh()
    table = prof.key_averages().table(sort_by="count", row_limit=1, header="counts")
    lines = table.splitlines()
    assert lines[0] == "counts" and lines[1].startswith("Name") and "# of Calls" in lines[1]
    assert lines[3].split()[0] in ("exp", "full", "ones") and len(lines) == 6
    assert lines[-1].startswith("Self CPU time total: ")
    memory = prof.key_averages().table(sort_by="self_cpu_memory_usage").splitlines()
    assert "tanh" in memory[2] or "full" in memory[2]
    with pytest.raises(ValueError, match="sort_by"):
        prof.key_averages().table(sort_by="cuda_time_total")
    with profile() as empty:
        pass
    assert "Self CPU time total: 0.000us" in empty.key_averages().table()


def test_chrome_trace(tmp_path):
    x = leaf(10)
    with profile(record_shapes=True) as prof:
        with record_function('a "name" </script>'):
            (x * 2).sum().backward()
    for name in ("trace.json", "trace.json.gz"):
        path = tmp_path / name
        prof.export_chrome_trace(path)
        content = gzip.open(path).read() if name.endswith("gz") else path.read_bytes()
        events = json.loads(content)["traceEvents"]
        assert [e["name"] for e in events][:3] == ['a "name" </script>', "mul", "sum"]
        assert all(e["ph"] == "X" and e["dur"] >= 0 and {"ts", "pid", "tid"} <= set(e) for e in events)
        outer = events[0]
        assert all(e["ts"] + e["dur"] <= outer["ts"] + outer["dur"] + 0.01 for e in events[1:])
    with pytest.raises(OSError):
        prof.export_chrome_trace(tmp_path / "missing" / "trace.json")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["trace.json", "trace.json.gz"]


def test_schedule_keeps_active_steps_and_hands_them_over():
    plan = schedule(wait=1, warmup=1, active=2, repeat=2, skip_first=1)
    A = ProfilerAction
    assert [plan(k) for k in range(11)] == [
        A.NONE, A.NONE, A.WARMUP, A.RECORD, A.RECORD_AND_SAVE, A.NONE, A.WARMUP, A.RECORD, A.RECORD_AND_SAVE, A.NONE,
        A.NONE,
    ]  # fmt: skip
    handed = []
    with profile(schedule=plan, on_trace_ready=lambda p: handed.append([e.name for e in p.events()])) as prof:
        for k in range(12):
            w.ones(k + 1).exp()
            prof.step()
    assert [names.count("exp") for names in handed] == [2, 2]
    with pytest.raises(ValueError, match="active >= 1"):
        schedule(wait=0, warmup=0, active=0)


def test_trace_handler_writes_files(tmp_path):
    handler = w.profiler.tensorboard_trace_handler(tmp_path / "traces", "me")
    with profile(on_trace_ready=handler):
        w.ones(2).exp()
    (path,) = (tmp_path / "traces").iterdir()
    assert path.name == "me.0.pt.trace.json" and json.loads(path.read_text())["traceEvents"]


def test_nodes_know_their_times_and_pictures_show_them():
    x = leaf(100, 100)
    with profile():
        y = (x @ x).exp()
        z = y.sum()
        z.backward()
    node = y.grad_fn
    assert node.notes.seconds > 0 and node.notes.backward_seconds > 0 and node.notes.bytes == 40_000
    shown = w.viz.text(z)
    assert "39.1 KiB" in shown
    assert w._core.node_of(x).notes is None


def test_times_and_values_together():
    x = leaf(10)
    with w.record() as r, profile():
        y = (x * 2).sum()
        y.backward()
    assert r.notes(y).seconds > 0 and r.notes(y).value.whole == 20 and r.notes(x).gradient.mean == 2


def test_profile_around_and_inside_transforms_and_recorders():
    with profile() as prof:
        g = w.func.vmap(w.func.grad(lambda v: (v * v).sum()))(w.ones(3, 2))
    assert g.tolist() == [[2.0, 2.0]] * 3 and "mul" in averages(prof)
    with profile() as prof:
        graph = w.graph.record(lambda v: (v * 2).exp(), w.zeros(3))
    assert len(graph.nodes) == 2

    def inside(v):
        with profile() as inner:
            out = (v * 2).exp()
        assert {"mul", "exp"} <= set(averages(inner))
        return out

    assert len(w.graph.record(inside, w.zeros(3)).nodes) == 2


def test_profiles_nest():
    with profile() as outer:
        w.ones(2).exp()
        with profile() as inner:
            w.ones(2).tanh()
        w.ones(2).sin()
    assert {"exp", "sin"} <= set(averages(outer)) and "tanh" in averages(inner) and "exp" not in averages(inner)
    assert "tanh" in averages(outer)


def test_other_threads_are_not_seen():
    def work():
        x = leaf(5)
        (x * 3).sum().backward()

    with profile() as prof:
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        w.ones(2).exp()
    assert "mul" not in averages(prof) and "MulBackward0" not in averages(prof) and "exp" in averages(prof)


def test_a_failing_block_closes_the_profile():
    with pytest.raises(RuntimeError):
        with profile() as prof:
            w.ones(2) @ w.ones(3)
    seen = len(prof.events())
    w.ones(2).exp()
    assert len(prof.events()) == seen
    x = leaf(2)
    (x * 2).sum().backward()
    assert x.grad.tolist() == [2.0, 2.0]


def test_hooks_and_custom_functions_are_timed():
    class Twice(w.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            return g * 2

    x = leaf(3)
    x.register_hook(lambda g: g * 1)
    with profile() as prof:
        Twice.apply(x).sum().backward()
    assert "TwiceBackward" in averages(prof) and x.grad.tolist() == [2.0] * 3


def test_what_there_is_not():
    with pytest.raises(ValueError, match="wengert.record"):
        profile(with_stack=True)
    with pytest.raises(ValueError, match="only activity"):
        profile(activities=["CUDA"])
    with profile() as prof:
        pass
    with pytest.raises(ValueError, match="group_by_stack_n=0"):
        prof.key_averages(group_by_stack_n=5)


def test_a_static_recording_sees_through_a_profile():
    def gradient(v):
        v = v.detach().requires_grad_()
        with profile():
            (g,) = w.autograd.grad((v * v).sum(), v)
        return g

    graph = w.graph.record(gradient, w.zeros(3))
    assert graph.run(w.tensor([1.0, 2.0, 3.0])).tolist() == [2.0, 4.0, 6.0]

    def reads(v):
        with profile():
            return v * v.sum().item()

    with pytest.raises(RuntimeError, match="item"):
        w.graph.record(reads, w.ones(3))
