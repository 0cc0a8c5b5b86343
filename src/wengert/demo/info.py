"""What this installation is made of: versions, instruction set, threads, memory, build flags."""

from __future__ import annotations

import os
import platform
import sys


def collect() -> dict[str, str]:
    """Return the facts that a bug report or a benchmark needs, by name, as printable text.

    Example:
        >>> sorted(collect())[:3]
        ['build flags', 'cores', 'instruction set']
    """
    import numpy

    import wengert
    from wengert import _core

    flags = _core.build_flags()
    facts = {
        "wengert": wengert.__version__,
        "python": f"{platform.python_version()} ({platform.python_implementation()})",
        "numpy": numpy.__version__,
        "platform": platform.platform(),
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "instruction set": str(_core.isa()),
        "threads": str(wengert.get_num_threads()),
        "memory": _memory(),
        "build flags": ", ".join(f"{name}={value}" for name, value in flags.items()),
        "location": os.path.dirname(wengert.__file__),
    }
    return facts


def _processor() -> str:
    """Return the name of the processor as the system knows it."""
    if sys.platform == "linux":
        try:
            with open("/proc/cpuinfo", encoding="utf-8") as lines:
                for line in lines:
                    if line.startswith("model name"):
                        return line.split(":", 1)[1].strip()
        except OSError:
            pass  # a sandbox may hide it; the portable answer below then stands
    return platform.processor() or platform.machine()


def _memory() -> str:
    """Return the size of the physical memory, where the system tells."""
    try:
        return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.1f} GiB"
    except (AttributeError, ValueError, OSError):
        return "unknown"


def run() -> None:
    """Print the facts, one a line."""
    facts = collect()
    width = max(map(len, facts))
    for name, value in facts.items():
        print(f"{name:{width}}  {value}")
