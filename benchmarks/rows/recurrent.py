"""Layers over whole sequences: LSTM, GRU and the Elman network, forward alone and with backward; sizes in and out alike."""

from __future__ import annotations

import functools

import numpy as np

from .. import peers
from ..byhand import uniform
from ..harness import Row, Step

_GATES = {"lstm": 4, "gru": 3, "rnn": 1}
_SIZES = (32, 64, 128, 256)
_SEQUENCES = ((1, 128), (8, 64), (32, 32))  # batch, steps


def _data(kind: str, size: int, batch: int, steps: int) -> tuple[list[np.ndarray], np.ndarray]:
    """Return [weight_ih, weight_hh, bias_ih, bias_hh] and the input (steps, batch, size)."""
    rng = np.random.default_rng(0)
    rows = _GATES[kind] * size
    shapes = ((rows, size), (rows, size), (rows,), (rows,))
    weights = [uniform(rng, *shape, fan_in=size) for shape in shapes]
    return weights, rng.standard_normal((steps, batch, size), dtype=np.float32)


def _tensors(name: str, kind: str, size: int, batch: int, steps: int, training: bool) -> Step:
    module = peers.load(name)
    weights, array = _data(kind, size, batch, steps)
    layer = getattr(module.nn, kind.upper())(size, size)
    x = module.from_numpy(array)
    with module.no_grad():
        for parameter, values in zip(layer.parameters(), weights, strict=True):
            parameter.copy_(module.from_numpy(values))

    def forward():
        with module.no_grad():
            return layer(x)[0]

    def train():
        layer.zero_grad()
        y = layer(x)[0]
        y.sum().backward()
        return [y, *(p.grad for p in layer.parameters())]

    return train if training else forward


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 0.5 * np.tanh(0.5 * x) + np.float32(0.5)


class _LSTM:
    """One step forward and one back; the state is (h, c). Gates are i, f, g, o."""

    states = 2

    @staticmethod
    def forward(ih, hh, state):
        i, f, g, o = np.split(ih + hh, 4, 1)
        i, f, g, o = _sigmoid(i), _sigmoid(f), np.tanh(g), _sigmoid(o)
        c = f * state[1] + i * g
        return (o * np.tanh(c), c), (i, f, g, o, c, state[1])

    @staticmethod
    def backward(grads, saved):
        i, f, g, o, c, before = saved
        t = np.tanh(c)
        dc = grads[1] + grads[0] * o * (1 - t * t)
        d = (dc * g * i * (1 - i), dc * before * f * (1 - f), dc * i * (1 - g * g), grads[0] * t * o * (1 - o))
        d = np.concatenate(d, 1)
        return d, d, (0, dc * f)


class _GRU:
    """Gates are r, z, n; the part of n that sees the state is multiplied by r."""

    states = 1

    @staticmethod
    def forward(ih, hh, state):
        (xr, xz, xn), (hr, hz, hn) = np.split(ih, 3, 1), np.split(hh, 3, 1)
        r, z = _sigmoid(xr + hr), _sigmoid(xz + hz)
        n = np.tanh(xn + r * hn)
        return (n + z * (state[0] - n),), (r, z, n, hn, state[0])

    @staticmethod
    def backward(grads, saved):
        r, z, n, hn, before = saved
        dn = grads[0] * (1 - z) * (1 - n * n)
        dr, dz = dn * hn * r * (1 - r), grads[0] * (before - n) * z * (1 - z)
        return np.concatenate((dr, dz, dn), 1), np.concatenate((dr, dz, dn * r), 1), (grads[0] * z,)


class _RNN:
    states = 1

    @staticmethod
    def forward(ih, hh, state):
        h = np.tanh(ih + hh)
        return (h,), (h,)

    @staticmethod
    def backward(grads, saved):
        d = grads[0] * (1 - saved[0] * saved[0])
        return d, d, (0,)


_CELLS = {"lstm": _LSTM, "gru": _GRU, "rnn": _RNN}


def _numpy(kind: str, size: int, batch: int, steps: int, training: bool) -> Step:
    (w_ih, w_hh, b_ih, b_hh), x = _data(kind, size, batch, steps)
    cell = _CELLS[kind]
    zeros = np.zeros((batch, size), np.float32)

    def forward():
        parts = (x.reshape(-1, size) @ w_ih.T + b_ih).reshape(steps, batch, -1)
        state, out, saved, before = (zeros,) * cell.states, [], [], []
        for part in parts:
            before.append(state[0])
            state, kept = cell.forward(part, state[0] @ w_hh.T + b_hh, state)
            out.append(state[0])
            saved.append(kept)
        return np.stack(out), saved, np.stack(before)

    def train():
        y, saved, before = forward()
        carry, by_input, by_state = [zeros] * cell.states, [], []
        for kept in reversed(saved):
            d_ih, d_hh, past = cell.backward([carry[0] + 1, *carry[1:]], kept)
            carry = [past[0] + d_hh @ w_hh, *past[1:]]
            by_input.append(d_ih)
            by_state.append(d_hh)
        d_ih, d_hh = (np.concatenate(d[::-1]) for d in (by_input, by_state))
        return [y, d_ih.T @ x.reshape(-1, size), d_hh.T @ before.reshape(-1, size), d_ih.sum(0), d_hh.sum(0)]

    return train if training else lambda: forward()[0]


def _row(kind: str, size: int, batch: int, steps: int, training: bool) -> Row:
    what = (kind, size, batch, steps, training)
    contestants = {name: functools.partial(_tensors, name, *what) for name in ("wengert", "torch")}
    return Row(
        name=f"{kind}-{size}-{batch}x{steps}-{'train' if training else 'forward'}",
        title=f"{kind.upper()} layer of {size}, batch {batch}, {steps} steps, {'with backward' if training else 'forward'}",
        contestants=contestants | {"numpy": functools.partial(_numpy, *what)},
        reference="numpy",
        rtol=1e-3,
        full=not (training and size == 128 and batch == 8),
    )


ROWS = [
    _row(kind, size, batch, steps, training)
    for kind in _GATES
    for size in _SIZES
    for batch, steps in _SEQUENCES
    for training in (False, True)
]
