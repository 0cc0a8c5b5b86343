"""The base of all transforms, their inverses and their compositions."""

import math

import wengert

from . import constraints
from .utils import sum_last


class Transform:
    """A map y = t(x). A subclass defines `_call`, `_inverse`, `log_abs_det_jacobian(x, y)`, `domain` and `codomain`.

    `bijective` says whether it can be inverted, `sign` whether it is rising (1) or falling (-1).

    Args:
        cache_size: 1 keeps the last pair (x, y), so that the inverse of y is x itself; 0 keeps nothing.
    """

    bijective = False
    domain = constraints.real
    codomain = constraints.real

    def __init__(self, cache_size=0):
        if cache_size not in (0, 1):
            raise ValueError(f"{type(self).__name__}: expected cache_size 0 or 1, got {cache_size}.")
        self._cache_size, self._last = cache_size, (None, None)

    @property
    def event_dim(self):
        """The dimensions of an event: those of domain and codomain."""
        if self.domain.event_dim != self.codomain.event_dim:
            raise ValueError(f"{type(self).__name__}: expected domain and codomain of one event_dim.")
        return self.domain.event_dim

    @property
    def sign(self):
        """1 for a rising transform, -1 for a falling one."""
        raise NotImplementedError(f"{type(self).__name__}: sign is not defined.")

    @property
    def inv(self):
        """The inverse transform."""
        return _InverseTransform(self)

    def with_cache(self, cache_size=1):
        """The same transform, with or without a memory of the last pair (x, y)."""
        if self._cache_size == cache_size:
            return self
        new = self.__class__.__new__(self.__class__)
        new.__dict__.update(self.__dict__)
        new._cache_size, new._last = cache_size, (None, None)
        return new

    def __call__(self, x):
        if self._cache_size and self._last[0] is x:
            return self._last[1]
        y = self._call(x)
        if self._cache_size:
            self._last = (x, y)
        return y

    def _inv_call(self, y):
        if self._cache_size and self._last[1] is y:
            return self._last[0]
        x = self._inverse(y)
        if self._cache_size:
            self._last = (x, y)
        return x

    def _call(self, x):
        raise NotImplementedError(f"{type(self).__name__}: _call is not defined.")

    def _inverse(self, y):
        raise NotImplementedError(f"{type(self).__name__}: _inverse is not defined.")

    def log_abs_det_jacobian(self, x, y):
        """log |dy/dx| at a pair (x, y)."""
        raise NotImplementedError(f"{type(self).__name__}: log_abs_det_jacobian is not defined.")

    def forward_shape(self, shape):
        """The shape of the result for an input shape."""
        return shape

    def inverse_shape(self, shape):
        """The shape of the input for a result's shape."""
        return shape

    def __getstate__(self):
        return {**self.__dict__, "_last": (None, None)}

    def __eq__(self, other):
        return self is other

    def __hash__(self):
        return id(self)

    def __repr__(self):
        return type(self).__name__ + "()"


class Plain(Transform):
    """A transform without parameters: two of a class are equal."""

    def __eq__(self, other):
        return isinstance(other, type(self))

    __hash__ = Transform.__hash__


def need_dimensions(shape, count):
    """Raises ValueError for a shape of fewer than `count` dimensions."""
    if len(shape) < count:
        raise ValueError(f"transforms: expected an input of at least {count} dimensions, got shape {tuple(shape)}.")


class _InverseTransform(Transform):
    """The inverse of a transform: everything is asked of that one, in the other direction."""

    def __init__(self, transform):
        super().__init__(transform._cache_size)
        self._inv = transform

    @property
    def bijective(self):
        return self._inv.bijective

    @constraints.dependent_property(is_discrete=False)
    def domain(self):
        return self._inv.codomain

    @constraints.dependent_property(is_discrete=False)
    def codomain(self):
        return self._inv.domain

    @property
    def sign(self):
        return self._inv.sign

    @property
    def inv(self):
        return self._inv

    def with_cache(self, cache_size=1):
        return self._inv.with_cache(cache_size).inv

    def __eq__(self, other):
        return isinstance(other, _InverseTransform) and self._inv == other._inv

    __hash__ = Transform.__hash__

    def __call__(self, x):
        return self._inv._inv_call(x)

    def _inv_call(self, y):
        return self._inv(y)

    def log_abs_det_jacobian(self, x, y):
        return -self._inv.log_abs_det_jacobian(y, x)

    def forward_shape(self, shape):
        return self._inv.inverse_shape(shape)

    def inverse_shape(self, shape):
        return self._inv.forward_shape(shape)

    def __repr__(self):
        return f"{type(self).__name__}({self._inv!r})"


