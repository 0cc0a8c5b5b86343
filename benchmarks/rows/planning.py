"""How long a plan takes to make, by nodes: linear from a thousand to a hundred thousand."""

from __future__ import annotations

import time
from collections.abc import Callable

from .. import peers
from ..harness import Row, SelfTimed


def _measure(nodes: int) -> Callable[[], SelfTimed]:
    """Time the plan of a chain of scalar operations; recording it is not counted."""

    def build() -> SelfTimed:
        wengert = peers.load("wengert")
        graph = wengert.Graph("chain")
        x = graph.input("x", shape=(), dtype=wengert.float32)
        y = x
        for _ in range(nodes // 2):
            y = y * 0.999 + x
        graph.output("y", y)

        def measure() -> tuple[float, dict[str, float]]:
            start = time.perf_counter()
            plan = wengert.graph.Plan(graph)
            took = time.perf_counter() - start
            assert len(plan.steps()) == 1
            return took, {"nodes": float(nodes)}

        return SelfTimed(measure)

    return build


def _row(power: int) -> Row:
    return Row(
        name=f"planning-1e{power}",
        title=f"making the plan of a chain of 1e{power} scalar operations",
        contestants={"wengert": _measure(10**power)},
        units=10**power,
        unit="node",
        full=power > 5,
    )


ROWS = [_row(power) for power in (3, 4, 5, 6)]
