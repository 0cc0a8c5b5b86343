"""What the hand-written NumPy contestants share: the loss, the optimizers, and the activations' derivatives."""

from __future__ import annotations

import math

import numpy as np

Array = np.ndarray


def cross_entropy(logits: Array, labels: Array) -> tuple[float, Array]:
    """Return the mean cross-entropy of (n, classes) logits and its gradient by them."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    exps = np.exp(shifted)
    total = exps.sum(axis=1, keepdims=True)
    rows = np.arange(len(labels))
    loss = float((np.log(total[:, 0]) - shifted[rows, labels]).mean())
    grad = exps / total
    grad[rows, labels] -= 1
    grad *= np.float32(1 / len(labels))
    return loss, grad


class Adam:
    """Adam, or AdamW with ``decay`` > 0, updating arrays in place.

    Args:
        parameters: arrays to be updated.
        lr: step size.
        decay: decoupled weight decay.
    """

    def __init__(self, parameters: list[Array], lr: float, decay: float = 0.0):
        self._parameters = parameters
        self._first = [np.zeros_like(p) for p in parameters]
        self._second = [np.zeros_like(p) for p in parameters]
        self._lr = lr
        self._decay = decay
        self._steps = 0

    def step(self, grads: list[Array]) -> None:
        """Update every parameter with its gradient."""
        self._steps += 1
        root = math.sqrt(1 - 0.999**self._steps)
        rate = np.float32(self._lr / (1 - 0.9**self._steps))
        for p, g, m, v in zip(self._parameters, grads, self._first, self._second, strict=True):
            if self._decay:
                p *= np.float32(1 - self._lr * self._decay)
            m *= np.float32(0.9)
            m += np.float32(0.1) * g
            v *= np.float32(0.999)
            v += np.float32(0.001) * (g * g)
            denominator = np.sqrt(v)
            denominator *= np.float32(1 / root)
            denominator += np.float32(1e-8)
            p -= rate * (m / denominator)


def uniform(rng: np.random.Generator, *shape: int, fan_in: int) -> Array:
    """Return float32 weights, uniform within 1/sqrt(fan_in)."""
    bound = 1 / math.sqrt(fan_in)
    return rng.uniform(-bound, bound, shape).astype(np.float32)


def dense(rng: np.random.Generator, *sizes: int) -> list[Array]:
    """Return weight (out, in) and bias (out,) of each layer between ``sizes``, in one flat list."""
    return [
        array
        for m, n in zip(sizes, sizes[1:], strict=False)
        for array in (uniform(rng, n, m, fan_in=m), uniform(rng, n, fan_in=m))
    ]


def leaves(module, arrays: list[Array]) -> list:
    """Return trainable tensors of ``module`` with copies of the arrays."""
    return [module.from_numpy(array.copy()).requires_grad_() for array in arrays]
