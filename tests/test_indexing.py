"""Indexing, scatter and gather, masks and selection against PyTorch."""

import math

import numpy as np
import pytest
from against_torch import assert_same, check, numpy_of, pair, same_error, torch

import wengert as wg

RNG = np.random.default_rng(6)
X = RNG.normal(size=(4, 5, 3))
M = RNG.normal(size=(4, 5))
V = RNG.normal(size=(6,))
I1 = np.array([0, 2, -1])
I2 = np.array([[1, 0], [3, 1]])
I3 = np.array([2, 0, 1])
MASK = M > 0
ROWS = np.array([True, False, True, True])

KEYS = [
    (I1,),
    (I2,),
    ([0, 2],),
    (MASK,),
    (ROWS,),
    (I1, I3),
    (I1, slice(None), I3),
    (slice(None), I1),
    (slice(None), I1, I3),
    (slice(1, 3), I1),
    (Ellipsis, I3),
    (I1, Ellipsis, I3),
    (0, I1),
    (I1, 0),
    (0, slice(None), I3),
    (I1, 1, I3),
    (None, I1),
    (I1, None),
    (I1, None, I3),
    (I1, None, slice(None), I3),
    (slice(None, None, 2), None, I3),
    (ROWS, slice(1, 4)),
    (ROWS, I3[:1]),
    (MASK, 1),
    (MASK, slice(0, 2)),
    (Ellipsis, np.array([True, False, True])),
    (slice(None), np.array([True, False, True, True, False]), I3),
    (I2, I2),
    (I2, I1[:2]),
    (I2[:, :1], I1[:2]),
    (True,),
    (False,),
    (None, True, I1),
    (np.zeros((0,), dtype=np.int64),),
    ([],),
    (np.array(1), I1),
    ([True, False, True, False],),
    ((0, 1), [1, 2]),
    (I1.astype(np.int32),),
]


def keys_of(key, side):
    made = tuple(pair(k)[side] if isinstance(k, np.ndarray) else k for k in key)
    return made if len(made) > 1 or not isinstance(made[0], list) else made[0]


@pytest.mark.parametrize("key", KEYS, ids=[str(k) for k in range(len(KEYS))])
@pytest.mark.parametrize("strided", [False, True])
def test_get(key, strided):
    (a, b) = pair(X, requires_grad=True)
    x, y = (
        (a.transpose(0, 2).contiguous().transpose(0, 2), b.transpose(0, 2).contiguous().transpose(0, 2))
        if strided
        else (a, b)
    )
    ours, theirs = x[keys_of(key, 0)], y[keys_of(key, 1)]
    assert_same(ours, theirs)
    ga = wg.autograd.grad(ours.sin().sum(), a, create_graph=True)[0]
    gb = torch.autograd.grad(theirs.sin().sum(), b, create_graph=True)[0]
    assert_same(ga, gb)
    assert_same(wg.autograd.grad((ga * ga).sum(), a)[0], torch.autograd.grad((gb * gb).sum(), b)[0])


@pytest.mark.parametrize("key", KEYS, ids=[str(k) for k in range(len(KEYS))])
@pytest.mark.parametrize("value", ["number", "tensor", "scalar", "last"])
def test_set(key, value):
    shape = tuple(torch.zeros(X.shape)[keys_of(key, 1)].shape)
    rng = np.random.default_rng(1)
    v = {"number": 2.5, "tensor": rng.normal(size=shape), "scalar": np.array(3.0)}.get(value)
    if value == "last":
        v = rng.normal(size=shape[-1:]) if shape else np.array(1.0)
    results = []
    for side in (0, 1):
        x = pair(X, requires_grad=True)[side]
        leaf = pair(v, requires_grad=True)[side] if isinstance(v, np.ndarray) else v
        y = x * 1.0
        y[keys_of(key, side)] = leaf
        leaves = [x] + ([leaf] if isinstance(v, np.ndarray) else [])
        (y.sin() * y).sum().backward()
        results.append([y, *[t.grad for t in leaves]])
    assert_same(*results)


