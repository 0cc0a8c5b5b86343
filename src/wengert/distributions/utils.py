"""What distributions share: broadcasting of parameters, probabilities and logits."""

import wengert

from .distribution import lazy_property

__all__ = ["broadcast_all", "clamp_probs", "lazy_property", "logits_to_probs", "probs_to_logits"]


def broadcast_all(*values):
    """Tensors and numbers as tensors of one shape; numbers take the dtype of the tensors, or the default one."""
    for v in values:
        if not isinstance(v, (wengert.Tensor, int, float)):
            raise ValueError(f"broadcast_all: expected tensors or numbers, got {type(v).__name__}.")
    dtype = next((v.dtype for v in values if isinstance(v, wengert.Tensor)), wengert.get_default_dtype())
    made = [v if isinstance(v, wengert.Tensor) else wengert.tensor(v, dtype=dtype) for v in values]
    return wengert.broadcast_tensors(*made)


def shape_of(*values):
    """The batch shape of broadcast parameters: () where all of them were numbers."""
    if all(isinstance(v, (int, float)) for v in values):
        return wengert.Size()
    return wengert.broadcast_shapes(*[tuple(v.shape) if isinstance(v, wengert.Tensor) else () for v in values])


def clamp_probs(probs):
    """Probabilities kept away from 0 and 1 by the dtype's rounding error, so that logarithms are finite."""
    eps = wengert.finfo(probs.dtype).eps
    return probs.clamp(min=eps, max=1 - eps)


def logits_to_probs(logits, is_binary=False):
    """Probabilities from log-odds (binary) or from unnormalised log-probabilities of categories."""
    return logits.sigmoid() if is_binary else logits.softmax(-1)


def probs_to_logits(probs, is_binary=False):
    """Log-odds (binary) or log-probabilities of categories from probabilities."""
    safe = clamp_probs(probs)
    return safe.log() - (-safe).log1p() if is_binary else safe.log()
