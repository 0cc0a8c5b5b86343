"""Compare two runs of the same machine: ``python -m benchmarks.compare before.json after.json``."""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from .table import duration


def pairs(before: dict[str, Any], after: dict[str, Any], contestant: str) -> Iterator[tuple[str, dict, dict]]:
    """Yield (row, result before, result after) for every row that a contestant ran in both reports."""
    old = {row["name"]: row.get("contestants", {}) for row in before["rows"]}
    for row in after["rows"]:
        first, second = old.get(row["name"], {}).get(contestant), row.get("contestants", {}).get(contestant)
        if first and second:
            yield row["name"], first, second


def verdict(first: dict[str, float], second: dict[str, float], margin: float) -> str:
    """Return "slower", "faster" or "" for a pair of results.

    A change counts when it exceeds the margin and also the noise: half the sum of the two interquartile ranges.
    """
    change = second["median"] - first["median"]
    noise = 0.5 * (first["iqr"] + second["iqr"])
    if abs(change) <= max(margin * first["median"], noise):
        return ""
    return "slower" if change > 0 else "faster"


def main(argv: Sequence[str] | None = None) -> int:
    """Print the comparison; return 1 when a row became slower than the margin allows or failed its check."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.compare",
        description="Compare two JSON reports of python -m benchmarks.",
        epilog="Exit codes: 0 nothing slower, 1 something slower or failed, 2 not comparable or wrong arguments.",
    )
    parser.add_argument("before", help="report of the older commit")
    parser.add_argument("after", help="report of the newer commit")
    parser.add_argument("--margin", type=float, default=0.10, help="tolerated slowdown, 0.10 = 10 %% (default)")
    parser.add_argument("--contestant", default="wengert", help="whose times are compared (default wengert)")
    parser.add_argument("--any-machine", action="store_true", help="compare although the machines differ")
    options = parser.parse_args(argv)
    reports = []
    for path in (options.before, options.after):
        with open(path, encoding="utf-8") as file:
            reports.append(json.load(file))
    before, after = reports
    for key in ("machine", "options"):
        if before[key] != after[key] and not options.any_machine:
            print(f"compare: expected the same {key}, got {before[key]} and {after[key]}.", file=sys.stderr)
            print(
                "compare: measure both on one machine with the same options, or pass --any-machine.",
                file=sys.stderr,
            )
            return 2
    print(f"{options.contestant}: {before['commit']} -> {after['commit']}, margin {100 * options.margin:.0f} %")
    worse = 0
    logs = []
    for name, first, second in pairs(before, after, options.contestant):
        ratio = second["median"] / first["median"]
        word = verdict(first, second, options.margin)
        worse += word == "slower"
        logs.append(math.log(ratio))
        print(f"{name:26} {duration(first['median']):>9} -> {duration(second['median']):>9}  {ratio:6.3f}  {word}")
    failed = [row for row in after["rows"] if "failed" in row]
    for row in failed:
        print(f"{row['name']:26} failed: {row['failed']}")
    if logs:
        print(f"{len(logs)} rows, geometric mean {math.exp(sum(logs) / len(logs)):.3f}, {worse} slower")
    else:
        print(f"no row was run by {options.contestant} in both reports")
    return 1 if worse or failed else 0


if __name__ == "__main__":
    sys.exit(main())
