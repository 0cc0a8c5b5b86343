"""Distributions that are given by probabilities or by logits; the other is computed when it is asked for."""

from .distribution import Distribution
from .utils import broadcast_all, lazy_property, logits_to_probs, probs_to_logits, shape_of


def which(owner, probs, logits):
    """("probs", probs) or ("logits", logits): the one that was given. Raises ValueError for both or none."""
    if (probs is None) == (logits is None):
        raise ValueError(f"{type(owner).__name__}: expected either probs or logits, got both or none.")
    return ("probs", probs) if logits is None else ("logits", logits)


class ProbsOrLogits(Distribution):
    """A distribution with a parameter `probs` or `logits`, one of which is given."""

    _expanded = ("probs", "logits")

    def __init__(self, probs=None, logits=None, validate_args=None):
        name, given = which(self, probs, logits)
        (value,) = broadcast_all(given)
        self._keep(name, value)
        super().__init__(shape_of(given), validate_args=validate_args)

    def _keep(self, name, value):
        self.__dict__[name] = self._param = value

    def expand(self, batch_shape, _instance=None):
        new = super().expand(batch_shape, _instance)
        new._param = new.__dict__["probs" if "probs" in self.__dict__ else "logits"]
        return new

    @lazy_property
    def logits(self):
        """Log-odds."""
        return probs_to_logits(self.probs, is_binary=True)

    @lazy_property
    def probs(self):
        """Probabilities."""
        return logits_to_probs(self.logits, is_binary=True)

    @property
    def param_shape(self):
        """The shape of the parameter that was given."""
        return self._param.size()


class CountedTrials(ProbsOrLogits):
    """A distribution of trials that succeed with a probability, and a number of them: `total_count`."""

    _expanded = ("total_count", "probs", "logits")

    def __init__(self, total_count=1, probs=None, logits=None, validate_args=None):
        name, given = which(self, probs, logits)
        count, value = broadcast_all(total_count, given)
        self._keep(name, value)
        self.total_count = count.to(value.dtype)
        Distribution.__init__(self, value.shape, validate_args=validate_args)
