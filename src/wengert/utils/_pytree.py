"""Nested tuples, lists and dicts, under the names of torch's private module that programs import anyway."""

from collections import OrderedDict, deque, namedtuple
from dataclasses import dataclass
from typing import Any

from ..func._trees import NODES

PyTree = Any
Context = Any
NodeDef = namedtuple("NodeDef", ["type", "flatten_fn", "unflatten_fn"])
NodeDef.__doc__ = "How objects of a class are taken apart, into children and context, and put together again."


class TreeSpec:
    """The form of a tree.

    Attributes:
        type: the class of the outermost container; None for a leaf.
        context: what describes it beside its children, such as the keys of a dict.
        children_specs: the forms of its children.
        num_leaves: how many leaves there are.
    """

    def __init__(self, type, context, children_specs):
        self.type, self.context, self.children_specs = type, context, list(children_specs)
        self.num_leaves = sum(child.num_leaves for child in self.children_specs) if type is not None else 1

    @property
    def num_children(self):
        """How many children the outermost container has."""
        return len(self.children_specs)

    def is_leaf(self):
        """Whether the tree is a leaf."""
        return self.type is None

    def _parts(self):
        return self.type, self.context, self.children_specs

    def __eq__(self, other):
        return isinstance(other, TreeSpec) and self._parts() == other._parts()

    __hash__ = None

    def __repr__(self):
        if self.is_leaf():
            return "*"
        return f"TreeSpec({self.type.__name__}, {self.context}, {self.children_specs})"


class LeafSpec(TreeSpec):
    """The form of a leaf."""

    def __init__(self):
        super().__init__(None, None, [])


def _dict_flatten(tree):
    return list(tree.values()), list(tree)


def _dict_unflatten(values, context):
    return dict(zip(context, values, strict=True))


# Which containers are taken apart, by their exact class; named tuples all go by `namedtuple`.
SUPPORTED_NODES = {
    kind: NodeDef(kind, *functions)
    for kind, functions in {
        list: (lambda v: (list(v), None), lambda children, _: list(children)),
        tuple: (lambda v: (list(v), None), lambda children, _: tuple(children)),
        deque: (lambda v: (list(v), v.maxlen), deque),
        dict: (_dict_flatten, _dict_unflatten),
        OrderedDict: (_dict_flatten, lambda values, keys: OrderedDict(zip(keys, values, strict=True))),
        namedtuple: (lambda v: (list(v), type(v)), lambda children, kind: kind(*children)),
    }.items()
}


def _get_node_type(tree):
    """The key of SUPPORTED_NODES for an object; a leaf's is not among them."""
    kind = type(tree)
    named = kind not in SUPPORTED_NODES and issubclass(kind, tuple) and hasattr(kind, "_fields")
    return namedtuple if named else kind


def _is_leaf(tree, is_leaf=None):
    return (is_leaf is not None and is_leaf(tree)) or _get_node_type(tree) not in SUPPORTED_NODES


def tree_flatten(tree, is_leaf=None):
    """The leaves of a tree in order, and its form."""
    if _is_leaf(tree, is_leaf):
        return [tree], LeafSpec()
    node = SUPPORTED_NODES[_get_node_type(tree)]
    children, context = node.flatten_fn(tree)
    parts = [tree_flatten(child, is_leaf) for child in children]
    return [leaf for leaves, _ in parts for leaf in leaves], TreeSpec(node.type, context, [s for _, s in parts])


def tree_unflatten(leaves, treespec):
    """The tree of the given form with new leaves.

    Raises:
        ValueError: the number of leaves is not the form's.
    """
    leaves = list(leaves)
    if len(leaves) != treespec.num_leaves:
        raise ValueError(f"tree_unflatten: expected {treespec.num_leaves} leaves, got {len(leaves)}.")
    return _rebuilt(iter(leaves), treespec)


