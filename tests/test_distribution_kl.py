"""Kullback-Leibler divergences beside torch's, with gradients; those of exponential families beside closed forms."""

import math

import numpy as np
import pytest
from against_torch import assert_same
from distribution_cases import (
    COVARIANCE,
    FACTOR,
    LOC,
    LOGITS,
    SCALE,
    SIMPLEX,
    TRIL,
    UNIT,
    gradients,
    made,
    ours,
    theirs,
)  # fmt: skip

import wengert

# Parameters of p and of q for each class. Bounds of Uniform: some inside (0, 1), some not.
PARAMETERS = {
    "Bernoulli": ({"probs": np.array([0.2, 0.55, 0.0])}, {"probs": np.array([0.7, 0.3, 0.4])}),
    "Beta": ({"concentration1": SCALE, "concentration0": SCALE + 1}, {"concentration1": SCALE + 1, "concentration0": SCALE}),
    "Binomial": ({"total_count": np.array([6.0, 6.0, 7.0]), "probs": UNIT}, {"total_count": 6, "probs": UNIT[::-1]}),
    "Categorical": ({"logits": LOGITS}, {"logits": LOGITS[::-1]}),
    "Cauchy": ({"loc": LOC, "scale": SCALE}, {"loc": LOC + 1, "scale": SCALE * 2}),
    "ContinuousBernoulli": ({"probs": np.array([0.2, 0.4999, 0.9])}, {"logits": LOC}),
    "Dirichlet": ({"concentration": SCALE}, {"concentration": SCALE[::-1]}),
    "Exponential": ({"rate": SCALE}, {"rate": SCALE[::-1] + 0.3}),
    "Gamma": ({"concentration": SCALE, "rate": SCALE + 1}, {"concentration": SCALE + 0.5, "rate": SCALE[::-1]}),
    "Geometric": ({"probs": UNIT}, {"probs": UNIT[::-1]}),
    "Gumbel": ({"loc": LOC, "scale": SCALE}, {"loc": LOC - 1, "scale": SCALE + 1}),
    "HalfNormal": ({"scale": SCALE}, {"scale": SCALE + 1}),
    "Laplace": ({"loc": LOC, "scale": SCALE}, {"loc": LOC + 1, "scale": SCALE + 1}),
    "LowRankMultivariateNormal": (
        {"loc": LOC, "cov_factor": FACTOR, "cov_diag": SCALE},
        {"loc": LOC - 1, "cov_factor": FACTOR * 2, "cov_diag": SCALE + 1}
    ),
    "MultivariateNormal": (
        {"loc": LOC, "covariance_matrix": np.eye(3) + 0.2}, {"loc": LOC + 0.5, "precision_matrix": np.eye(3) * 2 - 0.1}
    ),
    "Normal": ({"loc": LOC, "scale": SCALE}, {"loc": LOC[::-1], "scale": SCALE + 0.2}),
    "OneHotCategorical": ({"logits": LOGITS}, {"probs": SIMPLEX}),
    "Pareto": (
        {"scale": SCALE, "alpha": np.array([3.5, 0.8, 2.5])}, {"scale": np.array([0.4, 2.0, 0.3]), "alpha": SCALE}
    ),
    "Poisson": ({"rate": SCALE}, {"rate": SCALE + 1}),
    "Uniform": (
        {"low": np.array([0.1, 0.5, -1.0]), "high": np.array([0.5, 0.9, 2.0])},
        {"low": np.array([-1.0, 0.3, -2.0]), "high": np.array([3.0, 0.95, 0.5])},
    ),
}  # fmt: skip
PAIRS = sorted(
    (p.__name__, q.__name__)
    for p, q in theirs.kl._KL_REGISTRY
    if p.__module__ + q.__module__ and {p.__name__, q.__name__} <= set(PARAMETERS)
)


def test_the_pairs_are_torchs():
    from wengert.distributions._kl_registry import _REGISTRY

    here = {(p.__name__, q.__name__) for p, q in _REGISTRY}
    there = {(p.__name__, q.__name__) for p, q in theirs.kl._KL_REGISTRY}
    assert there <= here and len(PAIRS) >= len(there) - 3


