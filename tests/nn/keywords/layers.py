"""Normalisations, tables, recurrent layers, attention and transformers."""

import numpy as np

from keywords.case import Case, each, grid, other, real, whole

MODES = (True, False)
BATCH = {1: [(real(4, 3),), (real(4, 3, 5),)], 2: [(real(4, 3, 2, 5),)], 3: [(real(4, 3, 2, 2, 3),)]}
WRONG = {1: (real(3),), 2: (real(4, 3),), 3: (real(4, 3),)}
SWITCH = [True, False]


def _batch_norm(n):
    name = f"BatchNorm{n}d"
    return [
        *grid(
            name,
            3,
            inputs=BATCH[n],
            training=MODES,
            steps=3,
            affine=SWITCH,
            track_running_stats=SWITCH,
            momentum=[0.1, None, 0.0],
        ),
        *grid(name, 3, inputs=BATCH[n], training=MODES, eps=[1e-5, 0.5], bias=SWITCH),
        *grid(name, 3, inputs=[WRONG[n], (BATCH[n][0][0][:, :2],), (BATCH[n][0][0][:1, :, ...],)]),
    ]


def _adaptive():
    given = [(real(7, 8), np.array([0, 3, 4, 9, 10, 19, 1])), (real(8), np.array(11)), (real(8), np.array(2))]
    wrong = [
        (real(7, 8), whole(20, 6)),
        (real(7, 8), whole(5, 7) + 18),
        (real(8), whole(20, 1)),
        (real(7, 8), whole(5, 7, 2)),
    ]
    cases = grid(
        "AdaptiveLogSoftmaxWithLoss", 8, 20, [4, 10], inputs=given + wrong, div_value=[4.0, 2.0], head_bias=SWITCH
    )
    for cutoffs in ([], [0, 4], [4, 4], [10, 4], [4, 20], [4.5]):
        cases += grid("AdaptiveLogSoftmaxWithLoss", 8, 20, cutoffs, inputs=given[:1])
    return cases


def _instance_norm(n):
    name = f"InstanceNorm{n}d"
    given = [(real(*((4, 3, 5) + (2,) * (n - 1))),), (real(*((3, 5) + (2,) * (n - 1))),)]
    return [
        *grid(
            name,
            3,
            inputs=given,
            training=MODES,
            steps=3,
            affine=SWITCH,
            track_running_stats=SWITCH,
            momentum=[0.1, 0.7],
        ),
        *grid(name, 3, inputs=given, eps=[0.5]),
        *grid(
            name,
            3,
            inputs=[WRONG[n] if n > 1 else (real(3),), (real(*((4, 2, 5) + (2,) * (n - 1))),)],
            affine=SWITCH,
        ),
    ]


def _recurrent(kind):
    seq, batch, size, hidden = 5, 3, 4, 3
    more = {"nonlinearity": ["relu", "tanh", "other"]} if kind == "RNN" else {}
    cases = []
    for layers in (1, 2):
        for both in (False, True):
            first = both + 1
            for first_axis in (False, True):
                x = real(batch, seq, size) if first_axis else real(seq, batch, size)
                h = other(layers * first, batch, hidden)
                state = (h, 2 * h) if kind == "LSTM" else h
                base = {"num_layers": layers, "bidirectional": both, "batch_first": first_axis}
                cases += [
                    Case(kind, (size, hidden), {**base, "bias": bias}, given)
                    for bias in SWITCH
                    for given in ((x,), (x, state))
                ]
            plain = {"num_layers": layers, "bidirectional": both}
            h = other(layers * first, hidden)
            cases.append(Case(kind, (size, hidden), plain, (real(seq, size), (h, h) if kind == "LSTM" else h)))
            cases.append(
                Case(kind, (size, hidden), {**plain, "dropout": 0.5}, (real(seq, batch, size),), training=False)
            )
            if kind == "LSTM":
                projected = (other(layers * first, batch, 2), other(layers * first, batch, hidden))
                cases += [
                    Case(kind, (size, hidden), {**plain, "proj_size": 2}, g)
                    for g in ((real(seq, batch, size),), (real(seq, batch, size), projected))
                ]
    cases += each(kind, size, hidden, inputs=[(real(seq, batch, size),)], **more)
    cases += grid(
        kind, size, hidden, inputs=[(real(seq, batch, size),)], dropout=[1.5, -1, "x", 0.2], training=(False,)
    )
    cases += grid(
        kind,
        size,
        hidden,
        inputs=[(real(seq, batch, size + 1),), (real(size),), (real(seq, batch, size), other(2, batch, hidden))],
    )
    cases += grid(kind, size, hidden, inputs=[(real(seq, batch, size),)], proj_size=[3, -1])
    cases += grid(kind, size, 0, inputs=[(real(seq, batch, size),)]) + grid(
        kind, size, hidden, inputs=[(real(seq, batch, size),)], num_layers=[0]
    )
    return cases


