"""Names that programs use now and then: tensor equations, low rank, histograms, grids, synonyms; against PyTorch."""

import numpy as np
import pytest
from against_torch import assert_same, check, pair, same_error, torch

import wengert as wg

RNG = np.random.default_rng(17)
S = RNG.normal(size=(2, 3, 3))
P = S @ S.transpose(0, 2, 1) + np.eye(3)
L = np.linalg.cholesky(P)
B = RNG.normal(size=(2, 3, 4))
X = RNG.normal(size=(5, 4))
SINGULAR = np.array([[[1.0, 2.0], [2.0, 4.0]], [[2.0, 0.0], [0.0, 1.0]]])


def named(value):
    """Arrays have no names in test ids."""
    return value if isinstance(value, str) else None


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("name", "args", "kwargs"),
    [
        ("linalg.cholesky_ex", (P,), {}),
        ("linalg.cholesky_ex", (P,), {"upper": True}),
        ("linalg.inv_ex", (S,), {}),
        ("linalg.solve_ex", (S, B), {}),
        ("linalg.lu_factor_ex", (S,), {}),
        ("linalg.tensorinv", (RNG.normal(size=(4, 6, 8, 3)),), {}),
        ("linalg.tensorinv", (RNG.normal(size=(6, 2, 3)),), {"ind": 1}),
        ("linalg.tensorsolve", (RNG.normal(size=(2, 3, 6)), RNG.normal(size=(2, 3))), {}),
        ("linalg.tensorsolve", (RNG.normal(size=(6, 2, 3)), RNG.normal(size=(2, 3))), {"dims": (0,)}),
        ("linalg.vander", (X,), {}),
        ("linalg.vander", (X[0],), {"N": 6}),
        ("linalg.vander", (np.arange(4),), {"grad": False}),
        ("vander", (X[0],), {"grad": False}),  # torch's gradient fails
        ("vander", (X[0], 3), {"increasing": True, "grad": False}),
        ("linalg.householder_product", (RNG.normal(size=(2, 4, 3)), RNG.normal(size=(2, 3))), {}),
        ("orgqr", (RNG.normal(size=(4, 3)), RNG.normal(size=2)), {}),
        ("triangular_solve", (B, np.triu(S)), {}),
        ("triangular_solve", (B, np.tril(S)), {"upper": False, "transpose": True}),
        ("gradient", (X,), {"spacing": 0.5}),
        ("gradient", (X,), {"spacing": [np.array([0.0, 1.0, 3.0, 4.0, 7.0]), np.array([0.0, 0.1, 1.0, 2.0])]}),
        ("gradient", (X,), {"dim": 0, "edge_order": 2, "spacing": [np.array([0.0, 1.0, 3.0, 4.0, 7.0])]}),
        ("gradient", (X,), {"dim": 1, "edge_order": 2}),
        (".sum_to_size", (X, 1, 4), {}),
        (".sum_to_size", (B, (3, 1)), {}),
        ("positive", (X,), {}),
        ("unsafe_chunk", (X, 2), {}),
        ("unsafe_split", (X, 2), {}),
        (".narrow_copy", (X, 0, 1, 2), {}),
        ("constant_pad_nd", (X, (1, 2), 3.0), {}),
        ("as_strided_scatter", (X, RNG.normal(size=(2, 2)), (2, 2), (4, 1), 3), {"grad": False}),
        ("unravel_index", (np.array([[3, 17], [0, -1]]), (2, 3, 3)), {"grad": False}),
        ("nonzero_static", (np.array([[1, 0], [0, 2]]),), {"size": 3, "grad": False}),
        ("nonzero_static", (np.array([[1, 0], [0, 2]]),), {"size": 1, "grad": False}),
    ],
    ids=named,
)
def test_against_torch(name, args, kwargs):
    if name.startswith("linalg.solve_ex") or name == "linalg.householder_product":
        kwargs = kwargs | {"rtol": 1e-5}
    check(name, *args, **kwargs)


