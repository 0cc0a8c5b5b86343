"""The outline of a model: nodes in the order of computation, grouped by scope, with repeats folded and counts.

Text is drawn from it; DOT and Mermaid from the same scopes, each once (`walk`).
"""

from collections import Counter

from ..demo import duration
from ._model import GRADIENT, KINDS, OPERATION, STATE

FOLD = 3  # this many alike groups in a row are folded into the first and a count


class Group:
    """Nodes of one scope that are computed one after the other: `name`, `members` (nodes and groups, in order).

    alike: names of the groups after this one that do the same with other values; they are not in the outline.
    """

    def __init__(self, name=""):
        self.name = name
        self.members = []
        self.alike = []

    def nodes(self):
        """The numbers of all nodes inside, in order."""
        found, todo = [], [self]
        while todo:
            top = todo.pop()
            if isinstance(top, Group):
                todo.extend(reversed(top.members))
            else:
                found.append(top)
        return found

    def counts(self, model):
        """What is inside, as text: "12 nodes: 5 mul, 4 add, 3 tanh"."""
        return counted(model, self.nodes())


def counted(model, nodes):
    """How many nodes of which op there are, as text, most frequent first."""
    by_op = Counter(printable(model.ops[model.op[k]]) for k in nodes if model.kind[k] in (OPERATION, GRADIENT))
    given = len(nodes) - by_op.total()
    parts = [f"{count:,} {op}" for op, count in by_op.most_common(4)]
    rest = sum(count for _, count in by_op.most_common()[4:])
    if rest:
        parts.append(f"{rest:,} other{'s' * (rest != 1)}")
    if given:
        parts.append(f"{given:,} given")
    return f"{len(nodes):,} node{'s' * (len(nodes) != 1)}: " + ", ".join(parts)


def in_order(model, backward=False):
    """The nodes as they are computed; what is given stands before its first reader, what belongs to the same scope
    closest to it, what comes from around a scope before that begins. Without `backward` the mirrors of forward nodes are
    left out."""
    count = len(model)
    shown = [bool(backward or model.kind[k] != GRADIENT or model.link[k] < 0) for k in range(count)]
    given = [[] for _ in range(count)]
    placed = [False] * count
    for source, target in sorted(
        zip(model.source.tolist(), model.target.tolist(), strict=True), key=lambda e: e[1]
    ):
        if shown[source] and shown[target] and model.step[source] == 0:
            given[target].append(source)
    out, before = [], {}  # nodes, and what goes before the one at a place
    path, starts = (), []  # the scope of the last node, and where each scope around it has begun

    def place(k, reader=None):
        nonlocal path
        if not shown[k] or placed[k]:
            return
        placed[k] = True
        scope = model.scopes[model.scope[k]]
        if reader is not None:
            around = model.scopes[model.scope[reader]]
            if around[: len(scope)] == scope and _shared(path, around) > len(scope):
                before.setdefault(starts[len(scope)], []).append(k)
                return
        same = _shared(path, scope)
        starts[same:] = [len(out)] * (len(scope) - same)
        path = scope
        out.append(k)

    steps = sorted(range(count), key=lambda k: (int(model.step[k]), k))
    for k in steps:
        if model.step[k] > 0:
            for j in sorted(
                given[k], key=lambda j: _shared(model.scopes[model.scope[j]], model.scopes[model.scope[k]])
            ):
                place(j, k)
            place(k)
    for k in steps:  # what nothing reads
        place(k)
    return [j for at, k in enumerate(out) for j in (*before.get(at, ()), k)]


def _shared(a, b):
    """How many names two scopes share from the outside."""
    same = 0
    while same < len(a) and same < len(b) and a[same] == b[same]:
        same += 1
    return same


def outline(model, nodes):
    """The root group of a model, with repeated groups folded. nodes: what is in it, in order (see `in_order`)."""
    root = Group()
    path, stack = (), [root]
    for k in nodes:
        scope = model.scopes[model.scope[k]]
        if model.beside[k] >= 0 and model.step[model.beside[k]]:  # of a gradient rule: it runs in the backward pass
            scope = ("backward", *scope)
        same = _shared(path, scope)
        del stack[same + 1 :]
        for name in scope[same:]:
            group = Group(name)
            stack[-1].members.append(group)
            stack.append(group)
        path = scope
        stack[-1].members.append(k)
    _fold(model, root)
    return root


