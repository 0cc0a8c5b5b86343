"""One graph for many sets of inputs: the graph batched by vmap, recorded, and planned for their number."""

from .. import _core
from ..func import vmap
from ._interpreter import Interpreter
from ._plan import Plan, assemble
from ._recorder import record
from ._regions import REGIONS


def plain(graph):
    """The graph with calls of other graphs inlined; an error where regions are left, which run for one set at a time."""
    made = graph.copy()
    made.inline()
    for node in made.nodes:
        if node.op in REGIONS:
            what = node.payload["function"] if node.op == "host" else node.op
            raise RuntimeError(
                f"{graph.name}.map: expected operations that run over all sets at once, got {what} at {node.line}. Call the "
                "plan for each set, or write the graph with one more dimension."
            )
    return made


def mapped(plan, inputs):
    """Plan.map: see there."""
    graph = plan.graph
    if len(inputs) != len(graph.inputs):
        raise ValueError(f"{graph.name}.map: expected {len(graph.inputs)} inputs, got {len(inputs)}.")
    if graph.writes or graph.grads or any(node.effect for node in graph.nodes):
        raise RuntimeError(f"{graph.name}.map: expected a graph that writes and draws nothing, got one that does.")
    if not inputs:
        raise ValueError(f"{graph.name}.map: expected a graph with inputs, got one without.")
    for k, t in enumerate(inputs):
        if not isinstance(t, _core.Tensor):
            raise TypeError(f"{graph.name}.map: expected a tensor for input {k}, got {type(t).__name__}.")
    n = inputs[0].shape[0] if inputs[0].dim() else 0
    for k, (t, v) in enumerate(zip(inputs, graph.inputs, strict=True)):
        if tuple(t.shape) != (n, *graph.shapes[v]) or t.dtype != graph.dtypes[v]:
            raise RuntimeError(
                f"{graph.name}.map: expected shape {(n, *graph.shapes[v])} and {graph.dtypes[v]} for input {k}, got "
                f"{tuple(t.shape)} and {t.dtype}."
            )
    found = plan.maps.get(n)
    if found is None:
        graph = plain(graph)
        run = Interpreter(graph).run_flat
        batched = vmap(lambda *values: run(values))
        found = plan.maps[n] = Plan(
            record(lambda *values: batched(*[v.detach() for v in values]), *inputs), exact=True
        )
    return assemble(graph, list(found(*[t.detach() for t in inputs])))
