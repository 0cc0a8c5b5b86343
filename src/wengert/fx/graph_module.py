"""Modules whose `forward` is written from a graph."""

import copy
import itertools
import linecache
import sys

import wengert
from wengert.nn import Module

from ._names import IMPORTS
from .graph import Graph

_USER_PRESERVED_ATTRIBUTES_KEY = "_user_preserved_attributes"
_numbers = itertools.count()


def _forward_from_src(src, space):
    """The function `forward` of a source text; tracebacks show its lines."""
    name = f"<eval_with_key>.{next(_numbers)}"
    linecache.cache[name] = (len(src), None, src.splitlines(True), name)
    space = dict(space)
    exec(compile(src, name, "exec"), space)
    return space["forward"]


def _import_line(name, value):
    """The statement that makes a global of generated code again, in another process."""
    if name in IMPORTS:
        return IMPORTS[name]
    module, qualname = getattr(value, "__module__", None), getattr(value, "__qualname__", None)
    if module is None or qualname is None or "<" in qualname:
        raise TypeError(
            f"GraphModule: expected calls of functions that can be imported, got {value!r}. Define it at a module's top."
        )
    first, _, rest = qualname.partition(".")
    line = f"from {module} import {first} as {name}"
    return f"{line}\n{name} = {name}.{rest}" if rest else line


class _CodeOnlyModule(Module):
    """Holds the state of a graph module, to be recorded or copied from."""

    def __init__(self, body):
        super().__init__()
        self.__setstate__(body)


def _copy_attr(from_module, to_module, target):
    """Gives a module what another one has under a dotted name; the modules between are made."""
    *path, field = target.split(".")
    for atom in path:
        source = getattr(from_module, atom)
        if source is getattr(to_module, atom, None):
            return  # it came with a module above it
        if not hasattr(to_module, atom):
            setattr(to_module, atom, Module())
        from_module, to_module = source, getattr(to_module, atom)
    value = getattr(from_module, field)
    if isinstance(value, wengert.Tensor) and not isinstance(value, wengert.nn.Parameter):
        to_module.register_buffer(field, value)
    else:
        setattr(to_module, field, value)


def _assign_attr(value, to_module, target):
    """Puts a value under a dotted name of a module; the modules between are made."""
    *path, field = target.split(".")
    for atom in path:
        if not hasattr(to_module, atom):
            setattr(to_module, atom, Module())
        to_module = getattr(to_module, atom)
    if isinstance(value, wengert.Tensor) and not isinstance(value, wengert.nn.Parameter):
        to_module.register_buffer(field, value)
    else:
        setattr(to_module, field, value)


def reduce_graph_module(body, import_block):
    """The module that was pickled: its source is recorded again.

    Args:
        body: its state, with the source.
        import_block: statements that make the source's globals.
    """
    from ._symbolic_trace import Tracer

    body = dict(body)
    name = body.pop("_graphmodule_cls_name", "GraphModule")
    tracer_class = body.get("_tracer_cls") or Tracer

    class _Source(_CodeOnlyModule):
        forward = _forward_from_src(import_block + body["_code"], {})

    class _Whole(tracer_class):
        def is_leaf_module(self, m, module_qualified_name):
            return True

    root = _Source(body)
    graph = _Whole().trace(root, **(body.get("_tracer_extras") or {}))
    graph._tracer_cls = tracer_class
    result = GraphModule(root, graph, name)
    for key, value in body.items():
        if not hasattr(result, key):
            setattr(result, key, value)
    return result