def test_set_of_views_and_augmented():
    results = []
    for side in (0, 1):
        x = pair(X, requires_grad=True)[side]
        index = pair(I1)[side]
        y = x * 2
        y[1:][pair(np.array([0, 2]))[side]] = 0.0
        y[index] += 1.5
        y.transpose(0, 1)[index] *= x[:, :3].transpose(0, 1)
        y[pair(MASK)[side]] = 4.0
        version = y._version > 0
        (y * y).sum().backward()
        results.append([y, x.grad])
        assert version
    assert_same(*results)


def test_set_errors():
    for side in (0, 1):
        x = pair(X)[side]
        with pytest.raises(IndexError):
            x[pair(np.array([9]))[side]]
        with pytest.raises(IndexError):
            x[pair(MASK[:2])[side]]
        with pytest.raises(IndexError):
            x[0, 0, 0, pair(I1)[side]]
        with pytest.raises(IndexError):
            x[pair(np.array([0.5]))[side]]
        with pytest.raises(RuntimeError):
            x[pair(I1)[side]] = pair(np.zeros((7,)))[side]
        with pytest.raises(IndexError):
            x[pair(I1)[side], pair(np.array([0, 1]))[side]]


def test_set_leaf_is_refused():
    x = wg.ones(3, requires_grad=True)
    with pytest.raises(RuntimeError):
        x[[0, 1]] = 2.0


@pytest.mark.parametrize("accumulate", [False, True])
def test_index_put(accumulate):
    index = (np.array([0, 0, 1]), np.array([1, 1, 2])) if accumulate else (np.array([0, 3, 1]), np.array([1, 1, 2]))
    check("index_put", M, index, RNG.normal(size=3), accumulate)
    check(".index_put", M, index, np.array(2.0), accumulate=accumulate)


def test_along_a_dimension():
    at = np.array([2, 0, 2])
    check("index_select", X, 1, at)
    check(".index_select", X, -1, np.array([1, 1]))
    check("index_select", X, 0, np.array(1))
    check("index_add", X, 1, at, RNG.normal(size=(4, 3, 3)))
    check("index_add", X, 2, at, RNG.normal(size=(4, 5, 3)), alpha=2)
    check("index_copy", X, 0, np.array([3, 1]), RNG.normal(size=(2, 5, 3)))
    check("index_fill", X, 1, np.array([4, 1]), 2.5)
    check("index_fill", X, 1, np.array([4, 1]), np.array(2.5))
    check(".index_add_", X.copy(), 1, at, RNG.normal(size=(4, 3, 3)), grad=False)
    check(".index_fill_", X.copy(), 1, at, -1, grad=False)
    check(".index_copy_", X.copy(), 1, np.array([4]), RNG.normal(size=(4, 1, 3)), grad=False)
    same_error("index_select", X, 0, np.array([9]))
    same_error("index_select", X, 5, at)
    same_error("index_copy", X, 0, at, RNG.normal(size=(2, 5, 3)))


@pytest.mark.parametrize("dim", [0, 1, -1])
def test_gather_scatter(dim):
    rng = np.random.default_rng(8)
    n = X.shape[dim]
    full = rng.integers(0, n, size=(3, 4, 2))
    src = rng.normal(size=(3, 4, 2))
    check("gather", X, dim, full)
    check("scatter_add", X, dim, full, src)
    check("scatter_add", X, dim, full, rng.normal(size=(4, 5, 3)), grad=False)
    unique = np.argsort(rng.normal(size=X.shape), axis=dim)
    unique = unique.take(range(2), axis=dim)
    check("scatter", X, dim, unique, rng.normal(size=unique.shape))
    check("scatter", X, dim, full, 1.5)
    check("scatter", X, dim, full, value=2.0, reduce="add", grad=False)
    check("scatter", X, dim, full, 2.0, reduce="multiply", grad=False)
    check(".scatter_", X.copy(), dim, full, 3, grad=False)
    check(".scatter_add_", X.copy(), dim, full, src, grad=False)


@pytest.mark.filterwarnings("ignore:index_reduce")
@pytest.mark.parametrize("reduce", ["sum", "prod", "mean", "amax", "amin"])
@pytest.mark.parametrize("include_self", [True, False])
def test_scatter_reduce(reduce, include_self):
    rng = np.random.default_rng(9)
    index = rng.integers(0, 4, size=(6, 5))
    src = rng.normal(size=(6, 5))
    check("scatter_reduce", M, 0, index, src, reduce, include_self=include_self, rtol=1e-5)
    check(".scatter_reduce_", M.copy(), 0, index, src, reduce, include_self=include_self, grad=False)
    ints = rng.integers(-5, 5, size=(4, 5))
    check("scatter_reduce", ints, 0, index, rng.integers(-5, 5, size=(6, 5)), reduce, include_self=include_self)
    if reduce != "sum":
        rows = np.array([0, 2, 0])
        check("index_reduce", M, 0, rows, src[:3].copy(), reduce, include_self=include_self, grad=False)


