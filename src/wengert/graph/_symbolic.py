"""Symbolic tensors: ordinary tensor code on them appends nodes to a graph.

A symbolic tensor is a wrapper of a `SymbolicFrame`. Its payload has a cell: which value it holds now, and, where it is a
view, of which other cell. Writes in place are recorded in functional form, as the recorder does it: the written cell has
a new value, its root too (strided_scatter), and other views of the root read theirs from it when they are next used
(as_strided).
"""

import math

from .. import _core, _host
from .._dtypes import DTYPES
from ..autograd.function import FunctionCtx
from ..autograd.grad_mode import is_grad_enabled
from ..func._levels import Frame, Watcher, current_recorder, entry, is_tensor, open_frames, payload
from ._bodies import Body
from ._lines import scope_names, user_place
from ._needed import DATA_DEPENDENT
from ._numbers import is_followed
from ._symbols import Dim, Ratio, recognise, same_sizes, symbolic

COPIES = frozenset(
    {"rows", "reshape_like", "unreduce_like", "expand_channels"}
)  # view rows that nobody writes through


class Cell:
    """What a symbolic tensor holds: the number of a value, and of a view how it lies in the root of its memory."""

    __slots__ = ("epoch", "layout", "made", "origin", "root", "value")

    def __init__(self, value, made=None, origin=None):
        self.value = value
        self.made = made  # of a view: (cell it was made of, op, attributes)
        self.layout = None  # (strides, offset) in the root, when something has asked for it
        self.root = None if made is None else made[0].root or made[0]
        self.epoch = self.root.epoch if self.root else 0
        self.origin = origin  # the number of the state or input that it is


class Symbolic:
    """The payload of a symbolic tensor."""

    __slots__ = ("cell", "cut", "frame", "shape", "stopped")

    def __init__(self, frame, cell, cut=False):
        self.frame = frame
        self.cell = cell
        self.cut = cut  # without history: gradients end here
        self.stopped = None  # (value, the number of its copy without history)
        shape = frame.graph.shapes[cell.value]
        self.shape = shape if symbolic(shape) else None

    def detached(self):
        """The same value without history."""
        return self.frame.wrap(self.cell, True)

    def layout(self):
        """(strides, offset) in elements: inputs and results lie row by row, views as they do in these."""
        return self.frame.layout_of(self.cell)

    def like(self, dtype, value, op):
        """A tensor of the same sizes, where these are known by name alone, filled with a number; None otherwise."""
        return None if self.shape is None else self.frame.filled_like(self.cell, dtype, value)

    def backward(self, roots, grads, inputs, accumulate, allow_unused):
        """What autograd asks for: gradients as nodes."""
        return self.frame.backward(roots, grads, inputs, accumulate, allow_unused)

    def explain_no_value(self, op):
        """The message of an op that needs a value."""
        graph = self.frame.graph
        node = graph.producers().get(self.cell.value)
        made = "" if node is None else f", made by {node.op} at {node.line}"
        return (
            f"{op}: expected a tensor with a value, got the symbolic tensor {graph.label(self.cell.value)} of graph "
            f"{graph.name!r}{made}, which has one when the graph runs. Use wengert.where() or wengert.cond() to choose "
            "by a value, wengert.while_loop() to repeat, and g.output() to read it after a run."
        )

    def text(self):
        """What the tensor prints as."""
        graph, v = self.frame.graph, self.cell.value
        return f"tensor(<{graph.label(v)} of graph {graph.name!r}>, size={list(graph.shapes[v])}, dtype={graph.dtypes[v]})"


