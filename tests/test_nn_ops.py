"""The functions behind nn against PyTorch's: values, gradients, second gradients, dtypes and errors."""

import math

import numpy as np
import pytest

import wengert
from wengert import _functional as F
from wengert.testing import gradgradcheck

torch = pytest.importorskip("torch")
TF = torch.nn.functional

rng = np.random.default_rng(7)


def real(*shape, dtype=np.float64):
    return rng.standard_normal(shape).astype(dtype)


def as_tensor(lib, value):
    return lib.from_numpy(value.copy()) if isinstance(value, np.ndarray) else value


def leaves(lib, arrays):
    made = [as_tensor(lib, a) for a in arrays]
    return [
        t.requires_grad_() if isinstance(a, np.ndarray) and a.dtype.kind == "f" else t
        for t, a in zip(made, arrays, strict=True)
    ]


def grads_of(lib, function, inputs, order):
    """The result, and gradients of sums of squares up to the given order."""
    out = function(*inputs)
    results = [out]
    needed = [t for t in inputs if getattr(t, "requires_grad", False)]
    total = (out * out).sum() + (out * 0.5).sum()
    for k in range(order):
        found = lib.autograd.grad(total, needed, create_graph=k + 1 < order, allow_unused=True)
        results.extend(found)
        used = [f for f in found if f is not None and f.requires_grad]
        if k + 1 == order or not used:
            break
        total = sum((f * f).sum() for f in used)
    return results


def check(ours, theirs, *arrays, order=2, rtol=1e-9, atol=1e-10):
    """Both libraries' results and gradients agree."""
    mine = grads_of(wengert, ours, leaves(wengert, arrays), order)
    other = grads_of(torch, theirs, leaves(torch, arrays), order)
    assert len(mine) == len(other)
    for a, b in zip(mine, other, strict=True):
        if a is None or b is None:
            assert (a is None or not a.detach().numpy().any()) and (b is None or not b.detach().numpy().any())
            continue
        assert tuple(a.shape) == tuple(b.shape)
        assert str(a.dtype).split(".")[-1] == str(b.dtype).split(".")[-1]
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=rtol, atol=atol)


def both(name, *arrays, order=2, rtol=1e-9, **kwargs):
    own = dict(kwargs)
    check(
        lambda *t: getattr(F, name)(*t, **{k: as_tensor(wengert, v) for k, v in own.items()}),
        lambda *t: getattr(TF, name)(*t, **{k: as_tensor(torch, v) for k, v in own.items()}),
        *arrays,
        order=order,
        rtol=rtol,
    )


# ---- softmax and losses ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["softmax", "log_softmax", "softmin"])
@pytest.mark.parametrize(
    ("shape", "dim"), [((3, 5), 1), ((3, 5), 0), ((2, 3, 4), 1), ((4,), -1), ((), 0), ((0, 3), 1)]
)
def test_softmax(name, shape, dim):
    both(name, real(*shape), dim=dim, order=3 if shape else 1)


def test_softmax_dtypes():
    x = real(3, 70, dtype=np.float32)
    np.testing.assert_allclose(
        F.softmax(wengert.from_numpy(x), 1).numpy(), TF.softmax(torch.from_numpy(x), 1).numpy(), rtol=3e-6
    )
    half = F.softmax(wengert.from_numpy(x).half(), 1)
    assert half.dtype is wengert.float16
    assert F.softmax(wengert.tensor([1, 2]), 0, dtype=wengert.float64).dtype is wengert.float64
    with pytest.raises(RuntimeError, match="floating"):
        F.softmax(wengert.tensor([1, 2]), 0)
    with pytest.raises(IndexError):
        F.softmax(wengert.tensor([1.0, 2]), 1)
    with pytest.warns(UserWarning, match="dim="):
        F.softmax(wengert.tensor([1.0, 2]))


TARGETS = np.array([1, 0, 4, -100, 2, 1])


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_cross_entropy(reduction, weighted, smoothing):
    kwargs = {"reduction": reduction, "label_smoothing": smoothing}
    if weighted:
        kwargs["weight"] = np.abs(real(5)) + 0.1
    both("cross_entropy", real(6, 5), TARGETS, order=3, **kwargs)
    both("cross_entropy", real(2, 5, 3), TARGETS.reshape(2, 3), **kwargs)
    both("cross_entropy", real(5), np.array(3), **kwargs)
    if reduction != "mean" or not weighted:
        both("cross_entropy", real(6, 5), np.abs(real(6, 5)), **kwargs)
    both("cross_entropy", real(2, 5, 3), np.abs(real(2, 5, 3)), **kwargs)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("weighted", [False, True])
