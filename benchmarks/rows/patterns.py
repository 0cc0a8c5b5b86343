"""Expressions written in single operations: the plan that recognises them, and the plan of the nodes as they are."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np

from .. import peers
from ..harness import Row, Step

_SIZES = ((8, 10), (64, 64), (1024, 128), (256, 2048))


def _softmax(w, x):
    e = (x - x.amax(1, keepdim=True)).exp()
    return e / e.sum(1, keepdim=True)


def _log_softmax_by_steps(w, x):
    shifted = x - x.amax(1, keepdim=True)
    return shifted - shifted.exp().sum(1, keepdim=True).log()


def _classes(w, x):
    return w.arange(x.shape[0]) % x.shape[1]


def _gathered(w, x):
    logs = x - x.logsumexp(1, keepdim=True)
    return -logs.gather(1, _classes(w, x).view(-1, 1)).mean()


def _layer_norm(w, x):
    centred = x - x.mean(-1, keepdim=True)
    return centred / ((centred * centred).mean(-1, keepdim=True) + 1e-5).sqrt()


def _attention(w, x):
    """Scaled products of 4 x 4 heads of 16, over as many keys as x has rows."""
    q, k, v = x.view(3, 4, 4, -1, 16).unbind(0)
    return ((q @ k.transpose(-2, -1)) * 0.25).softmax(-1) @ v


_PATTERNS: dict[str, Callable] = {
    "softmax": _softmax,
    "logsumexp": lambda w, x: x - x.logsumexp(1, keepdim=True),
    "log-of-softmax": lambda w, x: x.softmax(1).log(),
    "log-softmax": _log_softmax_by_steps,
    "nll": lambda w, x: w.nn.functional.nll_loss(x.log_softmax(1), _classes(w, x)),
    "gather": _gathered,
    "layer-norm": _layer_norm,
    "rms-norm": lambda w, x: x * ((x * x).mean(-1, keepdim=True) + 1e-5).rsqrt(),
    "gelu": lambda w, x: 0.5 * x * (1 + (0.7978845608028654 * (x + 0.044715 * x**3)).tanh()),
    "sigmoid": lambda w, x: 1 / (1 + (-x).exp()),
}


def _step(pattern: Callable, shape: tuple[int, ...], backward: bool, exact: bool) -> Step:
    wengert = peers.load("wengert")
    rng = np.random.default_rng(0)
    x = wengert.from_numpy(rng.standard_normal(shape, dtype=np.float32))
    seed = wengert.from_numpy(rng.standard_normal(tuple(pattern(wengert, x).shape), dtype=np.float32))
    x.requires_grad_(backward)

    def forward(x):
        return pattern(wengert, x)

    def gradient(x):
        y = pattern(wengert, x)
        (found,) = wengert.autograd.grad(y, [x], seed)
        return y.detach(), found

    graph = wengert.graph.record(gradient if backward else forward, x)
    plan = wengert.graph.Plan(graph, exact=exact)
    x = x.detach()
    return lambda: plan(x)


def _rows(name: str, pattern: Callable, title: str, shape: tuple[int, ...]) -> list[Row]:
    return [
        Row(
            name=f"pattern-{name}" + ("-grad" if backward else ""),
            title=f"{title} by single operations" + (", with gradients" if backward else ""),
            contestants={
                "wengert": functools.partial(_step, pattern, shape, backward, False),
                "wengert exact": functools.partial(_step, pattern, shape, backward, True),
            },
            reference="wengert exact",
            full=True,
        )
        for backward in (False, True)
    ]


ROWS = [
    row
    for name, pattern in _PATTERNS.items()
    for m, n in _SIZES
    for row in _rows(f"{name}-{m}x{n}", pattern, f"{name} of ({m}, {n})", (m, n))
] + [
    row
    for keys in (64, 128, 256, 512)
    for row in _rows(f"attention-{keys}", _attention, f"attention over {keys} keys", (3, 4, 4, keys, 16))
]