class SymbolicFrame(Frame, Watcher):
    """Appends the ops on its tensors to a graph. `parent`: the frame around a sub-graph."""

    __slots__ = ("_adopted", "_captured", "_fresh", "_given", "_states", "graph", "parent")
    builds = True
    outside_remedy = (
        "Use g.assign(), g.minimize(loss, optimizer) for an optimizer's step, or write to it inside `with g:`."
    )

    def __init__(self, graph, parent=None):
        self.graph = graph
        self.parent = parent
        self.alive = True
        self.depth = 0
        self._states = {}  # place of a tensor from outside (kept alive by its State) -> Cell
        self._fresh = {}  # id of a tensor made inside `with g:` -> the tensor
        self._given = []  # of a sub-graph: cells of the arguments of its function
        self._adopted = {}  # of a sub-graph: place of a tensor that its function has made and written -> (cell, the tensor)
        self._captured = {}  # of a sub-graph: cell or place of a tensor outside -> (cell, value outside, the tensor)
        for v, state in graph.states.items():
            if state.kind != "grad":
                cell = self._states[place_of(state.tensor)] = Cell(v, origin=v)
                cell.value = graph.writes.get(v, v)

    @property
    def writes_outside(self):
        """Inside `with g:`, and in functions of regions, all code that follows sees such a write; elsewhere, plain
        operations would not."""
        recorder = current_recorder()
        return recorder is self or isinstance(recorder, Body)

    # ---- symbolic tensors and values ------------------------------------------------------------------------------

    def wrap(self, cell, cut=False):
        """A tensor that stands for a cell."""
        graph = self.graph
        payload_ = Symbolic(self, cell, cut)
        return _core.make_wrapper(graph.shapes[cell.value], graph.dtypes[cell.value], payload_)

    def wrap_value(self, value, origin=None):
        """A tensor that stands for a value."""
        return self.wrap(Cell(value, origin=origin))

    def operand(self, v, op="graph", double=False):
        """An operand of a node: the number of a value, a Python number in a tuple, or None. `double`: of what precision
        the value is that stands for a complex number."""
        if is_tensor(v):
            return self.value_of(v, op)
        if v is None:
            return None
        if is_followed(v):
            v = v.item()
        if isinstance(v, (int, float, Dim, Ratio)):
            return (v,)
        if isinstance(v, complex):  # nodes hold real numbers; a tensor without dimensions changes no precision
            return self.value_of(_core.full((), v, DTYPES["complex128" if double else "complex64"]), op)
        item = getattr(v, "item", None)
        if item is None or getattr(v, "shape", ()) != ():
            raise TypeError(
                f"{op}: expected a Tensor or a number, got {type(v).__name__}. Use wengert.tensor() first."
            )
        return (item(),)

    def _operands(self, operands, op):
        double = any(v.dtype.name in ("float64", "complex128") for v in operands if is_tensor(v))
        return [self.operand(v, op, double) for v in operands]

    def value_of(self, t, op="graph"):
        """The number of a tensor's value now; tensors from outside become states (of a sub-graph: inputs)."""
        p = payload(t)
        if p is None or p.frame is not self:
            if p is not None and not self._inside(getattr(p, "frame", None)):
                other = getattr(getattr(p, "frame", None), "graph", None)
                what = "a tensor of a transform" if other is None else f"one of graph {other.name!r}"
                raise RuntimeError(
                    f"{op}: expected tensors of graph {self.graph.name!r}, got {what}. Make it an input of this graph, "
                    "or use g.call() to compose graphs."
                )
            if self.parent is not None:
                return self.current(self.capture(t, p))
            cell = self.state_cell(t, op)
            source = self.graph.states.get(cell.origin)
            cut = not t.requires_grad and source is not None and source.tensor.requires_grad
            return self.append("stop_gradient", [self.current(cell)]).results[0] if cut else self.current(cell)
        value = self.current(p.cell)
        if p.cut and is_grad_enabled():
            if p.stopped is None or p.stopped[0] != value:
                p.stopped = (value, self.append("stop_gradient", [value]).results[0])
            value = p.stopped[1]
        return value

    def _inside(self, frame):
        """Whether a frame lies around this one."""
        outer = self.parent
        while outer is not None and outer is not frame:
            outer = outer.parent
        return outer is not None

    def capture(self, t, p):
        """The cell of a tensor from around a sub-graph: an input more."""
        key = captured_key(t, p)
        if key in self._adopted:
            return self._adopted[key][0]
        found = self._captured.get(key)
        if found is None:
            outside = self.parent.value_of(t)
            value = self.graph.add_input(self.parent.graph.shapes[outside], self.parent.graph.dtypes[outside])
            found = self._captured[key] = (Cell(value, origin=value), outside, t)
        return found[0]

    def knows(self, t):
        """Whether a plain tensor is a value of this sub-graph already."""
        key = captured_key(t, None)
        return key in self._adopted or key in self._captured

    def adopt(self, t, cell=None):
        """A tensor that the function of this sub-graph has made is a cell from now on; by itself one of which nothing but
        its size counts."""
        if not self.knows(t) or cell is not None:
            if cell is None:
                cell = Cell(self.graph.add_shape(self.named_sizes((tuple(t.shape),))[0], t.dtype))
            self._adopted[captured_key(t, None)] = cell, t

    def adopted(self, t):
        """Whether a plain tensor is a cell that the function writes to."""
        return captured_key(t, None) in self._adopted

    def captured(self):
        """The values of the graph around that the inputs captured stand for, in order."""
        return [outside for _, outside, _ in self._captured.values()]

    def state_cell(self, t, op="graph", name="", kind=None):
        """The cell of a tensor from outside."""
        place = place_of(t)
        found = self._states.get(place)
        if found is not None:
            return found
        if t.requires_grad and not t.is_leaf:
            raise RuntimeError(
                f"{op}: expected symbolic tensors, parameters or tensors without history, got the result of "
                f"{t.grad_fn.name()} outside the graph. Compute it inside (`with g:`), or use .detach()."
            )
        sizes = self.named_sizes((tuple(t.shape),))[0]
        if symbolic(sizes):
            raise RuntimeError(
                f"{op}: expected tensors from outside of known sizes, got one of shape {tuple(sizes)}. Make it from a "
                "tensor that has that size: zeros_like(x), x * 0."
            )
        if kind is None:
            name, kind = name_in(user_place()[2], t)
        if kind is None:
            kind = "parameter" if t.requires_grad else "constant"
        value = self.graph.add_state(t, name, kind)
        found = self._states[place] = Cell(value, origin=None if id(t) in self._fresh else value)
        return found

    def give(self, value):
        """A tensor that stands for an input of a sub-graph: an argument of its function."""
        cell = Cell(value)
        self._given.append(cell)
        return self.wrap(cell)

    # ---- nodes ----------------------------------------------------------------------------------------------------

    def append(self, op, inputs, attrs=()):
        """Appends a row with the user's line and scope."""
        line, scope, _ = user_place()
        return self.graph.apply(op, inputs, attrs, scope, line)

    def run(self, entry, operands, attrs):
        """An op on symbolic tensors: a node."""
        if entry.name in DATA_DEPENDENT:
            raise RuntimeError(
                f"{entry.name}: expected an op whose result has a shape known when the graph is built, got one whose "
                "shape depends on values. Use wengert.where() with a mask instead."
            )
        inner = self._home(operands, "random" in entry.row.flags)
        if inner is not self:
            return inner.run(entry, operands, attrs)
        self._check_draw(entry, attrs)
        values = self._operands(operands, entry.name)
        attrs = self.named_sizes([v.item() if is_followed(v) else v for v in attrs])
        if entry.name == "as_strided":
            self._check_region(operands[0], attrs)
        node = self.append(entry.name, values, attrs)
        results = []
        for k, v in enumerate(node.results):
            made = None
            if k == 0 and "view" in entry.row.flags and entry.name not in COPIES and is_tensor(operands[0]):
                made = (self.cell_of(operands[0]), entry.name, attrs)
            cell = Cell(v, made)
            if made is not None and entry.name == "reshape":
                self._place(cell)  # a view or a copy: code that follows depends on it
            results.append(self.wrap(cell, not is_grad_enabled()))
        return tuple(results) if len(results) > 1 else results[0]

    def filled_like(self, cell, dtype, value):
        """A tensor of a cell's sizes filled with a number."""
        zeros = self.append("zeros_like", [self.current(cell)])
        if self.graph.dtypes[zeros.results[0]] != dtype:
            zeros = self.append("cast", [zeros.results[0]], (dtype,))
        made = self.wrap(Cell(zeros.results[0]), not is_grad_enabled())
        return made.fill_(value) if value else made

    def run_host(self, name, tensors, options):
        """A function on NumPy arrays: a node."""
        inner = self._home(tensors, _host.draws(name))
        if inner is not self:
            return inner.run_host(name, tensors, options)
        values = [self.value_of(t, name) for t in tensors]
        options = self.named_sizes(options)
        graph = self.graph
        made = _host.specs(name, [(graph.shapes[v], graph.dtypes[v]) for v in values], options)
        line, scope, _ = user_place()
        node = graph.add_node("host", values, (), made, scope, line, {"function": name, "options": options})
        return tuple([self.wrap(Cell(v), not is_grad_enabled()) for v in node.results])

    def run_function(self, function, args):
        """A Function: those that are calls of one host function are nodes, with its gradient."""
        if not _host.has_node(function):
            raise RuntimeError(
                f"{function.__name__}.apply: expected operations with nodes, got a Function of your own, whose rule is "
                "Python code. Write it as tensor operations"
                + (", or use wengert.compile() or wengert.graph.record()." if self.parent is None else ".")
            )
        return function.forward(FunctionCtx(function, args), *args)

    def _home(self, operands, random=False):
        """The frame that an operation belongs to: draws, and what reads tensors that the function of a branch or a loop has
        made, happen each time that it runs, not once before it."""
        if random:
            return self.innermost()
        recorder = current_recorder()
        if isinstance(recorder, Body) and any(is_tensor(v) and recorder.owns(v) for v in operands):
            return recorder.frame if recorder.frame._inside(self) else self
        return self

    def _check_draw(self, entry, attrs):
        if "random" in entry.row.flags and attrs[-2] != _core.default_seed():
            raise RuntimeError(
                f"{entry.name}: expected random numbers of the default generator, got those of one of its own. Draw outside "
                "and pass the tensor."
            )

    def innermost(self):
        """The frame of the function of a branch or loop that is being traced; this one where none is."""
        for frame in reversed(open_frames()):
            if isinstance(frame, SymbolicFrame):
                return frame if frame._inside(self) else self
        return self

    def named_sizes(self, attrs):
        """Attributes in which sizes by name are recognised."""
        names = self.graph.symbols
        if not names:
            return tuple(attrs)
        sink = self.graph.guards
        return tuple(
            tuple([recognise(n, names, sink) for n in v]) if type(v) is tuple else recognise(v, names, sink)
            for v in attrs
        )

    def cell_of(self, t):
        """The cell of a tensor that value_of() has met."""
        p = payload(t)
        if p is not None and p.frame is self:
            return p.cell
        if self.parent is not None:
            return self.capture(t, p)
        return self._states[place_of(t)]

    # ---- views and writes -----------------------------------------------------------------------------------------

    def _place(self, cell):
        """Finds (strides, offset) of a cell in its root; roots count as contiguous."""
        chain = [cell]
        while chain[-1].layout is None and chain[-1].made is not None:
            chain.append(chain[-1].made[0])
        for c in reversed(chain):
            if c.layout is not None:
                continue
            shape = self.graph.shapes[c.value]
            if c.made is None and c.origin in self.graph.states:
                c.layout = (self.graph.states[c.origin].tensor.stride(), 0)
                continue
            if c.made is not None:
                source, op, attrs = c.made
                if op == "reshape":
                    op, attrs = "view", (shape,)
                if op == "as_strided":
                    c.layout = (attrs[1], source.layout[1] + attrs[2])
                    continue
                dtype = self.graph.dtypes[c.value]
                try:
                    c.layout = _core.view_layout(
                        entry(op), self.graph.shapes[source.value], *source.layout, dtype, attrs
                    )
                    continue
                except RuntimeError:
                    c.made = c.root = None  # the elements were copied
            c.layout = (contiguous_strides(shape), 0)
        return cell.layout

    def layout_of(self, cell):
        """(strides, offset) of a cell in its storage, sizes by name in their places."""
        strides, offset = self.named_sizes(self._place(cell))
        return tuple(strides), offset + self._storage_of(cell)[0]

    def _storage_of(self, cell):
        """(elements before the root of a cell, elements of its whole storage)."""
        root = cell.root or cell
        if root.origin in self.graph.states:
            t = self.graph.states[root.origin].tensor
            return t.storage_offset(), t.untyped_storage().nbytes() // t.element_size()
        return 0, math.prod(self.graph.shapes[root.value])

    def _check_region(self, x, attrs):
        """as_strided reaches no further than the storage does."""
        size, strides, offset = attrs
        if any(n == 0 for n in size):
            return
        cell = self.cell_of(x)
        low = high = self.layout_of(cell)[1] + offset
        for n, step in zip(size, strides, strict=True):
            low, high = (low + (n - 1) * step, high) if step < 0 else (low, high + (n - 1) * step)
        items = self._storage_of(cell)[1]
        if low < 0 or high >= items:
            raise RuntimeError(
                f"as_strided: expected a region inside a storage of {items} elements, got elements {low} to {high}."
            )

    def _check_root(self, root):
        if root.origin in self.graph.states and not self.graph.states[root.origin].tensor.is_contiguous():
            raise RuntimeError(
                "in-place write: expected a view of a contiguous tensor, got one of a strided tensor. Use .clone() on "
                "it first."
            )

    def current(self, cell):
        """The number of the value that a cell holds now."""
        if cell.root is None or cell.epoch == cell.root.epoch:
            return cell.value
        self._check_root(cell.root)
        attrs = self.named_sizes((tuple(self.graph.shapes[cell.value]), *self._place(cell)))
        cell.value = self.append("as_strided", [cell.root.value], attrs).results[0]
        cell.epoch = cell.root.epoch
        return cell.value

    def write(self, cell, value):
        """A cell, and the tensor that it is a view of, have a new value."""
        root = cell.root or cell
        if cell.root is not None:
            self._check_root(root)
            layout = self._place(cell)
            shape = self.graph.shapes[cell.value]
            if any(s == 0 and type(n) is int and n > 1 for n, s in zip(shape, layout[0], strict=True)):
                raise RuntimeError(
                    "in-place write: expected elements with memory of their own, got an expanded tensor. Use .clone() "
                    "first."
                )
            attrs = self.named_sizes((tuple(shape), *layout))
            root.value = self.append("strided_scatter", [root.value, value], attrs).results[0]
        else:
            root.value = value
        root.epoch += 1
        cell.value, cell.epoch = value, root.epoch
        if root.origin in self.graph.states:
            self._check_shared(root.origin)
            self.graph.writes[root.origin] = root.value

    def _check_shared(self, number):
        mine = self.graph.states[number].tensor
        for other, state in self.graph.states.items():
            if other != number and state.kind != "grad" and _core.same_storage(mine, state.tensor):
                raise RuntimeError(
                    f"assign: expected states with memory of their own, got {self.graph.label(number)} and "
                    f"{self.graph.label(other)}, which share it. Use .clone() for one of them."
                )

    def run_inplace(self, entry, x, operands, attrs):
        """x.op_(...) in functional form; a tensor from outside is a state that a run writes to."""
        recorder = current_recorder()
        own = payload(x) is None and isinstance(recorder, Body) and recorder.owns(x)
        if own and recorder.frame is not self:
            return recorder.frame.run_inplace(entry, x, operands, attrs)
        inner = self.innermost()
        outside = payload(x) is None and not own and self.parent is not None
        if outside or inner is not self or getattr(payload(x), "frame", self) is not self:
            raise RuntimeError(
                f"{entry.name}_: expected a tensor of the sub-graph {inner.graph.name!r}, got one from outside. Return "
                "the new value from the function instead."
            )
        cell = None if own or payload(x) is None else payload(x).cell
        if cell is not None and any((cell.root or cell) is known for known in self._given):
            raise RuntimeError(
                f"{entry.name}_: expected functions of branches and loops that do not write to their arguments, got a write "
                "in place to one. Return the new value, or use .clone() first."
            )
        self._check_draw(entry, attrs)
        if own:
            recorder.enter(x, "random" in entry.row.flags and entry.name != "dropout")
        values = self._operands(operands, entry.name + "_")
        graph = self.graph
        node = self.append(entry.name, values, self.named_sizes(attrs))
        value = node.results[0]
        shape, dtype = graph.shapes[values[0]], graph.dtypes[values[0]]
        made, made_dtype = tuple(graph.shapes[value]), graph.dtypes[value]
        if not same_sizes(made, shape):
            graph.drop_last()
            raise RuntimeError(
                f"{entry.name}: expected an output of shape {tuple(shape)}, got one of shape {made}. In-place results do "
                "not broadcast."
            )
        if made_dtype != dtype:
            if made_dtype.is_floating_point and not dtype.is_floating_point:
                graph.drop_last()
                raise RuntimeError(
                    f"{entry.name}_: expected a result that fits {dtype}, got {made_dtype}. Use the out-of-place form."
                )
            value = self.append("cast", [value], (dtype,)).results[0]
        self.write(self.cell_of(x), value)
        return x

    def made(self, t):
        """Announced inside `with g:`: a new tensor. It is a constant; writes to it are not written back to it."""
        self._fresh[id(t)] = t

    def kept_outside(self, t):
        """A tensor made inside `with g:` that something outside keeps: writes to it last."""
        self._fresh.pop(id(t), None)
        return t

    def run_update(self, step, group, state):
        """The step of an optimizer inside `with g:`: the numbers of its group would be those of now in every run."""
        raise RuntimeError(
            "optimizer.step: expected gradients with values, got a call inside `with g:`. Use g.minimize(loss, optimizer): "
            "every run of the graph is a step then."
        )

    def takes_sparse(self, op):
        """Gradients of a graph are dense."""
        return False

    def mark_value_read(self, op, t=None):
        """Inside `with g:` values of tensors from outside may be read: they are constants of the graph."""

    # ---- differentiation ------------------------------------------------------------------------------------------

    def layout(self):
        """(strides, offset) in elements: inputs and results lie row by row, views as they do in these."""
        return self.frame.layout_of(self.cell)

    def like(self, dtype, value, op):
        """A tensor of the same sizes, where these are known by name alone, filled with a number; None otherwise."""
        return None if self.shape is None else self.frame.filled_like(self.cell, dtype, value)

    def backward(self, roots, grads, inputs, accumulate, allow_unused):
        """autograd.grad and backward on symbolic tensors."""
        if accumulate:
            raise RuntimeError(
                f"backward: expected a loss with a value, got a symbolic tensor of graph {self.graph.name!r}. Use "
                "g.gradients(loss, parameters) or g.minimize(loss, optimizer)."
            )
        found = self.graph.gradients(roots, inputs, grads, allow_unused=True)
        if not allow_unused and any(g is None for g in found):
            raise RuntimeError(
                "grad: expected every input to be part of the graph, got one that is not. Pass allow_unused=True to get "
                "None for it."
            )
        return tuple(found)

    def pull(self, roots, inputs, grads, allow_unused):
        """As Graph.gradients, for gradients of the roots that are wrappers of transforms."""
        from ._gradients import pulled

        return pulled(self, roots, inputs, grads)


def place_of(t):
    """What tells tensors from outside apart: where their elements lie, so that p and p.detach() are one."""
    if not t.numel():
        return id(t)
    return _core.storage_address(t)[0], t.storage_offset(), tuple(t.shape), t.stride(), t.dtype


def captured_key(t, p):
    """What tells tensors around a sub-graph apart: p and p.detach() are two, as gradients flow to one of them."""
    return (place_of(t), t.requires_grad) if p is None else p.cell


def name_in(modules, t):
    """(name, kind) of a tensor that the innermost of the modules being called holds; ("", None) where it does not."""
    if modules:
        prefix = "".join(f"{part}." for part in scope_names(modules)[1:])
        for kind, registry in (("parameter", "_parameters"), ("buffer", "_buffers")):
            for name, held in getattr(modules[-1], registry).items():
                if held is not None and place_of(held) == place_of(t):
                    return prefix + name, kind
    return "", None


def contiguous_strides(shape):
    """The strides of a row-major layout."""
    strides = []
    step = 1
    for n in reversed(shape):
        strides.append(step)
        step = step * (n if isinstance(n, Dim) else max(n, 1))
    return tuple(reversed(strides))
