"""What a second thread is worth: ``python -m benchmarks.two_threads``.

Each workload runs with one thread and with two in turn, and once more while a process keeps the second core busy.
On a quiet machine two threads should be at least 1.6 times as fast as one, and with a busy second core at most 10 %
slower. Whether the machine was quiet is measured as well: processors that other programs used meanwhile are not ours to
judge by.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence

from . import peers
from .rows import all_rows

_WORKLOADS = ("gpt", "elementwise-1e7")
_BUSY = "while True: pass"
_QUIET_GAIN, _BUSY_GAIN = 1.6, 0.9  # what is asked for
_OTHERS = 0.15  # processors' worth of other programs above which nothing is judged


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


def _seconds_of(pid: int) -> float:
    """Return the processor time that a process has taken; 0 where the system does not say."""
    try:
        with open(f"/proc/{pid}/stat") as f:
            fields = f.read().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Others:
    """Processors' worth of work that other programs do between its making and `load()`; 0 where the system does not say."""

    def __init__(self):
        self._start = self._read()

    @staticmethod
    def _read() -> tuple[float, float, float]:
        try:
            with open("/proc/stat") as f:
                user, nice, system, _idle, _wait, irq, soft, steal = map(int, f.readline().split()[1:9])
        except (OSError, ValueError):
            return 0.0, 0.0, time.perf_counter()
        own = os.times()
        busy = (user + nice + system + irq + soft + steal) / os.sysconf("SC_CLK_TCK")
        return busy, own.user + own.system, time.perf_counter()

    def load(self, child: int | None = None) -> float:
        """Return the load since the start, without this process and a child that was started after it."""
        busy, own, now = (after - before for after, before in zip(self._read(), self._start, strict=True))
        return max(0.0, (busy - own - (_seconds_of(child) if child else 0.0)) / now)


def verdict(found: float, asked: float, others: float) -> str:
    """Return "ok", "too slow", or "machine busy" where too little was found while other programs ran."""
    if found >= asked:
        return "ok"
    return "machine busy" if others > _OTHERS else "too slow"


def main(argv: Sequence[str] | None = None) -> int:
    """Print the gains and return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.two_threads",
        description="Measure what a second thread is worth, on a quiet machine and with a busy second core.",
        epilog="Exit codes: 0 as asked, or the machine was too busy to tell; 1 a budget is missed; 2 wrong arguments.",
    )
    parser.add_argument("names", nargs="*", default=_WORKLOADS, help="rows (default: gpt, elementwise-1e7)")
    parser.add_argument("--rounds", type=int, default=7, help="pairs of measurements (default 7)")
    options = parser.parse_args(argv)
    set_threads = peers.load("wengert").set_num_threads
    rows = {row.name: row for row in all_rows()}
    missed = False
    for name in options.names:
        for contestant in ("wengert", "wengert plan"):
            if contestant not in rows[name].contestants:
                continue
            step = rows[name].contestants[contestant]()
            for _ in range(4):
                step()
            others = Others()
            quiet = gain(step, set_threads, options.rounds)
            judged = [verdict(quiet, _QUIET_GAIN, others.load())]
            others = Others()
            with subprocess.Popen([sys.executable, "-c", _BUSY]) as busy:
                try:
                    beside = gain(step, set_threads, options.rounds)
                    judged.append(verdict(beside, _BUSY_GAIN, others.load(busy.pid)))
                finally:
                    busy.kill()
            missed = missed or "too slow" in judged
            print(
                f"{name:18} {contestant:14} two threads: {quiet:.2f}x (>= {_QUIET_GAIN}, {judged[0]}), "
                f"busy: {beside:.2f}x (>= {_BUSY_GAIN}, {judged[1]})",
                flush=True,
            )
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
