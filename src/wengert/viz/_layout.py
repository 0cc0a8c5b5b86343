"""Where everything is drawn: a layout of our own, linear in the nodes.

Inside a group, items stand in columns by depth: data flows to the right, and columns go on in the next line as words
do. What is given (inputs, parameters) stands one column before its first reader, below the operations. A cell holds a
node and, below it, its mirror, so the backward pass flows to the left through the same picture. In a static graph, where
a gradient rule is operations of its own, these stand below the node as cells.

Each group has coordinates of its own. An open group is as large as what it holds. A closed one is as large as a cell,
and what it holds is scaled into it: opening it moves nothing, one looks closer. Which groups are open at first is
chosen so that at most BOXES boxes are to be seen.
"""

import numpy as np

from ._groups import PART, REPEAT, SCOPE, Groups

BOXES = 110  # boxes at first, at most: as many as can be read on one screen
WIDTH, HALF, GAP = (
    188.0,
    52.0,
    4.0,
)  # a cell: its width, the height of a box, and the gap between a node and its mirror
ACROSS, DOWN = 58.0, 26.0  # between columns, between rows
LINE = 54.0  # between lines
PAD, HEAD = 24.0, 46.0  # inside the frame of an open group; HEAD is for its name
INNER_HEAD = 26.0  # room for the name in a closed group, above what is scaled into it
ASPECT = 1.7  # of a group's inside: width by height


