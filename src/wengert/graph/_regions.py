"""Operations that own sub-graphs: what they take and give, how they run, and their gradients.

Their operands are tensors only; the payload holds the sub-graphs, whose inputs are those operands, and numbers.

call        graph(operands) -> its outputs
cond        true or false(operands behind the first) -> outputs of both, alike
while_loop  carried values, then captured ones; cond(carried, captured) -> a bool; body(carried, captured) -> carried
            values and what is stacked over the iterations
host        results of a function on NumPy arrays, by name (see _host.py)
scan        carried values, then sequences (slices along dimension 0), then captured values; body -> carried values and
            what is stacked over the steps
replay      a place in the sequence of random numbers, then operands of a graph, which draws from there (see _places.py)

Note [Running]. Plans run regions inside of the core: sub-graphs are plans inside a plan (wengert/plan_region.h).

Note [Loops backwards]. The body gives its carried values as further results, stacked over the steps, once gradients are
asked for (`with_tapes`), and a scan's also what its backward pass had better not compute again (_kept.py). The backward
pass is a scan over them in the other direction; its body runs the rest of the step again and differentiates it. The stack
of a while_loop has a length that is known afterwards only: a size named loop_<number>.
"""

import re

from .. import _host
from ..autograd.function import FunctionCtx
from ..autograd.grad_mode import enable_grad
from ._graph_error import GraphError
from ._kept import worth_keeping
from ._needed import reached
from ._places import add_place, draws_in, is_place, needs_numbers, note_place, replayed, without_place
from ._symbols import Dim, loop_length, same_sizes

# Of each operation the keys of its sub-graphs, in the order in which the core has them.
PARTS = {
    "call": ("graph",),
    "cond": ("true", "false"),
    "while_loop": ("cond", "body"),
    "scan": ("body",),
    "host": (),
    "replay": ("graph",),
}
REGIONS = frozenset(PARTS)
LOCAL_SIZES = re.compile(r"\bloop_\d+\b")


def subgraphs(node):
    """The sub-graphs of a node, by their keys."""
    return {k: v for k, v in (node.payload or {}).items() if hasattr(v, "nodes")}


def _specs(graph, values):
    return [(graph.shapes[v], graph.dtypes[v]) for v in values]


def _outputs(graph):
    return _specs(graph, [v for _, v in graph.outputs])


# ---- the grammar -----------------------------------------------------------------------------------------------------

_KEYS = {
    "call": ({"graph"}, set()),
    "cond": ({"true", "false"}, set()),
    "while_loop": ({"cond", "body"}, {"carried"}),
    "scan": ({"body"}, {"carried", "scanned", "length", "reverse"}),
    "host": (set(), {"function", "options"}),
    "replay": ({"graph"}, set()),
}


def check(graph, node):
    """Raises GraphError unless a region's payload and operands have the right kinds."""
    from ._verify import fail

    graphs, numbers = _KEYS[node.op]
    payload = node.payload if isinstance(node.payload, dict) else {}
    if set(subgraphs(node)) != graphs or set(payload) != graphs | numbers:
        fail(graph, node, f"a payload of {sorted(graphs | numbers)}", sorted(payload))
    if node.attrs or any(type(v) is not int for v in node.inputs):
        fail(graph, node, "values as operands and no attributes", f"{node.inputs} and {node.attrs}")
    if node.op == "host":
        if not _host.is_registered(payload["function"]) or type(payload["options"]) is not tuple:
            fail(graph, node, "the name of a host function and a tuple of options", repr(payload))
        return
    for key in numbers - {"length", "reverse"}:
        if type(payload[key]) is not int or payload[key] < 0:
            fail(graph, node, f"a count for {key}", repr(payload[key]))
    for key, part in subgraphs(node).items():
        try:
            part.verify()
        except GraphError as error:
            fail(graph, node, f"a legal sub-graph {key!r}", str(error))
        if part.writes or part.grads or part.states:
            fail(graph, node, f"a sub-graph {key!r} without states of its own", "one that has some")


