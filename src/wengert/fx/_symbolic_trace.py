"""Records a program by running it with values that stand in for its inputs."""

import contextlib
import copy
import functools
import inspect
import math
import warnings
from types import FunctionType, ModuleType

import wengert
from wengert.nn import Module, Parameter

from ._compatibility import compatibility  # noqa: F401  (a name that packages take from here)
from ._patching import (
    _autowrap_check,
    _patch_wrapped_functions,
    _Patcher,
    _wrapped_fns_to_patch,
    _wrapped_methods_to_patch,  # noqa: F401  (a name that packages take from here)
)
from .graph import Graph
from .graph_module import GraphModule
from .node import BASE_TYPES
from .proxy import ParameterProxy, Proxy, TracerBase

_orig_module_call = Module.__call__
_orig_module_getattr = Module.__getattr__
_tracing = 0


def is_fx_tracing():
    """Whether a `Tracer` is recording."""
    return _tracing > 0


class ScriptObject:
    """What objects of TorchScript's classes are: nothing is."""


class PHBase:
    """Marks a part of concrete_args that is no constant."""

    def __repr__(self):
        return "PH"


PH = PHBase()


def _assert_is_none(value, msg):
    if value is not None:
        raise AssertionError(msg)


def wrap(fn_or_name):
    """Marks a function of the calling module: calls with proxies become one node, and what is in it is not recorded.

    Args:
        fn_or_name: the function, or its name in the module or in Python's builtins.

    Returns:
        What it was given, so that it is a decorator, too.

    Raises:
        NotImplementedError: the call is not at the top of a module.
        RuntimeError: it is neither a function nor a name.
    """
    if not callable(fn_or_name) and not isinstance(fn_or_name, str):
        raise RuntimeError(f"wrap: expected a function or its name, got {type(fn_or_name).__name__}.")
    frame = inspect.currentframe().f_back
    if frame.f_code.co_name != "<module>":
        raise NotImplementedError("wrap must be called at the top level of a module")
    name = fn_or_name if isinstance(fn_or_name, str) else fn_or_name.__name__
    _wrapped_fns_to_patch[id(frame.f_globals), name] = frame.f_globals
    return fn_or_name