def test_nll_loss(reduction, weighted):
    kwargs = {"reduction": reduction, "ignore_index": 4}
    if weighted:
        kwargs["weight"] = np.abs(real(5)) + 0.1
    targets = np.where(TARGETS < 0, 3, TARGETS)
    both("nll_loss", real(6, 5), targets, **kwargs)
    both("nll_loss", real(2, 5, 1, 3), targets.reshape(2, 1, 3), **kwargs)
    both("nll_loss", real(5), np.array(3), **kwargs)


def test_losses_of_classes_refuse():
    x = wengert.zeros(2, 3)
    with pytest.raises(IndexError, match="got 3"):
        F.cross_entropy(x, wengert.tensor([0, 3]))
    with pytest.raises(ValueError, match="shape"):
        F.cross_entropy(x, wengert.tensor([0, 1, 2]))
    with pytest.raises(RuntimeError, match="int64"):
        F.cross_entropy(x, wengert.tensor([0, 1]).int())
    with pytest.raises(ValueError, match="reduction"):
        F.nll_loss(x, wengert.tensor([0, 1]), reduction="max")
    assert np.isnan(F.cross_entropy(x, wengert.tensor([-100, -100])).item())


# ---- embeddings --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("padding_idx", [None, 2, -1])
def test_embedding(padding_idx):
    index = np.array([[0, 2, 4], [2, 2, 1]])
    check(
        lambda w: F.embedding(wengert.from_numpy(index), w, padding_idx),
        lambda w: TF.embedding(torch.from_numpy(index), w, padding_idx),
        real(5, 3),
        order=3,
    )
    check(
        lambda w: F.embedding(wengert.from_numpy(index), w, scale_grad_by_freq=True),
        lambda w: TF.embedding(torch.from_numpy(index), w, scale_grad_by_freq=True),
        real(5, 3),
        order=1,
    )
    with pytest.raises(IndexError, match="got 5"):
        F.embedding(wengert.tensor([5]), wengert.zeros(5, 3))


def test_embedding_max_norm():
    w = real(5, 3)
    mine, other = wengert.from_numpy(w.copy()), torch.from_numpy(w.copy())
    F.embedding(wengert.tensor([1, 3, 1]), mine, max_norm=0.5)
    TF.embedding(torch.tensor([1, 3, 1]), other, max_norm=0.5)
    np.testing.assert_allclose(mine.numpy(), other.numpy(), rtol=1e-6)


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
@pytest.mark.parametrize("padding_idx", [None, 2])
@pytest.mark.parametrize("width", [1, 7, 70])
def test_embedding_bag(mode, padding_idx, width):
    index, offsets = np.array([0, 2, 4, 2, 1, 3]), np.array([0, 2, 2, 5])
    for shape, starts, last in (((2, 3), None, False), ((6,), offsets, False), ((6,), np.array([0, 2, 6]), True)):

        def call(lib, functional, w, shape=shape, starts=starts, last=last):
            return functional.embedding_bag(
                lib.from_numpy(index.reshape(shape)),
                w,
                None if starts is None else lib.from_numpy(starts),
                mode=mode,
                padding_idx=padding_idx,
                include_last_offset=last,
            )

        ours, theirs = (lambda w: call(wengert, F, w)), (lambda w: call(torch, TF, w))
        check(ours, theirs, real(5, width), order=1)
        w = wengert.from_numpy(real(5, width)).requires_grad_()
        assert gradgradcheck(lambda w, ours=ours: ours(w).square(), [w])


def test_embedding_bag_weights():
    """per_sample_weights with gradients of both orders; scale_grad_by_freq; max_norm."""
    index, offsets = np.array([0, 2, 4, 2, 1, 3]), np.array([0, 2, 2, 5])

    def call(lib, functional, w, p):
        return functional.embedding_bag(
            lib.from_numpy(index), w, lib.from_numpy(offsets), mode="sum", per_sample_weights=p, padding_idx=4
        )

    check(lambda w, p: call(wengert, F, w, p), lambda w, p: call(torch, TF, w, p), real(5, 3), real(6), order=1)
    w, p = (wengert.from_numpy(v).double().requires_grad_() for v in (real(5, 3), real(6)))
    assert gradgradcheck(lambda w, p: call(wengert, F, w, p), [w, p])
    found = []
    for lib, functional in ((wengert, F), (torch, TF)):
        w = lib.from_numpy(np.ones((5, 3))).requires_grad_()
        y = functional.embedding_bag(lib.from_numpy(index), w, lib.from_numpy(offsets), max_norm=0.5, mode="mean")
        y.square().sum().backward()
        found.append([v.detach().numpy() for v in (y, w, w.grad)])
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)


