"""Softmax, its logarithm, losses of classes and normalisations, written by hand, as the kernels that go over rows once."""

from ._fusing import Match, fused

NO_CLASS = -(1 << 62)  # an ignore_index that is no class


def _dim(view, v, dims):
    """The one dimension of a value that an attribute names, counted from the front; None where it names others."""
    if type(dims) is int:
        dims = (dims,)
    return dims[0] % view.ndim(v) if dims is not None and len(dims) == 1 and view.ndim(v) else None


def _kept(node):
    """Whether a reduction keeps its dimensions."""
    return node.named_attrs["keepdim"]


def _reduced(view, v, x, *ops):
    """(node, dimension) where v is a reduction of x along one dimension that is kept."""
    node = view.made(v, *ops)
    if node is None or node.inputs[0] != x or not _kept(node):
        return None, None
    return node, _dim(view, x, node.attrs[0])


def _shifted(view, v, dim):
    """(x, nodes, value of the largest) where v is x minus its largest value along a dimension."""
    sub = view.made(v, "sub")
    if sub is None or type(sub.inputs[0]) is not int:
        return None
    x, top = sub.inputs
    nodes = [sub]
    stopped = view.made(top, "stop_gradient")
    if stopped is not None:
        nodes.append(stopped)
        top = stopped.inputs[0]
    largest, at = _reduced(view, top, x, "max_along", "amax")
    return None if largest is None or at != dim else (x, [*nodes, largest], top)


def _cuts(top):
    return frozenset(), frozenset({top})


def _softmax(view, node):
    e, total = node.inputs
    exp = view.made(e, "exp")
    if exp is None:
        return
    sums, dim = _reduced(view, total, e, "sum")
    shifted = None if dim is None else _shifted(view, exp.inputs[0], dim)
    if shifted is None:
        return
    x, nodes, top = shifted
    yield Match(
        node.results[0],
        [x],
        [*nodes, exp, sums, node],
        lambda apply, inputs: apply("softmax_rows", inputs, (dim,)),
        _cuts(top),
    )


def _log_softmax(view, node):
    if node.op == "log":
        soft = view.made(node.inputs[0], "softmax_rows")
        if soft is not None:
            yield _log_match(node, soft.inputs[0], [soft, node], soft.attrs[0])
        return
    x, total = node.inputs
    if type(x) is not int:
        return
    lse, dim = _reduced(view, total, x, "logsumexp")
    if lse is not None and dim is not None:
        yield _log_match(node, x, [lse, node], dim)
        return
    log = view.made(total, "log")
    sums = log and view.made(log.inputs[0], "sum")
    exp = sums and view.made(sums.inputs[0], "exp")
    if not exp or exp.inputs[0] != x or not _kept(sums):
        return
    dim = _dim(view, x, sums.attrs[0])
    shifted = None if dim is None else _shifted(view, x, dim)
    if shifted is not None:
        inner, nodes, top = shifted
        yield _log_match(node, inner, [*nodes, exp, sums, log, node], dim, _cuts(top))


def _log_match(node, x, nodes, dim, cuts=(frozenset(),)):
    return Match(node.results[0], [x], nodes, lambda apply, inputs: apply("log_softmax_rows", inputs, (dim,)), cuts)


def _cross_entropy(view, node):
    if node.op == "class_loss":
        logs = view.made(node.inputs[0], "log_softmax_rows")
        if logs is not None and view.ndim(logs.results[0]) == 2 and logs.attrs[0] % 2 == 1:
            others = node.inputs[1:]
            yield Match(
                node.results[0],
                logs.inputs,
                [logs, node],
                lambda apply, inputs: apply("cross_entropy_rows", [*inputs, *others], node.attrs),
            )
        return
    yield from _picked(view, node)


def _picked(view, node):
    """-mean(log_softmax(x).gather(1, classes)): node is the mean or the negation, whichever comes last."""
    inner = view.made(node.inputs[0], "neg", "mean", "squeeze", "select")
    chain = [node]
    while inner is not None:
        chain.append(inner)
        inner = view.made(inner.inputs[0], "neg", "mean", "squeeze", "select")
    gather = view.made(chain[-1].inputs[0], "gather")
    if gather is None or sorted(n.op for n in chain if n.op in ("neg", "mean")) != ["mean", "neg"]:
        return
    logs, column = view.made(gather.inputs[0], "log_softmax_rows"), view.made(gather.inputs[1], "unsqueeze", "view")
    if logs is None or column is None or view.shapes[node.results[0]] != ():
        return
    shape, classes = view.shapes[logs.results[0]], column.inputs[0]
    if len(shape) != 2 or logs.attrs[0] % 2 != 1 or gather.attrs[0] % 2 != 1 or shape[0] == 0:
        return
    if view.shapes[classes] != shape[:1] or view.shapes[column.results[0]] != (shape[0], 1):
        return
    yield Match(
        node.results[0],
        logs.inputs,
        [logs, gather, *chain],
        lambda apply, inputs: apply("cross_entropy_rows", [*inputs, classes, None], (1, NO_CLASS, 0.0)),
    )


# ---- normalisations --------------------------------------------------------------------------------------------------


