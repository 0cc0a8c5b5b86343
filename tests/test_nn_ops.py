"""The functions behind nn against PyTorch's: values, gradients, second gradients, dtypes and errors."""

import numpy as np
import pytest

import wengert
from wengert import _functional as F

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


def both(name, *arrays, order=2, **kwargs):
    own = dict(kwargs)
    check(
        lambda *t: getattr(F, name)(*t, **{k: as_tensor(wengert, v) for k, v in own.items()}),
        lambda *t: getattr(TF, name)(*t, **{k: as_tensor(torch, v) for k, v in own.items()}),
        *arrays,
        order=order,
    )


# ---- softmax and losses ---------------------------------------------------------------------------------------------


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


# ---- embeddings -----------------------------------------------------------------------------------------------------


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
def test_embedding_bag(mode, padding_idx):
    index, offsets = np.array([0, 2, 4, 2, 1, 3]), np.array([0, 2, 2, 5])
    for args in ((index.reshape(2, 3), None), (index, offsets)):
        check(
            lambda w, args=args: F.embedding_bag(
                *(a if a is None else wengert.from_numpy(a) for a in (args[0],)),
                w,
                None if args[1] is None else wengert.from_numpy(args[1]),
                mode=mode,
                padding_idx=padding_idx,
            ),
            lambda w, args=args: TF.embedding_bag(
                torch.from_numpy(args[0]),
                w,
                None if args[1] is None else torch.from_numpy(args[1]),
                mode=mode,
                padding_idx=padding_idx,
            ),
            real(5, 3),
            order=1,
        )


def test_one_hot():
    index = np.array([[0, 3], [1, 1]])
    for classes in (-1, 6):
        mine = F.one_hot(wengert.from_numpy(index), classes)
        assert mine.tolist() == TF.one_hot(torch.from_numpy(index), classes).tolist()
    with pytest.raises(RuntimeError, match="below 3"):
        F.one_hot(wengert.from_numpy(index), 3)
