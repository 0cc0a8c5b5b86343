"""Running a graph node by node: for graphs that own sub-graphs, and as a plain account of what a plan must do."""

from .. import _core
from ..autograd.grad_mode import no_grad
from . import _regions
from ._needed import needed
from ._plan import assemble


def _own(node):
    """What runs an operation of the graph's own, which is no row: operands -> results; None for rows."""
    if node.op in _regions.REGIONS:
        return _regions.runner(node)
    if node.op == "shape":
        size, dtype = (value for _, value in node.attrs)
        return lambda operands: [_core.full(size, 0, dtype)]
    return None


class Interpreter:
    """Runs the nodes of a graph in order; a value is dropped after its last use, unless all are to be kept."""

    def __init__(self, graph, keep=False):
        from ._graph import entry

        self.graph = graph
        code = needed(graph)
        last = {v: k for k, node in enumerate(code) for v in node.values}
        roots = set(graph.roots())
        self._code = []
        for k, node in enumerate(code):
            drops = [
                v for v in {*node.values, *node.results} if last.get(v, k) == k and not keep and v not in roots
            ]
            run = _own(node)
            self._code.append((node, None if run else entry(node.op), run, drops))

    def values(self, inputs):
        """The values of the roots by number, for input tensors."""
        graph = self.graph
        ranges = {}  # nodes built with one range of random numbers share one: a dropout and its gradient
        known = dict(zip(graph.inputs, inputs, strict=True))
        for v, state in graph.states.items():
            known[v] = state.read()
        with no_grad():
            for node, entry, run, drops in self._code:
                operands = [v[0] if type(v) is tuple else None if v is None else known[v] for v in node.inputs]
                if run is not None:
                    out = run(operands)
                else:
                    attrs = node.attrs
                    if node.random and not graph.repeats:
                        drawn = ranges.get(attrs[-2:])
                        if drawn is None:
                            drawn = ranges[attrs[-2:]] = _core.reserve_range(entry, operands, attrs)[-2:]
                        attrs = (*attrs[:-2], *drawn)
                    out = _core.apply(entry, operands, attrs)
                known.update(zip(node.results, out if isinstance(out, (tuple, list)) else (out,), strict=True))
                for v in drops:
                    known.pop(v, None)
        return known

    def run_flat(self, inputs):
        """The outputs as a list, after states have been written."""
        graph = self.graph
        known = self.values(inputs)
        outputs = [known[v] for _, v in graph.outputs]
        written = {target: known[v] for target, v in graph.writes.items()}
        targets = {target: known[target] if target in known else None for target in written}
        kept = {_core.storage_address(t)[0] for t in targets.values() if t is not None and t.numel()}
        if kept:
            # What shares memory with a state that is about to be written would change under the caller.
            outputs = [t.clone() if t.numel() and _core.storage_address(t)[0] in kept else t for t in outputs]
            written = {
                k: t.clone() if t.numel() and _core.storage_address(t)[0] in kept else t for k, t in written.items()
            }
        with no_grad():
            for target, value in written.items():
                state = graph.states.get(target)
                (state.tensor if state is not None else inputs[graph.inputs.index(target)]).copy_(value)
            for target, v in graph.grads.items():
                graph.states[target].tensor.grad = None if v is None else known[v].clone()
        return outputs

    def __call__(self, *inputs):
        return assemble(self.graph, self.run_flat(inputs))