def _last(view, x, dims):
    """How many dimensions at the end of x an attribute names; None where it names others."""
    if dims is None:
        return None
    n = view.ndim(x)
    found = sorted(d % n for d in ((dims,) if type(dims) is int else dims))
    return len(found) if found == list(range(n - len(found), n)) and found else None


def _squared(view, v):
    """(x, nodes) where v is the square of x."""
    node = view.made(v, "square", "mul", "pow_scalar")
    if node is None or type(node.inputs[0]) is not int:
        return None
    if node.op == "mul" and node.inputs[0] != node.inputs[1] or node.op == "pow_scalar" and node.attrs != (2.0,):
        return None
    return node.inputs[0], [node]


def _plus_number(view, v):
    """(value, number, nodes) where v is a value plus a positive number."""
    node = view.made(v, "add")
    if node is None:
        return None
    a, b = node.inputs if type(node.inputs[0]) is int else node.inputs[::-1]
    return (a, b[0], [node]) if type(a) is int and type(b) is tuple and b[0] > 0 else None


def _scaled(view, node):
    """(x, value under the root, nodes) where a node divides x by a root, or multiplies it with the inverse of one."""
    for x, root in (node.inputs, node.inputs[::-1]) if node.op == "mul" else (node.inputs,):
        found = view.made(root, "sqrt" if node.op == "div" else "rsqrt")
        if found is not None and type(x) is int:
            return x, found.inputs[0], [found, node]
    return None


def _moments(view, node):
    """(x, centred, dims, eps, nodes) where a node gives x with unit mean square, after its mean was taken off or not."""
    scaled = _scaled(view, node)
    plus = scaled and _plus_number(view, scaled[1])
    if not plus:
        return None
    y, nodes = scaled[0], [*scaled[2], *plus[2]]
    spread, eps = plus[0], plus[1]
    centre = view.made(y, "sub")
    x = centre.inputs[0] if centre is not None and type(centre.inputs[0]) is int else None
    if x is not None:
        mean = view.made(centre.inputs[1], "mean")
        if mean is None or mean.inputs[0] != x or not _kept(mean) or _last(view, x, mean.attrs[0]) is None:
            x = None
    around = view.made(spread, "var_stat")
    if around is not None:
        if x is None or around.inputs[0] != x or around.attrs[2] != 0 or not _kept(around):
            return None
        nodes += [around, centre, mean]
        dims = _last(view, x, around.attrs[0])
        return (x, True, dims, eps, nodes) if dims and dims == _last(view, x, mean.attrs[0]) else None
    squares = view.made(spread, "mean")
    square = squares and _kept(squares) and _squared(view, squares.inputs[0])
    if not square or square[0] != y:
        return None
    nodes += [squares, *square[1]]
    dims = _last(view, y, squares.attrs[0])
    if x is not None and dims and dims == _last(view, x, mean.attrs[0]):
        return x, True, dims, eps, [*nodes, centre, mean]
    return (y, False, dims, eps, nodes) if dims else None


def _then(view, v, op, shape):
    """(operand, node) where v alone goes into a product or sum with a value of a shape."""
    for node in view.readers.get(v, ()):
        if node.op == op and len(node.inputs) == 2:
            other = node.inputs[1] if node.inputs[0] == v else node.inputs[0]
            if (
                type(other) is int
                and view.shapes[other] == shape
                and view.shapes[node.results[0]] == view.shapes[v]
            ):
                yield other, node


def _norm(centred):
    def match(view, node):
        found = _moments(view, node)
        if found is None or found[1] is not centred or not view.dtypes[found[0]].is_floating_point:
            return
        x, _, dims, eps, nodes = found
        y = node.results[0]
        tail = view.shapes[x][len(view.shapes[x]) - dims :]

        def norm(inputs, more):
            # Each time with the operands that the inputs stand for.
            def build(apply, _):
                w, b = (*inputs, None, None)[:2]
                operands = [x, w, b] if centred else [x, w]
                return apply("layer_norm" if centred else "rms_norm", operands, (dims, float(eps)))

            last = more[-1].results[0] if more else y
            return Match(last, [x, *inputs], [*nodes, *more], build)

        for w, times in _then(view, y, "mul", tail):
            if centred:
                for b, plus in _then(view, times.results[0], "add", tail):
                    yield norm([w, b], [times, plus])
            yield norm([w], [times])
        yield norm([], [])

    return match


softmax = fused("softmax", frozenset({"div"}), {"div", "exp", "sum", "sub"}, _softmax)
log_softmax = fused("log_softmax", frozenset({"sub"}), {"sub", "logsumexp"}, _log_softmax)
log_of_softmax = fused("log_softmax", frozenset({"log", "sub"}), {"log"}, _log_softmax)
cross_entropy = fused(
    "cross_entropy", frozenset({"class_loss", "neg", "mean"}), {"log_softmax_rows"}, _cross_entropy
)
layer_norm = fused("layer_norm", frozenset({"div", "mul"}), {"mean", "sub", "add"}, _norm(True))
rms_norm = fused("rms_norm", frozenset({"div", "mul"}), {"mean", "add"}, _norm(False))
