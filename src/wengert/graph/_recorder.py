"""The recorder: sees every op of a function and writes it down as a graph.

Writes in place are recorded in functional form: the tensor has a new value from then on, and so have the tensor
that it is a view of (strided_scatter) and the other views of that one (as_strided, made when they are next used).
"""

import contextlib

from .. import _core
from .._dtypes import DTYPES
from .._host import call as host_call
from ..func._levels import Watcher, is_tensor, paused, recording
from ..func._trees import flatten
from ._collector import collector_resting
from ._draws import Draws
from ._graph import Graph, Node
from ._lines import Places
from ._mirrors import Mirrors
from ._updates import Update


class _Known:
    """A tensor that the recorder has met: its value, and of a view the epoch of its base for which that holds."""

    __slots__ = ("_regions", "base", "epoch", "region", "tensor", "value", "whole")

    def __init__(self, tensor, value, base=None, epoch=0):
        self.tensor = tensor
        self.value = value
        self.base = base
        self.epoch = epoch
        self._regions = None
        if base is not None:
            self.region = _region(tensor)
            self.whole = self.region == _region(base.tensor)
        else:
            self.whole = False

    @property
    def regions(self):
        """Of a base: region -> (value of a view of it, epoch)."""
        if self._regions is None:
            self._regions = {}  # few tensors have views
        return self._regions


def _region(t):
    return tuple(t.shape), tuple(t.stride()), t.storage_offset(), t.dtype


def _address(t):
    """Where the storage of a tensor begins; None where it has no elements."""
    return _core.storage_address(t)[0] if t.numel() and not _core.is_shape_only(t) else None


