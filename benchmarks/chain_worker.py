"""Build, differentiate and free one long chain, and print what it took as JSON (used by the chain rows)."""

from __future__ import annotations

import json
import resource
import sys
import time


def _resident() -> int:
    """Return the resident memory in bytes; where the system has no /proc, its peak so far."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * resource.getpagesize()
    except OSError:
        return _peak_resident()


def _peak_resident() -> int:
    """Return the peak resident memory in bytes.

    Linux hands getrusage's peak on from the process that started this one; its own is in /proc. Elsewhere getrusage
    counts kilobytes, on macOS bytes.
    """
    try:
        with open("/proc/self/status", encoding="ascii") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("VmHWM:")) * 1024
    except (OSError, StopIteration):
        pass
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def measure(name: str, length: int) -> dict[str, float]:
    """Run z ← z + y ``length`` times from z = y, backward, and release the graph.

    Args:
        name: "wengert", "torch" or "pure".
        length: number of operations.

    Returns:
        Seconds of the three phases, peak megabytes above the start, and bytes for each node: of the graph when it is
        built, and at the peak of the backward pass (order and gradients included).
    """
    if name == "pure":
        from wengert._pure import Value

        y = Value(0.5)
    elif name == "torch":
        import torch

        torch.set_num_threads(1)
        y = torch.tensor(0.5, requires_grad=True)
    else:
        import wengert

        y = wengert.tensor(0.5, requires_grad=True)
    warm = y + y
    warm.backward()
    del warm
    y.grad = 0.0 if name == "pure" else None
    start_memory = _resident()
    start = time.perf_counter()
    z = y
    for _ in range(length):
        z = z + y
    built = time.perf_counter()
    graph = _resident() - start_memory
    begin = time.perf_counter()
    z.backward()
    done = time.perf_counter()
    gradient = float(y.grad)
    last = time.perf_counter()
    del z
    freed = time.perf_counter()
    # float32 counts exactly up to 2^24 only, which both lengths respect.
    if gradient != length + 1:
        raise SystemExit(f"chain: expected a gradient of {length + 1}, got {gradient}")
    used = _peak_resident() - start_memory
    return {
        "build_s": built - start,
        "backward_s": done - begin,
        "free_s": freed - last,
        "peak_mb": used / 1e6,
        "bytes_per_node": graph / length,
        "peak_bytes_per_node": used / length,
    }


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], int(sys.argv[2]))))
