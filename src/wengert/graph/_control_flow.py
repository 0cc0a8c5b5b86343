"""cond, while_loop and scan: run at once on tensors, and nodes with sub-graphs on symbolic tensors."""

from .. import _core
from ..func._batching import Batched
from ..func._forward import Dual
from ..func._levels import call, is_tensor, payload, recording
from ..func._trees import flatten, unflatten
from ._bodies import Body, RecordedBody
from ._composition import append_region
from ._lines import user_place
from ._numbers import is_followed
from ._places import to_be_drawn_again
from ._recorded_regions import Outside, frame_around, is_recorded, record_region
from ._symbolic import SymbolicFrame
from ._symbols import is_size, same_sizes


def _as_node(op, values, make):
    """Makes a node of a region where a graph is built or a recorder watches; (its result,), or None: run it now.

    Args:
        make: a function of the frame around that gives (what `_append` gave, a function of results -> what is returned).
    """
    frame, recorder = frame_around(values)
    if frame is not None:
        results, finish = make(frame)
        return (finish(results),)
    return None if recorder is None else record_region(recorder, op, make)


def _leaves(op, tree, what):
    leaves, structure = flatten(tree)
    for v in leaves:
        if not is_tensor(v):
            raise TypeError(f"{op}: expected tensors as {what}, got {type(v).__name__}. Use wengert.tensor().")
    return leaves, structure


def _describe(leaves):
    return ", ".join(f"{t.dtype.name}{list(t.shape)}" for t in leaves)


def _check_alike(op, what, got, got_structure, want, want_structure):
    """A loop's carried values keep structure, shapes and dtypes."""
    if got_structure != want_structure:
        raise TypeError(f"{op}: expected {what} of the structure {want_structure}, got {got_structure}.")
    for a, b in zip(got, want, strict=True):
        if not same_sizes(a.shape, b.shape) or a.dtype != b.dtype:
            raise RuntimeError(f"{op}: expected {what} like {_describe(want)}, got {_describe(got)}.")


class _Region:
    """A function as a sub-graph of the graph that is being built."""

    def __init__(self, frame, op, name, fn, specs, read):
        from ._graph import Graph

        self.graph = Graph(name)
        self.graph.symbols, self.graph.guards = frame.graph.symbols, frame.graph.guards
        self.frame = self.graph._frame = SymbolicFrame(self.graph, frame)
        watched = RecordedBody if is_recorded(frame) else Body
        with self.frame, recording(watched(op, self.frame)):
            tensors = [self.frame.give(self.graph.add_input(shape, dtype)) for shape, dtype in specs]
            self.given = list(self.graph.inputs)
            self.leaves, self.structure = read(fn(tensors))
            self.graph.outputs = [("", self.frame.value_of(t)) for t in self.leaves]

    def finish(self, captured):
        """Its inputs are those given, then one for each captured value of the graph around."""
        own = dict(zip(self.frame.captured(), self.graph.inputs[len(self.given) :], strict=True))
        inputs = list(self.given)
        outer = self.frame.parent.graph
        for v in captured:
            inputs.append(own[v] if v in own else self.graph.add_input(outer.shapes[v], outer.dtypes[v]))
        self.graph.inputs = inputs
        return self.graph


def _captured(*regions):
    """The values of the graph around that regions use, each once."""
    return list(dict.fromkeys(v for region in regions for v in region.frame.captured()))


def _specs(frame, leaves, op):
    values = [frame.value_of(t, op) for t in leaves]
    return values, [(frame.graph.shapes[v], frame.graph.dtypes[v]) for v in values]


def _append(frame, op, inputs, payload):
    if isinstance(frame, Outside):
        return frame.append_region(op, inputs, payload)
    line, scope, _ = user_place()
    node = append_region(frame.graph, op, inputs, payload, scope, line)
    return [frame.wrap_value(v) for v in node.results]


# ---- cond ------------------------------------------------------------------------------------------------------------


