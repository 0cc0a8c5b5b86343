"""Timing of statements with statistics, as `torch.utils.benchmark`."""

import statistics
import timeit

import wengert

__all__ = ["Compare", "Measurement", "Timer"]

_UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "us"), (0.0, "ns"))


def _with_unit(seconds):
    scale, unit = next(pair for pair in _UNITS if seconds >= pair[0])
    return f"{seconds / (scale or 1e-9):.2f} {unit}"


class Measurement:
    """Times of one statement.

    Attributes:
        number_per_run: calls in each run.
        raw_times: seconds of each run.
        times: seconds of one call, for each run.
    """

    def __init__(self, number_per_run, raw_times, timer):
        self.number_per_run = number_per_run
        self.raw_times = list(raw_times)
        self.times = [t / number_per_run for t in self.raw_times]
        self.timer = timer

    @property
    def mean(self):
        """Mean seconds of a call."""
        return statistics.fmean(self.times)

    @property
    def median(self):
        """Median seconds of a call."""
        return statistics.median(self.times)

    @property
    def iqr(self):
        """Distance between the quartiles, in seconds of a call."""
        if len(self.times) < 2:
            return 0.0
        low, _, high = statistics.quantiles(self.times, n=4, method="inclusive")
        return high - low

    @property
    def title(self):
        """The label of the timer, or its statement."""
        parts = [self.timer.label or self.timer.stmt, self.timer.sub_label]
        return ": ".join(str(part) for part in parts if part)

    def __repr__(self):
        runs = len(self.times)
        lines = [f"{type(self).__module__}.Measurement", self.title]
        if self.timer.description:
            lines.append(str(self.timer.description))
        lines.append(f"  Median: {_with_unit(self.median)}" if runs > 1 else f"  {_with_unit(self.mean)}")
        if runs > 1:
            lines.append(f"  IQR:    {_with_unit(self.iqr)}")
        threads = self.timer.num_threads
        lines.append(
            f"  {runs} measurement{'s' * (runs > 1)}, {self.number_per_run} runs per measurement, "
            f"{threads} thread{'s' * (threads > 1)}"
        )
        return "\n".join(lines)


class Timer:
    """Times a statement on a given number of threads, after one call to warm up.

    Args:
        stmt, setup: Python text; setup runs once before each run.
        globals: names that the text may use.
        label, sub_label, description, env: words for the report.
        num_threads: threads of large kernels while the clock runs.

    Example:
        >>> import wengert
        >>> from wengert.utils import benchmark
        >>> timer = benchmark.Timer("x + x", globals={"x": wengert.ones(3)})
        >>> 0 < timer.timeit(100).mean < 1
        True
    """

    def __init__(
        self, stmt="pass", setup="pass", global_setup="", timer=timeit.default_timer, globals=None, label=None,
        sub_label=None, description=None, env=None, num_threads=1, language="python",
    ):  # fmt: skip
        if str(language).lower().rpartition(".")[2] not in ("python", "py"):
            raise ValueError(f"Timer: expected a statement in Python, got language={language!r}.")
        self.stmt, self.label, self.sub_label = stmt, label, sub_label
        self.description, self.env, self.num_threads = description, env, num_threads
        names = {"wengert": wengert, "torch": wengert} | dict(globals or {})
        self._timer = timeit.Timer(stmt, setup, timer, names)

    def _times(self, number, runs):
        before = wengert.get_num_threads()
        wengert.set_num_threads(self.num_threads)
        try:
            return [self._timer.timeit(number) for _ in range(runs)]
        finally:
            wengert.set_num_threads(before)

    def timeit(self, number=1000000):
        """One run of `number` calls, as a Measurement."""
        self._times(max(number // 100, 2), 1)
        return Measurement(number, self._times(number, 1), self)

    def blocked_autorange(self, callback=None, min_run_time=0.2):
        """Runs of equally many calls until `min_run_time` seconds have gone by, as a Measurement.

        Args:
            callback: called with (calls, seconds) of each run.
            min_run_time: seconds.
        """
        number = 1
        while True:  # as many calls as need a hundredth of the time, so that the clock's own cost disappears
            (seconds,) = self._times(number, 1)
            if seconds * 100 >= min_run_time or number >= 10**9:
                break
            number *= 10 if seconds * 1000 < min_run_time else 2
        times = []
        while sum(times) < min_run_time:
            (seconds,) = self._times(number, 1)
            if callback is not None:
                callback(number, seconds)
            times.append(seconds)
        return Measurement(number, times, self)

    def adaptive_autorange(self, threshold=0.1, *, min_run_time=0.01, max_run_time=10.0, callback=None):
        """As blocked_autorange, going on until the quartiles are within `threshold` of the median."""
        found = self.blocked_autorange(callback, min_run_time)
        while sum(found.raw_times) < max_run_time and (
            len(found.times) < 4 or found.iqr > threshold * found.median
        ):
            more = self._times(found.number_per_run, 1)
            found = Measurement(found.number_per_run, found.raw_times + more, self)
        return found


class Compare:
    """A table of measurements: a row for each sub-label and number of threads, a column for each description.

    Args:
        results: Measurements.
    """

    def __init__(self, results):
        self._results = list(results)

    def extend_results(self, results):
        """Adds measurements."""
        self._results.extend(results)

    def trim_significant_figures(self):
        """Accepted: two decimals are shown in any case."""

    def colorize(self, rowwise=False):
        """Accepted: the table is plain text."""

    def __str__(self):
        columns = list(dict.fromkeys(str(m.timer.description or "time") for m in self._results))
        rows = {}
        for m in self._results:
            key = (m.timer.label or "", m.timer.sub_label or m.timer.stmt, m.timer.num_threads)
            rows.setdefault(key, {})[str(m.timer.description or "time")] = _with_unit(m.median)
        cells = [["", "threads", *columns]]
        for (label, name, threads), values in rows.items():
            head = f"{label}: {name}" if label else str(name)
            cells.append([head, str(threads), *[values.get(c, "") for c in columns]])
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines = ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in cells]
        return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])

    def print(self):
        """Prints the table."""
        print(self)
