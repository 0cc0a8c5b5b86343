"""Nodes of a graph: what is called, with what, and who uses the result."""

import operator

import wengert

from ._names import qualified_name
from .immutable_collections import immutable_dict, immutable_list

BASE_TYPES = (
    str,
    int,
    float,
    bool,
    complex,
    wengert.dtype,
    wengert.Tensor,
    wengert.device,
    wengert.memory_format,
    wengert.layout,
)
base_types = BASE_TYPES
OPS = ("placeholder", "call_method", "call_module", "call_function", "get_attr", "output", "root")
Target = str | object
Argument = object

# Functions that do more than give a result: calls of them stay although nobody uses it. torch's choice, which leaves
# out writes in place by other functions.
_side_effectful_functions = {operator.setitem}
_IMPURE_NAMES = frozenset(
    "_assert _assert_async _assert_is_none bernoulli multinomial normal poisson rand rand_like randint randint_like"
    " randn randn_like randperm".split()
)


def has_side_effect(fn):
    """Marks a function as one that does more than give a result; returns it. Dead code of it stays."""
    _side_effectful_functions.add(fn)
    return fn


def map_aggregate(a, fn):
    """An argument with `fn` applied to everything in it that is no tuple, list, dict or slice.

    Example:
        >>> map_aggregate((1, [2, {"a": slice(3)}]), lambda v: v and v + 1)
        (2, [3, {'a': slice(None, 4, None)}])
    """
    if isinstance(a, tuple):
        parts = [map_aggregate(v, fn) for v in a]
        return type(a)(*parts) if hasattr(a, "_fields") else tuple(parts)
    if isinstance(a, list):
        return immutable_list(map_aggregate(v, fn) for v in a)
    if isinstance(a, dict):
        return immutable_dict((k, map_aggregate(v, fn)) for k, v in a.items())
    if isinstance(a, slice):
        return slice(*(map_aggregate(v, fn) for v in (a.start, a.stop, a.step)))
    return fn(a)


def map_arg(a, fn):
    """An argument with `fn` applied to the nodes in it."""
    return map_aggregate(a, lambda v: fn(v) if isinstance(v, Node) else v)


def nodes_in(*arguments):
    """The nodes in arguments, each once, in order."""
    found = {}
    map_arg(arguments, lambda n: found.setdefault(n))
    return found


def type_name(kind):
    """How a type is shown: "torch.Tensor", "int", "typing.List[int]"."""
    return qualified_name(kind) if isinstance(kind, type) and not hasattr(kind, "__args__") else repr(kind)


def _format_arg(arg):
    if isinstance(arg, (list, tuple)):
        parts = [_format_arg(v) for v in arg]
        if isinstance(arg, list):
            return f"[{', '.join(parts)}]"
        return f"({parts[0]},)" if len(parts) == 1 else f"({', '.join(parts)})"
    if isinstance(arg, dict):
        return "{" + ", ".join(f"{k}: {_format_arg(v)}" for k, v in arg.items()) + "}"
    return f"%{arg}" if isinstance(arg, Node) else str(arg)


