"""Rematerialisation: a schedule that drops values on the way and makes them again where they are next read.

Note [Dropping]. The nodes are gone through in their order with a limit of bytes, as a run would go. Where a result does not
fit, the value is dropped whose recomputation costs least for each byte and each step until it is next read. The cost counts
the operands that are gone too, so that what lies between two kept values is made again as one segment, as a checkpoint
would. A node that reads what is gone is preceded by copies of the nodes that make it. They compute from the same operands
by the same operations, random ones with the same range of numbers, so every bit stays.
"""

import heapq
import math

from ._needed import needed
from .passes._rewrite import with_nodes

_LOOK = 64  # values that are compared when one has to go: those read last
_DEEP = 400  # nodes of a segment that is made again at once
_NEAR = 48  # owners made from a dropped one whose costs are noted to have changed
_LIMIT = 6  # runs of the whole graph that recomputation may cost, before a limit counts as too small


class Sizes:
    """What values take in the arena: `owner` of a value is the value whose memory it looks at, `bytes` those of owners."""

    def __init__(self, owner, sizes):
        self.owner = owner
        self.bytes = sizes

    def floor(self, nodes):
        """Bytes that the operands and results of one node need, at most."""
        return max((self._of(node) for node in nodes), default=0)

    def _of(self, node):
        return sum(self.bytes.get(o, 0) for o in {self.owner.get(v, v) for v in (*node.values, *node.results)})