def test_embedding_bag_shares_gradients_as_embedding():
    """scale_grad_by_freq: PyTorch's own embedding_bag divides by the count of another row here; embedding does not."""
    w = wengert.from_numpy(real(5, 3)).requires_grad_()
    index = wengert.tensor([[0, 2, 4], [2, 1, 3]])
    pairs = [
        F.embedding_bag(index, w, mode="sum", scale_grad_by_freq=True),
        F.embedding(index, w, scale_grad_by_freq=True).sum(1),
    ]
    grads = [wengert.autograd.grad(y.square().sum(), w)[0].numpy() for y in pairs]
    np.testing.assert_allclose(*grads, rtol=1e-12)


def test_embedding_bag_edges():
    w = wengert.ones(5, 3)
    none = wengert.zeros(0, dtype=wengert.int64)
    assert F.embedding_bag(none, w, wengert.tensor([0, 0]), mode="max").tolist() == [[0.0] * 3] * 2
    assert tuple(F.embedding_bag(none, w, none).shape) == (0, 3)
    nan = wengert.tensor([[1.0], [math.nan], [3.0]])
    assert F.embedding_bag(wengert.tensor([[0, 1, 2]]), nan, mode="max").isnan().all().item()
    with pytest.raises(IndexError, match="got 5"):
        F.embedding_bag(wengert.tensor([[5]]), w)
    for offsets in ([1, 2], [0, 3], [0, 2, 1]):
        with pytest.raises(RuntimeError, match="expected offsets"):
            F.embedding_bag(wengert.tensor([0, 1]), w, wengert.tensor(offsets))


def test_one_hot():
    index = np.array([[0, 3], [1, 1]])
    for classes in (-1, 6):
        mine = F.one_hot(wengert.from_numpy(index), classes)
        assert mine.tolist() == TF.one_hot(torch.from_numpy(index), classes).tolist()
    with pytest.raises(RuntimeError, match="below 3"):
        F.one_hot(wengert.from_numpy(index), 3)


# ---- activations -------------------------------------------------------------------------------------------------


ACTIVATIONS = [
    ("relu", {}), ("relu6", {}), ("hardtanh", {"min_val": -0.5, "max_val": 0.7}), ("leaky_relu", {}),
    ("leaky_relu", {"negative_slope": 0.3}), ("elu", {"alpha": 0.7}), ("celu", {"alpha": 0.7}), ("celu", {}),
    ("selu", {}), ("gelu", {}), ("gelu", {"approximate": "tanh"}), ("silu", {}), ("mish", {}), ("hardswish", {}),
    ("hardsigmoid", {}), ("softplus", {}), ("softplus", {"beta": 2.0, "threshold": 1.0}), ("softsign", {}),
    ("tanhshrink", {}), ("softshrink", {"lambd": 0.3}), ("hardshrink", {"lambd": 0.3}),
    ("threshold", {"threshold": 0.1, "value": 2.0}), ("glu", {"dim": 1}), ("logsigmoid", {}), ("rrelu", {}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "kwargs"), ACTIVATIONS)
def test_activation(name, kwargs):
    # PyTorch rounds the constants of these to float32.
    rtol = 1e-6 if name in ("celu", "hardsigmoid", "hardswish") else 1e-9
    order = 1 if name in ("hardswish", "hardsigmoid", "rrelu") else 2
    both(name, real(3, 8) * 2, rtol=rtol, order=order, **kwargs)
    if name not in ("glu", "logsigmoid"):
        both(name, np.array([-3.0, -0.5, 0.0, 3.0, 6.0, 0.7]), rtol=rtol, order=1, **kwargs)


