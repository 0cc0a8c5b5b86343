"""Recording what pictures show: lines, scopes, values and gradients of the nodes of dynamic graphs.

Note [What recording costs]. Outside of every recording nothing: the core looks at one flag that it looks at anyway
(`wg_watching`). Inside, ops go through the recorder's door (_record_cuts.py), and each recorded node calls `_watch`, which
walks the Python stack. What it finds is kept in the core's side table of notes, and goes when its node goes: a recording
never makes a graph live longer.

Note [Where scopes come from]. The frames between the block and the op say which modules and functions were running,
so neither `Module.__call__` nor anything else has to take part. A module is called by its name in `named_modules` of the
outermost module that runs. A second call from the same caller is `name#2`: the frames of the last op are kept and
compared by identity, hence a new call of the same function is told from the old one.
"""

import sys
import threading
import weakref

from . import _core

VALUES = ("summary", "all", None)
CO_OPTIMIZED = 1  # inspect.CO_OPTIMIZED: code with fast locals, which functions are, modules and classes are not
ONLY_THE_FRAMES = (
    3  # references to a frame's dict of variables: the frame's, ours, and that of the call that counts
)
ANOMALY = "wengert.autograd.anomaly_mode"  # which opens recordings for its user
LOOKED_THROUGH = 1000  # entries of a list or dict that are looked through for the name of a leaf

_local = threading.local()
_open_count = 0
_lock = threading.Lock()


def _recordings():
    """The open recordings of this thread, innermost last."""
    try:
        return _local.recordings
    except AttributeError:
        _local.recordings = []
        return _local.recordings


def _scopes():
    """The open `scope` blocks of this thread, outermost first."""
    try:
        return _local.scopes
    except AttributeError:
        _local.scopes = []
        return _local.scopes


def open_blocks():
    """The names of the open `scope` blocks of this thread by the frame that opened them, outermost first."""
    found = {}
    for block, frame in _scopes():
        found.setdefault(frame, []).append(block.name)
    return found


def _watch(notes, node, operands, value):
    recordings = _recordings()
    if recordings:
        recordings[-1].note_node(notes, node, operands, value)


def _opening_frame():
    """The frame of the user's `with`."""
    frame = sys._getframe(2)
    while frame.f_back is not None and frame.f_globals.get("__name__") in ("contextlib", ANOMALY):
        frame = frame.f_back
    return frame


def _variables(frame):
    """The local variables of a frame as a dict, which the frame does not keep."""
    found = frame.f_locals
    if not frame.f_code.co_flags & CO_OPTIMIZED:
        return found  # a module's variables themselves
    copy = dict(found)
    if isinstance(found, dict) and sys.getrefcount(found) <= ONLY_THE_FRAMES:
        # Until Python 3.12 a frame keeps what it has shown, and would keep deleted tensors alive.
        found.clear()
    return copy


def kept(node):
    """What recordings and profiles noted of a node of the tape (see `viz._model.Kept`), or None."""
    return node.notes


def memory_of(t):
    """What tells one piece of memory from another while it lives; None for what has no memory of its own."""
    if not isinstance(t, _core.Tensor) or t.shape == () or not t.numel():
        return None
    return _core.storage_address(t)[0], t.storage_offset(), tuple(t.shape)


class Operand:
    """An operand that has no node: a constant, data, or something cut off from its history.

    value: a number, a Summary or a tensor, None where values are not kept; name: of the variable that holds it; memory:
    its `memory_of`; source, how: the `sequence` of the node whose value it is, and what cut it off.
    """

    __slots__ = ("how", "memory", "name", "source", "value")

    def __init__(self, value, memory):
        self.value = value
        self.memory = memory
        self.how = self.name = self.source = None


class scope:
    """Names what happens inside: a step of a loop, a part of a function. Pictures group nodes by it.

    Recordings (`wengert.record`) and static graphs take it up, built by hand or captured; elsewhere it does nothing. Modules
    and functions are scopes by themselves.

    Args:
        name: what the group is called. A name that comes again in the same place counts: "step", "step#2", ...

    Raises:
        TypeError: the name is no string.

    Example:
        >>> import wengert
        >>> h = wengert.ones(2, requires_grad=True)
        >>> with wengert.record():
        ...     for k in range(3):
        ...         with wengert.scope(f"step {k}"):
        ...             h = h.tanh()
        >>> h.grad_fn.notes.scope
        ('step 2',)
    """

    def __init__(self, name):
        if not isinstance(name, str):
            raise TypeError(f"scope: expected a name, got {type(name).__name__}. Pass a string.")
        self.name = name

    def __enter__(self):
        _scopes().append((self, _opening_frame()))
        return self

    def __exit__(self, kind, value, trace):
        scopes = _scopes()
        for k in range(len(scopes) - 1, -1, -1):
            if scopes[k][0] is self:
                del scopes[k]
                return


