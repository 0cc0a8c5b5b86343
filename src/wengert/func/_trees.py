"""Nested tuples, lists and dicts of tensors: taking them apart and putting them together again."""

from collections import OrderedDict, defaultdict, deque

# Classes that programs registered, taken apart as their functions say: class -> (flatten, unflatten).
NODES = {}


class Node:
    """What stands for an object in a structure: its class, its children, and what puts them together again, a function of
    children and context."""

    def __init__(self, kind, children, context, put):
        self.kind, self.children, self.context, self.put = kind, children, context, put

    def __eq__(self, other):
        return isinstance(other, Node) and vars(self) == vars(other)

    __hash__ = None

    def __repr__(self):
        return f"{self.kind.__module__}.{self.kind.__qualname__}({self.children!r}, {self.context!r})"


def _node(value, more):
    """(children, context, put) of an object that is no container of Python's own, or None: it is a leaf."""
    kind = type(value)
    if kind in NODES:
        return (*NODES[kind][0](value), NODES[kind][1])
    if isinstance(value, dict):
        return (
            [*value.values(), *_attributes(value).values()],
            (kind, *map(tuple, (value, _attributes(value)))),
            _mapping,
        )
    return more(value) if more is not None else None


def _attributes(value):
    return getattr(value, "__dict__", {})


def _mapping(children, context):
    """A dict of a class of its own, as copy.copy would make it."""
    kind, keys, names = context
    made = kind.__new__(kind)
    base = OrderedDict if issubclass(kind, OrderedDict) else dict
    for key, v in zip(keys, children, strict=False):
        base.__setitem__(made, key, v)
    if names:
        made.__dict__.update(zip(names, children[len(keys) :], strict=True))
    return made


def _rebuilt(tree, leaf, is_leaf=None, more=None):
    """A tree of the same form with leaf(value) for every leaf."""
    # No function inside of this one: one that calls itself is a cycle, which would keep all leaves until a collection.
    if is_leaf is not None and is_leaf(tree):
        return leaf(tree)
    kind = type(tree)
    if kind is Node:
        return tree.put([_rebuilt(v, leaf, is_leaf, more) for v in tree.children], tree.context)
    if kind not in NODES:
        if isinstance(tree, tuple) and hasattr(tree, "_fields"):
            return kind(*[_rebuilt(v, leaf, is_leaf, more) for v in tree])
        if isinstance(tree, deque):
            return kind([_rebuilt(v, leaf, is_leaf, more) for v in tree], tree.maxlen)
        if isinstance(tree, (tuple, list)):
            return kind([_rebuilt(v, leaf, is_leaf, more) for v in tree])
        if kind is dict or kind is OrderedDict:
            return kind([(key, _rebuilt(v, leaf, is_leaf, more)) for key, v in tree.items()])
        if kind is defaultdict:
            pairs = [(key, _rebuilt(v, leaf, is_leaf, more)) for key, v in tree.items()]
            return kind(tree.default_factory, pairs)
    node = _node(tree, more)
    if node is None:
        return leaf(tree)
    children, context, put = node
    return Node(kind, [_rebuilt(v, leaf, is_leaf, more) for v in children], context, put)


def flatten(tree, is_leaf=None, more=None):
    """The leaves of a tree in order, and its structure (a tree of the same form with numbers as leaves).

    `is_leaf`, where given, is a test for what is not to be taken apart; `more` gives children, context and what puts them
    together for further objects, None for leaves.
    """
    leaves = []

    def number(value):
        leaves.append(value)
        return len(leaves) - 1

    return leaves, _rebuilt(tree, number, is_leaf, more)


def unflatten(leaves, structure):
    """The tree of the given structure with new leaves."""
    if type(structure) is int:
        return leaves[structure]
    return _rebuilt(structure, leaves.__getitem__)


def numbers(structure):
    """The numbers that are a structure's leaves, and the classes of the objects in it."""
    found, kinds, todo = [], [], [structure]
    while todo:
        value = todo.pop()
        if type(value) is int:
            found.append(value)
        elif type(value) is Node:
            kinds.append(value.kind)
            todo += value.children
        else:
            todo += value.values() if isinstance(value, dict) else value
    return found, kinds


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
