"""Chains of a million and of ten million operations: time, memory and depth, each in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from .. import peers
from ..harness import Row, SelfTimed

_ROOT = Path(__file__).resolve().parents[2]


def _chain(name: str, length: int) -> SelfTimed:
    if name == "pure":
        peers.load("wengert._pure")
    else:
        peers.load(name)

    def measure() -> tuple[float, dict[str, float]]:
        command = [sys.executable, "-m", "benchmarks.chain_worker", name, str(length)]
        done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True)
        if done.returncode:
            raise peers.Unavailable(f"{name} failed with code {done.returncode}: {done.stderr.strip()[-200:]}")
        found = json.loads(done.stdout)
        return found["build_s"] + found["backward_s"] + found["free_s"], found

    return SelfTimed(measure)


def _row(name: str, length: int, contestants: tuple[str, ...], full: bool) -> Row:
    return Row(
        name=name,
        title=f"chain of {length:,} scalar ops: build, backward, free",
        contestants={peer: lambda peer=peer: _chain(peer, length) for peer in contestants},
        unit="chain",
        full=full,
    )


ROWS = [
    _row("chain-1e6", 10**6, ("wengert", "pure", "torch"), False),
    _row("chain-1e7", 10**7, ("wengert",), True),
]
