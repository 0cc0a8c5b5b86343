"""A neural ODE: 200 Runge-Kutta steps of a 2-32-2 network, batch 16, and the gradient through all of them."""

from __future__ import annotations

import numpy as np

from .. import peers
from ..byhand import dense, leaves
from ..harness import Row, Step

_STEPS, _BATCH = 200, 16
_DT = 0.02


def _data() -> tuple[list[np.ndarray], np.ndarray]:
    rng = np.random.default_rng(0)
    return dense(rng, 2, 32, 2), rng.standard_normal((_BATCH, 2), dtype=np.float32)


def _advance(field, y):
    """Return the state after one step of the classical fourth-order method."""
    k1 = field(y)
    k2 = field(y + (_DT / 2) * k1)
    k3 = field(y + (_DT / 2) * k2)
    k4 = field(y + _DT * k3)
    return y + (_DT / 6) * (k1 + 2 * (k2 + k3) + k4)


def _rollout(field, y):
    """Return the state after all steps."""
    for _ in range(_STEPS):
        y = _advance(field, y)
    return y


def _tensors(name: str, compiled: bool = False, scan: bool = False) -> Step:
    module = peers.load(name)
    linear = module.nn.functional.linear
    weights, start = _data()
    parameters = leaves(module, weights)
    w1, b1, w2, b2 = parameters
    start = module.from_numpy(start)

    def field(y):
        return linear(linear(y, w1, b1).tanh(), w2, b2)

    def step():
        for parameter in parameters:
            parameter.grad = None
        if scan:
            end, _ = module.scan(lambda y, _: (_advance(field, y), None), start, length=_STEPS)
        else:
            end = _rollout(field, start)
        (end * end).mean().backward()
        return [parameter.grad for parameter in parameters]

    return peers.compiler(name)(step) if compiled else step


def _numpy() -> Step:
    (w1, b1, w2, b2), start = _data()
    half, whole, sixth = (np.float32(_DT / n) for n in (2, 1, 6))

    def step():
        saved = []

        def field(y):
            hidden = np.tanh(y @ w1.T + b1)
            saved.append((y, hidden))
            return hidden @ w2.T + b2

        end = _rollout(field, start)
        grads = [np.zeros_like(w) for w in (w1, b1, w2, b2)]

        def back(d_out):
            y, hidden = saved.pop()
            d_hidden = (d_out @ w2) * (1 - hidden * hidden)
            grads[0] += d_hidden.T @ y
            grads[1] += d_hidden.sum(0)
            grads[2] += d_out.T @ hidden
            grads[3] += d_out.sum(0)
            return d_hidden @ w1

        d = end * np.float32(2 / end.size)
        for _ in range(_STEPS):
            by_y4 = back(sixth * d)
            by_y3 = back(2 * sixth * d + whole * by_y4)
            by_y2 = back(2 * sixth * d + half * by_y3)
            by_y1 = back(sixth * d + half * by_y2)
            d = d + by_y1 + by_y2 + by_y3 + by_y4
        return grads

    return step


def _autograd() -> Step:
    anp, autograd = peers.load("autograd.numpy"), peers.load("autograd")
    weights, start = _data()

    def loss(parameters):
        w1, b1, w2, b2 = parameters
        end = _rollout(lambda y: anp.dot(anp.tanh(anp.dot(y, w1.T) + b1), w2.T) + b2, start)
        return anp.mean(end * end)

    gradient = autograd.grad(loss)
    return lambda: gradient(weights)


def _jax() -> Step:
    jax, jnp = peers.load("jax"), peers.load("jax.numpy")
    weights, start = jax.device_put(_data())

    def loss(parameters, y):
        w1, b1, w2, b2 = parameters

        def field(y):
            return jnp.tanh(y @ w1.T + b1) @ w2.T + b2

        end, _ = jax.lax.scan(lambda y, _: (_advance(field, y), None), y, None, length=_STEPS)
        return jnp.mean(end * end)

    gradient = jax.jit(jax.grad(loss))
    return lambda: jax.block_until_ready(gradient(weights, start))


ROWS = [
    Row(
        name="neural-ode",
        title="Runge-Kutta 4, 200 steps of a 2-32-2 tanh network, batch 16, gradient through all",
        contestants={
            "wengert": lambda: _tensors("wengert"),
            "wengert plan": lambda: _tensors("wengert", compiled=True),
            "wengert scan": lambda: _tensors("wengert", compiled=True, scan=True),
            "numpy": _numpy,
            "torch": lambda: _tensors("torch"),
            "jax": _jax,
            "autograd": _autograd,
        },
        reference="numpy",
        unit="run",
        check_steps=4,
        rtol=1e-3,
    )
]
