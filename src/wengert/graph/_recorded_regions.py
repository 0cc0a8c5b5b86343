"""cond, while_loop and scan while a recorder watches: traced into sub-graphs, run at once, noted as one node each.

Note [Regions on the tape]. The node of the tape is a Function. Its backward pass is a region too, a call of a graph that has
what `_regions.gradients` makes of the node, so that it is noted as one node and has a gradient itself. A scan that needs
gradients gives its carried values, stacked; a while_loop, whose number of steps no plan knows before, runs once more there.
"""

from .. import _core
from ..autograd.function import Function
from ..func._levels import current_recorder, open_frames, payload, top_frame
from . import _regions
from ._bodies import Body
from ._composition import append_region
from ._gradients import Walk
from ._graph import Graph, Node
from ._needed import needed
from ._places import add_place, to_be_drawn_again
from ._recorder import Recorder
from ._symbolic import SymbolicFrame


class Outside(SymbolicFrame):
    """Stands for the code around a region: its tensors have values, and each is a value of a graph that nobody keeps."""

    __slots__ = ("_numbers", "tensors")

    def __init__(self):
        super().__init__(Graph("outside"))
        self._numbers = {}
        self.tensors = []

    def value_of(self, t, op="graph"):
        """The number of a tensor, kept alive here."""
        if payload(t) is not None:
            raise RuntimeError(f"{op}: expected tensors of the function itself, got one of a transform around it.")
        number = self._numbers.get(id(t))
        if number is None:
            number = self._numbers[id(t)] = self.graph.add_input(t.shape, t.dtype)
            self.tensors.append(t)
        return number

    def append_region(self, op, inputs, parts):
        """Runs a region; what it gives are tensors with values."""
        place = {v: k for k, v in enumerate(self.graph.inputs)}
        return lambda: apply(op, parts, [self.tensors[place[v]] for v in inputs])


def is_recorded(frame):
    """Whether the code around a region runs on tensors with values."""
    while frame.parent is not None:
        frame = frame.parent
    return isinstance(frame, Outside)


def frame_around(values):
    """Where a region belongs: (the frame of the graph that is being built or None, the recorder that watches or None)."""
    frame, recorder = top_frame(values), current_recorder()
    if frame is None and isinstance(recorder, Body):
        frame = open_frames()[-1] if open_frames() else None
    if frame is None and isinstance(recorder, SymbolicFrame):
        frame = recorder
    if frame is not None:
        return (frame.innermost() if isinstance(frame, SymbolicFrame) else None), None
    return None, recorder if isinstance(recorder, Recorder) and not open_frames() else None


def record_region(recorder, op, trace):
    """Traces a region into sub-graphs and runs it; what becomes of its results, or None where that is refused.

    Args:
        trace: a function of the frame around it that gives (what `Outside.append_region` gave, results -> what is returned).
    """
    if getattr(recorder, "problem", None) is not None:
        return None
    try:
        with to_be_drawn_again():
            region, finish = trace(Outside())
    except Exception as error:  # whatever the functions raise: run as they are written, they raise it again
        recorder.refuse(f"{op} has no sub-graph: {str(error).rstrip('.')}")
        return None
    return None if getattr(recorder, "problem", None) is not None else (finish(region()),)


# ---- running ---------------------------------------------------------------------------------------------------------


def execute(op, parts, tensors):
    """The results of a region, as tensors with memory of their own; recorders note it as one node."""
    recorder = current_recorder()
    if recorder is not None:
        return recorder.run_region(op, parts, tensors)
    with _core.no_grad():
        results = _regions.runner(Node(op, tuple(range(len(tensors))), (), (), payload=parts))(
            [t.detach().contiguous() for t in tensors]
        )
        taken, own = {_core.storage_address(t)[0] for t in tensors if t.numel()}, []
        for t in results:
            if t.numel() and _core.storage_address(t)[0] in taken:
                t = t.clone()
            if t.numel():
                taken.add(_core.storage_address(t)[0])
            own.append(t)
    return own


def apply(op, parts, tensors):
    """The results of a region with their history."""
    count = None
    if _core.grad_enabled() and any(t.requires_grad for t in tensors):
        graph, node = _alone(op, parts, tensors)
        if op == "while_loop" and node.draws:  # its backward pass runs it again from where it began to draw
            graph.outputs = [("", v) for v in node.results]
            op, parts = "call", {"graph": graph}
            graph, node = _alone(op, parts, tensors)
        count = len(node.results)
        if op == "scan":
            _regions.with_tapes(graph, node)
        elif op != "while_loop" and node.draws:
            add_place(graph, node)
    return list(_Region.apply(op, parts, *tensors))[:count]


def _alone(op, parts, tensors):
    """A graph with one region of inputs like some tensors, and the node of that."""
    graph = Graph(op)
    inputs = [graph.add_input(t.shape, t.dtype) for t in tensors]
    return graph, append_region(graph, op, inputs, parts, (), None)


class _Region(Function):
    """A region as a node of the tape."""

    @staticmethod
    def forward(ctx, op, parts, *tensors):
        results = execute(op, parts, tensors)
        ctx.op, ctx.parts, ctx.count = op, parts, len(tensors)
        ctx.save_for_backward(*tensors, *results)
        ctx.mark_non_differentiable(*[t for t in results if not t.dtype.is_inexact])
        ctx.set_materialize_grads(False)
        return tuple(results)

    @staticmethod
    def backward(ctx, *grads):
        values = ctx.saved_tensors
        wanted = [k for k in range(ctx.count) if ctx.needs_input_grad[k + 2] and values[k].dtype.is_inexact]
        places = [k for k, g in enumerate(grads) if g is not None]
        given = [*values, *[grads[k] for k in places]]
        graph, used, found = _backward_graph(ctx.op, ctx.parts, given, ctx.count, places, wanted)
        made = apply("call", {"graph": graph}, [given[k] for k in used]) if found else []
        gradients = dict(zip(found, made, strict=True))
        return (None, None, *[gradients.get(k) for k in range(ctx.count)])


def _backward_graph(op, parts, given, count, places, wanted):
    """The gradients of a region as a graph.

    Args:
        given: operands (`count` of them), results, and the gradients of the results at `places`.
        wanted: the operands to differentiate with respect to.

    Returns:
        (graph, which of `given` are its inputs, for each output which operand it is the gradient of).
    """
    graph = Graph(f"backward of {op}")
    inputs = [graph.add_input(t.shape, t.dtype) for t in given]
    operands, results, seeds = (
        inputs[:count],
        inputs[count : len(inputs) - len(places)],
        inputs[len(inputs) - len(places) :],
    )
    node = Node(op, tuple(operands), (), tuple(results), payload=parts)
    if op == "while_loop":
        node = append_region(graph, op, operands, node.copy().payload, (), None)
    walk = Walk(graph, [operands[k] for k in wanted], [node])
    for place, seed in zip(places, seeds, strict=True):
        if node.results[place] in walk.depends:
            walk.add(node.results[place], seed, None)
    walk.run()
    found = [k for k in wanted if operands[k] in walk.grads]
    graph.outputs = [("", walk.grads[operands[k]]) for k in found]
    graph.nodes = needed(graph)
    constants = _regions.take_constants(graph)
    inputs += constants
    given += constants.values()
    read = {v for n in graph.nodes for v in n.values} | set(graph.roots())
    used = [k for k, v in enumerate(inputs) if v in read]
    graph.inputs = [inputs[k] for k in used]
    return graph, used, found