def close(a, b):
    np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-6, atol=1e-8)


def compare(p, first, q, second):
    results = []
    for side in (0, 1):
        a, leaves = made(side, p, first)
        b, others = made(side, q, second)
        value = (ours, theirs)[side].kl_divergence(a, b)
        results.append([value, *gradients(side, value, leaves + others)])
    for mine, other in zip(*results, strict=True):
        assert (mine is None) == (other is None)
        if mine is not None:  # torch's gradients are NaN where the value is infinite, ours 0
            known = ~other.isnan().numpy()
            np.testing.assert_allclose(
                mine.detach().numpy()[known], other.detach().numpy()[known], rtol=1e-6, atol=1e-8
            )
            assert not mine.isnan().any()


@pytest.mark.parametrize(("p", "q"), PAIRS)
def test_kl(p, q):
    first, second = PARAMETERS[p][0], PARAMETERS[q][1]
    if (p, q) == ("ContinuousBernoulli", "Uniform"):
        # torch takes a bound that reaches beyond one end of [0, 1] for one that leaves values out.
        second = {"low": np.array([-1.0, -0.1, -2.0]), "high": np.array([3.0, 1.5, 1.1])}
    compare(p, first, q, second)


def test_kl_on_the_ends_of_the_support():
    """Finite where p just fills the support of q."""
    p = ours.ContinuousBernoulli(wengert.tensor(0.3))
    wanted = -p.entropy().item()
    assert ours.kl_divergence(p, ours.Uniform(0.0, 1.0)).item() == pytest.approx(wanted)
    q = ours.ContinuousBernoulli(wengert.tensor(0.3))
    x = np.linspace(0, 1, 100001)
    mean = np.trapezoid(-q.log_prob(wengert.from_numpy(x)).numpy(), x)
    assert ours.kl_divergence(ours.Uniform(0.0, 1.0), q).item() == pytest.approx(mean, rel=1e-5)
    assert ours.kl_divergence(p, ours.Uniform(0.1, 1.0)).item() == math.inf


SUBCLASSES = [
    ("LogNormal", {"loc": LOC, "scale": SCALE}, "LogNormal", {"loc": LOC + 1, "scale": SCALE}),
    ("Chi2", {"df": SCALE}, "Gamma", PARAMETERS["Gamma"][1]),
    ("Chi2", {"df": SCALE}, "Chi2", {"df": SCALE + 1}),
    ("LogisticNormal", {"loc": LOC, "scale": SCALE}, "LogisticNormal", {"loc": LOC + 1, "scale": SCALE}),
    ("HalfCauchy", {"scale": SCALE}, "HalfCauchy", {"scale": SCALE * 2}),
    ("InverseGamma", PARAMETERS["Gamma"][0], "InverseGamma", PARAMETERS["Gamma"][1]),
    ("Poisson", {"rate": SCALE}, "Bernoulli", {"probs": UNIT}),
    ("MultivariateNormal", {"loc": LOC[:2], "scale_tril": TRIL}, "MultivariateNormal", {
        "loc": np.stack([LOC[:2], LOC[1:]]), "covariance_matrix": COVARIANCE}),
]  # fmt: skip


@pytest.mark.parametrize(("p", "first", "q", "second"), SUBCLASSES, ids=[c[0] + c[2] for c in SUBCLASSES])
def test_kl_of_subclasses_and_batches(p, first, q, second):
    if "scale_tril" in first:  # its gradient has entries above the diagonal in torch
        a, b = ((ours, theirs)[s].kl_divergence(made(s, p, first)[0], made(s, q, second)[0]) for s in (0, 1))
        assert_same(a, b, rtol=1e-9)
        return
    compare(p, first, q, second)


FAMILIES = ["Bernoulli", "Beta", "ContinuousBernoulli", "Dirichlet", "Exponential", "Gamma", "Normal", "Poisson"]


