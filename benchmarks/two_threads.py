"""What a second thread is worth: ``python -m benchmarks.two_threads``.

Each workload runs with one thread and with two in turn, and once more while a process keeps the second core busy.
On a quiet machine two threads should be at least 1.6 times as fast as one, and with a busy second core at most 10 %
slower. All of it happens on two processors, of different cores where there are two: with a third one free, no second
core would be busy. Whether they were quiet is measured as well: what other programs used of them meanwhile is not ours
to judge by.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence

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


def _core(processor: int) -> str:
    """Return a text that the processors of one core have in common; their own number where the system does not say."""
    try:
        with open(f"/sys/devices/system/cpu/cpu{processor}/topology/thread_siblings_list") as f:
            return f.read()
    except OSError:
        return str(processor)


def two_processors(allowed: Iterable[int], core: Callable[[int], str] = _core) -> list[int]:
    """Return two processors of different cores, or two of one core where there is only one, or what there is."""
    by_core: dict[str, list[int]] = {}
    for processor in sorted(allowed):
        by_core.setdefault(core(processor), []).append(processor)
    apart = [found[0] for found in by_core.values()]
    together = [processor for found in by_core.values() for processor in found]
    return apart[:2] if len(apart) > 1 else together[:2]


@contextlib.contextmanager
def on_two_processors() -> Iterator[list[int]]:
    """Keep this process, its threads and children to two processors; an empty list where the system has no such thing."""
    if not hasattr(os, "sched_setaffinity"):
        yield []
        return
    before = os.sched_getaffinity(0)
    chosen = two_processors(before)
    os.sched_setaffinity(0, chosen)
    try:
        yield chosen
    finally:
        os.sched_setaffinity(0, before)


class Others:
    """Processors' worth of work that other programs do on some processors between its making and `load()`.

    0 where the system does not say. Without processors it is about all of them.
    """

    def __init__(self, processors: Sequence[int] = ()):
        self._names = {f"cpu{number}" for number in processors} or {"cpu"}
        self._began = time.perf_counter()  # before the reading, which others may interrupt
        self._start = self._read()

    def _read(self) -> tuple[float, float]:
        ticks = 0
        try:
            with open("/proc/stat") as f:
                for line in itertools.takewhile(lambda line: line.startswith("cpu"), f):
                    name, *fields = line.split()
                    if name in self._names:
                        user, nice, system, _idle, _wait, irq, soft, steal = map(int, fields[:8])
                        ticks += user + nice + system + irq + soft + steal
        except (OSError, ValueError):
            return 0.0, 0.0
        own = os.times()
        return ticks / os.sysconf("SC_CLK_TCK"), own.user + own.system

    def load(self, child: int | None = None) -> float:
        """Return the load since the start, without this process and a child that was started after it."""
        busy, own = (after - before for after, before in zip(self._read(), self._start, strict=True))
        took = time.perf_counter() - self._began
        return max(0.0, (busy - own - (_seconds_of(child) if child else 0.0)) / took)


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
    with on_two_processors() as processors:
        if len(processors) == 2 and _core(processors[0]) == _core(processors[1]):
            print(
                "There is one core with two processors, which share its units; the limits are meant for two cores."
            )
        return int(_missed(options.names, options.rounds, processors))


def _missed(names: Sequence[str], rounds: int, processors: Sequence[int]) -> bool:
    """Measure rows and print what is found; return whether a budget is missed."""
    set_threads = peers.load("wengert").set_num_threads
    rows = {row.name: row for row in all_rows()}
    missed = False
    for name in names:
        for contestant in ("wengert", "wengert plan"):
            if contestant not in rows[name].contestants:
                continue
            step = rows[name].contestants[contestant]()
            for _ in range(4):
                step()
            others = Others(processors)
            quiet = gain(step, set_threads, rounds)
            judged = [verdict(quiet, _QUIET_GAIN, others.load())]
            others = Others(processors)
            with subprocess.Popen([sys.executable, "-c", _BUSY]) as busy:
                try:
                    beside = gain(step, set_threads, rounds)
                    judged.append(verdict(beside, _BUSY_GAIN, others.load(busy.pid)))
                finally:
                    busy.kill()
            missed = missed or "too slow" in judged
            print(
                f"{name:18} {contestant:14} two threads: {quiet:.2f}x (>= {_QUIET_GAIN}, {judged[0]}), "
                f"busy: {beside:.2f}x (>= {_BUSY_GAIN}, {judged[1]})",
                flush=True,
            )
    return missed


if __name__ == "__main__":
    sys.exit(main())
