"""Every layer against torch's: printed form, state, outputs and gradients from the same weights."""

import numpy as np
import pytest
from helpers import copy_state, run_both, state_shapes

import wengert

torch = pytest.importorskip("torch")

IMAGE, SIGNAL, VOLUME = (2, 4, 6, 6), (2, 4, 9), (1, 2, 4, 4, 4)

LAYERS = [
    ("Identity", (1,), {}, [(2, 3)]),
    ("Linear", (3, 2), {}, [(5, 3)]),
    ("Linear", (3, 2, False), {}, [(5, 3)]),
    ("Bilinear", (3, 4, 2), {}, [(5, 3), (5, 4)]),
    ("Flatten", (), {}, [(2, 3, 4)]),
    ("Unflatten", (1, (2, 3)), {}, [(2, 6)]),
    ("Conv1d", (4, 2, 3), {"padding": 1}, [SIGNAL]),
    ("Conv2d", (4, 6, 3), {"stride": 2, "groups": 2}, [IMAGE]),
    ("Conv2d", (4, 2, 3), {"padding": "same", "padding_mode": "circular", "bias": False}, [IMAGE]),
    ("Conv2d", (4, 2, (3, 1)), {"padding": (1, 0), "dilation": (2, 1), "padding_mode": "reflect"}, [IMAGE]),
    ("Conv3d", (2, 3, 2), {}, [VOLUME]),
    ("ConvTranspose1d", (4, 2, 3), {"stride": 2}, [SIGNAL]),
    ("ConvTranspose2d", (4, 2, 3), {"stride": 2, "output_padding": 1, "padding": 1}, [IMAGE]),
    ("ConvTranspose3d", (2, 2, 2), {"groups": 2}, [VOLUME]),
    ("MaxPool1d", (2,), {}, [SIGNAL]),
    ("MaxPool2d", (3, 2), {"padding": 1, "return_indices": True}, [IMAGE]),
    ("MaxPool3d", (2,), {}, [VOLUME]),
    ("AvgPool1d", (2,), {}, [SIGNAL]),
    ("AvgPool2d", (3, 2), {"padding": 1, "count_include_pad": False}, [IMAGE]),
    ("AvgPool3d", (2,), {"divisor_override": 3}, [VOLUME]),
    ("AdaptiveAvgPool1d", (4,), {}, [SIGNAL]),
    ("AdaptiveAvgPool2d", ((None, 4),), {}, [IMAGE]),
    ("AdaptiveAvgPool3d", (2,), {}, [VOLUME]),
    ("AdaptiveMaxPool1d", (4,), {}, [SIGNAL]),
    ("AdaptiveMaxPool2d", (3,), {"return_indices": True}, [IMAGE]),
    ("AdaptiveMaxPool3d", (2,), {}, [VOLUME]),
    ("LPPool1d", (2, 3), {}, [SIGNAL]),
    ("LPPool2d", (2, 3), {"stride": 2}, [IMAGE]),
    ("BatchNorm1d", (4,), {}, [(5, 4)]),
    ("BatchNorm2d", (4,), {"momentum": None}, [IMAGE]),
    ("BatchNorm2d", (4,), {"affine": False, "track_running_stats": False}, [IMAGE]),
    ("BatchNorm2d", (4,), {"bias": False}, [IMAGE]),
    ("BatchNorm3d", (2,), {}, [VOLUME]),
    ("LayerNorm", (6,), {}, [IMAGE]),
    ("LayerNorm", ((6, 6),), {"bias": False}, [IMAGE]),
    ("LayerNorm", (6,), {"elementwise_affine": False}, [IMAGE]),
    ("GroupNorm", (2, 4), {}, [IMAGE]),
    ("InstanceNorm1d", (4,), {}, [SIGNAL]),
    ("InstanceNorm2d", (4,), {"affine": True, "track_running_stats": True}, [IMAGE]),
    ("InstanceNorm2d", (4,), {}, [(4, 5, 5)]),
    ("InstanceNorm3d", (2,), {}, [VOLUME]),
    ("RMSNorm", (6,), {}, [IMAGE]),
    ("LocalResponseNorm", (3,), {"alpha": 0.1}, [IMAGE]),
    ("LocalResponseNorm", (2,), {}, [SIGNAL]),
    ("Upsample", (), {"scale_factor": 2}, [IMAGE]),
    ("Upsample", (), {"size": 5, "mode": "linear"}, [SIGNAL]),
    ("UpsamplingNearest2d", (9,), {}, [IMAGE]),
    ("UpsamplingBilinear2d", (), {"scale_factor": 2}, [IMAGE]),
    ("PixelShuffle", (2,), {}, [IMAGE]),
    ("PixelUnshuffle", (2,), {}, [IMAGE]),
    ("ChannelShuffle", (2,), {}, [IMAGE]),
    ("Unfold", (3,), {"padding": 1}, [IMAGE]),
    ("Fold", (4, 2), {}, [(1, 8, 9)]),
    ("CosineSimilarity", (), {}, [(3, 4), (3, 4)]),
    ("PairwiseDistance", (), {"keepdim": True}, [(3, 4), (3, 4)]),
    ("Embedding", (7, 3), {"padding_idx": -1}, ["int7"]),
    ("Embedding", (7, 3), {"max_norm": 1.0, "scale_grad_by_freq": True}, ["int7"]),
    ("EmbeddingBag", (7, 3), {"mode": "sum", "padding_idx": 0}, ["int7"]),
    ("RNNCell", (3, 4), {"nonlinearity": "relu"}, [(2, 3), (2, 4)]),
    ("LSTMCell", (3, 4), {"bias": False}, [(2, 3)]),
    ("GRUCell", (3, 4), {}, [(2, 3), (2, 4)]),
    ("RNN", (3, 4), {"num_layers": 2}, [(5, 2, 3)]),
    ("RNN", (3, 4), {"nonlinearity": "relu", "bias": False}, [(5, 3)]),
    ("LSTM", (3, 4), {"bidirectional": True, "batch_first": True, "num_layers": 2}, [(2, 5, 3)]),
    ("LSTM", (3, 4), {"proj_size": 2, "bidirectional": True}, [(5, 2, 3)]),
    ("GRU", (3, 4), {"bidirectional": True, "num_layers": 2}, [(5, 2, 3), (4, 2, 4)]),
    ("MultiheadAttention", (8, 2), {}, [(5, 2, 8), (4, 2, 8), (4, 2, 8)]),
    ("MultiheadAttention", (8, 2), {"batch_first": True, "kdim": 3, "vdim": 5}, [(2, 5, 8), (2, 4, 3), (2, 4, 5)]),
    ("MultiheadAttention", (8, 2), {"add_bias_kv": True, "add_zero_attn": True}, [(5, 8), (4, 8), (4, 8)]),
    ("TransformerEncoderLayer", (8, 2, 16, 0.0), {}, [(5, 2, 8)]),
    ("TransformerEncoderLayer", (8, 2, 16, 0.0, "gelu"), {"norm_first": True, "bias": False}, [(5, 2, 8)]),
    ("TransformerDecoderLayer", (8, 2, 16, 0.0), {"batch_first": True}, [(2, 5, 8), (2, 4, 8)]),
    ("TransformerDecoderLayer", (8, 2, 16, 0.0), {"norm_first": True}, [(5, 2, 8), (4, 2, 8)]),
    ("Transformer", (8, 2, 2, 2, 16, 0.0), {}, [(4, 2, 8), (5, 2, 8)]),
] + [
    (f"{kind}Pad{n}d", ((2, 1) * n, *extra), {}, [shape])
    for kind, extra in (("Constant", (3.5,)),
    ("Zero", ()), ("Reflection", ()), ("Replication", ()), ("Circular", ()))
    for n, shape in ((1, SIGNAL), (2, IMAGE), (3, VOLUME))
]  # fmt: skip

