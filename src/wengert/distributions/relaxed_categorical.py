"""The relaxed one-hot categorical distribution: probabilities instead of one 1, with gradients through samples.

Maddison, Mnih and Teh, The concrete distribution (2017); Jang, Gu and Poole, Categorical reparameterization with
Gumbel-softmax (2017).
"""

import wengert

from . import constraints
from .categorical import Categorical
from .distribution import Distribution
from .transformed_distribution import TransformedDistribution
from .transforms import ExpTransform
from .utils import broadcast_all, clamp_probs


class ExpRelaxedCategorical(Distribution):
    """The distribution of the logarithms of RelaxedOneHotCategorical's samples; arguments as there."""

    arg_constraints = {"probs": constraints.simplex, "logits": constraints.real_vector}
    support = constraints.real_vector
    has_rsample = True

    def __init__(self, temperature, probs=None, logits=None, validate_args=None):
        self.temperature = temperature
        self._categorical = Categorical(probs, logits)
        event = (self._categorical._num_events,)
        super().__init__(self._categorical.batch_shape, event, validate_args=validate_args)

    def expand(self, batch_shape, _instance=None):
        new = self._get_checked_instance(ExpRelaxedCategorical, _instance)
        new.temperature = self.temperature
        new._categorical = self._categorical.expand(batch_shape)
        Distribution.__init__(new, batch_shape, self._event_shape, validate_args=False)
        new._validate_args = self._validate_args
        return new

    @property
    def probs(self):
        """Probabilities of the categories."""
        return self._categorical.probs

    @property
    def logits(self):
        """Logarithms of the probabilities."""
        return self._categorical.logits

    @property
    def param_shape(self):
        """The shape of the parameter that was given."""
        return self._categorical.param_shape

    def rsample(self, sample_shape=()):
        u = clamp_probs(wengert.rand(self._extended_shape(sample_shape), dtype=self.logits.dtype))
        return ((self.logits - (-u.log()).log()) / self.temperature).log_softmax(-1)

    def log_prob(self, value):
        if self._validate_args:
            self._validate_sample(value)
        logits, value = broadcast_all(self.logits, value)
        temperature = wengert.as_tensor(self.temperature, dtype=logits.dtype)
        count = float(self._event_shape[0])
        size = wengert.full_like(temperature, count).lgamma() + (count - 1) * temperature.log()
        return (logits - value * temperature).log_softmax(-1).sum(-1) + size


class RelaxedOneHotCategorical(TransformedDistribution):
    """Probabilities of categories, nearer to one 1 the lower the temperature; their largest is a Categorical sample.

    Args:
        temperature: a positive tensor or number.
        probs, logits: as for Categorical.

    Example:
        >>> import wengert
        >>> from wengert.distributions import RelaxedOneHotCategorical
        >>> RelaxedOneHotCategorical(wengert.tensor(0.5), logits=wengert.zeros(4)).rsample((2,)).shape
        wengert.Size([2, 4])
    """

    arg_constraints = {"probs": constraints.simplex, "logits": constraints.real_vector}
    support = constraints.simplex
    has_rsample = True
    _expanded = ()

    def __init__(self, temperature, probs=None, logits=None, validate_args=None):
        base = ExpRelaxedCategorical(temperature, probs, logits, validate_args=validate_args)
        super().__init__(base, ExpTransform(), validate_args=validate_args)

    @property
    def temperature(self):
        """The temperature."""
        return self.base_dist.temperature

    @property
    def logits(self):
        """Logarithms of the probabilities."""
        return self.base_dist.logits

    @property
    def probs(self):
        """Probabilities of the categories."""
        return self.base_dist.probs
