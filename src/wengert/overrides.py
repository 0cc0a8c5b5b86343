"""What classes and functions of the user's need to take part in `__torch_function__`."""

import functools

from . import _core, _overriding
from ._missing import explain

__all__ = [
    "BaseTorchFunctionMode",
    "TorchFunctionMode",
    "handle_torch_function",
    "has_torch_function",
    "has_torch_function_unary",
    "has_torch_function_variadic",
    "is_tensor_like",
    "is_tensor_method_or_property",
    "resolve_name",
    "wrap_torch_function",
]

__getattr__ = explain(__name__)


class TorchFunctionMode:
    """A context that answers the calls of public functions inside it, whatever their arguments.

    Subclasses define `__torch_function__(self, func, types, args=(), kwargs=None)`; what it returns is the call's result.
    Modes nest: the innermost is asked first, and what it calls is asked of the modes around it. Inside the method,
    `with self:` makes it see its own calls.

    Example:
        >>> import wengert
        >>> class Names(wengert.overrides.TorchFunctionMode):
        ...     def __torch_function__(self, func, types, args=(), kwargs=None):
        ...         print(func.__name__)
        ...         return func(*args, **(kwargs or {}))
        >>> with Names():
        ...     total = wengert.ones(3).sum() + 1
        ones
        sum
        add
    """

    def __torch_function__(self, func, types, args=(), kwargs=None):
        raise NotImplementedError(
            f"{type(self).__name__}: expected a mode that defines __torch_function__, got none."
        )

    def __enter__(self):
        _overriding.enter(self)
        return self

    def __exit__(self, kind, value, trace):
        _overriding.leave()


class BaseTorchFunctionMode(TorchFunctionMode):
    """A mode that changes nothing: it runs what is called."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        return func(*args, **(kwargs or {}))


def is_tensor_like(inp):
    """Whether an object is a tensor or has `__torch_function__`."""
    return type(inp) is _core.Tensor or hasattr(type(inp), "__torch_function__")


def has_torch_function(relevant_args):
    """Whether a mode is entered, or one of the arguments has a `__torch_function__` of its own.

    Args:
        relevant_args: the arguments that may be tensors.

    Example:
        >>> import wengert
        >>> wengert.overrides.has_torch_function((wengert.ones(1), 2))
        False
    """
    return bool(_overriding.entered() or _overriding.asked(relevant_args))


def handle_torch_function(public_api, relevant_args, *args, **kwargs):
    """Asks the innermost mode, then each argument's `__torch_function__`, subclasses first; returns the first answer.

    Args:
        public_api: the function that was called; handed on to `__torch_function__`.
        relevant_args: the arguments that are asked.
        args, kwargs: what `public_api` was called with.

    Raises:
        TypeError: all of them returned NotImplemented.
    """
    return _overriding.answer(public_api, relevant_args, args, kwargs)


def has_torch_function_unary(argument):
    """Whether a mode is entered, or an argument has a `__torch_function__` of its own."""
    return has_torch_function((argument,))


def has_torch_function_variadic(*arguments):
    """Whether a mode is entered, or one of the arguments has a `__torch_function__` of its own."""
    return has_torch_function(arguments)


def resolve_name(f):
    """The full name of a public function or method of Tensor, such as "torch.Tensor.add"; None where it has none."""
    for prefix, names in _overriding.places().items():
        for name, value in names.items():
            if value is f:
                return f"{_core.shown_name()}.{prefix}{name}"
    return None


def is_tensor_method_or_property(func):
    """Whether a function is one of Tensor's methods."""
    return any(value is func for value in vars(_core.Tensor).values())


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
