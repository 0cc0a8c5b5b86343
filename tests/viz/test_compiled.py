"""Pictures of compiled functions: the latest plan, with what each pass removed."""

import pytest

import wengert as w
from wengert.viz import picture, save
from wengert.viz._build import build


def test_a_compiled_function_shows_its_plan(tmp_path):
    fast = w.compile(lambda x: (x.exp() + x.exp()) * 1)
    with pytest.raises(RuntimeError, match="no plan yet|has not been called"):
        picture(fast)
    for _ in range(3):
        fast(w.ones(4))
    model = build(fast)
    assert {name for name, _ in model.passes} == {"algebra", "common subexpressions"}
    assert len(model.after.groups) == 1
    for name in ("plan.html", "plan.svg", "plan.txt"):
        save(fast, tmp_path / name)
        assert "exp" in (tmp_path / name).read_text("utf-8")


def test_a_compiled_module_and_a_training_step(tmp_path):
    model = w.compile(w.nn.Linear(2, 2))
    opt = w.optim.SGD(model.parameters(), lr=0.1)

    @w.compile
    def step(x):
        opt.zero_grad()
        loss = model(x).square().sum()
        loss.backward()
        opt.step()
        return loss

    for _ in range(4):
        step(w.ones(1, 2))
        with w.no_grad():
            model(w.ones(3, 2))
    for what in (model, step):
        save(what, tmp_path / "page.html")
        assert (tmp_path / "page.html").stat().st_size > 10_000


def test_a_profiled_plan_shows_times(tmp_path):
    plan = w.graph.Plan(w.graph.record(lambda x: (x @ x).tanh() * 2, w.ones(8, 8)))
    assert all(t != t for t in build(plan).after.seconds)
    plan.profile(w.ones(8, 8))
    model = build(plan).after
    times = {model.ops[model.op[k]]: t for k, t in enumerate(model.seconds) if t == t}
    assert set(times) == {"matmul", "tanh", "mul"} and times["tanh"] == times["mul"]
