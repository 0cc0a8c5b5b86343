"""Operations of a program's own under a name: `torch.library`, and `torch.ops`, where they are called by it."""

import functools
import importlib
import inspect
from pathlib import Path

from . import autograd
from ._missing import explain

__all__ = ["CustomOpDef", "Library", "custom_op", "define", "impl", "impl_abstract", "register_autograd"]
__all__ += ["register_fake", "register_kernel", "register_vmap"]
__getattr__ = explain(__name__)
_OPS = {}
# Where torch would run a function that is registered for one of these: here. For others it is kept nowhere.
_HERE = {"cpu", "default", "compositeimplicitautograd", "compositeexplicitautograd", "autograd", "autogradcpu"}
# For these the function's own operations are recorded: it is no node.
_RECORDED = {"compositeimplicitautograd", "autograd", "autogradcpu"}


def _split(name):
    namespace, separator, last = name.partition("::")
    if not (separator and namespace.isidentifier() and last.isidentifier()):
        raise ValueError(f"library: expected a name such as 'mylib::myop', got {name!r}.")
    return namespace, last


class CustomOpDef:
    """An operation of a program's own, called like the function behind it; `custom_op` makes it.

    Its history is one node: what the function does inside is not recorded, `register_autograd` says its gradient.
    """

    def __init__(self, name, function=None):
        self._qualname, self._function = name, function
        self._backward = self._setup = None
        self._recorded = False
        self.default = self  # torch names the overload of an operation that has one
        if function is not None:
            functools.update_wrapper(self, function)
        _OPS[_split(name)] = self

    def __repr__(self):
        return f"<CustomOpDef({self._qualname})>"

    def __call__(self, *args, **kwargs):
        if self._function is None:
            raise NotImplementedError(f"{self._qualname}: expected a function for the CPU, got none. Register one.")
        if self._recorded:
            return self._function(*args, **kwargs)
        bound = inspect.signature(self._function).bind(*args, **kwargs)
        bound.apply_defaults()
        return _node(self, bound.kwargs).apply(*bound.args)

    def register_autograd(self, backward, /, *, setup_context=None):
        """Say how gradients go through.

        Args:
            backward: takes (ctx, *gradients of the outputs), returns one gradient, or None, for each input.
            setup_context: takes (ctx, inputs, output), saves on ctx what `backward` needs; with keyword-only inputs it
                is called with `keyword_only_inputs` as well.
        """
        self._backward, self._setup = backward, setup_context

    def register_kernel(self, device_types, func=None, /):
        """Take another function for a kind of device, or for several; None stands for all. As a decorator, too."""
        if func is None:
            return lambda f: self.register_kernel(device_types, f)
        kinds = [device_types] if isinstance(device_types, str) else device_types
        if kinds is None or any(kind.lower() in _HERE for kind in kinds):
            self._function = func
            self._recorded = kinds is not None and any(kind.lower() in _RECORDED for kind in kinds)
        return func

    def register_fake(self, fn, /):
        """Accepted: shapes of results are those of results."""
        return fn

    def register_vmap(self, func=None, /):
        """Accepted: the function's own operations are mapped."""
        return func if func is not None else lambda f: f


def _node(op, named):
    """The Function that runs an operation with these keyword-only arguments."""

    class Node(autograd.Function):
        generate_vmap_rule = True

        @staticmethod
        def forward(*args):
            return op._function(*args, **named)

        @staticmethod
        def setup_context(ctx, inputs, output):
            extra = {"keyword_only_inputs": named} if named else {}
            if op._setup is not None:
                op._setup(ctx, inputs=inputs, output=output, **extra)

        @staticmethod
        def backward(ctx, *grads):
            if op._backward is None:
                raise NotImplementedError(
                    f"{op._qualname}: expected a gradient, got an operation without. Say it by register_autograd."
                )
            return op._backward(ctx, *grads)

    return Node


def custom_op(name, fn=None, /, *, mutates_args=(), device_types=None, schema=None, tags=None):
    """Make an operation of a function; as a decorator, too.

    Args:
        name: "namespace::operation".
        fn: takes tensors and plain values, returns a tensor or a tuple of tensors. It is run without recording.
        mutates_args: names of the tensors that it writes into.
        device_types: the kinds of device it is for; without "cpu" the operation waits for `register_kernel`.
        schema, tags: accepted; arguments are those of the function.

    Returns:
        A `CustomOpDef`, which is also found as `torch.ops.namespace.operation`.

    Example:
        >>> import wengert
        >>> @wengert.library.custom_op("guide::cube", mutates_args=())
        ... def cube(x: wengert.Tensor) -> wengert.Tensor:
        ...     return x**3
        >>> cube.register_autograd(
        ...     lambda ctx, g: g * 3 * ctx.saved_tensors[0] ** 2,
        ...     setup_context=lambda ctx, inputs, output: ctx.save_for_backward(*inputs),
        ... )
        >>> x = wengert.tensor(2.0, requires_grad=True)
        >>> cube(x).backward()
        >>> x.grad
        tensor(12.)
    """
    if fn is None:
        return lambda f: custom_op(name, f, mutates_args=mutates_args, device_types=device_types)
    op = CustomOpDef(name, fn)
    kinds = [device_types] if isinstance(device_types, str) else device_types
    if kinds is not None and "cpu" not in kinds:
        op._function = None
    return op


