"""What the modules of overloads share: publishing, synonyms of arguments, out=, in-place forms, dimensions."""

import functools
from collections import namedtuple

from . import _core
from ._bind import OPS
from ._dtypes import DTYPES

Tensor = _core.Tensor
_cast, _clone = OPS["cast"], OPS["clone"]
_bool, _int64 = DTYPES["bool"], DTYPES["int64"]
_SYNONYMS = {"axis": "dim", "keepdims": "keepdim", "axes": "dim", "x": "input", "x1": "input", "x2": "other"}


def cast(x, dtype):
    """x in another dtype; x itself where it has it."""
    return x if dtype is None or x.dtype == dtype else _cast(x, dtype)


def store(result, out, op="out="):
    """Writes a result to the tensor (or tuple of tensors) of an out= argument; returns it."""
    if isinstance(result, tuple):
        written = [store(r, o, op) for r, o in zip(result, out, strict=False)]
        return type(result)(*written) if hasattr(result, "_fields") else tuple(written)
    return _core.copy_out(op, result, out)


def loses(source, target):
    """Whether a dtype holds another one's values only in part: fractions as integers, complex numbers as real ones."""
    if target == _bool:
        return source != _bool
    return source.is_inexact and not target.is_inexact or source.is_complex and not target.is_complex


def write(op, x, result):
    """Makes x hold a result: the in-place form of an op that has no kernel of its own for it."""
    if x.shape != result.shape:
        raise RuntimeError(
            f"{op}_: expected a result of the tensor's shape {tuple(x.shape)}, got {tuple(result.shape)}. In-place results "
            "do not broadcast."
        )
    if loses(result.dtype, x.dtype):
        raise RuntimeError(
            f"{op}_: result type {result.dtype} can't be cast to {x.dtype}. Use the form that returns it."
        )
    return x.copy_(result)


def of_bools(name, function):
    """A function(input, dim, index, source, ..., inplace) that adds or multiplies, for bools too: 'or' and 'and'."""

    @functools.wraps(function)
    def either(input, dim, index, *rest, inplace, **named):
        source = rest[0] if rest else named.get("src", named.get("source"))
        if input.dtype != _bool or isinstance(source, Tensor) and source.dtype != _bool:
            return function(input, dim, index, *rest, inplace=inplace, **named)
        rest, named = [_counted(v) for v in rest], {k: _counted(v) for k, v in named.items()}
        result = function(_cast(input, _int64), dim, index, *rest, inplace=False, **named).ne(0)
        return write(name, input, result) if inplace else result

    return either


def _counted(value):
    """A tensor of bools as zeros and ones; anything else as it is."""
    return _cast(value, _int64) if isinstance(value, Tensor) and value.dtype == _bool else value


def numpy_names(function):
    """Lets a function take NumPy's names of arguments: axis= for dim=, keepdims= for keepdim=, x= for input=."""
    code = function.__code__
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    synonyms = {theirs: ours for theirs, ours in _SYNONYMS.items() if theirs not in names}

    @functools.wraps(function)
    def renamed(*args, **kwargs):
        if kwargs:
            for theirs in synonyms.keys() & kwargs.keys():
                ours = synonyms[theirs]
                if ours in kwargs:
                    raise TypeError(f"{function.__name__}: expected {ours} or {theirs}, got both.")
                kwargs[ours] = kwargs.pop(theirs)
        return function(*args, **kwargs)

    return renamed


RETURN_TYPES = {}  # by name: wengert.return_types


def return_type(name, *fields):
    """A named tuple of results, printed as torch prints them."""
    kind = RETURN_TYPES[name] = namedtuple(name, fields, module="wengert.return_types")

    def text(self):
        parts = ",\n".join(f"{field}={value!r}" for field, value in zip(fields, self, strict=True))
        return f"{_core.shown_name()}.return_types.{name}(\n{parts})"

    kind.__repr__ = text
    kind.__doc__ = f"Results of {name}: {', '.join(fields)}."
    return kind


def with_out(function):
    """Gives a function an out= argument."""

    @functools.wraps(function)
    def writing(*args, out=None, **kwargs):
        result = function(*args, **kwargs)
        return result if out is None else store(result, out, function.__name__)

    return writing


