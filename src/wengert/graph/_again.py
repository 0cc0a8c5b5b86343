"""What a backward pass computes again rather than reads: results of elementwise operations that take longer to move through
memory than to make."""

import math

from ..ops import TABLE

_LARGE = 1 << 22  # bytes from which a value leaves the caches between the two passes
_SMALL = 64  # operands with this many times fewer elements are kept, whatever they cost
# Times for an element inside of a group: of a plain operation 1 (about 0.05 ns).
_PLAIN = frozenset(
    "relu add sub mul div zmul zdiv neg abs sign sgn square reciprocal eq ne lt le gt ge logical_and logical_or "
    "logical_not sqrt maximum minimum where clamp3 leaky_relu hardtanh".split()
)
_DEAR = frozenset("exp exp2 expm1 log log2 log1p sigmoid tanh sin cos silu rsqrt softplus elu".split())
_DEAR_COST = 7
_MOVED = 20  # of writing a value of 4 bytes and reading it again


class Again:
    """Chooses what to compute again.

    Args:
        graph: both passes.
        nodes: those of the forward pass.
        read: the values that the backward pass reads.

    Attributes:
        nodes: ids of nodes of the forward pass that the backward pass runs as well.
        copied: values from outside that these read and the backward pass did not: small ones, whose contents the forward
            pass keeps, since they may be overwritten until the backward pass runs.
    """

    def __init__(self, graph, nodes, read):
        self.graph = graph
        self.maker = {v: node for node in nodes for v in node.results}
        self.read = read | {self._base(v) for v in read}
        self.nodes, self.copied = set(), set()
        for node in nodes:
            for v in node.results:
                if v in self.read and id(node) not in self.nodes and self._bytes(v) >= _LARGE:
                    self._decide(v)

    def _base(self, v):
        """What v is a view of: whoever reads the one reads the other."""
        base = v
        while (node := self.maker.get(base)) is not None and _price(node) == 0:
            base = node.inputs[0]
        return v if base in self.graph.writes else base

    def _numel(self, v):
        return math.prod(self.graph.shapes[v])

    def _bytes(self, v):
        return self._numel(v) * self.graph.dtypes[v].itemsize

    def _decide(self, v):
        """Takes the nodes that make v, from what is there, if that is worth while."""
        small = self._numel(v) // _SMALL
        todo, taken, copied, cost = [v], set(), set(), 0
        while todo:
            u = todo.pop()
            node = self.maker.get(u)
            if u != v and (u in self.read or self._numel(u) <= small):
                # There, or made again (an earlier value), or kept because it is small.
                if node is None and u not in self.read and not self._is_fixed(u):
                    copied.add(u)
                continue
            if node is None:
                if self._is_fixed(u):
                    continue
                return
            if id(node) in self.nodes or id(node) in taken:
                continue
            price = _price(node)
            if price is None or self._numel(u) > self._numel(v):
                return
            cost += price
            taken.add(id(node))
            todo.extend(node.values)
        if cost < _MOVED:
            self.nodes |= taken
            self.copied |= copied

    def _is_fixed(self, v):
        return v in self.graph.states and self.graph.states[v].kind == "literal"


def _price(node):
    """The time that a node takes for an element; None: too long."""
    row = TABLE.get(node.op)
    if row is None or node.payload is not None:
        return None
    if "view" in row.flags:
        return 0
    return 1 if node.op in _PLAIN else _DEAR_COST if node.op in _DEAR else None
