"""What the relaxations of discrete distributions share."""

from .transformed_distribution import TransformedDistribution


class Relaxed(TransformedDistribution):
    """A transformed distribution whose parameters are those of its base: a temperature, and probabilities or logits."""

    has_rsample = True

    @property
    def temperature(self):
        """The temperature."""
        return self.base_dist.temperature

    @property
    def logits(self):
        """Log-odds, or logarithms of the probabilities of categories."""
        return self.base_dist.logits

    @property
    def probs(self):
        """Probabilities."""
        return self.base_dist.probs
