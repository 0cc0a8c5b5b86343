"""A graph made ready to run by the core."""

from .. import _core
from ..func._trees import unflatten


class _Traced:
    """A program as the core takes it (core/table.pxi: build_program)."""

    __slots__ = ("code", "constants", "given", "nregs", "results", "saves")


class Plan:
    """A graph as a program of the core."""

    def __init__(self, graph):
        self.graph = graph
        wanted = set(graph.roots())
        code = []
        for node in reversed(graph.nodes):
            if not wanted.isdisjoint(node.results):
                code.append(node)
                wanted.update(node.values)
        code.reverse()
        traced = _Traced()
        registers = {v: k for k, v in enumerate([*graph.inputs, *graph.states])}
        traced.given = len(registers)
        numbers = {}
        for node in code:
            for v in node.inputs:
                if type(v) is tuple:
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
            return traced.given + numbers[type(v[0]), v[0]] if type(v) is tuple else registers[v]

        traced.code = [
            (
                node.op,
                [register(v) for v in node.inputs],
                registers[node.results[0]],
                [("value", value) for value in node.attrs] or None,
            )
            for node in code
        ]
        traced.results = [registers[v] for v in graph.roots()]
        traced.saves = []
        self._random = [(k, node) for k, node in enumerate(code) if node.random]
        self._core = _core.plan_new(traced)

    def __call__(self, *inputs):
        from ..autograd.grad_mode import no_grad
        from ._graph import entry

        graph = self.graph
        if len(inputs) != len(graph.inputs):
            raise ValueError(f"Graph.run: expected {len(graph.inputs)} inputs, got {len(inputs)}.")
        for k, (t, v) in enumerate(zip(inputs, graph.inputs, strict=True)):
            if tuple(t.shape) != graph.shapes[v] or t.dtype != graph.dtypes[v]:
                raise RuntimeError(
                    f"Graph.run: expected shape {graph.shapes[v]} and {graph.dtypes[v]} for input {k}, got "
                    f"{tuple(t.shape)} and {t.dtype}. Record the function again for other inputs."
                )
        given = [*inputs, *[state.read() for state in graph.states.values()]]
        for k, node in self._random:
            like = [None if v is None else _core.full(graph.shapes[v], 0, graph.dtypes[v]) for v in node.inputs]
            _core.plan_set_attributes(self._core, k, _core.reserve_range(entry(node.op), like, node.attrs))
        results = _core.plan_run(self._core, given)
        places = {v: t for v, t in zip([*graph.inputs, *graph.states], given, strict=True)}
        count = len(graph.outputs)
        with no_grad():
            for target, value in zip(graph.writes, results[count:], strict=False):
                places[target].copy_(value)
        leaves = iter(results[:count])
        if graph.structure is None:
            return results[0] if count == 1 else results[:count]
        filled = [graph.fixed[k] if k in graph.fixed else next(leaves) for k in range(count + len(graph.fixed))]
        return unflatten(filled, graph.structure)
