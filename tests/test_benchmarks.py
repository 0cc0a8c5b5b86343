"""The benchmarks agree with their references, and the tools that read their reports tell good from bad."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import budgets, compare, harness, peers, sweep, two_threads  # noqa: E402
from benchmarks.harness import Mismatch, Options, Row, SelfTimed  # noqa: E402
from benchmarks.rows import all_rows  # noqa: E402
from benchmarks.sweep_data import CASES  # noqa: E402
from benchmarks.table import duration  # noqa: E402

# Too long or too large for a test; ``python -m benchmarks`` checks them before it times them.
_HEAVY = {
    "budget-gpt",
    "compile-step-1e4",
    "compile-step-1e5",
    "compile-step-1e6",
    "planning-1e5",
    "planning-1e6",
    "planning-budget-1e4",
    "planning-budget-1e5",
    "planning-step-1e4",
    "planning-step-1e5",
    "planning-step-1e6",
    "elementwise-1e7",
    "scalar-mlp",
    "gpt",
    "cnn",
    "matmul-1024x1024x1024-nn",
}
_QUICK = Options.quick(frozenset({"wengert", "numpy", "pure"}))


def _light(row):
    """Not the many sizes of recurrent layers, nor all programs, which test_programs.py runs: one of a kind is enough."""
    kinds = ("lstm-", "gru-", "rnn-", "program-", "pattern-")
    many = (
        row.full and row.name.startswith(kinds) and row.name not in ("program-hooks", "pattern-softmax-64x64-grad")
    )
    return row.name not in _HEAVY and not many


@pytest.mark.parametrize("row", [row for row in all_rows() if _light(row)], ids=lambda row: row.name)
def test_row_agrees_with_its_reference(row):
    steps, reasons = harness._prepare(row, _QUICK)
    assert "wengert" in steps, reasons


@pytest.mark.parametrize("name", CASES)
def test_op_of_the_sweep_agrees_with_torch(name):
    pytest.importorskip("torch")
    for row in sweep.rows([name], [400]):
        steps, reasons = harness._prepare(row, Options(peers=frozenset(("wengert", "torch"))))
        assert len(steps) == 2, reasons


def test_names_of_rows_are_unique_and_known_to_the_budgets():
    names = [row.name for row in all_rows()]
    assert len(set(names)) == len(names)
    assert {budget.row for budget in budgets.BUDGETS} <= set(names)


def test_contestants_belong_to_peers_that_can_be_asked_for():
    assert {peers.peer_of(name) for row in all_rows() for name in row.contestants} <= set(peers.PEERS)


def test_a_compiler_that_does_not_work_is_skipped_with_its_reason(monkeypatch):
    class Broken:
        ones = staticmethod(lambda n: [1.0] * n)

        @staticmethod
        def compile(fn):
            raise RuntimeError("no compiler of C++\nmany more lines")

    monkeypatch.setattr(peers, "load", lambda name: Broken)
    row = Row("r", "r", {"wengert": lambda: lambda: 1.0, "torch.compile": lambda: peers.compiler("torch")})
    record = harness.run_row(row, Options.quick(frozenset({"wengert", "torch.compile"})))
    assert record["absent"] == {"torch.compile": "torch.compile does not work here (no compiler of C++)"}


def test_a_wrong_contestant_is_not_timed():
    row = Row("r", "r", {"numpy": lambda: lambda: 1.0, "wengert": lambda: lambda: 1.1}, reference="numpy")
    with pytest.raises(Mismatch, match="r: wengert is off by 1.00e-01"):
        harness.run_row(row, _QUICK)


def test_record_holds_medians_ratios_and_further_measurements():
    seconds = iter([2.0, 2.0, 2.0])
    row = Row(
        "r",
        "r",
        {
            "wengert": lambda: SelfTimed(lambda: (1.0, {"peak_mb": 3.0})),
            "numpy": lambda: SelfTimed(lambda: (next(seconds), {})),
        },
        units=10,
    )
    record = harness.run_row(row, _QUICK)
    assert record["contestants"]["wengert"]["median"] == pytest.approx(0.1)
    assert record["contestants"]["wengert"]["extra"] == {"peak_mb": 3.0}
    assert record["contestants"]["numpy"]["ratio"] == pytest.approx(2.0)


def _report(median: float, torch_ratio: float = 25.0) -> dict:
    ours = {"median": median, "iqr": 0.01 * median, "ratio": 1.0, "extra": {}}
    theirs = {"median": median * torch_ratio, "iqr": 0.0, "ratio": torch_ratio, "extra": {}}
    row = {"name": "add-16", "title": "", "unit": "op", "contestants": {"wengert": ours, "torch": theirs}}
    return {"machine": {}, "options": {}, "commit": "x", "rows": [row]}


@pytest.mark.parametrize(("factor", "code"), [(1.05, 0), (0.5, 0), (1.3, 1)])
def test_compare_fails_beyond_the_margin_only(factor, code, tmp_path, capsys):
    paths = [tmp_path / "a.json", tmp_path / "b.json"]
    for path, report in zip(paths, (_report(1e-6), _report(1e-6 * factor)), strict=True):
        path.write_text(json.dumps(report))
    assert compare.main([str(path) for path in paths]) == code
    assert ("slower\n" in capsys.readouterr().out.split("rows,")[0]) == bool(code)


def test_compare_refuses_another_machine(tmp_path, capsys):
    paths = [tmp_path / "a.json", tmp_path / "b.json"]
    for path, processor in zip(paths, ("one", "two"), strict=True):
        path.write_text(json.dumps({**_report(1e-6), "machine": {"processor": processor}}))
    assert compare.main([str(path) for path in paths]) == 2
    assert compare.main([*map(str, paths), "--any-machine"]) == 0


@pytest.mark.parametrize(("ratio", "code"), [(25.0, 0), (12.0, 1)])
def test_budget_is_a_red_line(ratio, code, tmp_path, capsys):
    path = tmp_path / "report.json"
    path.write_text(json.dumps(_report(5e-8, ratio)))
    assert budgets.main([str(path)]) == code
    assert budgets.main([str(path), "--require-all"]) == 1
    assert "not measured" in capsys.readouterr().out


def test_durations_carry_a_unit():
    assert [duration(s) for s in (2.5e-8, 1.5e-6, 0.0123, 3.0)] == ["25 ns", "1.5 µs", "12.3 ms", "3 s"]


@pytest.mark.parametrize(
    ("found", "others", "said"),
    [(1.7, 0.0, "ok"), (1.7, 1.0, "ok"), (1.5, 0.0, "too slow"), (1.5, 0.5, "machine busy")],
)
def test_two_threads_are_judged_on_a_quiet_machine_alone(found, others, said):
    assert two_threads.verdict(found, 1.6, others) == said


def test_own_work_is_not_that_of_others():
    others = two_threads.Others()
    end = time.perf_counter() + 0.2
    while time.perf_counter() < end:
        pass
    assert others.load() <= 1.25 * os.cpu_count()  # ticks are long beside the time


@pytest.mark.parametrize(
    ("cores", "chosen"),
    [
        ({0: "a", 1: "a", 2: "b", 3: "b"}, [0, 2]),
        ({4: "a", 5: "a"}, [4, 5]),
        ({7: "a"}, [7]),
        ({2: "b", 0: "a"}, [0, 2]),
    ],
)
def test_two_threads_run_on_two_cores_where_there_are_two(cores, chosen):
    assert two_threads.two_processors(cores, cores.get) == chosen
    before = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
    with two_threads.on_two_processors() as used:
        assert len(used) <= 2 and (before is None or os.sched_getaffinity(0) == set(used))
    assert before is None or os.sched_getaffinity(0) == before


@pytest.mark.parametrize(("ratio", "code"), [(2.0, 0), (0.5, 1)])
def test_two_threads_have_an_exit_code(ratio, code, monkeypatch, capsys):
    monkeypatch.setattr(two_threads, "gain", lambda *_: ratio)
    monkeypatch.setattr(two_threads.Others, "load", lambda *_: 0.0)
    assert two_threads.main(["neural-ode", "--rounds", "1"]) == code
    assert ("too slow" in capsys.readouterr().out) == (code == 1)
