"""The profiler: sees every op of its thread and every node of its backward passes.

Note [What is measured]. While a profile is open, ops go through the same door as for recorders: each runs as always,
between two readings of the clock. Gradient rules run compiled as always; the core reads the clock between nodes. Looking
costs about a microsecond for each op, which is no part of its time but makes the program slower: small ops are compared
by their own times, never by the time of the whole.
"""

import enum
import functools
import os
import threading
from time import perf_counter_ns

from .. import _core
from ..func import _levels
from ._events import EventList, FunctionEvent, nested

_Tensor = _core.Tensor


class ProfilerActivity(enum.Enum):
    """What can be watched: the CPU."""

    CPU = 0


class ProfilerAction(enum.Enum):
    """What a profile does in a step: nothing, run without keeping (WARMUP), keep, or keep and hand over afterwards."""

    NONE = 0
    WARMUP = 1
    RECORD = 2
    RECORD_AND_SAVE = 3


def schedule(*, wait, warmup, active, repeat=0, skip_first=0):
    """The actions of the steps of a profile: skip_first times nothing, then cycles of `wait` steps of nothing, `warmup`
    steps without keeping and `active` steps that are kept, `repeat` times (0: without end).

    Returns:
        A function from the number of a step to its ProfilerAction.

    Raises:
        ValueError: a negative number, or no active step.
    """
    if min(wait, warmup, repeat, skip_first) < 0 or active < 1:
        raise ValueError(
            f"schedule: expected numbers of steps that are not negative and active >= 1, got wait={wait}, "
            f"warmup={warmup}, active={active}, repeat={repeat}, skip_first={skip_first}."
        )
    cycle = wait + warmup + active

    def action(step):
        step -= skip_first
        if step < 0 or repeat and step >= repeat * cycle:
            return ProfilerAction.NONE
        place = step % cycle
        if place < wait:
            return ProfilerAction.NONE
        if place < wait + warmup:
            return ProfilerAction.WARMUP
        return ProfilerAction.RECORD if place < cycle - 1 else ProfilerAction.RECORD_AND_SAVE

    return action


def tensorboard_trace_handler(dir_name, worker_name=None, use_gzip=False):
    """An `on_trace_ready` that writes each trace as a file of its own to a folder, which is made where it is missing."""

    def handle(prof):
        os.makedirs(dir_name, exist_ok=True)
        ending = ".pt.trace.json" + (".gz" if use_gzip else "")
        name = f"{worker_name or 'worker'}.{prof.step_num}{ending}"
        prof.export_chrome_trace(os.path.join(dir_name, name))

    return handle


_open = []  # the profiles that keep something now, of all threads: (thread, profile)


def _current():
    me = threading.get_ident()
    return next((p for thread, p in reversed(_open) if thread == me), None)


class _Watcher(_levels.Watcher):
    """Stands where a recorder would: runs each op and times it."""

    def __init__(self, owner, outer):
        self.owner = owner
        self.inner = outer is not None  # another recorder is open around the profile: ops go on to it
        # Gradient rules and optimizer passes run as they always do, unless that recorder wants to see them.
        self.traces = outer is not None and getattr(outer, "traces", True)

    def run(self, op, operands, attrs):
        if self.inner:
            with _levels.paused():
                begin = perf_counter_ns()
                out = _core.apply(op, operands, attrs)
                end = perf_counter_ns()
        else:
            begin = perf_counter_ns()
            out = _core.run(op, operands, attrs)
            end = perf_counter_ns()
        self.owner.note_op(op, operands, out, begin, end)
        return out

    def run_inplace(self, op, x, operands, attrs):
        shapes = [x, *operands[1:]]
        if self.inner:
            with _levels.paused():
                begin = perf_counter_ns()
                out = _core.inplace(op, x, operands[1:], attrs)
                end = perf_counter_ns()
        else:
            begin = perf_counter_ns()
            out = _core.run_inplace(op, x, operands[1:], attrs)
            end = perf_counter_ns()
        self.owner.note_op(op, shapes, None, begin, end, op.name + "_", out)
        return out


