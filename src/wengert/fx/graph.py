"""Graphs of calls: a list of nodes that can be edited and written out as Python."""

import contextlib
import copy
import inspect

from ._codegen import CodeGen, PythonCode, inplace_methods, magic_methods, reflectable_magic_methods  # noqa: F401
from ._names import Namespace, target_name
from .node import Node, map_arg


class _NodeList:
    """The nodes of a graph in their order; nodes may be added and erased while it is gone through."""

    def __init__(self, graph, direction="_next"):
        self.graph, self.direction = graph, direction

    def __len__(self):
        return self.graph._length

    def __iter__(self):
        root, direction = self.graph._root, self.direction
        node = getattr(root, direction)
        while node is not root:
            if not node._erased:
                yield node
            node = getattr(node, direction)

    def __reversed__(self):
        return iter(_NodeList(self.graph, "_prev" if self.direction == "_next" else "_next"))


class _InsertPoint:
    """Where nodes are put: from now on, or inside a `with` block."""

    def __init__(self, graph, insert):
        self.graph, self.before = graph, graph._insert
        graph._insert = insert

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.graph._insert = self.before


class Graph:
    """A function as a list of nodes: arguments, calls, and what is returned.

    It holds calls by name and makes none. `GraphModule` makes a module of it, `Interpreter` runs it node by node.

    Args:
        owning_module: the `GraphModule` that it belongs to.
        tracer_cls: the class of the tracer that recorded it.
        tracer_extras: what its `trace` is given when a pickled module is recorded again.

    Attributes:
        nodes: the nodes in their order.

    Example:
        >>> import wengert
        >>> graph = Graph()
        >>> x = graph.placeholder("x")
        >>> y = graph.call_function(wengert.relu, (x,))
        >>> out = graph.output(y)
        >>> print(graph)
        graph():
            %x : [num_users=1] = placeholder[target=x]
            %relu : [num_users=1] = call_function[target=wengert.relu](args = (%x,), kwargs = {})
            return relu
    """

    def __init__(self, owning_module=None, tracer_cls=None, tracer_extras=None):
        self._root = Node(self, "", "root", "", (), {})
        self._length = 0
        self._namespace = Namespace()
        self._insert = self._root.prepend
        self._owning_module, self._owners = owning_module, 0
        self._tracer_cls, self._tracer_extras = tracer_cls, tracer_extras
        self._codegen = CodeGen()

    @property
    def owning_module(self):
        """The `GraphModule` that it belongs to; None where there is none, or more than one."""
        return self._owning_module

    @owning_module.setter
    def owning_module(self, mod):
        self._owning_module = mod

    @property
    def nodes(self):
        """The nodes in their order; `reversed` goes backwards."""
        return _NodeList(self)

    def output_node(self):
        """The node that returns."""
        last = self._root._prev
        if last.op != "output":
            raise AssertionError(
                f"output_node: expected a graph that ends with its output, got one with {last.op!r}."
            )
        return last

    def find_nodes(self, *, op, target=None, sort=True):
        """The nodes of an op, and of a target where one is given, in their order."""
        return [n for n in self.nodes if n.op == op and (target is None or n.target == target)]

    # ---- nodes

    def create_node(self, op, target, args=None, kwargs=None, name=None, type_expr=None):
        """Puts a new node at the place for new nodes: the end, unless `inserting_before` or `inserting_after` says another.

        Args:
            op, target, args, kwargs: see `Node`.
            name: what it should be called; a number is added where the name is taken.
            type_expr: the type of its result.

        Returns:
            The node.
        """
        wanted = name if name is not None else self._target_to_str(target)
        node = Node(self, wanted, op, target, args or (), kwargs or {}, type_expr)
        node.name = self._namespace.create_name(wanted, node)
        self._insert(node)
        self._length += 1
        return node

    def placeholder(self, name, type_expr=None, default_value=inspect.Signature.empty):
        """An argument of the function; "*args" and "**kwargs" take the rest."""
        args = () if default_value is inspect.Signature.empty else (default_value,)
        return self.create_node("placeholder", name, args=args, type_expr=type_expr)

    def get_attr(self, qualified_name, type_expr=None):
        """A parameter, buffer or module of the owner, by its dotted name."""
        return self.create_node("get_attr", qualified_name, type_expr=type_expr)

    def call_module(self, module_name, args=None, kwargs=None, type_expr=None):
        """A call of a module of the owner, by its dotted name."""
        return self.create_node("call_module", module_name, args, kwargs, type_expr=type_expr)

    def call_method(self, method_name, args=None, kwargs=None, type_expr=None):
        """A call of a method of the first argument."""
        return self.create_node("call_method", method_name, args, kwargs, type_expr=type_expr)

    def call_function(self, the_function, args=None, kwargs=None, type_expr=None, name=None):
        """A call of a function."""
        return self.create_node("call_function", the_function, args, kwargs, name=name, type_expr=type_expr)

    def output(self, result, type_expr=None):
        """What the function returns: nodes, in tuples, lists and dicts."""
        return self.create_node("output", "output", (result,), type_expr=type_expr)

    def node_copy(self, node, arg_transform=lambda x: x):
        """Puts a copy of another graph's node here.

        Args:
            node: the node.
            arg_transform: gives, for each node among its arguments, that of this graph.
        """
        args, kwargs = map_arg(node.args, arg_transform), map_arg(node.kwargs, arg_transform)
        result = self.create_node(node.op, node.target, args, kwargs, node.name, node.type)
        result.meta = copy.copy(node.meta)
        return result

    def erase_node(self, to_erase):
        """Takes a node out.

        Raises:
            RuntimeError: its result is used, or it is another graph's.
        """
        if to_erase.users:
            raise RuntimeError(
                f"erase_node: expected a node without users, got {to_erase.name!r}, used by {list(to_erase.users)}."
                " Replace its uses first."
            )
        if to_erase.graph is not self:
            raise RuntimeError(f"erase_node: expected a node of this graph, got another graph's {to_erase.name!r}.")
        if to_erase._erased:
            return
        to_erase._remove_from_list()
        to_erase._erased = True
        self._length -= 1
        to_erase._take((), {})

    def inserting_before(self, n=None):
        """Puts new nodes before a node, or at the beginning; as a `with` block, only those made inside."""
        if n is None:
            return self.inserting_after(self._root)
        self._check_own(n, "inserting_before")
        return _InsertPoint(self, n.prepend)

    def inserting_after(self, n=None):
        """Puts new nodes behind a node, or at the end; as a `with` block, only those made inside."""
        if n is None:
            return self.inserting_before(self._root)
        self._check_own(n, "inserting_after")
        return _InsertPoint(self, n.append)

    def _check_own(self, node, name):
        if node.graph is not self:
            raise AssertionError(f"{name}: expected a node of this graph, got another graph's {node.name!r}.")

    def _target_to_str(self, target):
        return target_name(target)

    # ---- whole graphs

    def graph_copy(self, g, val_map, return_output_node=False):
        """Puts copies of another graph's nodes here, all but its output.

        Args:
            g: the other graph.
            val_map: a dict from its nodes to those here; it gets the copies. Nodes that it holds are not copied.
            return_output_node: whether the other graph's output node is returned, too.

        Returns:
            What the other graph returns, in nodes of this one; None where it returns nothing.
        """
        for node in g.nodes:
            if node in val_map:
                continue
            if node.op == "output":
                result = map_arg(node.args[0], lambda n: val_map[n])
                return (result, node) if return_output_node else result
            val_map[node] = self.node_copy(node, lambda n: val_map[n])
        return None

    def __deepcopy__(self, memo=None):
        result = type(self)(tracer_cls=self._tracer_cls, tracer_extras=self._tracer_extras)
        if memo is not None:
            memo[id(self)] = result
        returned = result.graph_copy(self, {}, return_output_node=True)
        result._codegen = copy.deepcopy(self._codegen)
        if returned is not None:
            value, output = returned
            result.output(value, output.type).meta = copy.copy(output.meta)
        return result

    def eliminate_dead_code(self, is_impure_node=None):
        """Erases the nodes whose results nobody uses, but for those that do more than give a result.

        Args:
            is_impure_node: says which nodes do; `Node.is_impure` where it is not given. Writes in place by functions
                and methods do not count there.

        Returns:
            Whether anything was erased.
        """
        self.lint()
        impure = is_impure_node or Node.is_impure
        before = len(self.nodes)
        for node in reversed(self.nodes):
            if not node.users and node.op not in ("placeholder", "output") and not impure(node):
                self.erase_node(node)
        return len(self.nodes) < before

    def lint(self):
        """Checks that the graph can run: names differ, arguments are defined before they are used, targets are there.

        Raises:
            RuntimeError: it cannot.
        """
        seen, names = set(), set()
        for node in self.nodes:
            if node.graph is not self:
                raise RuntimeError(f"lint: expected nodes of this graph, got another graph's {node.name!r}.")
            for argument in node.all_input_nodes:
                if argument.graph is not self:
                    raise RuntimeError(
                        f"lint: expected arguments of this graph, got another graph's {argument.name!r} for {node.name!r}."
                        " Copy nodes with node_copy and an arg_transform."
                    )
                if argument not in seen:
                    raise RuntimeError(
                        f"lint: expected arguments defined before their use, got {argument.name!r} for {node.name!r}:"
                        f" it was used before it has been defined.\n{self}"
                    )
            if node.name in names:
                raise RuntimeError(f"lint: expected names that differ, got {node.name!r} twice.")
            names.add(node.name)
            seen.add(node)
            if node.op in ("get_attr", "call_module") and self._owning_module is not None:
                self._check_target(node)

    def _check_target(self, node):
        value = self._owning_module
        for atom in node.target.split("."):
            if not hasattr(value, atom):
                raise RuntimeError(
                    f"lint: expected targets that the owner has, got {node.target!r} of {node.name!r}, which it has not."
                )
            value = getattr(value, atom)

    # ---- as text

    def python_code(self, root_module, *, verbose=False):
        """The function's source.

        Args:
            root_module: the name of the owner in it, usually "self".
            verbose: whether lines say where their nodes were recorded, as far as it was noted.

        Returns:
            A `PythonCode`: `src`, and the `globals` that running it needs.
        """
        return self._codegen._gen_python_code(self.nodes, root_module, verbose=verbose)

    def set_codegen(self, codegen):
        """Chooses the `CodeGen` that writes the function."""
        self._codegen = codegen

    @contextlib.contextmanager
    def _restoring_body_transformer(self, before):
        try:
            yield
        finally:
            self._codegen._body_transformer = before

    def on_generate_code(self, make_transformer):
        """Changes the lines of the function before they are put together.

        Args:
            make_transformer: called with the transformer that is there, or None; returns one: it takes the list of lines
                and returns another.

        Returns:
            A context that puts the transformer from before back.
        """
        before = self._codegen._body_transformer
        self._codegen._body_transformer = make_transformer(before)
        return self._restoring_body_transformer(before)

    def process_inputs(self, *args):
        """The arguments as the nodes take them."""
        return self._codegen.process_inputs(*args)

    def process_outputs(self, out):
        """The result as the caller gets it."""
        return self._codegen.process_outputs(out)

    def __str__(self):
        return "\n    ".join(["graph():", *(node.format_node() for node in self.nodes)])

    def print_tabular(self):
        """Prints a table of the nodes."""
        head = ("opcode", "name", "target", "args", "kwargs")
        rows = [(n.op, n.name, str(n.target), str(n.args), str(n.kwargs)) for n in self.nodes]
        widths = [max(len(row[k]) for row in (head, *rows)) for k in range(len(head))]
        for row in (head, tuple("-" * w for w in widths), *rows):
            print("  ".join(text.ljust(w) for text, w in zip(row, widths, strict=True)).rstrip())


__all__ = ["CodeGen", "Graph", "PythonCode"]
