"""Values that stand in for tensors while a program is recorded: what is done with them becomes nodes."""

import collections
import dataclasses
import dis
import enum
import inspect
import operator
import threading
import traceback
import weakref

import wengert
from wengert import _overriding, overrides

from ._codegen import magic_methods, reflectable_magic_methods
from .node import BASE_TYPES, Node, map_aggregate


class TraceError(ValueError):
    """A program does with a proxy what no graph can say."""


class _Asking:
    """While one of these lives, public functions ask their arguments for `__torch_function__`. All proxies share one."""

    def __init__(self):
        _overriding.count(1)

    def __del__(self):
        _overriding.count(-1)


_asking = None  # a weak reference to the one that lives
_lock = threading.Lock()


def _asking_now():
    global _asking
    with _lock:
        found = _asking() if _asking is not None else None
        if found is None:
            found = _Asking()
            _asking = weakref.ref(found)
        return found


class TracerBase:
    """Makes nodes and proxies of what a program does.

    Attributes:
        graph: the graph that nodes are put into.
        record_stack_traces: whether nodes note where they were recorded.
        param_shapes_constant: whether shapes of parameters are numbers in the graph.
        proxy_buffer_attributes: whether reading a buffer makes a node by itself.
        module_stack: the modules that are being called, by their dotted names.
    """

    record_stack_traces = False
    param_shapes_constant = False
    trace_asserts = False
    proxy_buffer_attributes = False
    traced_func_name = "forward"
    check_mutable_operations = False

    def __init__(self):
        self.module_stack = collections.OrderedDict()

    def create_node(self, kind, target, args, kwargs, name=None, type_expr=None):
        """Puts a node into the graph."""
        node = self.graph.create_node(kind, target, args, kwargs, name, type_expr)
        stack = getattr(self, "module_stack", None)
        if stack:
            node.meta["nn_module_stack"] = collections.OrderedDict(stack)
        return node

    def proxy(self, node):
        """The proxy of a node; subclasses may return their own."""
        return Proxy(node, self)

    def create_proxy(self, kind, target, args, kwargs, name=None, type_expr=None, proxy_factory_fn=None):
        """Puts a node into the graph, with the nodes of the proxies among its arguments; returns its proxy.

        Args:
            kind, target, args, kwargs, name, type_expr: see `Graph.create_node`.
            proxy_factory_fn: makes the proxy of the node; `proxy` where it is not given.
        """
        args, kwargs = self.create_arg(args), self.create_arg(kwargs)
        node = self.create_node(kind, target, args, kwargs, name, type_expr)
        proxy = (proxy_factory_fn or self.proxy)(node)
        if self.record_stack_traces and not node.stack_trace:
            frames = [f for f in traceback.extract_stack() if "/wengert/fx/" not in f.filename.replace("\\", "/")]
            node.stack_trace = "".join(traceback.format_list(frames))
        return proxy

    def create_arg(self, a):
        """An argument as nodes hold it: proxies become their nodes, containers are gone through.

        Raises:
            NotImplementedError: no node can hold it.
        """
        if isinstance(a, Proxy):
            return a.node
        if hasattr(a, "__fx_create_arg__"):
            return a.__fx_create_arg__(self)
        if isinstance(a, tuple) and hasattr(a, "_fields"):
            return type(a)(*(self.create_arg(v) for v in a))
        if isinstance(a, (tuple, list)):
            parts = [self.create_arg(v) for v in a]
            return parts if isinstance(a, list) else tuple(parts)
        if isinstance(a, dict):
            return {self._checked_key(k): self.create_arg(v) for k, v in a.items()}
        if isinstance(a, slice):
            return slice(self.create_arg(a.start), self.create_arg(a.stop), self.create_arg(a.step))
        if isinstance(a, range):
            return range(a.start, a.stop, a.step)
        if isinstance(a, (*BASE_TYPES, enum.Enum, Node)) or a is None or a is ...:
            return a
        if dataclasses.is_dataclass(a) and not isinstance(a, type):
            fields = {f.name: self.create_arg(getattr(a, f.name)) for f in dataclasses.fields(a)}
            return self.create_node("call_function", type(a), (), fields)
        raise NotImplementedError(
            f"argument of type: {type(a)}: expected tensors, numbers, text and containers of them as arguments of a graph."
        )

    @staticmethod
    def _checked_key(key):
        if isinstance(key, (Proxy, Node)):
            raise RuntimeError("create_arg: expected keys of dicts that are known, got a proxy.")
        return key

    def to_bool(self, obj):
        """What a condition on a proxy is: an error here, a choice in subclasses."""
        raise TraceError(
            "symbolically traced variables cannot be used as inputs to control flow: expected a condition that does not"
            " depend on the inputs. Give the value by concrete_args, or put the code into a function marked by fx.wrap."
        )

    def iter(self, obj):
        """What going through a proxy gives: an error here."""
        raise TraceError(
            "Proxy object cannot be iterated: expected loops whose length is known, got one over a proxy, or *proxy."
            " Unpacking into names (a, b = proxy) works."
        )

    def keys(self, obj):
        """What `**proxy` takes as the keys."""
        return Attribute(obj, "keys")()


