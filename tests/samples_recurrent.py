"""Samples of rows of recurrent layers, attention and bags; see samples.py."""

import numpy as np
from samples import Sample, maker, uniform

GATES = (1, 1, 4, 3)


def recurrent_operands(rng, mode, runs, inputs=3, hidden=4, projection=0, bias=True, states=True):
    """x, weights, biases, states and projection of one direction of one layer; None for what is absent."""
    total = sum(steps * batch for steps, batch in zip(runs[::2], runs[1::2], strict=True))
    rows, out, batch = GATES[mode] * hidden, projection or hidden, runs[1]
    shapes = [(total, inputs), (rows, inputs), (rows, out)]
    shapes += [(rows,), (rows,)] if bias else [None, None]
    shapes += [(batch, out) if states else None, (batch, hidden) if states and mode == 2 else None]
    shapes += [(out, hidden) if projection else None]
    return [None if shape is None else uniform(rng, shape, -0.8, 0.8) for shape in shapes]


@maker("recurrent")
def _recurrent(rng):
    plain, packed = (3, 2), (1, 3, 2, 2, 1, 1)
    return [
        Sample(recurrent_operands(rng, mode, runs, **more), (mode, reverse, runs))
        for mode, reverse, runs, more in (
            (0, False, plain, {}),
            (1, True, packed, {}),
            (2, False, packed, {}),
            (2, True, packed, {"projection": 2}),
            (2, False, plain, {"bias": False, "states": False}),
            (3, False, packed, {}),
            (3, True, (1, 2), {"bias": False}),
        )
    ]


def _heads(rng, lead=(2,), own=None, rows=5, columns=6, width=3, values=4):
    own = lead if own is None else own
    return [
        uniform(rng, (*lead, rows, width)),
        uniform(rng, (*own, columns, width)),
        uniform(rng, (*own, columns, values)),
    ]


def _masks(rng):
    seen = rng.random((2, 5, 6)) < 0.6
    seen[0, 2] = False
    return [(None, False), (None, True), (seen, False), (seen[0], True), (rng.random((6,)) < 0.5, False)]


@maker("attention")
def _attention(rng):
    return [Sample([*_heads(rng), mask], (0.6, causal)) for mask, causal in _masks(rng)] + [
        Sample([*_heads(rng, (2, 4), (2, 2)), uniform(rng, (4, 5, 1))], (0.6, False), fixed=(3,)),
        Sample([*_heads(rng, ()), None], (0.6, False)),
    ]


@maker("attention_dropout")
def _attention_dropout(rng):
    return [Sample([*_heads(rng), mask], (0.6, causal, 0.3, 17, 4)) for mask, causal in _masks(rng)[:3]]


def _gradient_samples(name, forward, rng):
    """Samples of the row of gradients: what comes from above, the operands, and the results of the forward row."""
    from optools import TABLE, run, tensor, values

    out = []
    for sample in forward:
        results = run(TABLE[name], [v if v is None else tensor(v) for v in sample.operands], sample.attrs)
        y, kept = (values(t) for t in results)
        out.append(Sample([uniform(rng, y.shape), *sample.operands, y, kept], sample.attrs))
    return out


@maker("recurrent_backward")
def _recurrent_backward(rng):
    return _gradient_samples("recurrent", _recurrent(rng), rng)


@maker("attention_backward")
def _attention_backward(rng):
    return _gradient_samples("attention", _attention(rng), rng)


@maker("attention_dropout_backward")
def _attention_dropout_backward(rng):
    return _gradient_samples("attention_dropout", _attention_dropout(rng), rng)


# ---- bags --------------------------------------------------------------------------------------------------------

_INDEX, _OFFSETS = np.array([0, 2, 4, 2, 1, 3, 3]), np.array([0, 2, 2, 5, 6])


def _bag_attributes(rng):
    factors = uniform(rng, _INDEX.shape)
    return [(factors, (False, None)), (factors, (False, 2)), (None, (True, None)), (None, (True, 3))]


@maker("bag_sum")
def _bag_sum(rng):
    return [Sample([uniform(rng, (5, 3)), _INDEX, _OFFSETS, f], attrs) for f, attrs in _bag_attributes(rng)]


@maker("bag_spread")
def _bag_spread(rng):
    u, like = uniform(rng, (4, 3)), uniform(rng, (5, 3))
    return [Sample([u, _INDEX, _OFFSETS, f, like], attrs) for f, attrs in _bag_attributes(rng)]


@maker("bag_dots")
def _bag_dots(rng):
    u, w = uniform(rng, (4, 3)), uniform(rng, (5, 3))
    return [Sample([u, w, _INDEX, _OFFSETS], attrs) for f, attrs in _bag_attributes(rng)[:2]]


@maker("bag_argmax")
def _bag_argmax(rng):
    return [Sample([uniform(rng, (5, 3)), _INDEX, _OFFSETS], attrs) for _, attrs in _bag_attributes(rng)[:2]]
