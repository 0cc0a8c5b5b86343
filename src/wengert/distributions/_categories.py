"""Distributions of events over categories: their probabilities are those of a Categorical."""

from .categorical import Categorical
from .distribution import Distribution


class OverCategories(Distribution):
    """A distribution of vectors with an element for each category; it keeps a Categorical."""

    _kept = ()  # what an expanded instance takes over as it is

    def __init__(self, probs=None, logits=None, validate_args=None):
        self._categorical = Categorical(probs, logits, validate_args)
        event = (self._categorical._num_events,)
        super().__init__(self._categorical.batch_shape, event, validate_args=validate_args)

    def expand(self, batch_shape, _instance=None):
        new = self._expanded_parameters(batch_shape, _instance)
        new._categorical = self._categorical.expand(batch_shape)
        new.__dict__.update({name: self.__dict__[name] for name in self._kept})
        return self._with_batch(new, batch_shape)

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
