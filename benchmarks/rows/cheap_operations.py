"""A hundred thousand elements through a dozen cheap operations, and through a few dear ones: forward only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import peers
from ..harness import Row, Step

_COUNT = 100_000
_COEFFICIENTS = (0.3, -0.4, 0.5, -0.6, 0.7)


def _data() -> np.ndarray:
    return np.random.default_rng(0).standard_normal(_COUNT, dtype=np.float32)


def _horner(x: Any) -> Any:
    y = x * 0.1 + 0.2
    for c in _COEFFICIENTS:
        y = y * x + c
    return y


def _powers(x: Any) -> Any:
    power, total = x, x * 0.5 + 0.25
    for c in _COEFFICIENTS[:3]:
        power = power * x
        total = total + power * c
    return total * x


def _tensors(name: str, function: Callable[[Any], Any], compiled: bool = False) -> Step:
    x = peers.load(name).from_numpy(_data())
    if compiled:
        function = peers.compiler(name)(function)
    return lambda: function(x)


def _numpy(function: Callable[[Any], Any]) -> Step:
    x = _data()
    return lambda: function(x)


def _expression(x: Any) -> Any:
    if isinstance(x, np.ndarray):
        return np.tanh(np.float32(1.3) * x + np.float32(0.2)) * np.exp(-x * x) + np.sqrt(np.abs(x))
    return (1.3 * x + 0.2).tanh() * (-x * x).exp() + x.abs().sqrt()


def _row(name: str, title: str, function: Callable[[Any], Any]) -> Row:
    return Row(
        name=name,
        title=title,
        contestants={
            "wengert": lambda: _tensors("wengert", function),
            "wengert plan": lambda: _tensors("wengert", function, compiled=True),
            "numpy": lambda: _numpy(function),
            "torch": lambda: _tensors("torch", function),
        },
        reference="numpy",
        units=_COUNT,
        unit="element",
        check_steps=4,
        rtol=1e-4,
    )


ROWS = [
    _row("polynomial-horner", "a polynomial of 12 operations by Horner's rule, 100,000 elements, forward", _horner),
    _row("polynomial-powers", "a polynomial of 12 operations by its powers, 100,000 elements, forward", _powers),
    _row("expression-1e5", "tanh(a*x+b)*exp(-x*x)+sqrt(abs(x)), 100,000 elements, forward", _expression),
]
