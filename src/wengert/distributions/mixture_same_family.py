"""Mixtures of distributions of one kind."""

import wengert

from . import constraints
from .categorical import Categorical
from .distribution import Distribution


class MixtureSameFamily(Distribution):
    """A component is drawn, then a value from it.

    Args:
        mixture_distribution: a Categorical over the components; without a batch, or with that of the components.
        component_distribution: a distribution whose last batch dimension counts the components.

    Raises ValueError for other kinds, numbers of components or batches.

    Example:
        >>> import wengert
        >>> from wengert.distributions import Categorical, MixtureSameFamily, Normal
        >>> two = MixtureSameFamily(Categorical(wengert.ones(2)), Normal(wengert.tensor([-1.0, 1.0]), 0.5))
        >>> two.mean, two.variance
        (tensor(0.), tensor(1.2500))
    """

    arg_constraints = {}
    has_rsample = False

    def __init__(self, mixture_distribution, component_distribution, validate_args=None):
        _check_parts(mixture_distribution, component_distribution)
        self._mixture_distribution, self._component_distribution = mixture_distribution, component_distribution
        self._num_component = mixture_distribution._num_events
        super().__init__(
            component_distribution.batch_shape[:-1], component_distribution.event_shape, validate_args=validate_args
        )

    def expand(self, batch_shape, _instance=None):
        new = self._get_checked_instance(MixtureSameFamily, _instance)
        new._mixture_distribution = self._mixture_distribution.expand(batch_shape)
        new._component_distribution = self._component_distribution.expand((*batch_shape, self._num_component))
        new._num_component = self._num_component
        return self._with_batch(new, batch_shape)

    @constraints.dependent_property
    def support(self):
        return constraints.MixtureSameFamilyConstraint(self._component_distribution.support)

    @property
    def mixture_distribution(self):
        """The distribution of the component's index."""
        return self._mixture_distribution

    @property
    def component_distribution(self):
        """The components."""
        return self._component_distribution

    @property
    def _component_dim(self):
        return -1 - len(self._event_shape)

    def _average(self, values):
        """The weighted sum over the components of values of shape batch + (components,) + event."""
        probs = self._mixture_distribution.probs
        weights = probs.reshape((*probs.shape, *(1 for _ in self._event_shape)))
        return (weights * values).sum(self._component_dim)

    @property
    def mean(self):
        return self._average(self._component_distribution.mean)

    @property
    def variance(self):
        """The mean of the components' variances, and the variance of their means."""
        parts = self._component_distribution
        return self._average(parts.variance + (parts.mean - self.mean.unsqueeze(self._component_dim)) ** 2)

    def cdf(self, x):
        values = self._component_distribution.cdf(x.unsqueeze(self._component_dim))
        return (values * self._mixture_distribution.probs).sum(-1)

    def log_prob(self, x):
        if self._validate_args:
            self._validate_sample(x)
        values = self._component_distribution.log_prob(x.unsqueeze(self._component_dim))
        return (values + self._mixture_distribution.logits.log_softmax(-1)).logsumexp(-1)

    def sample(self, sample_shape=()):
        with wengert.no_grad():
            values = self._component_distribution.sample(sample_shape)
            dim = values.dim() + self._component_dim
            index = self._mixture_distribution.expand(self._batch_shape).sample(sample_shape)
            batch, event = tuple(values.shape[:dim]), tuple(self._event_shape)
            index = index.reshape((*batch, 1, *(1 for _ in event))).expand((*batch, 1, *event))
            return values.gather(dim, index).squeeze(dim)

    def __repr__(self):
        return f"MixtureSameFamily(\n  {self._mixture_distribution},\n  {self._component_distribution})"


def _check_parts(mixture, components):
    if not isinstance(mixture, Categorical):
        raise ValueError(f"MixtureSameFamily: expected a Categorical, got {type(mixture).__name__}.")
    if not isinstance(components, Distribution):
        raise ValueError(
            f"MixtureSameFamily: expected components, a Distribution, got {type(components).__name__}."
        )
    if not components.batch_shape or components.batch_shape[-1] != mixture._num_events:
        raise ValueError(
            f"MixtureSameFamily: expected components whose last batch dimension is {mixture._num_events}, got the batch "
            f"shape {tuple(components.batch_shape)}."
        )
    batch = tuple(components.batch_shape[:-1])
    for i, j in zip(reversed(tuple(mixture.batch_shape)), reversed(batch), strict=False):
        if i != 1 and j != 1 and i != j:
            raise ValueError(
                f"MixtureSameFamily: expected a mixture whose batch broadcasts with {batch}, got "
                f"{tuple(mixture.batch_shape)}."
            )
