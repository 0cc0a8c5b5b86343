"""What classes and functions of the user's need to take part in `__torch_function__`."""

import functools

from . import _core
from ._missing import explain

__all__ = [
    "TorchFunctionMode",
    "handle_torch_function",
    "has_torch_function",
    "has_torch_function_unary",
    "has_torch_function_variadic",
    "is_tensor_like",
    "wrap_torch_function",
]

__getattr__ = explain(__name__)


class TorchFunctionMode:
    """A context that sees every function of the library: it can be subclassed, entering it raises NotImplementedError."""

    def __enter__(self):
        raise NotImplementedError(
            f"{type(self).__name__}: expected a library that asks modes, got wengert. Override __torch_function__ in a "
            "subclass of Tensor instead."
        )

    def __exit__(self, kind, value, trace):
        pass


def is_tensor_like(inp):
    """Whether an object is a tensor or has `__torch_function__`."""
    return type(inp) is _core.Tensor or hasattr(type(inp), "__torch_function__")


def _overrides(value):
    """Whether the class of a value has a `__torch_function__` that is not Tensor's own."""
    own = getattr(type(value), "__torch_function__", None)
    return own is not None and getattr(own, "__func__", own) is not _core.Tensor.__torch_function__.__func__


def has_torch_function(relevant_args):
    """Whether one of the arguments has a `__torch_function__` of its own.

    Args:
        relevant_args: the arguments that may be tensors.

    Example:
        >>> import wengert
        >>> wengert.overrides.has_torch_function((wengert.ones(1), 2))
        False
    """
    return any(_overrides(v) for v in relevant_args)


def handle_torch_function(public_api, relevant_args, *args, **kwargs):
    """Asks each argument's `__torch_function__` in turn, subclasses first; returns the first answer.

    Args:
        public_api: the function that was called; handed on to `__torch_function__`.
        relevant_args: the arguments that are asked.
        args, kwargs: what `public_api` was called with.

    Raises:
        TypeError: all of them returned NotImplemented.
    """
    asked = []
    for value in relevant_args:
        if _overrides(value) and type(value) not in [type(v) for v in asked]:
            place = next((i for i, v in enumerate(asked) if issubclass(type(value), type(v))), len(asked))
            asked.insert(place, value)
    types = tuple(type(v) for v in asked)
    for value in asked:
        result = value.__torch_function__(public_api, types, args, kwargs)
        if result is not NotImplemented:
            return result
    name = getattr(public_api, "__name__", public_api)
    raise TypeError(
        f"{name}: expected a __torch_function__ that takes it, got NotImplemented from {[t.__name__ for t in types]}."
    )


def has_torch_function_unary(argument):
    """Whether an argument has a `__torch_function__` of its own."""
    return _overrides(argument)


def has_torch_function_variadic(*arguments):
    """Whether one of the arguments has a `__torch_function__` of its own."""
    return has_torch_function(arguments)


def wrap_torch_function(dispatcher):
    """A decorator: a function asks the `__torch_function__` of the arguments that `dispatcher` names.

    Args:
        dispatcher: called with the function's arguments, gives those to ask.

    Example:
        >>> import wengert
        >>> @wengert.overrides.wrap_torch_function(lambda x: (x,))
        ... def double(x):
        ...     return x * 2
        >>> double(3)
        6
    """

    def decorate(function):
        @functools.wraps(function)
        def asking(*args, **kwargs):
            relevant = dispatcher(*args, **kwargs)
            if has_torch_function(relevant):
                return handle_torch_function(asking, relevant, *args, **kwargs)
            return function(*args, **kwargs)

        return asking

    return decorate
