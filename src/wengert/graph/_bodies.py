"""What a function of a branch or a loop does to tensors that are not symbolic, while it is traced: once, for all times that
its sub-graph runs.

What it computes of tensors from outside, and of those that it makes, is computed then. Random draws are part of the
sub-graph, and so is a tensor that it has made from the first write on that the sub-graph takes part in: `randn_like` makes a
tensor and fills it, `z = zeros(3); z[0] = v` writes what another turn computes anew.
"""

from .. import _core, _host
from ..func._levels import Watcher, is_tensor, paused, payload


class Body(Watcher):
    """Sees the ops on plain tensors while the function behind a frame is traced."""

    def __init__(self, op, frame):
        self.op = op
        self.frame = frame
        self._fresh = {}  # id of a tensor made by the function (kept alive here) -> it
        self._views = {}  # id of a view of such a tensor -> (tensor it was made of, op, attributes)

    def made(self, t):
        self._fresh[id(t)] = t
        super().made(t)

    def owns(self, t):
        """Whether the function has made a tensor, with memory of its own."""
        return id(t) in self._fresh

    def _family(self, t):
        """A tensor of the function, and all those that share its memory: the first has that of its own."""
        while id(t) in self._views:
            t = self._views[id(t)][0]
        return [u for u in self._fresh.values() if u is t or id(u) in self._views and _core.same_storage(u, t)]

    def _in_graph(self, operands):
        """Whether the sub-graph has a part of an operand that the function has made: its value may be another by now."""
        return any(self.frame.knows(u) for v in operands if is_tensor(v) and self.owns(v) for u in self._family(v))

    def enter(self, t, whole):
        """A tensor of the function is written to by the sub-graph: it becomes a value there, with its views.

        Args:
            whole: nothing that it holds is read.
        """
        first, *views = self._family(t)
        if whole and not views:
            self.frame.adopt(first)
        if self.frame.adopted(first):
            return
        if any(map(self.frame.knows, views)):
            self._refuse_write()
        self.frame.adopt(first, self.frame.capture(first, None))
        for u in views:
            source, op, attrs = self._views[id(u)]
            self.frame.adopt(u, payload(self.frame.run(op, [source], attrs)).cell)

    def run(self, op, operands, attrs):
        if "random" in op.row.flags or self._in_graph(operands):
            return self.frame.run(op, operands, attrs)
        with paused():
            out = _core.apply(op, operands, attrs)
        for t in out if isinstance(out, tuple) else (out,):
            if payload(t) is not None:
                continue
            if "view" not in op.row.flags:
                self._fresh[id(t)] = t
            elif self.owns(operands[0]) and _core.same_storage(t, operands[0]):
                self._fresh[id(t)] = t
                self._views[id(t)] = operands[0], op, attrs
        return out

    def run_inplace(self, op, x, operands, attrs):
        if not self.owns(x):
            self._refuse_write()
        if "random" in op.row.flags or self._in_graph(operands):
            return self.frame.run_inplace(op, x, operands, attrs)
        with paused():
            return _core.inplace(op, x, operands[1:], attrs)

    def run_host(self, name, tensors, options):
        if _host.draws(name) or self._in_graph(tensors):
            return self.frame.run_host(name, tensors, options)
        return super().run_host(name, tensors, options)

    def mark_value_read(self, op, t=None):
        if self._in_graph(self._fresh.values() if t is None else [t]):
            raise RuntimeError(
                f"{self.op}: expected functions that read no values, got {op}(). Use where() or keep the value as a tensor"
            )
        return super().mark_value_read(op, t)

    def mark_seeded(self, op):
        raise RuntimeError(
            f"{self.op}: expected functions that draw from the default generator as it is, got {op}(). Call it outside"
        )

    def mark_rewound(self, seed, offset):
        self.mark_seeded("set_state")

    def _refuse_write(self, *args):
        raise RuntimeError(
            f"{self.op}: expected functions that write to no tensor with a value, got a write in place. Return the new value"
        )

    run_update = became_view = took_data = _refuse_write


class RecordedBody(Body):
    """The same while a recorder watches the code around: nothing may happen that a plan would not do again."""

    @property
    def began(self):
        """Asked for when a backward pass begins: that of tensors with values would run once, not once a step."""
        raise RuntimeError(
            f"{self.op}: expected functions without a backward pass of tensors with values, got one. Run it outside"
        )

    def takes_sparse(self, op):
        """Such a gradient has no place in a sub-graph."""
        raise RuntimeError(f"{self.op}: expected functions with dense gradients, got {op} with sparse=True")
