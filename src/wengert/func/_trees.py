"""Nested tuples, lists and dicts of tensors: taking them apart and putting them together again."""

from collections import OrderedDict, deque

# Classes that programs registered, taken apart as their functions say: class -> (flatten, unflatten).
NODES = {}


class Node:
    """What stands for an object of a registered class in a structure."""

    def __init__(self, kind, children, context):
        self.kind, self.children, self.context = kind, children, context

    def __eq__(self, other):
        return isinstance(other, Node) and vars(self) == vars(other)

    __hash__ = None


def _rebuilt(tree, leaf, is_leaf=None):
    """A tree of the same form with leaf(value) for every leaf."""

    def walk(value):
        if is_leaf is not None and is_leaf(value):
            return leaf(value)
        kind = type(value)
        if kind in NODES:
            children, context = NODES[kind][0](value)
            return Node(kind, [walk(v) for v in children], context)
        if kind is Node:
            return NODES[value.kind][1]([walk(v) for v in value.children], value.context)
        if isinstance(value, tuple) and hasattr(value, "_fields"):
            return type(value)(*[walk(v) for v in value])
        if isinstance(value, (tuple, list, deque)):
            return type(value)([walk(v) for v in value])
        if isinstance(value, dict):
            pairs = {key: walk(v) for key, v in value.items()}
            return OrderedDict(pairs) if isinstance(value, OrderedDict) else pairs
        return leaf(value)

    return walk(tree)


def flatten(tree, is_leaf=None):
    """The leaves of a tree in order, and its structure (a tree of the same form with numbers as leaves).

    `is_leaf`, where given, is a test for what is not to be taken apart.
    """
    leaves = []

    def number(value):
        leaves.append(value)
        return len(leaves) - 1

    return leaves, _rebuilt(tree, number, is_leaf)


def unflatten(leaves, structure):
    """The tree of the given structure with new leaves."""
    if type(structure) is int:
        return leaves[structure]
    return _rebuilt(structure, leaves.__getitem__)


def map_leaves(function, tree):
    """A tree of the same form with function(leaf) as leaves."""
    leaves, structure = flatten(tree)
    return unflatten([function(leaf) for leaf in leaves], structure)


def spread(prefix, tree, op):
    """One value for each leaf of `tree`: a prefix is a tree that may end early, its last value standing for all
    below."""
    out = []

    def walk(value, part):
        is_tree = isinstance(part, (tuple, list, dict))
        if value is None or isinstance(value, int) or not is_tree:
            out.extend([value] * len(flatten(part)[0]))
        elif isinstance(part, dict):
            if not isinstance(value, dict) or set(value) != set(part):
                raise ValueError(f"{op}: expected dims for the keys {sorted(part)}, got {value!r}.")
            for key, inner in part.items():
                walk(value[key], inner)
        else:
            if not isinstance(value, (tuple, list)) or len(value) != len(part):
                raise ValueError(f"{op}: expected dims for {len(part)} values, got {value!r}.")
            for inner_value, inner in zip(value, part, strict=True):
                walk(inner_value, inner)

    walk(prefix, tree)
    return out