def _found(op, what):
    """The operation that a name or an operation stands for."""
    if isinstance(op, CustomOpDef):
        return op
    found = _OPS.get(_split(str(op)))
    if found is None:
        raise RuntimeError(f"{what}: expected an operation that has been defined, got {op!r}.")
    return found


def register_autograd(op, backward, /, *, setup_context=None, lib=None):
    """Say how gradients go through an operation; see `CustomOpDef.register_autograd`."""
    _found(op, "register_autograd").register_autograd(backward, setup_context=setup_context)


def register_kernel(op, device_types, func=None, /, *, lib=None):
    """Take another function for a kind of device; see `CustomOpDef.register_kernel`."""
    return _found(op, "register_kernel").register_kernel(device_types, func)


def register_fake(op, func=None, /, *, lib=None, _stacklevel=1, allow_override=False):
    """Accepted: shapes of results are those of results. As a decorator, too."""
    return func if func is not None else lambda f: f


impl_abstract = register_fake


def register_vmap(op, func=None, /, *, lib=None):
    """Accepted: the function's own operations are mapped. As a decorator, too."""
    return func if func is not None else lambda f: f


def define(qualname, schema="", *, lib=None, tags=()):
    """Name an operation whose function follows by `impl`; the schema is not read."""
    CustomOpDef(qualname)


def impl(qualname, types, func=None, *, lib=None):
    """Give a defined operation its function for kinds of device; as a decorator, too."""
    if func is None:
        return lambda f: impl(qualname, types, f)
    return _found(qualname, "impl").register_kernel(types, func)


class Library:
    """Operations of one namespace, defined and given functions one by one.

    Args:
        ns: the namespace.
        kind: "DEF", "FRAGMENT" or "IMPL", accepted.
        dispatch_key: the kind of device that `impl` is for unless it says so.
    """

    def __init__(self, ns, kind, dispatch_key=""):
        self.ns, self.kind, self.dispatch_key = ns, kind, dispatch_key

    def define(self, schema, alias_analysis="", *, tags=()):
        """Name an operation by its schema, "name(Tensor x) -> Tensor"; returns the name."""
        name = schema.partition("(")[0].strip()
        define(f"{self.ns}::{name}")
        return name

    def impl(self, op_name, fn, dispatch_key="", **options):
        """Give an operation its function for a kind of device, the library's unless given."""
        name = op_name if isinstance(op_name, str) else op_name._qualname
        impl(f"{self.ns}::{name.rpartition('::')[2]}", dispatch_key or self.dispatch_key or "default", fn)


class _Namespace:
    """The operations of one namespace, as attributes."""

    def __init__(self, name):
        self._name = name

    def __getattr__(self, name):
        if (self._name, name) in _OPS:
            return _OPS[self._name, name]
        raise AttributeError(f"ops.{self._name}: expected an operation that has been defined, got {name!r}.")


class _Aten:
    """An operation of PyTorch's own by the name that it has inside; its overloads, as attributes, are all the same."""

    def __init__(self, name):
        self._name = name

    def __repr__(self):
        return f"aten.{self._name}"

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)
        return self

    def __call__(self, *args, **kwargs):
        import wengert

        called = getattr(wengert, self._name, None) or getattr(wengert.Tensor, self._name, None)
        if called is None:
            raise NotImplementedError(
                f"ops.aten.{self._name}: expected PyTorch's own, got wengert, which has none."
            )
        return called(*args, **kwargs)


class _AtenNamespace:
    """PyTorch's own operations: functions and methods of those names."""

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        found = self.__dict__[name] = _Aten(name)
        return found


class Ops:
    """Namespaces of operations, as attributes: `torch.ops`. Those of `aten` are functions and methods of these names."""

    def __init__(self):
        self.aten = _AtenNamespace()

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return _Namespace(name)

    def load_library(self, path):
        """Make the operations of a compiled library known: of torchvision's, whose operations are written here anew.

        Raises:
            OSError: for any other; libraries of PyTorch's operations are compiled against it.
        """
        if Path(path).parent.name == "torchvision" and Path(path).stem == "_C":
            importlib.import_module("._vision", __package__)
            return
        raise OSError(
            f"ops.load_library: expected a library of wengert's, got {path!r}, which needs PyTorch itself."
        )