def _check_inputs(graph, node, key, given):
    from ._verify import fail

    part = node.payload[key]
    want = _specs(part, part.inputs)
    if len(want) != len(given) or any(
        not same_sizes(a[0], b[0]) or a[1] != b[1] for a, b in zip(want, given, strict=False)
    ):
        shown = [[(tuple(shape), dtype.name) for shape, dtype in specs] for specs in (want, given)]
        fail(graph, node, f"operands {shown[0]} for {key!r}", shown[1])


def _same_specs(a, b):
    return len(a) == len(b) and all(same_sizes(x[0], y[0]) and x[1] == y[1] for x, y in zip(a, b, strict=True))


def specs(graph, node):
    """(shape, dtype) of each result of a region; checks that its operands and sub-graphs fit together."""
    from ._verify import fail

    given = _specs(graph, node.inputs)
    payload = node.payload
    if node.op == "host":
        return _host.specs(payload["function"], given, payload["options"])
    if node.op == "call":
        _check_inputs(graph, node, "graph", given)
        return _outputs(payload["graph"])
    if node.op == "replay":
        if not given or not is_place(*given[0]):
            fail(graph, node, "a place in a sequence of random numbers as the first operand", f"{given[:1]}")
        _check_inputs(graph, node, "graph", given[1:])
        return _outputs(payload["graph"])
    if node.op == "cond":
        if not given or len(given[0][0]) or given[0][1].name != "bool":
            fail(graph, node, "a 0-d bool as the first operand", f"{given[:1]}")
        for key in ("true", "false"):
            _check_inputs(graph, node, key, given[1:])
        found = [_outputs(payload[key]) for key in ("true", "false")]
        if not _same_specs(*found):
            fail(
                graph,
                node,
                f"results alike of both functions, {found[0]} of the first",
                f"{found[1]} of the second",
            )
        return found[0]
    count = payload["carried"]
    if node.op == "while_loop":
        for key in ("cond", "body"):
            _check_inputs(graph, node, key, given)
        asked = _outputs(payload["cond"])
        if len(asked) != 1 or len(asked[0][0]) or asked[0][1].name != "bool":
            fail(graph, node, "a 0-d bool from the condition", f"{asked}")
        length = Dim.named(loop_length(node.results[0]))
    else:
        scanned = given[count : count + payload["scanned"]]
        length = payload["length"]
        for shape, _ in scanned:
            if not shape or not same_sizes(shape[:1], (length,)):
                fail(graph, node, f"sequences of length {length}", f"shape {tuple(shape)}")
        slices = [(shape[1:], dtype) for shape, dtype in scanned]
        _check_inputs(graph, node, "body", given[:count] + slices + given[count + len(scanned) :])
    out = _outputs(payload["body"])
    if not _same_specs(out[:count], given[:count]):
        fail(graph, node, f"carried values {given[:count]} from the body", f"{out[:count]}")
    return out[:count] + [((length, *shape), dtype) for shape, dtype in out[count:]]


# ---- running ---------------------------------------------------------------------------------------------------------


def has_rows(graph, v):
    """Whether a value is a tape: rows of a while_loop, or of a scan over such rows, as many as it turns out."""
    shape = graph.shapes[v]
    return len(shape) > 0 and type(shape[0]) is not int and LOCAL_SIZES.fullmatch(str(shape[0])) is not None


def has_tapes(graph):
    """Whether a region of a graph gives a tape."""
    return any(has_rows(graph, v) for node in graph.nodes if node.op in REGIONS for v in node.results)


def check_tapes(graph, nodes):
    """Raises GraphError where something else than a scan, as a sequence, reads a tape."""
    from ._verify import fail

    for node in nodes:
        count, scanned = (node.payload["carried"], node.payload["scanned"]) if node.op == "scan" else (0, 0)
        for v in node.inputs[:count] + node.inputs[count + scanned :]:
            if type(v) is int and has_rows(graph, v):
                fail(
                    graph, node, "values of a known size", f"%{v}, of which only the run tells how many rows it has"
                )


def runner(node):
    """A function from the operands of a region (tensors) to the list of its results: a plan of that node alone."""
    payload = node.payload
    if node.op == "host":
        return lambda operands: _host.run(payload["function"], operands, payload["options"])
    plans = {}  # by the shapes of the operands: a scan over a tape has another length each time

    def run(operands):
        key = tuple([tuple(t.shape) for t in operands])
        if key not in plans:
            plans[key] = _alone(node, operands)
        return plans[key].outputs([t.contiguous() for t in operands])

    return run