class Recorder(Watcher):
    """Runs ops and appends them to a graph."""

    def __init__(self, graph):
        self.graph = graph
        self.mirrors = Mirrors()
        self._where = Places(inside=2)  # _add and the method that calls it
        self.written = {}  # value number of an input or state -> _Known
        self._known = {}  # id of a tensor (kept alive here) -> _Known
        self._memory = {}  # address of a storage -> _Known of the tensor that the recorder met first
        self._versions = {}  # value number of a state -> (the tensor, version of its storage)
        self._outside = {}  # id of an input or state -> its value number
        self._fresh = {}  # id of a tensor that was made while recording (kept alive here) -> it
        self._leaf_of = {}  # id of a gradient that was there at the start -> its leaf
        self._gradients = []  # those gradients, kept alive
        self._kept = []  # alive, so that no other tensor gets their ids
        self._leaves = set()  # ids of leaves that have been looked at
        self.places = []  # the numbers of the leaves of the result that are outputs of the graph
        self.take_apart = flatten  # what gives leaves and structure of a result
        self._draws = Draws()
        self._announced = {}  # address of a storage -> tensor from outside

    @contextlib.contextmanager
    def open(self):
        """Sees the operations of this thread while the block runs."""
        with recording(self), self.mirrors.following(), _core.keeping_storages():
            try:
                yield
            finally:
                self._where.forget()

    # ---- what is there at the start --------------------------------------------------------------------------

    def add_input(self, t):
        """Numbers an input."""
        value = self._outside[id(t)] = self.graph.add_input(t.shape, t.dtype)
        return self._remember(t, value).value

    def add_leaf(self, leaf):
        """Notes a tensor whose gradient the function may use: that gradient is read anew in each run."""
        g = leaf.grad
        if g is not None and id(leaf) not in self._leaves:
            self._leaf_of[id(g)] = leaf
            self._gradients.append(g)
        self._leaves.add(id(leaf))

    def announce(self, t):
        """Notes a tensor from outside: views of its memory are views of it."""
        if t.numel() and _core.payload(t) is None:
            self._announced.setdefault(_core.storage_address(t)[0], t)
        self.add_leaf(t)

    def made(self, t):
        """The core announces a tensor that is made now: nothing outside knows it."""
        self._fresh[id(t)] = t

    # ---- values ----------------------------------------------------------------------------------------------

    def _remember(self, t, value):
        known = self._known[id(t)] = _Known(t, value)
        address = _address(t)
        if address is not None:
            self._memory.setdefault(address, known)
        return known

    def _remember_result(self, t, value):
        """A new tensor; one that looks at the memory of a known one is a view of that."""
        address = _address(t)
        found = None if address is None else self._memory.get(address)
        if found is not None:
            owner = found.base or found
            known = self._known[id(t)] = _Known(t, value, owner, owner.epoch)
            owner.regions[known.region] = value, owner.epoch
            return
        known = self._known[id(t)] = _Known(t, value)
        if address is not None:
            self._memory[address] = known

    def _owner(self, t):
        """The known tensor whose memory t looks at, or None."""
        found = self._memory.get(_address(t))
        return None if found is None else found.base or found

    def _owner_outside(self, t):
        """The tensor from outside, announced at the start, whose memory t looks at; None for that tensor itself."""
        outside = self._announced.get(_address(t))
        return None if outside is None or outside is t else self._meet(outside)

    def _append(self, op, operands, attrs, shape, dtype):
        return self._add(op, operands, attrs, [(shape, dtype)]).results[0]

    def _add(self, op, operands, attrs, specs, tensor=None, payload=None):
        """Appends a node that says where the user's code made it; `tensor` is its first result."""
        line, scope = self._where.place()
        node = self.graph.add_node(op, operands, attrs, specs, scope, line, payload)
        self.mirrors.note(node, tensor)
        return node

    def has_met(self, t):
        """Whether the function has used a tensor."""
        return id(t) in self._known

    def has_made(self, t):
        """Whether a tensor is the result of a recorded op."""
        return id(t) in self._known and id(t) not in self._outside

    def known(self, t):
        """What is known of a tensor; one from outside becomes a state, one that shares memory a view."""
        found = self._known.get(id(t))
        if found is None:
            owner = self._owner(t) or self._owner_outside(t)
            if owner is None:
                return self._meet(t)
            found = self._known[id(t)] = _Known(t, -1, owner, -1)
        base = found.base
        if base is not None and found.epoch != base.epoch:
            value, epoch = base.regions.get(found.region, (None, -1))
            if found.whole:
                found.value = base.value
            elif epoch == base.epoch:
                found.value = value
            else:
                region = self._region(t, base)
                found.value = self._append("as_strided", [base.value], region, t.shape, t.dtype)
                base.regions[found.region] = found.value, base.epoch
            found.epoch = base.epoch
        return found

    def _meet(self, t):
        """A tensor that no recorded op has made."""
        if _core.is_shape_only(t):
            return self._remember(t, self.graph.add_shape(t.shape, t.dtype))
        if id(t) in self._fresh:
            with paused():
                value = self.graph.add_state(t.detach().clone(), kind="literal")
            return self._remember(t, value)
        leaf = self._leaf_of.get(id(t))
        if leaf is not None:
            value = self.graph.add_state(leaf, kind="grad")
        else:
            value = self.graph.add_state(t, kind="parameter" if _core.is_parameter(t) else "constant")
        found = self._remember(t, value)
        self._outside[id(t)] = value
        self._versions[value] = t, t._version
        self.add_leaf(t)
        return found

    def _region(self, t, base):
        if not base.tensor.is_contiguous():
            self.refuse(
                "expected views of contiguous tensors where memory is shared and written, got one of a strided tensor. "
                "Use .clone() on it first"
            )
        return tuple(t.shape), tuple(t.stride()), t.storage_offset() - base.tensor.storage_offset()

    def _operands(self, operands):
        numbers = []
        for v in operands:
            found = self._known.get(id(v))
            plain = found is not None and found.base is None
            numbers.append(found.value if plain else self._operand(v, operands))
        return numbers

    def _operand(self, v, beside):
        if is_tensor(v):
            return self.known(v).value
        if isinstance(v, complex):  # nodes hold real numbers; a tensor without dimensions changes no precision
            double = any(t.dtype.name in ("float64", "complex128") for t in beside if is_tensor(t))
            with paused():
                literal = _core.full((), v, DTYPES["complex128" if double else "complex64"])
                return self.graph.add_state(literal, kind="literal")
        if v is None:
            return None
        return (v.item() if hasattr(v, "item") else v,)  # a NumPy scalar counts as its number

    # ---- ops -------------------------------------------------------------------------------------------------

    def run(self, op, operands, attrs):
        if "random" in op.row.flags:
            self._check_draw(op, attrs)
        numbers = self._operands(operands)
        with paused():
            out = _core.apply(op, operands, attrs)
        results = out if isinstance(out, tuple) else (out,)
        specs = [(t.shape, t.dtype) for t in results]
        node = self._add(op.name, numbers, attrs, specs, results[0])
        for t, value in zip(results, node.results, strict=True):
            self._remember_result(t, value)
        return out

    def _check_draw(self, op, attrs):
        if attrs[-2] != _core.default_seed():
            self.refuse(
                f"expected random numbers of the default generator, got {op.name} with one of its own. Draw outside and "
                "pass the tensor"
            )
        elif not self._draws.add(attrs[-1]):
            self.refuse(
                f"expected random numbers that are drawn once, or again as they were, got others of the same places by "
                f"{op.name}. Draw outside and pass the tensor"
            )

    def run_inplace(self, op, x, operands, attrs):
        if "random" in op.row.flags:
            self._check_draw(op, attrs)
        numbers = self._operands(operands)
        found = self.known(x)
        with paused():
            shape, dtype = _core.infer(op, operands, attrs)[0]
            _core.inplace(op, x, operands[1:], attrs)
        value = self._add(op.name, numbers, attrs, [(shape, dtype)], x).results[0]
        if dtype != x.dtype:
            value = self._append("cast", [value], (x.dtype,), x.shape, x.dtype)
        if tuple(shape) != tuple(x.shape):
            value = self._append("expand", [value], (tuple(x.shape),), x.shape, x.dtype)
        self._set(found, value)
        return x

    def _set(self, found, value):
        """A known tensor has a new value from now on."""
        base = found.base or found
        new = value
        if found.base is not None and not found.whole:
            b = base.tensor
            region = self._region(found.tensor, base)
            new = self._append("strided_scatter", [base.value, value], region, b.shape, b.dtype)
        outside = self._outside.get(id(base.tensor))
        if outside is not None:
            self.written[outside] = base
            self._versions.pop(outside, None)
        base.value = new
        base.epoch += 1
        if found is not base:
            found.value, found.epoch = value, base.epoch

    def became_view(self, t, view):
        """A known tensor is a view of what it was; other views of its memory keep their base."""
        found, seen = self.known(t), self.known(view)
        if id(t) in self._outside:
            self.refuse(
                "expected tensors from outside to keep their shape, got an in-place view (t_, squeeze_, ...)"
            )
        if found.base is None:
            with paused():
                found.tensor = t.detach()
        known = self._known[id(t)] = _Known(view, seen.value, seen.base or found, seen.epoch)
        known.tensor = t

    def took_data(self, t, value):
        """A tensor takes the memory of another one (t.data = value)."""
        if id(t) not in self._fresh and (id(t) in self._outside or id(t) not in self._known):
            self.refuse(
                "expected tensors from outside to keep their memory, got t.data = ... for one of them. Write in place"
            )
            return
        self.known(value)
        self._fresh.pop(id(t), None)
        self._kept.append(self._known.pop(id(t), t))

    def run_update(self, step, group, state):
        """An optimizer's compiled pass: one node that reads and writes parameters and their state."""
        params = [p for p in group["params"] if p.grad is not None]
        tensors = [t for p in params for t in [p, *[s for s in state.get(p, {}).values() if is_tensor(s)]]]
        inputs = [self.known(t).value for t in tensors]
        grads = [self.known(p.grad).value for p in params]
        with paused():
            done = step(group, state)
        if not done or not params:
            return done
        update = Update(step, group, state, params, [self._state_under(t) for t in tensors])
        specs = [(t.shape, t.dtype) for t in tensors]
        node = self._add("update", [*inputs, *grads], (), specs, payload=update)
        for t, state_value, value in zip(tensors, update.states, node.results, strict=True):
            base = self.known(t).base or self.known(t)
            base.value = value
            base.epoch += 1
            # The update writes the memory itself; what was written before must be there by then.
            self.written.pop(state_value, None)
            self._versions.pop(state_value, None)
        return done

    def run_host(self, name, tensors, options):
        """A function on NumPy arrays: one node."""
        return self._own(
            "host",
            tensors,
            {"function": name, "options": options},
            lambda: host_call(name, *tensors, options=options),
        )

    def run_region(self, op, parts, tensors):
        """An operation with sub-graphs: one node."""
        from ._recorded_regions import execute

        return self._own(op, tensors, parts, lambda: execute(op, parts, tensors))

    def _own(self, op, tensors, payload, run):
        """Runs an operation of the graph's own, which gives tensors with memory of their own, and appends its node."""
        numbers = [self.known(t).value for t in tensors]
        draws = Node(op, (), (), (), payload=payload).draws
        if draws and not self._draws.complete():
            self.refuse(
                f"expected random numbers that are drawn once, got those of {payload.get('function', op)} again after the "
                "generator was set back. Draw outside and pass the tensor"
            )
        with paused():
            results = run()
        if draws:
            self._draws.follow()
        node = self._add(op, numbers, (), [(t.shape, t.dtype) for t in results], payload=payload)
        for t, value in zip(results, node.results, strict=True):
            self._remember(t, value)
        return results

    def _state_under(self, t):
        """The number of the state whose memory t is."""
        known = self.known(t)
        base = known if known.base is None else known.base
        if id(base.tensor) not in self._outside or (known is not base and not known.whole):
            self.refuse(
                "expected an optimizer of tensors from outside the function, got one whose parameters or state are made "
                "or viewed inside. Make the optimizer before"
            )
            return -1
        return self._outside[id(base.tensor)]

    def is_tied(self, place, t):
        """Whether a result (the leaf number `place`) is no value of its own, but comes with another object."""
        return False

    def leaf_with_gradient(self, t):
        """The leaf whose gradient a tensor is now, or None."""
        for state in self.graph.states.values():
            if state.tensor.grad is t:
                return state.tensor
        return None

    def outside_under(self, t):
        """The input or state whose memory a tensor looks at, or None."""
        known = self.known(t)
        base = (known.base or known).tensor
        return base if id(base) in self._outside else None

    # ---- limits ----------------------------------------------------------------------------------------------

    def refuse(self, message):
        """What the function does has no graph."""
        raise RuntimeError(f"record: {message}.")

    def mark_value_read(self, op, t=None):
        """A recorded function may not depend on a value that Python reads."""
        self.refuse(
            f"expected a function of tensor operations only, got {op}(), which reads a value. Use where() or keep the "
            "value as a tensor"
        )

    def takes_sparse(self, op):
        """Gradients of a graph are dense."""
        return False

    def mark_seeded(self, op):
        """A recorded function may not set the random generator: its runs go on in the sequence."""
        self.refuse(f"expected the random generator as it is, got {op}(), which sets it. Call that outside")

    def mark_rewound(self, seed, offset):
        """The generator may go back to a place where it has been in the recording, and forth again."""
        if not self._draws.rewind(seed, offset):
            self.mark_seeded("set_state")

    def check_draws(self):
        """A run draws every number once, and leaves the generator behind them."""
        if not self._draws.complete():
            self.refuse(
                "expected the random generator behind all numbers that were drawn, got one that was set back. Draw outside "
                "and pass the tensor"
            )

    def check_states(self):
        """States may change only by ops that the recorder has seen."""
        for t, version in self._versions.values():
            if t._version != version:
                raise RuntimeError(
                    "record: expected tensors from outside to be changed by tensor operations only, got one that "
                    "was changed by other means during the recording."
                )

    def finish(self, out):
        """Completes the graph with what the function returned and left behind."""
        graph = self.graph
        leaves, graph.structure = self.take_apart(out)
        self.places = [k for k, v in enumerate(leaves) if is_tensor(v) and not self.is_tied(k, v)]
        graph.fixed = {k: None if is_tensor(v) else v for k, v in enumerate(leaves) if k not in self.places}
        graph.outputs = [("", self.known(leaves[k]).value) for k in self.places]
        for value, state in list(graph.states.items()):
            if state.kind in ("grad", "literal"):
                continue
            grad = state.tensor.grad
            if grad is not None and id(grad) not in self._leaf_of:
                graph.grads[value] = self.known(grad).value
        for leaf in self._leaf_of.values():
            if leaf.grad is None:
                self.known(leaf)
                graph.grads[self._outside[id(leaf)]] = None
        self.check_states()
        self.check_draws()
        graph.writes = {target: known.value for target, known in self.written.items()}
        return graph


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
    # A tensor that is given twice stands for two inputs.
    given = {}
    for k, t in enumerate(example_inputs):
        given[k] = t.detach().clone().requires_grad_(t.requires_grad) if any(t is u for u in given.values()) else t
        recorder.add_input(given[k])
    with collector_resting(), recorder.open():
        return recorder.finish(fn(*given.values()))
