"""Line charts as SVG: small, printable, coloured by the page's custom properties."""

import math
from html import escape

from ._summary import number

WIDTH, HEIGHT = 520, 180
LEFT, RIGHT, TOP, BOTTOM = 64, 10, 18, 22
LOG_FROM = 100  # positive values that span more than this factor are drawn on a logarithmic scale


class Series:
    """Numbers over steps in bounded memory: beyond `limit` points neighbours are averaged, again and again.

    Attributes:
        steps, values: the points; the step of an averaged point is its last one.
        last, best, count: the newest number, the smallest finite one, and how many there were.
        broken: the first step whose number was not finite, or None.
    """

    def __init__(self, limit=512):
        if limit < 2:
            raise ValueError(f"Series: expected a limit of at least 2, got {limit}.")
        self.limit = limit
        self.steps, self.values = [], []
        self.last, self.best, self.count, self.broken = math.nan, math.inf, 0, None
        self._stride = 1  # numbers that make one point
        self._sum, self._held = 0.0, 0

    def add(self, step, value):
        """One more number. One that is not finite is counted, and not drawn."""
        self.count += 1
        self.last = value
        if not math.isfinite(value):
            if self.broken is None:
                self.broken = step
            return
        self.best = min(self.best, value)
        self._sum += value
        self._held += 1
        if self._held < self._stride:
            return
        self.steps.append(step)
        self.values.append(self._sum / self._held)
        self._sum, self._held = 0.0, 0
        if len(self.values) >= self.limit:
            self.steps = self.steps[1::2]
            self.values = [(a + b) / 2 for a, b in zip(self.values[::2], self.values[1::2], strict=False)]
            self._stride *= 2

    def points(self):
        """Pairs (step, value), with the newest number, which may not have been drawn yet."""
        return list(zip(self.steps, self.values, strict=True))


def chart(title, series):
    """A chart as SVG.

    Args:
        series: a Series.
    """
    points = series.points()
    name = escape(title)
    if not points:
        return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{name}: no number yet"></svg>'
    xs, ys = [p[0] for p in points], [p[1] for p in points]
    low, high = min(ys), max(ys)
    log = low > 0 and high > LOG_FROM * low
    unit = max(abs(low), abs(high)) or 1.0  # differences of numbers in this unit do not overflow
    scale = math.log10 if log else (lambda y: y / unit)
    bottom, top = scale(low), scale(high)
    if top - bottom < 1e-12 * max(abs(top), 1e-300):
        room = abs(top) * 0.1 or 1.0
        bottom, top = bottom - room, top + room
    first, last = xs[0], max(xs[-1], xs[0] + 1)

    def place(x, y):
        across = LEFT + (x - first) / (last - first) * (WIDTH - LEFT - RIGHT)
        down = TOP + (top - scale(y)) / (top - bottom) * (HEIGHT - TOP - BOTTOM)
        return across, down

    line = " ".join(f"{a:.1f},{b:.1f}" for a, b in (place(x, y) for x, y in points))
    parts = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{name}: {number(series.last)} at last, '
        f'{number(low)} to {number(high)}">'
    ]
    for k in range(4):
        level = bottom + (top - bottom) * k / 3
        down = TOP + (HEIGHT - TOP - BOTTOM) * (3 - k) / 3
        shown = tick(10**level if log else level * unit)
        parts.append(f'<line x1="{LEFT}" y1="{down:.1f}" x2="{WIDTH - RIGHT}" y2="{down:.1f}" class="rule"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{down + 4:.1f}" text-anchor="end">{shown}</text>')
    for x, anchor in ((first, "start"), (last, "end")):
        across = LEFT if anchor == "start" else WIDTH - RIGHT
        parts.append(f'<text x="{across}" y="{HEIGHT - 6}" text-anchor="{anchor}">{x:,}</text>')
    if log:
        parts.append(f'<text x="{WIDTH - RIGHT}" y="{TOP - 6}" text-anchor="end">logarithmic</text>')
    parts.append(f'<polyline points="{line}" class="line"/>')
    across, down = place(*points[-1])
    parts.append(f'<circle cx="{across:.1f}" cy="{down:.1f}" r="3" class="dot"/></svg>')
    return "".join(parts)


def tick(value):
    """A number at a scale: three digits."""
    return f"{value:.3g}".replace("e-0", "e-").replace("e+0", "e")


def sparkline(series, width=120, height=22):
    """A line without axes, for tables."""
    points = series.points()
    if len(points) < 2:
        return ""
    ys = [y for _, y in points]
    low, span = min(ys), (max(ys) - min(ys)) or 1.0
    first, steps = points[0][0], (points[-1][0] - points[0][0]) or 1
    line = " ".join(
        f"{1 + (x - first) / steps * (width - 2):.1f},{1 + (low + span - y) / span * (height - 2):.1f}"
        for x, y in points
    )
    frame = f'<svg viewBox="0 0 {width} {height}" class="spark" aria-hidden="true">'
    return f'{frame}<polyline points="{line}" class="line"/></svg>'