class record:
    """Operations inside remember what pictures and error messages show of them.

    For every operation that the graph records: the line of the user's code, the scopes around it (modules by their names,
    functions, `wengert.scope` blocks), its value, operands that have no history, and, once a backward pass has run through
    it (inside or later), its gradient. `wengert.viz` shows all of that. What is noted goes with its graph.

    This is not `wengert.graph.record`, which turns a function into a static graph that runs again.

    Args:
        values: "summary" keeps small tensors whole (up to 64 elements) and range, mean, shares and a histogram of
            larger ones; "all" keeps a copy of every value and gradient; None keeps no values.

    Raises:
        ValueError: another word for `values`.

    Example:
        >>> import wengert
        >>> x = wengert.tensor(3.0, requires_grad=True)
        >>> with wengert.record() as r:
        ...     y = x * x
        >>> y.backward()
        >>> r.notes(y).value.whole, r.notes(y).gradient.whole, r.notes(x).gradient.whole
        (9.0, 1.0, 6.0)
    """

    def __init__(self, values="summary"):
        if values not in VALUES:
            raise ValueError(f"record: expected values to be one of {VALUES}, got {values!r}.")
        self.values = values
        self.count = 0  # nodes noted so far
        self.cuts = None  # what it knows of tensors without history
        self.operands = None  # of the op that runs now
        self._frames = []  # open with-blocks: the recording can be entered again
        self._watching = []
        self._stack = []  # _Place of each scope around the last op, outermost first
        self._top = {}
        self._results = weakref.WeakValueDictionary()  # address -> notes of the node whose value lay there last
        self._joins = weakref.WeakKeyDictionary()  # notes of a node -> its Join

    def __enter__(self):
        global _open_count
        from ._record_cuts import Cuts, OpWatcher
        from .func._levels import recording

        if self.cuts is None:
            self.cuts = Cuts()
        self._frames.append(_opening_frame())
        _recordings().append(self)
        self._watching.append(recording(OpWatcher(self)))
        self._watching[-1].__enter__()
        with _lock:
            _open_count += 1
            _core.set_node_watcher(_watch)
        return self

    def __exit__(self, kind, value, trace):
        global _open_count
        recordings = _recordings()
        for k in range(len(recordings) - 1, -1, -1):
            if recordings[k] is self:
                del recordings[k]
                break
        self._watching.pop().__exit__(kind, value, trace)
        self._frames.pop()
        self._stack = []
        with _lock:
            _open_count -= 1
            if _open_count == 0:
                _core.set_node_watcher(None)

    def notes(self, tensor):
        """What was noted of the operation that made a tensor, or of a leaf; None where nothing was.

        Returns:
            An object with the attributes line, scope, name, value, gradient, operands, seconds, backward_seconds and
            bytes, None where unknown. Values are `Summary` objects, or tensors with values="all".

        Raises:
            TypeError: no tensor is given.
        """
        if not isinstance(tensor, _core.Tensor):
            raise TypeError(f"record.notes: expected a Tensor, got {type(tensor).__name__}.")
        node = _core.node_of(tensor)
        return None if node is None else node.notes

    # ---- called by the core

    def note_node(self, notes, node, operands, value):
        """Fills the notes of a node that was just recorded."""
        self.count += 1
        notes.recording = self
        frames = self._user_frames()
        if notes.line is None:
            notes.line = frames.line
        notes.scope = self._scope(frames.chain)
        if value is not None:
            notes.value = self._keep(value)
            memory = memory_of(value)
            if memory is not None:
                self._results[memory[0]] = notes
        own = self.operands if self.operands is not None and len(self.operands) == len(operands) else operands
        given = {k: self._operand(v, own[k], frames) for k, v in enumerate(operands) if v is not None}
        if given:
            notes.operands = given
        readers = {}
        for place, (source, _) in enumerate(node.next_functions):
            if source is not None and source.op == "leaf":
                self._note_leaf(source, frames)
            if source is not None and self.values is not None and source.shape is not None:  # no custom function
                readers.setdefault(source.sequence, (source, []))[1].append(place)
        if readers:
            self._note_joins(node, readers)

    def note_gradient(self, notes, gradient):
        """Keeps the gradient of a node's result (called by every backward pass that reaches it)."""
        if _core.payload(gradient) is None:
            notes.gradient = self._keep(gradient)
        join = self._joins.get(notes)
        if join is not None:
            join.total = None  # a later pass begins anew

    def partial_sums(self, notes):
        """Where gradients of several readers add up: pairs (sequence of the reader, the sum when its part had arrived)."""
        join = self._joins.get(notes)
        return [] if join is None or join.readers < 2 else join.sums

    def _note_joins(self, node, readers):
        """Sees the gradients that a node hands to its operands, for those that others read too."""
        own = node.sequence
        joins = []
        for source, places in readers.values():
            notes = source.make_notes()
            join = self._joins.get(notes)
            if join is None:
                join = self._joins[notes] = Join(source.shape)
            join.readers += 1
            joins.append((join, places))

        def handed(grad_inputs, grad_outputs):
            for join, places in joins:
                parts = [grad_inputs[k] for k in places if k < len(grad_inputs) and grad_inputs[k] is not None]
                if join.readers > 1 and all(_core.payload(g) is None for g in parts):
                    self._add_up(join, parts, own)

        node.register_hook(handed)

    def _add_up(self, join, parts, reader):
        recorder = _core.set_recorder(None)
        try:
            with _core.no_grad():
                if join.total is None:
                    join.sums = []
                for g in parts:
                    g = _summed_to(g.detach(), join.shape)
                    join.total = g.clone() if join.total is None else join.total + g.to(join.total.dtype)
        finally:
            _core.set_recorder(recorder)
        if join.total is not None:
            join.sums.append((reader, self._keep(join.total)))

    def _operand(self, value, own, frames):
        """What an operand without a node is. own: the very tensor that the op was called with, where it is known."""
        memory = memory_of(value)
        operand = Operand(self._keep(value), memory)
        if not isinstance(value, _core.Tensor):
            return operand
        cut = self.cuts.source(own)
        if cut is not None and cut[1] is not None:
            operand.source, operand.how = cut
        source = self._results.get(memory[0]) if memory is not None else None
        if operand.how is None and source is not None and _same_value(source.value, operand.value):
            operand.source, operand.how = source.sequence, "detach"
        operand.name = next(
            (n for n in (_name_in(_variables(f), own) for f in frames.frames) if n is not None), None
        )
        return operand

    def _note_leaf(self, node, frames):
        leaf = node.variable
        if leaf is None:
            return
        notes = node.make_notes()
        version = (id(self), leaf._version)
        if notes.version == version:
            return
        notes.version = version
        notes.recording = self
        if notes.name is None:
            notes.name, notes.scope = self._leaf_name(leaf, frames)
        notes.value = self._keep(leaf)

    def _keep(self, value):
        if self.values is None:
            return None
        if not isinstance(value, _core.Tensor):
            return value
        from .viz._summary import Summary

        recorder = _core.set_recorder(None)  # looking is no part of the program
        try:
            return value.detach().clone() if self.values == "all" else Summary.of(value)
        finally:
            _core.set_recorder(recorder)

    # ---- frames

    def _user_frames(self):
        stop = self._frames[-1] if self._frames else None
        scopes = {}
        for block, frame in _scopes():
            scopes.setdefault(id(frame), []).append(block)
        found = _Frames()
        frame = sys._getframe(3)
        chain = []
        while frame is not None:
            module = frame.f_globals.get("__name__") or ""
            own = module == "wengert" or module.startswith("wengert.")
            if not own and found.line is None:
                found.line = (frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name)
            if not own:
                found.frames.append(frame)
            chain.extend((block, None) for block in reversed(scopes.pop(id(frame), ())))
            if frame is stop:
                break
            code = frame.f_code
            if not code.co_name.startswith("<") and (not own or code.co_name == "forward"):
                chain.append((frame, own))
            frame = frame.f_back
        outside = [(block, None) for blocks in scopes.values() for block in blocks]
        found.chain = outside + chain[::-1]
        return found

    def _scope(self, chain):
        """The path of names for what runs now; keeps the places that are still the same."""
        stack = self._stack
        same = 0
        while same < len(chain) and same < len(stack) and stack[same].what is chain[same][0]:
            same += 1
        del stack[same:]
        for what, own in chain[same:]:
            stack.append(_Place(what, own, stack[-1] if stack else None, self._top))
        return stack[-1].path if stack else ()

    def _leaf_name(self, leaf, frames):
        """The name of a leaf and the scope that it belongs to: that of its module, for a parameter."""
        for place in self._stack[::-1]:
            if place.root is not None and place.parameters is None:
                place.parameters = {id(p): name for name, p in place.root.named_parameters()}
            if place.parameters and id(leaf) in place.parameters:
                *owner, name = place.parameters[id(leaf)].split(".")
                return name, (*place.path, *owner)
        for frame in frames.frames:
            name = _name_in(_variables(frame), leaf)
            if name is not None:
                return name, None
        return (_name_in(frames.frames[-1].f_globals, leaf) if frames.frames else None), None