class Layout:
    """The layout of a model.

    Attributes:
        groups: the tree (see _groups.py). cells: the nodes that have a cell.
        x, y, width, height: of each item (cells, then groups), in its parent's coordinates.
        scale, left, top: of each group: where the origin of its inside lies in its box, and how large a unit is there.
        open: which groups are open at first.
        inside: of the root: width and height of the whole.
        half: height of a node's box; a cell is 2 * half + GAP high where the model has mirrors.
    """

    def __init__(self, model):
        self.model = model
        self.groups = groups = Groups(model)
        self.cells = groups.cells
        self.n = n = len(self.cells)
        self.mirrored = bool(model.backward.any())
        self.cell_height = 2 * HALF + GAP if self.mirrored else HALF
        total = n + groups.size
        self.x, self.y = np.zeros(total), np.zeros(total)
        self.width, self.height = np.full(total, WIDTH), np.full(total, self.cell_height)
        closed_height = max(self.cell_height, 2 * HALF)
        self.height[n:] = closed_height
        self.scale, self.left, self.top = (
            np.ones(groups.size),
            np.full(groups.size, PAD),
            np.full(groups.size, HEAD),
        )
        self.inner_width, self.inner_height = np.zeros(groups.size), np.zeros(groups.size)
        self._find_edges()
        self._find_columns()
        self.open = self._choose_open()
        levels = groups.depth
        for level in range(int(levels.max(initial=0)), -1, -1):
            self._place(np.flatnonzero(levels == level))
        self.inside = float(self.inner_width[0]), float(self.inner_height[0])
        self.left[0] = self.top[0] = 0.0

    def world(self):
        """(x, y, scale) of each item's box in the coordinates of the root."""
        groups, n = self.groups, self.n
        x, y, scale = self.x.copy(), self.y.copy(), np.ones(len(self.x))
        inner_x, inner_y, inner_scale = np.zeros(groups.size), np.zeros(groups.size), np.ones(groups.size)
        for level in range(int(groups.depth.max(initial=0)) + 1):
            chosen = np.flatnonzero(groups.depth == level)
            if level:
                item, up = n + chosen, groups.parent[n + chosen]
                x[item] = inner_x[up] + self.x[item] * inner_scale[up]
                y[item] = inner_y[up] + self.y[item] * inner_scale[up]
                scale[item] = inner_scale[up]
                inner_x[chosen] = x[item] + self.left[chosen] * scale[item]
                inner_y[chosen] = y[item] + self.top[chosen] * scale[item]
                inner_scale[chosen] = scale[item] * self.scale[chosen]
        up = groups.parent[:n]
        x[:n] = inner_x[up] + self.x[:n] * inner_scale[up]
        y[:n] = inner_y[up] + self.y[:n] * inner_scale[up]
        scale[:n] = inner_scale[up]
        return x, y, scale

    # ---- columns ----------------------------------------------------------------------------------------------

    def _find_edges(self):
        """Edges between siblings: those of the nodes, lifted to where both ends have the same parent."""
        model, groups, n = self.model, self.groups, self.n
        item = np.full(len(model), -1)
        item[self.cells] = np.arange(n)
        a, b = item[model.source], item[model.target]
        own = (a >= 0) & (b >= 0)
        a, b = a[own], b[own]
        apart = np.flatnonzero(groups.parent[a] != groups.parent[b])
        depth = groups.depth
        computed = self.model.step[self.cells[a]] > 0
        entered = []  # groups that computed values come into
        while len(apart):
            up_a, up_b = groups.parent[a[apart]], groups.parent[b[apart]]
            move_a, move_b = depth[up_a] >= depth[up_b], depth[up_b] >= depth[up_a]
            a[apart[move_a]] = n + up_a[move_a]
            b[apart[move_b]] = n + up_b[move_b]
            entered.append(up_b[move_b & computed[apart]])
            apart = apart[groups.parent[a[apart]] != groups.parent[b[apart]]]
        self.entered = np.zeros(groups.size, bool)
        self.entered[np.concatenate(entered) if entered else []] = True
        lead = groups.lead
        self.a, self.b = self._onward(lead[a], b, lead[b] == b)
        self.readers = self._onward(a, lead[b], lead[a] == a)

    def _onward(self, a, b, chosen):
        chosen = chosen & (self.groups.rank[a] < self.groups.rank[b])
        return a[chosen], b[chosen]

    def _find_columns(self):
        """The column of each item: its depth among its siblings; what is given stands before its first reader."""
        groups, n = self.groups, self.n
        rank = groups.rank
        column = np.zeros(len(self.x), np.int64)
        order = np.argsort(rank[self.b], kind="stable")
        a, b = self.a[order], self.b[order]
        bounds = np.searchsorted(rank[b], np.arange(int(rank.max(initial=0)) + 2))
        for k in range(len(bounds) - 1):
            part = slice(bounds[k], bounds[k + 1])
            np.maximum.at(column, b[part], column[a[part]] + 1)
        given = np.zeros(len(self.x), bool)
        given[:n] = (self.model.step[self.cells] == 0) & ~self.model.backward[self.cells]
        first = np.full(len(self.x), np.iinfo(np.int64).max)
        np.minimum.at(first, self.readers[0], column[self.readers[1]])
        late = given & (first < np.iinfo(np.int64).max)
        column[late] = first[late] - 1
        self.column, self.given = column[groups.lead], given[groups.lead]
        self.over = self._heights_before(a, b)[groups.lead]

    def _heights_before(self, a, b):
        """A key for the order inside a column: the mean rank of what an item reads."""
        total, count = np.zeros(len(self.x)), np.zeros(len(self.x))
        solid = ~self.given[a]
        np.add.at(total, b[solid], self.groups.rank[a[solid]].astype(float))
        np.add.at(count, b[solid], 1.0)
        return np.where(count > 0, total / np.maximum(count, 1), self.groups.rank)

    def _choose_open(self):
        """Opens groups, outer and small ones first, as long as no more than BOXES boxes are seen. Parts of one group
        are opened together or not at all; a repeat only where little else is to be seen."""
        groups, n = self.groups, self.n
        budget = BOXES // (2 if self.mirrored else 1)
        opened = np.zeros(groups.size, bool)
        opened[0] = True
        up = groups.parent[n:].copy()
        up[0] = -1
        by_parent = np.argsort(up, kind="stable")
        bounds = np.searchsorted(up[by_parent], np.arange(groups.size + 1))
        seen = int(groups.items[0])

        def bundles(group):
            """The groups inside, in bundles that open together: (order, boxes more, groups)."""
            inner = by_parent[bounds[group] : bounds[group + 1]].tolist()
            whole = [g for g in inner if groups.kind[g] in (SCOPE, REPEAT)]
            parts = [g for g in inner if groups.kind[g] not in (SCOPE, REPEAT)]
            for some in [[g] for g in whole] + ([parts] if parts else []):
                more = int(groups.items[some].sum()) - len(some)
                loose = groups.kind[some[0]] == PART and not groups.first[some[0]]  # of what does not repeat
                yield (groups.kind[some[0]] != SCOPE and not loose, groups.depth[some[0]], more, some)

        waiting = sorted(bundles(0))
        while waiting:
            fits = [w for w in waiting if seen + w[2] <= (budget // 3 if w[0] else budget)]
            if not fits:
                return opened
            waiting.remove(fits[0])
            seen += fits[0][2]
            for group in fits[0][3]:
                opened[group] = True
                waiting.extend(bundles(group))
            waiting.sort()
        return opened

    # ---- places -----------------------------------------------------------------------------------------------

    def _place(self, chosen):
        """Places the items of some groups of one level, whose inner groups are done, and sizes the groups."""
        groups, n = self.groups, self.n
        wanted = np.zeros(groups.size, bool)
        wanted[chosen] = True
        items = np.flatnonzero(wanted[groups.parent])
        items = items[items != n]
        if not len(items):
            return
        line = np.zeros(len(self.x), np.int64)
        items = self._stacked(items, line)[0]
        late = self._break_lines(items, line)
        items, stack, owner, wide, tall, late = self._stacked(items, line, late)
        space = self._spaces(items)
        begin = np.flatnonzero(_changes(stack))
        fresh_line = _changes(owner, line[items[begin]])
        heads = np.flatnonzero(fresh_line)
        # What is given and stands first leaves the first row to the data that comes in.
        lower = np.where(late[begin] | (self.given[items[begin]] & self.entered[owner] & _changes(owner)), 1.0, 0.0)
        lower *= self.cell_height + DOWN
        tall = tall + lower
        stack_x = _running(wide + ACROSS, fresh_line)
        line_tall = np.maximum.reduceat(tall, heads)
        line_wide = np.maximum.reduceat(stack_x + wide, heads)
        line_y = _running(line_tall + LINE, _changes(owner[heads]))
        self.x[items] = stack_x[stack] + np.where(self.given[items], wide[stack] - self.width[items], 0.0)
        self.y[items] = line_y[(np.cumsum(fresh_line) - 1)[stack]] + lower[stack]
        self.y[items] += _running(space, _changes(stack))
        np.maximum.at(self.inner_width, owner[heads], line_wide)
        np.maximum.at(self.inner_height, owner[heads], line_y + line_tall)
        self._size(chosen)

    def _stacked(self, items, line, late=None):
        """Items in the order of drawing and the stacks that they stand in: runs of one column in one line of a group,
        cut where they grow too high. Returns (items, stack of each, of each stack its group, width and height, and `late`
        in the new order)."""
        groups = self.groups
        late = np.zeros(len(items), bool) if late is None else late
        column = self.column[items] + 0.5 * late
        lead = groups.lead[items]
        below = np.where(lead == items, -1, groups.rank[items])
        order = np.lexsort(
            (below, lead, self.over[items], self.given[items], column, line[items], groups.parent[items])
        )
        items, column = items[order], column[order]
        parent = groups.parent[items]
        rows = np.clip(np.ceil(np.sqrt(groups.items[parent] * 0.8)), 3, 8).astype(np.int64)
        fresh = _changes(parent, line[items], column)
        heads = groups.lead[items] == items
        count = np.cumsum(heads) - 1
        fresh |= heads & ((count - count[_first_of(fresh)]) % rows == 0)
        begin = np.flatnonzero(fresh)
        wide = np.maximum.reduceat(self.width[items], begin)
        tall = np.add.reduceat(self._spaces(items), begin) - DOWN
        return items, np.cumsum(fresh) - 1, parent[begin], wide, tall, late[order]

    def _spaces(self, items):
        """The height of items in the order of drawing, with the space below them."""
        lead = self.groups.lead[items]
        close = np.append(lead[1:] != items[1:], False)  # the next one belongs to the same node
        return self.height[items] + np.where(close, GAP, DOWN)

    def _break_lines(self, items, line):
        """Gives each item its line. What is given goes with its reader: returns which of `items` stand at the start
        of a line for that reason."""
        groups = self.groups
        items, stack, owner, wide, tall, _ = self._stacked(items, line)
        start = _running(wide + ACROSS, _changes(owner))
        of_stack = np.floor(start / self._line_width(owner, wide, tall)[owner] + 1e-9).astype(np.int64)
        own = of_stack[stack]
        parent, column = groups.parent[items], self.column[items]
        ends = np.append(np.flatnonzero(_changes(parent, column))[1:], len(items) - 1)
        after = ends[np.cumsum(_changes(parent, column)) - 1]  # the first item of the next column
        late = self.given[items] & (parent[after] == parent) & (own[after] > own)
        line[items] = np.where(late, own[after], own)
        return late

    def _line_width(self, owner, wide, tall):
        """The width at which lines break, for each group: so that its inside has about the wanted aspect, and whole
        iterations of a loop stand in a line."""
        groups = self.groups
        size = groups.size
        total = np.bincount(owner, wide + ACROSS, size)
        stacks = np.maximum(np.bincount(owner, minlength=size), 1)
        high = np.zeros(size)
        np.maximum.at(high, owner, tall)
        broken = np.sqrt(total * (high + LINE) * ASPECT)
        each = total / stacks
        unit = np.maximum(np.where(stacks % groups.body == 0, groups.body, 1) * each, 1.0)
        broken = np.maximum(np.round(broken / unit), 1) * unit
        few = (total < 6.6 * (WIDTH + ACROSS)) | (total < 1.35 * broken)
        return np.where(few, np.inf, np.maximum(broken, 1.0))

    def _size(self, chosen):
        """Sizes groups whose insides are placed."""
        n = self.n
        wide, tall = self.inner_width[chosen], self.inner_height[chosen]
        is_open = self.open[chosen]
        item = n + chosen
        self.width[item] = np.where(is_open, np.maximum(wide, WIDTH) + 2 * PAD, self.width[item])
        self.height[item] = np.where(is_open, tall + HEAD + PAD, self.height[item])
        room_x, room_y = WIDTH - 16.0, self.height[item] - INNER_HEAD - 8.0
        scale = np.minimum(np.minimum(room_x / np.maximum(wide, 1.0), room_y / np.maximum(tall, 1.0)), 0.6)
        self.scale[chosen] = np.where(is_open, 1.0, scale)
        self.left[chosen] = np.where(is_open, PAD, (WIDTH - wide * scale) / 2)
        self.top[chosen] = np.where(is_open, HEAD, INNER_HEAD + (room_y - tall * scale) / 2)


def _changes(*columns):
    """Where a sorted sequence of keys changes; True at its start."""
    out = np.zeros(len(columns[0]), bool)
    out[:1] = True
    for column in columns:
        out[1:] |= column[1:] != column[:-1]
    return out


def _first_of(fresh):
    """For each place the start of its run."""
    return np.maximum.accumulate(np.where(fresh, np.arange(len(fresh)), 0))


def _running(values, fresh):
    """The sum of the values before each place in its run."""
    before = np.cumsum(values) - values
    return before - before[_first_of(fresh)]
