"""Calls with dtypes and arguments that programs seldom use, against PyTorch."""

import numpy as np
import pytest
from against_torch import check

import wengert

torch = pytest.importorskip("torch")
RNG = np.random.default_rng(23)
X = RNG.normal(size=(3, 4))
Z = X + 1j * RNG.normal(size=(3, 4))


def whole(*shape, low=-9, high=9, kind=np.int64):
    return RNG.integers(low, high, shape).astype(kind)


@pytest.mark.parametrize(
    ("name", "args", "kwargs"),
    [
        ("logsumexp", (Z, 1), {}),
        ("logsumexp", (Z, (0, 1)), {"keepdim": True}),
        ("diff", (X, 0), {}),
        ("cov", (X[:1],), {}),
        ("corrcoef", (X[:1],), {"grad": False}),
        ("cov", (Z,), {}),
        ("gather", (X, 1, np.array([[0, 3], [1, 1], [2, 0]], np.int32)), {}),
        ("scatter", (X, 1, np.array([[0, 3], [1, 2], [2, 0]], np.int32), X[:, :2]), {}),
        ("scatter_add", (X, 1, np.array([[0, 3], [1, 1], [2, 0]], np.int32), X[:, :2]), {}),
        ("nn.functional.relu6", (whole(3, 4),), {"grad": False}),
        ("nn.functional.hardtanh", (whole(3, 4),), {"grad": False}),
        ("cov", (Z,), {"correction": 0}),
        ("corrcoef", (Z,), {"grad": False}),
        ("take_along_dim", (X, np.array([[0, -1], [1, 1], [-4, 2]]), 1), {}),
        ("index_fill", (X, 1, np.array([0, 2, 0]), np.array(1.5)), {}),
    ],
)
def test_against_torch(name, args, kwargs):
    check(name, *args, **kwargs)


@pytest.mark.parametrize("kind", [np.int64, np.int32, np.int16, np.int8, np.uint8])
def test_convolutions_of_whole_numbers(kind):
    low = 0 if kind is np.uint8 else -9
    x, w, b = (
        whole(2, 4, 7, 6, low=low, kind=kind),
        whole(6, 2, 3, 2, low=low, kind=kind),
        whole(6, low=low, kind=kind),
    )
    check("nn.functional.conv2d", x, w, b, stride=2, padding=1, groups=2, grad=False)
    check("nn.functional.conv1d", x[0], whole(5, 7, 2, low=low, kind=kind), grad=False)
    if kind is np.int64:  # PyTorch has none for integers
        back = wengert.nn.functional.conv_transpose2d(wengert.tensor(x), wengert.tensor(w[:4]), stride=2)
        exact = wengert.nn.functional.conv_transpose2d(
            wengert.tensor(x) * 1.0, wengert.tensor(w[:4]) * 1.0, stride=2
        )
        assert back.dtype == wengert.int64 and (back == exact).all()
    check("nn.functional.max_pool2d", x, 2, padding=1, grad=False)


def test_convolutions_of_whole_numbers_are_exact_or_refused():
    x = wengert.full((1, 1, 4), 2**30)
    assert wengert.nn.functional.conv1d(x, wengert.full((1, 1, 2), 2**20 + 1)).tolist() == [[[2**51 + 2**31] * 3]]
    with pytest.raises(NotImplementedError, match=r"2\*\*53"):
        wengert.nn.functional.conv1d(x, x[..., :2])
    with pytest.raises(
        NotImplementedError, match=r"2\*\*53"
    ):  # a transposed sum runs over the weight's first dimension
        wengert.nn.functional.conv_transpose1d(wengert.full((1, 8, 1), 2**30), wengert.full((8, 1, 1), 2**20 + 1))
    with pytest.raises(RuntimeError, match="one dtype"):
        wengert.nn.functional.conv1d(x, wengert.ones(1, 1, 2))


def complex_normal(*shape):
    return RNG.normal(size=shape) + 1j * RNG.normal(size=shape)


@pytest.mark.filterwarnings("ignore:Using padding")
@pytest.mark.parametrize("dims", [1, 2, 3])
@pytest.mark.parametrize("batch", [(2,), ()])
@pytest.mark.parametrize("bias", [True, False])
def test_convolutions_of_complex_numbers(dims, batch, bias):
    """With gradients of two orders for input, weight and bias."""
    size = (5, 4, 3)[:dims]
    x = complex_normal(*batch, 4, *size)
    b = complex_normal(6) if bias else None
    check(f"nn.functional.conv{dims}d", x, complex_normal(6, 2, *[2] * dims), b, stride=2, padding=1, groups=2)
    check(f"nn.functional.conv_transpose{dims}d", x, complex_normal(4, 3, *[2] * dims), b, stride=2, groups=2)
    check(f"nn.functional.conv{dims}d", x, complex_normal(6, 4, *[2] * dims), b, padding="same")


def test_complex_layers():
    layer = wengert.nn.Conv2d(2, 3, 3, dtype=wengert.complex64)
    assert layer(wengert.ones(1, 2, 5, 5, dtype=wengert.complex64)).dtype == wengert.complex64
    with pytest.raises(RuntimeError, match="one dtype"):
        layer(wengert.ones(1, 2, 5, 5))


@pytest.mark.parametrize(
    ("shape", "weight", "bias"),
    [
        ((4,), (4,), None), ((3, 4), (4,), None), ((2, 3, 4), (4,), None), ((4,), (4,), ()), ((4,), (2, 4), ()),
        ((4,), (2, 4), (1,)), ((3, 4), (2, 4), ()), ((3, 4), (2, 4), (1,)), ((3, 4), (2, 4), (3, 2)),
        ((3, 4), (2, 4), (1, 2)), ((2, 3, 4), (2, 4), (1,)), ((2, 3, 4), (2, 4), (3, 2)), ((2, 3, 4), (2, 4), (2, 3, 2)),
        ((0, 4), (2, 4), (1,)), ((3, 4), (0, 4), None),
    ],
)  # fmt: skip
def test_linear_of_all_ranks(shape, weight, bias):
    operands = [None if s is None else np.asarray(RNG.normal(size=s)) for s in (shape, weight, bias)]
    check("nn.functional.linear", *operands)


@pytest.mark.parametrize(
    ("shape", "weight", "bias"),
    [
        ((3, 4), (4,), ()), ((4,), (4,), (1,)), ((), (2, 4), None), ((3, 4), (1, 2, 4), None), ((4,), (), None),
        ((3, 4), (3,), None), ((4,), (2, 4), (3, 2)), ((3, 4), (2, 4), (3,)),
    ],
)  # fmt: skip
def test_linear_refuses_as_torch(shape, weight, bias):
    for package in (wengert, torch):
        operands = [None if s is None else package.ones(s) for s in (shape, weight, bias)]
        with pytest.raises(RuntimeError):
            package.nn.functional.linear(*operands)


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
@pytest.mark.parametrize("antialias", [False, True])
def test_pictures_of_bytes(mode, antialias):
    """PyTorch computes with weights of 16 bits, so that the last bit may differ."""
    picture = whole(1, 3, 6, 6, low=0, high=255, kind=np.uint8)
    check("nn.functional.interpolate", picture, size=(9, 4), mode=mode, antialias=antialias, grad=False, atol=1)


def test_other_whole_numbers_are_not_interpolated():
    with pytest.raises(NotImplementedError, match="uint8"):
        wengert.nn.functional.interpolate(wengert.ones(1, 1, 4, dtype=wengert.int64), 8, mode="linear")
