"""Calls of arithmetic, comparisons, reductions and linear algebra."""

import math

import numpy as np
from scope.arrays import b, i, pos, spd, unit, x, y
from scope.variants import call

INF, NAN = math.inf, math.nan
SPECIAL = np.array([0.0, -0.0, 1.0, -1.0, INF, -INF, NAN, 1e-30, 88.0, 1e30])
PAIRS = [
    call(x(3, 4), y(3, 4)),
    call(x(3, 1), y(4)),
    call(x(), y()),
    call(x(2, 3), y()),
    call(x(0, 3), y(1, 3)),
    call(x(2, 3), y(2, 4)),
    call(i(9, 3), pos(3)),
    call(i(9, 3), 2.5),
    call(x(3), 2),
    call(b(3), b(3)[::-1]),
    call(b(3), True),
    call(i(5, 3).astype(np.uint8), i(9, 3).astype(np.int8)),
    call(x(3).astype(np.float32), y(3), tol=10),
]
UNARY = [call(x(3, 4)), call(x()), call(x(0, 2)), call(SPECIAL, grad=False), call(x(2, 3, 2))]
DIMS = [
    {},
    {"dim": 0},
    {"dim": -1, "keepdim": True},
    {"dim": (0, 2)},
    {"dim": (0, 1, 2), "keepdim": True},
    {"dim": ()},
    {"dim": [1]},
    {"dim": 3},
    {"dim": (0, 0)},
    {"dim": None},
]


def unary(*more):
    return UNARY + list(more)


def dims(*more, only_int=False, none=True, three=True, flag=True):
    """Calls over dimensions, of tensors that have some, none and no elements."""
    kwargs = [k for k in DIMS if not only_int or isinstance(k.get("dim", 0), int)]
    kwargs = [k for k in kwargs if (none or k.get("dim", 0)) and (three or k.get("dim") != (0, 1, 2))]
    calls = [call(x(2, 3, 2), **k) for k in kwargs]
    calls += [
        call(x(2, 3, 2), 1),
        *[call(x(2, 3, 2), 1, True)] * flag,
        call(x()),
        call(x(), dim=0),
        call(x(), dim=-1),
    ]
    calls += [call(x(0)), call(x(0, 3), dim=0), call(x(0, 3), dim=1), call(x(2, 3), dim="a")]
    calls += [
        call(np.array([[1.0, NAN], [INF, -INF]]), dim=1, grad=False),
        call(b(2, 3), dim=1),
        call(i(9, 2, 3), dim=0),
    ]
    return calls + list(more)


