"""The recorder: sees every op of a function and numbers the values.

Writes in place are recorded in functional form: the tensor has a new value from then on, and so have the tensor
that it is a view of (strided_scatter) and the other views of that one (as_strided, made when they are next used).
"""

from .. import _core
from ..func._levels import is_tensor, paused, recording
from ..func._trees import flatten
from ._graph import Graph


class _Known:
    """A tensor that the recorder has met: its value, and of a view the epoch of its base for which that holds."""

    __slots__ = ("base", "epoch", "tensor", "value")

    def __init__(self, tensor, value, base=None, epoch=0):
        self.tensor = tensor
        self.value = value
        self.base = base
        self.epoch = epoch


class Recorder:
    """Runs ops and appends them to a graph."""

    def __init__(self, graph):
        self.graph = graph
        self.written = {}  # value number of an input or constant -> _Known
        self._known = {}  # id of a tensor (kept alive here) -> _Known
        self._memory = {}  # address of a storage -> _Known of the tensor that the recorder met first
        self._versions = {}  # value number of a state -> version of its storage
        self._outside = {}  # id of an input or state -> its value number

    def add_input(self, t):
        """Numbers an input."""
        value = self._outside[id(t)] = self.graph.add_input(t.shape, t.dtype)
        return self._remember(t, value).value

    def _remember(self, t, value, base=None, epoch=0):
        known = self._known[id(t)] = _Known(t, value, base, epoch)
        if t.numel():
            self._memory.setdefault(_core.storage_address(t)[0], known)
        return known

    def _append(self, op, operands, attrs, shape, dtype):
        return self.graph.add_node(op, operands, attrs, [(shape, dtype)]).results[0]

    def known(self, t):
        """What is known of a tensor; one from outside becomes a constant, one that shares memory a view."""
        found = self._known.get(id(t))
        if found is None:
            owner = self._memory.get(_core.storage_address(t)[0]) if t.numel() else None
            if owner is None:
                found = self._remember(t, self.graph.add_state(t))
                self._outside[id(t)] = found.value
                self._versions[found.value] = t._version
                return found
            found = self._known[id(t)] = _Known(t, -1, owner.base or owner, -1)
        base = found.base
        if base is not None and found.epoch != base.epoch:
            found.value = self._append("as_strided", [base.value], self._region(t, base), t.shape, t.dtype)
            found.epoch = base.epoch
        return found

    @staticmethod
    def _region(t, base):
        if not base.tensor.is_contiguous():
            raise RuntimeError(
                "record: expected views of contiguous tensors where memory is shared and written, got one of a "
                "strided tensor. Use .clone() on it first."
            )
        return tuple(t.shape), tuple(t.stride()), t.storage_offset() - base.tensor.storage_offset()

    def _operand(self, v):
        if is_tensor(v):
            return self.known(v).value
        return None if v is None else (v,)

    def run(self, op, operands, attrs):
        numbers = [self._operand(v) for v in operands]
        with paused():
            out = _core.apply(op, operands, attrs)
        results = out if isinstance(out, tuple) else (out,)
        node = self.graph.add_node(op.name, numbers, attrs, [(t.shape, t.dtype) for t in results])
        for t, value in zip(results, node.results, strict=True):
            owner = None
            if t is results[0] and "view" in op.row.flags and is_tensor(operands[0]):
                source = self._known[id(operands[0])]
                if _core.same_storage(t, operands[0]):
                    owner = source.base or source
            self._remember(t, value, owner, owner.epoch if owner else 0)
        return out

    def run_inplace(self, op, x, operands, attrs):
        numbers = [self._operand(v) for v in operands]
        found = self.known(x)
        with paused():
            shape, dtype = _core.infer(op, operands, attrs)[0]
            _core.inplace(op, x, operands[1:], attrs)
        value = self._append(op.name, numbers, attrs, shape, dtype)
        if dtype != x.dtype:
            value = self._append("cast", [value], (x.dtype,), x.shape, x.dtype)
        if tuple(shape) != tuple(x.shape):
            value = self._append("expand", [value], (tuple(x.shape),), x.shape, x.dtype)
        base = found.base
        if base is None:
            base = found
            new = value
        else:
            b = base.tensor
            new = self._append("strided_scatter", [base.value, value], self._region(x, base), b.shape, b.dtype)
        outside = self._outside.get(id(base.tensor))
        if outside is not None:
            self.written[outside] = base
            self._versions.pop(outside, None)
        base.value = new
        base.epoch += 1
        if found is not base:
            found.value, found.epoch = value, base.epoch
        return x

    def mark_value_read(self, op):
        """A recorded function may not depend on a value that Python reads."""
        raise RuntimeError(
            f"record: expected a function of tensor operations only, got {op}(), which reads a value. Use where() "
            "or keep the value as a tensor."
        )

    def check_states(self):
        """States may change only by ops that the recorder has seen."""
        for value, state in self.graph.states.items():
            if value in self._versions and state.tensor._version != self._versions[value]:
                raise RuntimeError(
                    "record: expected tensors from outside to be changed by tensor operations only, got one that "
                    "was changed by other means during the recording."
                )


def record(fn, *example_inputs):
    """Runs `fn` once on example inputs (tensors) and returns the Graph of what it did.

    The function may use tensors from outside, read gradients with autograd.grad and write in place; it may not read
    values into Python (item, numpy, printing, bool).

    Raises:
        TypeError: an input is no tensor.
        RuntimeError: the function reads a value, or shares memory in a way that has no functional form.

    Example:
        >>> import wengert
        >>> graph = wengert.graph.record(lambda x: (x * 2).tanh(), wengert.zeros(3))
        >>> [node.op for node in graph.nodes]
        ['mul', 'tanh']
        >>> graph.run(wengert.ones(3))
        tensor([0.9640, 0.9640, 0.9640])
    """
    for t in example_inputs:
        if not is_tensor(t):
            raise TypeError(f"record: expected tensors as inputs, got {type(t).__name__}.")
    graph = Graph(getattr(fn, "__name__", "graph"))
    recorder = Recorder(graph)
    for t in example_inputs:
        recorder.add_input(t)
    with recording(recorder):
        leaves, graph.structure = flatten(fn(*example_inputs))
        graph.fixed = {k: v for k, v in enumerate(leaves) if not is_tensor(v)}
        graph.outputs = [("", recorder.known(v).value) for v in leaves if is_tensor(v)]
    recorder.check_states()
    graph.writes = {target: known.value for target, known in recorder.written.items()}
    return graph
