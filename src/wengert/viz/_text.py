"""Graphs as aligned text for terminals."""

import numpy as np

from ..graph._graph import align
from ._build import build, caller_names
from ._model import GRADIENT, KINDS, OPERATION
from ._outline import Group, attrs_text, counted, in_order, memory_text, outline, printable, shape_text, time_text

OPERANDS = 8  # that are listed at most
LIMIT = 100  # lines of nodes and groups, unless the caller says otherwise


def text(x, *example, limit=LIMIT, backward=False, names=None):
    """A graph as text: a line for each node in the order of computation, under the names of its scopes.

    Alike groups that follow each other are shown once, with the names of the others. Beyond `limit` lines groups stay
    closed and long lists lose their middle, with counts of what is inside.

    Args:
        x: a tensor with history or a list of them, a Graph, a Plan or a compiled function or module (beside its graph), or a
            module.
        example: the inputs of a module; of static graphs inputs, where their values are to be shown.
        limit: the most lines of nodes and groups; None for all.
        backward: nodes of the backward pass are listed too. Otherwise a node shows its gradient, where it is known.
        names: a dict from names to tensors and modules; the variables of the caller where it is None.

    Returns:
        A string. Columns that nothing fills are left out.

    Raises:
        TypeError: something else is given.
        RuntimeError: no tensor has a history.
        ValueError: the limit is below 1.

    Example:
        >>> import wengert
        >>> x, y, z = (wengert.tensor(v, requires_grad=True) for v in (-2.0, 5.0, -4.0))
        >>> with wengert.record():
        ...     f = (x + y) * z
        >>> f.backward()
        >>> print(wengert.viz.text(f))
        f: 5 nodes: 1 add, 1 mul, 3 given
          %0  x  input  ()  float32          value -2   gradient -4
          %1  y  input  ()  float32          value 5    gradient -4
          %2     add    ()  float32  %0, %1  value 3    gradient -4
          %3  z  input  ()  float32          value -4   gradient 3
          %4  f  mul    ()  float32  %2, %3  value -12  gradient 1
    """
    if limit is not None and limit < 1:
        raise ValueError(f"text: expected a limit of at least 1, got {limit}. Use None for all.")
    model = build(x, *example, names=caller_names() if names is None else names)
    nodes = in_order(model, backward)
    page = _Page(model, nodes, float("inf") if limit is None else limit)
    lines = [f"{printable(model.title)}: {counted(model, nodes)}", *page.lines()]
    notes = [f"note: {printable(note)}" for note in model.notes]
    return "\n".join(lines + notes)


class _Page:
    """Chooses which groups are open, and writes the lines."""

    def __init__(self, model, nodes, limit):
        self.model = model
        self.root = outline(model, nodes)
        self.open = {id(self.root)}
        self.shown = {}  # id of an open group -> members before and after what is left out
        self.numbers = {k: n for n, k in enumerate(nodes)}
        self.inputs = self._inputs()
        self._choose(limit)

    def _inputs(self):
        """For each node its operands in order: pairs (node, which of its results)."""
        model, found = self.model, {}
        order = np.lexsort((model.place, model.target))
        for e in order.tolist():
            found.setdefault(int(model.target[e]), []).append((int(model.source[e]), int(model.result[e])))
        return found

    def _choose(self, limit):
        """Opens groups, outer ones first, as long as there is room."""
        room = limit - self._cut(self.root, limit)
        queue = [self.root]
        while queue:
            group = queue.pop(0)
            for m in self._visible(group):
                if not isinstance(m, Group):
                    continue
                cost = len(m.members)
                if cost > room and room < 3:
                    continue
                self.open.add(id(m))
                room -= self._cut(m, room)
                queue.append(m)

    def _cut(self, group, room):
        """Leaves out the middle of a group that has no room; returns the lines that it takes."""
        count = len(group.members)
        if count <= room:
            self.shown[id(group)] = (count, 0)
            return count
        first = max(int(room * 2 / 3), 1)
        self.shown[id(group)] = (first, int(room) - first)
        return int(room)

    def _visible(self, group):
        first, last = self.shown[id(group)]
        return group.members[:first] + (group.members[-last:] if last else [])

    def lines(self):
        entries = []  # (depth, cells of a node) or (depth, text)
        todo = [(self.root, 1)]
        while todo:
            item, depth = todo.pop()
            if isinstance(item, str):
                entries.append((depth, item))
            elif not isinstance(item, Group):
                entries.append((depth, self.cells(item)))
            else:
                todo.extend(reversed(self._entries_of(item, depth, entries)))
        rows = [e for e in entries if not isinstance(e[1], str)]
        used = [k for k in range(len(COLUMNS)) if any(cells[k] for _, cells in rows)]
        aligned = iter(align([["  " * depth + cells[0], *[cells[k] for k in used[1:]]] for depth, cells in rows]))
        return ["  " * depth + e if isinstance(e, str) else next(aligned) for depth, e in entries]

    def _entries_of(self, group, depth, entries):
        """What a group is written as: pairs (member or text, depth)."""
        inner = depth
        out = []
        if group is not self.root:
            inner = depth + 1
            if id(group) not in self.open:
                return [
                    (f"{printable(group.name)}  ({group.counts(self.model)})", depth),
                    *self._more(group, depth),
                ]
            entries.append((depth, printable(group.name)))
        first, last = self.shown[id(group)]
        out.extend((m, inner) for m in group.members[:first])
        hidden = group.members[first : len(group.members) - last]
        if hidden:
            inside = [k for m in hidden for k in (m.nodes() if isinstance(m, Group) else (m,))]
            out.append((f"… {counted(self.model, inside)} …", inner))
        if last:
            out.extend((m, inner) for m in group.members[-last:])
        return out + self._more(group, depth)

    @staticmethod
    def _more(group, depth):
        if not group.alike:
            return []
        names = [printable(n) for n in group.alike]
        shown = ", ".join(names) if len(names) <= 4 else f"{names[0]}, {names[1]}, …, {names[-1]}"
        return [(f"and {len(names):,} alike: {shown}", depth)]

    def cells(self, k):
        model = self.model
        operands = []
        for source, result in self.inputs.get(k, ()):
            number = self.numbers.get(source)
            if number is not None:
                operands.append(f"%{number}" + (f".{result}" if result else ""))
            else:
                operands.append(printable(model.label(source)))
        kind = model.kind[k]
        op = printable(model.ops[model.op[k]]) if kind in (OPERATION, GRADIENT) else KINDS[kind]
        value, gradient = model.values.get(k), model.gradients.get(k)
        memory = memory_text(int(model.bytes[k])) if model.seconds[k] == model.seconds[k] else ""
        return (
            f"%{self.numbers[k]}",
            printable(model.names.get(k, "")),
            op,
            shape_text(model, k),
            model.dtypes[model.dtype[k]],
            _listed(operands),
            printable(attrs_text(model, k)),
            "" if value is None else f"value {value.short()}",
            "" if gradient is None else f"gradient {gradient.short()}",
            time_text(model.seconds[k]),
            memory,
            printable(model.lines[model.line[k]]),
        )


def _listed(operands):
    """Operands as text: of many, such as those of an optimizer's step, the first ones and how many more there are."""
    if len(operands) <= OPERANDS:
        return ", ".join(operands)
    return f"{', '.join(operands[: OPERANDS - 2])}, … {len(operands) - OPERANDS + 2} more"


COLUMNS = (
    "number",
    "name",
    "op",
    "shape",
    "dtype",
    "operands",
    "attributes",
    "value",
    "gradient",
    "time",
    "memory",
    "line",
)
