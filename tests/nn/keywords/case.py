"""One call of a module: how it is made, and what it is fed."""

import itertools
import zlib
from dataclasses import dataclass, field

import numpy as np


@dataclass
class Case:
    """A constructor's arguments and the inputs of a call; arrays stand for tensors, wherever they are."""

    name: str
    args: tuple = ()
    kwargs: dict = field(default_factory=dict)
    inputs: tuple = ()
    named: dict = field(default_factory=dict)
    training: bool = True
    steps: int = 1

    def __str__(self):
        shown = [repr(a) for a in self.args] + [f"{k}={_short(v)}" for k, v in self.kwargs.items()]
        shapes = ",".join("x".join(map(str, np.shape(a))) or "0d" for a in self.inputs if isinstance(a, np.ndarray))
        mode = "" if self.training else " eval"
        return f"{self.name}({', '.join(shown)}) {shapes}{mode}" + "".join(f" {k}" for k in self.named)


def _short(value):
    return f"array{value.shape}" if isinstance(value, np.ndarray) else repr(value)


def grid(name, *args, inputs, named=None, training=(True,), steps=1, **options):
    """A case for every combination of the options' values (lists), of the lists of inputs, and of the modes."""
    found = []
    choices = [[(k, v) for v in values] for k, values in options.items()]
    for chosen in itertools.product(*choices):
        for given in inputs:
            for mode in training:
                found.append(Case(name, args, dict(chosen), tuple(given), named or {}, mode, steps))
    return found


def each(name, *args, inputs, named=None, training=(True,), steps=1, base=None, **options):
    """A case for every value of every option, the others at their defaults (or at `base`'s)."""
    base = base or {}
    found = grid(
        name, *args, inputs=inputs, named=named, training=training, steps=steps, **{k: [v] for k, v in base.items()}
    )
    for key, values in options.items():
        for value in values:
            kwargs = {**base, key: value}
            for given in inputs:
                for mode in training:
                    found.append(Case(name, args, kwargs, tuple(given), named or {}, mode, steps))
    return found


def real(*shape):
    """Normal numbers, the same ones for a shape in every run."""
    return np.random.default_rng(zlib.crc32(repr(shape).encode())).standard_normal(shape)


def other(*shape):
    """Normal numbers beside those of `real`."""
    return np.random.default_rng(zlib.crc32(repr(shape).encode()) + 1).standard_normal(shape)


def unit(*shape):
    """Numbers between 0.05 and 0.95."""
    return np.random.default_rng(zlib.crc32(repr(shape).encode()) + 2).uniform(0.05, 0.95, shape)


def signs(*shape):
    """Ones and minus ones."""
    return np.where(np.random.default_rng(zlib.crc32(repr(shape).encode()) + 3).random(shape) < 0.5, -1.0, 1.0)


class Fixed(np.ndarray):
    """Numbers that ask for no gradient."""


def fixed(array):
    """The same numbers, asking for no gradient."""
    return array.view(Fixed)


def whole(high, *shape):
    """Whole numbers below `high`."""
    return np.random.default_rng(zlib.crc32(repr((high, shape)).encode())).integers(0, high, shape)
