"""Where gradients end: what a recording learns from the ops that the graph does not record.

An op whose result has no node although an operand has one cuts gradients off: it ran inside no_grad(), or has no
derivative. The recording remembers its results as long as they live, and what is computed of them, so that an operand
without history can say where its gradient was lost. `detach()` is no op; there the shared memory tells.
"""

import weakref

from . import _core
from .func import _levels

_Tensor = _core.Tensor


class OpWatcher(_levels.Watcher):
    """Sees every op of a recording, with the very tensors that it was called with."""

    def __init__(self, owner):
        self.owner = owner
        outer = _levels.current_recorder()
        self.inner = outer is not None
        self.traces = outer is not None and getattr(outer, "traces", True)

    def run(self, op, operands, attrs):
        owner = self.owner
        owner.operands = operands
        try:
            if self.inner:
                with _levels.paused():
                    out = _core.apply(op, operands, attrs)
            else:
                out = _core.run(op, operands, attrs)
        finally:
            owner.operands = None
        owner.cuts.note(op, operands, out)
        return out

    def run_inplace(self, op, x, operands, attrs):
        if self.inner:
            with _levels.paused():
                return _core.inplace(op, x, operands[1:], attrs)
        return _core.run_inplace(op, x, operands[1:], attrs)


class Cuts:
    """Tensors without history that come from tensors with one."""

    def __init__(self):
        self._known = {}  # id -> (weak reference, sequence of the node, how)

    def note(self, op, operands, out):
        """An op has run."""
        results = [t for t in (out if isinstance(out, tuple) else (out,)) if isinstance(t, _Tensor)]
        results = [t for t in results if _core.payload(t) is None and _core.node_of(t) is None]
        if not results:
            return
        found = next((c for c in map(self.source, operands) if c is not None), None)
        if found is None:
            return
        sequence, how = found
        if how is None:
            lost = op.row.differentiable and results[0].dtype.is_floating_point
            how = "no_grad" if lost else op.name
        for t in results:
            key = id(t)
            self._known[key] = (weakref.ref(t, lambda _, key=key: self._known.pop(key, None)), sequence, how)

    def source(self, t):
        """(sequence of the node that a value comes from, what cut it off or None), or None for a value from nowhere."""
        if not isinstance(t, _Tensor) or _core.payload(t) is not None:
            return None
        known = self._known.get(id(t))
        if known is not None and known[0]() is t:
            return known[1:]
        node = _core.node_of(t)
        return None if node is None else (node.sequence, None)
