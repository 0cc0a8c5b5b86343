"""Activations, dropouts in eval mode, shapes."""

import numpy as np

from keywords.case import Case, each, grid, other, real

EDGE = np.array([0.0, -0.0, 1.0, -1.0, 3.0, -3.0, 6.0, 25.0, -25.0, 0.5, -0.5])
ANY = [(real(4, 3),), (real(),), (EDGE,), (real(0, 3),)]
INPLACE = [False, True]

CASES = [
    *grid("ReLU", inputs=ANY, inplace=INPLACE),
    *grid("ReLU6", inputs=ANY, inplace=INPLACE),
    *grid("SELU", inputs=ANY, inplace=INPLACE),
    *grid("SiLU", inputs=ANY, inplace=INPLACE),
    *grid("Mish", inputs=ANY, inplace=INPLACE),
    *grid("Hardswish", inputs=ANY, inplace=INPLACE),
    *grid("Hardsigmoid", inputs=ANY, inplace=INPLACE),
    *grid("ELU", inputs=ANY, inplace=INPLACE, alpha=[1.0, 0.3]),
    *grid("CELU", inputs=ANY, inplace=INPLACE, alpha=[1.0, 0.3]),
    *grid("CELU", inputs=ANY[:1], alpha=[0.0]),
    *grid("LeakyReLU", inputs=ANY, inplace=INPLACE, negative_slope=[0.01, 0.5]),
    *grid("Hardtanh", inputs=ANY, inplace=INPLACE, min_val=[-1.0, -0.2], max_val=[1.0, 0.4]),
    *grid("Hardtanh", inputs=ANY[:1], min_val=[1.0], max_val=[0.5]),
    *grid("Threshold", 0.1, -20.0, inputs=ANY, inplace=INPLACE),
    *grid("RReLU", inputs=ANY, inplace=INPLACE, lower=[0.1], upper=[0.3], training=(False,)),
    *grid("GELU", inputs=ANY, approximate=["none", "tanh", "other"]),
    *grid("Softplus", inputs=ANY, beta=[1.0, 2.0], threshold=[20.0, 1.0]),
    *grid("Softshrink", inputs=ANY, lambd=[0.5, 0.1, -1.0]),
    *grid("Hardshrink", inputs=ANY, lambd=[0.5, 0.1]),
    *(
        case
        for name in ("Tanh", "Sigmoid", "LogSigmoid", "Softsign", "Tanhshrink")
        for case in grid(name, inputs=ANY)
    ),
    *(
        case
        for name in ("Softmax", "LogSoftmax", "Softmin")
        for case in each(name, inputs=[(real(4, 3),), (real(3),), (real(2, 3, 4),)], dim=[0, 1, -1, 5])
    ),
    *grid("Softmax2d", inputs=[(real(2, 3, 4, 2),), (real(3, 4, 2),), (real(3, 4),)]),
    *each("GLU", inputs=[(real(4, 6),), (real(6),), (real(4, 5),)], dim=[0, -1, 3]),
    *grid("PReLU", inputs=[(real(4, 3),), (real(2, 3, 2),), (real(3),)], num_parameters=[1, 3], init=[0.25, 0.5]),
    *grid("PReLU", inputs=[(real(4, 3),)], num_parameters=[2]),
    *(
        case
        for name in ("Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "AlphaDropout", "FeatureAlphaDropout")
        for case in grid(
            name, inputs=[(real(2, 3, 4),)], p=[0.5, 0.0, 1.5, -0.1], inplace=INPLACE, training=(False,)
        )
    ),
    *grid("Dropout", inputs=[(real(4, 3),)], p=[0.0, 1.0], inplace=INPLACE),
    *each("Flatten", inputs=[(real(2, 3, 4),), (real(),)], start_dim=[0, 1, -2, 4], end_dim=[1, -2]),
    *(Case("Unflatten", (1, size), {}, (real(2, 6),)) for size in ((2, 3), (-1, 2), (4, 2), [3, 2])),
    *grid("Identity", 3, 4, inputs=[(real(2, 3),)], unused=[True]),
    *grid(
        "Linear",
        3,
        4,
        inputs=[(real(2, 3),), (real(3),), (real(2, 5, 3),), (real(0, 3),), (real(2, 4),)],
        bias=[True, False],
    ),
    *grid(
        "Bilinear",
        3,
        2,
        4,
        inputs=[(real(5, 3), other(5, 2)), (real(3), other(2)), (real(2, 5, 3), other(2, 5, 2))],
        bias=[True, False],
    ),
    *grid("Bilinear", 0, 2, 4, inputs=[(real(5, 0), other(5, 2))]),
    *grid("Bilinear", 3, 2, 4, inputs=[(real(5, 3), other(5, 3)), (real(5, 3), other(4, 2))]),
]
