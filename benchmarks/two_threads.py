"""What a second thread is worth: ``python -m benchmarks.two_threads``.

Each workload runs with one thread and with two in turn, and once more while a process keeps the second core busy.
On a quiet machine two threads should be at least 1.6 times as fast as one, and with a busy second core at most 10 %
slower.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence

from . import peers
from .rows import all_rows

_WORKLOADS = ("gpt", "elementwise-1e7")
_BUSY = "while True: pass"


def _seconds(step: Callable[[], object]) -> float:
    start = time.perf_counter()
    step()
    return time.perf_counter() - start


def gain(step: Callable[[], object], set_threads: Callable[[int], None], rounds: int) -> float:
    """Return time with one thread over time with two: the median over rounds of neighbouring measurements."""
    ratios = []
    for _ in range(rounds):
        times = []
        for threads in (1, 2):
            set_threads(threads)
            step()  # wakes the workers
            times.append(_seconds(step))
        ratios.append(times[0] / times[1])
    return statistics.median(ratios)


def main(argv: Sequence[str] | None = None) -> int:
    """Print the gains and return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.two_threads",
        description="Measure what a second thread is worth, on a quiet machine and with a busy second core.",
        epilog="Exit codes: 0 always; the figures inform, since they depend on what else the machine does.",
    )
    parser.add_argument("names", nargs="*", default=_WORKLOADS, help="rows (default: gpt, elementwise-1e7)")
    parser.add_argument("--rounds", type=int, default=7, help="pairs of measurements (default 7)")
    options = parser.parse_args(argv)
    set_threads = peers.load("wengert").set_num_threads
    rows = {row.name: row for row in all_rows()}
    for name in options.names:
        for contestant in ("wengert", "wengert plan"):
            if contestant not in rows[name].contestants:
                continue
            step = rows[name].contestants[contestant]()
            for _ in range(4):
                step()
            quiet = gain(step, set_threads, options.rounds)
            with subprocess.Popen([sys.executable, "-c", _BUSY]) as busy:
                try:
                    beside = gain(step, set_threads, options.rounds)
                finally:
                    busy.kill()
            print(
                f"{name:18} {contestant:14} two threads: {quiet:.2f}x (>= 1.6), busy: {beside:.2f}x (>= 0.9)",
                flush=True,
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