def test_prelu_and_inplace():
    for shape, count in (((3, 4, 5), 4), ((3, 4), 1), ((4,), 1)):
        both("prelu", real(*shape), real(count))
    x = wengert.tensor([-1.0, 2.0], requires_grad=True)
    y = x * 1
    F.leaky_relu(y, 0.5, inplace=True)
    y.sum().backward()
    assert y.tolist() == [-0.5, 2.0] and x.grad.tolist() == [0.5, 1.0]
    for name in ("relu", "elu", "selu", "celu", "silu", "mish", "hardswish", "hardsigmoid", "hardtanh", "relu6"):
        z = wengert.tensor([-1.0, 2.0])
        assert getattr(F, name)(z, inplace=True) is z
        assert z.tolist() == pytest.approx(getattr(TF, name)(torch.tensor([-1.0, 2.0])).tolist(), rel=1e-5)


# ---- normalisation -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("affine", [True, False])
def test_layer_norm(affine):
    extra = [real(4, 5), real(4, 5)] if affine else []
    x = real(3, 4, 5)
    check(
        lambda x, *p: F.layer_norm(x, (4, 5), *p), lambda x, *p: TF.layer_norm(x, (4, 5), *p), x, *extra, rtol=1e-7
    )

    def plain(x, w=1.0, b=0.0):
        d = x - x.mean((1, 2), keepdim=True)
        return d * ((d * d).mean((1, 2), keepdim=True) + 1e-5).rsqrt() * w + b

    # PyTorch's own third derivatives take the saved statistics for constants: its plain formula is the reference.
    check(lambda x, *p: F.layer_norm(x, (4, 5), *p), plain, x, *extra, order=3, rtol=1e-6)
    check(lambda x, w: F.layer_norm(x, [5], w), lambda x, w: TF.layer_norm(x, [5], w), real(3, 2, 5), real(5))
    with pytest.raises(RuntimeError, match="normalized_shape"):
        F.layer_norm(wengert.zeros(2, 3), (4,))


@pytest.mark.parametrize("affine", [True, False])
def test_rms_norm(affine):
    extra = [real(5)] if affine else []
    for eps in (None, 0.1):
        check(
            lambda x, *p, e=eps: F.rms_norm(x, (5,), *p, eps=e),
            lambda x, *p, e=eps: TF.rms_norm(x, (5,), *p, eps=e),
            real(3, 5),
            *extra,
            rtol=1e-7,
        )


@pytest.mark.parametrize("groups", [1, 2, 4])
@pytest.mark.parametrize("shape", [(3, 4), (2, 4, 3), (2, 4, 3, 2)])
def test_group_norm(groups, shape):
    for extra in ([], [real(4), real(4)]):
        check(
            lambda x, *p: F.group_norm(x, groups, *p),
            lambda x, *p: TF.group_norm(x, groups, *p),
            real(*shape),
            *extra,
            rtol=1e-6,
            atol=1e-6 if len(shape) == 2 and groups == 4 else 1e-9,
        )


@pytest.mark.parametrize("shape", [(6, 4), (3, 4, 2), (2, 4, 3, 2)])
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("affine", [True, False])
def test_batch_norm(shape, training, affine):
    mean, var = real(4), np.abs(real(4)) + 0.5
    kept = []

    def run(lib, functions):
        def function(x, *p):
            own = [lib.from_numpy(mean.copy()), lib.from_numpy(var.copy())]
            kept.append(own)
            return functions.batch_norm(x, *own, *p, training=training, momentum=0.3)

        return function

    extra = [real(4), real(4)] if affine else []
    check(run(wengert, F), run(torch, TF), real(*shape), *extra, rtol=1e-7)
    for a, b in zip(*kept, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-12)


def test_batch_norm_refuses():
    with pytest.raises(ValueError, match="more than 1 value"):
        F.batch_norm(wengert.zeros(1, 3), None, None, training=True)
    with pytest.raises(RuntimeError, match="running_mean"):
        F.batch_norm(wengert.zeros(2, 3), None, None)


@pytest.mark.parametrize("running", [True, False])
def test_instance_norm(running):
    mean, var = real(4), np.abs(real(4)) + 0.5

    def run(lib, functions):
        return lambda x, *p: functions.instance_norm(
            x, *([lib.from_numpy(mean.copy()), lib.from_numpy(var.copy())] if running else [None, None]), *p
        )

    check(run(wengert, F), run(torch, TF), real(2, 4, 5), real(4), real(4), rtol=1e-7)