class GraphModule(Module):
    """A module that runs a graph, written out as Python: `code` is its `forward`.

    Args:
        root: where modules, parameters and buffers that the graph names are taken from: a module, or a dict from dotted
            names to values. They are shared, not copied.
        graph: the graph.
        class_name: what the module's class is called.

    Attributes:
        graph: the graph; call `recompile` after changing it.
        code: the source of `forward`.
        meta: a dict for what passes note.

    Raises:
        RuntimeError: the dict does not have what the graph names.
        AttributeError: the module does not have it.

    Example:
        >>> import wengert
        >>> graph = Graph()
        >>> x = graph.placeholder("x")
        >>> out = graph.output(graph.call_module("layers.0", (x,)))
        >>> module = GraphModule({"layers.0": wengert.nn.ReLU()}, graph)
        >>> print(module.code.strip())
        def forward(self, x):
            layers_0 = getattr(self.layers, "0")(x);  x = None
            return layers_0
        >>> module(wengert.tensor([-1.0, 1.0])).tolist()
        [0.0, 1.0]
    """

    def __new__(cls, *args, **kwargs):
        # Every module has a class of its own: `forward` is the class's.
        base = next(c for c in cls.__mro__ if c.__qualname__.rpartition(".")[2] != "GraphModuleImpl")

        class GraphModuleImpl(base):
            pass

        return super().__new__(GraphModuleImpl)

    def __init__(self, root, graph, class_name="GraphModule"):
        super().__init__()
        type(self).__name__ = class_name
        targets = [n.target for n in graph.nodes if n.op in ("get_attr", "call_module")]
        if isinstance(root, Module):
            self.training = getattr(root, "training", True)
            for target in targets:
                _copy_attr(root, self, target)
        elif isinstance(root, dict):
            missing = [t for t in targets if t not in root]
            if missing:
                raise RuntimeError(
                    f"GraphModule: expected a root with {missing[0]!r}, which the graph names, got one without."
                )
            for target in sorted(dict.fromkeys(targets), key=lambda t: t.count(".")):
                _assign_attr(root[target], self, target)
        else:
            raise RuntimeError(f"GraphModule: expected a module or a dict as root, got {type(root).__name__}.")
        self.graph = graph
        self._tracer_cls = None
        if graph._tracer_cls is not None and "<locals>" not in graph._tracer_cls.__qualname__:
            self._tracer_cls = graph._tracer_cls
        self._tracer_extras = graph._tracer_extras or {}
        self.meta = {}

    @property
    def graph(self):
        """The graph that `forward` runs; call `recompile` after changing it."""
        return self._graph

    @graph.setter
    def graph(self, g):
        if not isinstance(g, Graph):
            raise AssertionError(f"GraphModule: expected a Graph, got {type(g).__name__}.")
        object.__setattr__(self, "_graph", g)
        g.owning_module = self
        self.recompile()

    @property
    def code(self):
        """The source of `forward`."""
        if not hasattr(self, "_code"):
            raise RuntimeError("GraphModule: expected code, got none: assign a graph first.")
        return self._code

    def recompile(self):
        """Writes `forward` anew from the graph, after it was changed.

        Returns:
            A `PythonCode`.
        """
        written = self._graph.python_code(root_module="self")
        self._code = written.src
        type(self).forward = _forward_from_src(written.src, written.globals)
        return written

    # ---- submodules

    def add_submodule(self, target, m):
        """Puts a module under a dotted name; the modules between are made.

        Returns:
            Whether it could be put there: False where something on the way is no module.
        """
        *path, field = target.split(".")
        module = self
        for atom in path:
            below = getattr(module, atom, None)
            if below is None:
                below = Module()
                setattr(module, atom, below)
            if not isinstance(below, Module):
                return False
            module = below
        module.add_module(field, m)
        return True

    def delete_submodule(self, target):
        """Takes the module of a dotted name away; False where there is none."""
        path, _, field = target.rpartition(".")
        try:
            owner = self.get_submodule(path)
        except AttributeError:
            return False
        if not isinstance(getattr(owner, field, None), Module):
            return False
        delattr(owner, field)
        return True

    def delete_all_unused_submodules(self):
        """Takes away the modules that the graph neither calls nor reads from."""
        used = set()
        for node in self._graph.nodes:
            if node.op in ("call_module", "get_attr"):
                parts = node.target.split(".")
                used |= {".".join(parts[:k]) for k in range(1, len(parts) + 1)}
            if node.op == "call_module":
                used |= {f"{node.target}.{n}" for n, _ in self.get_submodule(node.target).named_modules() if n}
        for name in [n for n, _ in self.named_modules() if n and n not in used]:
            self.delete_submodule(name)

    # ---- copies

    def __reduce__(self):
        state = self.__getstate__()
        del state["_graph"]
        written = self._graph.python_code(root_module="self")
        imports = [_import_line(name, value) for name, value in written.globals.items()]
        return reduce_graph_module, (state, "\n".join(imports) + "\n")

    def _deepcopy_init(self):
        return GraphModule.__init__

    def __deepcopy__(self, memo):
        result = type(self).__new__(type(self))
        memo[id(self)] = result
        state = copy.deepcopy(self.__getstate__(), memo)
        self._deepcopy_init()(result, _CodeOnlyModule(state), state["_graph"])
        result.training = self.training
        result.meta = copy.deepcopy(getattr(self, "meta", {}), memo)
        result.__dict__["_hooks"] = state["_hooks"]
        for name, value in result.meta.get(_USER_PRESERVED_ATTRIBUTES_KEY, {}).items():
            setattr(result, name, value)
        return result

    def __copy__(self):
        result = GraphModule(self, self.graph, type(self).__name__)
        result.meta = self.meta
        return result

    # ---- as text

    def print_readable(self, print_output=True):
        """Prints the source as a class, with those of the graph modules below it; returns the text."""
        body = "\n".join(f"    {line}" if line.strip() else line for line in self._code.strip("\n").splitlines())
        parts = [f"class {self._get_name()}({wengert._core.shown_name()}.nn.Module):\n{body.rstrip()}\n"]
        for child in self.children():
            if isinstance(child, GraphModule):
                below = child.print_readable(print_output=False)
                parts.append("\n".join(f"    {line}" if line else line for line in below.splitlines()) + "\n")
        text = "\n".join(parts)
        if print_output:
            sys.stdout.write(text + "\n")
        return text

    def __str__(self):
        return "\n".join(
            [super().__str__(), self._code, "# To see more debug info, please use `graph_module.print_readable()`"]
        )


__all__ = ["GraphModule", "reduce_graph_module"]
