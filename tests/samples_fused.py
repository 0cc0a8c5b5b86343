"""Samples of rows that index, normalise, convolve, pool and compute losses; see samples.py.

Rows of gradients take statistics (a mean, a logarithm of a sum) that are functions of another operand. Their samples
compute them anew whenever that operand moves (`derive`), because the rules differentiate through them.
"""

import numpy as np
from samples import Sample, distinct, maker, uniform

EPS = 0.03


# ---- indices -----------------------------------------------------------------------------------------------------

# (x's shape, the dimensions that are indexed, the positions' shape, the selected shape)
SELECTIONS = [
    ((5, 3), (0,), (4,), (4, 3)),
    ((2, 5, 3), (1,), (2, 2), (2, 2, 2, 3)),
    ((2, 3, 4), (0, 1), (5,), (5, 4)),
    ((2, 3, 4), (0, 2), (5,), (5, 3)),
]


def _flat(rng, shape, dims, places, repeated=True):
    size = int(np.prod([shape[d] for d in dims]))
    return rng.integers(0, size, places) if repeated else rng.permutation(size)[: np.prod(places)].reshape(places)


@maker("index_get")
def _index_get(rng):
    return [Sample([uniform(rng, s), _flat(rng, s, d, p)], (d,)) for s, d, p, _ in SELECTIONS]


@maker("index_embed")
def _index_embed(rng):
    return [Sample([uniform(rng, y), _flat(rng, s, d, p), uniform(rng, s)], (d,)) for s, d, p, y in SELECTIONS]


@maker("index_put")
def _index_put(rng):
    return [
        Sample([uniform(rng, s), _flat(rng, s, d, p, repeated=False), uniform(rng, y)], (d,))
        for s, d, p, y in SELECTIONS
    ] + [Sample([uniform(rng, (5, 3)), np.array([3, 0]), uniform(rng, (3,))], ((0,),))]


@maker("index_put_add")
def _index_put_add(rng):
    return [Sample([uniform(rng, s), _flat(rng, s, d, p), uniform(rng, y)], (d,)) for s, d, p, y in SELECTIONS] + [
        Sample([uniform(rng, (5, 3)), np.array([3, 3]), uniform(rng, (3,))], ((0,),))
    ]


@maker("flat_index")
def _flat_index(rng):
    return [Sample([[rng.integers(-4, 4, (3, 1)), rng.integers(-5, 5, (2,))]], ((4, 5),))]


@maker("pick_embed")
def _pick_embed(rng):
    at = rng.integers(0, 5, (3,))
    return [
        Sample([uniform(rng, (3,)), at, uniform(rng, (3, 5))], (1, False)),
        Sample([uniform(rng, (3, 1)), at[:, None], uniform(rng, (3, 5))], (-1, True)),
    ]


# ---- shapes and scans --------------------------------------------------------------------------------------------


@maker("shift")
def _shift(rng):
    return [Sample([uniform(rng, (3, 4))], (d, back, v)) for d, back, v in ((0, False, 0.0), (-1, True, 1.5))]


@maker("mean_embed")
def _mean_embed(rng):
    like = uniform(rng, (2, 3, 4))
    return [
        Sample([uniform(rng, (2, 4)), like], ((1,), False)),
        Sample([uniform(rng, (2, 1, 1)), like], ((1, 2), True)),
        Sample([uniform(rng, ()), like], ((), False)),
    ]


@maker("linear_scan")
def _linear_scan(rng):
    return [
        Sample([uniform(rng, (3, 5)), uniform(rng, (3, 5), 0.2, 1.0)], (d, back))
        for d, back in ((0, False), (1, True), (-1, False))
    ]


# ---- losses of classes -------------------------------------------------------------------------------------------

CLASS_ATTRS = [(reduction, 2, smoothing) for reduction in (0, 1, 2) for smoothing in (0.0, 0.2)]
TARGET = np.array([1, 0, 2, 4, 3, 1])  # the class 2 is the ignored one


def _upstream(rng, reduction):
    return uniform(rng, (len(TARGET),) if reduction == 0 else ())


def _divisor(weight, reduction):
    taken = np.ones(5) if weight is None else weight
    return np.array(float(np.sum(taken[TARGET] * (TARGET != 2))) if reduction == 1 else 1.0)


def _class_weights(rng):
    return [None, uniform(rng, (5,), 0.5, 1.5)]


