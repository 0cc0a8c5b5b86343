"""One graph for many sets of inputs: the graph batched by vmap, recorded, and planned for their number."""

from ..func import vmap
from ._interpreter import Interpreter
from ._plan import Plan, assemble
from ._recorder import record


def mapped(plan, inputs):
    """Plan.map: see there."""
    graph = plan.graph
    if len(inputs) != len(graph.inputs):
        raise ValueError(f"{graph.name}.map: expected {len(graph.inputs)} inputs, got {len(inputs)}.")
    if graph.writes or graph.grads or any(node.effect for node in graph.nodes):
        raise RuntimeError(f"{graph.name}.map: expected a graph that writes and draws nothing, got one that does.")
    if not inputs:
        raise ValueError(f"{graph.name}.map: expected a graph with inputs, got one without.")
    n = inputs[0].shape[0] if inputs[0].dim() else 0
    for k, (t, v) in enumerate(zip(inputs, graph.inputs, strict=True)):
        if tuple(t.shape) != (n, *graph.shapes[v]) or t.dtype != graph.dtypes[v]:
            raise RuntimeError(
                f"{graph.name}.map: expected shape {(n, *graph.shapes[v])} and {graph.dtypes[v]} for input {k}, got "
                f"{tuple(t.shape)} and {t.dtype}."
            )
    found = plan.maps.get(n)
    if found is None:
        run = Interpreter(graph).run_flat
        batched = vmap(lambda *values: run(values))
        found = plan.maps[n] = Plan(
            record(lambda *values: batched(*[v.detach() for v in values]), *inputs), exact=True
        )
    return assemble(graph, list(found(*[t.detach() for t in inputs])))
