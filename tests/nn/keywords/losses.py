"""Losses."""

import numpy as np

from keywords.case import Case, each, fixed, grid, other, real, signs, unit, whole

REDUCTIONS = ["mean", "sum", "none"]
PAIR = [(real(4, 3), other(4, 3)), (real(5), other(5)), (real(2, 3, 2), other(2, 3, 2)), (real(), other())]
CLASSES = [
    (real(4, 3), whole(3, 4)),
    (real(3), np.array(1)),
    (real(2, 3, 4), whole(3, 2, 4)),
    (real(2, 3, 2, 2), whole(3, 2, 2, 2)),
]
SOFT = [(real(4, 3), unit(4, 3)), (real(2, 3, 4), unit(2, 3, 4)), (real(3), unit(3))]
WEIGHT = np.array([0.5, 2.0, 0.0])
LABELS = np.array([[0, 2, -1, 1], [3, -1, 0, 0], [-1, 0, 1, 2]])
LEGACY = [(None, None), (True, True), (True, False), (False, True), (False, False), (None, False), (False, None)]


def _legacy(name, inputs, **kwargs):
    return [Case(name, (), {**kwargs, "size_average": a, "reduce": b}, inputs) for a, b in LEGACY]


def _ctc():
    time, batch, classes = 8, 3, 5
    scores = real(time, batch, classes)
    scores = scores - np.log(np.exp(scores).sum(-1, keepdims=True))
    padded = 1 + whole(classes - 1, batch, 4)
    joined = 1 + whole(classes - 1, 7)
    lengths, sizes = np.array([8, 6, 7]), np.array([4, 1, 2])
    cases = grid(
        "CTCLoss",
        inputs=[
            (scores, padded, lengths, sizes),
            (scores, joined, lengths, sizes),
            (scores, padded, (8, 6, 7), (4, 1, 2)),
        ],
        reduction=REDUCTIONS,
        blank=[0],
        zero_infinity=[False, True],
    )
    repeated = np.array([[2, 2, 2, 2], [1, 1, 3, 3], [1, 2, 3, 4]])
    cases += grid("CTCLoss", inputs=[(scores, repeated % 4, lengths, sizes)], reduction=REDUCTIONS, blank=[4])
    short = np.array([2, 6, 7])
    cases += grid("CTCLoss", inputs=[(scores, padded, short, sizes)], reduction=REDUCTIONS, zero_infinity=[True])
    cases += grid("CTCLoss", inputs=[(scores, padded, lengths, np.array([0, 1, 2]))], reduction=REDUCTIONS)
    cases += grid("CTCLoss", inputs=[(scores[:, 0], padded[0], np.array(8), np.array(4))], reduction=REDUCTIONS)
    return cases