def _class_samples(rng, make):
    return [make(rng, weight, attrs) for weight in _class_weights(rng) for attrs in CLASS_ATTRS]


@maker("cross_entropy_rows", "class_loss")
def _cross_entropy(rng):
    return _class_samples(
        rng, lambda rng, weight, attrs: Sample([uniform(rng, (6, 5)), TARGET, weight], attrs, fixed=(2,))
    )


@maker("cross_entropy_backward")
def _cross_entropy_backward(rng):
    def derive(u, x, target, weight, lse, divisor):
        return [u, x, target, weight, np.log(np.sum(np.exp(x), 1)), divisor]

    def make(rng, weight, attrs):
        start = [_upstream(rng, attrs[0]), uniform(rng, (6, 5)), TARGET, weight, None, _divisor(weight, attrs[0])]
        return Sample(start, attrs, fixed=(3, 4, 5), derive=derive)

    return _class_samples(rng, make)


@maker("class_spread")
def _class_spread(rng):
    def make(rng, weight, attrs):
        operands = [_upstream(rng, attrs[0]), TARGET, weight, _divisor(weight, attrs[0]), uniform(rng, (6, 5))]
        return Sample(operands, attrs, fixed=(2, 3))

    return _class_samples(rng, make)


# ---- embeddings --------------------------------------------------------------------------------------------------


@maker("embedding_rows")
def _embedding(rng):
    w = uniform(rng, (6, 3))
    at = rng.integers(0, 6, (2, 4))
    return [
        Sample([w, at], (None, False)),
        Sample([w, at], (int(at[0, 1]), True)),
        Sample([w, at[0, 0]], (2, False)),
    ]


@maker("embedding_backward")
def _embedding_backward(rng):
    at, like = rng.integers(0, 6, (2, 4)), uniform(rng, (6, 3))
    return [Sample([uniform(rng, (2, 4, 3)), at, like], (pad,)) for pad in (None, int(at[1, 2]))]


# ---- normalisation -----------------------------------------------------------------------------------------------


def _statistics(x, axes, centered=True):
    """Mean and reciprocal standard deviation over axes, which stay as sizes of 1."""
    mean = np.mean(x, axes, keepdims=True) if centered else np.zeros(())
    return mean, 1 / np.sqrt(np.mean((x - mean) ** 2, axes, keepdims=True) + EPS)


def _affine(rng, shape):
    """Weights and biases: both, one alone, none."""
    w, b = uniform(rng, shape, 0.5, 1.5), uniform(rng, shape)
    return [(w, b), (w, None), (None, b), (None, None)]


ROWS = [((3, 5), 1), ((2, 3, 4), 2)]


@maker("layer_norm")
def _layer_norm(rng):
    return [
        Sample([uniform(rng, s), w, b], (dims, EPS))
        for s, dims in ROWS
        for w, b in _affine(rng, s[len(s) - dims :])
    ]


@maker("rms_norm")
def _rms_norm(rng):
    return [
        Sample([uniform(rng, s), w], (dims, EPS))
        for s, dims in ROWS
        for w, b in _affine(rng, s[len(s) - dims :])
        if b is not None
    ]


def _norm_gradients(rng, name, shape, params, statistics, attrs):
    """Samples of the row of all gradients of a normalisation, or of the one that ends the name."""
    found = []
    for w, b in _affine(rng, params):
        if (name.endswith("gw") and w is None) or (name.endswith("gb") and b is None):
            continue

        def derive(u, x, w, like, *old):
            return [u, x, w, like, *statistics(x)]

        start = [uniform(rng, shape), uniform(rng, shape), w, b, None, None]
        found.append(Sample(start, attrs, fixed=(4, 5), derive=derive))
    return found


def _row_gradients(name):
    def make(rng):
        return [
            sample
            for shape, dims in ROWS
            for sample in _norm_gradients(
                rng,
                name,
                shape,
                shape[len(shape) - dims :],
                lambda x, dims=dims: _statistics(x, tuple(range(-dims, 0))),
                (dims, EPS),
            )
        ]

    return make


def _rms_gradients(rng):
    found = []
    for shape, dims in ROWS:
        for w in (uniform(rng, shape[len(shape) - dims :], 0.5, 1.5), None):

            def derive(u, x, w, rstd, dims=dims):
                return [u, x, w, _statistics(x, tuple(range(-dims, 0)), False)[1]]

            start = [uniform(rng, shape), uniform(rng, shape), w, None]
            found.append(Sample(start, (dims, EPS), fixed=(3,), derive=derive))
    return found


