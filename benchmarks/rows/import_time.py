"""Import time above NumPy's own, in fresh interpreters."""

from __future__ import annotations

import os
import subprocess
import sys

from .. import peers
from ..harness import Row, SelfTimed


def _import(name: str) -> SelfTimed:
    peers.load(name)
    before = "" if name == "numpy" else "import numpy; "
    code = f"import time; {before}t = time.perf_counter(); import {name}; print(time.perf_counter() - t)"

    # Compiled modules are kept, as they are for users; the first measurement may make them.
    env = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}

    def measure() -> tuple[float, dict[str, float]]:
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env)
        return float(done.stdout.split()[-1]), {}

    return SelfTimed(measure)


ROWS = [
    Row(
        name="import",
        title="import in a fresh interpreter, NumPy already imported (NumPy: its own)",
        contestants={name: lambda name=name: _import(name) for name in ("wengert", "numpy", "torch", "autograd")},
        unit="import",
    )
]