def test_vectors():
    for p in (1.0, 2.0, 3.0, float("inf")):
        both("normalize", real(3, 4), p=p, dim=1, order=1)
        both("pairwise_distance", real(3, 4), real(3, 4), p=p, order=1)
    both("cosine_similarity", real(3, 4), real(3, 4), dim=1)
    both("bilinear", real(2, 3, 4), real(2, 3, 5), real(6, 4, 5), real(6))


# ---- convolution -------------------------------------------------------------------------------------------------

CONVS = [
    ("conv1d", (2, 4, 9), (6, 4, 3), {"stride": 2, "padding": 1}),
    ("conv1d", (4, 9), (6, 2, 3), {"groups": 2, "dilation": 2}),
    ("conv1d", (2, 4, 9), (6, 4, 4), {"padding": "same"}),
    ("conv2d", (2, 4, 6, 7), (6, 4, 3, 2), {}),
    ("conv2d", (2, 4, 6, 7), (4, 1, 3, 3), {"groups": 4, "padding": (1, 2), "stride": (2, 1)}),
    ("conv2d", (2, 4, 6, 7), (6, 4, 3, 2), {"padding": "same", "dilation": 2}),
    ("conv2d", (2, 4, 6, 7), (6, 4, 3, 2), {"padding": "valid"}),
    ("conv3d", (2, 2, 4, 5, 4), (4, 2, 2, 3, 2), {"stride": (1, 2, 1), "padding": 1}),
    ("conv_transpose1d", (2, 4, 5), (4, 3, 3), {"stride": 2, "padding": 1, "output_padding": 1}),
    ("conv_transpose1d", (4, 5), (4, 3, 3), {"dilation": 3, "output_padding": 2, "groups": 1}),
    ("conv_transpose2d", (2, 4, 3, 4), (4, 3, 3, 2), {"groups": 2, "stride": (2, 1)}),
    ("conv_transpose3d", (1, 2, 3, 2, 3), (2, 3, 2, 2, 2), {"stride": 2}),
]


@pytest.mark.filterwarnings("ignore:Using padding='same'")
@pytest.mark.parametrize(("name", "x", "w", "kwargs"), CONVS)
@pytest.mark.parametrize("bias", [True, False])
def test_convolution(name, x, w, kwargs, bias):
    count = w[1] * kwargs.get("groups", 1) if "transpose" in name else w[0]
    arrays = [real(*x), real(*w)] + ([real(count)] if bias else [])
    both(name, *arrays, order=3 if name == "conv1d" else 2, **kwargs)


def test_convolution_refuses():
    x, w = wengert.zeros(1, 3, 4, 4), wengert.zeros(2, 3, 5, 5)
    with pytest.raises(RuntimeError, match="at least as large"):
        F.conv2d(x, w)
    with pytest.raises(RuntimeError, match="channels"):
        F.conv2d(x, wengert.zeros(2, 2, 3, 3))
    with pytest.raises(RuntimeError, match="dtype"):
        F.conv2d(wengert.zeros(1, 3, 6, 6).double(), w)
    with pytest.raises(RuntimeError, match="stride 1"):
        F.conv2d(x, w, stride=2, padding="same")
    assert F.conv2d(wengert.zeros(0, 3, 6, 6), w).shape == (0, 2, 2, 2)
    half = F.conv2d(wengert.ones(1, 3, 5, 5).half(), wengert.ones(2, 3, 5, 5).half())
    assert half.dtype is wengert.float16 and half.flatten().tolist() == [75.0, 75.0]


POOLS = [
    ("max_pool1d", (2, 3, 9), {"kernel_size": 3, "stride": 2, "padding": 1}),
    ("max_pool2d", (2, 3, 7, 6), {"kernel_size": (2, 3), "ceil_mode": True}),
    ("max_pool2d", (3, 7, 6), {"kernel_size": 2, "stride": 1, "dilation": 2}),
    ("max_pool3d", (2, 2, 4, 5, 4), {"kernel_size": 2}),
    ("avg_pool1d", (2, 3, 9), {"kernel_size": 3, "stride": 2, "padding": 1}),
    ("avg_pool1d", (2, 3, 9), {"kernel_size": 4, "ceil_mode": True, "count_include_pad": False}),
    ("avg_pool2d", (2, 3, 7, 6), {"kernel_size": (2, 3), "ceil_mode": True, "padding": 1}),
    ("avg_pool2d", (2, 3, 7, 6), {"kernel_size": 3, "padding": 1, "count_include_pad": False}),
    ("avg_pool2d", (3, 7, 6), {"kernel_size": 3, "divisor_override": 5}),
    ("avg_pool3d", (2, 2, 4, 5, 4), {"kernel_size": 2, "stride": 1}),
    ("adaptive_avg_pool1d", (2, 3, 9), {"output_size": 4}),
    ("adaptive_avg_pool2d", (2, 3, 7, 6), {"output_size": (3, None)}),
    ("adaptive_avg_pool3d", (2, 2, 4, 5, 4), {"output_size": 2}),
    ("adaptive_max_pool1d", (2, 3, 9), {"output_size": 4}),
    ("adaptive_max_pool2d", (2, 3, 7, 6), {"output_size": (3, None)}),
    ("adaptive_max_pool3d", (2, 2, 4, 5, 4), {"output_size": 2}),
]