class GraphAppendingTracer(TracerBase):
    """A tracer for graphs that are built by hand: what is done with its proxies goes to the graph's place for new nodes.

    Example:
        >>> import wengert
        >>> graph = wengert.fx.Graph()
        >>> x = Proxy(graph.placeholder("x"), GraphAppendingTracer(graph))
        >>> out = graph.output(wengert.relu(x + 1).node)
        >>> [node.name for node in graph.nodes]
        ['x', 'add', 'relu', 'output']
    """

    def __init__(self, graph):
        super().__init__()
        self.graph = graph


class Proxy:
    """Stands for the result of a node. Functions, methods and operators on it become nodes, and give proxies.

    Args:
        node: the node.
        tracer: what makes the nodes; one that appends to the node's graph where it is not given.
    """

    def __init__(self, node, tracer=None):
        self.tracer = GraphAppendingTracer(node.graph) if tracer is None else tracer
        self.node = node

    def __new__(cls, *args, **kwargs):
        self = super().__new__(cls)
        self.__dict__["_asking"] = _asking_now()
        return self

    def __repr__(self):
        return f"Proxy({self.node.name})"

    def __getattr__(self, k):
        if k.startswith("__") and k.endswith("__") or k == "node":  # protocols of Python, and a proxy half made
            raise AttributeError(k)
        return Attribute(self, k)

    def __deepcopy__(self, memo):
        result = type(self).__new__(type(self))
        result.__dict__.update(self.__dict__)  # a proxy is part of its tracer's graph and has no copy
        return result

    def __call__(self, *args, **kwargs):
        return self.tracer.create_proxy("call_method", "__call__", (self, *args), kwargs)

    def __iter__(self):
        frame = inspect.currentframe().f_back
        code, place = frame.f_code.co_code, frame.f_lasti
        if code[place] == dis.opmap["UNPACK_SEQUENCE"]:
            return (self[i] for i in range(code[place + 1]))
        return self.tracer.iter(self)

    def __abs__(self):
        return self.tracer.create_proxy("call_function", operator.abs, (self,), {})

    def __bool__(self):
        return self.tracer.to_bool(self)

    def keys(self):
        """The keys of the value, for `**proxy`."""
        return self.tracer.keys(self)

    def __len__(self):
        raise RuntimeError(
            "'len' is not supported in symbolic tracing by default: expected x.shape[0], or torch.fx.wrap('len') at the"
            " module's top, which makes the call a node."
        )

    @classmethod
    def __torch_function__(cls, orig_method, types, args=None, kwargs=None):
        args, kwargs = args or (), kwargs or {}
        if orig_method is wengert.einsum and isinstance(args[1], (list, tuple)):
            args = (args[0], *args[1])  # one form for what is asked of graphs: operands one by one
        tracers = {}
        map_aggregate((args, kwargs), lambda v: tracers.setdefault(v.tracer) if isinstance(v, Proxy) else None)
        if len(tracers) > 1 and len({id(t.graph) for t in tracers}) > 1:
            raise RuntimeError(
                f"{orig_method.__name__}: expected proxies of one graph, got those of {len(tracers)}."
            )
        tracer = next(iter(tracers))
        if overrides.is_tensor_method_or_property(orig_method):
            return tracer.create_proxy("call_method", orig_method.__name__, args, kwargs)
        return tracer.create_proxy("call_function", orig_method, args, kwargs)


class Attribute(Proxy):
    """An attribute of a proxy: a node of its own, unless it is called, which makes a method's node."""

    def __init__(self, root, attr):
        self.root, self.attr, self.tracer = root, attr, root.tracer
        self._node = None

    @property
    def node(self):
        """The node that reads the attribute, made when it is first asked for."""
        if self._node is None:
            self._node = self.tracer.create_proxy("call_function", getattr, (self.root, self.attr), {}).node
        return self._node

    def __call__(self, *args, **kwargs):
        return self.tracer.create_proxy("call_method", self.attr, (self.root, *args), kwargs)


class ParameterProxy(Proxy):
    """The proxy of a parameter whose shape is known: shapes are numbers, everything else is recorded."""

    def __init__(self, tracer, node, name, param):
        super().__init__(node, tracer)
        if not isinstance(param, wengert.nn.Parameter):
            raise AssertionError(f"ParameterProxy: expected a Parameter, got {type(param).__name__}.")
        self.param, self.name = param, name

    def __repr__(self):
        return f"ParameterProxy({self.name})"

    @property
    def shape(self):
        """The parameter's shape."""
        return self.param.shape

    def size(self, dim=None):
        """The parameter's shape, or one number of it."""
        return self.param.size() if dim is None else self.param.size(dim)

    def dim(self):
        """How many dimensions the parameter has."""
        return self.param.dim()

    @property
    def ndim(self):
        """How many dimensions the parameter has."""
        return self.param.ndim

    def numel(self):
        """How many elements the parameter has."""
        return self.param.numel()

    def nelement(self):
        """How many elements the parameter has."""
        return self.param.nelement()


def _operator_method(name, reflected=False):
    target = getattr(operator, name)

    def method(self, *others):
        args = (*others, self) if reflected else (self, *others)
        return self.tracer.create_proxy("call_function", target, args, {})

    method.__name__ = f"__{'r' * reflected}{name.strip('_')}__"
    return method


for _name in magic_methods:
    if hasattr(operator, _name):  # "div" is Python 2's
        for _reflected in (False, True) if _name in reflectable_magic_methods and _name != "getitem" else (False,):
            _method = _operator_method(_name, _reflected)
            setattr(Proxy, _method.__name__, _method)
Proxy.__hash__ = object.__hash__  # proxies are keys by identity, though == makes a node
