"""How long a plan takes to make, alone and with recording: by nodes, linear from a thousand to a million.

Times are processor time: one thread of Python makes plans; what other programs take of the machine is not ours.
"""

from __future__ import annotations

import functools
import statistics
import time
from collections.abc import Callable

from .. import peers
from ..harness import Row, SelfTimed
from . import mlp_small


def _seconds(graph, budget: int | None = None) -> float:
    """Return the time that a graph's plan takes; whatever is freed with it is freed before and after."""
    plan_of = peers.load("wengert").graph.Plan
    start = time.process_time()
    plan = plan_of(graph, memory_budget=budget)
    took = time.process_time() - start
    assert plan.steps()
    return took


def _halved(size: int) -> SelfTimed:
    """Time the plan of a training step in half of the arena that it takes; `plain` is the time without a budget."""
    graph = _training_step(size)
    arena = peers.load("wengert").graph.Plan(graph).memory()["arena"]

    def measure() -> tuple[float, dict[str, float]]:
        plain = statistics.median(_seconds(graph) for _ in range(3)) / len(graph.nodes)
        return _seconds(graph, arena // 2) / len(graph.nodes), {"plain_s": plain}

    return SelfTimed(measure)


def _growing(graph_of: Callable[[int], object], size: int) -> Callable[[], SelfTimed]:
    """Time the plan of a graph of about so many nodes, for each of them; making the graph is not counted.

    The further measurement `growth` is that time over the time for each node of the graph for a thousand, the median of
    nine: 1 where planning is linear, but for caches that larger graphs do not fit in.
    """

    def build() -> SelfTimed:
        graph, small = graph_of(size), graph_of(1000)

        def measure() -> tuple[float, dict[str, float]]:
            base = statistics.median(_seconds(small) for _ in range(9)) / len(small.nodes)
            took = _seconds(graph) / len(graph.nodes)
            return took, {"nodes": float(len(graph.nodes)), "growth": took / base}

        return SelfTimed(measure)

    return build


def _chain(nodes: int):
    """Return a chain of scalar operations."""
    wengert = peers.load("wengert")
    graph = wengert.Graph("chain")
    x = graph.input("x", shape=(), dtype=wengert.float32)
    y = x
    for _ in range(nodes // 2):
        y = y * 0.999 + x
    graph.output("y", y)
    return graph


def _writes(nodes: int):
    """Return a graph that writes as many tensors from outside."""
    wengert = peers.load("wengert")
    written = [wengert.ones(2) for _ in range(nodes)]

    def halve():
        for t in written:
            t.mul_(0.5)

    return wengert.graph.record(halve)


_NODES_OF_A_LAYER = 17  # forward, backward, and its share of the optimizer's pass


def _training_function(nodes: int) -> tuple[Callable[..., None], object]:
    """Return a training step that is recorded as so many nodes (forward, backward, optimizer), and its argument."""
    wengert = peers.load("wengert")
    nn = wengert.nn
    layers = nodes // _NODES_OF_A_LAYER
    model = nn.Sequential(*[nn.Sequential(nn.Linear(16, 16), nn.Tanh(), nn.LayerNorm(16)) for _ in range(layers)])
    optimizer = wengert.optim.SGD(model.parameters(), lr=1e-3)

    def step(x):
        optimizer.zero_grad()
        loss = (model(x) ** 2).mean()
        loss.backward()
        optimizer.step()

    return step, wengert.ones(8, 16)


def _training_step(nodes: int):
    """Return the graph of a training step of so many nodes, as it is recorded."""
    return peers.load("wengert").graph.record(*_training_function(nodes))


def _compile_calls(nodes: int) -> tuple[float, float]:
    """Return the seconds for each node of a training step of its last call before there is a plan, which is recorded,
    compared and planned, and of all those calls."""
    step, x = _training_function(nodes)
    compiled = peers.load("wengert").compile(step, fullgraph=True)
    times = []
    while not compiled.plans:
        start = time.process_time()
        compiled(x)
        times.append(time.process_time() - start)
    count = len(compiled.plan.source.nodes)
    return times[-1] / count, sum(times) / count


def _compiled(nodes: int) -> SelfTimed:
    """Time what compiling takes for each node: the last call before there is a plan.

    Further measurements: `calls_s`, the time of all those calls; `growth`, that of the last one over its time for each
    node of a step of a thousand, the median of five.
    """

    def measure() -> tuple[float, dict[str, float]]:
        base = statistics.median(_compile_calls(1000)[0] for _ in range(5))
        took, calls = _compile_calls(nodes)
        return took, {"calls_s": calls, "growth": took / base}

    return SelfTimed(measure)


def _compile_loop(steps: int) -> float:
    """Return the seconds for each step of all calls until there is a plan, of a training step that unrolls a loop."""
    wengert = peers.load("wengert")
    cell = wengert.nn.LSTMCell(16, 16)
    optimizer = wengert.optim.Adam(cell.parameters(), lr=1e-3)
    sequence = wengert.ones(steps, 4, 16)

    @wengert.compile(fullgraph=True)
    def train():
        optimizer.zero_grad()
        state = wengert.zeros(4, 16), wengert.zeros(4, 16)
        for x in sequence:
            state = cell(x, state)
        loss = (state[0] * state[0]).mean()
        loss.backward()
        optimizer.step()
        return loss

    start = time.process_time()
    while not train.plans:
        train()
    return (time.process_time() - start) / steps


def _unrolled(steps: int) -> SelfTimed:
    """Time what compiling an unrolled loop takes for each of its steps; `growth` is that over a tenth of the length."""

    def measure() -> tuple[float, dict[str, float]]:
        base = statistics.median(_compile_loop(steps // 10) for _ in range(3))
        took = _compile_loop(steps)
        return took, {"growth": took / base}

    return SelfTimed(measure)


def _compile_small() -> SelfTimed:
    """Time all calls until there is a plan: they run and record the step, and the last one makes the plan."""

    def measure() -> tuple[float, dict[str, float]]:
        step = mlp_small.compiled_step()
        start = time.process_time()
        while not step.plans:
            step()
        return time.process_time() - start, {}

    return SelfTimed(measure)


def _row(name: str, title: str, graph_of: Callable[[int], object], power: int, most: int) -> Row:
    return Row(
        name=f"{name}-1e{power}",
        title=title.format(f"1e{power}"),
        contestants={"wengert": _growing(graph_of, 10**power)},
        unit="node",
        full=power > most,
    )


_STEP = "making the plan of a recorded training step of {} nodes: forward, backward, optimizer"

ROWS = [
    *[_row("planning", "making the plan of a chain of {} scalar operations", _chain, k, 5) for k in (3, 4, 5, 6)],
    *[
        _row("planning-writes", "making the plan of {} writes to tensors from outside", _writes, k, 4)
        for k in (3, 4, 5)
    ],
    *[_row("planning-step", _STEP, _training_step, k, 4) for k in (3, 4, 5, 6)],
    *[
        Row(
            name=f"planning-budget-1e{power}",
            title=f"making the plan of a training step of 1e{power} nodes in half of its memory",
            contestants={"wengert": functools.partial(_halved, 10**power)},
            unit="node",
            full=power > 3,
        )
        for power in (3, 4, 5)
    ],
    *[
        Row(
            name=f"compile-step-1e{power}",
            title=f"compiling a training step of 1e{power} nodes: the call that records, compares and plans",
            contestants={"wengert": functools.partial(_compiled, 10**power)},
            unit="node",
            full=power > 4,
        )
        for power in (3, 4, 5, 6)
    ],
    Row(
        name="compile-mlp",
        title="compiling the step of mlp-small: the calls until there is a plan",
        contestants={"wengert": _compile_small},
        unit="function",
    ),
    Row(
        name="compile-loop",
        title="compiling a training step that unrolls 1,000 steps of a cell: the calls until there is a plan",
        contestants={"wengert": lambda: _unrolled(1000)},
        unit="step of the loop",
    ),
]