def _summed_to(g, shape):
    """A gradient summed to the shape of an operand that was broadcast."""
    extra = g.dim() - len(shape)
    dims = [*range(extra), *[extra + k for k, n in enumerate(shape) if n == 1 and g.shape[extra + k] != 1]]
    return g.sum(dims, keepdim=True).reshape(shape) if dims else g


def _same_value(a, b):
    """Whether two kept values are the same: what lies at one address need not be what lay there before."""
    if isinstance(a, _core.Tensor) and isinstance(b, _core.Tensor):
        return a.numel() == b.numel() and a.dtype == b.dtype and bool((a.reshape(-1) == b.reshape(-1)).all())
    facts = ("dtype", "low", "high", "mean", "zeros", "nans", "infs")
    return a is not None and b is not None and all(getattr(a, f, 0) == getattr(b, f, 1) for f in facts)


class Join:
    """A value whose gradient is a sum: how many operations read it, the sum so far in this pass, and what it was when."""

    __slots__ = ("readers", "shape", "sums", "total")

    def __init__(self, shape):
        self.readers = 0
        self.shape = tuple(shape)
        self.total = None
        self.sums = []


class _Frames:
    """The user's frames around an op: line, frames (innermost first) and the chain of scopes (outermost first)."""

    def __init__(self):
        self.line = self.chain = None
        self.frames = []


