"""Nested tuples, lists and dicts, under the names of torch's private module that programs import anyway."""

from collections import namedtuple

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
