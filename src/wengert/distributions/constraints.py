"""Sets of values: what the parameters and the samples of distributions are checked against.

Lower-case names are sets (`positive`), or classes that make one (`interval(0.0, 2.0)`).
"""

import wengert

__all__ = [
    "Constraint", "MixtureSameFamilyConstraint", "boolean", "cat", "corr_cholesky", "dependent", "dependent_property",
    "greater_than", "greater_than_eq", "half_open_interval", "independent", "integer_interval", "interval",
    "is_dependent", "less_than", "lower_cholesky", "lower_triangular", "multinomial", "nonnegative",
    "nonnegative_integer", "one_hot", "positive", "positive_definite", "positive_integer", "positive_semidefinite",
    "real", "real_vector", "simplex", "square", "stack", "symmetric", "unit_interval",
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


def is_dependent(constraint):
    """Whether a set is known on instances only."""
    return isinstance(constraint, _Dependent)


class _Dependent(Constraint):
    """A set that depends on other parameters; it is known on instances only."""

    def __init__(self, *, is_discrete=NotImplemented, event_dim=NotImplemented):
        self._is_discrete, self._event_dim = is_discrete, event_dim

    def _static(self, name):
        value = getattr(self, "_" + name)
        if value is NotImplemented:
            raise NotImplementedError(f"constraints.dependent: {name} is known on instances only.")
        return value

    @property
    def is_discrete(self):
        return self._static("is_discrete")

    @property
    def event_dim(self):
        return self._static("event_dim")

    def __call__(self, *, is_discrete=NotImplemented, event_dim=NotImplemented):
        return _Dependent(
            is_discrete=self._is_discrete if is_discrete is NotImplemented else is_discrete,
            event_dim=self._event_dim if event_dim is NotImplemented else event_dim,
        )

    def check(self, x):
        raise ValueError("constraints.dependent: expected a constraint of an instance, got one of the class.")


class _DependentProperty(property, _Dependent):
    """Decorates a method of a distribution that returns a set: a property that counts as dependent on the class."""

    def __init__(self, fn=None, *, is_discrete=NotImplemented, event_dim=NotImplemented):
        property.__init__(self, fn)
        _Dependent.__init__(self, is_discrete=is_discrete, event_dim=event_dim)

    def __call__(self, fn):
        return _DependentProperty(fn, is_discrete=self._is_discrete, event_dim=self._event_dim)


def _expect(holds, what):
    if not holds:
        raise AssertionError(f"constraints: expected {what}.")


class _Around(Constraint):
    """A set made of another one; as discrete as that one."""

    def __init__(self, base_constraint):
        _expect(isinstance(base_constraint, Constraint), f"a Constraint, got {type(base_constraint).__name__}")
        self.base_constraint = base_constraint

    @property
    def is_discrete(self):
        return self.base_constraint.is_discrete

    def _join(self, value, inside, kept):
        """Whether all of an event's parts are inside; `kept` dimensions of the answer stay."""
        if value.dim() < self.event_dim:
            raise ValueError(
                f"constraints: expected a value of at least {self.event_dim} dimensions, got {value.dim()}."
            )
        return inside.all(tuple(range(kept, inside.dim()))) if kept < inside.dim() else inside


class _IndependentConstraint(_Around):
    """Another set whose last dimensions form events: an event is in it where all of its elements are."""

    def __init__(self, base_constraint, reinterpreted_batch_ndims):
        super().__init__(base_constraint)
        _expect(isinstance(reinterpreted_batch_ndims, int), "a whole number of dimensions")
        _expect(reinterpreted_batch_ndims >= 0, f"dimensions of at least 0, got {reinterpreted_batch_ndims}")
        self.reinterpreted_batch_ndims = reinterpreted_batch_ndims

    @property
    def event_dim(self):
        return self.base_constraint.event_dim + self.reinterpreted_batch_ndims

    def check(self, value):
        inside = self.base_constraint.check(value)
        return self._join(value, inside, max(inside.dim() - self.reinterpreted_batch_ndims, 0))

    def __repr__(self):
        return f"IndependentConstraint({self.base_constraint!r}, {self.reinterpreted_batch_ndims})"


class MixtureSameFamilyConstraint(_Around):
    """What all components of a mixture admit: the dimension of the components is put back before they are asked."""

    @property
    def event_dim(self):
        return self.base_constraint.event_dim

    def check(self, value):
        inside = self.base_constraint.check(value.unsqueeze(-1 - self.event_dim))
        return self._join(value, inside, max(value.dim() - self.event_dim, 0))

    def __repr__(self):
        return f"MixtureSameFamilyConstraint({self.base_constraint!r})"


class _Bounded(Constraint):
    """Values between bounds; the names of those that a class has are in `_bounds`."""

    _bounds = ("lower_bound", "upper_bound")

    def __repr__(self):
        bounds = ", ".join(f"{name}={getattr(self, name)}" for name in self._bounds)
        return f"{type(self).__name__.lstrip('_')}({bounds})"


class _Above(_Bounded):
    _bounds = ("lower_bound",)

    def __init__(self, lower_bound):
        self.lower_bound = lower_bound


class _Below(_Bounded):
    _bounds = ("upper_bound",)

    def __init__(self, upper_bound):
        self.upper_bound = upper_bound


class _Between(_Bounded):
    def __init__(self, lower_bound, upper_bound):
        self.lower_bound, self.upper_bound = lower_bound, upper_bound


class _GreaterThan(_Above):
    """Values above a bound."""

    def check(self, value):
        return self.lower_bound < value


class _GreaterThanEq(_Above):
    """Values not below a bound."""

    def check(self, value):
        return self.lower_bound <= value


class _LessThan(_Below):
    """Values below a bound."""

    def check(self, value):
        return value < self.upper_bound


class _Interval(_Between):
    """Values in [lower, upper]."""

    def check(self, value):
        return (self.lower_bound <= value) & (value <= self.upper_bound)


class _HalfOpenInterval(_Between):
    """Values in [lower, upper)."""

    def check(self, value):
        return (self.lower_bound <= value) & (value < self.upper_bound)


class _IntegerInterval(_Interval):
    """Whole numbers in [lower, upper]."""

    is_discrete = True

    def check(self, value):
        return (value % 1 == 0) & super().check(value)


class _IntegerGreaterThan(_Above):
    """Whole numbers not below a bound."""

    is_discrete = True

    def check(self, value):
        return (value % 1 == 0) & (value >= self.lower_bound)


class _Multinomial(_Below):
    """Counts of categories that add up to at most a bound."""

    is_discrete = True
    event_dim = 1
    __repr__ = Constraint.__repr__

    def check(self, value):
        return (value >= 0).all(-1) & (value.sum(-1) <= self.upper_bound)


class _Boolean(Constraint):
    """0 and 1."""

    is_discrete = True

    def check(self, value):
        return (value == 0) | (value == 1)


class _OneHot(_Boolean):
    """Vectors of one 1 and zeros."""

    event_dim = 1

    def check(self, value):
        return super().check(value).all(-1) & value.sum(-1).eq(1)


class _Real(Constraint):
    """Real numbers, infinities included."""

    def check(self, value):
        return value == value  # only a NaN differs from itself


class _Simplex(Constraint):
    """Vectors of numbers from 0 that add up to 1."""

    event_dim = 1

    def check(self, value):
        return (value >= 0).all(-1) & ((value.sum(-1) - 1).abs() < 1e-6)


class _Matrices(Constraint):
    event_dim = 2


class _Square(_Matrices):
    """Matrices of as many rows as columns."""

    def check(self, value):
        rows, columns = value.shape[-2:]
        return wengert.full(tuple(value.shape[:-2]), rows == columns, dtype=wengert.bool)


class _Symmetric(_Square):
    """Matrices that are their own transpose, up to 1e-6."""

    def check(self, value):
        square = super().check(value)
        if value.shape[-2] != value.shape[-1]:
            return square
        return wengert.isclose(value, value.mT, atol=1e-6).all(-2).all(-1)


class _ByEigenvalues(_Symmetric):
    def check(self, value):
        symmetric = super().check(value)
        if not bool(symmetric.all()):
            return symmetric
        return self._fit(wengert.linalg.eigvalsh(value)).all(-1)


class _PositiveSemidefinite(_ByEigenvalues):
    """Symmetric matrices without negative eigenvalues."""

    def _fit(self, eigenvalues):
        return eigenvalues >= 0


class _PositiveDefinite(_ByEigenvalues):
    """Symmetric matrices of positive eigenvalues."""

    def _fit(self, eigenvalues):
        return eigenvalues > 0


class _LowerTriangular(_Matrices):
    """Matrices of zeros above the diagonal."""

    def check(self, value):
        return (value.tril() == value).all(-1).all(-1)


class _LowerCholesky(_LowerTriangular):
    """Lower triangular matrices of a positive diagonal."""

    def check(self, value):
        return super().check(value) & (value.diagonal(dim1=-2, dim2=-1) > 0).all(-1)


class _CorrCholesky(_LowerCholesky):
    """Cholesky factors of correlation matrices: each row is a unit vector."""

    def check(self, value):
        tolerance = wengert.finfo(value.dtype).eps * value.shape[-1] * 10
        unit_rows = (value.detach().norm(dim=-1) - 1).abs().le(tolerance).all(-1)
        return super().check(value) & unit_rows


class _Several(Constraint):
    """Sets beside each other along a dimension."""

    def __init__(self, cseq, dim=0):
        self.cseq, self.dim = list(cseq), dim
        _expect(all(isinstance(c, Constraint) for c in self.cseq), "a sequence of Constraints")

    @property
    def is_discrete(self):
        return any(c.is_discrete for c in self.cseq)

    @property
    def event_dim(self):
        return max(c.event_dim for c in self.cseq)

    def _expect_dim(self, value):
        _expect(-value.dim() <= self.dim < value.dim(), f"a value with a dimension {self.dim}, got {value.dim()}")


class _Cat(_Several):
    """Sets side by side along a dimension, each for `lengths` elements."""

    def __init__(self, cseq, dim=0, lengths=None):
        super().__init__(cseq, dim)
        self.lengths = [1] * len(self.cseq) if lengths is None else list(lengths)
        _expect(len(self.lengths) == len(self.cseq), f"{len(self.cseq)} lengths, got {len(self.lengths)}")

    def check(self, value):
        self._expect_dim(value)
        parts = value.narrow(self.dim, 0, sum(self.lengths)).split(self.lengths, self.dim)
        return wengert.cat([c.check(part) for c, part in zip(self.cseq, parts, strict=True)], self.dim)


class _Stack(_Several):
    """Sets for the slices along a dimension."""

    @property
    def event_dim(self):
        dim = super().event_dim
        return dim + 1 if self.dim + dim < 0 else dim

    def check(self, value):
        self._expect_dim(value)
        return wengert.stack(
            [c.check(part) for c, part in zip(self.cseq, value.unbind(self.dim), strict=False)], self.dim
        )


dependent = _Dependent()
dependent_property = _DependentProperty
independent = _IndependentConstraint
boolean = _Boolean()
one_hot = _OneHot()
nonnegative_integer = _IntegerGreaterThan(0)
positive_integer = _IntegerGreaterThan(1)
integer_interval = _IntegerInterval
real = _Real()
real_vector = independent(real, 1)
positive = _GreaterThan(0.0)
nonnegative = _GreaterThanEq(0.0)
greater_than = _GreaterThan
greater_than_eq = _GreaterThanEq
less_than = _LessThan
multinomial = _Multinomial
unit_interval = _Interval(0.0, 1.0)
interval = _Interval
half_open_interval = _HalfOpenInterval
simplex = _Simplex()
lower_triangular = _LowerTriangular()
lower_cholesky = _LowerCholesky()
corr_cholesky = _CorrCholesky()
square = _Square()
symmetric = _Symmetric()
positive_semidefinite = _PositiveSemidefinite()
positive_definite = _PositiveDefinite()
cat = _Cat
stack = _Stack