def test_cholesky_factors_solve():
    """The gradient of a factor is that of its triangle; PyTorch fills the other one too."""
    for upper in (False, True):
        factor = L.transpose(0, 2, 1).copy() if upper else L
        for name, first in (("cholesky_solve", (B,)), ("cholesky_inverse", ())):
            ours, theirs = pair(factor, True)
            left, right = (getattr(lib, name)(*[lib.from_numpy(v) for v in first], f, upper=upper)
                           for lib, f in ((wg, ours), (torch, theirs)))  # fmt: skip
            assert_same(left, right)
            (left * left).sum().backward()
            (right * right).sum().backward()
            keep = np.triu if upper else np.tril
            assert_same(ours.grad, torch.from_numpy(keep(theirs.grad.numpy()).copy()), rtol=1e-4)


def test_matrices_that_fail_are_reported():
    for name in ("linalg.inv_ex", "linalg.cholesky_ex"):
        function = {"linalg.inv_ex": wg.linalg.inv_ex, "linalg.cholesky_ex": wg.linalg.cholesky_ex}[name]
        info = function(wg.from_numpy(SINGULAR)).info
        assert (info != 0).tolist() == [True, False]
        with pytest.raises(RuntimeError):
            function(wg.from_numpy(SINGULAR), check_errors=True)
    assert wg.linalg.lu_factor_ex(wg.from_numpy(SINGULAR)).info.tolist() == [2, 0]
    solved = wg.linalg.solve_ex(wg.from_numpy(SINGULAR[0]), wg.ones(2, 1, dtype=wg.float64))
    assert solved.info.item() == 1 and bool(solved.result.isnan().all())


@pytest.mark.parametrize("shape", [(8, 5), (5, 8), (2, 6, 4)])
def test_low_rank(shape):
    low = RNG.normal(size=(*shape[:-1], 2)) @ RNG.normal(size=(*shape[:-2], 2, shape[-1]))
    a = wg.from_numpy(low)
    u, s, v = wg.svd_lowrank(a, 3)
    np.testing.assert_allclose((u * s.unsqueeze(-2) @ v.mT).numpy(), low, atol=1e-9)
    exact = np.linalg.svd(low, compute_uv=False)[..., :2]
    np.testing.assert_allclose(s.numpy()[..., :2], exact, rtol=1e-8)
    u, s, v = wg.pca_lowrank(a, 2)
    centred = low - low.mean(-2, keepdims=True)
    np.testing.assert_allclose((u * s.unsqueeze(-2) @ v.mT).numpy(), centred, atol=1e-8)
    with pytest.raises(ValueError, match="expected q"):
        wg.svd_lowrank(a, 9)


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [
        ((X, 5), {}),
        ((X, 4), {"range": (-1.0, 2.0)}),
        ((X, 4), {"weight": np.abs(X), "density": True}),
        ((X, np.array([-2.0, -0.5, 0.1, 3.0])), {}),
        ((np.zeros(3), 2), {}),
    ],
    ids=named,
)
def test_histograms(args, kwargs):
    check("histogram", *args, grad=False, **kwargs)


def test_histograms_of_points():
    points = X[:, :2].copy()
    for bins, more in (([3, 2], {}), (2, {"range": [-1.0, 1.0, -2.0, 2.0]}), ([3, 2], {"density": True})):
        ours, theirs = pair(points)
        a, b = wg.histogramdd(ours, bins, **more), torch.histogramdd(theirs, bins, **more)
        assert_same(a.hist, b.hist)
        assert_same(a.bin_edges, b.bin_edges)


def test_in_place_synonyms():
    for name in ("arcsin", "arccos", "arctan", "arcsinh", "arctanh", "deg2rad", "rad2deg", "sinc", "i0"):
        x, y = pair(np.array([0.1, -0.4, 0.7]))
        assert_same(getattr(x, name + "_")(), getattr(y, name + "_")(), rtol=1e-12)
    x, y = pair(np.array([1.5, 2.0]))
    assert_same(x.arccosh_(), y.arccosh_())
    assert_same(x.arctan2_(wg.ones(2, dtype=wg.float64)), y.arctan2_(torch.ones(2, dtype=torch.float64)))
    assert_same(x.float_power_(2), y.float_power_(2))
    for name in ("and", "or", "xor"):
        x, y = pair(np.array([0.0, 2.0, 3.0]))
        other, theirs = pair(np.array([1, 0, 4]))
        assert_same(getattr(x, f"logical_{name}_")(other), getattr(y, f"logical_{name}_")(theirs))
    assert_same(x.logical_not_(), y.logical_not_())
    same_error(".float_power_", X.astype(np.float32), 2)
    assert wg.ones(1).is_nonzero()
    with pytest.raises(NotImplementedError):
        wg.ones(1).chalf()


