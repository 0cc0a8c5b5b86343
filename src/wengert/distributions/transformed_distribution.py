"""The distribution of a transformed variable."""

import wengert

from . import constraints
from .distribution import Distribution
from .independent import Independent
from .transforms import ComposeTransform, Transform
from .utils import sum_last


class TransformedDistribution(Distribution):
    """The distribution of t(x) for x from a base distribution and a transform t, or a list of them in their order.

    Example:
        >>> import wengert
        >>> from wengert.distributions import ExpTransform, Normal, TransformedDistribution
        >>> TransformedDistribution(Normal(0.0, 1.0), [ExpTransform()]).log_prob(wengert.tensor(1.0))
        tensor(-0.9189)
    """

    arg_constraints = {}
    _expanded = ()

    def __init__(self, base_distribution, transforms, validate_args=None):
        if isinstance(transforms, Transform):
            transforms = [transforms]
        if not isinstance(transforms, list) or not all(isinstance(t, Transform) for t in transforms):
            raise ValueError(
                f"TransformedDistribution: expected a Transform or a list of them, got {transforms!r}."
            )
        self.transforms = transforms
        whole = ComposeTransform(transforms)
        base_shape = tuple(base_distribution.batch_shape) + tuple(base_distribution.event_shape)
        if len(base_shape) < whole.domain.event_dim:
            raise ValueError(
                f"TransformedDistribution: expected a base of at least {whole.domain.event_dim} dimensions, got "
                f"{base_shape}."
            )
        shape = tuple(whole.forward_shape(base_shape))
        expanded = tuple(whole.inverse_shape(shape))
        base_event = len(base_distribution.event_shape)
        if expanded != base_shape:
            base_distribution = base_distribution.expand(expanded[: len(expanded) - base_event])
        joined = whole.domain.event_dim - base_event
        if joined > 0:
            base_distribution = Independent(base_distribution, joined)
        self.base_dist = base_distribution
        event = whole.codomain.event_dim + max(base_event - whole.domain.event_dim, 0)
        cut = len(shape) - event
        super().__init__(shape[:cut], shape[cut:], validate_args=validate_args)

    def expand(self, batch_shape, _instance=None):
        new = self._expanded_parameters(batch_shape, _instance)
        new.transforms = self.transforms
        whole = ComposeTransform(self.transforms)
        shape = tuple(whole.inverse_shape(tuple(batch_shape) + tuple(self.event_shape)))
        new.base_dist = self.base_dist.expand(shape[: len(shape) - len(self.base_dist.event_shape)])
        return self._with_batch(new, batch_shape)

    @constraints.dependent_property(is_discrete=False)
    def support(self):
        if not self.transforms:
            return self.base_dist.support
        last = self.transforms[-1].codomain
        missing = len(self.event_shape) - last.event_dim
        return constraints.independent(last, missing) if missing > 0 else last

    @property
    def has_rsample(self):
        """Whether the base has rsample."""
        return self.base_dist.has_rsample

    def sample(self, sample_shape=()):
        with wengert.no_grad():
            return self._map(self.base_dist.sample(sample_shape))

    def rsample(self, sample_shape=()):
        return self._map(self.base_dist.rsample(sample_shape))

    def _map(self, x):
        for t in self.transforms:
            x = t(x)
        return x

    def log_prob(self, value):
        if self._validate_args:
            self._validate_sample(value)
        event, total, y = len(self.event_shape), 0.0, value
        for t in reversed(self.transforms):
            x = t.inv(y)
            event += t.domain.event_dim - t.codomain.event_dim
            total = total - sum_last(t.log_abs_det_jacobian(x, y), event - t.domain.event_dim)
            y = x
        return total + sum_last(self.base_dist.log_prob(y), event - len(self.base_dist.event_shape))

    def _sign(self):
        sign = 1
        for t in self.transforms:
            sign = sign * t.sign
        return sign

    def cdf(self, value):
        for t in reversed(self.transforms):
            value = t.inv(value)
        return self._flip(self.base_dist.cdf(value))

    def icdf(self, value):
        return self._map(self.base_dist.icdf(self._flip(value)))

    def _flip(self, probability):
        sign = self._sign()
        if isinstance(sign, int) and sign == 1:
            return probability
        return sign * (probability - 0.5) + 0.5