ACTIVATIONS = [
    ("Threshold", (0.1, 2.0), {}), ("ReLU", (), {}), ("RReLU", (), {}), ("Hardtanh", (-2, 1.5), {}), ("ReLU6",
    (), {}),
    ("Sigmoid", (), {}), ("Hardsigmoid", (), {}), ("Tanh", (), {}), ("SiLU", (), {}), ("Mish", (), {}),
    ("Hardswish", (), {}), ("ELU", (0.5,), {}), ("CELU", (0.5,), {}), ("SELU", (), {}), ("GLU", (1,), {}),
    ("GELU", (), {}), ("GELU", ("tanh",), {}), ("Hardshrink", (0.3,), {}), ("Softshrink", (0.3,), {}),
    ("LeakyReLU", (0.2,), {}), ("LogSigmoid", (), {}), ("Softplus", (2.0,), {}), ("PReLU", (4,), {}),
    ("Softsign", (), {}), ("Tanhshrink", (), {}), ("Softmin", (1,), {}), ("Softmax", (-1,), {}),
    ("LogSoftmax", (1,), {}), ("Softmax2d", (), {}), ("Dropout", (0.3,), {}), ("Dropout1d", (), {}),
    ("Dropout2d", (), {}), ("Dropout3d", (), {}), ("AlphaDropout", (), {}), ("FeatureAlphaDropout", (), {}),
]  # fmt: skip


