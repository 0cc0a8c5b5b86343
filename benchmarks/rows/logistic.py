"""Hamiltonian Monte Carlo on logistic regression: a thousand gradients in a row of leapfrog steps."""

from __future__ import annotations

import numpy as np

from .. import peers
from ..harness import Row, Step

_POINTS, _FEATURES, _STEPS = 1000, 20, 1000
_EPS = np.float32(1e-3)


def _data() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return X (N, D), y in {0, 1} (N,), a position and a momentum (D,)."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((_POINTS, _FEATURES), dtype=np.float32)
    truth = rng.standard_normal(_FEATURES, dtype=np.float32)
    y = (rng.random(_POINTS) < 1 / (1 + np.exp(-x @ truth))).astype(np.float32)
    return x, y, np.zeros(_FEATURES, dtype=np.float32), rng.standard_normal(_FEATURES, dtype=np.float32)


def _tensors(name: str, compiled: bool = False) -> Step:
    module = peers.load(name)
    softplus = module.nn.functional.softplus
    x, y, start, push = (module.from_numpy(array) for array in _data())
    eps = float(_EPS)

    def gradient(position):
        q = position.detach().requires_grad_()
        z = x @ q
        energy = softplus(z).sum() - (y * z).sum() + 0.5 * (q * q).sum()
        energy.backward()
        return q.grad

    def step():
        q, p = start, push
        for _ in range(_STEPS):
            q = q + eps * p
            p = p - eps * gradient(q)
        return [q, p]

    return peers.compiler(name)(step) if compiled else step


def _scan() -> Step:
    """All steps as one loop inside the plan, with the gradient as a formula, as NumPy has it."""
    module = peers.load("wengert")
    x, y, start, push = (module.from_numpy(array) for array in _data())
    eps = float(_EPS)

    def leap(pair, _):
        q, p = pair
        q = q + eps * p
        return (q, p - eps * ((module.sigmoid(x @ q) - y) @ x + q)), None

    @module.compile(fullgraph=True)
    def step():
        return list(module.scan(leap, (start, push), length=_STEPS)[0])

    return step


def _numpy() -> Step:
    x, y, start, push = _data()

    def step():
        q, p = start, push
        for _ in range(_STEPS):
            q = q + _EPS * p
            z = x @ q
            p = p - _EPS * ((1 / (1 + np.exp(-z)) - y) @ x + q)
        return [q, p]

    return step


def _autograd() -> Step:
    anp, autograd = peers.load("autograd.numpy"), peers.load("autograd")
    x, y, start, push = _data()

    def energy(q):
        z = anp.dot(x, q)
        return anp.sum(anp.logaddexp(0, z)) - anp.sum(y * z) + 0.5 * anp.sum(q * q)

    gradient = autograd.grad(energy)

    def step():
        q, p = start, push
        for _ in range(_STEPS):
            q = q + _EPS * p
            p = p - _EPS * gradient(q)
        return [q, p]

    return step


def _torch_compiled() -> Step:
    """One leapfrog step compiled: a thousand unrolled would compile for many minutes."""
    torch, compiled = peers.load("torch"), peers.compiler("torch")
    x, y, start, push = (torch.from_numpy(array) for array in _data())
    eps = float(_EPS)

    def energy(q):
        z = x @ q
        return torch.nn.functional.softplus(z).sum() - (y * z).sum() + 0.5 * (q * q).sum()

    @compiled
    def leap(q, p):
        q = q + eps * p
        return q, p - eps * torch.func.grad(energy)(q)

    def step():
        q, p = start, push
        for _ in range(_STEPS):
            q, p = leap(q, p)
        return [q, p]

    return step


def _jax() -> Step:
    jax, jnp = peers.load("jax"), peers.load("jax.numpy")
    x, y, start, push = (jax.device_put(array) for array in _data())

    def energy(q, x, y):
        z = x @ q
        return jnp.logaddexp(0, z).sum() - (y * z).sum() + 0.5 * (q * q).sum()

    @jax.jit
    def run(q, p, x, y):
        def leap(_, pair):
            q, p = pair
            q = q + _EPS * p
            return q, p - _EPS * jax.grad(energy)(q, x, y)

        return jax.lax.fori_loop(0, _STEPS, leap, (q, p))

    return lambda: list(jax.block_until_ready(run(start, push, x, y)))


ROWS = [
    Row(
        name="logistic",
        title="logistic regression, N=1000, D=20, 1000 leapfrog steps",
        contestants={
            "wengert": lambda: _tensors("wengert"),
            "wengert plan": lambda: _tensors("wengert", compiled=True),
            "wengert scan": _scan,
            "numpy": _numpy,
            "torch": lambda: _tensors("torch"),
            "torch.compile": _torch_compiled,
            "jax": _jax,
            "autograd": _autograd,
        },
        reference="numpy",
        unit="run",
        check_steps=4,
        rtol=2e-3,
    )
]