class Node:
    """One operation of a `Graph`.

    Attributes:
        graph: the graph that it is part of.
        name: its name, of which there is one in a graph.
        op: "placeholder" (an argument of the function), "get_attr" (a parameter or buffer), "call_function",
            "call_module", "call_method" or "output".
        target: the function for "call_function", otherwise a name.
        args: positional arguments; nodes stand for their results. Assign another tuple to change them.
        kwargs: arguments by name.
        users: the nodes that take the result, as the keys of a dict.
        type: the result's type, as far as it was annotated.
        meta: what passes note of the node.
    """

    def __init__(self, graph, name, op, target, args, kwargs, return_type=None):
        if op not in OPS:
            raise AssertionError(f"Node: expected an op among {', '.join(OPS)}, got {op!r}.")
        if op == "call_function" and not callable(target):
            raise ValueError(f"Node: expected a function as the target of {name!r}, got {type(target).__name__}.")
        if op != "call_function" and not isinstance(target, str):
            raise ValueError(f"Node: expected a name as the target of {name!r}, got {type(target).__name__}.")
        self.graph, self.name, self.op, self.target, self.type = graph, name, op, target, return_type
        self.users, self.meta, self._input_nodes = {}, {}, {}
        self._prev = self._next = self
        self._erased = False
        self._take(args, kwargs)

    # ---- arguments

    def _take(self, args, kwargs):
        """Makes these the arguments; the nodes that they hold learn of their user."""
        for node in self._input_nodes:
            node.users.pop(self, None)
        self._args = map_aggregate(tuple(args), lambda v: v)
        self._kwargs = map_aggregate(dict(kwargs), lambda v: v)
        self._input_nodes = nodes_in(self._args, self._kwargs)
        for node in self._input_nodes:
            node.users[self] = None

    @property
    def args(self):
        """Positional arguments."""
        return self._args

    @args.setter
    def args(self, a):
        self._take(a, self._kwargs)

    @property
    def kwargs(self):
        """Arguments by name."""
        return self._kwargs

    @kwargs.setter
    def kwargs(self, k):
        self._take(self._args, k)

    @property
    def all_input_nodes(self):
        """The nodes among the arguments, each once."""
        return list(self._input_nodes)

    def update_arg(self, idx, arg):
        """Replaces a positional argument."""
        args = list(self._args)
        args[idx] = arg
        self.args = tuple(args)

    def insert_arg(self, idx, arg):
        """Inserts a positional argument before the one at `idx`."""
        if not 0 <= idx <= len(self._args):
            raise AssertionError(f"insert_arg: expected an index from 0 to {len(self._args)}, got {idx}.")
        self.args = (*self._args[:idx], arg, *self._args[idx:])

    def update_kwarg(self, key, arg):
        """Sets an argument by name."""
        self.kwargs = {**self._kwargs, key: arg}

    def replace_input_with(self, old_input, new_input):
        """Takes another node wherever a node was taken."""

        def replaced(node):
            return new_input if node is old_input else node

        self._take(map_arg(self._args, replaced), map_arg(self._kwargs, replaced))

    def replace_all_uses_with(self, replace_with, delete_user_cb=lambda user: True, *, propagate_meta=False):
        """Makes the users of this node take another one instead.

        Args:
            replace_with: the node that is taken instead.
            delete_user_cb: says of each user whether it changes.
            propagate_meta: whether the other node gets this one's notes; it must have none.

        Returns:
            The users that changed.
        """
        if propagate_meta:
            if replace_with.meta:
                raise AssertionError(
                    "replace_all_uses_with: expected a node without notes, got one with. Clear its meta."
                )
            replace_with.meta.update(self.meta)
        changed = [user for user in list(self.users) if delete_user_cb(user)]
        for user in changed:
            user.replace_input_with(self, replace_with)
        return changed

    # ---- place

    @property
    def next(self):
        """The node behind this one."""
        return self._next

    @property
    def prev(self):
        """The node before this one."""
        return self._prev

    def _remove_from_list(self):
        self._prev._next, self._next._prev = self._next, self._prev

    def prepend(self, x):
        """Moves a node of the same graph to the place before this one."""
        if x.graph is not self.graph:
            raise AssertionError("prepend: expected a node of the same graph, got another graph's.")
        if x is self:
            return
        x._remove_from_list()
        before = self._prev
        before._next, x._prev = x, before
        x._next, self._prev = self, x

    def append(self, x):
        """Moves a node of the same graph to the place behind this one."""
        self._next.prepend(x)

    # ---- what is known of it

    @property
    def stack_trace(self):
        """Where the node was recorded, if tracing noted it: `Tracer.record_stack_traces`."""
        return self.meta.get("stack_trace")

    @stack_trace.setter
    def stack_trace(self, trace):
        self.meta["stack_trace"] = trace

    def is_impure(self):
        """Whether the node does more than give a result: it stays although nobody uses it.

        Raises:
            AssertionError: a module is called and the graph has no owner to find it in.
        """
        if self.op in ("placeholder", "output"):
            return True
        if self.op == "call_module":
            owner = self.graph.owning_module
            if owner is None:
                raise AssertionError(
                    f"is_impure: expected a graph with an owner for {self.name!r}, got one without."
                )
            return getattr(owner.get_submodule(self.target), "_is_impure", False)
        if self.op != "call_function":
            return False
        name = getattr(self.target, "__name__", "")
        return self.target in _side_effectful_functions or name in _IMPURE_NAMES

    def _pretty_print_target(self, target):
        """The target as text: a name, or a function's dotted name."""
        if isinstance(target, str):
            return target
        if getattr(target, "__module__", "") == "builtins":
            return f"builtins.{target.__name__}"
        return qualified_name(target).replace("_operator.", "operator.")

    def format_node(self):
        """A line that tells everything about the node, as printed graphs have it."""
        if self.op == "output":
            return f"return {self.args[0]}"
        kind = f"{type_name(self.type)} " if self.type else ""
        head = f"%{self.name} : {kind}[num_users={len(self.users)}] = {self.op}"
        target = f"[target={self._pretty_print_target(self.target)}]"
        if self.op == "placeholder":
            return head + target + (f"(default={self.args[0]})" if self.args else "")
        if self.op == "get_attr":
            return head + target
        return f"{head}{target}(args = {_format_arg(self.args)}, kwargs = {_format_arg(self.kwargs)})"

    def __repr__(self):
        return self.name


__all__ = ["Argument", "Node", "Target", "base_types", "has_side_effect", "map_aggregate", "map_arg"]