class ComposeTransform(Transform):
    """Transforms one after the other.

    Args:
        parts: the transforms, the first one first.
        cache_size: as for every transform; the parts keep the pairs.
    """

    def __init__(self, parts, cache_size=0):
        super().__init__(cache_size)
        self.parts = [part.with_cache(cache_size) for part in parts] if cache_size else list(parts)

    def with_cache(self, cache_size=1):
        if self._cache_size == cache_size:
            return self
        new = ComposeTransform([part.with_cache(cache_size) for part in self.parts])
        new._cache_size = cache_size
        return new

    def __eq__(self, other):
        return isinstance(other, ComposeTransform) and self.parts == other.parts

    __hash__ = Transform.__hash__

    @constraints.dependent_property(is_discrete=False)
    def domain(self):
        if not self.parts:
            return constraints.real
        event = self.parts[-1].codomain.event_dim
        for part in reversed(self.parts):
            event = max(event + part.domain.event_dim - part.codomain.event_dim, part.domain.event_dim)
        return _widened(self.parts[0].domain, event)

    @constraints.dependent_property(is_discrete=False)
    def codomain(self):
        if not self.parts:
            return constraints.real
        event = self.parts[0].domain.event_dim
        for part in self.parts:
            event = max(event + part.codomain.event_dim - part.domain.event_dim, part.codomain.event_dim)
        return _widened(self.parts[-1].codomain, event)

    @property
    def bijective(self):
        return all(p.bijective for p in self.parts)

    @property
    def sign(self):
        return math.prod(p.sign for p in self.parts)

    @property
    def inv(self):
        return _InverseComposition(self)

    def __call__(self, x):
        for part in self.parts:
            x = part(x)
        return x

    def _inv_call(self, y):
        return self.inv(y)

    def log_abs_det_jacobian(self, x, y):
        if not self.parts:
            return wengert.zeros_like(x)
        event, total = self.domain.event_dim, 0.0
        for place, part in enumerate(self.parts, 1):
            after = y if place == len(self.parts) else part(x)
            total = total + sum_last(part.log_abs_det_jacobian(x, after), event - part.domain.event_dim)
            event += part.codomain.event_dim - part.domain.event_dim
            x = after
        return total

    def forward_shape(self, shape):
        for part in self.parts:
            shape = part.forward_shape(shape)
        return shape

    def inverse_shape(self, shape):
        for part in reversed(self.parts):
            shape = part.inverse_shape(shape)
        return shape

    def __repr__(self):
        return "ComposeTransform(\n    " + ",\n    ".join(map(repr, self.parts)) + "\n)"


class _InverseComposition(ComposeTransform):
    """The inverses of the parts in the other order; its inverse is the composition itself."""

    def __init__(self, composition):
        super().__init__([part.inv for part in reversed(composition.parts)])
        self._cache_size, self._composition = composition._cache_size, composition

    @property
    def inv(self):
        return self._composition

    def with_cache(self, cache_size=1):
        return self._composition.with_cache(cache_size).inv


def _widened(constraint, event):
    missing = event - constraint.event_dim
    return constraints.independent(constraint, missing) if missing else constraint


identity_transform = ComposeTransform([])


class IndependentTransform(Transform):
    """A transform whose last dimensions count as dimensions of the event: its log-determinants are sums over them.

    Args:
        base_transform: the transform.
        reinterpreted_batch_ndims: how many dimensions to join.
    """

    def __init__(self, base_transform, reinterpreted_batch_ndims, cache_size=0):
        super().__init__(cache_size)
        self.base_transform = base_transform.with_cache(cache_size)
        self.reinterpreted_batch_ndims = reinterpreted_batch_ndims

    def with_cache(self, cache_size=1):
        if self._cache_size == cache_size:
            return self
        return IndependentTransform(self.base_transform, self.reinterpreted_batch_ndims, cache_size)

    @constraints.dependent_property(is_discrete=False)
    def domain(self):
        return constraints.independent(self.base_transform.domain, self.reinterpreted_batch_ndims)

    @constraints.dependent_property(is_discrete=False)
    def codomain(self):
        return constraints.independent(self.base_transform.codomain, self.reinterpreted_batch_ndims)

    @property
    def bijective(self):
        return self.base_transform.bijective

    @property
    def sign(self):
        return self.base_transform.sign

    def _call(self, x):
        need_dimensions(x.shape, self.domain.event_dim)
        return self.base_transform(x)

    def _inverse(self, y):
        need_dimensions(y.shape, self.codomain.event_dim)
        return self.base_transform.inv(y)

    def log_abs_det_jacobian(self, x, y):
        return sum_last(self.base_transform.log_abs_det_jacobian(x, y), self.reinterpreted_batch_ndims)

    def forward_shape(self, shape):
        return self.base_transform.forward_shape(shape)

    def inverse_shape(self, shape):
        return self.base_transform.inverse_shape(shape)

    def __repr__(self):
        return f"IndependentTransform({self.base_transform!r}, {self.reinterpreted_batch_ndims})"