def make_inputs(shapes):
    rng = np.random.default_rng(0)
    return [
        rng.integers(0, 7, (2, 5)) if shape == "int7" else rng.standard_normal(shape).astype(np.float32)
        for shape in shapes
    ]


def make_pair(name, args, kwargs):
    ours, theirs = getattr(wengert.nn, name)(*args, **kwargs), getattr(torch.nn, name)(*args, **kwargs)
    assert repr(ours) == repr(theirs)
    assert state_shapes(ours) == state_shapes(theirs)
    copy_state(theirs, ours, wengert)
    return ours, theirs


@pytest.mark.filterwarnings("ignore:LSTM with projections", "ignore:Using padding", "ignore:enable_nested")
@pytest.mark.parametrize(("name", "args", "kwargs", "shapes"), LAYERS)
def test_layer(name, args, kwargs, shapes):
    ours, theirs = make_pair(name, args, kwargs)
    arrays = make_inputs(shapes)
    run_both(ours, theirs, arrays, torch)
    ours.eval(), theirs.eval()
    run_both(ours, theirs, arrays, torch)


@pytest.mark.parametrize(("name", "args", "kwargs"), ACTIVATIONS)
def test_activation(name, args, kwargs):
    ours, theirs = make_pair(name, args, kwargs)
    run_both(ours.eval(), theirs.eval(), make_inputs([SIGNAL if name == "Dropout1d" else IMAGE]), torch)


@pytest.mark.parametrize("name", ["Dropout", "Dropout1d", "Dropout2d", "Dropout3d"])
def test_dropout_keeps_scaled_elements_only(name):
    shape = {"Dropout1d": (50, 40, 2), "Dropout3d": (50, 40, 2, 1, 1)}.get(name, (50, 40, 2, 1))
    y = getattr(wengert.nn, name)(0.25)(wengert.ones(shape)).numpy()
    assert set(np.unique(y)) == {np.float32(0), np.float32(1 / 0.75)}
    assert abs((y == 0).mean() - 0.25) < 0.05
    if name != "Dropout":
        assert (y == y[:, :, :1]).all()


def test_alpha_dropout_keeps_mean_and_variance():
    y = wengert.nn.AlphaDropout(0.3)(wengert.randn(200, 200)).numpy()
    assert abs(y.mean()) < 0.03 and abs(y.std() - 1) < 0.03


@pytest.mark.parametrize("mode", ["float", "bool", "causal"])
def test_attention_masks(mode):
    ours, theirs = make_pair("MultiheadAttention", (8, 2), {})
    x = make_inputs([(4, 2, 8)])[0]
    padding = np.array([[False, False, False, True], [False] * 4])
    causal = np.triu(np.ones((4, 4), bool), 1)
    results = []
    for lib, layer in ((wengert, ours), (torch, theirs)):
        t, mask = lib.from_numpy(x), lib.from_numpy(causal)
        if mode == "float":
            mask = lib.zeros(4, 4).masked_fill(mask, float("-inf"))
        if mode == "causal":
            results.append(layer(t, t, t, attn_mask=mask, is_causal=True, need_weights=False)[0])
        else:
            pad = lib.from_numpy(padding)
            if mode == "float":
                pad = lib.zeros(2, 4).masked_fill(pad, float("-inf"))
            results.append(layer(t, t, t, attn_mask=mask, key_padding_mask=pad)[0])
    np.testing.assert_allclose(*(r.detach().numpy() for r in results), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_packed_sequences(kind):
    ours, theirs = make_pair(kind, (3, 4), {"num_layers": 2, "bidirectional": True})
    x = make_inputs([(6, 4, 3)])[0]
    results = []
    for lib, layer in ((wengert, ours), (torch, theirs)):
        rnn = lib.nn.utils.rnn
        packed = rnn.pack_padded_sequence(lib.from_numpy(x), [2, 6, 1, 4], enforce_sorted=False)
        output, state = layer(packed)
        padded, lengths = rnn.pad_packed_sequence(output)
        state = state[0] if kind == "LSTM" else state
        results.append((padded.detach().numpy(), lengths.numpy(), state.detach().numpy()))
    for mine, other in zip(*results, strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-5, atol=1e-6)