@pytest.mark.parametrize(("name", "shape", "kwargs"), POOLS)
def test_pool(name, shape, kwargs):
    x = real(*shape)
    both(name, x, **kwargs)
    if "max" in name:
        mine = getattr(F, name)(wengert.from_numpy(x), return_indices=True, **kwargs)[1]
        assert mine.tolist() == getattr(TF, name)(torch.from_numpy(x), return_indices=True, **kwargs)[1].tolist()


def test_unpool():
    x = real(2, 3, 6, 8)
    index = TF.max_pool2d(torch.from_numpy(x), 2, return_indices=True)[1].numpy()
    both("max_unpool2d", real(2, 3, 3, 4), index, kernel_size=2)
    both("max_unpool2d", real(2, 3, 3, 4), index, kernel_size=2, output_size=(6, 8))
    with pytest.raises(RuntimeError, match="half"):
        F.max_pool2d(wengert.zeros(1, 1, 4, 4), 2, padding=2)


# ---- attention and images ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["plain", "causal", "bool", "float", "gqa", "scale"])
def test_attention(mode):
    q, k, v = real(2, 4, 3, 5), real(2, 4, 6, 5), real(2, 4, 6, 2)
    kwargs = {}
    if mode == "causal":
        kwargs["is_causal"] = True
    elif mode == "bool":
        kwargs["attn_mask"] = rng.random((3, 6)) < 0.6
        kwargs["attn_mask"][:, 0] = True
    elif mode == "float":
        kwargs["attn_mask"] = real(2, 1, 3, 6)
    elif mode == "gqa":
        k, v, kwargs = real(2, 2, 6, 5), real(2, 2, 6, 2), {"enable_gqa": True}
    elif mode == "scale":
        kwargs["scale"] = 0.3
    both("scaled_dot_product_attention", q, k, v, **kwargs)


RESIZES = [
    ((2, 3, 5), {"scale_factor": 2}), ((2, 3, 5), {"size": 7}), ((2, 3, 5), {"size": 3, "mode": "nearest-exact"}),
    ((2, 3, 5), {"size": 8, "mode": "linear"}), ((2, 3, 5), {"size": 8, "mode": "linear", "align_corners": True}),
    ((2, 3, 4, 5), {"scale_factor": 2}), ((2, 3, 4, 5), {"scale_factor": (1.7, 0.6)}),
    ((2, 3, 4, 5), {"size": (7, 3), "mode": "bilinear"}),
    ((2, 3, 4, 5), {"scale_factor": 1.7, "mode": "bilinear", "align_corners": False}),
    ((2, 3, 4, 5), {"scale_factor": 1.7, "mode": "bilinear", "recompute_scale_factor": True}),
    ((2, 3, 4, 5), {"size": (7, 3), "mode": "bicubic"}),
    ((2, 3, 4, 5), {"size": (7, 3), "mode": "bicubic", "align_corners": True}),
    ((2, 3, 4, 5), {"size": (2, 3), "mode": "area"}),
    ((1, 2, 3, 4, 3), {"size": (4, 3, 5), "mode": "trilinear"}), ((1, 2, 3, 4, 3), {"scale_factor": 2}),
]  # fmt: skip


@pytest.mark.parametrize(("shape", "kwargs"), RESIZES)
def test_interpolate(shape, kwargs):
    both("interpolate", real(*shape), **kwargs)


