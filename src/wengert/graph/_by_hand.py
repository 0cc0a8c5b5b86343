"""The door by hand: what a Graph offers to those who build one before it runs."""

from .. import _core
from ..func._levels import is_tensor, payload, recording
from ._symbolic import SymbolicFrame
from ._symbols import Dim, same_sizes


class ByHand:
    """Methods of Graph that build it from symbolic tensors."""

    @property
    def frame(self):
        """The frame that this graph's symbolic tensors belong to."""
        if self._frame is None:
            self._frame = SymbolicFrame(self)
        return self._frame

    def __enter__(self):
        """Inside the block all ops become nodes, also those on tensors from outside only."""
        self._recordings.append(recording(self.frame))
        self._recordings[-1].__enter__()
        return self

    def __exit__(self, kind, value, trace):
        self._recordings.pop().__exit__(kind, value, trace)

    def input(self, name, shape=(), dtype=None):
        """A symbolic tensor whose value is given when the graph runs.

        Args:
            name: its name; a run takes inputs by name or in the order in which they were made.
            shape: sizes. A string names a size that is known when the graph runs; equal names are equal sizes. None in
                the first place is the size "B" (the batch), None in place d of input "x" the size "x_d".
            dtype: float32 unless given.

        Returns:
            A tensor. Ordinary tensor code on it appends nodes to the graph.

        Raises:
            ValueError: the name is taken, or a size has a name that is no identifier.

        Example:
            >>> import wengert
            >>> g = wengert.Graph("double")
            >>> x = g.input("x", shape=(None, 2))
            >>> g.output(x * 2)
            >>> g.compile()(x=wengert.ones(3, 2)).shape
            wengert.Size([3, 2])
        """
        if not isinstance(name, str) or not name:
            raise TypeError(f"input: expected a name, got {name!r}. Pass a string first: g.input('x', shape=(3,)).")
        if any(self.names.get(v) == name for v in self.inputs):
            raise ValueError(
                f"input: expected a new name, got {name!r} again. Names tell the inputs of a run apart."
            )
        sizes = [self._size(n, name, d) for d, n in enumerate([shape] if isinstance(shape, (int, str)) else shape)]
        dtype = _core.get_default_dtype() if dtype is None else dtype
        value = self.add_input(sizes, dtype, name)
        return self.frame.wrap_value(value, value)

    def _size(self, n, name, d):
        if n is None:
            n = "B" if d == 0 else f"{name}_{d}"
        if isinstance(n, str):
            if not n.isidentifier():
                raise ValueError(f"input: expected an identifier as the name of a size, got {n!r}.")
            return self.symbol(n)
        if isinstance(n, bool) or not hasattr(n, "__index__") or n.__index__() < 0:
            raise ValueError(f"input: expected sizes of at least 0, names or None for {name!r}, got {n!r}.")
        return n if isinstance(n, Dim) else n.__index__()

    def symbol(self, name):
        """The size of a name, for example to compute others from it."""
        if name not in self.symbols:
            self.symbols.append(name)
        return Dim.named(name, self.guards)

    def parameter(self, name, value):
        """A symbolic tensor that stands for a tensor from outside: a run reads what it holds then, and may write it.

        Args:
            name: its name.
            value: the tensor; anything else is made one, of the default dtype for Python floats.
        """
        return self._state(name, value, "parameter")

    def constant(self, value, name=""):
        """A symbolic tensor of a fixed value: a tensor from outside, or what `wengert.tensor` takes."""
        return self._state(name, value, "constant")

    def _state(self, name, value, kind):
        if not is_tensor(value):
            value = _core.make_tensor(value)
        if payload(value) is not None:
            raise RuntimeError(f"{kind}: expected a tensor with a value, got {value!r}.")
        frame = self.frame
        return frame.wrap(frame.state_cell(value, kind, name, kind))

    def tensor(self, value):
        """The symbolic tensor of a value: by its name, or by its number (`Node.results`, `Graph.inputs`)."""
        if isinstance(value, str):
            found = [v for v, name in self.names.items() if name == value] or [
                v for name, v in self.outputs if name == value
            ]
            if not found:
                raise KeyError(f"tensor: expected the name of a value of graph {self.name!r}, got {value!r}.")
            value = found[0]
        if not 0 <= value < len(self.shapes):
            raise IndexError(f"tensor: expected the number of a value below {len(self.shapes)}, got {value}.")
        state = self.states.get(value)
        if state is not None and state.kind != "grad":
            return self.frame.wrap(self.frame.state_cell(state.tensor))
        return self.frame.wrap_value(value, value if value in self.inputs else None)

    def output(self, *values, **named):
        """Makes values outputs of the graph: `output(a, b)`, `output(y=a)` or `output("y", a)`.

        A run returns the one output, a list of several, or, where outputs have names, a dict.
        """
        if len(values) == 2 and isinstance(values[0], str):
            values, named = (), {values[0]: values[1]} | named
        pairs = [("", v) for v in values] + list(named.items())
        for name, v in pairs:
            if not is_tensor(v):
                raise TypeError(
                    f"output: expected a tensor, got {type(v).__name__}. Use g.constant() for a number."
                )
            if name and any(name == other for other, _ in self.outputs):
                raise ValueError(f"output: expected a new name, got {name!r} again.")
        self.outputs.extend([(name, self.frame.value_of(v, "output")) for name, v in pairs])
        if any(name for name, _ in self.outputs):
            self.structure = {name or str(k): k for k, (name, _) in enumerate(self.outputs)}

    def assign(self, target, value):
        """A run ends with `value` in `target`, a parameter or another tensor from outside.

        Code that follows sees the new value, as after an in-place write.

        Args:
            target: a tensor of `parameter` or `constant`, or the tensor from outside itself.
            value: a tensor of the same shape; it is converted to the target's dtype.

        Raises:
            RuntimeError: another shape, or `target` is an input or a result.
        """
        frame = self.frame
        old = frame.value_of(target, "assign")
        cell = frame.cell_of(target)
        if (cell.root or cell).origin not in self.states:
            raise RuntimeError(
                f"assign: expected a parameter or another tensor from outside, got {self.label(old)}. Inputs and results "
                "live for one run only; use g.output()."
            )
        new = frame.operand(value, "assign")
        if type(new) is tuple or not same_sizes(self.shapes[new], self.shapes[old]):
            got = "a number" if type(new) is tuple else f"shape {tuple(self.shapes[new])}"
            raise RuntimeError(f"assign: expected a value of shape {tuple(self.shapes[old])}, got {got}.")
        if self.dtypes[new] != self.dtypes[old]:
            new = frame.append("cast", [new], (self.dtypes[old],)).results[0]
        frame.write(cell, new)

    def gradients(self, loss, wrt, gradient=None, *, allow_unused=False):
        """The gradients of a loss as new nodes, which can be differentiated again.

        Args:
            loss: a symbolic tensor, or several.
            wrt: a symbolic tensor or a parameter from outside, or several: what to differentiate with respect to.
            gradient: the gradient of the loss (one for each), needed where a loss has more than one element.
            allow_unused: None for what the loss does not depend on, instead of an error.

        Returns:
            A list of symbolic tensors, one for each of `wrt`; of one `wrt` the tensor itself.

        Example:
            >>> import wengert
            >>> g = wengert.Graph("square")
            >>> x = g.input("x")
            >>> g.output(g.gradients(x * x, x))
            >>> g.compile()(wengert.tensor(3.0))
            tensor(6.)
        """
        from ._gradients import symbolic_gradients

        return symbolic_gradients(self, loss, wrt, gradient, allow_unused)

    def minimize(self, loss, optimizer):
        """Appends an optimizer's step: gradients of the loss, and the update of parameters and optimizer state.

        The state is the optimizer's own (`optimizer.state`), read and written in place by each run. The learning rate of
        each group becomes a 0-d tensor, which schedulers fill and a run reads.

        Args:
            loss: a symbolic tensor of one element.
            optimizer: a `wengert.optim` optimizer of the parameters that the graph uses.

        Returns:
            The gradients, one for each parameter that the loss depends on.
        """
        from ._optimizers import minimize

        return minimize(self, loss, optimizer)

    def compile(self, **options):
        """A plan that runs the graph: `plan(x=...)`, inputs by name or position.

        A graph with sizes by name gets a plan for each set of sizes that it meets, kept for the next call.

        Args:
            options: those of `wengert.graph.Plan`, such as `memory_budget=` in bytes.

        Raises:
            GraphError: the graph is not legal; see `verify`.
        """
        from ._executable import executable

        self.verify()
        return executable(self, options)

    def specialize(self, **sizes):
        """The graph for given sizes by name.

        Raises:
            ValueError: an unknown name, or sizes for which the graph is not what was built (see `guards`).
        """
        from ._specialize import specialize

        return specialize(self, sizes)

    def drop_last(self):
        """Takes the node that was appended last back."""
        node = self.nodes.pop()
        for _ in node.results:
            self.shapes.pop()
            self.dtypes.pop()
