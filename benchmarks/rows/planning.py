"""How long a plan takes to make: by nodes, linear from a thousand to a million; of a deep training step; with recording."""

from __future__ import annotations

import time
from collections.abc import Callable

from .. import peers
from ..harness import Row, SelfTimed
from . import mlp_small


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


def _steps_of(layers: int) -> Callable[[], SelfTimed]:
    """Time the plan of a training step of many layers; recording it is not counted."""

    def build() -> SelfTimed:
        wengert = peers.load("wengert")
        nn = wengert.nn
        blocks = [nn.Sequential(nn.Linear(16, 16), nn.Tanh(), nn.LayerNorm(16)) for _ in range(layers)]
        model = nn.Sequential(*blocks)
        optimizer = wengert.optim.SGD(model.parameters(), lr=1e-3)
        x = wengert.ones(8, 16)

        @wengert.compile(fullgraph=True)
        def step():
            optimizer.zero_grad()
            loss = (model(x) ** 2).mean()
            loss.backward()
            optimizer.step()

        while not step.plans:
            step()
        graph = step.plan.source

        def measure() -> tuple[float, dict[str, float]]:
            start = time.perf_counter()
            wengert.graph.Plan(graph)
            took = time.perf_counter() - start
            return took / len(graph.nodes), {"nodes": float(len(graph.nodes))}

        return SelfTimed(measure)

    return build


def _compile_small() -> SelfTimed:
    """Time all calls until there is a plan: they run and record the step, and the last one makes the plan."""

    def measure() -> tuple[float, dict[str, float]]:
        step = mlp_small.compiled_step()
        start = time.perf_counter()
        while not step.plans:
            step()
        return time.perf_counter() - start, {}

    return SelfTimed(measure)


def _row(power: int) -> Row:
    return Row(
        name=f"planning-1e{power}",
        title=f"making the plan of a chain of 1e{power} scalar operations",
        contestants={"wengert": _measure(10**power)},
        units=10**power,
        unit="node",
        full=power > 5,
    )


ROWS = [
    *[_row(power) for power in (3, 4, 5, 6)],
    Row(
        name="planning-layers",
        title="making the plan of a training step of 600 layers with normalisations",
        contestants={"wengert": _steps_of(600)},
        unit="node",
    ),
    Row(
        name="compile-mlp",
        title="compiling the step of mlp-small: the calls until there is a plan",
        contestants={"wengert": _compile_small},
        unit="function",
    ),
]
