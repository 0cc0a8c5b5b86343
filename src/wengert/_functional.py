"""What nn.functional takes from the core: activations, normalisation, convolution, losses."""

from ._functional_loss import (
    cross_entropy,
    embedding,
    embedding_bag,
    linear,
    log_softmax,
    nll_loss,
    one_hot,
    softmax,
    softmin,
    torch_log_softmax,
    torch_softmax,
)

FUNCTIONS = {"softmax": torch_softmax, "log_softmax": torch_log_softmax}
METHODS = {"softmax": torch_softmax, "log_softmax": torch_log_softmax}

__all__ = [
    "cross_entropy",
    "embedding",
    "embedding_bag",
    "linear",
    "log_softmax",
    "nll_loss",
    "one_hot",
    "softmax",
    "softmin",
]
