"""Command line: run the rows, print the table, write the JSON."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import traceback
from collections.abc import Sequence


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Time wengert and its peers on the same workloads, after checking that they agree.",
        epilog="Exit codes: 0 success, 1 a contestant differs from the reference or breaks, 2 wrong arguments.",
    )
    parser.add_argument("names", nargs="*", help="rows, or beginnings of their names (default: all)")
    parser.add_argument(
        "--peers",
        default="numpy,pure",
        help="comma-separated from numpy, pure, torch, torch.compile, jax, autograd (default numpy,pure)",
    )
    parser.add_argument("--quick", action="store_true", help="short samples: everything runs, numbers are noisy")
    parser.add_argument("--full", action="store_true", help="include the rows that need minutes or gigabytes")
    parser.add_argument("--threads", type=int, default=1, help="threads of every library (default 1)")
    parser.add_argument("--json", metavar="FILE", help="write the measurements to FILE")
    parser.add_argument("--list", action="store_true", help="print the names of the rows and stop")
    options = parser.parse_args(argv)
    if options.threads < 1:
        parser.error(f"--threads: expected a number >= 1, got {options.threads}")
    return options


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmarks and return the exit code."""
    options = _arguments(argv)
    # NumPy's BLAS and jax read these once, when they are loaded: everything that imports NumPy is imported below.
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NPROC"):
        os.environ[variable] = str(options.threads)
    from . import machine, peers
    from .harness import Mismatch, Options, run_row
    from .rows import all_rows
    from .table import print_row

    chosen = frozenset(options.peers.split(",")) - {""} | {"wengert"}
    unknown = chosen - set(peers.PEERS)
    if unknown:
        print(f"benchmarks: unknown peers {sorted(unknown)}; known: {', '.join(peers.PEERS)}", file=sys.stderr)
        return 2
    rows = [row for row in all_rows() if options.full or not row.full or row.name.startswith(tuple(options.names))]
    if not options.names:
        # Rows that only compare with peers that were not asked for say nothing.
        rows = [row for row in rows if {peers.peer_of(name) for name in row.contestants} & (chosen - {"wengert"})]
    if options.names:
        for name in options.names:
            if not any(row.name.startswith(name) for row in rows):
                print(f"benchmarks: no row begins with {name!r}; see --list", file=sys.stderr)
                return 2
        rows = [row for row in rows if row.name.startswith(tuple(options.names))]
    if options.list:
        for row in rows:
            print(f"{row.name:24} {row.title}")
        return 0
    peers.limit_threads(set(chosen), options.threads)
    how = Options.quick(chosen) if options.quick else Options(peers=chosen)
    report = {
        "format": 1,
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "machine": machine.describe(),
        "versions": peers.versions(set(chosen)),
        "commit": machine.commit(),
        "options": {"quick": options.quick, "threads": options.threads, "peers": sorted(chosen)},
        "rows": [],
    }
    started = time.perf_counter()
    code = 0
    for row in rows:
        failure = ""
        try:
            record = run_row(row, how)
        except Mismatch as mismatch:
            failure = str(mismatch)
            print(f"{failure}\n", file=sys.stderr, flush=True)
        except Exception as error:  # one broken contestant must not cost the measurements of the other rows
            failure = f"{type(error).__name__}: {error}"
            print(f"{row.name} broke down:\n{traceback.format_exc()}", file=sys.stderr, flush=True)
        if failure:
            report["rows"].append({"name": row.name, "title": row.title, "failed": failure})
            code = 1
            continue
        report["rows"].append(record)
        print_row(record)
    took = time.perf_counter() - started
    print(f"{len(rows)} rows in {took:.0f} s, {options.threads} thread(s), {report['versions']}")
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(report, file, indent=1)
    return code


if __name__ == "__main__":
    sys.exit(main())
