"""The grammar of legal graphs.

Every value has one origin (an input, a state, a result) and is there before it is read; ops, operands and attributes are
what the op table says; shapes and dtypes are what the ops make of them; outputs and writes name values that exist.
"""

from .. import _core
from ..ops import TABLE
from . import _regions
from ._graph_error import GraphError
from ._symbols import Dim, Ratio, is_size, same_sizes
from ._updates import Update

OWN = ("shape", "update")  # values that are shapes only, and optimizers' passes: recordings make them
STATE_KINDS = ("parameter", "buffer", "constant", "literal", "grad")
_KINDS = {
    "i": ("an int", lambda v: _whole(v)),
    "b": ("a bool", lambda v: type(v) is bool),
    "f": ("a number", lambda v: isinstance(v, (float, Ratio)) or _whole(v)),
    "d": ("a dtype", lambda v: isinstance(v, _core.DTypeObject)),
    "I": ("None or a tuple of ints", lambda v: v is None or type(v) is tuple and all(_whole(n) for n in v)),
    "j": ("None or an int", lambda v: v is None or _whole(v)),
    "g": ("None or a number", lambda v: v is None or isinstance(v, (float, Ratio)) or _whole(v)),
}


def _whole(v):
    return is_size(v)


def place(graph, node):
    """How a node is called in messages."""
    results = ", ".join(graph.label(v) for v in node.results)
    return f"node {results} = {node.op}" + (f" ({node.line})" if node.line else "")


def fail(graph, node, expected, got, remedy=""):
    """Raises GraphError for a node."""
    where = f"graph {graph.name!r}" + (f", {place(graph, node)}" if node is not None else "")
    raise GraphError(f"{where}: expected {expected}, got {got}.{' ' + remedy if remedy else ''}")


def verify(graph):
    """Raises GraphError unless the graph is legal."""
    _check_sizes(graph)
    _check_values(graph)
    for node in graph.nodes:
        _check_node(graph, node)
    sorted_nodes(graph)  # finds cycles
    _check_order(graph)
    check_shapes(graph)
    _check_ends(graph)


def _check_values(graph):
    count = len(graph.shapes)
    if len(graph.dtypes) != count:
        fail(graph, None, f"a dtype for each of {count} values", len(graph.dtypes))
    origin = {}
    sources = [("an input", v, None) for v in graph.inputs] + [("a state", v, None) for v in graph.states]
    sources += [("a result", v, node) for node in graph.nodes for v in node.results]
    for what, v, node in sources:
        if type(v) is not int or not 0 <= v < count:
            fail(graph, node, f"values below {count}", repr(v))
        if v in origin:
            fail(graph, node, f"one origin of {graph.label(v)}", f"{what} that is {origin[v]} already")
        origin[v] = what
    for node in graph.nodes:
        for v in node.values:
            if v not in origin:
                fail(graph, node, "operands that are inputs, states or results", graph.label(v))
    for v, state in graph.states.items():
        if state.kind not in STATE_KINDS:
            fail(graph, None, f"states of a kind among {', '.join(STATE_KINDS)}", repr(state.kind))
        if state.kind == "grad":
            continue
        t = state.tensor
        if tuple(t.shape) != tuple(graph.shapes[v]) or t.dtype != graph.dtypes[v]:
            fail(
                graph,
                None,
                f"state {graph.label(v)} of shape {tuple(graph.shapes[v])} and {graph.dtypes[v]}",
                f"a tensor of shape {tuple(t.shape)} and {t.dtype}",
            )


def _check_sizes(graph):
    named = {n for shape in graph.shapes for m in shape if isinstance(m, Dim) for n in m.names}
    unknown = sorted(name for name in named - set(graph.symbols) if not _regions.LOCAL_SIZES.fullmatch(name))
    if unknown:
        fail(graph, None, f"sizes by name among {graph.symbols}", unknown)


def _check_node(graph, node):
    row = TABLE.get(node.op)
    if row is None:
        if node.op == "update":
            _check_update(graph, node)
        if node.op in OWN:
            return
        if node.op not in _regions.REGIONS:
            fail(graph, node, "an op of the table", repr(node.op))
        _regions.check(graph, node)
        return
    if not row.variadic and len(node.inputs) != len(row.inputs):
        fail(graph, node, f"{len(row.inputs)} operands", len(node.inputs))
    if len(node.results) != len(row.outputs):
        fail(graph, node, f"{len(row.outputs)} results", len(node.results))
    for k, v in enumerate(node.inputs):
        if v is None:
            if k not in row.absent:
                fail(graph, node, f"an operand {k}", "none")
        elif type(v) is tuple:
            if len(v) != 1 or not isinstance(v[0], (int, float, Dim, Ratio)):
                fail(graph, node, "numbers in tuples of one", repr(v))
        elif type(v) is not int:
            fail(graph, node, "values, numbers or None as operands", repr(v))
    if len(node.attrs) != len(row.fields):
        fail(graph, node, f"{len(row.fields)} attributes {row.fields}", len(node.attrs))
    for name, kind, value in zip(row.fields, row.schema, node.attrs, strict=True):
        what, fits = _KINDS[kind]
        if not fits(value):
            fail(graph, node, f"{what} for {name}", repr(value))


