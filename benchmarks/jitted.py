"""What the contestants of jax share: a network's training step as one function of arrays, compiled by jax.jit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from . import peers
from .harness import Step

Update = Callable[[Any, list, list, Any], tuple[list, Any]]


def network(
    data: tuple[Sequence[np.ndarray], np.ndarray, np.ndarray],
    activation: str,
    loss: Callable[[Any, Any, Any], Any],
    update: Update,
    steps: int = 0,
) -> Step:
    """Return a step that waits for its loss, as the others have it when they return.

    Args:
        data: weight and bias of each dense layer, the input, and the target.
        activation: name in jax.nn, between the layers.
        loss: takes jax, the output and the target.
        update: takes jax.numpy, parameters, gradients and its own state (None at first); returns the new two.
        steps: how many of them a call scans over; 0 is one without a scan.
    """
    jax, jnp = peers.load("jax"), peers.load("jax.numpy")
    weights, *arrays = data
    activate = getattr(jax.nn, activation)

    def value(parameters, x, target):
        for k in range(0, len(parameters), 2):
            x = x @ parameters[k].T + parameters[k + 1]
            if k + 2 < len(parameters):
                x = activate(x)
        return loss(jax, x, target)

    def advance(state, x, target):
        parameters, own = state
        found, grads = jax.value_and_grad(value)(parameters, x, target)
        return update(jnp, parameters, grads, own), found

    def scanned(state, x, target):
        return jax.lax.scan(lambda s, _: advance(s, x, target), state, None, length=steps)

    run = jax.jit(scanned if steps else advance, donate_argnums=0)
    x, target = (jax.device_put(array) for array in arrays)
    parameters = [jax.device_put(array.copy()) for array in weights]
    state = parameters, update(jnp, parameters, None, None)[1]

    def step():
        nonlocal state
        state, found = run(state, x, target)
        return found.block_until_ready()

    return step


def squared_error(jax: Any, output: Any, target: Any) -> Any:
    """Return the mean squared error."""
    return ((output - target) ** 2).mean()


def cross_entropy(jax: Any, output: Any, labels: Any) -> Any:
    """Return the mean cross-entropy of logits."""
    found = jax.nn.log_softmax(output)
    return -jax.numpy.take_along_axis(found, labels[:, None], axis=1).mean()


def sgd(lr: float) -> Update:
    """Return gradient descent."""

    def update(jnp, parameters, grads, own):
        if grads is None:
            return parameters, ()
        return [p - lr * g for p, g in zip(parameters, grads, strict=True)], ()

    return update


def adam(lr: float) -> Update:
    """Return Adam with the usual settings."""

    def update(jnp, parameters, grads, own):
        if grads is None:
            return parameters, (
                jnp.zeros((), jnp.float32),
                [0 * p for p in parameters],
                [0 * p for p in parameters],
            )
        count = own[0] + 1
        first = [0.9 * m + 0.1 * g for m, g in zip(own[1], grads, strict=True)]
        second = [0.999 * v + 0.001 * g * g for v, g in zip(own[2], grads, strict=True)]
        rate, root = lr / (1 - 0.9**count), jnp.sqrt(1 - 0.999**count)
        triples = zip(parameters, first, second, strict=True)
        return [p - rate * m / (jnp.sqrt(v) / root + 1e-8) for p, m, v in triples], (count, first, second)

    return update
