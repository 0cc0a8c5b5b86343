"""Ten thousand operations on scalars, forward and backward."""

from __future__ import annotations

from .. import peers
from ..harness import Row, Step

_OPS = 10_000
_FACTOR = 0.999
_CHECKS = 4  # after so many calls a compiled step has its plan: how often a sample calls it is found by its time


def _expected() -> list[float]:
    """Return dz/dx of z ← z·f + x, repeated n times from z = x: f^n + (1 - f^n)/(1 - f), for each step."""
    power = _FACTOR ** (_OPS // 2)
    return [power + (1 - power) / (1 - _FACTOR)] * _CHECKS


def _tensors(name: str, compiled: bool = False) -> Step:
    module = peers.load(name)
    x = module.tensor(0.01, requires_grad=True)
    factor = module.tensor(_FACTOR)

    def step():
        x.grad = None
        z = x
        for _ in range(_OPS // 2):
            z = z * factor + x
        z.backward()
        return x.grad

    return peers.compiler(name)(step) if compiled else step


def _pure() -> Step:
    from wengert._pure import Value

    x = Value(0.01)

    def step():
        x.grad = 0.0
        z = x
        for _ in range(_OPS // 2):
            z = z * _FACTOR + x
        z.backward()
        return x.grad

    return step


def _autograd() -> Step:
    autograd = peers.load("autograd")

    def last(x):
        z = x
        for _ in range(_OPS // 2):
            z = z * _FACTOR + x
        return z

    gradient = autograd.grad(last)
    return lambda: gradient(0.01)


ROWS = [
    Row(
        name="scalar-chain",
        title="chain of 10,000 scalar ops, forward and backward",
        contestants={
            "wengert": lambda: _tensors("wengert"),
            "wengert plan": lambda: _tensors("wengert", compiled=True),
            "pure": _pure,
            "torch": lambda: _tensors("torch"),
            "autograd": _autograd,
        },
        reference=_expected,
        units=_OPS,
        unit="op",
        check_steps=_CHECKS,
    )
]
