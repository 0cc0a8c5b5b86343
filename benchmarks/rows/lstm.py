"""A character model from an LSTM cell written by hand: 64 steps of 128 units, batch 32, 65 characters, Adam."""

from __future__ import annotations

import numpy as np

from .. import jitted, peers
from ..byhand import Adam, cross_entropy, leaves, uniform
from ..harness import Row, Step

_VOCABULARY, _HIDDEN, _BATCH, _TIME, _LR = 65, 128, 32, 64, 2e-3


def _data() -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """Return [embedding, input weight, hidden weight, bias, head weight, head bias], inputs and targets (T, B)."""
    rng = np.random.default_rng(0)
    n, fan = _HIDDEN, _HIDDEN
    weights = [
        rng.standard_normal((_VOCABULARY, n), dtype=np.float32),
        uniform(rng, 4 * n, n, fan_in=fan),
        uniform(rng, 4 * n, n, fan_in=fan),
        uniform(rng, 4 * n, fan_in=fan),
        uniform(rng, _VOCABULARY, n, fan_in=fan),
        uniform(rng, _VOCABULARY, fan_in=fan),
    ]
    text = rng.integers(0, _VOCABULARY, (_TIME + 1, _BATCH))
    return weights, text[:-1].copy(), text[1:].copy()


def _tensors(name: str, compiled: bool = False, scan: bool = False) -> Step:
    module = peers.load(name)
    functional = module.nn.functional
    weights, *arrays = _data()
    inputs, targets = (module.from_numpy(array) for array in arrays)
    parameters = leaves(module, weights)
    embedding, w_in, w_hidden, bias, w_out, b_out = parameters
    optimizer = module.optim.Adam(parameters, lr=_LR)

    def advance(state, letters, wanted):
        h, c, loss = state
        x = functional.embedding(letters, embedding)
        gates = functional.linear(x, w_in, bias) + functional.linear(h, w_hidden)
        i, f, g, o = gates.chunk(4, dim=1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
        return h, c, loss + functional.cross_entropy(functional.linear(h, w_out, b_out), wanted)

    def step():
        optimizer.zero_grad()
        h = module.zeros(_BATCH, _HIDDEN)
        c = module.zeros(_BATCH, _HIDDEN)
        loss = module.tensor(0.0)
        if scan:
            (*_, loss), _ = module.scan(lambda s, xs: (advance(s, *xs), None), (h, c, loss), (inputs, targets))
        else:
            for t in range(_TIME):
                h, c, loss = advance((h, c, loss), inputs[t], targets[t])
        loss = loss / _TIME
        loss.backward()
        optimizer.step()
        return loss

    return peers.compiler(name)(step) if compiled else step


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 0.5 * np.tanh(0.5 * x) + np.float32(0.5)


def _numpy() -> Step:
    weights, inputs, targets = _data()
    embedding, w_in, w_hidden, bias, w_out, b_out = weights
    optimizer = Adam(weights, _LR)
    n = _HIDDEN
    scale = np.float32(1 / _TIME)

    def step():
        grads = [np.zeros_like(w) for w in weights]
        h = c = np.zeros((_BATCH, n), dtype=np.float32)
        saved, loss = [], 0.0
        for t in range(_TIME):
            x = embedding[inputs[t]]
            gates = x @ w_in.T + h @ w_hidden.T + bias
            i, f, o = (_sigmoid(gates[:, k * n : (k + 1) * n]) for k in (0, 1, 3))
            g = np.tanh(gates[:, 2 * n : 3 * n])
            c_next = f * c + i * g
            squashed = np.tanh(c_next)
            h_next = o * squashed
            part, d_logits = cross_entropy(h_next @ w_out.T + b_out, targets[t])
            loss += part
            saved.append((x, h, c, i, f, g, o, squashed, h_next, d_logits * scale))
            h, c = h_next, c_next
        dh = dc = np.zeros((_BATCH, n), dtype=np.float32)
        d_gates = np.empty((_BATCH, 4 * n), dtype=np.float32)
        for t in range(_TIME - 1, -1, -1):
            x, h, c, i, f, g, o, squashed, h_next, d_logits = saved[t]
            grads[4] += d_logits.T @ h_next
            grads[5] += d_logits.sum(0)
            dh = dh + d_logits @ w_out
            dc = dc + dh * o * (1 - squashed * squashed)
            d_gates[:, :n] = dc * g * i * (1 - i)
            d_gates[:, n : 2 * n] = dc * c * f * (1 - f)
            d_gates[:, 2 * n : 3 * n] = dc * i * (1 - g * g)
            d_gates[:, 3 * n :] = dh * squashed * o * (1 - o)
            grads[1] += d_gates.T @ x
            grads[2] += d_gates.T @ h
            grads[3] += d_gates.sum(0)
            np.add.at(grads[0], inputs[t], d_gates @ w_in)
            dh = d_gates @ w_hidden
            dc = dc * f
        optimizer.step(grads)
        return loss / _TIME

    return step


def _jax() -> Step:
    jax, jnp = peers.load("jax"), peers.load("jax.numpy")
    weights, *arrays = _data()
    inputs, targets = (jax.device_put(array) for array in arrays)
    update = jitted.adam(_LR)

    def total(weights):
        embedding, w_in, w_hidden, bias, w_out, b_out = weights

        def advance(state, at):
            (h, c, loss), (letters, wanted) = state, at
            gates = embedding[letters] @ w_in.T + bias + h @ w_hidden.T
            i, f, g, o = jnp.split(gates, 4, axis=1)
            c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
            h = jax.nn.sigmoid(o) * jnp.tanh(c)
            return (h, c, loss + jitted.cross_entropy(jax, h @ w_out.T + b_out, wanted)), None

        zeros = jnp.zeros((_BATCH, _HIDDEN), jnp.float32)
        (_, _, loss), _ = jax.lax.scan(advance, (zeros, zeros, jnp.float32(0)), (inputs, targets))
        return loss / _TIME

    def advance(state):
        weights, own = state
        loss, grads = jax.value_and_grad(total)(weights)
        return update(jnp, weights, grads, own), loss

    run = jax.jit(advance, donate_argnums=0)
    weights = [jax.device_put(array.copy()) for array in weights]
    state = weights, update(jnp, weights, None, None)[1]

    def step():
        nonlocal state
        state, loss = run(state)
        return loss.block_until_ready()

    return step


ROWS = [
    Row(
        name="lstm",
        title="LSTM cell by hand, 128 units, batch 32, 64 steps, 65 characters, Adam step",
        contestants={
            "wengert": lambda: _tensors("wengert"),
            "wengert plan": lambda: _tensors("wengert", compiled=True),
            "wengert scan": lambda: _tensors("wengert", compiled=True, scan=True),
            "numpy": _numpy,
            "torch": lambda: _tensors("torch"),
            "jax": _jax,
        },
        reference="numpy",
        rtol=1e-3,
    )
]
