"""Complex arrays that the tests of complex numbers share."""

import numpy as np


def generator(seed):
    """A generator, and a function that draws complex arrays from it. Every file has its own: files run alone, too."""
    rng = np.random.default_rng(seed)
    return rng, lambda *shape: rng.normal(size=shape) + 1j * rng.normal(size=shape)


RNG, drawn = generator(11)


Z, Y = drawn(3, 4), drawn(3, 4)
R = RNG.normal(size=(3, 4))
P = RNG.uniform(0.5, 2.0, size=(3, 4))  # real and positive
ROW = drawn(4)
V, W = drawn(5), drawn(5)
M, N, S = drawn(3, 4), drawn(4, 2), drawn(3, 3)
B3, C3 = drawn(2, 3, 4), drawn(2, 4, 5)
ZERO = np.array([0j, 1 + 1j, 0j])
INDEX = np.array([2, 0, 2])
MASK = np.array([[True, False, True, True], [False] * 4, [True] * 4])
