"""Common ops against torch, one by one, at about 100, 10,000 and 1,000,000 elements: where are we slower?

Run it with ``python -m benchmarks.sweep [beginnings of names]``. Every op is checked against torch before it is
timed; the table gives wengert's best time and how many times longer torch's best is (below 1: we are slower). Ops
whose name ends in ``+grad`` include the backward pass. Best times, since most of these are too short for medians on
a machine that does other work.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import sys
from collections.abc import Sequence
from typing import Any

from . import peers, sweep_cases, sweep_layers, sweep_moves, sweep_scope  # noqa: F401 (the cases enter the table)
from .harness import Options, Row, Step, run_row
from .sweep_data import CASES, Data
from .table import duration

SIZES = (100, 10_000, 1_000_000)


def _build(name: str, library: str, n: int) -> Step:
    return CASES[name](Data(peers.load(library), n))


def rows(names: Sequence[str], sizes: Sequence[int]) -> list[Row]:
    """Return the rows whose names begin with one of ``names`` (none given: all), for every size."""
    chosen = [name for name in CASES if not names or name.startswith(tuple(names))]
    return [
        Row(
            name=name,
            title=str(n),
            contestants={lib: functools.partial(_build, name, lib, n) for lib in ("wengert", "torch")},
            reference="torch",
            check_steps=1,
            rtol=2e-4,
        )
        for name in chosen
        for n in sizes
    ]


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sweep", description=__doc__.split("\n\n")[0])
    parser.add_argument("names", nargs="*", help="beginnings of names of cases (default: all)")
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)), help="numbers of elements, squares")
    parser.add_argument("--threads", type=int, default=1, help="threads of both libraries (default 1)")
    parser.add_argument("--seconds", type=float, default=0.1, help="for each op and library (default 0.1)")
    parser.add_argument("--slower", type=float, help="print only what takes more than this many times torch's time")
    parser.add_argument("--json", metavar="FILE", help="write the measurements to FILE")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the sweep and print the table; exit code 1 when values differ from torch's or a case breaks."""
    options = _arguments(argv)
    os.environ["OMP_NUM_THREADS"] = str(options.threads)
    sizes = [int(size) for size in options.sizes.split(",")]
    peers.limit_threads({"wengert", "torch"}, options.threads)
    how = Options(seconds=options.seconds, sample=0.003, peers=frozenset(("wengert", "torch")))
    found: dict[str, dict[str, Any]] = {}
    code = 0
    heads = "".join(f"{size:>12} x torch" for size in sizes)
    print(f"{'op':26}{heads}")
    for row in rows(options.names, sizes):
        line = found.setdefault(row.name, {})
        try:
            line[row.title] = run_row(row, how)["contestants"]
        except Exception as failure:  # Mismatch among them
            print(f"{row.name} {row.title}: {type(failure).__name__}: {failure}", file=sys.stderr, flush=True)
            code = 1
            line[row.title] = {}
        if row.title == str(sizes[-1]):
            cells = [line[str(size)] for size in sizes]
            ratios = [cell["torch"]["min"] / cell["wengert"]["min"] if cell else float("nan") for cell in cells]
            if options.slower is None or any(ratio < 1 / options.slower for ratio in ratios):
                times = [duration(cell["wengert"]["min"]) if cell else "-" for cell in cells]
                texts = "".join(f"{time:>12} {ratio:7.2f}" for time, ratio in zip(times, ratios, strict=True))
                print(f"{row.name:26}{texts}", flush=True)
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(found, file, indent=1)
    return code


if __name__ == "__main__":
    sys.exit(main())
