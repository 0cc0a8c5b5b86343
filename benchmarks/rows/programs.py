"""The training programs of `examples/` and `tests/programs/`, each whole: twenty steps of training with all around them.

The programs draw their own weights, and generators differ: what they compute is compared elsewhere, from the same
random numbers, by `tests/test_programs.py`. Here their losses must be finite.
"""

from __future__ import annotations

import contextlib
import importlib.util
import math
import os
import sys
import warnings
from pathlib import Path

from .. import peers
from ..harness import Row, Step

_ROOT = Path(__file__).resolve().parents[2]
_STEPS = 20


def _programs() -> list[Path]:
    found = [path for folder in ("examples", "tests/programs") for path in sorted((_ROOT / folder).glob("*.py"))]
    return [path for path in found if "def main(steps" in path.read_text(encoding="utf-8")]


def _build(path: Path, library: str) -> Step:
    """Load the program with a library for torch; a step runs its `main`."""
    if library == "torch" and "torch.compile" in path.read_text(encoding="utf-8"):
        raise peers.Unavailable("compiling takes minutes, and a C++ compiler")
    if "from example_data import" in path.read_text(encoding="utf-8"):
        beside = Path(os.environ.get("WENGERT_DATA", _ROOT.parent / "shared" / "data"))
        if not beside.is_dir():
            raise peers.Unavailable("its data set is not installed")
    module = peers.load(library)
    spec = importlib.util.spec_from_file_location(f"{path.stem}_{library}", path)
    program = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = program  # dataclasses and workers look it up
    sys.path.insert(0, str(path.parent))
    try:
        with module.as_torch() if library == "wengert" else contextlib.nullcontext():
            spec.loader.exec_module(program)
    finally:
        sys.path.remove(str(path.parent))

    def step() -> float:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            losses = program.main(_STEPS)
        assert all(math.isfinite(loss) for loss in losses), path.stem
        return losses[-1]

    return step


ROWS = [
    Row(
        name=f"program-{path.stem.replace('_', '-')}",
        title=f"{path.relative_to(_ROOT)}, {_STEPS} steps with all around them",
        contestants={name: lambda path=path, name=name: _build(path, name) for name in ("wengert", "torch")},
        unit="run",
        full=True,
    )
    for path in _programs()
]
