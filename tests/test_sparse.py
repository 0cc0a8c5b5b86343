"""Sparse tensors in coordinate form against PyTorch."""

import warnings

import numpy as np
import pytest
from against_torch import assert_same

import wengert as wg

torch = pytest.importorskip("torch")

RNG = np.random.default_rng(4)
INDEX = [[2, 0, 2, 1], [1, 3, 1, 0]]  # one element twice
VALUES = RNG.normal(size=4)
DENSE = RNG.normal(size=(4, 5))


def both(make):
    """The same construction in both packages."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch announces that sparse tensors are in beta
        return make(wg), make(torch)


def coo(m, **more):
    return m.sparse_coo_tensor(m.tensor(INDEX), m.tensor(VALUES), (3, 4), **more)


def test_values_and_indices():
    ours, theirs = both(coo)
    assert ours.is_sparse and ours._nnz() == theirs._nnz() == 4 and not ours.is_coalesced()
    assert (ours.shape, ours.sparse_dim(), ours.dense_dim(), ours.ndim) == (theirs.shape, 2, 0, 2)
    assert_same(ours.to_dense(), theirs.to_dense())
    ours, theirs = ours.coalesce(), theirs.coalesce()
    assert ours.is_coalesced() and ours._nnz() == 3
    assert_same([ours.indices(), ours.values()], [theirs.indices(), theirs.values()])
    assert_same(ours.t().to_dense(), theirs.t().to_dense())
    with pytest.raises(RuntimeError, match="coalesce"):
        coo(wg).indices()


def test_dense_dimensions_and_inferred_sizes():
    values = RNG.normal(size=(2, 3))
    ours, theirs = both(lambda m: m.sparse_coo_tensor([[0, 4]], m.tensor(values)))
    assert ours.shape == theirs.shape and ours.dense_dim() == 1
    assert_same(ours.to_dense(), theirs.to_dense())
    ours, theirs = both(lambda m: m.sparse_coo_tensor(m.zeros((2, 0), dtype=m.int64), m.zeros(0), (2, 3)))
    assert_same(ours.coalesce().to_dense(), theirs.to_dense())


@pytest.mark.parametrize("sparse_dim", [None, 1, 2])
def test_from_dense(sparse_dim):
    array = RNG.normal(size=(3, 4)) * (RNG.random((3, 4)) < 0.4)
    array[1] = 0
    more = () if sparse_dim is None else (sparse_dim,)
    ours, theirs = both(lambda m: m.tensor(array).to_sparse(*more))
    assert_same([ours.indices(), ours.values()], [theirs.indices(), theirs.values()])
    assert_same(ours.to_dense(), theirs.to_dense())


@pytest.mark.parametrize(
    "product",
    [
        lambda m, a, b: m.sparse.mm(a, b),
        lambda m, a, b: m.mm(a, b),
        lambda m, a, b: a @ b,
        lambda m, a, b: m.matmul(a, b),
        lambda m, a, b: a.mm(b),
        lambda m, a, b: (b.T @ a.t()).T,
    ],
)
def test_products_and_gradients(product):
    found = []
    for m in (wg, torch):
        values = m.tensor(VALUES, requires_grad=True)
        dense = m.tensor(DENSE, requires_grad=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            y = product(m, m.sparse_coo_tensor(m.tensor(INDEX), values, (3, 4)), dense)
        (y * y).sum().backward()
        found.append([y.detach(), values.grad, dense.grad])
    assert_same(*found)


def test_gradients_of_a_sparse_leaf_and_second_order():
    found = []
    for m in (wg, torch):
        a = coo(m).coalesce().requires_grad_()
        m.sparse.mm(a, m.tensor(DENSE)).sum().backward()
        found.append(a.grad.to_dense())
    assert_same(*found)
    dense = wg.tensor(DENSE).requires_grad_()
    values = wg.tensor(VALUES).requires_grad_()

    def product(v, d):
        return wg.sparse_coo_tensor(INDEX, v, (3, 4)) @ d

    assert wg.testing.gradcheck(product, (values, dense)) and wg.testing.gradgradcheck(product, (values, dense))
    x = wg.tensor(DENSE * (DENSE > 0)).requires_grad_()
    (x.to_sparse().to_dense() * 3).sum().backward()
    assert x.grad.tolist() == ((DENSE > 0) * 3.0).tolist()


def test_vectors_and_complex_values():
    a = coo(wg)
    assert_same(a @ wg.tensor(DENSE[:, 0].copy()), torch.tensor(a.to_dense().numpy()) @ torch.tensor(DENSE[:, 0]))
    z = wg.sparse_coo_tensor(INDEX, wg.tensor(VALUES) * 1j, (3, 4))
    d = wg.tensor(DENSE) * (1 + 0j)
    np.testing.assert_allclose((z @ d).numpy(), z.to_dense().numpy() @ d.numpy())


def test_arithmetic():
    ours, theirs = both(coo)
    assert_same((ours * 2).to_dense(), (theirs * 2).to_dense())
    assert_same((-ours / 3).to_dense(), (-theirs / 3).to_dense())
    assert_same((ours + ours.coalesce()).to_dense(), (theirs + theirs.coalesce()).to_dense())
    assert_same(ours.float().to_dense(), theirs.float().to_dense())


def test_printing():
    ours, theirs = both(lambda m: coo(m).float())
    assert repr(ours).replace("wengert.", "torch.") == repr(theirs)
    ours, theirs = both(lambda m: coo(m, requires_grad=True).coalesce().detach())
    assert repr(ours).replace("wengert.", "torch.") == repr(theirs)


@pytest.mark.parametrize(
    "use",
    [
        lambda a: a.exp(),
        lambda a: wg.exp(a),
        lambda a: wg.ones(3, 4) * a,
        lambda a: a[0],
        lambda a: a.numpy(),
        lambda a: a @ a,
        lambda a: a * a,
        lambda a: wg.cat([a, a]),
        lambda a: wg.nn.functional.linear(wg.ones(2, 4), a),
    ],
)
def test_everything_else_says_so(use):
    with pytest.raises((NotImplementedError, TypeError)) as info:
        use(coo(wg))
    assert "sparse" in str(info.value) or "Sparse" in str(info.value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([[0, 5]], [1.0, 2.0], (3,)), "below size 3"),
        (([[0, -1]], [1.0, 2.0], (3,)), "at least 0"),
        (([[0, 1]], [1.0], (3,)), "2 values"),
        (([[0, 1]], [1.0, 2.0], (3, 3)), "1 indexed"),
        (([0, 1], [1.0, 2.0]), "sparse_dim, nnz"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(RuntimeError, match=message):
        wg.sparse_coo_tensor(*arguments)
    with pytest.raises((RuntimeError, ValueError)):
        torch.sparse_coo_tensor(*arguments, check_invariants=True)


def test_bad_products():
    with pytest.raises(RuntimeError, match="expected matrices"):
        coo(wg) @ wg.ones(3, 2, dtype=wg.float64)
    with pytest.raises(RuntimeError, match="one dtype"):
        coo(wg) @ wg.ones(4, 2)