def cond(pred, true_fn, false_fn, operands=()):
    """true_fn(*operands) where pred is true, else false_fn(*operands). Only one of them runs.

    On symbolic tensors (or inside `with g:`) both become sub-graphs of a node, and one of them runs when the graph runs.
    Gradients of any order flow to operands and to what the functions use from outside.

    Args:
        pred: a bool, or a tensor of one element.
        true_fn, false_fn: functions of the operands that give the same structure of tensors, of the same shapes and
            dtypes. They have no side effects.
        operands: a tuple of tensors (nested ones too).

    Returns:
        What the function returned. Under `vmap`, where pred differs between sets of inputs, both run.

    Raises:
        TypeError: the functions give other structures, or something that is no tensor.
        RuntimeError: pred has more than one element; the functions give other shapes or dtypes.

    Example:
        >>> import wengert
        >>> x = wengert.tensor(3.0)
        >>> wengert.cond(x > 0, lambda x: x * 2, lambda x: -x, (x,))
        tensor(6.)
    """
    if not isinstance(operands, (tuple, list)):
        raise TypeError(f"cond: expected a tuple of operands, got {type(operands).__name__}. Write (x,) for one.")
    if not is_tensor(pred) and not isinstance(pred, (bool, int)):
        raise TypeError(f"cond: expected a bool or a tensor as pred, got {type(pred).__name__}.")
    leaves, structure = _leaves("cond", tuple(operands), "operands")
    if is_tensor(pred) and pred.numel() != 1:
        raise RuntimeError(
            f"cond: expected pred of one element, got shape {tuple(pred.shape)}. Use .any() or .all()."
        )
    if is_tensor(pred):
        made = _as_node(
            "cond", [pred, *leaves], lambda frame: _cond_node(frame, pred, (true_fn, false_fn), leaves, structure)
        )
        if made is not None:
            return made[0]
    if _differs_in_a_batch(pred):
        return _chosen(pred, true_fn(*operands), false_fn(*operands))
    return true_fn(*operands) if bool(pred) else false_fn(*operands)


def _differs_in_a_batch(t):
    """Whether a tensor has a value for each set of inputs of a vmap."""
    return any(isinstance(p, Batched) for p in _wrappers(t))


def _wrappers(t):
    """The payloads of the transforms around a tensor, from the outside in."""
    while isinstance(p := payload(t), (Batched, Dual)):
        yield p
        t = p.value if isinstance(p, Batched) else p.primal


def _chosen(pred, yes, no):
    """Of two trees, for each set of inputs that which its own `pred` chooses."""
    (ours, structure), (others, other) = [_leaves("cond", out, "results") for out in (yes, no)]
    _check_alike("cond", "results of false_fn", others, other, ours, structure)
    return unflatten(_selected(pred, ours, others), structure)


def _selected(pred, ours, others):
    flag = (pred if pred.dtype.name == "bool" else pred != 0).reshape(())
    return [call("where", flag, a, b) for a, b in zip(ours, others, strict=True)]


def _cond_node(frame, pred, functions, leaves, structure):
    flag = frame.value_of((pred if pred.dtype.name == "bool" else pred != 0).reshape(()), "cond")
    values, specs = _specs(frame, leaves, "cond")

    def read(out):
        return _leaves("cond", out, "results")

    yes, no = [
        _Region(frame, "cond", name, lambda ts, fn=fn: fn(*unflatten(ts, structure)), specs, read)
        for name, fn in zip(("true", "false"), functions, strict=True)
    ]
    _check_alike("cond", "results of false_fn", no.leaves, no.structure, yes.leaves, yes.structure)
    captured = _captured(yes, no)
    payload = {"true": yes.finish(captured), "false": no.finish(captured)}
    results = _append(frame, "cond", [flag, *values, *captured], payload)
    return results, lambda results: unflatten(results, yes.structure)


# ---- while_loop ------------------------------------------------------------------------------------------------------


def while_loop(cond_fn, body_fn, carried_inputs):
    """Repeats carried = body_fn(*carried) as long as cond_fn(*carried) is true.

    On symbolic tensors (or inside `with g:`) it becomes a node. Gradients of any order flow to the carried values and to
    what body_fn uses from outside; a graph's backward pass keeps the carried values of all iterations.

    Args:
        cond_fn: a function of the carried values that gives a bool tensor of one element (run at once also a bool).
        body_fn: a function of the carried values that gives as many tensors of the same shapes and dtypes.
        carried_inputs: a tuple of tensors (nested ones too).

    Returns:
        The carried values after the last iteration, as a tuple. Under `vmap` each set of inputs stops by itself.

    Raises:
        TypeError, RuntimeError: body_fn gives another structure, other shapes or dtypes.

    Example:
        >>> import wengert
        >>> n, x = wengert.tensor(0), wengert.tensor(1.0)
        >>> wengert.while_loop(lambda n, x: n < 3, lambda n, x: (n + 1, x * 2), (n, x))
        (tensor(3), tensor(8.))
    """
    if not isinstance(carried_inputs, (tuple, list)):
        raise TypeError(f"while_loop: expected a tuple of carried values, got {type(carried_inputs).__name__}.")
    start = tuple(carried_inputs)
    leaves, structure = _leaves("while_loop", start, "carried values")
    made = _as_node("while_loop", leaves, lambda frame: _while_node(frame, cond_fn, body_fn, leaves, structure))
    if made is not None:
        return made[0]
    carried, turns = start, None
    while True:
        flag = cond_fn(*carried)
        batched = _differs_in_a_batch(flag)
        if batched:
            turns = flag if turns is None else turns & flag
        if not (_any_of(turns) if batched else bool(flag)):
            return carried
        new = _tuple_of(body_fn(*carried))
        found = _leaves("while_loop", new, "results")
        _check_alike("while_loop", "results of body_fn", *found, leaves, structure)
        if batched:  # those that have come to their end keep their values
            new = unflatten(_selected(turns, found[0], _leaves("while_loop", carried, "results")[0]), found[1])
        carried = new


