"""Convolutions, pools, padding, resizing."""

import numpy as np

from keywords.case import Case, each, grid, real, whole

D1, D2, D3 = (real(2, 4, 9), real(4, 9)), (real(2, 4, 7, 6), real(4, 7, 6)), (real(2, 4, 5, 4, 5), real(4, 5, 4, 5))
DATA = {1: D1, 2: D2, 3: D3}


LP_POOLS = {1: "LPPool1d", 2: "LPPool2d", 3: "LPPool3d"}
PADDINGS = {
    1: ("ConstantPad1d", "ZeroPad1d", "ReplicationPad1d", "ReflectionPad1d", "CircularPad1d"),
    2: ("ConstantPad2d", "ZeroPad2d", "ReplicationPad2d", "ReflectionPad2d", "CircularPad2d"),
    3: ("ConstantPad3d", "ZeroPad3d", "ReplicationPad3d", "ReflectionPad3d", "CircularPad3d"),
}


def one(n):
    return [(x,) for x in DATA[n]]


def _convolutions(n):
    name, wide = f"Conv{n}d", [(DATA[n][0],)]
    ones = (2,) + (1,) * (n - 1)
    return [
        *each(
            name,
            4,
            6,
            3,
            inputs=one(n),
            stride=[2, ones],
            padding=[1, ones, "same", "valid", "other"],
            dilation=[2, ones],
            groups=[2, 4, 3],
            bias=[False],
        ),
        *grid(
            name,
            4,
            4,
            (2,) * n,
            inputs=wide,
            padding=[1, "same"],
            padding_mode=["zeros", "reflect", "replicate", "circular", "x"],
        ),
        *grid(
            name,
            4,
            4,
            (3,) * n,
            inputs=wide,
            padding=[(2,) + (1,) * (n - 1)],
            padding_mode=["circular", "reflect"],
            stride=[1, 2],
        ),
        *grid(name, 4, 4, 3, inputs=wide, padding=["same"], stride=[2]),
        *grid(name, 4, 4, 3, inputs=wide, groups=[0, -1]),
        *grid(name, 3, 4, 3, inputs=wide),
        *grid(name, 4, 4, 12, inputs=wide),
        *grid(name, 4, 4, 3, inputs=[(real(4),), (real(0, *DATA[n][0].shape[1:]),)]),
    ]


def _transposed(n):
    name, wide = f"ConvTranspose{n}d", [(DATA[n][0],)]
    return [
        *each(name, 4, 6, 3, inputs=one(n), stride=[2], padding=[1], dilation=[2], groups=[2, 3], bias=[False]),
        *grid(name, 4, 6, 3, inputs=wide, stride=[2, 3], padding=[0, 1], output_padding=[0, 1, 3]),
        *grid(name, 4, 6, 3, inputs=wide, padding_mode=["circular"]),
        *(
            Case(
                name,
                (4, 6, 3),
                {"stride": 2},
                wide[0],
                {"output_size": tuple(2 * s + extra for s in DATA[n][0].shape[2:])},
            )
            for extra in (1, 2, 5)
        ),
    ]


def _pools(n):
    flat = one(n)
    return [
        *each(
            f"MaxPool{n}d",
            3,
            inputs=flat,
            stride=[1, 2],
            padding=[1, 2],
            dilation=[2],
            return_indices=[True],
            ceil_mode=[True],
        ),
        *grid(
            f"MaxPool{n}d",
            3,
            inputs=flat,
            stride=[2],
            padding=[1],
            ceil_mode=[True, False],
            return_indices=[True, False],
        ),
        *grid(f"MaxPool{n}d", (2,) * n, inputs=flat, stride=[(2,) + (1,) * (n - 1)]),
        *grid(f"MaxPool{n}d", 20, inputs=flat),
        *grid(
            f"AvgPool{n}d",
            3,
            inputs=flat,
            stride=[None, 2],
            padding=[0, 1],
            ceil_mode=[False, True],
            count_include_pad=[True, False],
        ),
        *(grid(f"AvgPool{n}d", 3, inputs=flat, divisor_override=[2, 0], ceil_mode=[False, True]) if n > 1 else []),
        *grid(f"AvgPool{n}d", 3, inputs=flat, padding=[2]),
        *(c for size in (1, 3, (2,) * n) for c in grid(f"AdaptiveAvgPool{n}d", size, inputs=flat)),
        *(
            c
            for size in (1, 3, (2,) * n)
            for c in grid(f"AdaptiveMaxPool{n}d", size, inputs=flat, return_indices=[False, True])
        ),
        *(grid(f"AdaptiveAvgPool{n}d", (None, *(2,) * (n - 1)), inputs=flat) if n > 1 else []),
        *grid(LP_POOLS[n], 2, 3, inputs=[(abs(x),) for x in DATA[n]], stride=[None, 2], ceil_mode=[False, True]),
        *grid(LP_POOLS[n], 3, 2 if n == 1 else (2,) * n, inputs=flat),
    ]


PADS = {
    1: [1, (2, 1), (0, 3), (-1, 2)],
    2: [1, (2, 1, 0, 3), (-1, 2, 1, -2)],
    3: [1, (2, 1, 0, 3, 1, 1), (-1, 2, 1, -2, 0, 1)],
}


def _padding(n):
    cases = []
    for size in PADS[n]:
        cases += grid(PADDINGS[n][0], size, 3.5, inputs=one(n))
        for name in PADDINGS[n][1:]:
            cases += grid(name, size, inputs=one(n))
    for name in PADDINGS[n][3:]:  # wider than the input
        cases += grid(name, 12, inputs=one(n))
    return cases