@pytest.mark.parametrize("mode", ["bilinear", "nearest", "bicubic"])
@pytest.mark.parametrize("padding_mode", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("align_corners", [True, False])
def test_grid_sample(mode, padding_mode, align_corners):
    kwargs = {"mode": mode, "padding_mode": padding_mode, "align_corners": align_corners}
    both("grid_sample", real(2, 3, 4, 5), real(2, 3, 3, 2) * 0.8, order=1, **kwargs)
    if mode != "bicubic":
        both("grid_sample", real(2, 2, 3, 4, 3), real(2, 2, 3, 2, 3) * 0.8, order=1, **kwargs)


def test_grids_columns_and_shuffles():
    for align in (True, False):
        both("affine_grid", real(2, 2, 3), size=(2, 3, 4, 5), align_corners=align)
        both("affine_grid", real(2, 3, 4), size=(2, 3, 4, 5, 2), align_corners=align)
    both("unfold", real(2, 3, 5, 6), kernel_size=(2, 3), padding=1, stride=2, dilation=(1, 2))
    both("unfold", real(3, 5, 6), kernel_size=2)
    both("fold", real(2, 12, 20), output_size=(5, 6), kernel_size=2)
    both("fold", real(12, 12), output_size=(5, 6), kernel_size=2, padding=1, stride=2)
    both("pixel_shuffle", real(2, 8, 3, 2), upscale_factor=2)
    both("pixel_unshuffle", real(2, 2, 6, 4), downscale_factor=2)
    x = real(2, 6, 3)
    mine = F.channel_shuffle(wengert.from_numpy(x), 3).numpy()
    np.testing.assert_array_equal(mine, torch.channel_shuffle(torch.from_numpy(x), 3).numpy())


DEPTHWISE = [
    # (channels, sizes, kernel, stride, padding, dilation)
    (5, (9, 21), (3, 3), 1, 1, 1),
    (3, (7, 7), (7, 7), 1, 3, 1),
    (4, (12, 40), (3, 5), 2, 1, 1),
    (2, (11, 35), (5, 3), (1, 3), (2, 0), (2, 1)),
    (3, (6, 9), (2, 4), (3, 2), (0, 5), (1, 3)),
    (2, (5, 4), (1, 1), 1, 2, 1),
    (3, (4, 70), (4, 1), 1, (0, 3), 1),
    (2, (13, 13), (12, 12), 1, 2, 1),
]


@pytest.mark.parametrize("case", DEPTHWISE, ids=str)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_depthwise_convolution(case, dtype):
    channels, sizes, kernel, stride, padding, dilation = case
    kwargs = {"stride": stride, "padding": padding, "dilation": dilation, "groups": channels}
    rtol, atol = (1e-9, 1e-10) if dtype == np.float64 else (2e-4, 2e-3)
    for batch in (1, 3):
        x, w, b = real(batch, channels, *sizes, dtype=dtype), real(channels, 1, *kernel), real(channels)
        check(
            lambda *t: F.conv2d(*t, **kwargs),
            lambda *t: TF.conv2d(*t, **kwargs),
            x,
            w.astype(dtype),
            b.astype(dtype),
            order=2 if dtype == np.float64 else 1,
            rtol=rtol,
            atol=atol,
        )


def test_depthwise_line_and_transpose():
    x, w = real(2, 3, 50), real(3, 1, 5)
    check(lambda *t: F.conv1d(*t, padding=2, groups=3), lambda *t: TF.conv1d(*t, padding=2, groups=3), x, w)
    x, w, b = real(2, 3, 6, 7), real(3, 1, 3, 3), real(3)
    check(
        lambda *t: F.conv_transpose2d(*t, padding=1, groups=3),
        lambda *t: TF.conv_transpose2d(*t, padding=1, groups=3),
        x,
        w,
        b,
    )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("width", [255, 256, 300, 1031])
def test_convolutions_of_long_rows(width, dtype):
    """Rows of many vectors of positions, and what is left of one; one, some and more output channels than a tile's."""
    for channels, groups in ((16, 1), (13, 1), (34, 2)):
        x, w = real(2, 16, width, dtype=dtype), real(channels, 16 // groups, 5, dtype=dtype)
        check(
            lambda x, w, b: F.conv1d(x, w, b, padding=2, groups=groups),  # noqa: B023
            lambda x, w, b: TF.conv1d(x, w, b, padding=2, groups=groups),  # noqa: B023
            x, w, real(channels, dtype=dtype),
            order=1, rtol=1e-9 if dtype == "float64" else 1e-3, atol=1e-10 if dtype == "float64" else 1e-2,
        )  # fmt: skip