def _any_of(flag):
    """Whether a flag is set for one of the sets of inputs."""
    for p in _wrappers(flag):
        flag = p.value if isinstance(p, Batched) else p.primal
    return bool((flag != 0).any())


def _while_node(frame, cond_fn, body_fn, leaves, structure):
    values, specs = _specs(frame, leaves, "while_loop")

    def read_flag(out):
        if not is_tensor(out) or out.numel() != 1:
            raise RuntimeError(
                "while_loop: expected a tensor of one element from cond_fn, got another. Compare tensors."
            )
        return [(out if out.dtype.name == "bool" else out != 0).reshape(())], 0

    asks = _Region(frame, "while_loop", "cond", lambda ts: cond_fn(*unflatten(ts, structure)), specs, read_flag)
    body = _Region(
        frame,
        "while_loop",
        "body",
        lambda ts: _tuple_of(body_fn(*unflatten(ts, structure))),
        specs,
        lambda out: _leaves("while_loop", out, "results"),
    )
    _check_alike("while_loop", "results of body_fn", body.leaves, body.structure, leaves, structure)
    captured = _captured(asks, body)
    payload = {"cond": asks.finish(captured), "body": body.finish(captured), "carried": len(leaves)}
    results = _append(frame, "while_loop", [*values, *captured], payload)
    return results, lambda results: unflatten(results, structure)


def _tuple_of(out):
    return tuple(out) if isinstance(out, (tuple, list)) and not hasattr(out, "_fields") else (out,)


# ---- scan ------------------------------------------------------------------------------------------------------------


def scan(fn, init, xs=None, length=None, reverse=False, *, dim=0):
    """Runs carry, y = fn(carry, x) over the slices of xs along a dimension, and stacks the y.

    On symbolic tensors (or inside `with g:`) it becomes a node. Gradients of any order flow to init, xs and what fn uses
    from outside; a graph's backward pass is a scan in the other direction over the carried values, which it keeps.

    Args:
        fn: a function of the carry and one slice (None without xs) that gives the next carry, of the same structure,
            shapes and dtypes, and a tree of tensors (or None) to be stacked.
        init: the first carry: a tensor or a tree of tensors.
        xs: a tensor or a tree of tensors of one length in dimension `dim`.
        length: the number of steps, needed without xs.
        reverse: begin at the last slice; y of a slice stays in its place.
        dim: the dimension of the slices of xs; the y are stacked along it too, along 0 where they have fewer dimensions.

    Returns:
        (the last carry, the stacked y).

    Raises:
        ValueError: no length, or lengths that differ.
        TypeError, RuntimeError: fn gives no pair, or another structure, shape or dtype of the carry.

    Example:
        >>> import wengert
        >>> wengert.scan(lambda c, x: (c + x, c * x), wengert.tensor(0.0), wengert.tensor([1.0, 2.0, 3.0]))
        (tensor(6.), tensor([0., 2., 9.]))
    """
    if dim != 0:
        return _along(dim, fn, init, xs, length, reverse)
    carry, structure = _leaves("scan", init, "init")
    slices, xs_structure = ([], None) if xs is None else _leaves("scan", xs, "xs")
    length = _length(slices, length)
    made = _as_node(
        "scan",
        [*carry, *slices],
        lambda frame: _scan_node(frame, fn, carry, structure, slices, xs_structure, length, reverse),
    )
    if made is not None:
        return made[0]
    return _scan_now(fn, init, carry, structure, slices, xs_structure, length, reverse)


