"""What a profile has seen, and tables of it."""

import json

from ..graph._graph import align

SORTS = (
    "self_cpu_time_total",
    "cpu_time_total",
    "cpu_time",
    "count",
    "cpu_memory_usage",
    "self_cpu_memory_usage",
)


class FunctionEvent:
    """One run of an op, of a node of a backward pass, or of a `record_function` block. Times in microseconds.

    Attributes:
        name: the op, the node (MulBackward0), or the block.
        kind: "op", "backward" or "range".
        start, cpu_time_total: when it began, from the beginning of the profile, and how long it took.
        self_cpu_time_total: that without what ran inside.
        self_cpu_memory_usage: bytes of its results; cpu_memory_usage: with those of what ran inside.
        input_shapes: where shapes were asked for, else an empty list.
    """

    __slots__ = (
        "cpu_memory_usage",
        "cpu_time_total",
        "input_shapes",
        "kind",
        "name",
        "self_cpu_memory_usage",
        "self_cpu_time_total",
        "start",
    )

    count = 1

    def __init__(self, name, kind, start, duration, memory, shapes):
        self.name = name
        self.kind = kind
        self.start = start
        self.cpu_time_total = self.self_cpu_time_total = duration
        self.cpu_memory_usage = self.self_cpu_memory_usage = memory
        self.input_shapes = shapes

    @property
    def key(self):
        """The name."""
        return self.name

    @property
    def cpu_time(self):
        """The time of one run."""
        return self.cpu_time_total

    def __repr__(self):
        return f"<FunctionEvent {self.name}: {self.cpu_time_total:.3f} us>"


class FunctionEventAvg:
    """All runs under one name (and, where asked, of one set of shapes). Times in microseconds, memory in bytes."""

    def __init__(self, key, shapes):
        self.key = key
        self.input_shapes = shapes
        self.count = 0
        self.cpu_time_total = self.self_cpu_time_total = 0.0
        self.cpu_memory_usage = self.self_cpu_memory_usage = 0

    def add(self, event):
        """Counts one more run."""
        self.count += event.count
        for name in ("cpu_time_total", "self_cpu_time_total", "cpu_memory_usage", "self_cpu_memory_usage"):
            setattr(self, name, getattr(self, name) + getattr(event, name))
        return self

    @property
    def cpu_time(self):
        """The mean time of a run."""
        return self.cpu_time_total / self.count if self.count else 0.0

    def __repr__(self):
        return f"<FunctionEventAvg {self.key}: {self.count} runs, {self.cpu_time_total:.3f} us>"


