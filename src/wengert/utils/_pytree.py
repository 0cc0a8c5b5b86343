"""Nested tuples, lists and dicts, under the names of torch's private module that programs import anyway."""

from collections import namedtuple
from dataclasses import dataclass

from ..func._trees import NODES as SUPPORTED_NODES
from ..func._trees import flatten, unflatten

TreeSpec = namedtuple("TreeSpec", ["structure", "num_leaves"])
TreeSpec.__doc__ = "The form of a tree: numbers stand where its leaves were."


def tree_flatten(tree, is_leaf=None):
    """The leaves of a tree in order, and its form."""
    leaves, structure = flatten(tree, is_leaf)
    return leaves, TreeSpec(structure, len(leaves))


def tree_unflatten(leaves, treespec):
    """The tree of the given form with new leaves.

    Raises:
        ValueError: the number of leaves is not the form's.
    """
    leaves = list(leaves)
    if len(leaves) != treespec.num_leaves:
        raise ValueError(f"tree_unflatten: expected {treespec.num_leaves} leaves, got {len(leaves)}.")
    return unflatten(leaves, treespec.structure)


def tree_leaves(tree, is_leaf=None):
    """The leaves of a tree in order."""
    return flatten(tree, is_leaf)[0]


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
    SUPPORTED_NODES[cls] = (flatten_fn, unflatten_fn)


_register_pytree_node = register_pytree_node


def _dict_flatten(tree):
    return list(tree.values()), list(tree)


def _dict_unflatten(values, context):
    return dict(zip(context, values, strict=True))


def _dict_flatten_with_keys(tree):
    values, context = _dict_flatten(tree)
    return [(MappingKey(key), value) for key, value in zip(context, values, strict=True)], context