MODES = {
    1: ["nearest", "linear", "nearest-exact", "area"],
    2: ["nearest", "bilinear", "bicubic", "nearest-exact", "area"],
    3: ["nearest", "trilinear", "nearest-exact", "area"],
}


def _upsample(n):
    given, cases = [(DATA[n][0],)], []
    for mode in MODES[n]:
        aligned = [None, True, False] if "linear" in mode or mode == "bicubic" else [None]
        for kwargs in (
            {"size": 5},
            {"size": (3,) * n},
            {"scale_factor": 2},
            {"scale_factor": 0.6},
            {"scale_factor": (1.7,) * n},
        ):
            cases += grid(
                "Upsample", inputs=given, mode=[mode], align_corners=aligned, **{k: [v] for k, v in kwargs.items()}
            )
        cases += grid(
            "Upsample",
            inputs=given,
            mode=[mode],
            scale_factor=[1.7, 0.6],
            recompute_scale_factor=[True, False],
            align_corners=aligned[:2],
        )
    cases += grid("Upsample", inputs=given, mode=["bicubic" if n != 2 else "linear"], scale_factor=[2])
    cases += grid("Upsample", inputs=given, mode=["nearest"], scale_factor=[2], align_corners=[True])
    cases += grid("Upsample", inputs=given)
    cases += grid("Upsample", inputs=given, size=[3], scale_factor=[2])
    return cases


CASES = [
    *(
        case
        for n in (1, 2, 3)
        for make in (_convolutions, _transposed, _pools, _padding, _upsample)
        for case in make(n)
    ),
    *grid("UpsamplingNearest2d", inputs=one(2)[:1], scale_factor=[2, (2, 3)]),
    *grid("UpsamplingBilinear2d", inputs=one(2)[:1], size=[(3, 5), 4]),
    *grid("PixelShuffle", 2, inputs=[(real(2, 8, 3, 2),), (real(8, 3, 2),), (real(2, 6, 3, 2),)]),
    *grid("PixelUnshuffle", 2, inputs=[(real(2, 3, 4, 6),), (real(3, 4, 6),), (real(3, 5, 6),)]),
    *grid("ChannelShuffle", 2, inputs=[(real(2, 4, 3),), (real(2, 4, 3, 2),), (real(2, 5, 3),)]),
    *each(
        "Unfold",
        2,
        inputs=[(real(2, 3, 5, 4),), (real(3, 5, 4),)],
        dilation=[2],
        padding=[1, (1, 0)],
        stride=[2, (1, 2)],
    ),
    *each("Fold", (5, 4), 2, inputs=[(real(2, 12, 12),), (real(12, 12),)], base={}),
    *grid("Fold", (5, 4), (2, 2), inputs=[(real(2, 12, 12),)], padding=[1], stride=[2], dilation=[1]),
    *grid("Fold", (5, 4), 2, inputs=[(real(2, 12, 11),), (real(2, 11, 12),)]),
    *(
        case
        for n in (1, 2, 3)
        for case in grid(
            "LocalResponseNorm", 3, inputs=[(DATA[n][0],)], alpha=[1e-4, 0.5], beta=[0.75, 1.5], k=[1.0, 2.0]
        )
    ),
    *grid("LocalResponseNorm", 2, inputs=[(real(2, 3),), (DATA[2][0],)]),
    *(
        Case("MaxUnpool1d", (2,), {}, (real(2, 3, 4), np.array([0, 2, 5, 7]) + whole(1, 2, 3, 4)), named)
        for named in (
            {},
            {"output_size": (9,)},
            {"output_size": (2, 3, 7)},
            {"output_size": (11,)},
            {"output_size": (3, 9)},
        )
    ),
    Case(
        "MaxUnpool1d",
        (2,),
        {"stride": 2},
        (real(3, 4), np.array([0, 2, 5, 7]) + whole(1, 3, 4)),
        {"output_size": (9,)},
    ),
    Case("MaxUnpool1d", (2,), {}, (real(3, 4), np.array([0, 2, 5, 70]) + whole(1, 3, 4))),
    *(
        Case("MaxUnpool2d", (2,), {}, (real(2, 3, 2, 2), np.array([[0, 3], [8, 14]]) + whole(1, 2, 3, 2, 2)), named)
        for named in ({}, {"output_size": (5, 4)}, {"output_size": (2, 3, 5, 5)}, {"output_size": (9, 9)})
    ),
    Case("MaxUnpool3d", (2,), {}, (real(1, 2, 1, 2, 2), np.array([[0, 3], [8, 14]]) + whole(1, 1, 2, 1, 2, 2))),
    *grid(
        "FractionalMaxPool2d",
        (2, 3),
        inputs=one(2),
        output_ratio=[0.5, (0.6, 0.4)],
        return_indices=[False, True],
        _random_samples=[real(2, 4, 2) % 1],
    ),
    *grid(
        "FractionalMaxPool2d", 2, inputs=one(2)[:1], output_size=[3, (4, 1)], _random_samples=[real(2, 4, 2) % 1]
    ),
    *grid(
        "FractionalMaxPool2d", 2, inputs=one(2)[1:], output_size=[3, (4, 1)], _random_samples=[real(1, 4, 2) % 1]
    ),
    *grid("FractionalMaxPool2d", 2, inputs=one(2), output_size=[None, 6], output_ratio=[None, 1.5]),
    *grid(
        "FractionalMaxPool3d",
        2,
        inputs=one(3)[:1],
        output_ratio=[0.5, 0.7],
        return_indices=[False, True],
        _random_samples=[real(2, 4, 3) % 1],
    ),
]