class Publisher:
    """Collects what a module publishes: FUNCTIONS of the package and METHODS of Tensor."""

    def __init__(self):
        self.functions = {}
        self.methods = {}

    def __call__(self, *names, function=True, method=True, inplace=False, out=False, numpy=False):
        """A decorator that publishes under the function's name and `names`."""

        def enter(f):
            call = f
            if numpy or out:
                call = numpy_names(call)
            if out:
                call = with_out(call)
            call.__module__ = "wengert"
            for name in (f.__name__.rstrip("_"), *names):
                self.add(name, call, function, method)
                if inplace:
                    self.add_inplace(name, f)
            return f

        return enter

    def add(self, name, call, function=True, method=True):
        """Publishes one callable under a name."""
        if function:
            self.functions[name] = call
        if method:
            self.methods[name] = call

    def add_inplace(self, name, f):
        """Publishes `name_`: the function's result is written to its first argument."""

        def method(self, *args, **kwargs):
            if kwargs.get("dtype", self.dtype) not in (None, self.dtype):
                raise RuntimeError(
                    f"{name}_: expected the tensor's dtype {self.dtype}, got dtype={kwargs['dtype']}. Use the form that "
                    "returns it."
                )
            # The rule may save its operand, which the write changes: it works on a copy where there is a gradient.
            operand = _clone(self) if self.requires_grad and _core.grad_enabled() else self
            return write(name, self, f(operand, *args, **kwargs))

        method.__name__ = name + "_"
        method.__qualname__ = f"Tensor.{name}_"
        method.__doc__ = f"In-place form of {name}: writes the result to the tensor and returns it."
        self.methods[name + "_"] = method

    def both(self, name, function, doc):
        """Publishes name and name_ of function(input, ..., inplace)."""

        def plain(input, *args, **kwargs):
            return function(check_tensor(name, input), *args, inplace=False, **kwargs)

        def written(self, *args, **kwargs):
            return function(check_tensor(name + "_", self), *args, inplace=True, **kwargs)

        plain.__name__, written.__name__ = name, name + "_"
        plain.__doc__, written.__doc__ = doc, f"In-place form of {name}."
        self(numpy=True, out=True)(plain)
        self.methods[name + "_"] = written


def wrap_dim(op, dim, ndim):
    """A dimension counted from 0; a tensor without dimensions takes 0 and -1."""
    limit = max(ndim, 1)
    if not -limit <= dim < limit:
        raise IndexError(
            f"{op}: expected a dimension in [{-limit}, {limit - 1}], got {dim}. The tensor has {ndim} dimensions."
        )
    return dim % limit


def wrap_dims(op, dims, ndim):
    """Several dimensions counted from 0, each once; None means all."""
    if dims is None:
        return tuple(range(ndim))
    wrapped = tuple(wrap_dim(op, d, ndim) for d in ((dims,) if isinstance(dims, int) else dims))
    if len(set(wrapped)) != len(wrapped):
        raise RuntimeError(f"{op}: expected each dimension once, got {tuple(dims)}. Remove the repeat.")
    return wrapped


def ints(args):
    """Trailing ints, or one sequence of them, as a tuple."""
    if len(args) == 1 and not isinstance(args[0], int) and hasattr(args[0], "__iter__"):
        args = args[0]
    return tuple(int(v) for v in args)


def check_tensor(op, x):
    """Raises TypeError for what is not a tensor."""
    if not isinstance(x, Tensor):
        raise TypeError(f"{op}: expected a Tensor, got {type(x).__name__}. Use wengert.tensor() first.")
    return x


def check_tensors(op, *operands):
    """Raises TypeError unless all are tensors."""
    for x in operands:
        check_tensor(op, x)


def check_given(op, *operands):
    """Raises TypeError unless all that are given (not None) are tensors."""
    for x in operands:
        if x is not None:
            check_tensor(op, x)


def check_operand(op, x):
    """Raises TypeError for what is neither a tensor nor a number."""
    if not isinstance(x, (Tensor, int, float, complex)) and getattr(x, "shape", None) != ():
        raise TypeError(f"{op}: expected a Tensor or a number, got {type(x).__name__}.")
    return x


def check_one_tensor(op, first, second):
    """Raises TypeError unless one of two operands is a tensor, and the other a tensor or a number."""
    if not isinstance(check_operand(op, first), Tensor):
        check_tensor(op, second)
    check_operand(op, second)


def as_list(op, tensors):
    """A list or tuple of tensors as a list."""
    if isinstance(tensors, Tensor) or not isinstance(tensors, (list, tuple)):
        raise TypeError(f"{op}: expected a list or tuple of tensors, got {type(tensors).__name__}.")
    return list(tensors)
