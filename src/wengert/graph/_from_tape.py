"""A dynamic graph as a static one: the nodes of the tape become nodes, its leaves states or inputs.

The tape keeps what gradients need and no more. An operand that no gradient flows to is there if a rule reads it (the
input of a linear layer, the classes of a loss); otherwise, as in `x + 1` or `x - target`, it is known only where the forward
pass was recorded with its values (`with wengert.record(values="all")`).
"""

from .. import _core
from .._record import memory_of
from ..func._levels import is_tensor, payload
from ..ops import TABLE
from ._lines import line_text
from ._symbolic import place_of


class FromTape:
    """The method of Graph that reads the tape."""

    @classmethod
    def from_tensor(cls, outputs, inputs=(), names=None, name="tape", repeat=True):
        """The graph of what tensors were computed from: to be looked at, changed, saved, or run again.

        Leaves and tensors without history become states ("parameter" where they require gradients, otherwise
        "constant"): a run reads what they hold then. Names are those of `names`, or those that `wengert.record` has noted.

        Args:
            outputs: a tensor with history, or several: a list, or a dict by name.
            inputs: tensors among the operands that become inputs of the graph: a list, or a dict by name.
            names: names of other tensors among the operands: a dict, such as `dict(model.named_parameters())`.
            name: of the graph.
            repeat: random operations, such as dropout, repeat the numbers that they have drawn; otherwise each run draws
                new ones.

        Returns:
            The Graph.

        Raises:
            TypeError: outputs or inputs that are no tensors.
            RuntimeError: a tensor without history; a graph that backward() has freed; an operand that is not kept by the
                tape (the message names the operation); a custom function; an input that nothing reads.

        Example:
            >>> import wengert
            >>> w = wengert.tensor([1.0, 2.0], requires_grad=True)
            >>> x = wengert.tensor([3.0, 4.0])
            >>> g = wengert.Graph.from_tensor((w * x).tanh().sum(), inputs={"x": x}, names={"w": w})
            >>> print(g)
            x   input      (2,)  float32
            w   parameter  (2,)  float32
            %2  mul        (2,)  float32  w, x
            %3  tanh       (2,)  float32  %2
            %4  sum        ()    float32  %3, dim=None, keepdim=False
            outputs: %4
            >>> g.run(wengert.zeros(2))
            tensor(0.)
        """
        return _Reader(cls(name), inputs, names or {}).read(outputs, repeat)


def _by_name(tensors, what):
    """Pairs (name, tensor)."""
    if is_tensor(tensors):
        pairs = [("", tensors)]
    elif isinstance(tensors, (dict, list, tuple)):
        pairs = list(tensors.items()) if isinstance(tensors, dict) else [("", t) for t in tensors]
    else:
        raise TypeError(f"from_tensor: expected tensors as {what}, got {type(tensors).__name__}.")
    for name, t in pairs:
        if not is_tensor(t):
            raise TypeError(
                f"from_tensor: expected tensors as {what}, got {type(t).__name__} for {name or what!r}."
            )
        if payload(t) is not None:
            raise RuntimeError(f"from_tensor: expected tensors with values as {what}, got {t!r}.")
    return pairs