def _signature(model, group, known):
    """A number that is the same for groups with the same ops, shapes, attributes and groups inside."""
    parts = []
    for m in group.members:
        if isinstance(m, Group):
            parts.append(known[id(m)])
        elif model.kind[m] == OPERATION or model.kind[m] == GRADIENT:
            parts.append((int(model.op[m]), int(model.shape[m]), int(model.dtype[m]), int(model.attrs[m])))
        else:
            parts.append((int(model.kind[m]), int(model.shape[m]), int(model.dtype[m])))
    return tuple(parts)


def _fold(model, root):
    """Folds runs of at least FOLD alike groups, innermost first."""
    order, todo = [], [root]
    while todo:
        group = todo.pop()
        order.append(group)
        todo.extend(m for m in group.members if isinstance(m, Group))
    known, numbers = {}, {}
    for group in reversed(order):
        members, run = [], []
        for m in [*group.members, None]:
            alike = isinstance(m, Group) and run and known[id(m)] == known[id(run[0])]
            if not alike:
                if len(run) >= FOLD:
                    run[0].alike = [g.name for g in run[1:]]
                    run = run[:1]
                members.extend(run)
                run = []
            if isinstance(m, Group):
                run.append(m)
            elif m is not None:
                members.append(m)
        signature = (_signature(model, group, known), len(group.alike))
        known[id(group)] = numbers.setdefault(signature, len(numbers))
        group.members = members


OPEN, CLOSE, NODE = range(3)


def walk(model, nodes):
    """Scopes and what is in them, as it is written down: triples (depth, OPEN, name of a group), (depth, CLOSE, None) and
    (depth, NODE, number of a node). Unlike in the outline each scope is there once."""
    groups = {(): Group()}
    for k in nodes:
        scope = model.scopes[model.scope[k]]
        for depth in range(len(scope)):
            if scope[: depth + 1] not in groups:
                group = groups[scope[: depth + 1]] = Group(scope[depth])
                groups[scope[:depth]].members.append(group)
        groups[scope].members.append(k)
    todo = [(1, m) for m in reversed(groups[()].members)]
    while todo:
        depth, item = todo.pop()
        if item is None:
            yield depth, CLOSE, None
        elif isinstance(item, Group):
            yield depth, OPEN, item.name
            todo.append((depth, None))
            todo.extend((depth + 1, m) for m in reversed(item.members))
        else:
            yield depth, NODE, item


def drawn_edges(model, numbers):
    """The edges among the nodes that are drawn, by their numbers: triples (source, target, whether it is a gradient's)."""
    edges, gradient = set(), model.kind == GRADIENT
    for s, t in zip(model.source.tolist(), model.target.tolist(), strict=True):
        if s in numbers and t in numbers:
            edges.add((numbers[s], numbers[t], bool(gradient[s] or gradient[t])))
    return sorted(edges)


def node_lines(model, k):
    """What stands in the box of a node: what it is called, shape and dtype, value and gradient."""
    kind = model.kind[k]
    op = model.ops[model.op[k]]
    name = model.names.get(k)
    if kind in (OPERATION, GRADIENT, STATE):
        first = f"{name} = {op}" if name else op
    else:
        first = name or KINDS[kind]
    lines = [first, f"{shape_text(model, k)} {model.dtypes[model.dtype[k]]}".strip()]
    for sign, values in (("=", model.values), ("grad", model.gradients)):
        if k in values:
            lines.append(f"{sign} {values[k].short()}")
    return [printable(line) for line in lines if line]


def printable(text):
    """A name on one line: whatever is not printable is escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in str(text))


def shape_text(model, node):
    """The shape of a node's result, or nothing."""
    shape = model.shapes[model.shape[node]]
    return "" if shape is None else str(tuple(shape))


def attrs_text(model, node):
    """The attributes of a node's op: "dim=1, keepdim=False"."""
    return ", ".join(f"{k}={v}" for k, v in (model.attrss[model.attrs[node]] or {}).items())


def time_text(seconds):
    """A duration, or nothing where none was measured."""
    return "" if seconds != seconds else duration(seconds)


def memory_text(count):
    """A number of bytes with a unit."""
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.3g} {unit}" if unit != "B" else f"{int(count)} B"
        count /= 1024
    return f"{count:.3g} GiB"


__all__ = [
    "CLOSE",
    "NODE",
    "OPEN",
    "Group",
    "attrs_text",
    "counted",
    "drawn_edges",
    "in_order",
    "memory_text",
    "node_lines",
    "outline",
    "printable",
    "shape_text",
    "time_text",
    "walk",
]