def test_scatter_prod_with_zeros():
    from against_torch import assert_same

    x, index = np.array([0.0, 2.0, 3.0]), np.array([0, 1, 1, 2, 2])
    src = np.array([2.0, 0.0, 3.0, 0.0, 0.0])
    results = []
    for side in (0, 1):
        a, b = pair(x, True)[side], pair(src, True)[side]
        a.scatter_reduce(0, pair(index)[side], b, "prod").sum().backward()
        results.append([a.grad, b.grad])
    assert_same(*results)


def test_gather_errors():
    same_error("gather", M, 0, np.array([[9, 0]]))
    same_error("gather", M, 0, np.array([[-1, 0]]))
    same_error("gather", M, 0, np.array([0, 1]))
    same_error("gather", M, 0, np.array([[0.0]]))
    same_error("scatter", M, 0, np.array([[7]]), 1.0)
    same_error("scatter_add", M, 0, np.array([[0, 1], [0, 0]]), np.zeros((1, 2)))
    same_error("gather", M, 3, np.array([[0]]))


def test_take():
    check("take", X, I2)
    check("take_along_dim", M, np.argsort(M, axis=1), dim=1)
    check("take_along_dim", M, np.array([[1], [0], [2], [4]]), 1)
    check("take_along_dim", M, np.array([3, 1]))
    check("put", M, np.array([3, 9]), np.array([1.0, 2.0]))
    check(".put_", M.copy(), np.array([3, 3]), np.array([1.0, 2.0]), True, grad=False)


def test_masks():
    check("masked_select", M, MASK)
    check("masked_select", M, MASK[0])
    check("masked_fill", M, MASK, 2.0)
    check("masked_fill", M, MASK[0], -math.inf, grad=False)
    check("masked_fill", M, MASK, np.array(1.5))
    check("masked_scatter", M, MASK, RNG.normal(size=(20,)))
    check(".masked_fill_", M.copy(), MASK, 0, grad=False)
    check(".masked_scatter_", M.copy(), MASK, RNG.normal(size=(20,)), grad=False)
    check("masked_fill", np.array([1, 2]), np.array([True, False]), 7)
    same_error("masked_fill", M, M, 1.0)
    same_error("masked_scatter", M, MASK, np.zeros((1,)))
    same_error("masked_select", M, np.array([1, 0]))


def test_nonzero_and_where():
    check("nonzero", MASK)
    check("nonzero", np.array([[3, 0], [0, 2]]), as_tuple=True)
    check("nonzero", np.array(5.0), grad=False)
    check("argwhere", M, grad=False)
    check("where", MASK)
    check("where", MASK, M, M * 2)
    check("where", MASK, M, 0.0)
    check("where", MASK, 1.0, M)
    check("where", MASK, 1, 2)
    check("where", MASK, 1.0, 2)
    check("where", MASK[0], M, np.array(2.0))
    check(".where", M, MASK, M * 3)


def test_one_hot():
    one_hot = wg.nn.functional.one_hot
    a, b = pair(I2)
    assert_same(one_hot(a), torch.nn.functional.one_hot(b))
    assert_same(one_hot(a, 6), torch.nn.functional.one_hot(b, 6))
    with pytest.raises(RuntimeError):
        one_hot(a, 2)


def test_other_dtypes():
    for kind in (np.int32, np.uint8, np.bool_, np.float32, np.float16):
        x = (np.arange(12).reshape(3, 4) % 5).astype(kind)
        check("index_select", x, 1, np.array([3, 0]), grad=False)
        check("gather", x, 1, np.array([[0], [3], [1]]), grad=False)
        a, b = pair(x.copy())
        a[pair(np.array([0, 2]))[0]] = 1
        b[pair(np.array([0, 2]))[1]] = 1
        np.testing.assert_array_equal(numpy_of(a), numpy_of(b))