class _Place:
    """One scope that is open: a frame or a `scope` block, and the path of names that leads to it."""

    __slots__ = ("counts", "names", "parameters", "path", "prefix", "root", "what")

    def __init__(self, what, own, outer, top):
        self.what = what
        self.counts = {}
        self.parameters = None
        self.root = None
        self.names = outer.names if outer else None
        self.prefix = outer.prefix if outer else ""
        before = outer.path if outer else ()
        parts = self._parts(what, own)
        if parts:
            counts = outer.counts if outer else top
            last = parts[-1]
            times = counts[last] = counts.get(last, 0) + 1
            if times > 1:
                parts = (*parts[:-1], f"{last}#{times}")
        self.path = before + parts
        if not parts and outer:
            self.counts = outer.counts

    def _parts(self, what, own):
        if isinstance(what, scope):
            return (what.name,)
        code = what.f_code
        module = None
        if code.co_name == "forward" and code.co_argcount:
            module = _variables(what).get(code.co_varnames[0])
        if module is None or not hasattr(type(module), "named_modules"):
            return () if own else (code.co_name,)
        if self.names is None:
            self.root = module
            self.names = {id(m): name for name, m in module.named_modules()}
            self.prefix = ""
            return (type(module).__name__,)
        name = self.names.get(id(module))
        if name is None:
            return (type(module).__name__,)
        inside = name[len(self.prefix) + 1 :] if self.prefix and name.startswith(self.prefix + ".") else name
        self.prefix = name
        return tuple(inside.split("."))


def _name_in(variables, leaf):
    """The name of the variable, or of the entry of a list, dict or object in a variable, that is the leaf; else None."""
    for name, value in variables.items():
        if value is leaf:
            return name
    for name, value in variables.items():
        if isinstance(value, dict) and len(value) <= LOOKED_THROUGH:
            found = next((k for k, v in value.items() if v is leaf), None)
            if found is not None:
                return f"{name}[{found!r}]"
        elif isinstance(value, (list, tuple)) and len(value) <= LOOKED_THROUGH:
            found = next((k for k, v in enumerate(value) if v is leaf), None)
            if found is not None:
                return f"{name}[{found}]"
        elif name == "self":
            found = next((k for k, v in getattr(value, "__dict__", {}).items() if v is leaf), None)
            if found is not None:
                return f"self.{found}"
    return None