def _alone(node, operands):
    from ._graph import Graph, Node
    from ._plan import Plan

    graph, payload = Graph(node.op), node.payload
    inputs = [graph.add_input(t.shape, t.dtype) for t in operands]
    if payload.get("scanned"):
        payload = {**payload, "length": operands[payload["carried"]].shape[0]}
    made = Node(node.op, tuple(inputs), (), (len(graph.shapes),), (), None, payload)
    out = graph.add_node(node.op, inputs, (), specs(graph, made), (), None, payload)
    graph.outputs = [("", v) for v in out.results]
    return Plan(graph, exact=True)


# ---- gradients -------------------------------------------------------------------------------------------------------


def gradients(walk, node, found):
    """Pairs (operand, gradient) of a region, given the gradients of its results (None where there is none)."""
    if node.op == "host":
        return _host_back(walk, node, found)
    graph = walk.graph
    floating = [graph.dtypes[v].is_inexact for v in node.inputs]
    wanted = [k for k, v in enumerate(node.inputs) if v in walk.depends and floating[k]]
    if node.op in ("call", "cond", "replay"):
        return _branches_back(walk, node, found, wanted)
    return _loop_back(walk, node, found, wanted)


def _host_back(walk, node, found):
    """The rule of a host function is that of the Function that calls it: its forward says what it saves."""
    payload, frame = node.payload, walk.graph.frame
    known = _host.rule(payload["function"])
    if known is None:
        raise RuntimeError(
            f"gradients: expected operations with gradients, got {payload['function']}, which has none. Use .detach() on "
            "what it takes."
        )
    function, arguments = known
    results = tuple([frame.wrap_value(v) for v in node.results])
    args = (*[frame.wrap_value(v) for v in node.inputs], *arguments(payload["options"]))
    ctx = FunctionCtx(function, args)
    ctx.needs_input_grad = (True,) * len(args)
    with _host.answering(results):
        out = function.forward(ctx, *args)
    given = {id(t): g for t, g in zip(results, found, strict=True) if g is not None}
    for t in ctx._no_gradient:
        given.pop(id(t), None)
    if not given:
        return []
    out = out if isinstance(out, tuple) else (out,)
    values = [given[id(t)] if id(t) in given else _zeros(walk.graph, frame.value_of(t)) for t in out]
    backward = getattr(function.backward, "__wrapped__", function.backward)  # below once_differentiable: nodes are
    with enable_grad():  # differentiated again by their own rules
        made = backward(ctx, *[frame.wrap_value(g) for g in values])
    made = made if isinstance(made, tuple) else (made,)
    pairs = zip(node.inputs, made, strict=False)
    return [(v, frame.value_of(g)) for v, g in pairs if g is not None and v in walk.depends]


def _step_back(part, results, wanted):
    """A sub-graph that runs `part` again and differentiates it.

    Args:
        results: the places of part's results that have a gradient.
        wanted: the places of part's inputs to differentiate with respect to.

    Returns:
        (graph, its inputs for the gradients of results, value of part -> the one here, place -> gradient or None,
        value -> tensor: its constants, which become inputs). The caller states the outputs and the order of the inputs.
    """
    from ._gradients import differentiate

    back = type(part)(f"backward of {part.name}")
    back.symbols, back.guards = part.symbols, part.guards
    numbers = {v: back.add_input(part.shapes[v], part.dtypes[v]) for v in part.inputs}
    given = [part.outputs[k][1] for k in results]
    behind = [back.add_input(part.shapes[v], part.dtypes[v]) for v in given]
    back._splice(without_place(part), numbers, part)
    pairs = list(zip([numbers[v] for v in given], behind, strict=True))
    found = differentiate(back, pairs, [numbers[part.inputs[k]] for k in wanted])
    grads = dict(zip(wanted, found, strict=True))
    return back, behind, numbers, grads, take_constants(back)


def take_constants(graph):
    """The constants that rules have made in a graph, which is to have no states: value -> tensor."""
    taken, graph.states = {v: state.tensor for v, state in graph.states.items()}, {}
    return taken


def _zeros(graph, value):
    return graph.apply("zeros_like", [value]).results[0]