@pytest.mark.parametrize("name", FAMILIES)
def test_exponential_families(name):
    """The entropy and the divergence that follow from the log-normaliser are those of the closed forms."""
    from wengert.distributions.exp_family import bregman

    first, second = PARAMETERS[name]
    if name == "Bernoulli":
        first = {"probs": UNIT}
    if name == "ContinuousBernoulli":
        first = {"probs": UNIT}
    p, leaves = made(0, name, first)
    q, others = made(0, name, second)
    by_family, closed = bregman(p, q), ours.kl_divergence(p, q)
    close(by_family, closed)
    grads = [wengert.autograd.grad(v.sum(), leaves + others, retain_graph=True) for v in (by_family, closed)]
    for a, b in zip(*grads, strict=True):
        close(a, b)
    try:
        closed = p.entropy()
        found = ours.ExponentialFamily.entropy(p)
    except NotImplementedError:
        assert name in (
            "Poisson",
            "Beta",
            "Dirichlet",
        )  # no constant carrier measure; the last two have closed forms
        return
    close(found, closed)
    plain = getattr(ours, name)(**{k: v.detach() for k, v in zip(first, leaves, strict=True)})
    assert not ours.ExponentialFamily.entropy(plain).requires_grad


def test_kl_of_wishart_batches():
    """One by one and in a batch; torch's value of one, and its gradient for q (it has none for p)."""
    first, second = (
        {"df": 3.5, "covariance_matrix": COVARIANCE},
        {"df": 4.5, "covariance_matrix": COVARIANCE + np.eye(2)},
    )
    results = []
    for side in (0, 1):
        q, leaves = made(side, "Wishart", second)
        value = (ours, theirs)[side].kl_divergence(made(side, "Wishart", first)[0], q)
        results.append([value, *gradients(side, value, leaves)])
    for a, b in zip(*results, strict=True):
        assert_same(a, b, rtol=1e-8)
    batch = ours.Wishart(wengert.tensor([3.5, 5.0]), covariance_matrix=wengert.from_numpy(COVARIANCE))
    other = ours.Wishart(4.5, covariance_matrix=wengert.from_numpy(second["covariance_matrix"]))
    together = ours.kl_divergence(batch, other)
    assert together[0].item() == pytest.approx(results[1][0].item(), rel=1e-5)
    assert tuple(together.shape) == (2,) and tuple(ours.kl_divergence(other, batch).shape) == (2,)


def test_kl_of_unknown_pairs():
    with pytest.raises(NotImplementedError, match="Normal and Geometric"):
        ours.kl_divergence(ours.Normal(0.0, 1.0), ours.Geometric(0.5))
    with pytest.raises(NotImplementedError, match="Normal and Poisson"):  # both of exponential families
        ours.kl_divergence(ours.Normal(0.0, 1.0), ours.Poisson(1.0))
    with pytest.raises(NotImplementedError):
        ours.kl_divergence(ours.LogNormal(0.0, 1.0), ours.HalfNormal(1.0))
    with pytest.raises(NotImplementedError):
        ours.kl_divergence(ours.Binomial(2, probs=wengert.tensor(0.5)), ours.Binomial(3, probs=wengert.tensor(0.5)))
    with pytest.raises(TypeError):
        ours.register_kl("Normal", ours.Normal)


def test_registered_kl_is_found_by_the_nearest_class():
    class Mine(ours.Normal):
        pass

    assert ours.kl_divergence(Mine(0.0, 1.0), Mine(0.0, 1.0)).item() == 0

    @ours.register_kl(Mine, ours.Normal)
    def _mine(p, q):
        return 42

    assert ours.kl_divergence(Mine(0.0, 1.0), Mine(0.0, 1.0)) == 42
    assert ours.kl_divergence(ours.Normal(0.0, 1.0), Mine(0.0, 1.0)).item() == 0

    @ours.register_kl(ours.Normal, Mine)
    def _theirs(p, q):
        return 43

    with pytest.warns(RuntimeWarning, match="equally well"):
        assert ours.kl_divergence(Mine(0.0, 1.0), Mine(0.0, 1.0)) == 42
