"""The table on the terminal."""

from __future__ import annotations

from typing import Any


def duration(seconds: float) -> str:
    """Format a duration with three digits and a unit.

    Example:
        >>> duration(2.5e-6)
        '2.5 µs'
    """
    for unit, scale in (("s", 1.0), ("ms", 1e3), ("µs", 1e6)):
        value = seconds * scale
        if value >= 0.9995:
            return f"{value:.0f} {unit}" if value >= 99.5 else f"{value:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"


def print_row(record: dict[str, Any]) -> None:
    """Print a row: its title, then a line for each contestant with median, spread and ratio to wengert."""
    print(f"{record['name']}: {record['title']}, per {record['unit']}")
    for name, result in record["contestants"].items():
        spread = 100 * result["iqr"] / result["median"] if result["median"] else 0.0
        ratio = f"{result['ratio']:9.3g}x" if "ratio" in result else " " * 10
        extra = "".join(f"   {key} {value:,.4g}" for key, value in result["extra"].items())
        print(f"    {name:14} {duration(result['median']):>9}  ±{spread:3.0f} %  {ratio}{extra}")
    for name, reason in record["absent"].items():
        print(f"    {name:14} not run: {reason}")
    print(flush=True)
