"""Functions on NumPy arrays as operations: a recorder writes each call down, and a plan makes it again between its steps."""

import numpy as np

from . import _core

_functions = {}  # name -> function of arrays and options


def register(name):
    """Decorates a function of arrays (and options) that gives a tuple of arrays; `call` knows it by `name`."""

    def keep(function):
        _functions[name] = function
        return function

    return keep


def is_registered(name):
    """Whether there is a host function of that name."""
    return _find(name) is not None


def _find(name):
    if name not in _functions:
        from . import fft, linalg  # noqa: F401 (they register their functions)
    return _functions.get(name)


def run(name, tensors, options=()):
    """The results of a host function on tensors, as a tuple of tensors; floating ones in the precision of the first."""
    arrays = [t.detach().numpy() for t in tensors]
    return tuple([_tensor(v, arrays[0].dtype) for v in _find(name)(*arrays, *options)])


def _tensor(array, like):
    array = np.array(array, order="C")
    kind = array.dtype.kind
    if kind in "fc" and like.kind in "fc":
        array = array.astype(f"{kind}{np.finfo(like).dtype.itemsize * (2 if kind == 'c' else 1)}", copy=False)
    return _core.from_numpy(array)


def call(name, *tensors, options=()):
    """Runs a host function without history; a recorder that watches notes it as one operation.

    Args:
        name: what it was registered as.
        tensors: tensors, of which the first gives the precision of floating results.
        options: Python numbers, strings, bools and None, handed on behind the arrays.
    """
    from .func._levels import current_recorder

    recorder = current_recorder()
    return run(name, tensors, options) if recorder is None else recorder.run_host(name, tensors, tuple(options))