def _outer(walk, constants):
    """Constants of a sub-graph as values of the graph around it."""
    return [walk.graph.frame.value_of(t) for t in constants]


def _append(walk, node, op, inputs, payload):
    """Appends a region of the backward pass; the results have the specs that it infers."""
    from ._graph import Node

    graph = walk.graph
    made = Node(op, tuple(inputs), (), (len(graph.shapes),), ("backward", *node.scope), node.line, payload)
    back = graph.add_node(op, inputs, (), specs(graph, made), made.scope, made.line, payload)
    back.gradient_of = node.results[0]
    return back.results


def sum_of_tapes(walk, tapes, node):
    """The sum of gradients of a tape, row by row: nothing but scans reads tapes."""
    graph = walk.graph
    body = type(graph)("add")
    rows = [body.add_input(graph.shapes[v][1:], graph.dtypes[v]) for v in tapes]
    body.outputs = [("", body.apply("add", rows).results[0])]
    length = graph.shapes[tapes[0]][0]
    payload = {"body": body, "carried": 0, "scanned": len(tapes), "length": length, "reverse": False}
    return _append(walk, node, "scan", tapes, payload)[0]


def _branches_back(walk, node, found, wanted):
    keys = PARTS[node.op]
    first = 0 if node.op == "call" else 1  # where the operands of the sub-graphs begin
    began = add_place(walk.graph, node) if node.draws else None
    wanted = [k - first for k in wanted if k >= first]
    results = [k for k, g in enumerate(found) if g is not None]
    made = [_step_back(node.payload[key], results, wanted) for key in keys]
    live = [k for k in wanted if any(grads[k] is not None for *_, grads, _ in made)]
    if not live:
        return []
    constants = {id(t): t for *_, own in made for t in own.values()}
    for key, (back, behind, numbers, grads, own) in zip(keys, made, strict=True):
        mine = [numbers[v] for v in node.payload[key].inputs]
        back.outputs = [("", _zeros(back, mine[k]) if grads[k] is None else grads[k]) for k in live]
        place = {id(t): v for v, t in own.items()}
        missing = {key: t for key, t in constants.items() if key not in place}
        place.update({key: back.add_input(t.shape, t.dtype) for key, t in missing.items()})
        back.inputs = mine + behind + [place[key] for key in constants]
    payload = dict(zip(keys, [back for back, *_ in made], strict=True))
    inputs = [*node.inputs, *[found[k] for k in results], *_outer(walk, constants.values())]
    op = node.op
    if began is not None and any([needs_numbers(part) for part in payload.values()]):
        op, inputs, payload = "replay", [began, *inputs], {"graph": _as_graph(walk.graph, op, inputs, payload)}
    out = _append(walk, node, op, inputs, payload)
    return [(node.inputs[first + k], v) for k, v in zip(live, out, strict=True)]


def _as_graph(graph, op, inputs, payload):
    """A region as a graph of its operands."""
    if op == "call":
        return payload["graph"]
    made = type(graph)(f"backward of {op}")
    made.symbols, made.guards = graph.symbols, graph.guards
    given = [made.add_input(*spec) for spec in _specs(graph, inputs)]
    node = made.add_node(op, given, (), _outputs(payload[PARTS[op][0]]), payload=payload)
    made.outputs = [("", v) for v in node.results]
    return made


def with_tapes(graph, node):
    """Lets a loop's body give its carried values, stacked, and where it begins to draw; returns the stacks of the former."""
    body, count = node.payload["body"], node.payload["carried"]
    known = [v for _, v in body.outputs]
    first = _tape_start(body, count)
    if first is None:
        first = len(known)
        kept = [*body.inputs[:count], *(_kept(body) if node.op == "scan" else ())]
        body.outputs += [("", v) for v in kept]
        length = node.payload.get("length") if node.op == "scan" else Dim.named(loop_length(node.results[0]))
        if draws_in(body):
            kept.append(body.outputs[note_place(body)][1])
        made = [graph.new_value((length, *body.shapes[v]), body.dtypes[v]) for v in kept]
        node.results = (*node.results, *made)
    return list(node.results[first : first + count])


