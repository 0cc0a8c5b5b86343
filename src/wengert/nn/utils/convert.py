"""Parameters as one vector, and modules without initial values."""

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
    """Build a module whose class accepts `device`; its values need not be used."""
    return module_cls(*args, **kwargs)