class Tracer(TracerBase):
    """Records modules and functions. Subclasses choose what is one node and how proxies are made.

    Args:
        autowrap_modules: modules whose functions become one node when they are called with proxies.
        autowrap_functions: more such functions.
        param_shapes_constant: whether shapes of parameters are numbers in the graph.

    Example:
        >>> import wengert
        >>> net = wengert.nn.Sequential(wengert.nn.Linear(2, 2), wengert.nn.ReLU())
        >>> print(Tracer().trace(net))
        graph():
            %input_1 : [num_users=1] = placeholder[target=input]
            %_0 : [num_users=1] = call_module[target=0](args = (%input_1,), kwargs = {})
            %_1 : [num_users=1] = call_module[target=1](args = (%_0,), kwargs = {})
            return _1
    """

    def __init__(self, autowrap_modules=(math,), autowrap_functions=(), param_shapes_constant=False):
        super().__init__()
        values = (v for m in autowrap_modules for n, v in vars(m).items() if not n.startswith("_") and callable(v))
        self._autowrap_function_ids = {id(v) for v in (*values, *autowrap_functions)}
        self._autowrap_search = list(autowrap_modules)
        self.param_shapes_constant = param_shapes_constant
        self.submodule_paths = None
        self.root_module_name = ""
        self.tensor_attrs = {}
        self._fresh = {}

    # ---- what subclasses change

    def is_leaf_module(self, m, module_qualified_name):
        """Whether calls of a module are one node: those of `nn`, but for `Sequential`.

        Args:
            m: the module.
            module_qualified_name: its dotted name below the root.
        """
        return type(m).__module__.startswith(("wengert.nn", "torch.nn")) and not isinstance(
            m, wengert.nn.Sequential
        )

    def path_of_module(self, mod):
        """The dotted name of a module below the root.

        Raises:
            NameError: it is not there.
        """
        paths = self.submodule_paths or {m: name for name, m in self.root.named_modules()}
        if mod not in paths:
            raise NameError(
                f"module is not installed as a submodule: {type(mod).__name__}. Assign it to an attribute."
            )
        return paths[mod]

    def call_module(self, m, forward, args, kwargs):
        """A call of a module while recording: one node for a leaf, its `forward` otherwise.

        Args:
            m: the module.
            forward: calls it.
            args, kwargs: what it is called with.
        """
        name = self.path_of_module(m)
        key, count = name, 0
        while key in self.module_stack:  # a module that calls itself
            count += 1
            key = f"{name}@{count}"
        self.module_stack[key] = (name, type(m))
        try:
            if self.is_leaf_module(m, name):
                return self.create_proxy("call_module", name, args, kwargs)
            return forward(*args, **kwargs)
        finally:
            del self.module_stack[key]

    def getattr(self, attr, attr_val, parameter_proxy_cache):
        """What reading an attribute of a module gives: the proxy of a parameter, otherwise the value.

        Args:
            attr: the attribute's name.
            attr_val: its value.
            parameter_proxy_cache: the proxies of parameters so far, by their dotted names.
        """
        if isinstance(attr_val, Parameter):
            return self._proxy_of(attr_val, self.root.named_parameters(), parameter_proxy_cache)
        if self.proxy_buffer_attributes and isinstance(attr_val, wengert.Tensor):
            return self._proxy_of(attr_val, self.root.named_buffers(), parameter_proxy_cache)
        return attr_val

    def _module_getattr(self, attr, attr_val, parameter_proxy_cache):
        return self.getattr(attr, attr_val, parameter_proxy_cache)

    def _proxy_of(self, value, named, cache):
        name = next((n for n, v in named if v is value), None)
        if name is None:
            return value
        if name not in cache:
            more = {}
            if self.param_shapes_constant:
                more["proxy_factory_fn"] = lambda node: ParameterProxy(self, node, name, value)
            cache[name] = self.create_proxy("get_attr", name, (), {}, **more)
        return cache[name]

    def create_arg(self, a):
        """An argument as nodes hold it; tensors become nodes that read them from the root."""
        if isinstance(a, Parameter):
            name = next((n for n, p in self.root.named_parameters() if p is a), None)
            if name is None:
                raise NameError(
                    "create_arg: expected a parameter of the root, got another one. Assign it to an attribute."
                )
            return self.create_node("get_attr", name, (), {})
        if isinstance(a, wengert.Tensor):
            return self.create_node("get_attr", self._name_of_tensor(a), (), {})
        if isinstance(a, Module):
            return self.create_node("get_attr", self.path_of_module(a), (), {})
        return super().create_arg(a)

    def _name_of_tensor(self, tensor):
        name = next((n for n, b in self.root.named_buffers() if b is tensor), None) or self.tensor_attrs.get(tensor)
        if name is None:  # a constant that the program made: the root keeps it
            name = self.tensor_attrs[tensor] = self.get_fresh_qualname("_tensor_constant")
            setattr(self.root, name, tensor)
        return name

    def get_fresh_qualname(self, prefix):
        """A name that begins with `prefix` and that the root does not have yet."""
        number = self._fresh.get(prefix, 0)
        while hasattr(self.root, f"{prefix}{number}"):
            number += 1
        self._fresh[prefix] = number + 1
        return f"{prefix}{number}"

    # ---- recording

    def create_args_for_root(self, root_fn, is_module, concrete_args=None):
        """The function to run and the proxies of its arguments.

        Args:
            root_fn: the function, or the class's method where `is_module` is set.
            is_module: whether the first argument is the root.
            concrete_args: values of arguments that are constants of the graph, by name.
        """
        inner = inspect.unwrap(root_fn)
        code = inner.__code__
        names = list(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount])
        parameters = inspect.signature(inner).parameters
        args = []
        if is_module:
            if not names:
                raise RuntimeError("``self`` argument cannot be part of *args expansion!")
            args.append(self.root)
            names.pop(0)
        positional, named = names[: code.co_argcount - len(args)], names[code.co_argcount - len(args) :]
        args += [self._proxy_placeholder(n, concrete_args, parameters[n].default, inner) for n in positional]
        by_name = {n: self._proxy_placeholder(n, concrete_args, parameters[n].default, inner) for n in named}
        flags = ((inspect.CO_VARARGS, "*"), (inspect.CO_VARKEYWORDS, "**"))
        rest = iter(code.co_varnames[code.co_argcount + code.co_kwonlyargcount :])
        more = [f"{stars}{next(rest)}" for flag, stars in flags if code.co_flags & flag]
        if not (named or more):
            return root_fn, args
        packed = [self._proxy_placeholder(n, None, inspect.Signature.empty, inner) for n in more]
        # The code that packs arguments is left out: its variables are proxies of the tuple and of the dict.
        plain = code.replace(
            co_flags=code.co_flags & ~(inspect.CO_VARARGS | inspect.CO_VARKEYWORDS),
            co_argcount=code.co_argcount + code.co_kwonlyargcount + len(more),
            co_kwonlyargcount=0,
        )
        function = FunctionType(plain, inner.__globals__, inner.__name__, None, inner.__closure__)
        function.__annotations__ = inner.__annotations__
        return function, [*args, *by_name.values(), *packed]

    def _proxy_placeholder(self, name, concrete_args, default, function):
        if concrete_args is None or name not in concrete_args:
            given = () if default is inspect.Signature.empty else (default,)
            return self.create_proxy("placeholder", name, given, {}, type_expr=function.__annotations__.get(name))
        value = concrete_args[name]
        if isinstance(value, (tuple, list, dict)):
            raise NotImplementedError(
                f"trace: expected a single value as concrete_args[{name!r}], got a {type(value).__name__}."
                " Wrap the function in one that fills it in."
            )
        given = () if default is inspect.Signature.empty else (default,)
        out = self.create_proxy("placeholder", f"{name}_1", given, {})
        if isinstance(value, PHBase):
            return out
        text = f"{name} has been specialized to have value {value} but got another value"
        if value is None:
            self.create_proxy("call_function", _assert_is_none, (out, text), {})
        elif isinstance(value, BASE_TYPES) and not isinstance(value, wengert.Tensor):
            self.create_proxy("call_function", _torch_assert(), (out == value, text), {})
        else:
            warnings.warn(
                f"Was not able to add assertion to guarantee correct input {name} to specialized function.",
                stacklevel=2,
            )
        return value

    def trace(self, root, concrete_args=None):
        """Records a module or function.

        Args:
            root: what is recorded. Its code runs once, with proxies for its arguments.
            concrete_args: values of arguments that are constants of the graph, by name.

        Returns:
            The `Graph`.

        Raises:
            TraceError: the program decides by the value of a proxy.
        """
        global _tracing
        if isinstance(root, Module):
            self.root, self.root_module_name = root, root._get_name()
            if not hasattr(type(root), self.traced_func_name):
                raise AssertionError(
                    f"trace: expected a module with {self.traced_func_name!r}, got {type(root).__name__}."
                )
            fn = getattr(type(root), self.traced_func_name)
            self.submodule_paths = {m: name for name, m in root.named_modules()}
        else:
            self.root, fn = Module(), root
        self.graph = Graph(tracer_cls=type(self))
        self.module_stack.clear()
        self._fresh = {}
        self.tensor_attrs = {
            value: f"{name}.{key}".lstrip(".")
            for name, module in self.root.named_modules()
            for key, value in module.__dict__.items()
            if isinstance(value, wengert.Tensor) and not isinstance(value, Parameter)
        }
        if not isinstance(fn, FunctionType):
            raise AssertionError(f"trace: expected a module or a function in Python, got {type(root).__name__}.")
        space = fn.__globals__
        fn, args = self.create_args_for_root(fn, isinstance(root, Module), concrete_args)
        _tracing += 1
        try:
            with self._patched(space):
                result = self.create_arg(fn(*args))
                returned = fn.__annotations__.get("return")
                self.create_node("output", "output", (result,), {}, type_expr=returned)
        finally:
            _tracing -= 1
            self.submodule_paths = None
        return self.graph

    @contextlib.contextmanager
    def _patched(self, space):
        """A context in which modules' calls and attributes, and marked functions, are recorded."""
        cache = {}

        @functools.wraps(_orig_module_getattr)
        def found(module, attr):
            return self.getattr(attr, _orig_module_getattr(module, attr), cache)

        @functools.wraps(_orig_module_call)
        def called(module, *args, **kwargs):
            def forward(*args, **kwargs):
                return _orig_module_call(module, *args, **kwargs)

            space = getattr(getattr(module, "forward", module), "__globals__", {})
            _autowrap_check(patcher, space, self._autowrap_function_ids)
            return self.call_module(module, forward, args, kwargs)

        with _Patcher() as patcher:
            patcher.patch_method(Module, "__getattr__", found, deduplicate=False)
            patcher.patch_method(Module, "__call__", called, deduplicate=False)
            _patch_wrapped_functions(patcher)
            _autowrap_check(patcher, space, self._autowrap_function_ids)
            for module in self._autowrap_search:
                _autowrap_check(patcher, module.__dict__, self._autowrap_function_ids)
            yield

    def __deepcopy__(self, memo):
        result = type(self).__new__(type(self))
        for key, value in self.__dict__.items():
            result.__dict__[key] = value if isinstance(value, ModuleType) else copy.copy(value)
        return result


