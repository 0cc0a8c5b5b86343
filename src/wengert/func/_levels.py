"""Levels of function transforms: which are open, what their wrappers hold, and who interprets an op.

Every call of vmap or jvp opens a Frame; a wrapper belongs to one frame, and an op goes to the deepest frame among
its operands, which peels its own wrappers off and runs ops on what is inside. So transforms nest in any order and a
derivative of an inner frame can never be taken for one of an outer frame. Reverse mode needs no frame: a node of
the graph belongs to one derivative by itself (see _reverse.py).
"""

import threading

from .. import _core
from ..ops import TABLE

_Tensor = _core.Tensor
payload = _core.payload


class _Local(threading.local):
    def __init__(self):
        self.frames = []


_local = _Local()
_recorders = []  # of all threads: (thread, recorder), innermost last


class Frame:
    """An open transform. Subclasses interpret ops.

    writes_outside: whether an in-place op on a tensor from outside the transform goes to it too.
    builds: whether it appends ops to a static graph.
    """

    __slots__ = ("alive", "depth")
    builds = False
    writes_outside = False
    outside_remedy = "Use the out-of-place form."

    def __enter__(self):
        frames = _local.frames
        self.depth = frames[-1].depth + 1 if frames else 1
        self.alive = True
        frames.append(self)
        return self

    def __exit__(self, kind, value, trace):
        _local.frames.remove(self)
        self.alive = False


def open_frames():
    """The frames of this thread, outermost first."""
    return _local.frames


def frame_of(t):
    """The deepest frame that t belongs to, or None for a plain tensor."""
    p = payload(t)
    return None if p is None else p.frame


def top_frame(values):
    """The deepest frame among values (anything that is no tensor counts as plain)."""
    top = None
    for v in values:
        p = payload(v)
        if p is not None and (top is None or p.frame.depth > top.depth):
            top = p.frame
    return top


def _checked(frame, op):
    if not frame.alive:
        raise RuntimeError(
            f"{op}: expected tensors of transforms that are still running, got one that left its function "
            f"through a "
            "side effect. Return it from the function instead."
        )
    return frame


def _dispatch(entry, operands, attrs):
    frame = top_frame(operands)
    if frame is not None:
        return _checked(frame, entry.name).run(entry, operands, attrs)
    recorder = current_recorder()
    if recorder is None:
        return _core.run(entry, operands, attrs)
    return recorder.run(entry, operands, attrs)


def _dispatch_inplace(entry, x, operands, attrs):
    frame = top_frame(operands)
    if frame is not None:
        if payload(x) is None and not frame.writes_outside:
            raise RuntimeError(
                f"{entry.name}_: expected a tensor of the transform to write to, got an outside one. "
                f"{frame.outside_remedy}"
            )
        return _checked(frame, entry.name + "_").run_inplace(entry, x, operands, attrs)
    recorder = current_recorder()
    if recorder is None:
        return _core.run_inplace(entry, x, operands[1:], attrs)
    return recorder.run_inplace(entry, x, operands, attrs)


def _detach(t):
    return payload(t).detached()


_core.set_slow_dispatch(_dispatch, _dispatch_inplace, _detach)


# ---- recorders: objects that see every op of their thread --------------------------------------------------------


def current_recorder():
    """The innermost recorder of this thread, or None."""
    if not _recorders:
        return None
    me = threading.get_ident()
    for thread, recorder in reversed(_recorders):
        if thread == me:
            return recorder
    return None


def recorders():
    """The recorders of this thread, outermost first."""
    me = threading.get_ident()
    return [recorder for thread, recorder in _recorders if thread == me]


def building(tensors=()):
    """The frame of the static graph that is being built here: one that is open, or one that tensors belong to; or None."""
    open_ = [*recorders(), *_local.frames]  # a function of a branch or a loop is inside of `with g:`
    belong = [p.frame for p in map(payload, tensors) if p is not None]
    return next((frame for frame in [*reversed(open_), *belong] if getattr(frame, "builds", False)), None)


