"""A small GPT: 4 layers, 4 heads, width 128, context 64, batch 16, 65 characters, AdamW."""

from __future__ import annotations

import math

import numpy as np

from .. import peers
from ..byhand import Adam, cross_entropy, leaves
from ..harness import Row, Step

_LAYERS, _HEADS, _WIDTH, _CONTEXT, _BATCH, _VOCABULARY = 4, 4, 128, 64, 16, 65
_LR, _DECAY = 1e-3, 0.1
_PER_LAYER = 12


def _data() -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """Return the parameters, inputs and targets (B, T).

    Order: token and position embedding; for each layer norm (weight, bias), qkv (weight, bias), projection
    (weight, bias), norm, up, down; then the last norm and the head's weight.
    """
    rng = np.random.default_rng(0)

    def normal(*shape: int) -> np.ndarray:
        return np.float32(0.02) * rng.standard_normal(shape, dtype=np.float32)

    def norm() -> list[np.ndarray]:
        return [np.ones(_WIDTH, dtype=np.float32), np.zeros(_WIDTH, dtype=np.float32)]

    def linear(n: int, m: int) -> list[np.ndarray]:
        return [normal(n, m), np.zeros(n, dtype=np.float32)]

    weights = [normal(_VOCABULARY, _WIDTH), normal(_CONTEXT, _WIDTH)]
    for _ in range(_LAYERS):
        weights += norm() + linear(3 * _WIDTH, _WIDTH) + linear(_WIDTH, _WIDTH)
        weights += norm() + linear(4 * _WIDTH, _WIDTH) + linear(_WIDTH, 4 * _WIDTH)
    weights += [*norm(), normal(_VOCABULARY, _WIDTH)]
    text = rng.integers(0, _VOCABULARY, (_BATCH, _CONTEXT + 1))
    return weights, text[:, :-1].copy(), text[:, 1:].copy()


def step_of(name: str) -> Step:
    """Return the training step of a library with PyTorch's API."""
    module = peers.load(name)
    functional = module.nn.functional
    weights, *arrays = _data()
    inputs, targets = (module.from_numpy(array) for array in arrays)
    parameters = leaves(module, weights)
    optimizer = module.optim.AdamW(parameters, lr=_LR, weight_decay=_DECAY)
    head_width = _WIDTH // _HEADS

    def heads(x):
        return x.view(_BATCH, _CONTEXT, _HEADS, head_width).transpose(1, 2)

    def block(x, p):
        n1w, n1b, qkv_w, qkv_b, out_w, out_b, n2w, n2b, up_w, up_b, down_w, down_b = p
        normed = functional.layer_norm(x, (_WIDTH,), n1w, n1b)
        q, k, v = functional.linear(normed, qkv_w, qkv_b).split(_WIDTH, dim=2)
        mixed = functional.scaled_dot_product_attention(heads(q), heads(k), heads(v), is_causal=True)
        mixed = mixed.transpose(1, 2).contiguous().view(_BATCH, _CONTEXT, _WIDTH)
        x = x + functional.linear(mixed, out_w, out_b)
        normed = functional.layer_norm(x, (_WIDTH,), n2w, n2b)
        hidden = functional.gelu(functional.linear(normed, up_w, up_b), approximate="tanh")
        return x + functional.linear(hidden, down_w, down_b)

    def step():
        optimizer.zero_grad()
        x = functional.embedding(inputs, parameters[0]) + parameters[1]
        for layer in range(_LAYERS):
            at = 2 + layer * _PER_LAYER
            x = block(x, parameters[at : at + _PER_LAYER])
        x = functional.layer_norm(x, (_WIDTH,), parameters[-3], parameters[-2])
        logits = functional.linear(x, parameters[-1])
        loss = functional.cross_entropy(logits.view(-1, _VOCABULARY), targets.view(-1))
        loss.backward()
        optimizer.step()
        return loss

    return step


def _compiled(name: str) -> Step:
    return peers.compiler(name)(step_of(name))


def _norm(x, weight, bias):
    centred = x - x.mean(1, keepdims=True)
    scale = 1 / np.sqrt((centred * centred).mean(1, keepdims=True) + np.float32(1e-5))
    normed = centred * scale
    return normed * weight + bias, (normed, scale, weight)


def _norm_back(grad, saved):
    normed, scale, weight = saved
    inner = grad * weight
    by_x = scale * (inner - inner.mean(1, keepdims=True) - normed * (inner * normed).mean(1, keepdims=True))
    return by_x, [(grad * normed).sum(0), grad.sum(0)]


_ROOT = np.float32(math.sqrt(2 / math.pi))
_CUBE = np.float32(0.044715)


