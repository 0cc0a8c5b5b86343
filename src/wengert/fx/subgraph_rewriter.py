"""Replaces parts of a graph that look like a pattern."""

from typing import NamedTuple

from ._symbolic_trace import symbolic_trace
from .graph import Graph
from .graph_module import GraphModule
from .node import Node, map_arg


class Match(NamedTuple):
    """Where a pattern was found: the node that its result is, and the nodes for those of the pattern."""

    anchor: Node
    nodes_map: dict


def _graph_of(pattern):
    if isinstance(pattern, Graph):
        return pattern
    return pattern.graph if isinstance(pattern, GraphModule) else symbolic_trace(pattern).graph


class _Search:
    """Compares one node of a graph, and what stands before it, with the result of a pattern."""

    def __init__(self, pattern, module):
        self.module = module
        self.output = pattern.output_node().args[0]
        if not isinstance(self.output, Node):
            raise NotImplementedError(
                "replace_pattern: expected a pattern that returns one value, got one that returns a container."
            )

    def at(self, node):
        """The nodes for those of the pattern where `node` is its result; None where it is not."""
        found = {}
        if not self._same_node(self.output, node, found):
            return None
        inner = {n for p, n in found.items() if p.op != "placeholder" and p is not self.output}
        own = {n for p, n in found.items() if p.op != "placeholder"}
        # What lies inside is taken away, so that nobody else may need it.
        return found if all(user in own for n in inner for user in n.users) else None

    def _same(self, pattern, value, found):
        if isinstance(pattern, Node):
            if pattern.op == "placeholder":
                return found.setdefault(pattern, value) is value or found[pattern] == value
            return isinstance(value, Node) and self._same_node(pattern, value, found)
        if isinstance(pattern, (list, tuple)):
            same_kind = isinstance(value, (list, tuple)) and len(value) == len(pattern)
            return same_kind and all(self._same(p, v, found) for p, v in zip(pattern, value, strict=True))
        if isinstance(pattern, dict):
            same_keys = isinstance(value, dict) and value.keys() == pattern.keys()
            return same_keys and all(self._same(p, value[k], found) for k, p in pattern.items())
        return type(pattern) is type(value) and pattern == value

    def _same_node(self, pattern, node, found):
        if pattern in found:
            return found[pattern] is node
        if pattern.op != node.op or pattern.target != node.target:
            return False
        found[pattern] = node
        return self._same(pattern.args, node.args, found) and self._same(pattern.kwargs, node.kwargs, found)


def replace_pattern(gm, pattern, replacement):
    """Puts a graph in the place of every part of a module's graph that looks like a pattern.

    Args:
        gm: the `GraphModule`; its graph is changed and recompiled.
        pattern: a function, `Graph` or `GraphModule`. Its arguments stand for anything, everything else for itself; inner
            results must not be used outside the part.
        replacement: what is put there, with as many arguments. Modules that it calls must be the module's own.

    Returns:
        A list of `Match`, of the parts as they were. Parts do not overlap: the first in the graph's order wins.

    Example:
        >>> import wengert
        >>> module = wengert.fx.symbolic_trace(lambda a, b: wengert.relu(a + b) * 2)
        >>> matches = replace_pattern(module, lambda x, y: wengert.relu(x + y), lambda x, y: wengert.maximum(x, y))
        >>> print(module.code.strip())
        def forward(self, a, b):
            maximum = wengert.maximum(a, b);  a = b = None
            mul = maximum * 2;  maximum = None
            return mul
    """
    wanted, put = _graph_of(pattern), _graph_of(replacement)
    search = _Search(wanted, gm)
    places = [n for n in wanted.nodes if n.op == "placeholder"]
    takes = [n for n in put.nodes if n.op == "placeholder"]
    if len(takes) != len(places):
        raise RuntimeError(
            f"replace_pattern: expected a replacement with {len(places)} arguments, got {len(takes)}."
        )
    matches, taken = [], set()
    for node in list(gm.graph.nodes):
        found = search.at(node) if node.op not in ("placeholder", "output") else None
        if found is None:
            continue
        own = [n for p, n in found.items() if p.op != "placeholder"]
        if not taken.isdisjoint(own):
            continue
        taken.update(own)
        matches.append(Match(node, found))
    replaced = {}  # results of parts -> what stands in their place
    for match in matches:
        arguments = [map_arg(match.nodes_map.get(p), lambda n: replaced.get(n, n)) for p in places]
        _replace(gm, match, put, dict(zip(takes, arguments, strict=True)), search.output, replaced)
    gm.recompile()
    return matches


def _replace(gm, match, put, values, output, replaced):
    """Puts a replacement before a part's result, and takes the part away."""
    with gm.graph.inserting_before(match.anchor):
        result = gm.graph.graph_copy(put, values)
    if not isinstance(result, Node):
        raise RuntimeError("replace_pattern: expected a replacement that returns one value, got another one.")
    match.anchor.replace_all_uses_with(result)
    replaced[match.anchor] = result
    own = {n for p, n in match.nodes_map.items() if p.op != "placeholder"}
    for node in [n for n in reversed(gm.graph.nodes) if n in own]:
        gm.graph.erase_node(node)


__all__ = ["Match", "replace_pattern"]
