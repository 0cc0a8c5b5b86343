"""Training steps in a part of their memory: what computing values again costs, with the same bits."""

from __future__ import annotations

import functools
from collections.abc import Callable

from .. import peers
from ..harness import Row, Step
from . import gpt

_SHARES = {"wengert": None, "wengert 1/2": 2, "wengert 1/3": 3, "wengert 1/4": 4}


def _deep() -> Step:
    """Return a step of eight layers with normalisation and dropout, not compiled."""
    wengert = peers.load("wengert")
    nn = wengert.nn
    wengert.manual_seed(0)
    kinds = (lambda: nn.Linear(256, 256), nn.GELU, lambda: nn.LayerNorm(256), lambda: nn.Dropout(0.1))
    model = nn.Sequential(*[kind() for _ in range(8) for kind in kinds])
    optimizer = wengert.optim.SGD(model.parameters(), lr=1e-3)
    x = wengert.randn(256, 256)

    def step():
        optimizer.zero_grad()
        loss = (model(x) ** 2).mean()
        loss.backward()
        optimizer.step()
        return loss

    return step


def _compiled(make: Callable[[], Step], part: int | None) -> Step:
    """Return a compiled step that uses so much of the memory that it would; its plan's figures are further measurements."""
    compiled = functools.partial(peers.load("wengert").compile, fullgraph=True)
    whole = None
    if part is not None:
        trial = compiled(make())
        while not trial.plans:
            trial()
        whole = trial.plan.memory()["arena"]
    step = compiled(make(), memory_budget=None if whole is None else whole // part)

    def run():
        return step()

    def figures() -> dict[str, float]:
        plan = step.plan
        if whole is None:
            return {"arena_bytes": float(plan.memory()["arena"])}
        fitting = plan.fitting
        return {"arena": fitting.used / whole, "again": float(len(fitting.copies)), "work_again": fitting.share}

    run.extra = figures
    return run


def _row(name: str, title: str, make: Callable[[], Step]) -> Row:
    return Row(
        name=name,
        title=title + ", compiled, in a part of its memory",
        contestants={who: functools.partial(_compiled, make, part) for who, part in _SHARES.items()},
        reference="wengert",
        rtol=0.0,
        full=True,
    )


ROWS = [
    _row("budget-gpt", "the step of gpt", lambda: gpt.step_of("wengert")),
    _row("budget-deep", "8 times linear 256, GELU, layer norm, dropout, batch 256, SGD step", _deep),
]