class Watcher:
    """What a recorder answers when the core tells it something that it has no interest in: it tells the next one."""

    def made(self, t):
        """A tensor is made from numbers, sizes or nothing."""
        with paused():
            outer = current_recorder()
            if outer is not None:
                outer.made(t)

    def became_view(self, t, view):
        """A tensor takes the layout and the history of a view of it."""
        with paused():
            outer = current_recorder()
            if outer is not None:
                outer.became_view(t, view)

    def took_data(self, t, value):
        """A tensor takes the memory of another one."""
        with paused():
            outer = current_recorder()
            if outer is not None:
                outer.took_data(t, value)

    def mark_value_read(self, op, t=None):
        """Python reads the value of a tensor; what it gets in the place of the number, None for the number itself."""
        with paused():
            outer = current_recorder()
            return None if outer is None else outer.mark_value_read(op, t)

    def mark_seeded(self, op):
        """Python sets the state of a random generator."""
        with paused():
            outer = current_recorder()
            if outer is not None:
                outer.mark_seeded(op)

    def mark_rewound(self, seed, offset):
        """Python sets the default random generator to a place that it has read."""
        with paused():
            outer = current_recorder()
            if outer is not None:
                outer.mark_rewound(seed, offset)

    def takes_sparse(self, op):
        """Whether a lookup of a table may give that a sparse gradient."""
        with paused():
            outer = current_recorder()
            return outer is None or outer.takes_sparse(op)

    def run_update(self, step, group, state):
        """An optimizer updates a group of parameters in one pass of the core: step(group, state)."""
        with paused():
            outer = current_recorder()
            return step(group, state) if outer is None else outer.run_update(step, group, state)

    def run_host(self, name, tensors, options):
        """A function on NumPy arrays is called (see _host.py)."""
        from .._host import call as host_call

        with paused():
            return host_call(name, *tensors, options=options)

    def run_region(self, op, parts, tensors):
        """An operation with sub-graphs is run (see graph/_recorded_regions.py)."""
        from ..graph._recorded_regions import execute

        with paused():
            return execute(op, parts, tensors)


class recording:
    """Sends every op of this thread to `recorder.run` and `recorder.run_inplace` while the block runs.

    The recorder is a Watcher: what else happens is announced by the methods that this class has.
    """

    def __init__(self, recorder):
        self._entry = (threading.get_ident(), recorder)

    def __enter__(self):
        _recorders.append(self._entry)
        _core.set_recorder(self._entry[1])

    def __exit__(self, kind, value, trace):
        _recorders.remove(self._entry)
        _core.set_recorder(_recorders[-1][1] if _recorders else None)


class paused:
    """Ops of this thread go past the innermost recorder, to the one outside it."""

    def __enter__(self):
        me = threading.get_ident()
        self._place = len(_recorders) - 1
        while _recorders[self._place][0] != me:
            self._place -= 1
        self._entry = _recorders.pop(self._place)
        _core.set_recorder(_recorders[-1][1] if _recorders else None)

    def __exit__(self, kind, value, trace):
        _recorders.insert(self._place, self._entry)
        _core.set_recorder(_recorders[-1][1])


# ---- ops by name -------------------------------------------------------------------------------------------------

_entries = {}


def entry(name):
    """The core's entry of a row."""
    found = _entries.get(name)
    if found is None:
        from .._bind import OPS

        found = _entries[name] = OPS[name].entry
    return found


def call(name, *operands, attrs=()):
    """Runs a row on tensors (plain or wrapped) and numbers."""
    return _core.apply(entry(name), operands, attrs)


def expand(t, shape):
    """t broadcast to shape."""
    return call("expand", t, attrs=(tuple(shape),))


def reshape(t, shape):
    """t in another shape of as many elements."""
    return call("reshape", t, attrs=(tuple(shape),))


def zeros(shape, dtype):
    """Zeros of a shape that take no memory."""
    zero = _core.full((), 0, dtype)
    return expand(zero, shape) if shape else zero


def is_tensor(v):
    """Whether v is a tensor, plain or wrapped."""
    return isinstance(v, _Tensor)


def row_of(name):
    """The row of the op table."""
    return TABLE[name]