def test_index_of_halves_adds_in_float32():
    x = wg.ones(4).to(wg.float16).requires_grad_(True)
    y = x[wg.tensor([1, 1, 2])]
    y.sum().backward()
    assert x.grad.tolist() == [0.0, 2.0, 1.0, 0.0]


@pytest.mark.parametrize("shape", [(3, 3), (2, 5), (7, 2), (9, 3), (3, 3, 3), (0, 0)])
@pytest.mark.parametrize("wrap", [False, True])
def test_fill_diagonal(shape, wrap):
    results = []
    for library in (wg, torch):
        x = library.arange(float(np.prod(shape))).reshape(shape).requires_grad_()
        y = x * 2
        assert y.fill_diagonal_(-1.0, wrap) is y
        y.pow(2).sum().backward()
        results.append((y.detach().numpy(), x.grad.numpy()))
    np.testing.assert_array_equal(results[0][0], results[1][0])
    np.testing.assert_array_equal(results[0][1], results[1][1])


def test_fill_diagonal_refuses():
    with pytest.raises(RuntimeError, match="matrix"):
        wg.zeros(3).fill_diagonal_(1.0)
    with pytest.raises(RuntimeError, match="one size"):
        wg.zeros(3, 3, 2).fill_diagonal_(1.0)


@pytest.mark.parametrize("invert", [False, True])
def test_isin(invert):
    for a, b in (([[1, 2], [3, 4]], [3, 1, 9]), ([1.5, 2.0], [2.0]), ([1, 2], []), ([], [1])):
        found = [lib.isin(lib.tensor(a), lib.tensor(b), invert=invert).numpy() for lib in (wg, torch)]
        np.testing.assert_array_equal(*found)
    for lib in (wg, torch):
        assert lib.isin(lib.tensor([1, 2]), 2).tolist() == [False, True]
        assert lib.isin(2, lib.tensor([1, 2])).item() is True
    with pytest.raises(TypeError, match="isin: expected a Tensor, got int"):
        wg.isin(1, 2)


@pytest.mark.parametrize("tail", [(), (1,), (3,)])
@pytest.mark.parametrize("dtype", ["float32", "float64", "uint8"])
def test_an_index_with_a_long_stretch(dtype, tail):
    """Rows that follow one another are copied in one piece: at either end, wrapped, in the middle of others."""
    x = (RNG.normal(size=(6, 80, *tail)) * 50).astype(dtype)
    for index in (
        np.arange(80),
        np.concatenate([[5, 4, 3], np.arange(2, 78), [70, -1]]),
        np.concatenate([np.arange(60), np.arange(30), [0]]),
        np.concatenate([[7], np.arange(-50, 0), [0, 1]]),
        np.full(70, 9),
        np.concatenate([np.arange(64, 80), np.arange(0, 80), np.arange(0, 16)]),
    ):
        t = wg.from_numpy(x)
        np.testing.assert_array_equal(t[:, wg.from_numpy(index)].numpy(), x[:, index])
    with pytest.raises(IndexError, match="out of range"):
        wg.from_numpy(x)[:, wg.from_numpy(np.arange(1, 81))]


LISTS = [
    lambda L: [[0, 1], [0, 1]], lambda L: [[0, 1]], lambda L: [[[0, 1]]], lambda L: [None, 0], lambda L: [(0, 1), 0],
    lambda L: [L.tensor([0, 1])], lambda L: [L.tensor(1), L.tensor(0)], lambda L: [L.tensor(0), L.tensor([1, 2])],
    lambda L: [slice(0, 1), slice(0, 2)], lambda L: [range(2), 0], lambda L: [..., 0], lambda L: [[True, False]],
    lambda L: [0, 1], lambda L: [True, False], lambda L: ([[0], [1]],), lambda L: ([[0], [1]], 0), lambda L: [[0]] * 32,
]  # fmt: skip


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("make", LISTS)
def test_lists_of_keys_are_read_as_by_torch(make):
    found = []
    for library in (wg, torch):
        x = library.arange(24.0).reshape(2, 3, 4)
        y = x.clone()
        y[make(library)] = 5.0
        found.append((x[make(library)].tolist(), y.tolist()))
    assert found[0] == found[1]