def test_in_place_forms_have_gradients():
    for name in ("deg2rad", "sinc", "arctan", "i0"):
        found = []
        for lib in (wg, torch):
            x = lib.tensor([0.3, -1.2], dtype=lib.float64, requires_grad=True)
            y = x * 2
            getattr(y, name + "_")()
            (y * y).sum().backward()
            found.append(x.grad)
        assert_same(*found, rtol=1e-9)


def test_counts():
    wg.manual_seed(3)
    rates = wg.tensor([0.0, 0.5, 12.0, 80.0]).repeat(20000, 1)
    drawn = wg.poisson(rates)
    np.testing.assert_allclose(drawn.mean(0).numpy(), [0, 0.5, 12, 80], rtol=0.03)
    np.testing.assert_allclose(drawn.var(0).numpy(), [0, 0.5, 12, 80], rtol=0.06)
    trials = wg.binomial(wg.full((20000,), 10.0), wg.tensor(0.3))
    assert abs(trials.mean().item() - 3) < 0.05 and abs(trials.var().item() - 2.1) < 0.1
    assert wg.binomial(wg.tensor([0.0, 3.0]), wg.tensor([0.5, 1.0])).tolist() == [0.0, 3.0]
    generator = wg.Generator().manual_seed(1)
    first = wg.poisson(rates[:5], generator)
    assert wg.equal(first, wg.poisson(rates[:5], wg.Generator().manual_seed(1)))
    same_error("poisson", np.array([-1.0]))
    with pytest.raises(RuntimeError, match="counts of at least 0"):
        wg.binomial(wg.tensor([-1.0]), wg.tensor([0.5]))
    with pytest.raises(RuntimeError, match="probabilities"):
        wg.binomial(wg.tensor([1.0]), wg.tensor([1.5]))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("name", "args", "kwargs"),
    [
        ("batch_norm", (X, X[0], X[1], X[2], np.abs(X[3]), False, 0.1, 1e-5, True), {"grad": False}),
        ("instance_norm", (X[None], None, None, None, None, True, 0.1, 1e-5, True), {}),
        ("embedding", (X, np.array([0, 2])), {}),
        ("kl_div", (X, np.abs(X)), {}),
        ("kl_div", (X, np.abs(X), 2), {"log_target": True}),
        ("binary_cross_entropy_with_logits", (X, np.abs(np.tanh(X))), {}),
        ("margin_ranking_loss", (X[0], X[1], np.sign(X[2]), 0.5, 0), {}),
        ("hinge_embedding_loss", (X[0], np.sign(X[2])), {}),
        ("triplet_margin_loss", (X, X + 1, X - 1, 1.0, 2, 1e-6, True), {}),
        ("cosine_embedding_loss", (X, X + 1, np.array([1.0, -1, 1, -1, 1])), {"margin": 0.2}),
        ("poisson_nll_loss", (X, np.abs(X), True, True, 1e-8, 1), {}),
        ("avg_pool1d", (X, 2), {}),
        ("max_pool1d", (X, 2), {}),
        ("adaptive_avg_pool1d", (X, 2), {}),
        ("hardshrink", (X,), {}),
        ("pdist", (X,), {"grad": False}),
    ],
    ids=named,
)
def test_functions_of_layers_in_the_package(name, args, kwargs):
    check(name, *args, rtol=1e-5, **kwargs)


def test_mistakes():
    same_error("linalg.tensorinv", X, ind=0)
    same_error("linalg.tensorinv", X, ind=1)
    same_error("linalg.householder_product", X.T.copy(), X[0])
    same_error("vander", X)
    same_error("gradient", X, edge_order=3)
    same_error("gradient", X, spacing=[1.0, 2.0, 3.0])
    same_error("gradient", X[:1], dim=0)
    with pytest.raises(ValueError, match="inside shape"):
        wg.unravel_index(wg.tensor([9]), (2, 3))
    same_error("unravel_index", np.array([0.5]), (2, 3))
    same_error(".sum_to_size", X, 3)
    same_error("positive", np.array([True]))
    same_error("histogram", np.arange(3), 2)
    same_error("nonzero_static", np.arange(3), size=-1)