def _cells():
    h = other(4, 3)
    cases = []
    for name in ("RNNCell", "GRUCell", "LSTMCell"):
        pair = name == "LSTMCell"
        given = [
            (real(4, 5),),
            (real(4, 5), (h, 2 * h) if pair else h),
            (real(5),),
            (real(5), (h[0], h[1]) if pair else h[0]),
        ]
        more = {"nonlinearity": ["relu", "other"]} if name == "RNNCell" else {}
        cases += each(name, 5, 3, inputs=given, bias=[False], **more)
        cases += grid(
            name, 5, 3, inputs=[(real(4, 6),), (real(2, 4, 5),), (real(4, 5), (h[:2], h[:2]) if pair else h[:2])]
        )
    return cases


def _attention():
    q, k = real(5, 2, 8), other(6, 2, 8)
    pad = np.array([[False] * 6, [False] * 4 + [True] * 2])
    square, wide = real(5, 6), np.triu(np.ones((5, 6), bool), 2)
    calls = [
        ((q, k, k), {}),
        ((q, q, q), {}),
        ((q, k, k), {"key_padding_mask": pad}),
        ((q, k, k), {"attn_mask": square}),
        ((q, k, k), {"attn_mask": wide}),
        ((q, k, k), {"attn_mask": real(8, 5, 6)}),
        ((q, k, k), {"attn_mask": wide, "key_padding_mask": pad}),
        ((q, k, k), {"need_weights": False}),
        ((q, k, k), {"need_weights": False, "attn_mask": wide, "key_padding_mask": pad}),
        ((q, k, k), {"average_attn_weights": False}),
        ((q[:, 0], k[:, 0], k[:, 0]), {}),
        ((q[:, 0], k[:, 0], k[:, 0]), {"key_padding_mask": pad[1], "average_attn_weights": False}),
        ((q, q, q), {"attn_mask": np.triu(np.ones((5, 5), bool), 1), "is_causal": True}),
        ((q, q, q), {"attn_mask": np.triu(np.ones((5, 5), bool), 1), "is_causal": True, "need_weights": False}),
        ((q, q, q), {"is_causal": True, "need_weights": False}),
        ((q, k, k), {"attn_mask": real(4, 6)}),
        ((q, k, k), {"key_padding_mask": pad[:, :4]}),
        ((q, k, k[:5]), {}),
    ]
    cases = []
    for options in (
        {},
        {"bias": False},
        {"add_bias_kv": True},
        {"add_zero_attn": True},
        {"add_bias_kv": True, "add_zero_attn": True},
    ):
        for args, named in calls:
            for training in MODES:
                cases.append(Case("MultiheadAttention", (8, 4), options, args, named, training))
    for options in ({"kdim": 6}, {"kdim": 6, "vdim": 5}, {"vdim": 5, "bias": False}):
        kk = other(6, 2, options.get("kdim", 8))
        vv = real(6, 2, options.get("vdim", 8))
        cases.append(Case("MultiheadAttention", (8, 4), options, (q, kk, vv)))
    first = tuple(np.ascontiguousarray(a.swapaxes(0, 1)) for a in (q, k, k))
    cases.append(Case("MultiheadAttention", (8, 4), {"batch_first": True}, first))
    cases.append(Case("MultiheadAttention", (8, 4), {"batch_first": True}, first, {"key_padding_mask": pad}, False))
    cases += grid("MultiheadAttention", 8, 3, inputs=[(q, k, k)]) + grid(
        "MultiheadAttention", 8, 0, inputs=[(q, k, k)]
    )
    return cases


def _transformers():
    src, tgt = real(5, 2, 8), other(4, 2, 8)
    pad = np.array([[False] * 5, [False] * 3 + [True] * 2])
    causal = np.triu(np.full((5, 5), -np.inf), 1)
    small = {"dim_feedforward": 12, "dropout": 0.0}
    cases = []
    for extra in (
        {},
        {"norm_first": True},
        {"activation": "gelu"},
        {"bias": False},
        {"layer_norm_eps": 0.1},
        {"activation": "x"},
    ):
        for training in MODES:
            for named in (
                {},
                {"src_mask": causal},
                {"src_key_padding_mask": pad},
                {"src_mask": causal, "is_causal": True},
            ):
                cases.append(Case("TransformerEncoderLayer", (8, 2), {**small, **extra}, (src,), named, training))
            for named in (
                {},
                {"tgt_mask": causal[:4, :4]},
                {"memory_key_padding_mask": pad},
                {"tgt_key_padding_mask": pad[:, 1:]},
            ):
                cases.append(
                    Case("TransformerDecoderLayer", (8, 2), {**small, **extra}, (tgt, src), named, training)
                )
    cases += grid(
        "TransformerEncoderLayer",
        8,
        2,
        12,
        0.0,
        inputs=[(np.ascontiguousarray(src.swapaxes(0, 1)),)],
        batch_first=[True],
        training=MODES,
    )
    layers = {"num_encoder_layers": 2, "num_decoder_layers": 2, **small}
    for extra in ({}, {"norm_first": True}, {"batch_first": True}, {"bias": False}):
        given = (
            (src, tgt)
            if "batch_first" not in extra
            else (np.ascontiguousarray(src.swapaxes(0, 1)), np.ascontiguousarray(tgt.swapaxes(0, 1)))
        )
        for training in MODES:
            cases.append(Case("Transformer", (8, 2), {**layers, **extra}, given, {}, training))
            cases.append(
                Case(
                    "Transformer",
                    (8, 2),
                    {**layers, **extra},
                    given,
                    {"src_key_padding_mask": pad, "memory_key_padding_mask": pad, "tgt_mask": causal[:4, :4]},
                    training,
                )
            )
    cases += grid("Transformer", 8, 2, 1, 1, 12, inputs=[(src, tgt[:, :1]), (src[..., :6], tgt)], dropout=[0.0])
    return cases


