"""Rows, contestants, and the one way in which everything here is timed.

A row is a workload of fixed size. Each contestant is a function that prepares the workload and returns ``step``,
which does it once and returns what it computed. Before anything is timed, the values of the first steps must
agree with the row's reference. Then all contestants are timed in turn, round after round in one process, so that
a disturbance of the machine hits all of them; medians and the spread between quartiles are reported, and ratios
are the median over rounds of the ratios within a round.
"""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .peers import Unavailable, peer_of

Step = Callable[[], Any]  # its attribute `extra`, where there is one, returns further measurements in the end


@dataclass
class SelfTimed:
    """A step that measures itself, in a process of its own, and returns (seconds, further measurements)."""

    measure: Callable[[], tuple[float, dict[str, float]]]


@dataclass
class Row:
    """A workload with its contestants.

    Attributes:
        name: what the command line and the JSON call it.
        title: what the table prints: the workload with its sizes.
        contestants: by name, a function that prepares the workload and returns its step.
        reference: the contestant whose values are the truth, or a function that returns the values of the steps.
        units: how many units of work a step holds; reported times are per unit.
        unit: what such a unit is called.
        check_steps: how many first steps are compared.
        rtol: allowed difference relative to the largest element of the reference.
        full: only with ``--full`` (long, or large in memory).
    """

    name: str
    title: str
    contestants: Mapping[str, Callable[[], Step | SelfTimed]]
    reference: str | Callable[[], list[Any]] | None = None
    units: int = 1
    unit: str = "step"
    check_steps: int = 3
    rtol: float = 1e-4
    full: bool = False


@dataclass
class Options:
    """How long to measure: seconds for each contestant, length of a sample, bounds on the number of rounds."""

    seconds: float = 0.5
    sample: float = 0.01
    min_rounds: int = 5
    max_rounds: int = 41
    peers: frozenset[str] = field(default_factory=frozenset)

    @classmethod
    def quick(cls, peers: frozenset[str]) -> Options:
        """Return the settings of ``--quick``: every row still runs and is still checked."""
        return cls(seconds=0.1, sample=0.002, min_rounds=3, max_rounds=11, peers=peers)


class Mismatch(Exception):
    """A contestant computed something else than the reference."""


def plain(value: Any) -> list[np.ndarray]:
    """Turn what a step returned (tensors, arrays, numbers, lists of them) into a flat list of float64 arrays."""
    if isinstance(value, (list, tuple)):
        return [array for part in value for array in plain(part)]
    if hasattr(value, "detach"):
        value = value.detach().numpy()
    elif hasattr(value, "data") and isinstance(value.data, float):
        value = value.data
    return [np.asarray(value, dtype=np.float64)]


def check(row: Row, name: str, got: Iterable[Any], expected: Iterable[Any]) -> None:
    """Raise Mismatch unless the values of the first steps agree with the reference."""
    for index, (ours, truth) in enumerate(zip(got, expected, strict=True)):
        for a, b in zip(plain(ours), plain(truth), strict=True):
            a = a.reshape(b.shape) if a.size == b.size else a
            scale = max(float(np.abs(b).max(initial=0.0)), 1e-3)
            gap = float(np.abs(a - b).max(initial=0.0)) if a.shape == b.shape else math.inf
            if not gap <= row.rtol * scale:
                raise Mismatch(f"{row.name}: {name} is off by {gap:.2e} (scale {scale:.2e}) in step {index + 1}")


def _prepare(row: Row, options: Options) -> tuple[dict[str, Step | SelfTimed], dict[str, str]]:
    """Build and check the contestants; return the ready steps and the reasons of those left out."""
    steps: dict[str, Step | SelfTimed] = {}
    reasons: dict[str, str] = {}
    expected: list[Any] | None = None
    if callable(row.reference):
        expected = row.reference()
    elif row.reference is not None:
        step = row.contestants[row.reference]()
        expected = [plain(step()) for _ in range(row.check_steps)]
    for name, build in row.contestants.items():
        if peer_of(name) not in options.peers:
            continue
        try:
            step = build()
            if not isinstance(step, SelfTimed) and expected is not None:
                check(row, name, [plain(step()) for _ in range(row.check_steps)], expected)
            steps[name] = step
        except Unavailable as reason:
            reasons[name] = str(reason)
    return steps, reasons


def _sample(step: Step, count: int) -> float:
    """Return the seconds of one step, averaged over ``count`` of them."""
    start = time.perf_counter()
    for _ in range(count):
        step()
    return (time.perf_counter() - start) / count


def _summary(times: list[float], row: Row) -> dict[str, Any]:
    low, middle, high = np.percentile(times, [25, 50, 75]) / row.units
    return {
        "median": float(middle),
        "iqr": float(high - low),
        "min": min(times) / row.units,
        "rounds": len(times),
    }


def run_row(row: Row, options: Options) -> dict[str, Any]:
    """Check and time a row; return its JSON record (times in seconds per unit).

    Raises:
        Mismatch: a contestant's values differ from the reference.
    """
    gc.collect()
    steps, reasons = _prepare(row, options)
    counts: dict[str, int] = {}
    round_time = 0.0
    for name, step in steps.items():
        if isinstance(step, SelfTimed):
            continue
        once = max(_sample(step, 1), 1e-8)
        if once < options.sample:  # the first call after a pause is slow; ask again before fixing the count
            once = max(_sample(step, 3), 1e-8)
        counts[name] = max(1, round(options.sample / once))
        round_time += once * counts[name]
    if counts:
        rounds = int(options.seconds * len(counts) / round_time)
        rounds = min(max(rounds, options.min_rounds), options.max_rounds)
    else:
        rounds = 1 if row.full else min(3, options.min_rounds)
    times: dict[str, list[float]] = {name: [] for name in steps}
    extras: dict[str, dict[str, float]] = {}
    for _ in range(rounds):
        for name, step in steps.items():
            if name in reasons:
                continue
            if isinstance(step, SelfTimed):
                try:
                    seconds, extras[name] = step.measure()
                except Unavailable as reason:  # its own process died: out of memory, or of stack
                    reasons[name] = str(reason)
                    continue
                times[name].append(seconds)
            else:
                times[name].append(_sample(step, counts[name]))
    times = {name: values for name, values in times.items() if name not in reasons}
    for name, step in steps.items():
        if hasattr(step, "extra"):
            extras[name] = step.extra()
    results = {name: {**_summary(values, row), "extra": extras.get(name, {})} for name, values in times.items()}
    ours = times.get("wengert")
    if ours:
        for name, values in times.items():
            ratios = [other / mine for other, mine in zip(values, ours, strict=True)]
            results[name]["ratio"] = float(np.median(ratios))
    return {
        "name": row.name,
        "title": row.title,
        "unit": row.unit,
        "contestants": results,
        "absent": reasons,
    }
