"""Parameters as one vector, and modules without initial values."""

import inspect

import wengert


def parameters_to_vector(parameters):
    """All parameters flattened into one vector.

    Example:
        >>> list(parameters_to_vector(wengert.nn.Linear(2, 3).parameters()).shape)
        [9]
    """
    return wengert.cat([param.reshape(-1) for param in parameters])


def vector_to_parameters(vec, parameters):
    """Put slices of `vec` in place of the parameters' values."""
    if not isinstance(vec, wengert.Tensor):
        raise TypeError(f"expected Tensor, but got: {type(vec).__name__}")
    start = 0
    for param in parameters:
        count = param.numel()
        param.data = vec[start : start + count].view_as(param).data
        start += count


def skip_init(module_cls, *args, **kwargs):
    """A module whose initial values are not meant to be used; the generator of random numbers stays where it is.

    Args:
        module_cls: a class of modules whose constructor takes `device`.
        *args, **kwargs: the arguments of its constructor.

    Raises RuntimeError for other classes.

    Example:
        >>> skip_init(wengert.nn.Linear, 3, 2, bias=False).weight.shape
        wengert.Size([2, 3])
    """
    if not (isinstance(module_cls, type) and issubclass(module_cls, wengert.nn.Module)):
        raise RuntimeError(f"skip_init: expected a class of modules, got {module_cls!r}.")
    if "device" not in inspect.signature(module_cls).parameters:
        raise RuntimeError(f"skip_init: expected a constructor that takes device, got {module_cls.__name__}'s.")
    with wengert.random.fork_rng():
        return module_cls(*args, **kwargs)
