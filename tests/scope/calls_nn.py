"""Calls of nn.functional."""

import numpy as np
from scope.arrays import b, i, pos, unit, x, y
from scope.variants import call

ACT = [
    call(x(3, 4)),
    call(x()),
    call(x(0, 2)),
    call(np.array([0.0, -0.0, np.inf, -np.inf, np.nan]), grad=False, dtypes=False),
]
LOSS = [
    call(x(3, 4), y(3, 4), dtypes=False, **k)
    for k in ({}, {"reduction": "sum"}, {"reduction": "none"}, {"reduction": "no"})
] + [call(x(), y()), call(x(0), y(0), dtypes=False), call(x(3), y(4))]
INPLACE = [*ACT, call(x(3), inplace=True, grad=False)]
LOGITS, CLASSES = x(5, 4), np.array([0, 3, 1, 1, 2])
IMAGE = x(2, 3, 6, 5)
WEIGHT2, W1, W3 = x(4, 3, 3, 3), x(4, 3, 3), x(2, 2, 2, 2, 2)


def image(*args, **kwargs):
    """A call on an image, without the battery of dtypes."""
    return call(IMAGE, *args, dtypes=kwargs.pop("dtypes", False), **kwargs)


FUNCTIONAL = {
    "linear": [
        call(x(3, 4), y(2, 4)), call(x(3, 4), y(2, 4), x(2)), call(x(4), y(2, 4), x(2)),
        call(x(2, 3, 4), y(2, 4), bias=x(2)), call(x(3, 4), y(2, 3)), call(x(0, 4), y(2, 4), dtypes=False),
        call(x(3, 4).astype(np.float32), y(2, 4)),
    ],
    "conv1d": [
        call(x(2, 3, 8), W1, dtypes=False), call(x(2, 3, 8), W1, x(4), 2, 1, 2, dtypes=False),
        call(x(2, 3, 8), W1, padding="same", dtypes=False), call(x(2, 3, 8), W1, padding="valid", dtypes=False),
        call(x(3, 8), W1, dtypes=False), call(x(2, 4, 8), x(4, 2, 3), groups=2, dtypes=False),
        call(x(2, 3, 2), W1, dtypes=False), call(x(2, 2, 8), W1, dtypes=False),
        call(x(2, 3, 8), W1, stride=2, padding="same", dtypes=False), call(x(0, 3, 8), W1, dtypes=False),
    ],
    "conv2d": [
        image(WEIGHT2), image(WEIGHT2, x(4), 2, 1), image(WEIGHT2, x(4), (2, 1), (1, 0), (1, 2)),
        image(WEIGHT2, padding="same"), image(x(6, 1, 3, 3), groups=3), call(x(3, 6, 5), WEIGHT2, dtypes=False),
        image(WEIGHT2, stride=0), image(WEIGHT2, padding=-1), image(x(4, 2, 3, 3)), image(WEIGHT2, bias=x(3)),
        image(x(4, 3, 7, 7)), image(WEIGHT2, stride=[2, 2], padding=[1, 1]),
    ],
    "conv3d": [
        call(x(1, 2, 3, 4, 3), W3, dtypes=False), call(x(1, 2, 3, 4, 3), W3, x(2), 2, 1, dtypes=False),
        call(x(2, 3, 4, 3), W3, padding="same", dtypes=False),
        call(x(1, 2, 3, 4, 3), W3, stride=(1, 2, 1), dilation=(1, 2, 1), dtypes=False),
    ],
    "conv_transpose2d": [
        image(x(3, 2, 3, 3)), image(x(3, 2, 3, 3), x(2), 2, 1, 1),
        image(x(3, 2, 3, 3), stride=2, output_padding=2), image(x(3, 1, 2, 2), groups=3),
        image(x(3, 2, 3, 3), dilation=2), image(x(2, 2, 3, 3)),
        image(x(3, 2, 2, 2), stride=(2, 1), padding=(0, 1)),
    ],
    "relu": INPLACE,
    "silu": INPLACE,
    "selu": INPLACE,
    "hardswish": INPLACE,
    "leaky_relu": [*INPLACE, call(x(3, 4), 0.2), call(x(3), negative_slope=-0.5)],
    "elu": [*INPLACE, call(x(3, 4), 0.5), call(x(3), alpha=2.0)],
    "gelu": [*ACT, call(x(3, 4), approximate="tanh"), call(x(3), approximate="no"), call(x(3) * 20)],
    "softplus": [*ACT, call(x(3, 4), 2.0), call(x(3, 4) * 30, beta=2, threshold=10)],
    "prelu": [
        call(x(3, 4), np.array([0.2])), call(x(3, 4), y(4)), call(x(2, 3, 4), y(3)), call(x(3, 4), y(3)),
        call(x(4), np.array([0.2])),
    ],
    "dropout": [
        call(x(3, 4), values=False), call(x(3, 4), 0.0), call(x(3, 4), 0.5, False),
        call(x(3, 4), 1.0, dtypes=False), call(x(3, 4), 1.5),
        call(x(3, 4), p=0.3, training=False, inplace=True, grad=False), call(x(3), -0.1),
    ],
    "dropout2d": [image(values=False), image(0.0), image(0.5, False), image(1.0), image(1.5)],
    "layer_norm": [
        call(x(3, 4), (4,)), call(x(3, 4), (4,), y(4), x(4)), call(x(2, 3, 4), (3, 4), y(3, 4), x(3, 4), 1e-3),
        call(x(3, 4), [4], weight=y(4)), call(x(3, 4), (4,), bias=x(4), grad=False), call(x(3, 4), (3,)),
        call(x(3, 4), (4,), y(3)), call(x(0, 4), (4,)),
    ],
    "batch_norm": [
        call(x(5, 3), None, None, training=True), call(x(5, 3), x(3), pos(3), grad=False, dtypes=False),
        call(x(5, 3), x(3), pos(3), y(3), x(3), training=False, grad=False),
        image(np.zeros(3), np.ones(3), training=True, momentum=0.3, eps=1e-3, grad=False),
        call(x(5, 3), None, None), call(x(1, 3), None, None, training=True), call(x(5, 3), x(2), pos(2)),
        call(x(5, 3), None, None, y(3), x(3), True),
    ],
    "instance_norm": [
        image(), image(weight=y(3), bias=x(3)), image(x(3), pos(3), use_input_stats=False, grad=False),
        call(x(2, 3, 4)), call(x(2, 3, 1)), image(eps=1e-2),
    ],
    "group_norm": [
        call(x(2, 4, 3), 2), call(x(2, 4, 3), 4, y(4), x(4)), call(x(2, 4), 2, eps=1e-2), call(x(2, 4, 3), 3),
        call(x(2, 4, 3, 2), num_groups=1),
    ],
    "cross_entropy": [
        call(LOGITS, CLASSES), *[call(LOGITS, CLASSES, reduction=r) for r in ("sum", "none", "no")],
        call(LOGITS, CLASSES, pos(4)), call(LOGITS, CLASSES, weight=pos(4), ignore_index=1),
        call(LOGITS, CLASSES, label_smoothing=0.1),
        call(LOGITS, CLASSES, pos(4), label_smoothing=0.2, ignore_index=3, reduction="sum"),
        call(LOGITS, unit(5, 4)), call(LOGITS, unit(5, 4), pos(4), label_smoothing=0.1),
        call(x(2, 4, 3), i(4, 2, 3)), call(x(2, 4, 3, 2), i(4, 2, 3, 2), ignore_index=0),
        call(x(4), np.asarray(2)), call(x(2, 4, 3), unit(2, 4, 3), reduction="none"), call(LOGITS, CLASSES[:4]),
        call(LOGITS, np.array([0, 4, 1, 1, 2])), call(LOGITS, np.full(5, -100)),
        call(LOGITS, CLASSES.astype(np.int32)), call(x(0, 4), i(4, 0)),
        call(LOGITS, CLASSES, label_smoothing=1.5), call(x(2, 4, 3), i(4, 2, 3), pos(4), label_smoothing=0.1),
        call(LOGITS, CLASSES, reduction="none", label_smoothing=0.1, ignore_index=1),
        call(x(4), unit(4), dtypes=False),
        call(LOGITS, np.array([0, -100, 1, -100, 2])), call(LOGITS, CLASSES, size_average=False, dtypes=False),
    ],
    "nll_loss": [
        call(LOGITS, CLASSES), *[call(LOGITS, CLASSES, reduction=r) for r in ("sum", "none")],
        call(LOGITS, CLASSES, pos(4), ignore_index=1), call(x(2, 4, 3), i(4, 2, 3)), call(x(4), np.asarray(2)),
        call(LOGITS, CLASSES[:4]), call(LOGITS, np.array([0, 4, 1, 1, 2])),
        call(x(2, 4, 3, 2), i(4, 2, 3, 2), pos(4), reduction="none"),
    ],
    "mse_loss": [*LOSS[:-1], call(x(3), y(3), weight=pos(3), dtypes=False)],
    "l1_loss": LOSS[:-1],
    "smooth_l1_loss": [
        *LOSS[:-1], call(x(3), y(3), beta=0.5, dtypes=False), call(x(3), y(3), beta=0, dtypes=False),
        call(x(3), y(3), beta=-1),
    ],
    "binary_cross_entropy": [
        call(unit(3, 4), unit(3, 4) ** 2), call(unit(3), np.array([0.0, 1.0, 1.0]), reduction="none"),
        call(unit(3, 4), unit(3, 4), pos(4), reduction="sum", grad=False),
        call(np.array([0.0, 1.0]), np.array([1.0, 1.0]), grad=False), call(np.array([1.5]), np.array([1.0])),
        call(unit(3), unit(4)), call(unit(3), unit(3), weight=pos(3), grad=False),
    ],
    "binary_cross_entropy_with_logits": [
        call(x(3, 4), unit(3, 4)), call(x(3, 4), unit(3, 4), pos(4), reduction="none", grad=False),
        call(x(3, 4), unit(3, 4), pos_weight=pos(4), grad=False),
        call(x(3, 4), unit(3, 4), weight=pos(3, 4), pos_weight=pos(4), reduction="sum", grad=False),
        call(x(3) * 100, unit(3)), call(x(3), unit(4)),
    ],
    "kl_div": [
        call(x(3, 4), unit(3, 4)),
        *[call(x(3, 4), unit(3, 4), reduction=r) for r in ("sum", "none", "batchmean")],
        call(x(3, 4), x(3, 4), log_target=True, reduction="batchmean"),
        call(x(3), np.array([0.0, 0.5, 0.5]), reduction="sum", grad=False),
        call(x(3, 4), unit(4), reduction="none"),
    ],
    "cosine_embedding_loss": [
        call(x(3, 4), y(3, 4), np.array([1, -1, 1])),
        call(x(3, 4), y(3, 4), np.array([1, -1, -1]), margin=0.3, reduction="none"),
        call(x(4), y(4), np.asarray(1)), call(x(3, 4), y(3, 4), np.array([1, -1])),
    ],
    "embedding": [
        call(i(5, 2, 3), y(5, 4)), call(i(5, 3), y(5, 4), padding_idx=1),
        call(i(5, 3), y(5, 4), padding_idx=-1), call(np.array([5]), y(5, 4)),
        call(i(5, 3), y(5, 4), scale_grad_by_freq=True, dtypes=False), call(i(5, 0), y(5, 4)),
        call(i(5, 3).astype(np.int32), y(5, 4)), call(x(3), y(5, 4)),
        call(np.array([1, 2, 1]), y(5, 4), max_norm=1.0, grad=False), call(np.asarray(2), y(5, 4)),
        call(i(5, 3), y(5, 4), padding_idx=7),
    ],
    "embedding_bag": [
        *[call(i(5, 2, 3), y(5, 4), mode=m) for m in ("mean", "sum", "max", "no")],
        call(i(5, 6), y(5, 4), np.array([0, 2, 2, 5])),
        call(i(5, 6), y(5, 4), np.array([0, 3]), mode="sum", per_sample_weights=pos(6)),
        call(i(5, 6), y(5, 4), np.array([0, 3, 6]), include_last_offset=True),
        call(i(5, 2, 3), y(5, 4), padding_idx=0), call(i(5, 6), y(5, 4)),
        call(i(5, 6), y(5, 4), np.array([1, 3])),
    ],
    "max_pool2d": [
        image(2), image(3, 2, 1), image((3, 2), (1, 2)), image(2, ceil_mode=True),
        image(2, stride=3, dilation=2), image(2, return_indices=True), image(2, padding=2),
        call(x(3, 6, 5), 2, dtypes=False), image(9), image(kernel_size=2, stride=2, padding=1, ceil_mode=True),
    ],
    "max_pool3d": [
        call(x(1, 2, 4, 4, 4), 2, dtypes=False), call(x(1, 2, 4, 5, 4), 3, 2, 1, ceil_mode=True, dtypes=False),
        call(x(2, 4, 4, 4), (2, 1, 2), return_indices=True, dtypes=False),
    ],
    "avg_pool1d": [
        call(x(2, 3, 7), 2, dtypes=False), call(x(2, 3, 7), 3, 2, 1, dtypes=False),
        call(x(2, 3, 7), 3, 2, 1, ceil_mode=True, count_include_pad=False, dtypes=False),
        call(x(3, 7), 2, ceil_mode=True, dtypes=False),
    ],
    "avg_pool2d": [
        image(2), image(3, 2, 1), image(3, 2, 1, True), image(3, 2, 1, True, False),
        image(2, ceil_mode=True, divisor_override=3), image((3, 2), (1, 2)), image(2, padding=2),
        image(2, divisor_override=0), call(x(3, 6, 5), 2, dtypes=False),
    ],
    "adaptive_avg_pool2d": [
        image(1), image((2, 3)), image((None, 2)), image(7), call(x(3, 6, 5), 2, dtypes=False), image((2,)),
        image(0, grad=False),
    ],
    "interpolate": [
        image(size=(9, 4)), image(scale_factor=2), image(scale_factor=(1.5, 0.5)), image(size=4),
        *[image(scale_factor=1.7, mode=m) for m in ("nearest", "nearest-exact", "bilinear", "bicubic", "area")],
        *[image(size=(9, 4), mode=m, align_corners=True) for m in ("bilinear", "bicubic")],
        image(scale_factor=1.3, mode="bilinear", recompute_scale_factor=True),
        image(size=(3, 2), mode="bilinear", antialias=True), image(size=(3, 2), mode="bicubic", antialias=True),
        call(x(2, 3, 7), scale_factor=2, mode="linear", dtypes=False),
        call(x(2, 3, 7), size=5, mode="nearest", dtypes=False),
        call(x(1, 2, 3, 4, 3), scale_factor=2, mode="trilinear", dtypes=False), image(),
        image(size=3, scale_factor=2), image(scale_factor=2, mode="linear"),
        image(scale_factor=2, mode="nearest", align_corners=True), image(scale_factor=2, mode="no"),
        image(size=(1, 1), mode="bilinear", align_corners=True),
    ],
    "upsample_nearest": [image(scale_factor=2), image(size=(9, 4))],
    "pad": [
        call(x(2, 3), (1, 2)), call(x(2, 3), (1, 2, 0, 1), value=2.5), call(x(2, 3), (-1, 1)),
        call(x(2, 3), [1, 1], "constant", 1),
        *[call(x(2, 3, 5), (2, 1), mode=m) for m in ("reflect", "replicate", "circular", "no")],
        *[call(x(1, 2, 4, 5), (2, 1, 1, 0), mode=m) for m in ("reflect", "replicate", "circular")],
        *[call(x(1, 1, 3, 4, 3), (1, 1, 2, 1, 0, 2), mode=m, dtypes=False) for m in ("reflect", "replicate", "circular")],
        call(x(2, 3), (1,)), call(x(2, 3, 5), (5, 0), mode="reflect"), call(x(2, 3), (1, 1, 1, 1, 1, 1)),
        call(b(2, 3), (1, 1), value=True), call(x(2, 3), pad=(0, 0)), call(x(3, 5), (1, 1), mode="reflect"),
        call(i(3, 2, 3), (1, 1), value=5),
    ],
    "scaled_dot_product_attention": [
        call(x(2, 3, 4, 5), y(2, 3, 6, 5), x(2, 3, 6, 5), dtypes=False),
        call(x(2, 4, 5), y(2, 6, 5), x(2, 6, 5), b(4, 6), dtypes=False),
        call(x(2, 4, 5), y(2, 6, 5), x(2, 6, 5), attn_mask=x(2, 4, 6), dtypes=False),
        call(x(2, 4, 5), y(2, 4, 5), x(2, 4, 5), is_causal=True, dtypes=False),
        call(x(2, 4, 5), y(2, 6, 5), x(2, 6, 3), scale=0.3, dtypes=False),
        call(x(4, 5), y(6, 5), x(6, 5), dtypes=False),
        call(x(2, 4, 4, 5), y(2, 2, 6, 5), x(2, 2, 6, 5), enable_gqa=True, dtypes=False),

        call(x(2, 4, 5), y(2, 4, 5), x(2, 4, 5), dropout_p=0.5, values=False, dtypes=False),
        call(x(2, 4, 5), y(2, 6, 4), x(2, 6, 5), dtypes=False),
        call(x(2, 4, 5), y(2, 6, 5), x(2, 6, 5), x(6), dtypes=False),
        call(x(1, 2, 5, 4), y(1, 2, 3, 4), x(1, 2, 3, 4), is_causal=True, dtypes=False),
    ],
    "normalize": [
        call(x(3, 4)), call(x(3, 4), 1, 0), call(x(3, 4), p=3, dim=-1), call(np.zeros((2, 3)), grad=False),
        call(x(3), dim=0), call(x(3, 4), dim=1, eps=10.0),
    ],
    "cosine_similarity": [
        call(x(3, 4), y(3, 4), dtypes=False), call(x(3, 4), y(4), -1, dtypes=False),
        call(x(3, 4), y(3, 4), dim=0, eps=1e-3, dtypes=False), call(x(4), y(4), dim=0, tol=10),
        call(np.zeros(3), np.ones(3), 0, grad=False),
    ],
    "pixel_shuffle": [
        call(x(2, 8, 3, 2), 2), call(x(4, 3, 2), 2), call(x(2, 6, 3, 2), 2), call(x(2, 8, 3, 2), 0),
        call(x(3, 2), 1),
    ],
    "unfold": [
        image(2), image((3, 2), dilation=(1, 2), padding=1, stride=(2, 1)), call(x(3, 6, 5), 2, dtypes=False),
        image(8),
    ],
    "one_hot": [
        call(i(4, 3)), call(i(4, 2, 3), 5), call(i(4, 3), num_classes=-1), call(i(4, 3), 2), call(x(3)),
        call(np.array([-1])), call(np.zeros(0, np.int64), 3), call(np.zeros(0, np.int64)),
    ],
    "bilinear": [
        call(x(3, 4), y(3, 2), x(5, 4, 2)), call(x(3, 4), y(3, 2), x(5, 4, 2), y(5)),
        call(x(2, 3, 4), y(2, 3, 2), x(5, 4, 2), bias=y(5)), call(x(3, 4), y(2, 2), x(5, 4, 2)),
    ],
    "grid_sample": [
        *[image(np.tanh(x(2, 4, 3, 2)) * 1.2, mode=m, padding_mode=p, align_corners=a)
          for m in ("bilinear", "nearest", "bicubic") for p in ("zeros", "border", "reflection") for a in (True, False)],
        call(x(1, 2, 3, 4, 3), np.tanh(x(1, 2, 2, 2, 3)), align_corners=False, dtypes=False),
        image(x(1, 4, 3, 2), align_corners=False), image(x(2, 4, 3, 3), align_corners=False),
        image(x(2, 4, 3, 2), mode="no", align_corners=False),
    ],
}  # fmt: skip
FUNCTIONAL = {f"nn.functional.{name}": calls for name, calls in FUNCTIONAL.items()}
