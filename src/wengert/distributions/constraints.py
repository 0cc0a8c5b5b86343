"""Sets of values: what the parameters and the samples of distributions are checked against."""

import wengert

__all__ = [
    "Constraint", "boolean", "cat", "corr_cholesky", "dependent", "dependent_property", "greater_than",
    "greater_than_eq", "half_open_interval", "independent", "integer_interval", "interval", "is_dependent", "less_than",
    "lower_cholesky", "lower_triangular", "multinomial", "nonnegative", "nonnegative_integer", "one_hot", "positive",
    "positive_definite", "positive_integer", "positive_semidefinite", "real", "real_vector", "simplex", "square",
    "symmetric", "unit_interval",
]  # fmt: skip


class Constraint:
    """A set of values. `check` says elementwise (for events of `event_dim` dimensions: event by event) who is in it."""

    is_discrete = False
    event_dim = 0

    def check(self, value):
        """A bool tensor: which of the values are in the set; of the value's shape without the event dimensions."""
        raise NotImplementedError(f"{type(self).__name__}: expected a constraint that defines check().")

    def __repr__(self):
        return type(self).__name__.lstrip("_") + "()"


class _Dependent(Constraint):
    """A set that depends on other parameters; it is known on instances only."""

    def __init__(self, *, is_discrete=False, event_dim=0):
        self.is_discrete, self.event_dim = is_discrete, event_dim

    def __call__(self, *, is_discrete=False, event_dim=0):
        return _Dependent(is_discrete=is_discrete, event_dim=event_dim)

    def check(self, x):
        raise ValueError("constraints.dependent: expected a constraint of an instance, got one of the class.")


def is_dependent(constraint):
    """Whether a set is known on instances only."""
    return isinstance(constraint, _Dependent)


class dependent_property(property, _Dependent):
    """Decorates a method of a distribution that returns a set: a property that counts as dependent on the class."""

    def __init__(self, fn=None, *, is_discrete=False, event_dim=0):
        property.__init__(self, fn)
        _Dependent.__init__(self, is_discrete=is_discrete, event_dim=event_dim)

    def __call__(self, fn):
        return dependent_property(fn, is_discrete=self.is_discrete, event_dim=self.event_dim)


class _Independent(Constraint):
    """Another set whose last dimensions form events: an event is in it where all of its elements are."""

    def __init__(self, base, count):
        self.base_constraint, self.reinterpreted_batch_ndims = base, count
        self.is_discrete, self.event_dim = base.is_discrete, base.event_dim + count

    def check(self, value):
        inside = self.base_constraint.check(value)
        if inside.dim() < self.reinterpreted_batch_ndims:
            raise ValueError(
                f"constraints.independent: expected a value of at least {self.event_dim} dimensions, got {value.dim()}."
            )
        kept = inside.dim() - self.reinterpreted_batch_ndims
        return inside.reshape(tuple(inside.shape[:kept]) + (-1,)).all(-1)

    def __repr__(self):
        return f"Independent({self.base_constraint!r}, {self.reinterpreted_batch_ndims})"


class _Simple(Constraint):
    def __init__(self, name, check, *, is_discrete=False, event_dim=0):
        self._name, self._check = name, check
        self.is_discrete, self.event_dim = is_discrete, event_dim

    def check(self, value):
        return self._check(value)

    def __repr__(self):
        return self._name


class _Bounded(Constraint):
    """Values between bounds, each of which may be missing."""

    def __init__(self, name, low, high, inside, *, is_discrete=False):
        self._name, self.lower_bound, self.upper_bound, self._inside = name, low, high, inside
        self.is_discrete = is_discrete

    def check(self, value):
        return self._inside(value, self.lower_bound, self.upper_bound)

    def __repr__(self):
        bounds = [
            f"{label}={bound}"
            for label, bound in (("lower_bound", self.lower_bound), ("upper_bound", self.upper_bound))
            if bound is not None
        ]
        return f"{self._name}({', '.join(bounds)})"


def greater_than(lower_bound):
    """Values above a bound."""
    return _Bounded("GreaterThan", lower_bound, None, lambda v, low, _: low < v)


def greater_than_eq(lower_bound):
    """Values not below a bound."""
    return _Bounded("GreaterThanEq", lower_bound, None, lambda v, low, _: low <= v)


def less_than(upper_bound):
    """Values below a bound."""
    return _Bounded("LessThan", None, upper_bound, lambda v, _, high: v < high)


def interval(lower_bound, upper_bound):
    """Values in [lower, upper]."""
    return _Bounded("Interval", lower_bound, upper_bound, lambda v, low, high: (low <= v) & (v <= high))


