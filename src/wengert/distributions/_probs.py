"""Distributions that are given by probabilities or by logits; the other is computed when it is asked for."""

from .distribution import Distribution, lazy_property
from .utils import broadcast_all, logits_to_probs, probs_to_logits, shape_of


class ProbsOrLogits(Distribution):
    """A distribution with a parameter `probs` or `logits`, one of which is given."""

    _binary = True
    _expanded = ("probs", "logits")

    def __init__(self, probs=None, logits=None, validate_args=None):
        if (probs is None) == (logits is None):
            raise ValueError(f"{type(self).__name__}: expected either probs or logits, got both or none.")
        name, value = ("probs", probs) if logits is None else ("logits", logits)
        (value,) = broadcast_all(value)
        self.__dict__[name] = self._param = value
        super().__init__(shape_of(probs if logits is None else logits), validate_args=validate_args)

    def expand(self, batch_shape, _instance=None):
        new = super().expand(batch_shape, _instance)
        new._param = new.__dict__["probs" if "probs" in self.__dict__ else "logits"]
        return new

    @lazy_property
    def logits(self):
        """Log-odds."""
        return probs_to_logits(self.probs, is_binary=self._binary)

    @lazy_property
    def probs(self):
        """Probabilities."""
        return logits_to_probs(self.logits, is_binary=self._binary)

    @property
    def param_shape(self):
        """The shape of the parameter that was given."""
        return self._param.size()
