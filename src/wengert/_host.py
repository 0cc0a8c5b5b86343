"""Functions on NumPy arrays as operations: a recorder writes each call down, and a plan makes it again between its steps."""

import contextlib
import functools
import math
import threading

import numpy as np

from . import _core
from .autograd.function import Function
from .autograd.grad_mode import no_grad

_functions = {}  # name -> (function of arrays and options, specs of its results)
_drawing = set()  # names of those that draw numbers of the default generator, nobody knows how many
_own = {}  # name -> function of tensors and options: what it gives for those that it knows how to do without NumPy
_rules = {}  # name -> (class of Function, options -> its arguments behind the tensors)
_local = threading.local()  # .results: what `call` gives while a Function is asked what it saves


def register(name, makes, random=False):
    """Decorates a function of arrays (and options) that gives a tuple of arrays; `call` knows it by `name`.

    Args:
        makes: a function of the operands' specs, pairs (shape, dtype), and the options, that gives those of the results.
        random: whether it draws numbers of the default generator.
    """

    def keep(function):
        if random:
            _drawing.add(name)
        _functions[name] = function, makes
        return function

    return keep


def register_tensors(name, makes, random=False):
    """As `register`, for a function of tensors (and options) that gives a tensor or a tuple of them."""

    def keep(function):
        def on_arrays(*args):
            with no_grad():
                found = function(*[_core.from_numpy(v) if isinstance(v, np.ndarray) else v for v in args])
            return tuple([t.numpy() for t in (found if isinstance(found, tuple) else (found,))])

        register(name, makes, random)(on_arrays)
        return function

    return keep


def draws(name):
    """Whether a host function draws random numbers."""
    return name in _drawing


def gradient(name, arguments=tuple):
    """Decorates the Function whose forward is a call of one host function: in graphs its backward is that one's rule.

    Args:
        arguments: a function of the host function's options that gives what the Function takes behind its tensors.
    """

    def keep(function):
        _rules[name] = function, arguments
        function.repeatable = True
        return function

    return keep


def register_own(name):
    """Decorates a function of tensors that gives a tuple of tensors, or None where the registered function has to."""

    def keep(function):
        _own[name] = function
        return function

    return keep


def is_registered(name):
    """Whether there is a host function of that name."""
    return _find(name) is not None


def _find(name):
    if name not in _functions:
        from . import _bessel, distributions, fft, linalg  # noqa: F401 (they register their functions)
    return _functions.get(name)


def specs(name, operands, options):
    """(shape, dtype) of each result, from those of the operands."""
    return _find(name)[1](*operands, *options)


def rule(name):
    """(the Function with the gradient of a host function, options -> its arguments behind the tensors), or None."""
    return _rules.get(name) if is_registered(name) else None


def has_node(function):
    """Whether a Function is a call of one host function: an operation of a graph."""
    return any(function is known for known, _ in _rules.values())


@contextlib.contextmanager
def answering(results):
    """Inside, `call` gives these results instead of computing any."""
    _local.results = results
    try:
        yield
    finally:
        _local.results = None


def matrices(array):
    """A batch of matrices (..., m, n) as one of (k, m, n), also where there are no elements."""
    return array.reshape(math.prod(array.shape[:-2]), *array.shape[-2:])


def apply(function, name, *tensors):
    """function.apply(*tensors) for a Function that is one call of a host function: that call alone where nobody asks more.

    Args:
        function: the Function; it is used where a gradient may be wanted or a recorder watches.
        name: what the host function was registered as.
        tensors: its operands.
    """
    for t in tensors:
        if t.requires_grad and _core.grad_enabled() or not _core.has_value(t):
            return function.apply(*tensors)
    if watched():
        return function.apply(*tensors)
    found = run(name, tensors)
    return found if len(found) > 1 else found[0]


def run(name, tensors, options=()):
    """The results of a host function on tensors, as a tuple of tensors; floating ones in the precision of the first."""
    function = _find(name)
    if name in _own:
        found = _own[name](*tensors, *options)
        if found is not None:
            return found
    arrays = [t.detach().numpy() for t in tensors]
    return tuple([_tensor(v, arrays[0].dtype) for v in function[0](*arrays, *options)])


def _tensor(array, like):
    array = np.array(array, order="C")
    kind = array.dtype.kind
    if kind in "fc" and like.kind in "fc":
        array = array.astype(f"{kind}{np.finfo(like).dtype.itemsize * (2 if kind == 'c' else 1)}", copy=False)
    return _core.from_numpy(array)


_checks = {}  # name -> function of a tensor and options that raises


def check(name):
    """Decorates a function of a tensor (and options) that raises where the values are wrong; for `checked`."""

    def keep(function):
        _checks[name] = function
        return function

    return keep


@register_tensors("checked", lambda x, *_: [x])
def _checked(x, name, *options):
    _checks[name](x, *options)
    return x


@gradient("checked")
class _Checked(Function):
    """The tensor itself, after a check that each run makes."""

    @staticmethod
    def forward(ctx, x, *options):
        ctx.count = len(options)
        return call("checked", x, options=options)[0]

    @staticmethod
    def backward(ctx, g):
        return g, *[None] * ctx.count


def checked(name, x, *options):
    """x, whose values a check has seen: now, or, where a recorder watches or x is symbolic, in each run."""
    if watched(x) and x.dtype.name != "bfloat16":
        return _Checked.apply(x, name, *options)
    _checks[name](x, *options)
    return x


@functools.cache
def _levels():
    from .func import _levels as levels  # which needs this module

    return levels


def watched(*tensors):
    """Whether a recorder watches, or a tensor stands in a graph or a transform: values cannot be read."""
    return _levels().current_recorder() is not None or not all(map(_core.has_value, tensors))


def call(name, *tensors, options=()):
    """Runs a host function without history; a recorder that watches notes it as one operation.

    Args:
        name: what it was registered as.
        tensors: tensors, of which the first gives the precision of floating results.
        options: Python numbers, strings, bools and None, handed on behind the arrays.
    """
    results = getattr(_local, "results", None)
    if results is not None:
        return results
    watching = _levels().top_frame(tensors) or _levels().current_recorder()
    if watching is not None and not hasattr(watching, "run_host"):
        raise RuntimeError(
            f"{name}: expected tensors with values, got those of vmap or jvp. Call it outside of them."
        )
    return run(name, tensors, options) if watching is None else watching.run_host(name, tensors, tuple(options))