class Schedule:
    """The nodes of a graph in order, with copies of those whose results were dropped.

    Attributes:
        nodes: them all.
        first: the first node of each run of copies: no group that began before may take it in.
        copies: the copies.
        share: what copies cost, as a share of what the graph costs.
    """

    def __init__(self, graph, sizes, limit):
        self.given = graph
        self.sizes, self.limit = sizes, limit
        self.todo = needed(graph)
        self.shapes, self.dtypes = list(graph.shapes), list(graph.dtypes)
        self.nodes, self.first, self.copies = [], set(), []
        self._prepare()
        self.finished = self._run()
        self.share = sum(self.costs[id(node)] for node in self.copies) / max(self.total, 1)

    def graph(self):
        """The graph of the schedule."""
        new = with_nodes(self.given, self.nodes)
        new.shapes, new.dtypes = self.shapes, self.dtypes
        return new

    # ---- what is known beforehand --------------------------------------------------------------------------------

    def _prepare(self):
        graph, owner = self.given, self.sizes.owner
        self.maker = {v: k for k, node in enumerate(self.todo) for v in node.results}
        self.reads = {}  # owner -> moments at which it is read, the last first
        self.made = {}  # value -> owners that nodes make from it
        self.members = {}  # owner -> values that lie there
        self.cost = [node_cost(graph, node) for node in self.todo]
        self.costs = {}
        self.total = sum(self.cost)
        self.epoch = []  # of each node: how many updates come before; what they overwrite cannot be read again
        for k, node in enumerate(self.todo):
            last = self.epoch[-1] + (self.todo[k - 1].op == "update") if k else 0
            self.epoch.append(last)
            for v in node.results:
                self.members.setdefault(owner.get(v, v), []).append(v)
        self.fixed = {owner.get(v, v) for v in (*graph.roots(), *graph.inputs, *graph.states)}
        for k in range(len(self.todo) - 1, -1, -1):
            node = self.todo[k]
            for o in {owner.get(v, v) for v in node.values}:
                self.reads.setdefault(o, []).append(k)
            for v in node.values:
                self.made.setdefault(v, []).extend(owner.get(r, r) for r in node.results)
        self.have = {v: v for v in (*graph.inputs, *graph.states)}  # value -> the value that holds it now
        self.there = set()  # owners that are there, or a copy of them
        self.pins = {}  # owner -> reads to come in the run of copies that is being made
        self.used = 0
        self.heap = []  # (minus the next read, owner)
        self.chains = {}  # owner -> cost of making it again

    # ---- going through -------------------------------------------------------------------------------------------

    def _run(self):
        spent = 0
        for k, node in enumerate(self.todo):
            self.at = k
            values = node.values
            self._bring(values)
            spent += len(self.nodes) - spent
            if spent > (_LIMIT + 1) * len(self.todo) + 64:
                return False
            self._pin(values)
            self._make(node, node.results, False)
            self._unpin(values)
            owners = {self.sizes.owner.get(v, v) for v in values}
            for o in owners:
                self.reads[o].pop()
                if o in self.there:
                    self._push(o)
            for o in owners | {self.sizes.owner.get(v, v) for v in node.results}:
                self._drop_dead(o)
        return True

    def _pin(self, values):
        for v in values:
            o = self.sizes.owner.get(v, v)
            self.pins[o] = self.pins.get(o, 0) + 1

    def _unpin(self, values):
        for v in values:
            self.pins[self.sizes.owner.get(v, v)] -= 1

    def _drop_dead(self, o):
        if o in self.there and o not in self.fixed and not self.reads.get(o) and not self.pins.get(o):
            self._drop(o)

    def _make(self, node, originals, copied):
        """Appends a node; its results take memory."""
        owner, sizes = self.sizes.owner, self.sizes.bytes
        inputs = tuple([self.have[v] if type(v) is int else v for v in node.inputs])
        fresh = [v for v in originals if owner.get(v, v) == v and v not in self.there]
        self._room(sum(sizes.get(v, 0) for v in fresh), fresh)
        results = node.results
        if copied:
            results = tuple([self._new(v) for v in originals])
        made = node
        if copied or inputs != node.inputs:
            made = node.rewritten(inputs=inputs, results=results)
        if copied and made.gradient_of is None:
            made.gradient_of = originals[0]  # it is part of the backward pass of what it makes again
        self.nodes.append(made)
        if copied:
            self.copies.append(made)
            self.costs[id(made)] = self.cost[self.maker[originals[0]]]
        for v, number in zip(originals, results, strict=True):
            self.have.setdefault(v, number)
        for v in fresh:
            self.there.add(v)
            self.used += sizes.get(v, 0)
            self.chains.pop(v, None)
            self._push(v)
        if copied:
            for v in fresh:
                self._forget_chains(v)

    def _new(self, v):
        self.shapes.append(self.given.shapes[v])
        self.dtypes.append(self.given.dtypes[v])
        return len(self.shapes) - 1

    def _bring(self, values):
        """Makes again what is gone of some values."""
        have = self.have
        todo = [v for v in values if v not in have]
        if not todo:
            return
        again = set()
        while todo:
            k = self.maker[todo.pop()]
            if k not in again:
                again.add(k)
                todo.extend(v for v in self.todo[k].values if v not in have)
        order = sorted(again)
        self._pin(values)
        for k in order:
            self._pin(self.todo[k].values)
        start = len(self.nodes)
        for k in order:
            node = self.todo[k]
            self._make(node, node.results, True)
            self._unpin(node.values)
            for v in (*node.values, *node.results):
                self._drop_dead(self.sizes.owner.get(v, v))
        self.first.add(id(self.nodes[start]))
        self._unpin(values)

    # ---- dropping ------------------------------------------------------------------------------------------------

    def _push(self, o):
        reads = self.reads.get(o)
        if reads and o not in self.fixed and self.sizes.bytes.get(o, 0):
            heapq.heappush(self.heap, (-reads[-1], o))

    def _room(self, wanted, fresh):
        """Drops values until `wanted` bytes more fit, or nothing can go."""
        while wanted and self.used + wanted > self.limit:
            o = self._cheapest(fresh)
            if o is None:
                return
            self._drop(o)

    def _cheapest(self, fresh):
        looked, best, found = [], math.inf, None
        while self.heap and len(looked) < _LOOK:
            entry = heapq.heappop(self.heap)
            o = entry[1]
            reads = self.reads[o]
            if o not in self.there or not reads or reads[-1] != -entry[0] or (looked and looked[-1] == entry):
                continue
            looked.append(entry)
            if self.pins.get(o) or o in fresh or reads[-1] <= self.at:
                continue
            score = self._chain(o) / (self.sizes.bytes[o] * (reads[-1] - self.at))
            if score < best:
                best, found = score, o
        for entry in looked:
            heapq.heappush(self.heap, entry)
        return found

    def _drop(self, o):
        self.there.discard(o)
        self.used -= self.sizes.bytes.get(o, 0)
        for v in self.members[o]:
            self.have.pop(v, None)
        self._forget_chains(o)

    def _chain(self, o):
        """What it costs to make an owner again, with what is gone of its operands; infinite where that is impossible."""
        found = self.chains.get(o)
        if found is None:
            found = self.chains[o] = self._chain_cost(o)
        return found

    def _chain_cost(self, o):
        epoch = self.epoch[self.maker[o]]
        if self.epoch[self.reads[o][0]] != epoch:
            return math.inf
        total, todo, seen = 0.0, [o], set()
        while todo:
            k = self.maker[todo.pop()]
            if k in seen:
                continue
            seen.add(k)
            node = self.todo[k]
            if node.payload is not None or self.epoch[k] != epoch or len(seen) > _DEEP:
                return math.inf
            total += self.cost[k]
            todo.extend(v for v in node.values if v not in self.have)
        return total

    def _forget_chains(self, o):
        """The costs of what is made from an owner, directly or by way of what is gone, have changed."""
        todo, seen = [o], {o}
        while todo and len(seen) < _NEAR:
            for v in self.members[todo.pop()]:
                for other in self.made.get(v, ()):
                    if other in self.there:
                        self.chains.pop(other, None)
                    elif other not in seen and self.maker.get(other, self.at + 1) <= self.at:
                        seen.add(other)
                        todo.append(other)


_DEAR = frozenset({"exp", "log", "tanh", "sin", "cos", "pow", "erf", "gelu_tanh", "gelu_erf", "sigmoid", "silu"})


def node_cost(graph, node):
    """Time that a node takes, roughly: multiples of what adding two numbers in memory takes."""
    made = sum(math.prod(graph.shapes[v]) for v in node.results)
    read = max((math.prod(graph.shapes[v]) for v in node.values), default=0)
    if node.op in ("matmul", "linear", "matmul_rows"):
        return 100 + made * graph.shapes[node.values[0]][-1] * 0.05
    if node.op.startswith("conv"):
        return 100 + made * math.prod(graph.shapes[node.values[1]][1:]) * 0.05
    if node.op.startswith("attention"):
        return 100 + read * graph.shapes[node.values[1]][-2] * 0.2
    if node.op == "recurrent":
        return 100 + made * graph.shapes[node.values[0]][-1] * 0.2
    return 20 + (made + read) * (2 if node.op in _DEAR else 1)