def _check_update(graph, node):
    update, count = node.payload, len(node.results)
    if (
        not isinstance(update, Update)
        or len(update.states) != count
        or len(node.inputs) != count + len(update.params)
    ):
        fail(
            graph,
            node,
            "a pass of an optimizer, with a result for each state and a gradient for each parameter",
            node,
        )


def sorted_nodes(graph):
    """The nodes in an order in which operands come first (Kahn's algorithm); it keeps the order where it can.

    Raises:
        GraphError: there is a cycle; the message names it.
    """
    producer = {v: k for k, node in enumerate(graph.nodes) for v in node.results}
    readers = [[] for _ in graph.nodes]
    missing = []
    for k, node in enumerate(graph.nodes):
        needs = {producer[v] for v in node.values if v in producer}
        missing.append(len(needs))
        for j in needs:
            readers[j].append(k)
    import heapq

    ready = [k for k, n in enumerate(missing) if n == 0]
    order = []
    while ready:
        k = heapq.heappop(ready)
        order.append(k)
        for j in readers[k]:
            missing[j] -= 1
            if missing[j] == 0:
                heapq.heappush(ready, j)
    if len(order) < len(graph.nodes):
        _fail_cycle(graph, producer, missing)
    return [graph.nodes[k] for k in order]


def _fail_cycle(graph, producer, missing):
    """Walks from a node that never became ready to one of its operands' nodes, until one comes twice."""
    k = next(k for k, n in enumerate(missing) if n > 0)
    path, at = [], {}
    while k not in at:
        at[k] = len(path)
        path.append(k)
        k = next(producer[v] for v in graph.nodes[k].values if v in producer and missing[producer[v]] > 0)
    cycle = path[at[k] :]
    names = " <- ".join(f"{graph.nodes[j].op} {graph.label(graph.nodes[j].results[0])}" for j in [*cycle, cycle[0]])
    fail(graph, graph.nodes[cycle[0]], "operands that do not depend on the node", f"a cycle: {names}")


def _check_order(graph):
    known = {*graph.inputs, *graph.states}
    for node in graph.nodes:
        for v in node.values:
            if v not in known:
                fail(
                    graph,
                    node,
                    "operands that come before it",
                    f"{graph.label(v)}, which comes later",
                    "g.sort() puts the nodes in order.",
                )
        known.update(node.results)


def check_shapes(graph):
    """Raises GraphError unless the shapes and dtypes of results are what the ops make of their operands."""
    from ._graph import infer

    for node in graph.nodes:
        try:
            if node.op in TABLE:
                specs = infer(graph, node.op, node.inputs, node.attrs)
            elif node.op == "shape":
                specs = [(node.named_attrs["size"], node.named_attrs["dtype"])]
            elif node.op == "update":
                specs = [(graph.shapes[v], graph.dtypes[v]) for v in node.inputs[: len(node.results)]]
            else:
                specs = _regions.specs(graph, node)
        except GraphError:
            raise
        except Exception as error:
            raise GraphError(f"graph {graph.name!r}, {place(graph, node)}: {error}") from None
        for v, (shape, dtype) in zip(node.results, specs, strict=True):
            if not same_sizes(graph.shapes[v], shape) or graph.dtypes[v] != dtype:
                fail(
                    graph,
                    node,
                    f"{graph.label(v)} of shape {tuple(shape)} and {dtype}",
                    f"{tuple(graph.shapes[v])} and {graph.dtypes[v]}",
                )


def _check_ends(graph):
    there = {*graph.inputs, *graph.states, *[v for node in graph.nodes for v in node.results]}
    for name, v in graph.outputs:
        if v not in there:
            fail(graph, None, f"outputs that are values of the graph, {name!r} too", repr(v))
    for what, table in (("writes", graph.writes), ("gradients", graph.grads)):
        for target, v in table.items():
            if v is None and what == "gradients" and target in graph.states:
                continue  # a run leaves no gradient there
            if target not in graph.states and (what == "gradients" or target not in graph.inputs):
                fail(graph, None, f"{what} of states", repr(target))
            if v not in there:
                fail(graph, None, f"{what} with values of the graph", repr(v))
            if not same_sizes(graph.shapes[target], graph.shapes[v]) or graph.dtypes[target] != graph.dtypes[v]:
                fail(
                    graph,
                    None,
                    f"{what} to {graph.label(target)} of shape {tuple(graph.shapes[target])} and "
                    f"{graph.dtypes[target]}",
                    f"{tuple(graph.shapes[v])} and {graph.dtypes[v]}",
                )
    if graph.structure is not None:
        from ..func._trees import numbers

        count = len(graph.outputs) + len(graph.fixed)
        try:
            fits = sorted(numbers(graph.structure)[0]) == list(range(count)) and set(graph.fixed) <= set(
                range(count)
            )
        except TypeError:  # neither a place nor a container of places
            fits = False
        if not fits:
            fail(graph, None, f"a structure of {count} results", repr(graph.structure))
