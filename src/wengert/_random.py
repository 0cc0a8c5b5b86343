"""Random tensors, seeds and generators."""

from . import _core
from ._bind import OPS

FUNCTIONS = {"rand": _core.make_rand, "randn": _core.make_randn}
METHODS = {}

default_generator = _core.default_generator()
default_generator.seed()


def _function(f):
    FUNCTIONS[f.__name__] = f
    return f


@_function
def manual_seed(seed):
    """Starts the default generator's sequence of `seed`; returns the generator.

    Example:
        >>> import wengert
        >>> _ = wengert.manual_seed(0)
        >>> a = wengert.rand(3)
        >>> _ = wengert.manual_seed(0)
        >>> bool((a == wengert.rand(3)).all())
        True
    """
    return default_generator.manual_seed(seed)


_dropout = OPS["dropout"]


def _check_dropout(p):
    if not 0.0 <= p <= 1.0:
        raise ValueError(f"dropout: expected a probability between 0 and 1, got {p}.")


def dropout(input, p=0.5, training=True, inplace=False):
    """Zeros each element with probability p and scales the others by 1 / (1 - p); the input itself unless training.

    Shapes: any. Raises ValueError for p outside [0, 1], RuntimeError for a dtype that is not floating.

    Example:
        >>> import wengert
        >>> sorted(set(wengert.dropout(wengert.ones(1000), 0.5, True).tolist()))
        [0.0, 2.0]
    """
    if not 0.0 <= p <= 1.0:
        _check_dropout(p)
    if not training or p == 0.0:
        return input
    if inplace:
        return _core.draw_inplace(_dropout.entry, input, [p])
    return _dropout(input, p)


FUNCTIONS["dropout"] = dropout
