"""Runs graphs node by node; subclasses change what each kind of node does."""

from wengert.nn import Module

from ._symbolic_trace import Tracer
from .graph import Graph
from .graph_module import GraphModule
from .node import map_aggregate, map_arg, nodes_in
from .proxy import Proxy


class Interpreter:
    """Runs a graph node by node. Override `run_node`, or the method of an op, to change or watch what happens.

    Args:
        module: the module whose `graph` runs.
        garbage_collect_values: whether a value is given up behind its last use.
        graph: another graph to run, with the modules of `module`.

    Attributes:
        env: the values of the nodes so far.

    Example:
        >>> import wengert
        >>> class Shapes(Interpreter):
        ...     def run_node(self, n):
        ...         value = super().run_node(n)
        ...         print(n.name, list(value.shape))
        ...         return value
        >>> result = Shapes(wengert.fx.symbolic_trace(lambda x: x.sum(0).exp())).run(wengert.ones(2, 3))
        x [2, 3]
        sum_1 [3]
        exp [3]
        output [3]
    """

    def __init__(self, module, garbage_collect_values=True, graph=None):
        self.module, self.graph = module, module.graph if graph is None else graph
        self.submodules = dict(module.named_modules())
        self.garbage_collect_values = garbage_collect_values
        self.env, self.args_iter = {}, iter(())
        self.user_to_last_uses = {}
        if garbage_collect_values:
            last = {}
            for node in reversed(self.graph.nodes):
                for argument in nodes_in(node.args, node.kwargs):
                    if argument not in last:
                        last[argument] = node
                        self.user_to_last_uses.setdefault(node, []).append(argument)

    def run(self, *args, initial_env=None, enable_io_processing=True):
        """Runs the graph.

        Args:
            args: its arguments, in order.
            initial_env: values of nodes that are known; those nodes do not run.
            enable_io_processing: whether the graph's `CodeGen` takes the arguments and the result in its form.

        Returns:
            What the graph returns.
        """
        self.env = {} if initial_env is None else initial_env
        self.args_iter = iter(self.graph.process_inputs(*args) if enable_io_processing else args)
        for node in self.graph.nodes:
            if node in self.env:
                continue
            try:
                self.env[node] = self.run_node(node)
            except Exception as error:
                error.add_note(f"While executing {node.format_node()}")
                raise
            for over in self.user_to_last_uses.get(node, ()):
                del self.env[over]
            if node.op == "output":
                value = self.env[node]
                return self.graph.process_outputs(value) if enable_io_processing else value
        return None

    def boxed_run(self, args_list):
        """`run` with the arguments in a list, which is emptied: nobody else keeps them alive."""
        args = list(args_list)
        args_list.clear()
        return self.run(*args)

    def run_node(self, n):
        """The value of a node, by the method of its op."""
        args, kwargs = self.fetch_args_kwargs_from_env(n)
        return getattr(self, n.op)(n.target, args, kwargs)

    # ---- ops

    def placeholder(self, target, args, kwargs):
        """The next argument; its default where there is none."""
        if target.startswith("*"):
            return list(self.args_iter)
        try:
            return next(self.args_iter)
        except StopIteration:
            if args:
                return args[0]
            raise RuntimeError(
                f"Expected positional argument for parameter {target}, but one was not passed in!"
            ) from None

    def get_attr(self, target, args, kwargs):
        """What the module has under a dotted name."""
        return self.fetch_attr(target)

    def call_function(self, target, args, kwargs):
        """The result of a function."""
        return target(*args, **kwargs)

    def call_method(self, target, args, kwargs):
        """The result of a method of the first argument."""
        owner, *rest = args
        return getattr(owner, target)(*rest, **kwargs)

    def call_module(self, target, args, kwargs):
        """The result of a module."""
        return self.submodules[target](*args, **kwargs)

    def output(self, target, args, kwargs):
        """What is returned."""
        return args[0]

    # ---- values

    def fetch_attr(self, target):
        """What the module has under a dotted name."""
        value = self.module
        for atom in target.split("."):
            if not hasattr(value, atom):
                raise RuntimeError(
                    f"Node referenced nonexistent target {target}: expected a name that the module has."
                )
            value = getattr(value, atom)
        return value

    def fetch_args_kwargs_from_env(self, n):
        """The arguments of a node, values in the place of nodes."""
        return self.map_nodes_to_values(n.args, n), self.map_nodes_to_values(n.kwargs, n)

    def map_nodes_to_values(self, args, n):
        """An argument with values in the place of nodes."""

        def value(node):
            if node not in self.env:
                raise RuntimeError(
                    f"Node {n} referenced nonexistent value {node}! Run Graph.lint() to diagnose such issues"
                )
            return self.env[node]

        return map_arg(args, value)


class _TransformerTracer(Tracer):
    """Puts nodes into a graph that is given; every module is one node."""

    def __init__(self, graph):
        super().__init__()
        self.graph, self.root = graph, Module()

    def is_leaf_module(self, m, module_qualified_name):
        return True


class Transformer(Interpreter):
    """Makes another graph of a graph: each method of an op returns the proxy of what stands in the new one.

    Args:
        module: the `GraphModule`.

    Example:
        >>> import wengert
        >>> class Smooth(Transformer):
        ...     def call_function(self, target, args, kwargs):
        ...         return super().call_function(wengert.tanh if target is wengert.relu else target, args, kwargs)
        >>> smooth = Smooth(wengert.fx.symbolic_trace(lambda x: wengert.relu(x) + 1)).transform()
        >>> smooth(wengert.zeros(2)).tolist()
        [1.0, 1.0]
    """

    def __init__(self, module):
        super().__init__(module)
        self.new_graph = Graph()
        self.new_graph.set_codegen(module.graph._codegen)
        self.tracer = _TransformerTracer(self.new_graph)
        self.tracer.root = module

    def placeholder(self, target, args, kwargs):
        """The proxy of an argument."""
        default = {"default_value": args[0]} if args else {}
        return Proxy(self.new_graph.placeholder(target, **default), self.tracer)

    def get_attr(self, target, args, kwargs):
        """The proxy of what the module has under a dotted name."""
        return self.tracer.create_proxy("get_attr", target, args, kwargs)

    def call_module(self, target, args, kwargs):
        """The proxy of a module's result."""
        return self.tracer.create_proxy("call_module", target, args, kwargs)

    def call_function(self, target, args, kwargs):
        """The proxy of a function's result."""
        return self.tracer.create_proxy("call_function", target, args, kwargs)

    def transform(self):
        """Runs the graph with proxies; returns the `GraphModule` of the new one."""
        result = super().run(enable_io_processing=False)
        if result is not None:
            nodes = map_aggregate(result, lambda v: v.node if isinstance(v, Proxy) else v)
            self.new_graph.output(nodes, type_expr=self.graph.output_node().type)
        return GraphModule(self.module, self.new_graph)


__all__ = ["Interpreter", "Transformer"]