class profile:
    """Times every op, forward and backward, that this thread runs inside the block.

    Args:
        activities: for PyTorch's sake: [ProfilerActivity.CPU] or None.
        schedule: a function from the number of a step to its ProfilerAction (see `schedule`); then `step()` says
            where a step ends. None keeps everything.
        on_trace_ready: called with the profile whenever a cycle of the schedule is complete, or at the end.
        record_shapes: keep the operands' shapes.
        profile_memory: keep the bytes of results (they are kept anyway).
        with_stack, with_flops, with_modules: refused: `wengert.record()` knows lines and modules.

    Nodes of graphs that are made inside know their times and bytes, so that `wengert.viz` shows them.

    Raises:
        ValueError: something is asked for that there is not.

    Example:
        >>> import wengert
        >>> x = wengert.ones(100, requires_grad=True)
        >>> with wengert.profiler.profile() as prof:
        ...     with wengert.profiler.record_function("model"):
        ...         y = (x * 2).exp().sum()
        ...     y.backward()
        >>> sorted(e.key for e in prof.key_averages())
        ['AccumulateGrad', 'ExpBackward0', 'MulBackward0', 'SumBackward0', 'exp', 'model', 'mul', 'sum']
    """

    def __init__(
        self,
        *,
        activities=None,
        schedule=None,
        on_trace_ready=None,
        record_shapes=False,
        profile_memory=False,
        with_stack=False,
        with_flops=False,
        with_modules=False,
    ):
        for activity in activities or ():
            if activity is not ProfilerActivity.CPU and getattr(activity, "name", None) != "CPU":
                raise ValueError(f"profile: expected ProfilerActivity.CPU as the only activity, got {activity!r}.")
        if with_stack or with_flops or with_modules:
            raise ValueError(
                "profile: expected with_stack, with_flops and with_modules to be False, got True. "
                "Use `wengert.record()` for lines and modules."
            )
        self.record_shapes = record_shapes
        self.on_trace_ready = on_trace_ready
        self.step_num = 0
        self._action = schedule
        self._now = ProfilerAction.NONE
        self._raw = []
        self._last = EventList()
        self._began = perf_counter_ns()
        self._recording = None
        self._handles = []

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, kind, value, trace):
        self.stop()

    def start(self):
        """Begins the profile. The block does that by itself."""
        self.step_num = 0
        self._turn(self._action(0) if self._action else ProfilerAction.RECORD)

    def stop(self):
        """Ends the profile."""
        kept = self._now in (ProfilerAction.RECORD, ProfilerAction.RECORD_AND_SAVE)
        self._turn(ProfilerAction.NONE)
        if kept:
            self._hand_over()

    def step(self):
        """Says that a step of the program has ended, for profiles with a schedule."""
        done = self._now is ProfilerAction.RECORD_AND_SAVE
        self.step_num += 1
        if self._action is None:
            return
        if done:
            self._turn(ProfilerAction.NONE)
            self._hand_over()
        self._turn(self._action(self.step_num))

    def _turn(self, action):
        watching = self._now is not ProfilerAction.NONE
        wanted = action is not ProfilerAction.NONE
        if watching and not wanted:
            self._close()
        elif wanted and not watching:
            self._open()
        begins = (ProfilerAction.RECORD, ProfilerAction.RECORD_AND_SAVE)
        if action in begins and self._now not in begins:
            self._raw = []
            self._began = perf_counter_ns()
        self._now = action

    def _hand_over(self):
        self._last = nested([FunctionEvent(*e) for e in self._raw])
        self._raw = []
        if self.on_trace_ready is not None:
            self.on_trace_ready(self)

    def _open(self):
        self._me = threading.get_ident()
        self._recording = _levels.recording(_Watcher(self, _levels.current_recorder()))
        self._recording.__enter__()
        self._timer = _core.set_backward_timer(self._note_backward)
        _open.append((self._me, self))
        self._watch_optimizers()

    def _close(self):
        for handle in self._handles:
            handle.remove()
        self._handles = []
        _open.remove((self._me, self))
        _core.set_backward_timer(self._timer)
        self._recording.__exit__(None, None, None)

    def _watch_optimizers(self):
        import sys

        if "wengert.optim" not in sys.modules:
            return
        from ..optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

        began = []

        def before(optimizer, args, kwargs):
            began.append(perf_counter_ns())

        def after(optimizer, args, kwargs):
            self._add(
                f"Optimizer.step#{type(optimizer).__name__}.step", "range", began.pop(), perf_counter_ns(), 0, []
            )

        self._handles = [register_optimizer_step_pre_hook(before), register_optimizer_step_post_hook(after)]

    # ---- what is noted

    def _add(self, name, kind, begin, end, memory, shapes):
        if self._now is not ProfilerAction.WARMUP:
            self._raw.append((name, kind, (begin - self._began) / 1e3, (end - begin) / 1e3, memory, shapes))

    def note_op(self, op, operands, out, begin, end, name=None, written=None):
        """Keeps one run of an op. written: the tensor that it wrote to, instead of results of its own."""
        memory = 0
        for t in out if isinstance(out, tuple) else (out,):
            if isinstance(t, _Tensor) and _core.payload(t) is None and not _looks(op, t, operands):
                memory += t.numel() * t.element_size()
        shapes = []
        if self.record_shapes:
            shapes = [list(v.shape) if isinstance(v, _Tensor) else [] for v in operands]
        self._add(name or op.name, "op", begin, end, memory, shapes)
        first = written if out is None else out[0] if isinstance(out, tuple) else out
        node = _core.node_of(first) if isinstance(first, _Tensor) and _core.payload(first) is None else None
        if node is not None and node.op != "leaf":
            notes = node.make_notes()
            notes.seconds = (end - begin) / 1e9
            notes.bytes = memory

    def _note_backward(self, name, notes, begin, end):
        if threading.get_ident() != self._me:
            return
        if notes is not None:
            notes.backward_seconds = (end - begin) / 1e9
        self._add(name, "backward", begin, end, 0, [])

    # ---- what was seen

    def events(self):
        """Every run, in order: an EventList of FunctionEvent."""
        return self._last

    def key_averages(self, group_by_input_shape=False, group_by_stack_n=0):
        """One entry for each op: an EventList of FunctionEventAvg, which prints as a table.

        Args:
            group_by_input_shape: runs on other shapes count apart; needs record_shapes=True.
            group_by_stack_n: 0, there are no stacks.

        Raises:
            ValueError: a stack is asked for.
        """
        if group_by_stack_n:
            raise ValueError(
                f"key_averages: expected group_by_stack_n=0, got {group_by_stack_n}. There are no stacks."
            )
        return self._last.key_averages(group_by_input_shape)

    def export_chrome_trace(self, path):
        """Writes the events as JSON that chrome://tracing, Perfetto and speedscope read; a name in .gz is compressed.

        Raises:
            OSError: the file cannot be written.
        """
        from ..serialization.files import write_atomically

        content = self._last.chrome_trace().encode()
        if os.fspath(path).endswith(".gz"):
            import gzip

            content = gzip.compress(content)
        write_atomically(path, [content])