def _kept(body):
    """The values of a scan's body that are stacked for its backward pass."""
    floating = [
        [k for k, v in enumerate(values) if body.dtypes[v].is_inexact]
        for values in ([v for _, v in body.outputs], body.inputs)
    ]
    try:
        back, _, numbers, grads, _ = _step_back(body, *floating)
    except (RuntimeError, NotImplementedError):
        return []  # the backward pass will say so, if there is one
    back.outputs = [("", g) for g in grads.values() if g is not None]
    read = reached(back).read
    return worth_keeping(body, {v for v, number in numbers.items() if number in read})


def _read_from_stacks(back, body, numbers, stacks):
    """Lets a backward step read values of the step from stacks.

    Args:
        stacks: value of the body -> its stack.

    Returns:
        Pairs (new input of the backward step, stack).
    """
    instead = {numbers[v]: (back.add_input(body.shapes[v], body.dtypes[v]), stack) for v, stack in stacks.items()}
    for node in back.nodes:
        if not instead.keys().isdisjoint(node.inputs):
            node.inputs = tuple([instead[v][0] if v in instead else v for v in node.inputs])
    back.outputs = [(name, instead[v][0] if v in instead else v) for name, v in back.outputs]
    back.nodes, read, _ = reached(back)
    return [pair for pair in instead.values() if pair[0] in read]


def _tape_start(body, count):
    """Where the body's results give its carried inputs in order already; None where they do not."""
    ends = [v for _, v in body.outputs]
    inputs = body.inputs[:count]
    for k in range(count, len(ends) - count + 1):
        if ends[k : k + count] == inputs:
            return k
    return None


def _loop_back(walk, node, found, wanted):
    graph, payload, inputs = walk.graph, node.payload, node.inputs
    count, scanned = payload["carried"], payload.get("scanned", 0)
    tapes = with_tapes(graph, node)
    body = payload["body"]
    moving = [k for k in range(count) if graph.dtypes[inputs[k]].is_inexact]
    sliced = [k for k in wanted if count <= k < count + scanned]
    held = [k for k in wanted if k >= count + scanned]
    stacked = [k for k in range(count, len(found)) if found[k] is not None]
    back, behind, numbers, grads, constants = _step_back(body, moving + stacked, [*moving, *sliced, *held])
    mine = [numbers[v] for v in body.inputs]
    sliced, held = [[k for k in places if grads[k] is not None] for places in (sliced, held)]
    # Carried: the gradients of the floating carried values, and sums for captured values.
    sums = [back.add_input(graph.shapes[inputs[k]], graph.dtypes[inputs[k]]) for k in held]
    outputs = [_zeros(back, mine[k]) if grads[k] is None else grads[k] for k in moving]
    outputs += [back.apply("add", [total, grads[k]]).results[0] for total, k in zip(sums, held, strict=True)]
    outputs += [grads[k] for k in sliced]
    back.outputs = [("", v) for v in outputs]
    cut = count + scanned
    stacks = {}
    for k, (_, v) in enumerate(body.outputs):
        if node.op == "scan" and k >= count and v in numbers and v not in body.inputs:
            stacks[v] = node.results[k]
    kept = _read_from_stacks(back, body, numbers, stacks)
    back.inputs = behind[: len(moving)] + sums + mine[:cut] + behind[len(moving) :] + [v for v, _ in kept]
    back.inputs += mine[cut:] + list(constants)
    start = [_zeros(graph, node.results[k]) if found[k] is None else found[k] for k in moving]
    start += [_zeros(graph, inputs[k]) for k in held]
    sequences = [*tapes, *inputs[count:cut], *[found[k] for k in stacked], *[stack for _, stack in kept]]
    made = {
        "carried": len(start),
        "length": payload["length"] if node.op == "scan" else Dim.named(loop_length(node.results[0])),
        "reverse": not payload.get("reverse", False),
    }
    if draws_in(body) and needs_numbers(back):
        back = replayed(back, len(start) + len(sequences))
        sequences.append(node.results[note_place(body)])
    made["body"], made["scanned"] = back, len(sequences)
    out = _append(walk, node, "scan", [*start, *sequences, *inputs[cut:], *_outer(walk, constants.values())], made)
    places = [*moving, *held, *sliced]
    return [(inputs[k], g) for k, g in zip(places, out, strict=True) if inputs[k] in walk.depends]