TABLE = [(whole(6, 4),), (whole(6, 2, 3),), (np.array(2),), (whole(6, 0),)]
OFFSETS = np.array([0, 2, 2, 4])

CASES = [
    *(case for n in (1, 2, 3) for make in (_batch_norm, _instance_norm) for case in make(n)),
    *grid(
        "SyncBatchNorm", 3, inputs=[(real(4, 3),), (real(4, 3, 5, 2),), (real(3),)], training=MODES, affine=SWITCH
    ),
    *grid(
        "LayerNorm",
        (3,),
        inputs=[(real(4, 3),), (real(2, 4, 3),), (real(4, 2),)],
        elementwise_affine=SWITCH,
        bias=SWITCH,
        eps=[1e-5, 0.5],
    ),
    *grid("LayerNorm", [4, 3], inputs=[(real(2, 4, 3),)]),
    *grid("LayerNorm", 3, inputs=[(real(4, 3),)]),
    *grid(
        "RMSNorm",
        (3,),
        inputs=[(real(4, 3),), (real(2, 4, 3),), (real(4, 2),)],
        elementwise_affine=SWITCH,
        eps=[None, 0.5],
    ),
    *grid(
        "GroupNorm",
        2,
        4,
        inputs=[(real(3, 4),), (real(3, 4, 5),), (real(3, 4, 2, 2),), (real(3, 5),)],
        affine=SWITCH,
        eps=[1e-5, 0.5],
    ),
    *grid("GroupNorm", 3, 4, inputs=[(real(3, 4),)]),
    *grid("Embedding", 6, 3, inputs=TABLE, padding_idx=[None, 2, -1], scale_grad_by_freq=SWITCH),
    *grid("Embedding", 6, 3, inputs=TABLE, max_norm=[1.0], norm_type=[2.0, 1.0, float("inf")]),
    *grid("Embedding", 6, 3, inputs=TABLE, sparse=[True], padding_idx=[None, 2]),
    *grid("Embedding", 6, 3, inputs=TABLE[:1], padding_idx=[6, -7]),
    *grid("Embedding", 6, 3, inputs=[(np.array([6]),), (real(3),)]),
    *grid(
        "EmbeddingBag",
        6,
        3,
        inputs=[(whole(6, 4, 3),), (whole(6, 5), OFFSETS)],
        mode=["sum", "mean", "max"],
        padding_idx=[None, 2],
        include_last_offset=[False],
    ),
    *grid(
        "EmbeddingBag",
        6,
        3,
        inputs=[(whole(6, 4), OFFSETS)],
        mode=["sum", "mean", "max", "x"],
        include_last_offset=[True],
    ),
    *grid(
        "EmbeddingBag",
        6,
        3,
        inputs=[(whole(6, 4, 3),), (whole(6, 5), OFFSETS)],
        mode=["sum", "mean"],
        scale_grad_by_freq=SWITCH,
        max_norm=[None, 1.0],
    ),
    *grid(
        "EmbeddingBag",
        6,
        3,
        inputs=[(whole(6, 4, 3),), (whole(6, 5), OFFSETS)],
        mode=["sum", "mean", "max"],
        sparse=[True],
    ),
    *grid(
        "EmbeddingBag",
        6,
        3,
        inputs=[(whole(6, 4, 3), None, real(4, 3)), (whole(6, 5), OFFSETS, real(5))],
        mode=["sum", "mean"],
    ),
    *grid(
        "EmbeddingBag",
        6,
        3,
        inputs=[(whole(6, 5),), (whole(6, 4, 3), OFFSETS), (whole(6, 5), OFFSETS + 1), (whole(6, 5), OFFSETS * 2)],
    ),
    *(case for kind in ("RNN", "GRU", "LSTM") for case in _recurrent(kind)),
    *_adaptive(),
    *_cells(),
    *_attention(),
    *_transformers(),
]
