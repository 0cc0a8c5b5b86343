"""Calls of the names that training code uses rarely: synonyms, products that are added, polynomials, old layers."""

import math

import numpy as np
from scope.arrays import b, i, pos, unit, x, y
from scope.calls_math import PAIRS, SPECIAL, UNARY, unary
from scope.calls_nn import ACT, IMAGE, image
from scope.variants import call

LINE, VOLUME = x(2, 3, 8), x(1, 2, 5, 4, 6)
SCALES = [{"beta": 0.5}, {"alpha": 2}, {"beta": 0, "alpha": -1.5}, {"beta": 2, "alpha": 3}]
SIGNS = np.sign(y(3, 4)).astype(np.int64)
THRICE = (x(3, 4), y(3, 4), x(3, 4, tag="n"))
POLYNOMIALS = (
    "chebyshev_polynomial_t chebyshev_polynomial_u chebyshev_polynomial_v chebyshev_polynomial_w hermite_polynomial_h "
    "hermite_polynomial_he laguerre_polynomial_l legendre_polynomial_p shifted_chebyshev_polynomial_t "
    "shifted_chebyshev_polynomial_u shifted_chebyshev_polynomial_v shifted_chebyshev_polynomial_w"
).split()


def added(inner, *operands, wrong):
    """Calls of a product that is added to something: scaled, broadcast, of integers, of wrong shapes."""
    whole = [np.round(v * 3).astype(np.int64) for v in operands]
    return [
        call(inner, *operands),
        *[call(inner, *operands, **k) for k in SCALES],
        call(x(), *operands),
        call(np.full_like(inner, np.nan), *operands, beta=0, grad=False),
        call(np.round(inner).astype(np.int64), *whole),
        call(np.round(inner).astype(np.int64), *whole, beta=2, alpha=-1),
        call(np.round(inner).astype(np.int64), *whole, alpha=0.5),
        call(inner, *wrong),
    ]


def pooled(operand, *args, **kwargs):
    """A call of a pool, without the battery of dtypes."""
    return call(operand, *args, dtypes=False, **kwargs)


def unpooled(name, operand):
    """Indices as a pool of width 2 gives them, and calls that put the values back."""
    spatial = operand.ndim - 2
    size = np.prod([2 * s for s in operand.shape[2:]])
    places = np.random.default_rng(3).permuted(np.tile(np.arange(size), (*operand.shape[:2], 1)), axis=-1)
    places = places[..., : operand[0, 0].size].reshape(operand.shape)
    wide = [2 * s + 1 for s in operand.shape[2:]]
    return [
        pooled(operand, places, 2),
        pooled(operand, places, (2,) * spatial, stride=2, padding=0),
        pooled(operand, places, 2, output_size=wide),
        pooled(operand, places, 2, output_size=[*operand.shape[:2], *wide]),
        pooled(operand[0], places[0], 2),
        pooled(operand, places, 2, output_size=[3 * s for s in wide]),
        pooled(operand, places + size, 2),
        pooled(operand, places[..., :-1], 2),
    ]