class _Reader:
    def __init__(self, graph, inputs, names):
        self.graph = graph
        self.names = {place_of(t): name for name, t in _by_name(names, "names")}
        self.inputs = _by_name(inputs, "inputs")
        self.known = {}  # place of a tensor -> value
        self.memory = {}  # what a recording calls the memory of a tensor -> value
        self.read_inputs = set()
        for k, (name, t) in enumerate(self.inputs):
            v = graph.add_input(t.shape, t.dtype, name or self.names.get(place_of(t), f"x{k}"))
            self.known[place_of(t)] = v
            self.memory[memory_of(t)] = v
        self.memory.pop(None, None)

    def read(self, outputs, repeat):
        graph = self.graph
        pairs = _by_name(outputs, "outputs")
        roots = [(name, t, _core.node_of(t)) for name, t in pairs]
        for name, t, node in roots:
            if node is None:
                raise RuntimeError(
                    f"from_tensor: expected tensors with history, got {'output ' + repr(name) if name else 'one'} of shape "
                    f"{tuple(t.shape)} that does not require gradients. Compute it from tensors that do."
                )
        values = {}  # node -> value
        order = _core.graph_nodes([t for _, t in pairs])
        self.sequences = {}  # moment of recording -> value
        for node, _ in reversed(order):
            if node.op == "leaf":
                values[node] = self._leaf(node)
            elif node.call is not None:
                values[node] = self._function(node, values)
            else:
                values[node] = self._operation(node, values)
            self.sequences[node.sequence] = values[node]
        for k, (name, t) in enumerate(self.inputs):
            if graph.inputs[k] not in self.read_inputs:
                raise RuntimeError(
                    f"from_tensor: expected inputs that the outputs depend on, got {name or f'input {k}'!r} of shape "
                    f"{tuple(t.shape)}, which no operation of the tape reads. Pass the tensor that the operation took."
                )
        graph.outputs = [(name, values[node]) for name, _, node in roots]
        graph.repeats = repeat
        if isinstance(outputs, dict):
            graph.structure = {name: k for k, (name, _) in enumerate(graph.outputs)}
        return graph

    def _leaf(self, node):
        t = node.variable
        if t is None:
            raise RuntimeError(
                "from_tensor: expected leaves that are there, got one that has been deleted. Keep the parameters."
            )
        return self._tensor(t, node.notes.name if node.notes is not None else None)

    def _tensor(self, t, name=None):
        """The value of a tensor from outside."""
        place = place_of(t)
        v = self.known.get(place)
        if v is None:
            name = self.names.get(place) or name or ""
            v = self.graph.add_state(t, name, "parameter" if t.requires_grad else "constant")
            self.known[place] = v
        self.read_inputs.add(v)
        return v

    def _function(self, node, values):
        """The results of a call of a Function that is a host function, or which of them a node is."""
        context, number = node.call
        if number is not None:
            return values[node.next_functions[0][0]][number]
        if context.arguments is None:
            raise RuntimeError(
                f"from_tensor: expected operations of the op table, got the custom function {node.op}. Write it as tensor "
                "operations, or use its saved values."
            )
        graph, frame = self.graph, self.graph.frame
        noted = (node.notes and node.notes.operands) or {}
        given = [
            self._noted(node, k, noted) if source is None else values[source]
            for k, (source, _) in enumerate(node.next_functions)
        ]
        tensors, first = iter(given), len(graph.nodes)
        places = set(context._places)
        args = [frame.wrap_value(next(tensors)) if k in places else a for k, a in enumerate(context.arguments)]
        out = frame.run_function(context._function, args)
        for made in graph.nodes[first:]:
            made.line = line_text(node.line) or None
            made.scope = tuple((node.notes and node.notes.scope) or ())
        return [frame.value_of(t) if is_tensor(t) else None for t in (out if isinstance(out, tuple) else (out,))]

    def _operation(self, node, values):
        graph = self.graph
        if node.freed:
            raise RuntimeError(
                f"from_tensor: expected a graph whose saved values are there, got one that backward() has freed (at "
                f"{node.op}). Call from_tensor before backward(), or backward(retain_graph=True)."
            )
        saved, absent = node.saved_operands, node.absent_operands
        noted = (node.notes and node.notes.operands) or {}
        operands = []
        for k, (source, _) in enumerate(node.next_functions):
            if source is not None:
                operands.append(values[source])
            elif k in absent:
                operands.append(None)
            elif k in noted and noted[k].how == "detach" and noted[k].source in self.sequences:
                cut = self.sequences[noted[k].source]
                operands.append(self.graph.apply("stop_gradient", [cut]).results[0])
            elif k in saved:
                operands.append(
                    self._tensor(saved[k], self._noted_name(noted, k)) if is_tensor(saved[k]) else (saved[k],)
                )
            else:
                operands.append(self._noted(node, k, noted))
        line = node.line
        made = graph.apply(
            node.op,
            operands,
            tuple(node.attributes.values()),
            tuple((node.notes and node.notes.scope) or ()),
            line_text(line) or None,
        )
        v = made.results[0]
        if tuple(graph.shapes[v]) != tuple(node.shape) or graph.dtypes[v] != node.dtype:
            raise RuntimeError(
                f"from_tensor: expected {node.op} to give shape {tuple(node.shape)} and {node.dtype}, as the tape says, got "
                f"{tuple(graph.shapes[v])} and {graph.dtypes[v]}. Record the forward pass with wengert.graph.record instead."
            )
        return v

    def _is(self, v, value):
        """Whether a value of the graph is what was noted: at its place in memory another tensor may have lain later."""
        if not is_tensor(value):
            return True
        if tuple(self.graph.shapes[v]) != tuple(value.shape) or self.graph.dtypes[v] != value.dtype:
            return False
        state = self.graph.states.get(v)
        return state is None or _core.same_storage(state.tensor, value) or bool((state.tensor == value).all())

    def _noted_name(self, noted, k):
        return noted[k].name if k in noted else None

    def _noted(self, node, k, noted):
        """An operand that the tape does not keep, from the recording."""
        value = noted[k].value if k in noted else None
        v = self.memory.get(noted[k].memory) if k in noted else None
        if v is not None and self._is(v, value):
            self.read_inputs.add(v)
            return v
        if is_tensor(value):
            v = self.graph.add_state(value, noted[k].name or "")
            if noted[k].memory is not None:
                self.memory[noted[k].memory] = v
            return v
        if isinstance(value, (bool, int, float)):
            return (value,)
        line = f" at {line_text(node.line)}" if node.line else ""
        operand = TABLE[node.op].inputs[k] if node.op in TABLE else f"operand {k}"
        raise RuntimeError(
            f"from_tensor: expected operands that the tape keeps, got {operand!r} of {node.op}{line}, which no "
            "gradient needs. Run the forward pass inside `with wengert.record(values='all')`."
        )
