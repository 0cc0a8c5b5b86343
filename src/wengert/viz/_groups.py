"""The tree of groups of a picture: scopes, repeats that fold into one with a count, and parts of what is too long.

Cells are the forward nodes; each carries its mirror with it. Items are the cells (numbers 0 to cells - 1) and the
groups (cells + number of the group). Everything is done for all groups at once, with NumPy, in time linear in the
nodes but for sorting; only the scopes' names are walked one by one.
"""

import re

import numpy as np

from ._model import KINDS

LIMIT = 40  # items in a group; longer ones are cut into parts
PERIODS = 160  # the longest loop body, in items, that is found without scopes
LOOSE = 8  # bodies up to this length are not made groups of their own
SCOPE, REPEAT, ITERATION, PART = range(4)


class Groups:
    """The tree.

    Attributes:
        cells: the nodes that are cells.
        parent: the group of each item; the root is group 0, and its own parent.
        kind: of each group: SCOPE, REPEAT, ITERATION or PART.
        names: group -> name, of scopes and repeats.
        first, last: of iterations and parts: which of the repetitions, from 1; 0 in a part of no repeat.
        tails: of each scope of the model's table: the names in it that are no group.
        count: of each group: the cells in it; of repeats, `times` says how often the body is there.
        items: of each group: how many items are directly in it.
        rank: of each item: its place among its siblings in the order of execution.
        depth: of each group below the root.
        body: items of one iteration, in groups of whole iterations; else 1.
        lead: of each item the cell that it stands below; itself, unless it is an operation of a gradient rule whose node
            is in the same group.
    """

    def __init__(self, model):
        self.model = model
        self.cells = np.flatnonzero(~(model.backward & (model.link >= 0)))
        self.names = {0: ""}
        parents, of_scope, self.tails = _scope_tree(model, self.cells, self.names)
        n = len(self.cells)
        self.parent = np.concatenate([of_scope[model.scope[self.cells]], parents]).astype(np.int64)
        groups = len(parents)
        self.kind = np.full(groups, SCOPE)
        self.first, self.last, self.times = (np.zeros(groups, np.int64) for _ in range(3))
        self.unit = np.ones(groups, np.int64)  # items of a group that stay together when it is cut
        self.body = np.ones(groups, np.int64)
        self.key = np.concatenate([_order(model)[self.cells], np.full(groups, np.inf)])
        self._lift_keys()
        if n:
            self._fold_repeats()
            self._cut_parts()
        self._finish()
        self.lead = self._leads()

    @property
    def size(self):
        """How many groups there are, the root included."""
        return len(self.kind)

    def label(self, group):
        """What a group is called."""
        if group in self.names:
            return self.names[group]
        first, last = int(self.first[group]), int(self.last[group])
        if not first:
            return "part"
        return f"iteration {first}" if first == last else f"iterations {first}–{last}"

    def title(self, node):
        """What a node is called here: its name, with the scopes that no group shows, or its op."""
        model = self.model
        name = model.names.get(node)
        if name is None:
            op = model.ops[model.op[node]]
            return KINDS[model.kind[node]] if op == "leaf" else op
        tail = self.tails[model.scope[node]] if model.step[node] == 0 else ""
        return f"{tail}.{name}" if tail else name

    def _leads(self):
        lead = np.arange(len(self.parent))
        cell_of = np.full(len(self.model), -1)
        cell_of[self.cells] = np.arange(len(self.cells))
        beside = self.model.beside[self.cells]
        found = np.where(beside >= 0, cell_of[beside], -1)
        own = np.flatnonzero((found >= 0) & (self.parent[found] == self.parent[: len(self.cells)]))
        lead[own] = found[own]
        return lead

    # ---- building ---------------------------------------------------------------------------------------------

    def _depths(self):
        """Depth of each group: the root 0."""
        up = self.parent[len(self.cells) :]
        at = np.arange(len(up))
        depth = np.zeros(len(up), np.int64)
        while at.any():
            depth += at != 0
            at = up[at]
        return depth

    def _lift_keys(self):
        """The key of a group is the least of its items."""
        n = len(self.cells)
        np.minimum.at(self.key, n + self.parent[:n], self.key[:n])
        depth = self._depths()
        for level in range(int(depth.max(initial=0)), 0, -1):
            inner = n + np.flatnonzero(depth == level)
            np.minimum.at(self.key, n + self.parent[inner], self.key[inner])

    def _add(self, parents, keys, kind, first=0, last=0, unit=1, times=0, body=1):
        """New groups; returns the number of the first."""
        at = self.size
        more = len(parents)
        self.parent = np.concatenate([self.parent, parents])
        self.key = np.concatenate([self.key, keys])
        given = {"kind": kind, "first": first, "last": last, "unit": unit, "times": times, "body": body}
        for name, value in given.items():
            setattr(self, name, np.concatenate([getattr(self, name), np.broadcast_to(value, more)]))
        return at

    def _sorted(self):
        """Items in order of parent, then key; the root itself is left out."""
        n = len(self.cells)
        items = np.delete(np.arange(len(self.parent)), n)
        return items[np.lexsort((items, self.key[items], self.parent[items]))]

    def _signatures(self):
        """A number for each item that is the same for cells of one op and shape, and for groups of the same cells."""
        n, model = len(self.cells), self.model
        own = mixed(
            model.op[self.cells].astype(np.uint64) << np.uint64(32) | model.shape[self.cells].astype(np.uint64)
        )
        out = np.concatenate([own, np.zeros(self.size, np.uint64)])
        np.add.at(out, n + self.parent[:n], own)
        depth = self._depths()
        for level in range(int(depth.max(initial=0)), 0, -1):
            inner = n + np.flatnonzero(depth == level)
            np.add.at(out, n + self.parent[inner], mixed(out[inner]))
        return out

    def _fold_repeats(self):
        """Makes groups of runs of siblings that repeat."""
        n = len(self.cells)
        items = self._sorted()
        parents = self.parent[items]
        counts = np.bincount(parents, minlength=self.size)
        full = counts[parents] > LIMIT
        grouped = items >= n
        holds = np.bincount(parents[grouped], minlength=self.size)[parents] >= 3
        chosen = np.flatnonzero(full | holds)
        if not len(chosen):
            return
        signs = self._signatures()[items]
        runs = _runs(
            signs[chosen], parents[chosen], np.concatenate([[0], np.cumsum(grouped[chosen])]), full[chosen]
        )
        for start, period, times in runs:
            self._make_repeat(items[chosen[start : start + period * times]], period, times)

    def _make_repeat(self, members, period, times):
        n, model = len(self.cells), self.model
        parent = self.parent[members[0]]
        loose = period <= LOOSE
        group = self._add(
            [parent],
            [self.key[members[0]]],
            REPEAT,
            unit=period if loose else 1,
            times=times,
            body=period if loose else 1,
        )
        body = members[:period]
        if period == 1 and body[0] >= n:
            first, last = (self.names.get(members[k] - n, "repeat") for k in (0, -1))
            self.names[group] = re.sub(r"[\s._#\[(]*\d+[\])]*", "", first) or f"{first} … {last}"
        else:
            titles = [self.names.get(i - n, "") if i >= n else model.ops[model.op[self.cells[i]]] for i in body]
            titles = [t for t in dict.fromkeys(titles) if t not in ("", "leaf", "constant")]
            self.names[group] = ", ".join(titles[:3]) + (", …" if len(titles) > 3 else "")
        if loose:
            self.parent[members] = group
            return
        number = np.arange(times) + 1
        first = self._add(np.full(times, group), self.key[members[::period]], ITERATION, number, number)
        self.parent[members] = first + np.arange(len(members)) // period

    def _cut_parts(self):
        """Cuts groups of more than LIMIT items into parts, as often as it takes."""
        n = len(self.cells)
        while True:
            items = self._sorted()
            parents = self.parent[items]
            counts = np.bincount(parents, minlength=self.size)
            over = counts[parents] > LIMIT
            if not over.any():
                return
            items, parents = items[over], parents[over]
            starts = np.flatnonzero(np.r_[True, parents[1:] != parents[:-1]])
            total = np.diff(np.r_[starts, len(items)])
            rank = np.arange(len(items)) - np.repeat(starts, total)
            unit = self.unit[parents[starts]]
            most = LIMIT // unit * unit
            parts = -(-total // most)
            each = -(-total // parts)
            length = -(-each // unit) * unit
            begins = rank % np.repeat(length, total) == 0
            heads = np.flatnonzero(begins)
            tails = np.r_[heads[1:], len(items)] - 1
            looped = np.repeat(self.times[parents[starts]] > 0, total)
            units = np.repeat(unit, total)
            first, last = rank // units + 1, rank // units + 1
            inner = items >= n
            groups = items[inner] - n
            numbered = self.first[groups] > 0
            first[inner] = np.where(numbered, self.first[groups], first[inner])
            last[inner] = np.where(numbered, self.last[groups], last[inner])
            first, last = np.where(looped, first, 0), np.where(looped, last, 0)
            self.unit[parents[starts]] = 1
            at = self._add(
                parents[heads], self.key[items[heads]], PART, first[heads], last[tails], body=units[heads]
            )
            self.parent[items] = at + np.cumsum(begins) - 1

    def _finish(self):
        n = len(self.cells)
        self.depth = self._depths()
        items = self._sorted()
        parents = self.parent[items]
        starts = np.flatnonzero(np.r_[True, parents[1:] != parents[:-1]]) if len(items) else np.zeros(0, np.int64)
        self.rank = np.zeros(len(self.parent), np.int64)
        self.rank[items] = np.arange(len(items)) - np.repeat(starts, np.diff(np.r_[starts, len(items)]))
        self.items = np.bincount(parents, minlength=self.size)
        self.count = np.bincount(self.parent[:n], minlength=self.size)
        for level in range(int(self.depth.max(initial=0)), 0, -1):
            inner = np.flatnonzero(self.depth == level)
            np.add.at(self.count, self.parent[n + inner], self.count[inner])


def mixed(x):
    """Well mixed 64-bit numbers (the finalizer of splitmix64)."""
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def _order(model):
    """When each node is wanted: its step, of what is given a moment before its first reader, of what stands beside a node a
    moment after that one."""
    key = model.step.astype(np.float64)
    later = 0.45 * key / (key.max(initial=0) + 1)
    given = (model.step == 0) & ~model.backward
    behind = model.beside >= 0
    key[behind] = key[model.beside[behind]] + later[behind]
    first = np.full(len(model), np.inf)
    read = key[model.target]
    read[model.beside[model.target] == model.source] = np.inf
    np.minimum.at(first, model.source, read)
    key = np.where(given, np.where(np.isfinite(first), np.ceil(first - 0.5) - 0.5, 0.0), key)
    key[behind] = key[model.beside[behind]] + later[behind]
    return key


def _runs(signs, parents, grouped, full):
    """(start, period, times) of runs that repeat, longest first and without overlap.

    A run has at least three repetitions. It holds groups (`grouped` counts them up to each place), or its parent has
    too many items (`full`) and it covers 16 of them.
    """
    found = []
    n = len(signs)
    for period in range(1, min(PERIODS, n // 3) + 1):
        same = (signs[period:] == signs[:-period]) & (parents[period:] == parents[:-period])
        if np.count_nonzero(same) < 2 * period:
            continue
        edges = np.flatnonzero(np.diff(np.concatenate([[False], same, [False]]).view(np.int8)))
        starts, lengths = edges[::2], edges[1::2] - edges[::2]
        wide = (lengths >= 2 * period) & (
            (grouped[starts + lengths] > grouped[starts]) | (full[starts] & (lengths + period >= 16))
        )
        found.extend(zip(-(lengths[wide] + period), np.full(wide.sum(), period), starts[wide], strict=True))
        if found and -found[-1][0] > 0.98 * n:
            break
    taken = np.zeros(n, bool)
    out = []
    for minus, period, start in sorted(found)[:20_000]:
        length = -minus // period * period
        if not taken[start : start + length].any():
            taken[start : start + length] = True
            out.append((int(start), int(period), int(length // period)))
    return out


def _scope_tree(model, cells, names):
    """Groups of the scopes: their parents, and of each scope of the table its group and the names that are left.

    A scope without operations (of parameters alone) is none, nor is one of a single item: what it holds belongs to
    the scope around it.
    """
    direct = np.bincount(model.scope[cells], minlength=len(model.scopes))
    computes = np.bincount(model.scope[cells[model.step[cells] > 0]], minlength=len(model.scopes))
    own, holds = {}, {}
    for scope, count, ops in zip(model.scopes.values, direct.tolist(), computes.tolist(), strict=True):
        own[scope] = own.get(scope, 0) + count
        for k in range(len(scope) + 1):
            own.setdefault(scope[:k], 0)
            holds[scope[:k]] = holds.get(scope[:k], 0) + ops
    kept, single = set(), {}
    order = sorted(own, key=len, reverse=True)
    inner = dict.fromkeys(own, 0)
    for scope in order:
        if scope and not holds[scope]:
            own[scope[:-1]] += own[scope]
            continue
        if not scope or own[scope] + inner[scope] > 1 or scope in model.framed:
            kept.add(scope)
            if scope:
                inner[scope[:-1]] += 1
        elif inner[scope]:
            single[scope] = True
            inner[scope[:-1]] += 1
        else:
            own[scope[:-1]] += own[scope]
    number, parents = {(): 0}, [0]
    for scope in sorted(kept, key=len):
        if scope:
            around = len(scope) - 1
            while scope[:around] in single:
                around -= 1
            up = scope[:around]
            while up not in number:
                up = up[:-1]
            number[scope] = len(parents)
            names[len(parents)] = ".".join(scope[around:])
            parents.append(number[up])
    of_scope = np.zeros(len(model.scopes), np.int64)
    tails = []
    for k, scope in enumerate(model.scopes.values):
        around = len(scope)
        while scope[:around] not in number:
            around -= 1
        of_scope[k] = number[scope[:around]]
        tails.append(".".join(scope[around:]))
    return np.array(parents), of_scope, tails
