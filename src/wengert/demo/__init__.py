"""What ``python -m wengert`` shows: a training run, the facts of this installation, and a few measurements."""


def duration(seconds: float) -> str:
    """Format a duration with a unit that leaves one to three digits before the point.

    Example:
        >>> duration(0.0123)
        '12.3 ms'
    """
    for unit, scale in (("s", 1.0), ("ms", 1e3), ("µs", 1e6)):
        if seconds * scale >= 1.0:
            return f"{seconds * scale:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"