CASES = [
    *grid("L1Loss", inputs=PAIR, reduction=REDUCTIONS),
    *grid("MSELoss", inputs=PAIR, reduction=REDUCTIONS),
    *grid("SmoothL1Loss", inputs=PAIR, reduction=REDUCTIONS, beta=[1.0, 0.3, 0.0]),
    *grid("SmoothL1Loss", inputs=PAIR[:1], beta=[-1.0]),
    *grid("HuberLoss", inputs=PAIR, reduction=REDUCTIONS, delta=[1.0, 0.3]),
    *grid("HuberLoss", inputs=PAIR[:1], delta=[0.0, -1.0]),
    *grid("L1Loss", inputs=[(real(4, 3), other(3)), (real(4, 3), other(4))], reduction=REDUCTIONS),
    *grid("MSELoss", inputs=[(real(4, 3), other(3)), (real(4, 3), other(4))], reduction=["mean", "no"]),
    *grid("NLLLoss", inputs=CLASSES, reduction=REDUCTIONS, weight=[None, WEIGHT], ignore_index=[-100, 1]),
    *grid(
        "CrossEntropyLoss",
        inputs=CLASSES,
        reduction=REDUCTIONS,
        weight=[None, WEIGHT],
        ignore_index=[-100, 1],
        label_smoothing=[0.0, 0.2],
    ),
    *grid("CrossEntropyLoss", inputs=SOFT, reduction=REDUCTIONS, weight=[None, WEIGHT], label_smoothing=[0.0, 0.2]),
    *grid("CrossEntropyLoss", inputs=[(real(4, 3), np.full(4, -100))], reduction=REDUCTIONS),
    *grid("CrossEntropyLoss", inputs=[(real(0, 3), whole(3, 0))], reduction=REDUCTIONS),
    *grid("CrossEntropyLoss", inputs=CLASSES[:1] + SOFT[:1], label_smoothing=[1.0, 1.5]),
    *grid("CrossEntropyLoss", inputs=SOFT[:1], ignore_index=[1]),
    *grid("CrossEntropyLoss", inputs=CLASSES[:1], weight=[np.ones(4)]),
    *grid("CrossEntropyLoss", inputs=[(real(4, 3), np.array([0, 1, 2, 3])), (real(4, 3), np.array([0, 1, 2]))]),
    *grid("NLLLoss", inputs=[(real(4, 3), np.array([0, 1, 2, 3])), (real(4, 3), real(4)), (real(), np.array(0))]),
    *grid(
        "BCELoss",
        inputs=[(unit(4, 3), 0.5 + 0.5 * signs(4, 3)), (unit(5), unit(5)[::-1].copy())],
        reduction=REDUCTIONS,
    ),
    *grid(
        "BCELoss", inputs=[(unit(4, 3), unit(4, 3) ** 2)], reduction=REDUCTIONS, weight=[None, unit(3), unit(4, 3)]
    ),
    *grid(
        "BCELoss",
        inputs=[(np.array([0.0, 1.0, 0.0, 1.0]), fixed(np.array([0.0, 1.0, 1.0, 0.0])))],
        reduction=REDUCTIONS,
    ),
    *grid("BCELoss", inputs=[(np.array([0.5, 1.5]), np.zeros(2)), (unit(3), unit(4)), (unit(3, 1), unit(3))]),
    *grid(
        "BCEWithLogitsLoss",
        inputs=[(real(4, 3), unit(4, 3)), (40 * real(4, 3), unit(4, 3))],
        reduction=REDUCTIONS,
        weight=[None, unit(3), unit(4, 3)],
        pos_weight=[None, unit(3) * 3],
    ),
    *grid("BCEWithLogitsLoss", inputs=[(real(3), unit(4)), (real(3, 1), unit(3))]),
    *grid(
        "KLDivLoss",
        inputs=[(-unit(4, 3), unit(4, 3)), (-unit(5), unit(5)), (-unit(4, 3), fixed(np.zeros((4, 3))))],
        reduction=[*REDUCTIONS, "batchmean"],
        log_target=[False, True],
    ),
    *grid(
        "PoissonNLLLoss",
        inputs=[(unit(4, 3), 4 * unit(4, 3)), (unit(5), fixed(np.array([0.0, 1.0, 1.5, 2.0, 9.0])))],
        reduction=REDUCTIONS,
        log_input=[True, False],
        full=[False, True],
        eps=[1e-8, 1e-2],
    ),
    *grid(
        "GaussianNLLLoss",
        inputs=[
            (real(4, 3), other(4, 3), unit(4, 3)),
            (real(4, 3), other(4, 3), unit(4, 1)),
            (real(4, 3), other(4, 3), unit(4)),
            (real(4, 3), other(4, 3), 0.5),
        ],
        reduction=REDUCTIONS,
        full=[False, True],
        eps=[1e-6, 0.5],
    ),
    *grid(
        "GaussianNLLLoss", inputs=[(real(4, 3), other(4, 3), -unit(4, 3)), (real(4, 3), other(4, 3), unit(2, 3))]
    ),
    *grid(
        "CosineEmbeddingLoss",
        inputs=[(real(4, 3), other(4, 3), signs(4)), (real(3), other(3), np.array(-1.0))],
        reduction=REDUCTIONS,
        margin=[0.0, 0.4, -0.3],
    ),
    *grid("CosineEmbeddingLoss", inputs=[(real(4, 3), other(4, 3), signs(4, 1)), (real(4), other(4), signs(4))]),
    *grid("MarginRankingLoss", inputs=[(real(4), other(4), signs(4))], reduction=REDUCTIONS, margin=[0.0, 0.5]),
    *grid("MarginRankingLoss", inputs=[(real(4, 1), other(4), signs(4)), (real(4, 3), other(4, 3), signs(4, 3))]),
    *grid("HingeEmbeddingLoss", inputs=[(real(4, 3), signs(4, 3))], reduction=REDUCTIONS, margin=[1.0, 0.2]),
    *grid(
        "TripletMarginLoss",
        inputs=[
            (real(4, 3), other(4, 3), unit(4, 3)),
            (real(3), other(3), unit(3)),
            (real(4, 3), other(4, 3), unit(1, 3)),
        ],
        reduction=REDUCTIONS,
        margin=[1.0, 2.5],
        p=[2.0, 1.0, 3.0],
        swap=[False, True],
        eps=[1e-6, 1e-2],
    ),
    *grid("TripletMarginLoss", inputs=[(real(4, 3), other(4, 3), unit(4, 3))], margin=[0.0, -1.0]),
    *grid("TripletMarginLoss", inputs=[(real(4, 3), other(3), unit(4, 3))]),
    *grid(
        "TripletMarginWithDistanceLoss",
        inputs=[(real(4, 3), other(4, 3), unit(4, 3))],
        reduction=REDUCTIONS,
        margin=[1.0, 2.5],
        swap=[False, True],
        distance_function=[None, lambda a, b: (a - b).abs().sum(-1)],
    ),
    *grid(
        "SoftMarginLoss",
        inputs=[(real(4, 3), fixed(signs(4, 3))), (real(5), fixed(signs(5)))],
        reduction=REDUCTIONS,
    ),
    *grid(
        "MultiMarginLoss",
        inputs=[(real(4, 3), whole(3, 4)), (real(3), np.array(1)), (real(3), np.array([1]))],
        reduction=REDUCTIONS,
        p=[1, 2],
        margin=[1.0, 0.4],
        weight=[None, WEIGHT],
    ),
    *grid("MultiMarginLoss", inputs=[(real(4, 3), whole(3, 4))], p=[3]),
    *grid("MultiMarginLoss", inputs=[(real(4, 3), np.array([0, 1, 2, 3])), (real(4, 3), whole(3, 3))]),
    *grid("MultiLabelMarginLoss", inputs=[(real(3, 4), LABELS), (real(4), LABELS[0])], reduction=REDUCTIONS),
    *grid("MultiLabelMarginLoss", inputs=[(real(3, 4), LABELS[:2]), (real(3, 4), LABELS + 2)]),
    *grid(
        "MultiLabelSoftMarginLoss",
        inputs=[(real(4, 3), 0.5 + 0.5 * signs(4, 3)), (real(3), unit(3))],
        reduction=REDUCTIONS,
        weight=[None, WEIGHT],
    ),
    *_ctc(),
    *_legacy("MSELoss", PAIR[0]),
    *_legacy("CrossEntropyLoss", CLASSES[0]),
    *_legacy("TripletMarginLoss", (real(4, 3), other(4, 3), unit(4, 3)), swap=True),
    *each(
        "CosineSimilarity",
        inputs=[(real(4, 3), other(4, 3)), (real(4, 3), other(3)[None])],
        dim=[0, -1],
        eps=[1e-8, 2.0],
    ),
    *grid(
        "PairwiseDistance",
        inputs=[(real(4, 3), other(4, 3)), (real(3), other(3)), (real(4, 3), other(1, 3))],
        p=[2.0, 1.0, 0.0, float("inf"), 3.5, -1.0],
        eps=[1e-6, 0.1],
        keepdim=[False, True],
    ),
]