def _torch_assert():
    from wengert.dropin.private import _assert

    return _assert


def symbolic_trace(root, concrete_args=None):
    """Records a module or function, and makes a module of the graph.

    The program runs once, with proxies for its arguments: functions, methods, operators and modules of `nn` become nodes.
    What does not depend on the arguments is computed now and becomes a constant, loops are unrolled.

    Args:
        root: the module or function.
        concrete_args: values of arguments that are constants of the graph, by name: those that decide what runs.

    Returns:
        A `GraphModule`: it has the parameters of `root` and runs like it.

    Raises:
        TraceError: the program decides by the value of a proxy.

    Example:
        >>> import wengert
        >>> traced = symbolic_trace(lambda x: (x * 2).relu())
        >>> print(traced.code.strip())
        def forward(self, x):
            mul = x * 2;  x = None
            relu = mul.relu();  mul = None
            return relu
        >>> traced(wengert.tensor([-1.0, 3.0])).tolist()
        [0.0, 6.0]
    """
    tracer = Tracer()
    graph = tracer.trace(root, concrete_args)
    name = root._get_name() if isinstance(root, Module) else root.__name__
    return GraphModule(tracer.root, graph, name)


__all__ = ["GraphModule", "PH", "Proxy", "ScriptObject", "Tracer", "is_fx_tracing", "symbolic_trace", "wrap"]