REST = {
    "addmm": added(x(2, 3), x(2, 4), y(4, 3), wrong=(x(2, 4), y(3, 3))),
    "addmv": added(x(2), x(2, 4), y(4), wrong=(x(2, 4), y(3))),
    "addr": added(x(2, 3), x(2), y(3), wrong=(x(3), y(2))),
    "addbmm": added(x(2, 3), x(5, 2, 4), y(5, 4, 3), wrong=(x(5, 2, 4), y(4, 4, 3))),
    "baddbmm": added(x(5, 2, 3), x(5, 2, 4), y(5, 4, 3), wrong=(x(5, 2, 4), y(5, 3, 3))),
    **{n: unary(call(unit(3, 4))) for n in ("arccos", "arcsin", "arctanh", "sinc", "negative", "rad2deg", "deg2rad")},
    **{n: UNARY for n in ("arcsinh", "arctan", "fix", "conj_physical")},
    "arccosh": [call(1 + pos(3, 4)), call(1 + pos()), call(x(0, 2)), call(SPECIAL, grad=False)],
    "logit": [
        call(unit(3, 4)), call(unit()), call(SPECIAL, grad=False),
        *[call(unit(3, 4) * 1.2 - 0.1, eps) for eps in (0.0, 1e-3, 0.2)],
        call(x(3), eps=0.1), call(unit(3), eps=None), call(unit(3), "a"),
    ],
    **{
        n: [*PAIRS, call(np.array([1.0, math.nan]), np.array([1.0, math.nan]))]
        for n in ("greater", "greater_equal", "less_equal", "less", "not_equal")
    },
    "multiply": PAIRS,
    "subtract": [*PAIRS, call(x(3), y(3), alpha=2), call(x(3), 2, alpha=0.5), call(i(3, 2), i(3, 2), alpha=1.5)],
    "divide": [
        *PAIRS, *[call(x(3, 4), pos(4), rounding_mode=m) for m in (None, "floor", "trunc", "round")],
        *[call(i(9, 4) - 4, np.array([2, -3, 1, 4]), rounding_mode=m) for m in (None, "floor", "trunc")],
    ],
    "true_divide": [*PAIRS, call(i(9, 3), i(9, 3) + 1), call(x(3), y(3), rounding_mode="floor")],
    "clamp_max": [
        call(x(3, 4), 0.3), call(x(3, 4), y(4)), call(x(3), max=-0.5), call(i(9, 3), 4), call(i(9, 3), 2.5),
        call(SPECIAL, 1.0, grad=False), call(x(3), math.nan, grad=False), call(x(3)), call(x(2), y(2, 2)),
        call(b(3), 1),
        call(i(9, 3), math.nan),
    ],
    "clip": [
        call(x(3, 4), -0.3, 0.3), call(x(3, 4), max=0.3), call(x(3, 4), min=y(4)), call(x(3), y(3), y(3) + 1),
        call(x(3), 1, -1), call(x(3)), call(i(9, 3), 2, 5), call(i(9, 3), 1.5), call(SPECIAL, -1, 1, grad=False),
    ],
    "heaviside": [
        call(np.array([-1.0, 0.0, 2.0]), x(3), grad=False), call(x(3, 1), y(4), grad=False),
        call(np.array([0.0, math.nan]), x(), grad=False), call(i(3, 4) - 1, i(3, 4)), call(x(3), i(3, 3)),
        call(x(3), 1.0),
    ],
    "renorm": [
        *[call(x(3, 4, 2), p, dim, 0.7) for p, dim in ((2, 0), (1, 1), (3.0, -1), (math.inf, 0), (0.5, 2))],
        call(x(3, 4), p=2, dim=0, maxnorm=100.0), call(x(3), 2, 0, 1.0), call(x(3, 4), 2, 2, 1.0),
        call(x(3, 4), 2, 0, -1.0),
        call(np.zeros((2, 3)), 2, 0, 1.0, grad=False), call(x(3, 4), 0, 0, 1.0),
    ],
    "index_reduce": [
        *[
            call(x(4, 3), 0, np.array([0, 2, 2, 1]), y(4, 3), r, include_self=s)
            for r in ("prod", "mean", "amax", "amin") for s in (True, False)
        ],
        call(x(3, 4), -1, np.array([3, 0]), y(3, 2), "amax"), call(x(4), 0, np.array([0, 0, 0]), y(3), reduce="mean"),
        call(x(4, 3), 0, np.array([0, 4]), y(2, 3), "amax"), call(x(4, 3), 0, np.array([0, 1]), y(2, 3), "sum"),
        call(x(4, 3), 0, np.array([0, 1]), y(3, 3), "amax"), call(x(4, 3), 2, np.array([0, 1]), y(2, 3), "amax"),
    ],
    "pinverse": [call(x(3, 4)), call(x(4, 3)), call(x(2, 3, 3)), call(x(3, 3), 0.3, grad=False), call(x(3))],
    "split_with_sizes": [
        call(x(5, 3), [2, 3]), call(x(5, 3), (1, 0, 4)), call(x(2, 6), [1, 2, 3], 1), call(x(2, 6), [1, 5], dim=-1),
        call(x(5), [2, 2]), call(x(5), [6, -1]), call(x(5), 2), call(x(5), [5], 1), call(i(9, 4), [1, 3]),
    ],
    "row_stack": [
        call((x(3), y(3))), call([x(2, 3), y(3), x(1, 3)]), call((x(), y())), call(()), call((x(3), y(4))),
        call((i(3, 2), x(2))),
    ],
    "cumulative_trapezoid": [
        call(x(3, 5)), call(x(3, 5), dx=0.5), call(x(3, 5), np.cumsum(pos(5))), call(x(3, 5), pos(3, 5), dim=0),
        call(x(3, 5), x=np.cumsum(pos(3)), dim=0), call(x(1)), call(x(3, 0)), call(x(3, 5), pos(4)),
        call(x(3), dim=1),
    ],
    **{
        "special." + n: [
            call(unit(5), i(6, 5), grad=False), call(x(2, 1), i(4, 3), grad=False), call(unit(3) * 3, 5, grad=False),
            call(i(3, 4), 3), call(x(3), i(3, 2)),
        ]
        for n in POLYNOMIALS
    },
    "fft.rfft2": [
        call(x(2, 4, 3)), call(x(3, 4), s=(5, 2)), call(x(3, 4), s=(-1, 6), dim=(1, 0)), call(x(3, 4), norm="ortho"),
        call(x(4)), call(i(9, 3, 3)), call(x(3, 4), norm="no"),
    ],
    "alpha_dropout": [call(x(3, 4), 0.0, True), call(x(3, 4), 0.5, False), call(x(3, 4), 0.5, True, values=False),
                      call(x(3), 1.5, True), call(x(3), p=1.0, train=True, dtypes=False), call(i(3, 3), 0.5, True)],
    **{
        "nn.functional." + n: [
            call(x(2, 3, 4), values=False, dtypes=False), call(x(2, 3, 4), 0.0, dtypes=False),
            call(x(2, 3, 4), 0.5, True, values=False, dtypes=False), call(x(2, 3, 4), 0.5, False),
            call(x(2, 3, 4), -0.1),
            call(x(2, 3, 4), p=0.3, training=False, inplace=True, grad=False),
        ]
        for n in ("alpha_dropout", "feature_alpha_dropout")
    },
    **{
        "nn.functional." + n: [
            call(operand, 0.5, values=False, dtypes=False), call(operand, 0.0), call(operand, 1.0, dtypes=False),
            call(operand, 0.5, False), call(operand, 1.5), call(operand[0], 0.5, values=False, dtypes=False),
            call(operand, p=0.3, training=False, inplace=True, grad=False), call(x(3), 0.5, values=False),
        ]
        for n, operand in (("dropout1d", LINE), ("dropout3d", VOLUME))
    },
    **{"nn.functional." + n: ACT for n in ("celu_", "elu_", "selu_", "leaky_relu_", "hardtanh_")},
    "nn.functional.threshold_": [call(x(3, 4), 0.1, 2.0), call(x(), -1, 0.5),
        call(x(3), threshold=0.0, value=-1.0, dtypes=False),
                                 call(x(3)), call(i(5, 4), 2, 7)],
    "nn.functional.rrelu_": [call(x(3, 4)), call(x(3, 4), 0.2, 0.4), call(x(3), lower=0.1, upper=0.1, training=True),
                             call(x(3, 4), 0.1, 0.3, True, values=False), call(x(3), 0.5, 0.1)],
    "nn.functional.fractional_max_pool3d": [
        pooled(VOLUME, 2, 2, _random_samples=unit(1, 2, 3), grad=False),
        pooled(VOLUME, (1, 2, 2), (3, 2, 4), _random_samples=unit(1, 2, 3), return_indices=True, grad=False),
        pooled(VOLUME, 2, output_ratio=0.5, _random_samples=unit(1, 2, 3), grad=False),
        pooled(VOLUME[0], 2, output_ratio=(0.5, 0.6, 0.7), _random_samples=unit(1, 2, 3), grad=False),
        pooled(VOLUME, 2, (2, 1, 3), values=False), pooled(VOLUME, 2), pooled(VOLUME, 2, 2, 0.5),
        pooled(VOLUME, 2, 9),
        pooled(VOLUME, 2, output_ratio=1.5),
    ],
    "nn.functional.gumbel_softmax": [
        call(x(3, 4), values=False), call(x(3, 4), 0.5, True, values=False),
        call(x(3, 4), tau=2.0, hard=True, dim=0, values=False),
        call(x(4), dim=1), call(x(3, 4), 1.0, False, 1e-8, values=False),
    ],
    "nn.functional.lp_pool1d": [
        pooled(LINE, 2.0, 2), pooled(abs(LINE), 3, 3, 2), pooled(abs(LINE), 1.5, 3, 2, True), pooled(LINE[0], 2, 2),
        pooled(LINE, norm_type=2, kernel_size=3, stride=1), pooled(LINE, 2, 9), pooled(IMAGE, 2, 2),
        pooled(abs(LINE), math.inf, 2),
    ],
    "nn.functional.lp_pool3d": [
        pooled(VOLUME, 2.0, 2), pooled(abs(VOLUME), 3, (2, 1, 3), 2), pooled(abs(VOLUME), 1.5, 2, 2, True),
        pooled(VOLUME[0], 2, 2), pooled(VOLUME, norm_type=2, kernel_size=2, stride=(1, 2, 1)), pooled(VOLUME, 2, 9),
    ],
    "nn.functional.max_unpool1d": unpooled("max_unpool1d", x(2, 3, 4)),
    "nn.functional.max_unpool3d": unpooled("max_unpool3d", x(2, 2, 2, 3, 2)),
    "nn.functional.multilabel_soft_margin_loss": [
        *[call(x(3, 4), b(3, 4).astype(float), dtypes=False, grad=False, **k)
          for k in ({}, {"reduction": "sum"}, {"reduction": "none"}, {"weight": pos(4)}, {"size_average": False})],
        call(x(4), b(4).astype(float), dtypes=False), call(x(3, 4), b(3, 3).astype(float)),
        call(x(3, 4), unit(3, 4), reduction="no"),
        call(x(3, 4), unit(3, 4), dtypes=False),
    ],
    "nn.functional.soft_margin_loss": [
        *[call(x(3, 4), SIGNS, dtypes=False, **k) for k in ({}, {"reduction": "sum"}, {"reduction": "none"},
        {"reduction": "no"})],
        call(x(3, 4) * 300, SIGNS, dtypes=False), call(x(3, 4), y(3, 4), grad=False), call(x(3), SIGNS, dtypes=False),
        call(x(3, 4), SIGNS, size_average=False, dtypes=False), call(x(3, 4), SIGNS, reduce=False, dtypes=False),
    ],
    "nn.functional.triplet_margin_with_distance_loss": [
        *[call(*THRICE, dtypes=False, **k) for k in
          ({}, {"margin": 0.3}, {"swap": True}, {"reduction": "sum"}, {"reduction": "none", "swap": True},
          {"margin": -1.0})],
        call(x(3, 4), y(3, 4), x(3, 5), dtypes=False), call(*THRICE, reduction="no", dtypes=False),
        call(*THRICE, distance_function=lambda a, b: (a - b).abs().sum(-1), swap=True, dtypes=False),
        call(*THRICE, distance_function=lambda a, b: (a - b).abs().amax(-1), margin=0.5, dtypes=False),
    ],
    "nn.functional.upsample": [
        image(size=(9, 4)), image(scale_factor=2), image(scale_factor=1.7, mode="bilinear"), image(2),
        image(size=(9, 4), mode="bicubic", align_corners=True), pooled(LINE, scale_factor=2, mode="linear"), image(),
        image(scale_factor=2, mode="no"), pooled(VOLUME, scale_factor=2, mode="trilinear", align_corners=True),
    ],
    "nn.functional.upsample_bilinear": [image(scale_factor=2), image(size=(9, 4)), image(9), image(),
        pooled(LINE, scale_factor=2)],
}  # fmt: skip

# Each of these is called by its own name, and torch runs at least one of the calls.
PATHS = """
    Tensor.addbmm_ Tensor.addmm_ Tensor.addmv_ Tensor.addr_ Tensor.arccos_ Tensor.arccosh Tensor.arcsin_ Tensor.arcsinh_
    Tensor.arctan_ Tensor.arctanh_ Tensor.baddbmm_ Tensor.clamp_max_ Tensor.clip_ Tensor.conj_physical_ Tensor.deg2rad_
    Tensor.divide_ Tensor.fix Tensor.fix_ Tensor.greater Tensor.greater_ Tensor.greater_equal Tensor.greater_equal_
    Tensor.heaviside_ Tensor.index_reduce_ Tensor.less_ Tensor.less_equal Tensor.less_equal_ Tensor.logit_
    Tensor.multiply_ Tensor.negative_ Tensor.not_equal Tensor.not_equal_ Tensor.pinverse Tensor.rad2deg_ Tensor.renorm_
    Tensor.sinc_ Tensor.split_with_sizes Tensor.subtract_ Tensor.true_divide_
""".split()
