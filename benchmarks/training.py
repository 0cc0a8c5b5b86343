"""What the contestants with the PyTorch API share: one training step of a model on a fixed batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

import numpy as np

from . import peers
from .harness import Step


def training_step(
    name: str,
    build: Callable[[ModuleType], Any],
    data: tuple[Sequence[np.ndarray], np.ndarray, np.ndarray],
    optimizer: Callable[[ModuleType, Any], Any],
    loss_name: str,
    compiled: bool = False,
) -> Step:
    """Return a step: forget gradients, forward, loss, backward, optimizer.

    Args:
        name: library with the PyTorch API.
        build: makes the model from the library's nn.
        data: arrays for the parameters, the input, and the target.
        optimizer: makes the optimizer from the library and the parameters.
        loss_name: the loss in nn.functional.
        compiled: whether the library compiles the step.
    """
    module = peers.load(name)
    loss_of = getattr(module.nn.functional, loss_name)
    weights, *arrays = data
    x, target = (module.from_numpy(array) for array in arrays)
    model = build(module.nn)
    with module.no_grad():
        for parameter, array in zip(model.parameters(), weights, strict=True):
            parameter.copy_(module.from_numpy(array))
    updates = optimizer(module, model.parameters())

    def step():
        updates.zero_grad()
        loss = loss_of(model(x), target)
        loss.backward()
        updates.step()
        return loss

    return peers.compiler(name)(step) if compiled else step
