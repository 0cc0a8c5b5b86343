"""Kullback-Leibler divergences: which function computes that of a pair of classes."""

from wengert._warn import warn

_REGISTRY = {}
_FOUND = {}


def register_kl(type_p, type_q):
    """Decorates a function (p, q) -> divergence for two classes of distributions and their subclasses.

    Example:
        >>> from wengert.distributions import Normal, register_kl
        >>> class Mine(Normal):
        ...     pass
        >>> @register_kl(Mine, Mine)
        ... def _mine(p, q):
        ...     return (p.loc - q.loc).abs()
    """
    for kind in (type_p, type_q):
        if not isinstance(kind, type):  # classes that only behave like distributions may register, too
            raise TypeError(f"register_kl: expected classes of distributions, got {kind!r}.")

    def enter(function):
        _REGISTRY[type_p, type_q] = function
        _FOUND.clear()
        return function

    return enter


def _nearest(type_p, type_q):
    """The function of the nearest registered pair: p's class decides first, then q's; a warning where the order matters."""
    pairs = [pair for pair in _REGISTRY if issubclass(type_p, pair[0]) and issubclass(type_q, pair[1])]
    if not pairs:
        return None

    def place(pair):
        return type_p.__mro__.index(pair[0]), type_q.__mro__.index(pair[1])

    best = min(pairs, key=place)
    other = min(pairs, key=lambda pair: place(pair)[::-1])
    if _REGISTRY[best] is not _REGISTRY[other]:
        warn(
            f"kl_divergence: {type_p.__name__} and {type_q.__name__} fit two registered functions equally well. Register "
            f"one for {best[0].__name__} and {other[1].__name__}.",
            RuntimeWarning,
        )
    return _REGISTRY[best]


def kl_divergence(p, q):
    """The divergence KL(p || q) = E_p[log p - log q], of shape batch_shape.

    Raises NotImplementedError for pairs that no function is registered for.

    Example:
        >>> from wengert.distributions import Normal, kl_divergence
        >>> kl_divergence(Normal(0.0, 1.0), Normal(1.0, 1.0))
        tensor(0.5000)
    """
    kinds = type(p), type(q)
    if kinds not in _FOUND:
        _FOUND[kinds] = _nearest(*kinds)
    function = _FOUND[kinds]
    if function is None:
        raise unregistered(p, q)
    return function(p, q)


def unregistered(p, q):
    """The error for a pair without a function."""
    return NotImplementedError(
        f"kl_divergence: expected a pair that is registered, got {type(p).__name__} and {type(q).__name__}. Register "
        "a function with register_kl, or estimate it from samples."
    )