def _rebuilt(leaves, form):
    if form.is_leaf():
        return next(leaves)
    children = [_rebuilt(leaves, child) for child in form.children_specs]
    return SUPPORTED_NODES[form.type].unflatten_fn(children, form.context)


def tree_leaves(tree, is_leaf=None):
    """The leaves of a tree in order."""
    return tree_flatten(tree, is_leaf)[0]


def tree_structure(tree, is_leaf=None):
    """The form of a tree."""
    return tree_flatten(tree, is_leaf)[1]


def tree_map(func, tree, *rests, is_leaf=None):
    """A tree of the same form with func(leaf, ...) as leaves.

    Args:
        func: takes a leaf of `tree` and one of each of `rests`.
        tree: tuples, named tuples, lists and dicts, nested.
        rests: further trees of the same form.
        is_leaf: a test for what is not to be taken apart.

    Example:
        >>> from wengert.utils._pytree import tree_map
        >>> tree_map(lambda a, b: a + b, {"x": 1, "y": (2, 3)}, {"x": 10, "y": (20, 30)})
        {'x': 11, 'y': (22, 33)}
    """
    leaves, form = tree_flatten(tree, is_leaf)
    columns = [leaves]
    for rest in rests:
        others, other = tree_flatten(rest, is_leaf)
        if other != form:
            raise ValueError("tree_map: expected trees of one form, got different ones.")
        columns.append(others)
    return tree_unflatten([func(*row) for row in zip(*columns, strict=True)], form)


def tree_map_(func, tree, *rests, is_leaf=None):
    """Calls func on every leaf; returns the tree as it was."""
    tree_map(func, tree, *rests, is_leaf=is_leaf)
    return tree


def tree_map_only(kind, func, tree, is_leaf=None):
    """As tree_map, with func called on leaves of a type (or a tuple of types) only; the others stay."""
    return tree_map(lambda leaf: func(leaf) if isinstance(leaf, kind) else leaf, tree, is_leaf=is_leaf)


def tree_all(pred, tree, is_leaf=None):
    """Whether pred holds for every leaf."""
    return all(map(pred, tree_leaves(tree, is_leaf)))


def tree_any(pred, tree, is_leaf=None):
    """Whether pred holds for a leaf."""
    return any(map(pred, tree_leaves(tree, is_leaf)))


@dataclass(frozen=True)
class MappingKey:
    """The place of a child in a mapping."""

    key: object

    def get(self, parent):
        """The child of that key."""
        return parent[self.key]


def register_pytree_node(cls, flatten_fn, unflatten_fn, **notes):
    """Has objects of a class taken apart by everything that takes trees: these functions, function transforms, compile.

    Args:
        cls: the class; subclasses are registered by themselves.
        flatten_fn: takes an object and returns (children, context): a list of trees, and what else describes it.
        unflatten_fn: takes children and context and returns an object.
        notes: names under which torch writes trees into files, accepted and not used.

    Raises:
        ValueError: the class has been registered before.

    Example:
        >>> from wengert.utils import _pytree
        >>> class Pair:
        ...     def __init__(self, a, b):
        ...         self.a, self.b = a, b
        >>> _pytree.register_pytree_node(Pair, lambda p: ([p.a, p.b], None), lambda ab, _: Pair(*ab))
        >>> _pytree.tree_map(lambda v: v * 10, Pair(1, 2)).b
        20
    """
    if cls in SUPPORTED_NODES:
        raise ValueError(
            f"register_pytree_node: expected a class that is not registered, got {cls.__name__} again."
        )
    SUPPORTED_NODES[cls] = NodeDef(cls, flatten_fn, unflatten_fn)
    NODES[cls] = (flatten_fn, unflatten_fn)


_register_pytree_node = register_pytree_node


def _dict_flatten_with_keys(tree):
    values, context = _dict_flatten(tree)
    return [(MappingKey(key), value) for key, value in zip(context, values, strict=True)], context