def _along(dim, fn, init, xs, length, reverse):
    """scan over another dimension than the first."""
    leaves, structure = ([], None) if xs is None else _leaves("scan", xs, "xs")
    least = min([t.dim() for t in leaves], default=1)
    if type(dim) is not int or leaves and not -least <= dim < least:
        raise ValueError(f"scan: expected a dimension that all xs have as dim, got {dim!r}.")
    if leaves and dim < 0:
        dim += leaves[0].dim()
    moved = None if xs is None else unflatten([t.movedim(dim, 0) for t in leaves], structure)
    last, ys = scan(fn, init, moved, length, reverse)
    if ys is None:
        return last, None
    rows, shape = flatten(ys)
    return last, unflatten([t.movedim(0, dim) if dim < t.dim() else t for t in rows], shape)


def _scan_node(frame, fn, carry, structure, slices, xs_structure, length, reverse):
    values, specs = _specs(frame, carry, "scan")
    sequences, sequence_specs = _specs(frame, slices, "scan")
    ys_structure = []

    def read(out):
        new, ys = _pair(out)
        leaves, kind = _leaves("scan", new, "the carry")
        _check_alike("scan", "a carry", leaves, kind, carry, structure)
        stacked, shape = _ys(ys)
        ys_structure.append(shape)
        return leaves + stacked, None

    def step(tensors):
        x = None if xs_structure is None else unflatten(tensors[len(carry) :], xs_structure)
        return fn(unflatten(tensors[: len(carry)], structure), x)

    body = _Region(
        frame, "scan", "body", step, specs + [(shape[1:], dtype) for shape, dtype in sequence_specs], read
    )
    captured = _captured(body)
    payload = {
        "body": body.finish(captured),
        "carried": len(carry),
        "scanned": len(slices),
        "length": length,
        "reverse": bool(reverse),
    }

    def finish(out):
        ys = None if ys_structure[0] is None else unflatten(out[len(carry) :], ys_structure[0])
        return unflatten(out[: len(carry)], structure), ys

    return _append(frame, "scan", [*values, *sequences, *captured], payload), finish


def _length(slices, length):
    if is_followed(length):
        length = length.item()
    if length is not None and (not is_size(length) or length.__index__() < 0):
        raise ValueError(f"scan: expected a length of at least 0, got {length!r}.")
    for t in slices:
        if t.dim() == 0:
            raise ValueError(
                "scan: expected xs with dimensions, got a 0-d tensor. Its slices along dimension 0 are used."
            )
        if length is None:
            length = t.shape[0]
        elif not same_sizes((length,), t.shape[:1]):
            raise ValueError(f"scan: expected xs of length {length}, got {t.shape[0]}.")
    if length is None:
        raise ValueError("scan: expected xs or a length, got neither. Pass length=.")
    return length


def _pair(out):
    if not isinstance(out, (tuple, list)) or len(out) != 2:
        raise TypeError(
            f"scan: expected a pair (carry, y) from fn, got {type(out).__name__}. Return (carry, None)."
        )
    return out


def _ys(ys):
    return ([], None) if ys is None else _leaves("scan", ys, "y")


def _scan_now(fn, init, carry, structure, slices, xs_structure, length, reverse):
    rows = [None] * length
    ys_structure = None
    state = init
    for k in reversed(range(length)) if reverse else range(length):
        x = None if xs_structure is None else unflatten([t[k] for t in slices], xs_structure)
        state, ys = _pair(fn(state, x))
        _check_alike("scan", "a carry", *_leaves("scan", state, "the carry"), carry, structure)
        rows[k], ys_structure = _ys(ys)
    if length == 0:
        return state, _no_rows(fn, init, slices, xs_structure)
    if ys_structure is None:
        return state, None
    return state, unflatten([_core_stack(column) for column in zip(*rows, strict=True)], ys_structure)


def _core_stack(column):
    return call("stack", *column, attrs=(0,))


def _no_rows(fn, init, slices, xs_structure):
    """The stacked y of no steps: what fn would give tells their shapes."""
    with _core.no_grad(), to_be_drawn_again():
        blank = [_core.full(tuple(t.shape[1:]), 0, t.dtype) for t in slices]
        _, ys = _pair(fn(init, None if xs_structure is None else unflatten(blank, xs_structure)))
    leaves, structure = _ys(ys)
    return (
        None if structure is None else unflatten([_core.empty((0, *t.shape), t.dtype) for t in leaves], structure)
    )
