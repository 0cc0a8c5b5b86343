"""The base of all distributions: shapes, validation, expansion."""

import wengert

from . import constraints
from .utils import holds, lazy_property


class Distribution:
    """A probability distribution over tensors.

    A subclass defines `arg_constraints` (a constraint for each parameter), `support`, `sample` or `rsample`, and
    `log_prob`; `expand`, `mean`, `variance`, `entropy`, `cdf` and `icdf` where they are known.

    Args:
        batch_shape: the shape of a batch of independent distributions.
        event_shape: the shape of one sample of one of them.
        validate_args: check parameters and values; None takes the default (see `set_default_validate_args`).

    Raises ValueError for parameters outside their constraints.
    """

    has_rsample = False
    has_enumerate_support = False
    _validate_args = __debug__

    def __init__(self, batch_shape=(), event_shape=(), validate_args=None):
        self._batch_shape, self._event_shape = wengert.Size(batch_shape), wengert.Size(event_shape)
        if validate_args is not None:
            self._validate_args = validate_args
        if self._validate_args:
            self._check_parameters()

    def _check_parameters(self):
        try:
            expected = self.arg_constraints
        except NotImplementedError:
            return
        for name, constraint in expected.items():
            if constraints.is_dependent(constraint) or (
                name not in self.__dict__ and isinstance(getattr(type(self), name, None), lazy_property)
            ):
                continue
            value = getattr(self, name)
            if not holds(constraint, value):
                raise ValueError(
                    f"{type(self).__name__}: expected parameter {name} of shape {tuple(value.shape)} to satisfy "
                    f"{constraint!r}, got invalid values:\n{value}"
                )

    @staticmethod
    def set_default_validate_args(value):
        """Sets whether parameters and values are checked where an instance does not say so itself."""
        if value not in (True, False):
            raise ValueError(f"set_default_validate_args: expected a bool, got {value!r}.")
        Distribution._validate_args = value

    @property
    def arg_constraints(self):
        """The constraint of each parameter, by name."""
        raise NotImplementedError(f"{type(self).__name__}: arg_constraints is not defined.")

    @property
    def support(self):
        """The constraint that samples satisfy."""
        raise NotImplementedError(f"{type(self).__name__}: support is not defined.")

    @property
    def batch_shape(self):
        """The shape of the batch of distributions."""
        return self._batch_shape

    @property
    def event_shape(self):
        """The shape of one sample of one distribution."""
        return self._event_shape

    @property
    def mean(self):
        """The mean."""
        raise NotImplementedError(f"{type(self).__name__}: mean is not defined.")

    @property
    def mode(self):
        """The most probable value."""
        raise NotImplementedError(f"{type(self).__name__}: mode is not defined.")

    @property
    def variance(self):
        """The variance."""
        raise NotImplementedError(f"{type(self).__name__}: variance is not defined.")

    @property
    def stddev(self):
        """The standard deviation."""
        return self.variance.sqrt()

    def expand(self, batch_shape, _instance=None):
        """The same distribution with its batch expanded to another shape."""
        new = self._expanded_parameters(batch_shape, _instance)
        return self._with_batch(new, batch_shape)

    # Classes whose parameters only have to be expanded name them in `_expanded`.

    def _expanded_parameters(self, batch_shape, _instance):
        """A new instance that has the named parameters, expanded, and nothing else."""
        owner = next((c for c in type(self).__mro__ if "_expanded" in c.__dict__), Distribution)
        new = self._get_checked_instance(owner, _instance)
        for name in getattr(self, "_expanded", ()):
            if name in self.__dict__:
                value = self.__dict__[name]
                event = tuple(value.shape[value.dim() - self._parameter_dims(name) :])
                new.__dict__[name] = value.expand(tuple(batch_shape) + event)
        return new

    def _with_batch(self, new, batch_shape):
        """Finishes a new instance of another batch: its shapes, without a validation of what was validated already."""
        Distribution.__init__(new, batch_shape, self._event_shape, validate_args=False)
        new._validate_args = self._validate_args
        return new

    def _parameter_dims(self, name):
        """How many of a parameter's last dimensions belong to the event."""
        return self.arg_constraints[name].event_dim if name in self.arg_constraints else len(self._event_shape)

    def _get_checked_instance(self, cls, _instance=None):
        if _instance is None and (cls is Distribution or type(self).__init__ != cls.__init__):
            raise NotImplementedError(
                f"{type(self).__name__}: expected a subclass with its own __init__ to define expand() too."
            )
        return self.__new__(type(self)) if _instance is None else _instance

    def sample(self, sample_shape=()):
        """Samples of shape sample_shape + batch_shape + event_shape, without gradients."""
        with wengert.no_grad():
            return self.rsample(sample_shape)

    def rsample(self, sample_shape=()):
        """Samples through which gradients reach the parameters."""
        raise NotImplementedError(f"{type(self).__name__}: rsample is not defined: no reparameterisation is known.")

    def sample_n(self, n):
        """n samples: the old form of sample((n,))."""
        return self.sample((n,))

    def log_prob(self, value):
        """The logarithm of the density or probability at a value; of shape sample_shape + batch_shape."""
        raise NotImplementedError(f"{type(self).__name__}: log_prob is not defined.")

    def cdf(self, value):
        """The probability of values not above `value`."""
        raise NotImplementedError(f"{type(self).__name__}: cdf is not defined.")

    def icdf(self, value):
        """The value whose cdf is `value`."""
        raise NotImplementedError(f"{type(self).__name__}: icdf is not defined.")

    def enumerate_support(self, expand=True):
        """All values of a discrete distribution, along a new first dimension."""
        raise NotImplementedError(f"{type(self).__name__}: enumerate_support is not defined.")

    def entropy(self):
        """The entropy in nats, of shape batch_shape."""
        raise NotImplementedError(f"{type(self).__name__}: entropy is not defined.")

    def perplexity(self):
        """exp(entropy)."""
        return self.entropy().exp()

    def _extended_shape(self, sample_shape=()):
        return wengert.Size(tuple(sample_shape) + tuple(self._batch_shape) + tuple(self._event_shape))

    def _validate_sample(self, value):
        """Raises ValueError for values of a wrong shape or outside the support."""
        name = type(self).__name__
        if not isinstance(value, wengert.Tensor):
            raise ValueError(f"{name}: expected a value that is a Tensor, got {type(value).__name__}.")
        first = value.dim() - len(self._event_shape)
        if tuple(value.shape[first:]) != tuple(self._event_shape):
            raise ValueError(
                f"{name}: expected a value whose last dimensions are {tuple(self._event_shape)}, got {tuple(value.shape)}."
            )
        wanted = tuple(self._batch_shape) + tuple(self._event_shape)
        for i, j in zip(reversed(tuple(value.shape)), reversed(wanted), strict=False):
            if i != 1 and j != 1 and i != j:
                raise ValueError(
                    f"{name}: expected a value that broadcasts with {wanted}, got {tuple(value.shape)}."
                )
        try:
            support = self.support
        except NotImplementedError:
            return
        if not holds(support, value):
            raise ValueError(
                f"{name}: expected a value of shape {tuple(value.shape)} within the support {support!r}, got invalid "
                f"values:\n{value}"
            )

    def __repr__(self):
        shown = []
        for name in self.arg_constraints:
            if name in self.__dict__:
                value = self.__dict__[name]
                shown.append(f"{name}: {value if value.numel() == 1 else value.size()}")
        return f"{type(self).__name__}({', '.join(shown)})"
