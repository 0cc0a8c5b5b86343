"""The continuous Bernoulli distribution."""

import math

import wengert

from . import constraints
from ._probs import ProbsOrLogits, which
from .exp_family import ExponentialFamily
from .utils import clamp_probs, lazy_property, logits_to_probs


class ContinuousBernoulli(ProbsOrLogits, ExponentialFamily):
    """The distribution on [0, 1] with a density proportional to probs^x (1 - probs)^(1 - x).

    Loaiza-Ganem and Cunningham, The continuous Bernoulli: fixing a pervasive error in variational autoencoders (2019).

    Args:
        probs, logits: one of them; they are not the probability and the log-odds of anything.
        lims: the region of probs around 1/2 where Taylor expansions take the place of formulas that divide by 0 there.
    """

    arg_constraints = {"probs": constraints.unit_interval, "logits": constraints.real}
    support = constraints.unit_interval
    has_rsample = True
    _mean_carrier_measure = 0
    _expanded = ("probs", "logits")

    def __init__(self, probs=None, logits=None, lims=(0.499, 0.501), validate_args=None):
        self._lims = lims
        super().__init__(probs, logits, validate_args)
        if which(self, probs, logits)[0] == "probs":  # validated as given, kept away from 0 and 1
            self._keep("probs", clamp_probs(self.probs))

    def expand(self, batch_shape, _instance=None):
        new = super().expand(batch_shape, _instance)
        new._lims = self._lims
        return new

    @lazy_property
    def probs(self):
        """The parameter in (0, 1)."""
        return clamp_probs(logits_to_probs(self.logits, is_binary=True))

    def _split(self):
        """Where the formulas hold, the parameter with a value of that region elsewhere, and its distance from 1/2."""
        safe = (self.probs <= self._lims[0]) | (self.probs > self._lims[1])
        return safe, wengert.where(safe, self.probs, self._lims[0]), self.probs - 0.5

    def _cont_bern_log_norm(self):
        """The logarithm of what makes the density integrate to 1."""
        safe, p, x = self._split()
        formula = ((-p).log1p() - p.log()).abs().log() - (1 - 2 * p).abs().log()
        return wengert.where(safe, formula, math.log(2.0) + (4.0 / 3.0 + 104.0 / 45.0 * x**2) * x**2)

    @property
    def mean(self):
        safe, p, x = self._split()
        formula = p / (2.0 * p - 1.0) + 1.0 / ((-p).log1p() - p.log())
        return wengert.where(safe, formula, 0.5 + (1.0 / 3.0 + 16.0 / 45.0 * x**2) * x)

    @property
    def variance(self):
        safe, p, x = self._split()
        formula = p * (p - 1.0) / (1.0 - 2.0 * p) ** 2 + 1.0 / ((-p).log1p() - p.log()) ** 2
        return wengert.where(safe, formula, 1.0 / 12.0 - (1.0 / 15.0 - 128.0 / 945.0 * x**2) * x**2)

    def rsample(self, sample_shape=()):
        return self.icdf(wengert.rand(self._extended_shape(sample_shape), dtype=self.probs.dtype))

    def log_prob(self, value):
        if self._validate_args:
            self._validate_sample(value)
        logits, value = wengert.broadcast_tensors(self.logits, value)
        loss = wengert.nn.functional.binary_cross_entropy_with_logits(logits, value, reduction="none")
        return self._cont_bern_log_norm() - loss

    def cdf(self, value):
        if self._validate_args:
            self._validate_sample(value)
        safe, p, _ = self._split()
        formula = (p**value * (1.0 - p) ** (1.0 - value) + p - 1.0) / (2.0 * p - 1.0)
        inside = wengert.where(safe, formula, value)
        return wengert.where(value <= 0, 0.0, wengert.where(value >= 1, 1.0, inside))

    def icdf(self, value):
        safe, p, _ = self._split()
        formula = ((-p + value * (2.0 * p - 1.0)).log1p() - (-p).log1p()) / (p.log() - (-p).log1p())
        return wengert.where(safe, formula, value)

    def entropy(self):
        no, yes = (-self.probs).log1p(), self.probs.log()
        return self.mean * (no - yes) - self._cont_bern_log_norm() - no

    @property
    def _natural_params(self):
        return (self.logits,)

    def _log_normalizer(self, x):
        safe = (x <= self._lims[0] - 0.5) | (x > self._lims[1] - 0.5)
        far = wengert.where(safe, x, 1.0)
        formula = far.expm1().abs().log() - far.abs().log()
        return wengert.where(safe, formula, 0.5 * x + x**2 / 24.0 - x**4 / 2880.0)