maker("rms_norm_backward", "rms_norm_gx")(_rms_gradients)
maker("rms_norm_gw")(lambda rng: [s for s in _rms_gradients(rng) if s.operands[2] is not None])
for _name in ("layer_norm_backward", "layer_norm_gx", "layer_norm_gw", "layer_norm_gb"):
    maker(_name)(_row_gradients(_name))

PLANES = [(4, 3), (2, 3, 2, 2)]


def _channel_statistics(x):
    mean, rstd = _statistics(x, (0, *range(2, x.ndim)))
    return mean.reshape(-1), rstd.reshape(-1)


@maker("batch_norm_train")
def _batch_norm(rng):
    return [Sample([uniform(rng, s), w, b], (EPS,)) for s in PLANES for w, b in _affine(rng, (3,))]


def _batch_gradients(name):
    def make(rng):
        return [
            sample
            for shape in PLANES
            for sample in _norm_gradients(rng, name, shape, (3,), _channel_statistics, (EPS,))
        ]

    return make


for _name in ("batch_norm_backward", "batch_norm_gx", "batch_norm_gw", "batch_norm_gb"):
    maker(_name)(_batch_gradients(_name))


@maker("batch_norm_eval")
def _batch_norm_eval(rng):
    return [
        Sample([uniform(rng, s), w, b, uniform(rng, (3,)), uniform(rng, (3,), 0.5, 1.5)], (EPS,), fixed=(3, 4))
        for s in PLANES
        for w, b in _affine(rng, (3,))
    ]


def _eval_gradients(name):
    def make(rng):
        fixed = uniform(rng, (3,)), uniform(rng, (3,), 0.5, 1.5)
        return [
            sample
            for shape in PLANES
            for sample in _norm_gradients(rng, name, shape, (3,), lambda x: fixed, (EPS,))
        ]

    return make


for _name in ("batch_norm_eval_backward", "batch_norm_eval_gx", "batch_norm_eval_gw", "batch_norm_eval_gb"):
    maker(_name)(_eval_gradients(_name))

GROUPED, GROUPS = (2, 4, 3), 2


def _group_statistics(x):
    mean, rstd = _statistics(x.reshape(x.shape[0], GROUPS, -1), (2,))
    return mean[..., 0], rstd[..., 0]


@maker("group_norm")
def _group_norm(rng):
    return [Sample([uniform(rng, GROUPED), w, b], (GROUPS, EPS)) for w, b in _affine(rng, (4,))]


def _group_gradients(name):
    return lambda rng: _norm_gradients(rng, name, GROUPED, (4,), _group_statistics, (GROUPS, EPS))


for _name in ("group_norm_backward", "group_norm_gx", "group_norm_gw", "group_norm_gb"):
    maker(_name)(_group_gradients(_name))


# ---- convolution -------------------------------------------------------------------------------------------------

# (input, weight, result, (stride, padding, dilation, groups)) of convolutions in one, two and three dimensions.
CONVOLUTIONS = [
    ((2, 3, 7), (4, 3, 3), (2, 4, 7), ((1,), (1,), (1,), 1)),
    ((2, 4, 6, 5), (6, 2, 3, 2), (2, 6, 3, 3), ((2, 2), (1, 1), (1, 2), 2)),
    ((1, 3, 5, 5), (3, 1, 3, 3), (1, 3, 5, 5), ((1, 1), (1, 1), (1, 1), 3)),
    ((1, 2, 3, 4, 4), (2, 2, 2, 2, 2), (1, 2, 2, 3, 3), ((1, 1, 1), (0, 0, 0), (1, 1, 1), 1)),
]


@maker("convolution")
def _convolution(rng):
    made = [
        Sample([uniform(rng, x), uniform(rng, w), uniform(rng, (y[1],))], attrs) for x, w, y, attrs in CONVOLUTIONS
    ]
    x, w, _, attrs = CONVOLUTIONS[1]
    return [*made, Sample([uniform(rng, x), uniform(rng, w), None], attrs)]


@maker("conv_input")
def _conv_input(rng):
    return [Sample([uniform(rng, y), uniform(rng, w), uniform(rng, x)], attrs) for x, w, y, attrs in CONVOLUTIONS]


