"""A recorded graph: instructions over numbered values."""

from .. import _core
from ..func._trees import flatten, unflatten


class Instruction:
    """One op of a graph: `entry` (the core's record of the row), `operands`, `attrs` and the numbers of its
    results.

    An operand is the number of a value, a Python number wrapped in a tuple of one, or None (absent).
    """

    __slots__ = ("attrs", "dtype", "entry", "operands", "results", "shape")

    def __init__(self, entry, operands, attrs, results, shape, dtype):
        self.entry = entry
        self.operands = operands
        self.attrs = attrs
        self.results = results
        self.shape = shape
        self.dtype = dtype

    @property
    def op(self):
        """The op's name."""
        return self.entry.name

    @property
    def random(self):
        """Whether the op draws random numbers."""
        return "random" in self.entry.row.flags


class _Traced:
    """A program as the core takes it (core/table.pxi: build_program)."""

    __slots__ = ("code", "constants", "given", "nregs", "results", "saves")


class Graph:
    """What a function did on example inputs: made by `wengert.graph.record`.

    Attributes:
        nodes: the instructions in order.
        inputs: numbers of the input values, with `input_specs` their (shape, dtype).
        constants: pairs (number, tensor) for tensors from outside; a run reads (and, where the function writes in
            place, changes) those very tensors.
        outputs: numbers of the results.
        effects: pairs (number of an input or constant, number of the value that it has afterwards).
    """

    def __init__(self, nodes, inputs, input_specs, constants, outputs, effects, structure, fixed):
        self.nodes = nodes
        self.inputs = inputs
        self.input_specs = input_specs
        self.constants = constants
        self.outputs = outputs
        self.effects = effects
        self._structure = structure
        self._fixed = fixed  # results that are no tensors: place -> value
        self._plan = None

    def needed(self):
        """The instructions that results and effects depend on."""
        wanted = set(self.outputs) | {value for _, value in self.effects}
        kept = []
        for node in reversed(self.nodes):
            if wanted.isdisjoint(node.results):
                continue
            kept.append(node)
            wanted.update(v for v in node.operands if isinstance(v, int))
        return kept[::-1]

    def _compile(self):
        traced = _Traced()
        code = self.needed()
        registers = {v: k for k, v in enumerate([*self.inputs, *[v for v, _ in self.constants]])}
        traced.given = len(registers)
        numbers = {}
        for node in code:
            for v in node.operands:
                if isinstance(v, tuple):
                    numbers.setdefault((type(v[0]), v[0]), len(numbers))
        traced.constants = [value for _, value in numbers]
        place = traced.given + len(numbers)
        for node in code:
            for v in node.results:
                registers[v] = place
                place += 1
        traced.nregs = place

        def register(v):
            if v is None:
                return -1
            return traced.given + numbers[type(v[0]), v[0]] if isinstance(v, tuple) else registers[v]

        traced.code = [
            (
                node.op,
                [register(v) for v in node.operands],
                registers[node.results[0]],
                [("value", value) for value in node.attrs] or None,
            )
            for node in code
        ]
        traced.results = [registers[v] for v in self.outputs] + [registers[v] for _, v in self.effects]
        traced.saves = []
        self._random = [(k, node) for k, node in enumerate(code) if node.random]
        self._shapes = {v: (node.shape, node.dtype) for node in code for v in node.results[:1]}
        self._plan = _core.plan_new(traced)

    def run(self, *inputs):
        """The results for other inputs of the recorded shapes and dtypes; nothing is recorded for gradients.

        Raises ValueError for another number of inputs, RuntimeError for another shape or dtype.
        """
        if self._plan is None:
            self._compile()
        if len(inputs) != len(self.inputs):
            raise ValueError(f"Graph.run: expected {len(self.inputs)} inputs, got {len(inputs)}.")
        for k, (t, (shape, dtype)) in enumerate(zip(inputs, self.input_specs, strict=True)):
            if tuple(t.shape) != shape or t.dtype != dtype:
                raise RuntimeError(
                    f"Graph.run: expected shape {shape} and {dtype} for input {k}, got {tuple(t.shape)} and "
                    f"{t.dtype}. Record the function again for other inputs."
                )
        given = [*inputs, *[t for _, t in self.constants]]
        for k, node in self._random:
            like = [_core.full(*self._like(node), 0) if v is not None else None for v in node.operands]
            _core.plan_set_attributes(self._plan, k, _core.reserve_range(node.entry, like, node.attrs))
        results = _core.plan_run(self._plan, given)
        places = {v: t for v, t in zip([*self.inputs, *[v for v, _ in self.constants]], given, strict=True)}
        count = len(self.outputs)
        for (target, _), value in zip(self.effects, results[count:], strict=True):
            from ..autograd.grad_mode import no_grad

            with no_grad():
                places[target].copy_(value)
        leaves = iter(results[:count])
        filled = [self._fixed[k] if k in self._fixed else next(leaves) for k in range(count + len(self._fixed))]
        return unflatten(filled, self._structure)

    def __str__(self):
        """One line for each value: number, op, shape, dtype, operands."""
        rows = []
        for kind, values in (("input", zip(self.inputs, self.input_specs, strict=True)),):
            rows.extend((f"%{v}", kind, str(shape), dtype, "") for v, (shape, dtype) in values)
        rows.extend((f"%{v}", "constant", str(tuple(t.shape)), t.dtype, "") for v, t in self.constants)
        for node in self.nodes:
            names = ", ".join(f"%{v}" for v in node.results)
            rows.append((names, node.op, str(node.shape), node.dtype, _arguments(node)))
        lines = align([(a, b, c, str(d).rpartition(".")[2], e) for a, b, c, d, e in rows])
        lines.append("outputs: " + ", ".join(f"%{v}" for v in self.outputs))
        lines.extend(f"writes: %{target} = %{value}" for target, value in self.effects)
        return "\n".join(lines)

    def __repr__(self):
        return f"<Graph of {len(self.nodes)} nodes, {len(self.inputs)} inputs, {len(self.outputs)} outputs>"


def _arguments(node):
    parts = ["-" if v is None else repr(v[0]) if isinstance(v, tuple) else f"%{v}" for v in node.operands]
    parts += [f"{name}={value}" for name, value in zip(node.entry.row.fields, node.attrs, strict=True)]
    return ", ".join(parts)


def align(rows):
    """Rows of strings as lines with aligned columns."""
    widths = [max((len(row[k]) for row in rows), default=0) for k in range(len(rows[0]))] if rows else []
    return ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows]


__all__ = ["Graph", "Instruction", "align", "flatten"]