def _gelu(x):
    t = np.tanh(_ROOT * (x + _CUBE * x * x * x))
    return np.float32(0.5) * x * (1 + t), (x, t)


def _gelu_back(grad, saved):
    x, t = saved
    inner = _ROOT * (1 + 3 * _CUBE * x * x)
    return grad * np.float32(0.5) * (1 + t + x * (1 - t * t) * inner)


_MASK = np.triu(np.full((_CONTEXT, _CONTEXT), -np.inf, dtype=np.float32), 1)
_SCALE = np.float32(1 / math.sqrt(_WIDTH // _HEADS))


def _split(x):
    """Turn (B·T, 3·width) into q, k, v, each (B, heads, T, width of a head)."""
    return x.reshape(_BATCH, _CONTEXT, 3, _HEADS, -1).transpose(2, 0, 3, 1, 4)


def _attend(qkv):
    q, k, v = _split(qkv)
    scores = q @ k.swapaxes(2, 3) * _SCALE + _MASK
    scores -= scores.max(-1, keepdims=True)
    weights = np.exp(scores)
    weights /= weights.sum(-1, keepdims=True)
    return (weights @ v).transpose(0, 2, 1, 3).reshape(-1, _WIDTH), (q, k, v, weights)


def _attend_back(grad, saved):
    q, k, v, weights = saved
    grad = grad.reshape(_BATCH, _CONTEXT, _HEADS, -1).transpose(0, 2, 1, 3)
    by_weights = grad @ v.swapaxes(2, 3)
    by_scores = weights * (by_weights - (by_weights * weights).sum(-1, keepdims=True)) * _SCALE
    by_qkv = np.stack([by_scores @ k, by_scores.swapaxes(2, 3) @ q, weights.swapaxes(2, 3) @ grad])
    return by_qkv.transpose(1, 3, 0, 2, 4).reshape(-1, 3 * _WIDTH)


def _block(x, p):
    normed1, norm1 = _norm(x, p[0], p[1])
    mixed, attention = _attend(normed1 @ p[2].T + p[3])
    x = x + mixed @ p[4].T + p[5]
    normed2, norm2 = _norm(x, p[6], p[7])
    hidden, gelu = _gelu(normed2 @ p[8].T + p[9])
    return x + hidden @ p[10].T + p[11], (normed1, norm1, mixed, attention, normed2, norm2, hidden, gelu)


def _block_back(d, p, saved):
    """Return the gradient by the block's input and those by its twelve parameters, in order."""
    normed1, norm1, mixed, attention, normed2, norm2, hidden, gelu = saved
    d_up = _gelu_back(d @ p[10], gelu)
    by_x, by_norm2 = _norm_back(d_up @ p[8], norm2)
    by_mlp = [*by_norm2, d_up.T @ normed2, d_up.sum(0), d.T @ hidden, d.sum(0)]
    d = d + by_x
    d_qkv = _attend_back(d @ p[4], attention)
    by_x, by_norm1 = _norm_back(d_qkv @ p[2], norm1)
    return d + by_x, [*by_norm1, d_qkv.T @ normed1, d_qkv.sum(0), d.T @ mixed, d.sum(0), *by_mlp]


def _numpy() -> Step:
    weights, inputs, targets = _data()
    optimizer = Adam(weights, _LR, _DECAY)
    layers = [weights[2 + i * _PER_LAYER : 2 + (i + 1) * _PER_LAYER] for i in range(_LAYERS)]

    def step():
        x = (weights[0][inputs] + weights[1]).reshape(-1, _WIDTH)
        saved = []
        for layer in layers:
            x, kept = _block(x, layer)
            saved.append(kept)
        normed, last = _norm(x, weights[-3], weights[-2])
        loss, d_logits = cross_entropy(normed @ weights[-1].T, targets.reshape(-1))
        d, by_last = _norm_back(d_logits @ weights[-1], last)
        grads = [*by_last, d_logits.T @ normed]
        for layer, kept in zip(reversed(layers), reversed(saved), strict=True):
            d, by_layer = _block_back(d, layer, kept)
            grads = by_layer + grads
        by_token = np.zeros_like(weights[0])
        np.add.at(by_token, inputs.reshape(-1), d)
        optimizer.step([by_token, d.reshape(_BATCH, _CONTEXT, _WIDTH).sum(0), *grads])
        return loss

    return step


ROWS = [
    Row(
        name="gpt",
        title="GPT, 4 layers, 4 heads, width 128, context 64, batch 16, AdamW step",
        contestants={
            "wengert": lambda: step_of("wengert"),
            "wengert plan": lambda: _compiled("wengert"),
            "numpy": _numpy,
            "torch": lambda: step_of("torch"),
            "torch.compile": lambda: _compiled("torch"),
        },
        reference="numpy",
        rtol=1e-3,
    )
]