@maker("conv_weight")
def _conv_weight(rng):
    return [Sample([uniform(rng, y), uniform(rng, x), uniform(rng, w)], attrs) for x, w, y, attrs in CONVOLUTIONS]


@maker("conv_output")
def _conv_output(rng):
    return [Sample([uniform(rng, x), uniform(rng, w), uniform(rng, y)], attrs) for x, w, y, attrs in CONVOLUTIONS]


@maker("conv_transpose")
def _conv_transpose(rng):
    x, w, b = uniform(rng, (2, 4, 3, 3)), uniform(rng, (4, 3, 3, 2)), uniform(rng, (6,))
    attrs = ((2, 2), (1, 0), (1, 0), (1, 1), 2)
    line = Sample([uniform(rng, (1, 2, 4)), uniform(rng, (2, 3, 3)), None], ((1,), (0,), (0,), (2,), 1))
    return [Sample([x, w, b], attrs), Sample([x, w, None], attrs), line]


@maker("sum_channels")
def _sum_channels(rng):
    return [Sample([uniform(rng, (2, 3, 4, 5))], ((1, 1),)), Sample([uniform(rng, (3, 4))], ((1,),))]


@maker("expand_channels")
def _expand_channels(rng):
    return [
        Sample([uniform(rng, (3,)), uniform(rng, (2, 3, 4, 5))], ((1, 1),)),
        Sample([uniform(rng, (3,)), uniform(rng, (3, 4))], ((1,),)),
    ]


# ---- pooling -----------------------------------------------------------------------------------------------------

PLANE, POOLED = (2, 3, 6, 5), (2, 3, 3, 2)


@maker("max_pool")
def _max_pool(rng):
    return [
        Sample([distinct(rng, PLANE)], ((2, 2), (2, 2), (0, 0), (1, 1), False)),
        Sample([distinct(rng, PLANE)], ((3, 2), (2, 1), (1, 1), (1, 2), True)),
        Sample([distinct(rng, (3, 7))], ((3,), (2,), (1,), (1,), False)),
    ]


@maker("adaptive_max_pool", "adaptive_avg_pool")
def _adaptive_pool(rng):
    return [Sample([distinct(rng, PLANE)], ((4, 2),)), Sample([distinct(rng, (3, 7))], ((3,),))]


def _plane_places(rng):
    """Places in the planes of PLANE, no two of one plane the same."""
    size = PLANE[2] * PLANE[3]
    count = POOLED[2] * POOLED[3]
    return np.stack([rng.permutation(size)[:count] for _ in range(6)]).reshape(POOLED)


@maker("max_pool_backward")
def _max_pool_backward(rng):
    repeated = rng.integers(0, PLANE[2] * PLANE[3], POOLED)
    return [Sample([uniform(rng, POOLED), repeated, uniform(rng, PLANE)], ((1, 1),))]


@maker("pool_gather")
def _pool_gather(rng):
    return [Sample([uniform(rng, PLANE), rng.integers(0, PLANE[2] * PLANE[3], POOLED)], ((1, 1),))]


@maker("max_unpool")
def _max_unpool(rng):
    return [Sample([uniform(rng, POOLED), _plane_places(rng)], (PLANE[2:],))]


AVERAGES = [
    (POOLED, ((2, 2), (2, 2), (0, 0), False, True, None)),
    ((2, 3, 4, 6), ((3, 2), (2, 1), (1, 1), True, False, None)),
    ((2, 3, 4, 6), ((3, 2), (2, 1), (1, 1), True, True, 5)),
]


@maker("avg_pool")
def _avg_pool(rng):
    return [Sample([uniform(rng, PLANE)], attrs) for _, attrs in AVERAGES]


@maker("avg_pool_backward")
def _avg_pool_backward(rng):
    return [Sample([uniform(rng, shape), uniform(rng, PLANE)], attrs) for shape, attrs in AVERAGES]


@maker("adaptive_avg_pool_backward")
def _adaptive_avg_pool_backward(rng):
    return [Sample([uniform(rng, (2, 3, 4, 2)), uniform(rng, PLANE)], ((4, 2),))]


@maker("total_norm")
def _total_norm(rng):
    return [Sample([[uniform(rng, (3, 4)), uniform(rng, (5,)), np.array(0.7)]])]