def half_open_interval(lower_bound, upper_bound):
    """Values in [lower, upper)."""
    return _Bounded("HalfOpenInterval", lower_bound, upper_bound, lambda v, low, high: (low <= v) & (v < high))


def integer_interval(lower_bound, upper_bound):
    """Whole numbers in [lower, upper]."""
    return _Bounded(
        "IntegerInterval", lower_bound, upper_bound,
        lambda v, low, high: (v % 1 == 0) & (low <= v) & (v <= high), is_discrete=True,
    )  # fmt: skip


def _whole(lowest):
    return lambda v: (v % 1 == 0) & (v >= lowest)


def _is_symmetric(v):
    return wengert.isclose(v, v.mT, atol=1e-6).all(-2).all(-1)


def _is_lower(v):
    return (v.tril() == v).all(-1).all(-1)


def _eigenvalues_above(test):
    def check(v):
        symmetric = _is_symmetric(v)
        return symmetric & test(wengert.linalg.eigvalsh(v)).all(-1) if bool(symmetric.all()) else symmetric

    return check


def _is_simplex(v):
    return (v >= 0).all(-1) & ((v.sum(-1) - 1).abs() < 1e-6)


def _is_corr_cholesky(v):
    tolerance = wengert.finfo(v.dtype).eps * v.shape[-1] * 10
    unit_rows = ((v * v).sum(-1) - 1).abs().le(tolerance).all(-1)
    return lower_cholesky.check(v) & unit_rows


def independent(base_constraint, reinterpreted_batch_ndims):
    """Another set whose last dimensions form events."""
    return _Independent(base_constraint, reinterpreted_batch_ndims)


def multinomial(upper_bound):
    """Counts of categories that add up to at most a bound."""
    return _Simple(
        f"Multinomial(upper_bound={upper_bound})",
        lambda v: (v >= 0).all(-1) & (v.sum(-1) <= upper_bound), is_discrete=True, event_dim=1,
    )  # fmt: skip


class cat(Constraint):
    """Sets side by side along a dimension, each for `lengths` elements."""

    def __init__(self, cseq, dim=0, lengths=None):
        self.cseq, self.dim = list(cseq), dim
        self.lengths = list(lengths) if lengths is not None else [1] * len(self.cseq)
        self.is_discrete = any(c.is_discrete for c in self.cseq)
        self.event_dim = max(c.event_dim for c in self.cseq)

    def check(self, value):
        parts, at = [], 0
        for constraint, length in zip(self.cseq, self.lengths, strict=True):
            parts.append(constraint.check(value.narrow(self.dim, at, length)))
            at += length
        return wengert.cat(parts, self.dim)


dependent = _Dependent()
boolean = _Simple("Boolean()", lambda v: (v == 0) | (v == 1), is_discrete=True)
one_hot = _Simple(
    "OneHot()",
    lambda v: ((v == 0) | (v == 1)).all(-1) & v.sum(-1).eq(1), is_discrete=True, event_dim=1,
)  # fmt: skip
real = _Simple("Real()", lambda v: v == v)
real_vector = independent(real, 1)
positive = greater_than(0.0)
nonnegative = greater_than_eq(0.0)
unit_interval = interval(0.0, 1.0)
nonnegative_integer = _Simple("IntegerGreaterThan(lower_bound=0)", _whole(0), is_discrete=True)
positive_integer = _Simple("IntegerGreaterThan(lower_bound=1)", _whole(1), is_discrete=True)
simplex = _Simple("Simplex()", _is_simplex, event_dim=1)
square = _Simple(
    "Square()",
    lambda v: wengert.full(tuple(v.shape[:-2]), v.shape[-2] == v.shape[-1], dtype=wengert.bool),
    event_dim=2,
)
symmetric = _Simple("Symmetric()", _is_symmetric, event_dim=2)
lower_triangular = _Simple("LowerTriangular()", _is_lower, event_dim=2)
lower_cholesky = _Simple(
    "LowerCholesky()", lambda v: _is_lower(v) & (v.diagonal(dim1=-2, dim2=-1) > 0).all(-1), event_dim=2
)
corr_cholesky = _Simple("CorrCholesky()", _is_corr_cholesky, event_dim=2)
positive_definite = _Simple("PositiveDefinite()", _eigenvalues_above(lambda e: e > 0), event_dim=2)
positive_semidefinite = _Simple("PositiveSemidefinite()", _eigenvalues_above(lambda e: e >= 0), event_dim=2)
