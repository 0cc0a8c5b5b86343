"""The red lines: ``python -m benchmarks.budgets out.json`` says which budgets a report meets.

Ratios within one run bind; absolute times depend on the machine and only inform.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

Results = dict[str, dict[str, Any]]
Figure = Callable[[Results], float]


@dataclass(frozen=True)
class Budget:
    """A limit on one figure of one row.

    Attributes:
        what: what is limited, for the table.
        row: name of the row that holds the figure.
        figure: takes it from the row's results by contestant; KeyError means that it was not measured.
        limit: the red line.
        at_least: whether the figure must reach the limit (a speed-up) or stay within it (a cost).
        binds: whether missing it fails the run.
    """

    what: str
    row: str
    figure: Figure
    limit: float
    at_least: bool = True
    binds: bool = True


def times_faster_than(peer: str, ours: str = "wengert") -> Figure:
    """Return the figure "time of a peer over time of ours", the median over rounds where ours is the base."""

    def figure(results: Results) -> float:
        if ours == "wengert":
            return results[peer]["ratio"]
        return results[peer]["median"] / results[ours]["median"]

    return figure


def extra(name: str, scale: float = 1.0) -> Figure:
    """Return the figure "a further measurement of wengert", scaled."""
    return lambda results: results["wengert"]["extra"][name] * scale


def median(scale: float) -> Figure:
    """Return the figure "median time of wengert", scaled from seconds."""
    return lambda results: results["wengert"]["median"] * scale


def plan_median(scale: float) -> Figure:
    """Return the figure "median time of wengert's plan", scaled from seconds."""
    return lambda results: results["wengert plan"]["median"] * scale


def compiled_over_eager(results: Results) -> float:
    """Return "time of wengert's plan over time of wengert", the median over rounds."""
    return results["wengert plan"]["ratio"]


BUDGETS = (
    Budget("recorded a + b, (): times torch", "add-scalar", times_faster_than("torch"), 20),
    Budget("recorded a + b, (16,): times torch", "add-16", times_faster_than("torch"), 20),
    Budget("recorded a + b, (): ns", "add-scalar", median(1e9), 60, at_least=False, binds=False),
    Budget("recorded a + b, (16,): ns", "add-16", median(1e9), 60, at_least=False, binds=False),
    Budget("backward per node, 1e6: ns", "chain-1e6", extra("backward_s", 1e3), 60, at_least=False, binds=False),
    Budget("bytes per node, 1e6", "chain-1e6", extra("bytes_per_node"), 128, at_least=False),
    Budget("bytes per node, 1e7", "chain-1e7", extra("bytes_per_node"), 128, at_least=False),
    Budget(
        "with a backward pass, 1e7", "chain-1e7", extra("peak_bytes_per_node"), 128, at_least=False, binds=False
    ),
    Budget("4-64-64-2 step: times torch", "mlp-small", times_faster_than("torch"), 6),
    Budget("4-64-64-2 plan: times torch", "mlp-small", times_faster_than("torch", "wengert plan"), 12),
    Budget("4-32-32-1 plan: us", "mlp-tiny", plan_median(1e6), 6, at_least=False, binds=False),
    Budget("4-64-64-2 compiled: of eager", "mlp-small", compiled_over_eager, 0.9, at_least=False),
    Budget(
        "chain of 10,000 scalars planned: ns per op",
        "scalar-chain",
        plan_median(1e9),
        10,
        at_least=False,
        binds=False,
    ),
    Budget("micrograd's step planned: ms", "scalar-mlp", plan_median(1e3), 0.65, at_least=False, binds=False),
    Budget(
        "polynomial planned, Horner: ns per element",
        "polynomial-horner",
        plan_median(1e9),
        0.30,
        at_least=False,
        binds=False,
    ),
    Budget(
        "polynomial planned, powers: ns per element",
        "polynomial-powers",
        plan_median(1e9),
        0.30,
        at_least=False,
        binds=False,
    ),
    Budget(
        "expression planned, 1e5: ns per element",
        "expression-1e5",
        plan_median(1e9),
        1.3,
        at_least=False,
        binds=False,
    ),
    Budget("planning 1e5 nodes of a chain: s", "planning-1e5", median(1e5), 1, at_least=False, binds=False),
    Budget("planning 1e5 of a training step: s", "planning-step-1e5", median(1e5), 1, at_least=False, binds=False),
    Budget("compiling 1e5 of a training step: s", "compile-step-1e5", median(1e5), 2, at_least=False, binds=False),
    *[
        Budget(f"{what}: growth of a node's time", row, extra("growth"), 2, at_least=False, binds=False)
        for what, row in (
            ("chain, 1e3 to 1e6", "planning-1e6"),
            ("training step, 1e3 to 1e5", "planning-step-1e5"),
            ("training step, 1e3 to 1e6", "planning-step-1e6"),
            ("compiled training step, 1e3 to 1e5", "compile-step-1e5"),
            ("compiled training step, 1e3 to 1e6", "compile-step-1e6"),
            ("unrolled loop, 100 to 1,000 steps", "compile-loop"),
        )
    ],
    Budget("compiling the 4-64-64-2 step: ms", "compile-mlp", median(1e3), 5, at_least=False, binds=False),
    *[
        Budget(f"{what} planned: times {peer}", row, times_faster_than(peer, "wengert plan"), 1)
        for what, row in (
            ("4-32-32-1", "mlp-tiny"),
            ("4-64-64-2", "mlp-small"),
            ("784-256-128-10", "mlp-mnist"),
            ("10^7 elements", "elementwise-1e7"),
            ("leapfrog", "logistic"),
        )
        for peer in ("jax", "torch.compile")
    ],
    Budget("LSTM planned: times jax", "lstm", times_faster_than("jax", "wengert plan"), 1),
    Budget("neural ODE planned: times jax", "neural-ode", times_faster_than("jax", "wengert plan"), 1),
    *[
        Budget(f"{what} compiled: of eager", row, compiled_over_eager, 1, at_least=False, binds=False)
        for what, row in (("CNN", "cnn"), ("GPT", "gpt"))
    ],
    Budget("4-64-64-2 plan.run: times jax's scan", "mlp-small-run", times_faster_than("jax"), 1),
    Budget("4-64-64-2 plan.run: times torch", "mlp-small-run", times_faster_than("torch"), 15),
    Budget("LSTM planned: times torch", "lstm", times_faster_than("torch", "wengert plan"), 1),
    Budget("neural ODE planned: times NumPy", "neural-ode", times_faster_than("numpy", "wengert plan"), 1),
    Budget("leapfrog planned: times NumPy", "logistic", times_faster_than("numpy", "wengert plan"), 1),
    Budget("784-256-128-10 step: times torch", "mlp-mnist", times_faster_than("torch"), 1),
    Budget("LSTM step: times torch", "lstm", times_faster_than("torch"), 1),
    Budget("CNN step: times torch", "cnn", times_faster_than("torch"), 1),
    Budget("GPT step: times torch", "gpt", times_faster_than("torch"), 1),
    Budget("10^7 elements: times torch", "elementwise-1e7", times_faster_than("torch"), 1),
    Budget("import above NumPy: ms", "import", median(1e3), 25, at_least=False, binds=False),
)


def judge(budget: Budget, report: dict[str, Any]) -> tuple[float | None, str]:
    """Return the figure of a budget, or None where it was not measured, and the verdict."""
    row = next((row for row in report["rows"] if row["name"] == budget.row), None)
    if row is None:
        return None, "not measured"
    if "failed" in row:
        return None, "FAIL (wrong result)"
    try:
        value = budget.figure(row["contestants"])
    except KeyError:
        return None, "not measured"
    met = value >= budget.limit if budget.at_least else value <= budget.limit
    if met:
        return value, "pass"
    return value, "FAIL" if budget.binds else "missed (informs)"


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table of budgets and return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.budgets",
        description="Hold a JSON report of python -m benchmarks (with --peers torch) against the budgets.",
        epilog="Exit codes: 0 all binding budgets that were measured are met, 1 one is missed, 2 wrong arguments.",
    )
    parser.add_argument("report", help="JSON file")
    parser.add_argument(
        "--require-all", action="store_true", help="a binding budget that was not measured fails too"
    )
    options = parser.parse_args(argv)
    with open(options.report, encoding="utf-8") as file:
        report = json.load(file)
    failed = 0
    for budget in BUDGETS:
        value, word = judge(budget, report)
        sign = ">=" if budget.at_least else "<="
        shown = "-" if value is None else f"{value:.4g}"
        print(f"{budget.what:36} {shown:>9}  {sign} {budget.limit:<5g} {word}")
        failed += word.startswith("FAIL") or (options.require_all and budget.binds and word == "not measured")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
