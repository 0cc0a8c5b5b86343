"""What compiled calls take and give, taken apart: containers, registered classes, and dataclasses as well.

A dataclass is taken apart if a tensor lies in it. One that is a result is put together from its attributes, without its
`__init__`: what that did, the recorded call has done.
"""

import dataclasses
import functools

from ..func import _trees
from ..func._levels import is_tensor
from ..func._trees import NODES, Node
from ..nn.module import Module
from ._numbers import is_followed
from ._reach import slots_of

_OBJECTS = 100  # objects inside of one: with more of them it stays whole


def names_of(value):
    """The names of an object's attributes that are there."""
    own = getattr(value, "__dict__", {})
    return (*own, *[name for name in slots_of(type(value)) if name not in own and hasattr(value, name)])


def _put_object(children, context):
    kind, names = context
    made = object.__new__(kind)
    for name, v in zip(names, children, strict=True):
        object.__setattr__(made, name, v)  # of a frozen one too
    return made


def is_object(v):
    """Whether a value is a dataclass that can be made anew from its attributes."""
    return (
        dataclasses.is_dataclass(v)
        and not isinstance(v, (type, Module, dict, list, tuple, set, BaseException))
        and type(v) not in NODES
        and type(v).__new__ is object.__new__
        and not is_tensor(v)
    )


def _parts(value):
    if not is_object(value):
        return None
    names = names_of(value)
    return [getattr(value, name) for name in names], (type(value), names), _put_object


def _holds_tensor(value):
    """Whether a tensor lies in an object; False where an object in it is met twice, as in a cycle, or there are many."""
    found, seen, todo = False, set(), [value]
    while todo:
        v = todo.pop()
        if is_tensor(v):
            found = True
        elif is_object(v):
            if id(v) in seen or len(seen) >= _OBJECTS:
                return False
            seen.add(id(v))
            todo += _parts(v)[0]
        elif type(v) in NODES:
            todo += NODES[type(v)][0](v)[0]
        elif isinstance(v, (list, tuple, dict)):
            todo += v.values() if isinstance(v, dict) else v
    return found


def _is_whole(known, value):
    """Whether an object is not taken apart: it is known outside, or holds no tensor."""
    return is_object(value) and (id(value) in known or not _holds_tensor(value))


def flatten(tree, known=()):
    """The leaves of a tree in order, and its structure; objects among `known` (ids) are leaves."""
    return _trees.flatten(tree, functools.partial(_is_whole, known), _parts)


def put_leaves(tree, structure, leaves):
    """The tree with other leaves, which lists, dicts and objects get in place. Leaves of registered classes stay, for nobody
    knows where they lie."""
    if type(structure) is int:
        return leaves[structure]
    if isinstance(tree, tuple) and type(structure) is not Node:
        new = [put_leaves(v, part, leaves) for v, part in zip(tree, structure, strict=True)]
        if all(a is b for a, b in zip(new, tree, strict=True)):
            return tree
        return type(tree)(*new) if hasattr(tree, "_fields") else type(tree)(new)
    get, put, parts = _places(tree, structure)
    for key, part in parts:
        old = get(key)
        new = put_leaves(old, part, leaves)
        if new is not old:
            put(key, new)
    return tree


def _places(tree, structure):
    """How to read and write the parts of a container, and pairs (key, structure) of those that can be written."""
    if type(structure) is Node and structure.put is _put_object:
        names = structure.context[1]
        get, put = functools.partial(getattr, tree), functools.partial(object.__setattr__, tree)
        return get, put, zip(names, structure.children, strict=True)
    if isinstance(tree, dict) and type(tree) not in NODES:
        parts = structure.children if type(structure) is Node else structure.values()
        return functools.partial(dict.__getitem__, tree), tree.__setitem__, zip(list(tree), parts, strict=False)
    if type(structure) is Node:
        return None, None, ()
    return tree.__getitem__, tree.__setitem__, enumerate(structure)


class Placed:
    """Arguments with followed numbers as leaves, and what the call has made of them.

    Attributes:
        tree: the arguments as the call takes them.
    """

    def __init__(self, tree, leaves=None):
        self._leaves, self._structure = flatten(tree)
        self._numbers = {}
        self.tree = tree
        if leaves is not None:
            self._numbers = {id(v): old for v, old in zip(leaves, self._leaves, strict=True) if v is not old}
            self.tree = put_leaves(tree, self._structure, leaves)
            there = {id(v) for v in flatten(self.tree)[0]}
            for number in leaves:
                if is_followed(number) and id(number) not in there:
                    number.item()  # it lies where it could not be put: the plan is for its value

    def take_back(self):
        """Puts plain numbers where followed ones lie. Whether the call has left its arguments as they were."""
        leaves, structure = flatten(self.tree)
        plain = [self._numbers.get(id(v), v.item()) if is_followed(v) else v for v in leaves]
        if any(a is not b for a, b in zip(plain, leaves, strict=True)):
            put_leaves(self.tree, structure, plain)
        return structure == self._structure and all(a is b for a, b in zip(plain, self._leaves, strict=True))