def _looks(op, t, operands):
    """Whether the result of an op is a view of its operand, which takes no memory."""
    return "view" in op.row.flags and isinstance(operands[0], _Tensor) and _core.same_storage(t, operands[0])


class record_function:
    """Names a part of the program in profiles: a block, or as a decorator a function. Without a profile it does nothing.

    Args:
        name: what the part is called.
        args: for PyTorch's sake; shown behind the name where it is given.

    Example:
        >>> import wengert
        >>> with wengert.profiler.profile() as prof:
        ...     with wengert.profiler.record_function("part"):
        ...         y = wengert.ones(3) * 2
        >>> [e.name for e in prof.events()][-2:]
        ['part', 'mul']
    """

    def __init__(self, name, args=None):
        if not isinstance(name, str):
            raise TypeError(f"record_function: expected a name, got {type(name).__name__}. Pass a string.")
        self.name = name if args is None else f"{name} {args}"
        self._began = []

    def __enter__(self):
        self._began.append(perf_counter_ns())
        return self

    def __exit__(self, kind, value, trace):
        begin = self._began.pop()
        owner = _current()
        if owner is not None:
            owner._add(self.name, "range", max(begin, owner._began), perf_counter_ns(), 0, [])

    def __call__(self, function):
        @functools.wraps(function)
        def run(*args, **kwargs):
            with record_function(self.name):
                return function(*args, **kwargs)

        return run
