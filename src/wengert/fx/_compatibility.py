"""Marks of torch's own interfaces, which packages put on theirs."""


def compatibility(is_backward_compatible):
    """A decorator that says whether a function keeps its meaning; it changes nothing."""
    return lambda fn: fn
