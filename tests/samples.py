"""Operands for every row: the values that the generated tests feed to an op.

Elementwise rows are sampled from their domain. Other rows have a maker here, keyed by the row's name, or bring their
own (`samples=` in the row: a function of NumPy and a generator that returns (operands, attributes) pairs).
A maker returns samples in float64; the tests convert them. Points where a rule has a kink are kept away from.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from optools import COMPLEX_ONLY

from wengert.ops import TABLE

MARGIN = 0.05  # distance from a kink, far above the steps of finite differences (1e-5)
WHOLE = ("floor", "ceil", "trunc", "frac")  # kinks at whole numbers


@dataclass
class Sample:
    """Operands (arrays, numbers or None; a list of arrays in first place for a row that takes a list) and attributes.

    fixed: places of floating operands that have no gradient. derive: where some of those are functions of others, takes
    all operands and returns them with those computed anew.
    """

    operands: list
    attrs: tuple = ()
    fixed: tuple = ()
    derive: Callable | None = None

    def __post_init__(self):
        if self.derive is not None:
            self.operands = self.derive(*self.operands)
        # NumPy turns 0-d results into scalars; operands are arrays.
        self.operands = [np.array(v) if isinstance(v, np.generic) else v for v in self.operands]

    def floating(self, row):
        """Places of the operands whose gradients are to be compared."""
        operands = self.operands[0] if row.variadic else self.operands
        names = [""] * len(operands) if row.variadic else row.inputs
        return [
            k
            for k, v in enumerate(operands)
            if isinstance(v, np.ndarray)
            and v.dtype.kind == "f"
            and names[k] != "like"
            and k not in self.fixed
            and not (row.name == "hardtanh" and k > 0)  # its bounds are numbers: they have no gradient
        ]


def uniform(rng, shape, low=-2.0, high=2.0):
    """Values between two bounds."""
    return rng.uniform(low, high, shape)


def away(x, kinks, margin=MARGIN):
    """x with values closer to a kink than the margin moved off it."""
    x = np.array(x)
    for k in kinks:
        near = np.abs(x - k) < margin
        x[near] = k + np.where(x[near] >= k, margin, -margin) * 1.5
    return x


def elementwise_operands(row, rng, shapes):
    """Operands of an elementwise row, smooth within MARGIN, of the given shapes."""
    low, high = row.domain
    if row.name == "where":
        return [rng.random(shapes[0]) < 0.5, uniform(rng, shapes[1]), uniform(rng, shapes[2])]
    if row.name in ("clamp3", "hardtanh"):
        x = uniform(rng, shapes[0], -2, 2)
        return [away(x, (-0.7, 0.6)), np.full(shapes[1], -0.7), np.full(shapes[2], 0.6)]
    if row.name in ("remainder", "fmod"):
        # a / b is a whole number and a part between 0.2 and 0.8.
        b = uniform(rng, shapes[1], 0.5, 2.0)
        if shapes[0] != shapes[1]:
            b = np.full(shapes[1], 0.75)
        ratio = rng.integers(0, 3, shapes[0]) + uniform(rng, shapes[0], 0.2, 0.8)
        return [ratio * (b if b.shape == ratio.shape else 0.75), b]
    operands = [uniform(rng, shape, low, high) for shape in shapes]
    if row.name == "polygamma_at":
        return [operands[0], rng.integers(1, 5, shapes[1]).astype(float)]
    if row.name in WHOLE:
        return [np.floor(x) + 0.2 + 0.6 * (x - np.floor(x)) for x in operands]
    if row.name == "round_even":
        return [np.floor(x) - 0.3 + 0.6 * (x - np.floor(x)) for x in operands]
    if row.name in ("sign", "copysign"):
        return [away(x, (0.0,)) for x in operands]
    numbers = [k for k in row.kinks if not isinstance(k, str)]
    if "tie" in row.kinks:
        # Whole grids half a step apart never meet, whatever is broadcast against what.
        return [np.round(x * 8) / 8 + k / 16 for k, x in enumerate(operands)]
    return [away(x, numbers) for x in operands]


INTEGERS_ONLY = (
    "bitwise_and",
    "bitwise_or",
    "bitwise_xor",
    "bitwise_left_shift",
    "bitwise_right_shift",
    "bitwise_not",
    "gcd",
    "lcm",
)
UNDIFFERENTIATED = {
    "polygamma_at": (1,),
    "zeta": (0,),
    "igamma": (0,),
    "igammac": (0,),
    "smooth_abs": (1,),
}  # operands without a gradient


def _elementwise(row, rng):
    n = len(row.inputs)
    if row.name in INTEGERS_ONLY:
        return [Sample([rng.integers(0, 7, (3, 4)) for _ in range(n)])]
    layouts = [[(3, 4)] * n, [()] * n]
    if n == 2:
        layouts += [[(3, 4), (4,)], [(3, 1), (1, 4)], [(), (2, 3)]]
    if n == 3:
        layouts += [[(3, 4), (4,), (3, 1)], [(2, 1, 3), (), (4, 1)]]
    fixed = UNDIFFERENTIATED.get(row.name, ())
    return [Sample(elementwise_operands(row, rng, shapes), fixed=fixed) for shapes in layouts]


MAKERS = {}


def maker(*names):
    """Makes a function of a generator the maker of rows."""

    def enter(make):
        for name in names:
            MAKERS[name] = make
        return make

    return enter


def distinct(rng, shape):
    """Values without ties, 0.1 apart or more."""
    n = int(np.prod(shape))
    return ((rng.permutation(n) - n / 2) * 0.1 + 0.033).reshape(shape)


@maker("pow_scalar")
def _pow_scalar(rng):
    x = uniform(rng, (3, 4), 0.5, 2.0)
    return [Sample([x], (e,)) for e in (2.0, 3.0, 0.5, 1.0, 0.0, -1.5, 2.5)] + [Sample([np.array(0.7)], (3.0,))]


# ---- reductions -------------------------------------------------------------------------------------------------


@maker("sum", "sum_float", "sumsq", "amax", "amin", "logsumexp", "any", "all", "count_nonzero")
def _reductions(rng):
    x = distinct(rng, (3, 4, 5))
    return [
        Sample([x], ((), False)),
        Sample([x], ((1,), False)),
        Sample([x], ((0, 2), True)),
        Sample([x], ((-1,), True)),
        Sample([distinct(rng, (7,))], ((0,), False)),
        Sample([np.array(0.7)], ((), False)),
    ]


@maker("argmax", "argmin")
def _arg(rng):
    x = distinct(rng, (3, 4, 5))
    return [Sample([x], ((1,), False)), Sample([x], ((-1,), True)), Sample([x], (None, False))]


# ---- matrix products --------------------------------------------------------------------------------------------


@maker("matmul")
def _matmul(rng):
    pairs = [
        ((3, 4), (4, 5)),
        ((2, 3, 4), (2, 4, 2)),
        ((2, 3, 4), (4, 5)),
        ((2, 1, 3, 4), (3, 4, 2)),
        ((1, 1), (1, 1)),
    ]
    return [Sample([uniform(rng, a), uniform(rng, b)]) for a, b in pairs]


@maker("linear")
def _linear(rng):
    out = []
    for lead in ((3,), (2, 3)):
        x, w, b = uniform(rng, (*lead, 4)), uniform(rng, (5, 4)), uniform(rng, (5,))
        out += [Sample([x, w, b]), Sample([x, w, None])]
    return out


@maker("matmul_rows")
def _matmul_rows(rng):
    return [Sample([uniform(rng, (*lead, 4)), uniform(rng, (4, 5))]) for lead in ((3,), (2, 3))]


# ---- shapes -----------------------------------------------------------------------------------------------------


@maker("view", "reshape")
def _view(rng):
    x = uniform(rng, (2, 3, 4))
    return [
        Sample([x], ((6, 4),)),
        Sample([x], ((-1,),)),
        Sample([x], ((4, 1, 6),)),
        Sample([uniform(rng, (1,))], ((),)),
    ]


@maker("reshape_like")
def _reshape_like(rng):
    return [Sample([uniform(rng, (2, 3, 4)), uniform(rng, (6, 4))])]


@maker("rows", "alias", "stop_gradient", "contiguous", "clone")
def _plain(rng):
    return [Sample([uniform(rng, (2, 3, 4))]), Sample([uniform(rng, (3, 4))])]


@maker("permute")
def _permute(rng):
    x = uniform(rng, (2, 3, 4))
    return [Sample([x], ((2, 0, 1),)), Sample([x], ((-1, 1, 0),))]


@maker("transpose")
def _transpose(rng):
    x = uniform(rng, (2, 3, 4))
    return [Sample([x], (0, 2)), Sample([x], (-1, -2))]


@maker("expand")
def _expand(rng):
    return [Sample([uniform(rng, (3, 1))], ((2, 3, 4),)), Sample([uniform(rng, (3, 1))], ((-1, 4),))]


@maker("expand_like", "assign")
def _expand_like(rng):
    return [Sample([uniform(rng, (3, 1)), uniform(rng, (2, 3, 4))])]


@maker("assign")
def _assign(rng):
    return [
        Sample([uniform(rng, (2, 3, 4)), uniform(rng, (3, 1))]),
        Sample([uniform(rng, (3,)), uniform(rng, (3,))]),
    ]


@maker("unreduce_like")
def _unreduce_like(rng):
    like = uniform(rng, (2, 3, 4))
    return [
        Sample([uniform(rng, (2, 4)), like], ((1,), False)),
        Sample([uniform(rng, (2, 1, 1)), like], ((1, 2), True)),
        Sample([uniform(rng, ()), like], ((), False)),
    ]


@maker("sum_to_like")
def _sum_to_like(rng):
    x = uniform(rng, (2, 3, 4))
    return [Sample([x, uniform(rng, (3, 1))]), Sample([x, uniform(rng, ())]), Sample([x, uniform(rng, (2, 3, 4))])]


@maker("unsqueeze")
def _unsqueeze(rng):
    return [Sample([uniform(rng, (2, 3))], (d,)) for d in (0, 2, -2)]


@maker("squeeze")
def _squeeze(rng):
    x = uniform(rng, (1, 3, 1))
    return [Sample([x], (None,)), Sample([x], ((0,),)), Sample([x], ((-1, 1),))]


@maker("select")
def _select(rng):
    x = uniform(rng, (2, 3, 4))
    return [Sample([x], (1, 2)), Sample([x], (-1, -1)), Sample([uniform(rng, (3,))], (0, 1))]


@maker("select_embed")
def _select_embed(rng):
    return [Sample([uniform(rng, (2, 4)), uniform(rng, (2, 3, 4))], (1, 2))]


@maker("slice")
def _slice(rng):
    x = uniform(rng, (2, 7))
    return [Sample([x], (1, 1, 3, 2)), Sample([x], (0, 0, 1, 1)), Sample([x], (1, 3, 0, 1))]


@maker("slice_embed")
def _slice_embed(rng):
    return [Sample([uniform(rng, (2, 3)), uniform(rng, (2, 7))], (1, 1, 3, 2))]


@maker("as_strided")
def _as_strided(rng):
    return [Sample([uniform(rng, (12,))], ((3, 2), (4, 1), 1)), Sample([uniform(rng, (6,))], ((4, 3), (1, 1), 0))]


@maker("as_strided_rows")
def _as_strided_rows(rng):
    return [
        Sample([uniform(rng, (3, 4))], ((3, 2), (4, 1), 1)),
        Sample([uniform(rng, (6,))], ((4, 3), (1, 1), 0)),
    ]


@maker("as_strided_embed")
def _as_strided_embed(rng):
    return [
        Sample([uniform(rng, (3, 2)), uniform(rng, (12,))], ((3, 2), (4, 1), 1)),
        Sample([uniform(rng, (4, 3)), uniform(rng, (6,))], ((4, 3), (1, 1), 0)),
    ]


@maker("strided_scatter")
def _strided_scatter(rng):
    return [Sample([uniform(rng, (12,)), uniform(rng, (3, 2))], ((3, 2), (4, 1), 1))]


@maker("diagonal")
def _diagonal(rng):
    x = uniform(rng, (3, 4, 3))
    return [Sample([x], (0, 0, 1)), Sample([x], (1, 0, 2)), Sample([x], (-1, -2, -1))]


@maker("diagonal_embed")
def _diagonal_embed(rng):
    return [Sample([uniform(rng, (3, 3)), uniform(rng, (3, 4, 3))], (0, 0, 1))]


@maker("unfold")
def _unfold(rng):
    x = uniform(rng, (2, 7))
    return [Sample([x], (1, 3, 2)), Sample([x], (-1, 3, 1))]


@maker("unfold_embed")
def _unfold_embed(rng):
    return [Sample([uniform(rng, (2, 5, 3)), uniform(rng, (2, 7))], (1, 3, 1))]


@maker("tril", "triu")
def _triangle(rng):
    x = uniform(rng, (2, 3, 4))
    return [Sample([x], (0,)), Sample([x], (-2,)), Sample([x], (5,)), Sample([x[0]], (1,))]


@maker("count_values")
def _count_values(rng):
    return [Sample([rng.integers(0, 5, 40)], (6,)), Sample([rng.integers(0, 50, 11)], (50,))]


@maker("resample")
def _resample(rng):
    x = uniform(rng, (2, 5, 3))
    return [
        Sample([x], (1, 8, 0.625, 0.5, False)),
        Sample([x], (-1, 7, 2 / 6, 0.0, True)),
        Sample([x], (0, 1, 2.0, 0.5, True)),
        Sample([uniform(rng, (9, 6))], (1, 12, 0.5, 0.5, False)),
    ]


@maker("resample_adjoint")
def _resample_adjoint(rng):
    return [
        Sample([uniform(rng, (2, 8, 3)), uniform(rng, (2, 5, 3))], (1, 8, 0.625, 0.5, False)),
        Sample([uniform(rng, (9, 7)), uniform(rng, (9, 3))], (-1, 7, 2 / 6, 0.0, True)),
        Sample([uniform(rng, (2, 3)), uniform(rng, (2, 9))], (1, 3, 3.0, 0.5, False)),
    ]


@maker("constant_pad")
def _constant_pad(rng):
    x = uniform(rng, (2, 3, 4))
    return [
        Sample([x], ((1, 2), 0.5)),
        Sample([x], ((0, 1, 2, 0, 1, 1), -1.0)),
        Sample([x[0, 0]], ((), 0.0)),
        Sample([uniform(rng, (2, 0))], ((1, 1, 1, 0), 2.0)),
    ]


@maker("cast_like")
def _cast_like(rng):
    return [Sample([uniform(rng, (2, 3)), uniform(rng, (4,))])]


@maker("cast")
def _cast(rng):
    import wengert

    return [Sample([uniform(rng, (2, 3))], (wengert.float64,))]


@maker("zeros_like")
def _zeros_like(rng):
    return [Sample([uniform(rng, (2, 3))])]


# ---- random draws ------------------------------------------------------------------------------------------------


@maker("dropout")
def _dropout(rng):
    return [Sample([uniform(rng, (3, 4))], (0.4, 17, 0)), Sample([uniform(rng, (300,))], (0.1, 17, 4))]


# ---- the door ---------------------------------------------------------------------------------------------------


def samples(row, seed=7):
    """The samples of a row; an empty list where nobody has written any."""
    import samples_families  # noqa: F401  (fills MAKERS; imports this file itself)
    import samples_fused  # noqa: F401  (likewise)
    import samples_linalg  # noqa: F401  (likewise)
    import samples_recurrent  # noqa: F401  (likewise)

    rng = np.random.default_rng(seed)
    if row.name in COMPLEX_ONLY:
        return []
    if row.samples is not None:
        return [Sample(list(operands), tuple(attrs)) for operands, attrs in row.samples(np, rng)]
    if row.name in MAKERS:
        return MAKERS[row.name](rng)
    if row.elementwise:
        return _elementwise(row, rng)
    return []


def all_samples(choose=lambda row: True):
    """(row, sample) for every row that `choose` takes, with an identifier each, for parametrize."""
    found = [
        (row, s, f"{row.name}-{k}") for row in TABLE.values() if choose(row) for k, s in enumerate(samples(row))
    ]
    return {"argnames": ("row", "sample"), "argvalues": [f[:2] for f in found], "ids": [f[2] for f in found]}
