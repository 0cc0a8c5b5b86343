"""The categorical distribution."""

import wengert

from . import constraints
from .distribution import Distribution
from .utils import lazy_property, logits_to_probs, probs_to_logits


class Categorical(Distribution):
    """An index drawn with given probabilities.

    Args:
        probs: weights of the categories along the last dimension; they are normalised.
        logits: or their logarithms, up to a constant.

    Example:
        >>> import wengert
        >>> from wengert.distributions import Categorical
        >>> Categorical(probs=wengert.tensor([1.0, 3.0])).log_prob(wengert.tensor(1))
        tensor(-0.2877)
    """

    arg_constraints = {"probs": constraints.simplex, "logits": constraints.real_vector}
    has_enumerate_support = True

    def __init__(self, probs=None, logits=None, validate_args=None):
        if (probs is None) == (logits is None):
            raise ValueError(f"{type(self).__name__}: expected either probs or logits, got both or none.")
        given = probs if logits is None else logits
        if given.dim() < 1:
            raise ValueError(f"{type(self).__name__}: expected a parameter of at least 1 dimension, got 0.")
        if logits is None:
            self.probs = self._param = probs / probs.sum(-1, keepdim=True)
        else:
            self.logits = self._param = logits - logits.logsumexp(dim=-1, keepdim=True)
        self._num_events = given.shape[-1]
        super().__init__(given.shape[:-1], validate_args=validate_args)

    def expand(self, batch_shape, _instance=None):
        new = self._get_checked_instance(Categorical, _instance)
        for name in ("probs", "logits"):
            if name in self.__dict__:
                new.__dict__[name] = self.__dict__[name].expand((*batch_shape, self._num_events))
        new._param = new.__dict__["probs" if "probs" in self.__dict__ else "logits"]
        new._num_events = self._num_events
        return self._with_batch(new, batch_shape)

    @constraints.dependent_property(is_discrete=True, event_dim=0)
    def support(self):
        return constraints.integer_interval(0, self._num_events - 1)

    @lazy_property
    def logits(self):
        """Logarithms of the probabilities."""
        return probs_to_logits(self.probs)

    @lazy_property
    def probs(self):
        """Probabilities; they add up to 1."""
        return logits_to_probs(self.logits)

    @property
    def param_shape(self):
        """The shape of the parameter that was given."""
        return self._param.size()

    @property
    def mean(self):
        return wengert.full(self._extended_shape(), float("nan"), dtype=self.probs.dtype)

    @property
    def mode(self):
        return self.probs.argmax(-1)

    @property
    def variance(self):
        return wengert.full(self._extended_shape(), float("nan"), dtype=self.probs.dtype)

    def sample(self, sample_shape=()):
        sample_shape = wengert.Size(sample_shape)
        rows = self.probs.detach().reshape(-1, self._num_events)
        drawn = wengert.multinomial(rows, max(sample_shape.numel(), 1), True)
        if sample_shape.numel() == 0:
            return wengert.empty(self._extended_shape(sample_shape), dtype=wengert.int64)
        return drawn.T.reshape(self._extended_shape(sample_shape))

    def log_prob(self, value):
        if self._validate_args:
            self._validate_sample(value)
        value = value.long().unsqueeze(-1)
        shape = wengert.broadcast_shapes(tuple(value.shape[:-1]), tuple(self.logits.shape[:-1]))
        logits = self.logits.expand((*shape, self._num_events))
        return logits.gather(-1, value.expand((*shape, 1))).squeeze(-1)

    def entropy(self):
        floor = wengert.finfo(self.logits.dtype).min
        return -(self.logits.clamp(min=floor) * self.probs).sum(-1)

    def enumerate_support(self, expand=True):
        count = self._num_events
        values = wengert.arange(count).reshape((count,) + (1,) * len(self._batch_shape))
        return values.expand((count, *self._batch_shape)) if expand else values
