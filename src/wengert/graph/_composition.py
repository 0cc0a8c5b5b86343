"""Graphs in graphs: the op "call", and inlining it."""

from ..func._levels import is_tensor
from ._lines import user_place
from ._regions import specs
from ._symbols import Dim, evaluate, guards_given, same_sizes


def call(graph, part, inputs):
    """Graph.call: see there."""
    frame = graph.frame
    if part is graph:
        raise RuntimeError(f"call: expected another graph, got graph {graph.name!r} itself.")
    if part.writes or part.grads:
        raise RuntimeError(
            f"call: expected a graph that writes no states, got {part.name!r}, which writes some. Take its values as "
            "outputs and use g.assign() here."
        )
    if len(inputs) != len(part.inputs) or not all(is_tensor(t) for t in inputs):
        raise RuntimeError(
            f"call: expected {len(part.inputs)} tensors for {part.name!r}, got {len(inputs)} values."
        )
    values = [frame.value_of(t, "call") for t in inputs]
    part = with_sizes(graph, part, values)
    for v in list(part.states):
        values.append(frame.value_of(part.states.pop(v).tensor, "call"))
        part.inputs.append(v)
    line, scope, _ = user_place()
    node = append_region(graph, "call", values, {"graph": part}, scope, line)
    out = tuple([frame.wrap_value(v) for v in node.results])
    return out[0] if len(out) == 1 else out


def append_region(graph, op, inputs, payload, scope, line):
    """Appends a region; the results have the shapes and dtypes that its sub-graphs give."""
    from ._graph import Node

    made = Node(op, tuple(inputs), (), (len(graph.shapes),), scope, line, payload)
    return graph.add_node(op, inputs, (), specs(graph, made), scope, line, payload)


def with_sizes(graph, part, values):
    """A copy of a graph in which its sizes by name are those that the operands have."""
    sizes = {}
    for v, value in zip(part.inputs, values, strict=True):
        want, got = part.shapes[v], graph.shapes[value]
        if len(want) == len(got):
            for n, m in zip(want, got, strict=True):
                if isinstance(n, Dim) and len(n.terms) == 1 and n.terms[0][1] == 1 and len(n.terms[0][0]) == 1:
                    sizes.setdefault(n.terms[0][0][0], m)
        if len(want) != len(got) or not same_sizes(evaluate(tuple(want), sizes), got):
            raise RuntimeError(
                f"call: expected shape {tuple(want)} for input {part.label(v)!r} of {part.name!r}, got {tuple(got)}."
            )
        if part.dtypes[v] != graph.dtypes[value]:
            raise RuntimeError(
                f"call: expected {part.dtypes[v]} for input {part.label(v)!r} of {part.name!r}, got "
                f"{graph.dtypes[value]}. Convert it with .to()."
            )
    try:
        guards = guards_given(part.guards, sizes)
    except ValueError as error:
        raise RuntimeError(f"call: {part.name!r}: {error}") from None
    known = {str(guard) for guard in graph.guards}
    graph.guards += [guard for guard in guards if str(guard) not in known]
    made = part.copy()
    made.symbols, made.guards = graph.symbols, graph.guards
    substitute(made, sizes)
    return made


def substitute(graph, sizes):
    """Puts sizes in the place of names, everywhere in a graph and its sub-graphs, which share its names and guards."""
    graph.shapes = [evaluate(tuple(shape), sizes) for shape in graph.shapes]
    for node in graph.nodes:
        node.attrs = evaluate(node.attrs, sizes)
        node.inputs = tuple([(evaluate(v[0], sizes),) if type(v) is tuple else v for v in node.inputs])
        if isinstance(node.payload, dict):
            for key, value in node.payload.items():
                if hasattr(value, "nodes"):
                    value.symbols, value.guards = graph.symbols, graph.guards
                    substitute(value, sizes)
                else:
                    node.payload[key] = evaluate(value, sizes)


def _dissolves(graph, node):
    """Whether a node is a call whose nodes do the same in the graph around: numbers repeat in all of a graph or nowhere."""
    if node.op != "call":
        return False
    part = node.payload["graph"]
    return part.repeats == graph.repeats or not any(n.random or n.draws for n in part.nodes)


def _own_ranges(before, nodes):
    """Lets the draws of an inlined call draw numbers of their own: another one may have been built with the same."""
    taken = {node.attrs[-2:] for node in before if node.random}
    free = max([offset for _, offset in taken], default=0)
    renamed = {}
    for node in nodes:
        if node.random and node.attrs[-2:] in taken:
            if node.attrs[-2:] not in renamed:
                free += 1
                renamed[node.attrs[-2:]] = node.attrs[-2], free
            node.attrs = (*node.attrs[:-2], *renamed[node.attrs[-2:]])


def inline(graph):
    """Graph.inline: see there."""
    count = 0
    while any(_dissolves(graph, node) for node in graph.nodes):
        nodes, graph.nodes = graph.nodes, []
        moved = {}  # result of a call -> value of the nodes in its place
        for node in nodes:
            node.inputs = tuple([moved.get(v, v) if type(v) is int else v for v in node.inputs])
            if not _dissolves(graph, node):
                graph.nodes.append(node)
                continue
            count += 1
            part = node.payload["graph"]
            numbers = dict(zip(part.inputs, node.inputs, strict=True))
            first = len(graph.nodes)
            graph._splice(part.nodes, numbers, part, (*node.scope, part.name))
            if not graph.repeats:
                _own_ranges(graph.nodes[:first], graph.nodes[first:])
            moved.update(zip(node.results, [numbers[v] for _, v in part.outputs], strict=True))
        graph.outputs = [(name, moved.get(v, v)) for name, v in graph.outputs]
        graph.writes = {target: moved.get(v, v) for target, v in graph.writes.items()}
        graph.grads = {target: moved.get(v, v) for target, v in graph.grads.items()}
    if count:
        graph._changed()
    return count
