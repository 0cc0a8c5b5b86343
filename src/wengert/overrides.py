"""What classes and functions of the user's need to take part in `__torch_function__`."""

import functools
import inspect
from importlib import import_module
from types import FunctionType

from . import _core, _overriding
from ._missing import explain
from ._published import unseen

__all__ = [
    "BaseTorchFunctionMode",
    "TorchFunctionMode",
    "get_ignored_functions",
    "get_overridable_functions",
    "get_testing_overrides",
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

# Functions that make tensors out of numbers or memory: modes see them, but PyTorch does not list them as overridable.
_MAKING = frozenset(
    (
        "arange as_strided as_tensor asarray bartlett_window blackman_window empty empty_strided eye fill"
        " frombuffer full hamming_window hann_window kaiser_window linspace logspace normal ones rand"
        " rand_like randint randint_like randn randn_like randperm scalar_tensor sparse_coo_tensor tensor"
        " tril_indices triu_indices vander zeros fft.fftfreq fft.rfftfreq Tensor.new_empty"
        " Tensor.new_empty_strided Tensor.new_full Tensor.new_ones Tensor.new_tensor Tensor.new_zeros"
    ).split()
)


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
    reads = _read_by(f)
    for prefix, names in _overriding.places().items():
        for name, value in names.items():
            if value is f or reads is not None and value is reads:
                return f"{_core.shown_name()}.{prefix}{name}" + ("" if value is f else ".__get__")
    return None


def _read_by(f):
    """The property of Tensor that `Tensor.shape.__get__` and its like read; None for other functions."""
    return getattr(f, "__self__", None) if getattr(f, "__name__", None) == "__get__" else None


def is_tensor_method_or_property(func):
    """Whether a function is one of Tensor's methods, or reads one of its properties (`Tensor.shape.__get__`)."""
    reads = _read_by(func)
    return any(value is func or value is reads for value in vars(_core.Tensor).values() if value is not None)


def _functions():
    """(namespace, function, whether arguments can answer it) of the public functions and of Tensor's methods."""
    package = import_module(__package__)
    for name, place in package._LAZY.items():
        if place.endswith("._of_package"):  # functions that stand in the package once they have been asked for
            getattr(package, name)
    kinds = (_core.Op, _core.Public, FunctionType, type(_core.Tensor.detach))
    for prefix, names in _overriding.places().items():
        space = _core.Tensor if prefix == "Tensor." else import_module(f"{__package__}.{prefix}".rstrip("."))
        for name, value in names.items():
            if isinstance(value, kinds) and not name.startswith("_") and not name.endswith("Storage"):
                yield space, value, not unseen(prefix + name) and prefix + name not in _MAKING


def get_overridable_functions():
    """The functions and methods that arguments can answer by `__torch_function__`.

    Returns:
        a dict from the namespace (the package, `Tensor`, `nn.functional`, `linalg`, ...) to a list of its functions.

    Example:
        >>> import wengert
        >>> wengert.add in wengert.overrides.get_overridable_functions()[wengert]
        True
    """
    found = {}
    for space, function, overridable in _functions():
        if overridable:
            found.setdefault(space, []).append(function)
    return found


def get_ignored_functions():
    """The set of public functions that no argument answers: about the library's state, or making tensors of numbers."""
    return {function for _, function, overridable in _functions() if not overridable}


def get_testing_overrides():
    """A dict from every overridable function to a stand-in of the same signature that returns -1.

    A stand-in raises TypeError for arguments that the function does not take.

    Example:
        >>> import wengert
        >>> wengert.overrides.get_testing_overrides()[wengert.add](1, 2)
        -1
    """
    return {f: _stand_in(f) for functions in get_overridable_functions().values() for f in functions}


def _stand_in(function):
    try:
        signature = inspect.signature(function)
    except ValueError:  # a method of the core that says nothing of its arguments
        return lambda self, *args, **kwargs: -1

    def stand_in(*args, **kwargs):
        signature.bind(*args, **kwargs)
        return -1

    stand_in.__signature__ = signature
    return stand_in


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