MATH = {
    "add": [*PAIRS, call(x(3), y(3), alpha=2), call(x(3), 2, alpha=0.5), call(i(3, 2), i(3, 2), alpha=1.5)],
    "sub": [*PAIRS, call(x(3), y(3), alpha=2), call(x(3), 2, alpha=0.5)],
    "mul": PAIRS,
    "div": [
        *PAIRS,
        *[call(x(3, 4), pos(4), rounding_mode=m) for m in (None, "floor", "trunc", "round")],
        *[call(i(9, 4) - 4, np.array([2, -3, 1, 4]), rounding_mode=m) for m in (None, "floor", "trunc")],
        call(np.array([1.0, -1.0, 0.0]), np.zeros(3), grad=False),
        call(np.array([1.0, -1.0, 0.0]), np.zeros(3), rounding_mode="floor", grad=False),
    ],
    "pow": [
        call(pos(3, 4), y(3, 4)),
        call(pos(3), y(2, 1)),
        *[call(x(3, 4), e) for e in (0, 1, 2, 3, -1, -2, 0.0, 2.0)],
        *[call(pos(3, 4), e) for e in (0.5, -0.5, 1.5)],
        call(i(5, 3), 2),
        call(i(5, 3), -1),
        call(i(5, 3), 0.5),
        call(i(5, 3), i(3, 3)),
        call(2.0, x(3)),
        call(2.0, i(3, 3)),
        call(b(3), 2),
        call(np.zeros(3), 0.0),
        call(np.array([0.0, 1.0]), np.array([0.0, 0.0]), grad=False),
        call(np.array([-1.0, 0.0, INF]), 0.5, grad=False),
    ],
    "maximum": PAIRS[:7] + PAIRS[9:10],
    "minimum": PAIRS[:7] + PAIRS[9:10],
    "fmod": [
        *PAIRS[:3], call(x(3, 4), pos(4)), call(x(3) * 5, 2), call(i(9, 3) - 4, 3), call(x(3) * 5, 0.7),
        call(i(4, 3), 0),
    ],
    "hypot": PAIRS[:5],
    "atan2": PAIRS[:7],
    "nextafter": [call(x(3), y(3), grad=False), call(x(2, 1), y(3), grad=False)],
    "bitwise_and": [
        call(i(9, 3), i(7, 3)), call(b(3), b(3)[::-1]), call(i(9, 3), 3), call(x(3), y(3)),
        call(i(9, 2, 1), i(7, 3)), call(b(3), True),
    ],
    "bitwise_xor": [call(i(9, 3), i(7, 3)), call(b(3), b(3)[::-1]), call(i(9, 3), 3), call(x(3), y(3))],
    **{n: [*PAIRS, call(np.array([1.0, NAN]), np.array([1.0, NAN]))] for n in ("eq", "ne", "gt", "lt", "le")},
    **{
        n: UNARY
        for n in (
            "neg abs exp exp2 sin cos tan tanh sigmoid floor ceil sign square erf isnan isfinite atan reciprocal lgamma"
        ).split()
    },
    "digamma": [call(x(3, 4), grad=False), call(pos(3, 4), grad=False), call(SPECIAL, grad=False)],
    **{n: unary(call(pos(3, 4))) for n in ("sqrt", "rsqrt", "log", "log10", "log1p")},
    **{n: unary(call(unit(3, 4))) for n in ("asin", "acos", "erfinv")},
    "round": unary(
        call(x(3, 4) * 100, decimals=1), call(x(3) * 1000, decimals=-2), call(np.array([0.5, 1.5, 2.5, -0.5])),
    ),
    "clamp": [
        call(x(3, 4), -0.5, 0.5),
        call(x(3, 4), min=0),
        call(x(3, 4), max=0.3),
        call(x(3, 4), y(4), y(3, 4) + 1),
        call(x(3, 4), max=y(4)),
        call(x(3, 4), 1, -1),
        call(x(3, 4)),
        call(i(9, 5), 2, 5),
        call(i(9, 5), 2.5, 5),
        call(i(9, 5), max=3.5),
        call(x(3), min=None, max=1),
        call(np.array([NAN, 1.0]), 0, 0.5, grad=False),
        call(x(0), 0, 1),
    ],
    "clamp_min": [call(x(3, 4), 0.1), call(x(3, 4), y(4)), call(i(9, 3), 4), call(i(9, 3), 4.5)],
    "lerp": [
        call(x(3, 4), y(3, 4), 0.3), call(x(3, 4), y(4), unit(3, 1)), call(x(), y(), 0.5), call(x(3), y(3), 2),
    ],
    "addcmul": [
        call(x(3, 4), y(4), pos(3, 1)), call(x(3), y(3), pos(3), value=0.5, dtypes=False),
        call(i(3, 2), i(3, 2), i(4, 2), value=2, dtypes=False),
    ],
    "addcdiv": [call(x(3, 4), y(4), pos(3, 1)), call(x(3), y(3), pos(3), value=-0.5)],
    "where": [
        call(b(3, 4), x(3, 4), y(4)),
        call(b(3, 1), x(4), 0.0),
        call(b(3), y(3), 1.0),
        call(b(2, 3)),
        call(b(3), i(3, 3), y(3)),
        call(x(3), x(3), y(3)),
        call(b(3), x(3), y(4)),
        call(b(3), x(3), -INF),
    ],
    "sum": dims(
        call(b(2, 3)), call(i(3, 2, 2).astype(np.uint8)), call(x(2, 3), dtype="dtype:float32"),
        call(x(2, 3), 1, dtype="dtype:float32"), call(b(3), dtype="dtype:int32"),
    ),
    "mean": dims(call(i(4, 3), dtype="dtype:float32"), call(i(4, 3))),
    "amax": dims(),
    "amin": dims(),
    "any": dims(call(i(3, 2, 2).astype(np.uint8))),
    "all": dims(call(i(3, 2, 2).astype(np.uint8))),
    "prod": dims(
        call(np.array([[0.0, 2.0], [0.0, 0.0], [3.0, 4.0]]), 1), call(np.array([0.0, 2.0, 0.0])), only_int=True,
    ),
    "std": dims(
        call(x(3, 4), unbiased=False), call(x(3, 4), 1, False), call(x(3, 4), dim=1, correction=0),
        call(x(3, 4), dim=1, correction=0.5), call(x(1)), call(x(1), correction=0), call(x(3), False),
        none=False,
    ),
    "var": dims(
        call(x(3, 4), unbiased=False), call(x(3, 4), 1, False), call(x(3, 4), dim=1, correction=0), call(x(1)),
        call(x(3, 4), (0, 1), True, True), none=False,
    ),
    "std_mean": dims(call(x(3, 4), unbiased=False), call(x(3, 4), dim=1, correction=0), none=False),
    "var_mean": dims(
        call(x(3, 4), unbiased=False), call(x(3, 4), dim=1, correction=0), call(x(3, 4), 1, False), none=False,
    ),
    "logsumexp": dims(call(np.array([[-INF, -INF], [0.0, INF]]), 1, grad=False), none=False),
    "max": [
        *dims(only_int=True), *PAIRS[:5], call(np.array([[1.0, 3.0, 3.0]]), 1), call(np.array([1.0, NAN, 3.0])),
    ],
    "min": [*dims(only_int=True), *PAIRS[:5], call(np.array([1.0, NAN, 3.0]))],
    "argmax": dims(call(np.array([1, 3, 3])), call(np.array([1.0, NAN, 3.0])), only_int=True),
    "median": [call(*c.args, dtypes=False, grad=c.grad, **c.kwargs) for c in dims(call(x(3, 4), 1), only_int=True)],
    "cumsum": [
        call(x(3, 4), 0), call(x(3, 4), dim=-1), call(x(), 0), call(x(0, 3), 0), call(x(3), 1),
        call(i(3, 3), 0), call(b(3), 0), call(x(3, 4), 1, dtype="dtype:float32"), call(x(3)),
    ],
    "cumprod": [
        call(x(3, 4), 0), call(x(3, 4), dim=-1), call(np.array([1.0, 0.0, 2.0, 0.0, 3.0]), 0), call(x(), 0),
        call(i(3, 3), 0), call(x(3, 4), 1, dtype="dtype:float32"),
    ],
    "norm": [
        *dims(three=False, flag=False),
        *[call(x(3, 4), p) for p in (1, 2, 3, 0, 0.5, -1, INF, -INF, "fro", "nuc")],
        call(x(3, 4), 2, 1),
        call(x(3, 4), p=1, dim=(0, 1), keepdim=True),
        call(x(3, 4).astype(np.float32), dim=1, dtype="dtype:float64", dtypes=False),
        call(np.zeros(3), grad=False),
        call(i(3, 3)),
    ],
    "dist": [
        call(x(3, 4), y(3, 4)), call(x(3, 4), y(4), 1), call(x(3), y(3), p=3), call(x(3), y(3), INF),
        call(x(3), y(3), 0, grad=False),
    ],
    "linalg.norm": [
        *dims(none=False, three=False, flag=False), call(x(2, 3)),
        *[call(x(3, 4), o) for o in (1, 2, INF, -INF, "fro", "nuc", -1, -2)],
        *[call(x(5), o) for o in (0, 1, 2, 3, INF)], call(x(2, 3, 4), "fro", (1, 2)),
        call(x(2, 3, 4), 2, (0, 2), True), call(x(2, 3, 4), 2),
    ],
    "linalg.vecdot": [call(x(3, 4), y(3, 4)), call(x(3, 4), y(4), dim=-1), call(x(3, 4), y(3, 4), dim=0)],
    "linalg.inv": [call(spd(3)), call(spd(3, 2)), call(x(2, 3)), call(np.zeros((2, 2)))],
    "linalg.det": [
        call(spd(3)), call(x(2, 3, 3)), call(x(2, 3)), call(np.zeros((2, 2)), grad=False),
        call(x(0, 0), grad=False, dtypes=False),
    ],
    "linalg.solve": [
        call(spd(3), x(3)), call(spd(3), x(3, 2)), call(spd(3, 2), x(2, 3, 1)),
        call(spd(3), x(2, 3), left=False), call(spd(3), x(2)),
    ],
    "linalg.eigvalsh": [call(spd(3)), call(spd(3, 2)), call(spd(3), "U")],
    "svd": [
        call(spd(3), grad=False, values=False), call(x(3, 2), grad=False, values=False),
        call(x(2, 4), some=False, grad=False, values=False),
    ],
    "lu": [
        call(x(3, 3)), call(x(2, 3, 3)), call(x(2, 4), grad=False), call(x(4, 2), grad=False),
        call(x(3, 3), get_infos=True),
    ],
    "lu_unpack": [
        call(x(3, 3), np.array([2, 3, 3], dtype=np.int32)),
        call(x(2, 3, 4), np.array([[2, 3, 3], [1, 2, 3]], dtype=np.int32)), call(x(3, 3), i(3, 3)),
    ],
    "matrix_exp": [
        call(x(3, 3), dtypes=False), call(x(2, 2, 2), dtypes=False), call(np.zeros((2, 2)), dtypes=False),
    ],
    "matmul": [
        call(x(3, 4), y(4, 2)), call(x(4), y(4)), call(x(3, 4), y(4)), call(x(4), y(4, 2)),
        call(x(2, 3, 4), y(4, 5)),
        call(x(2, 1, 3, 4), y(3, 4, 2)), call(x(2, 3, 4), y(4)), call(x(4), y(2, 4, 3)), call(x(3, 4), y(3, 4)),
        call(x(), y(3)),
        call(x(0, 4), y(4, 2), dtypes=False), call(x(3, 0), y(0, 2), dtypes=False),
        call(i(4, 2, 3), i(5, 3, 2)), call(x(3, 4).astype(np.float32), y(4, 2)),
    ],
    "mm": [call(x(3, 4), y(4, 2)), call(x(3), y(3)), call(x(3, 4), y(3, 4)), call(x(3, 0), y(0, 2), dtypes=False)],
    "bmm": [call(x(2, 3, 4), y(2, 4, 5)), call(x(2, 3, 4), y(3, 4, 5)), call(x(3, 4), y(4, 5))],
    "mv": [call(x(3, 4), y(4)), call(x(3, 4), y(3))],
    "dot": [call(x(4), y(4)), call(x(3), y(4)), call(x(2, 2), y(2, 2)), call(x(0), y(0))],
    "outer": [call(x(3), y(4)), call(x(2, 2), y(4))],
    "cross": [
        call(x(4, 3), y(4, 3)), call(x(3, 4), y(3, 4), dim=0), call(x(4, 3), y(4, 3), dim=-1),
        call(x(2, 4), y(2, 4)),
    ],
    "trace": [call(x(3, 3)), call(x(2, 3)), call(x(3)), call(i(4, 3, 3))],
    "cdist": [call(x(3, 4), y(2, 4)), call(x(2, 3, 4), y(2, 2, 4)), call(x(3, 4), y(2, 4), p=1.0), call(x(3), y(2, 4)),
              call(x(3, 4), y(2, 4), p=3.0), call(x(3, 4), y(2, 3))],
    "cov": [call(x(3, 5)), call(x(5)), call(x(3, 5), correction=0), call(x(3, 5), fweights=i(4, 5) + 1, dtypes=False),
            call(x(3, 5), aweights=pos(5), grad=False, dtypes=False)],
    "corrcoef": [call(x(3, 5)), call(x(5), grad=False)],
    "trapezoid": [
        call(x(4)), call(x(3, 4), y(4), dtypes=False), call(x(3, 4), dx=0.5, dim=0),
        call(x(3, 4), y(3, 4), dim=1, dtypes=False),
    ],
    "allclose": [
        call(x(3), x(3)), call(x(3), y(3)), call(x(3), x(3) + 1e-4, rtol=1e-2),
        call(np.array([NAN]), np.array([NAN]), equal_nan=True), call(x(3), x(3).astype(np.float32)),
        call(x(3), x(3) + 1e-4, 0.1, 0.1),
    ],
    "equal": [
        call(x(3), x(3)), call(x(3), y(3)), call(x(3), x(4)), call(i(3, 3), i(3, 3).astype(np.float64)),
        call(np.array([NAN]), np.array([NAN])), call(x(0), x(0)),
    ],
    "searchsorted": [
        call(np.sort(x(5)), y(2, 3), grad=False), call(np.sort(x(2, 5)), y(2, 3), grad=False),
        call(np.sort(x(5)), 0.3, grad=False),
        call(np.sort(x(5)), y(3), right=True, grad=False), call(np.sort(x(5)), y(3), out_int32=True, grad=False),
        call(np.sort(i(9, 5)), i(9, 4), side="right"), call(x(5), y(3), sorter=np.argsort(x(5)), grad=False),
    ],
    "bucketize": [
        call(x(2, 3), np.array([-1.0, 0.0, 1.0]), grad=False),
        call(x(3), np.array([-1.0, 0.0, 1.0]), right=True, grad=False),
        call(0.5, np.array([0.0, 1.0]), grad=False), call(x(3), np.array([0.0]), out_int32=True, grad=False),
    ],
}  # fmt: skip