class EventList(list):
    """Events or averages; prints as a table."""

    def key_averages(self, group_by_input_shape=False):
        """One FunctionEventAvg for each name.

        Args:
            group_by_input_shape: runs on other shapes count apart; needs record_shapes=True.
        """
        found = {}
        for event in self:
            shapes = event.input_shapes if group_by_input_shape else []
            key = (event.key, str(shapes))
            found.setdefault(key, FunctionEventAvg(event.key, shapes)).add(event)
        return EventList(found.values())

    def total_average(self):
        """Everything together, as one FunctionEventAvg; its self times add up to the whole."""
        total = FunctionEventAvg("Total", [])
        for event in self:
            total.add(event)
        return total

    def table(self, sort_by=None, row_limit=100, header=None, max_name_column_width=55):
        """A table as text, a row for each entry.

        Args:
            sort_by: what is largest first: "self_cpu_time_total", "cpu_time_total", "cpu_time", "count",
                "cpu_memory_usage" or "self_cpu_memory_usage". None: the order of first runs.
            row_limit: the most rows; -1 for all.
            header: a line above the table.
            max_name_column_width: longer names are cut.

        Raises:
            ValueError: another word for sort_by.

        Example:
            >>> import wengert
            >>> with wengert.profiler.profile() as prof:
            ...     y = wengert.ones(3).exp()
            >>> prof.key_averages().table(sort_by="cpu_time_total", row_limit=5).split()[:2]
            ['Name', 'Self']
        """
        if sort_by is not None and sort_by not in SORTS:
            raise ValueError(f"table: expected sort_by to be one of {SORTS}, got {sort_by!r}.")
        rows = sorted(self, key=lambda e: -getattr(e, sort_by)) if sort_by else list(self)
        rows = rows if row_limit is None or row_limit < 0 else rows[:row_limit]
        whole = sum(e.self_cpu_time_total for e in self) or 1.0
        shapes = any(e.input_shapes for e in rows)
        memory = any(e.cpu_memory_usage for e in rows)
        cells = [("Name", "Self CPU %", "Self CPU", "CPU total %", "CPU total", "CPU time avg", "# of Calls")]
        cells[0] += ("CPU Mem", "Self CPU Mem") * memory + ("Input Shapes",) * shapes
        for e in rows:
            row = (
                e.key if len(e.key) <= max_name_column_width else e.key[: max_name_column_width - 1] + "…",
                f"{100 * e.self_cpu_time_total / whole:.2f}%",
                microseconds(e.self_cpu_time_total),
                f"{100 * e.cpu_time_total / whole:.2f}%",
                microseconds(e.cpu_time_total),
                microseconds(e.cpu_time),
                str(e.count),
            )
            if memory:
                row += (size(e.cpu_memory_usage), size(e.self_cpu_memory_usage))
            cells.append(row + ((str(e.input_shapes),) if shapes else ()))
        widths = [max(len(row[k]) for row in cells) for k in range(len(cells[0]))]
        left = {0, len(widths) - 1} if shapes else {0}
        padded = [[c if k in left else c.rjust(widths[k]) for k, c in enumerate(row)] for row in cells]
        lines = align(padded)
        rule = "-" * max(map(len, lines))
        lines = [*([header] if header else []), lines[0], rule, *lines[1:], rule]
        return "\n".join(
            [*lines, f"Self CPU time total: {microseconds(0.0 if whole == 1.0 and not self else whole)}"]
        )

    def __str__(self):
        return self.table()

    def chrome_trace(self):
        """The events in the trace format of Chrome, Perfetto and speedscope, as JSON text."""
        events = []
        for e in self:
            args = {"bytes": e.self_cpu_memory_usage}
            if e.input_shapes:
                args["shapes"] = str(e.input_shapes)
            events.append(
                {
                    "name": e.name,
                    "cat": e.kind,
                    "ph": "X",
                    "ts": round(e.start, 3),
                    "dur": round(e.cpu_time_total, 3),
                    "pid": 0,
                    "tid": 0,
                    "args": args,
                }
            )
        return json.dumps({"displayTimeUnit": "ms", "traceEvents": events})


def nested(events):
    """Events in the order in which they began, with self times and memory that leave out what ran inside of them.

    One thread made them all, so their times nest: a stack is enough.
    """
    events = EventList(sorted(events, key=lambda e: (e.start, -e.cpu_time_total)))
    stack = []
    for event in events:
        while stack and stack[-1].start + stack[-1].cpu_time_total <= event.start:
            stack.pop()
        if stack:
            stack[-1].self_cpu_time_total -= event.cpu_time_total
        for outer in stack:
            outer.cpu_memory_usage += event.self_cpu_memory_usage
        stack.append(event)
    return events


def microseconds(value):
    """A time in microseconds with a unit."""
    for unit, scale in (("us", 1.0), ("ms", 1e3)):
        if value < 1000 * scale:
            return f"{value / scale:.3f}{unit}"
    return f"{value / 1e6:.3f}s"


def size(count):
    """A number of bytes with a unit."""
    for unit in ("b", "Kb", "Mb"):
        if count < 1024:
            return f"{count:.2f} {unit}" if unit != "b" else f"{count} b"
        count /= 1024
    return f"{count:.2f} Gb"
