"""Operands of the calls: small arrays with fixed values."""

import zlib

import numpy as np


def _rng(shape, tag):
    return np.random.default_rng(zlib.crc32(f"{shape}{tag}".encode()))


def x(*shape, tag=""):
    """Normal values."""
    return np.asarray(_rng(shape, tag).normal(size=shape))


def y(*shape):
    """Normal values, others than x's."""
    return x(*shape, tag="y")


def pos(*shape):
    """Values between 0.2 and 2."""
    return np.asarray(_rng(shape, "pos").uniform(0.2, 2.0, shape))


def unit(*shape):
    """Values between 0.05 and 0.95."""
    return np.asarray(_rng(shape, "unit").uniform(0.05, 0.95, shape))


def i(high, *shape):
    """Whole numbers from 0 to high - 1."""
    return np.asarray(_rng(shape, f"i{high}").integers(0, high, shape))


def b(*shape):
    """Truth values."""
    return np.asarray(_rng(shape, "b").random(shape) < 0.5)


def spd(n, *batch):
    """Symmetric matrices with positive eigenvalues."""
    a = x(*batch, n, n)
    return a @ a.swapaxes(-1, -2) + n * np.eye(n)
