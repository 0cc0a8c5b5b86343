"""Samples of distributions by their statistics, with fixed seeds; gradients through samples."""

import math

import numpy as np
import pytest
from distribution_cases import CORRELATED, COVARIANCE, LOC, SCALE, SIMPLEX, UNIT, every_case, made, ours, torch

import wengert

N = 40000


def tensor(values):
    return wengert.tensor(values, dtype=wengert.float64)


# Parameters for which the fourth moment is there, that the error of a variance needs.
LIGHT = {
    "StudentT": {"df": np.full(3, 9.0)},
    "InverseGamma": {"concentration": SCALE + 6, "rate": SCALE},
    "Pareto": {"scale": SCALE, "alpha": SCALE + 6},
    "FisherSnedecor": {"df1": SCALE * 3, "df2": SCALE + 12},
    "GeneralizedPareto": {"loc": LOC, "scale": SCALE, "concentration": np.array([0.1, 0.0, -0.4])},
}
NO_MOMENTS = ("Categorical", "Cauchy", "HalfCauchy", "VonMises")


def known(d, name):
    try:
        return getattr(d, name).detach().numpy()
    except NotImplementedError:
        return None


@every_case
def test_samples_have_the_moments(name, parameters, values):
    """Mean and variance, within six standard errors."""
    wengert.manual_seed(7)
    d, _ = made(0, name, LIGHT.get(name, parameters))
    if name in NO_MOMENTS or known(d, "mean") is None:
        pytest.skip("the mean or the variance is not that of numbers, or unknown: other tests below")
    x = d.sample((N,)).double().numpy()
    mean, variance = known(d, "mean"), known(d, "variance")
    assert (np.abs(x.mean(0) - mean) <= 6 * np.sqrt(variance / N) + 1e-12).all()
    fourth = ((x - mean) ** 4).mean(0)
    assert (np.abs(x.var(0) - variance) <= 6 * np.sqrt(fourth / N) + 1e-12).all()


@every_case
def test_samples_follow_the_cdf(name, parameters, values):
    """Kolmogorov's and Smirnov's distance; above 2.5 / sqrt(n) it would be by chance once in 130000 times."""
    wengert.manual_seed(11)
    d, _ = made(0, name, parameters)
    if d.event_shape or d.support.is_discrete:
        pytest.skip("for continuous distributions of numbers")
    x = d.sample((N,))
    try:
        levels = np.sort(d.cdf(x).detach().double().numpy(), 0)
    except NotImplementedError:
        pytest.skip("the cdf is not known")
    steps = np.arange(N)[:, None] / N
    levels = levels.reshape(N, -1)
    assert max(np.abs(levels - steps).max(), np.abs(levels - steps - 1 / N).max()) < 2.5 / math.sqrt(N)


@every_case
def test_samples_are_in_the_support(name, parameters, values):
    wengert.manual_seed(2)
    d, _ = made(0, name, parameters)
    for shape in ((), (200,), (0,)):
        x = d.sample(shape)
        assert bool(d.support.check(x).all()) and tuple(x.shape) == (*shape, *d.batch_shape, *d.event_shape)


@pytest.mark.parametrize(
    ("n", "p"), [(1, 0.3), (8, 0.9), (40, 0.1), (40, 0.5), (1000, 0.02), (1000, 0.93), (10**9, 0.4)]
)
def test_binomial_frequencies(n, p):
    wengert.manual_seed(5)
    x = ours.Binomial(n, probs=tensor(p)).sample((N,)).numpy()
    assert x.min() >= 0 and x.max() <= n
    assert abs(x.mean() - n * p) < 6 * math.sqrt(n * p * (1 - p) / N)
    assert abs(x.var() / (n * p * (1 - p)) - 1) < 0.05
    if n <= 1000:
        k = np.arange(n + 1)
        log = [math.lgamma(n + 1) - math.lgamma(j + 1) - math.lgamma(n - j + 1) for j in k]
        probability = np.exp(np.array(log) + k * math.log(p) + (n - k) * math.log(1 - p))
        found = np.bincount(x.astype(int), minlength=n + 1) / N
        assert (np.abs(found - probability) < 6 * np.sqrt(probability / N) + 2 / N).all()


def test_binomial_at_the_ends():
    x = ours.Binomial(tensor([5.0, 5.0, 0.0]), probs=tensor([0.0, 1.0, 0.5])).sample((50,)).numpy()
    assert (x == [0, 5, 0]).all()
    x = ours.NegativeBinomial(tensor([0.0, 3.0]), probs=tensor([0.5, 0.0])).sample((50,)).numpy()
    assert (x == 0).all()
    assert ours.NegativeBinomial(tensor(0.0), probs=tensor(0.5)).log_prob(tensor(0.0)).item() == 0


def test_multinomial_samples_add_up():
    wengert.manual_seed(1)
    x = ours.Multinomial(7, probs=wengert.ones(2, 3)).sample((5, 4))
    assert tuple(x.shape) == (5, 4, 2, 3) and bool((x.sum(-1) == 7).all())


@pytest.mark.parametrize("concentration", [1e-6, 0.3, 2.0, 50.0, 1e4])
def test_von_mises_samples(concentration):
    wengert.manual_seed(9)
    d = ours.VonMises(tensor(2.5), tensor(concentration))
    x = d.sample((N,)).numpy()
    assert (x >= -math.pi).all() and (x < math.pi).all()
    length = 1 - d.variance.item()
    assert abs(np.cos(x - 2.5).mean() - length) < 6 * math.sqrt(0.5 / N) * min(1, 5 / math.sqrt(concentration))
    assert abs(np.sin(x - 2.5).mean()) < 6 * math.sqrt(0.5 / N)


@pytest.mark.parametrize("order", [0, 1])
def test_bessel_functions(order):
    mpmath = pytest.importorskip("mpmath")
    from wengert.distributions.von_mises import log_bessel

    x = [1e-6, 0.1, 1.0, 5.0, 17.0, 29.9, 30.1, 80.0, 1e4]
    found = log_bessel(tensor(x), order).numpy()
    wanted = [float(mpmath.log(mpmath.besseli(order, v))) for v in x]
    np.testing.assert_allclose(found, wanted, rtol=1e-11, atol=1e-9 if order else 1e-15)


@pytest.mark.parametrize("concentration", [0.4, 1.0, 5.0])
@pytest.mark.parametrize("dim", [2, 3, 5])
def test_lkj_correlations(dim, concentration):
    """Each correlation is 2 b - 1 for b of Beta(a, a), a = concentration + dim / 2 - 1 (Lewandowski et al., 2009)."""
    wengert.manual_seed(4)
    factor = ours.LKJCholesky(dim, tensor(concentration)).sample((N,))
    matrix = (factor @ factor.mT).numpy()
    np.testing.assert_allclose(matrix.diagonal(axis1=1, axis2=2), 1, atol=1e-9)
    variance = 1 / (2 * concentration + dim - 1)
    for i in range(dim):
        for j in range(i):
            r = matrix[:, i, j]
            assert abs(r.mean()) < 6 * math.sqrt(variance / N)
            assert abs(r.var() - variance) < 6 * math.sqrt((r**4).mean() / N)


def test_mixture_samples():
    wengert.manual_seed(6)
    weights = tensor([0.2, 0.8])
    d = ours.MixtureSameFamily(ours.Categorical(weights), ours.Normal(tensor([[-5.0, 5.0]] * 3), 0.5))
    x = d.sample((N,)).numpy()
    assert x.shape == (N, 3)
    assert np.abs((x > 0).mean(0) - 0.8).max() < 6 * 0.4 / math.sqrt(N)
    assert abs(np.corrcoef(x.T)[0, 1]) < 6 / math.sqrt(
        N
    )  # the elements of a batch choose their components themselves
    parts = ours.Independent(ours.Normal(tensor([[-5.0, 0.0], [5.0, 1.0]]), 0.5), 1)
    y = ours.MixtureSameFamily(ours.Categorical(weights), parts).sample((N,)).numpy()
    assert np.abs(y[y[:, 0] > 0].mean(0) - [5, 1]).max() < 0.05  # the elements of an event share theirs


def test_relaxed_samples():
    wengert.manual_seed(8)
    probs = tensor(UNIT)
    x = ours.RelaxedBernoulli(tensor(0.5), probs=probs).sample((N,)).numpy()
    assert np.abs((x > 0.5).mean(0) - UNIT).max() < 6 * 0.5 / math.sqrt(N)
    y = ours.RelaxedOneHotCategorical(tensor(0.5), probs=tensor(SIMPLEX[0])).sample((N,)).numpy()
    assert np.abs(np.bincount(y.argmax(-1)) / N - SIMPLEX[0]).max() < 6 * 0.5 / math.sqrt(N)
    assert np.abs(y.sum(-1) - 1).max() < 1e-12


def test_logistic_normal_samples():
    wengert.manual_seed(8)
    d = ours.LogisticNormal(tensor(LOC), tensor(SCALE))
    back = ours.StickBreakingTransform().inv(d.sample((N,))).numpy()
    assert (np.abs(back.mean(0) - LOC) < 6 * SCALE / math.sqrt(N)).all()
    assert (np.abs(back.std(0) / SCALE - 1) < 0.05).all()


def test_wishart_samples_again_where_they_are_singular():
    wengert.manual_seed(3)
    with pytest.warns(UserWarning, match="singular"):
        d = ours.Wishart(1.05, covariance_matrix=wengert.from_numpy(COVARIANCE))
    x = d.rsample((2000,))
    assert bool(d.support.check(x).all())


@pytest.mark.parametrize("rate", [0.7, 12.0, 45.0, 900.0])
def test_poisson_frequencies(rate):
    wengert.manual_seed(3)
    x = ours.Poisson(wengert.tensor(rate, dtype=wengert.float64)).sample((60000,)).numpy()
    assert abs(x.mean() - rate) < 6 * math.sqrt(rate / x.size) and abs(x.var() / rate - 1) < 0.04
    k = round(rate)
    p = math.exp(k * math.log(rate) - rate - math.lgamma(k + 1))
    assert abs((x == k).mean() - p) < 6 * math.sqrt(p / x.size)


def test_categorical_frequencies():
    wengert.manual_seed(1)
    probs = np.array([0.1, 0.0, 0.6, 0.3])
    x = ours.Categorical(probs=wengert.tensor(probs)).sample((20000,)).numpy()
    assert np.abs(np.bincount(x, minlength=4) / x.size - probs).max() < 0.02 and not (x == 1).any()


@pytest.mark.parametrize("a", [0.05, 0.4, 1.0, 3.7, 40.0, 700.0, 1500.0, 1e5])
def test_implicit_gradient_of_gamma(a):
    """dx/da beside torch's own and, to its full precision, beside the definition by a difference of quantiles."""
    from wengert.distributions._standard_gamma import slope

    x = torch.distributions.Gamma(torch.full((200,), a, dtype=torch.float64), 1.0).sample()
    x = x[x > 1e-250]
    theirs = torch._standard_gamma_grad(torch.full_like(x, a), x)
    mine = slope(wengert.from_numpy(x.numpy()), wengert.full((len(x),), a, dtype=wengert.float64)).numpy()
    np.testing.assert_allclose(mine, theirs.numpy(), rtol=2e-3)  # torch's approximation is that coarse
    mpmath = pytest.importorskip("mpmath")
    h = mpmath.mpf(a) * mpmath.mpf("1e-12")
    for value, got in list(zip(x.numpy(), mine, strict=True))[:: max(1, len(x) // 5)]:
        with mpmath.workdps(50):
            v = mpmath.mpf(float(value))
            up, down = (mpmath.gammainc(mpmath.mpf(a) + s * h, 0, v, regularized=True) for s in (1, -1))
            density = mpmath.exp((a - 1) * mpmath.log(v) - v - mpmath.loggamma(a))
            want = -(up - down) / (2 * h) / density
        assert abs(got / float(want) - 1) < 1e-6, (value, got, float(want))


# What gradients reach through samples: the mean of samples has a known gradient.
REPARAMETERISED = {
    "Gamma": {"concentration": SCALE, "rate": SCALE[::-1].copy()},
    "Beta": {"concentration1": SCALE, "concentration0": SCALE[::-1].copy()},
    "Dirichlet": {"concentration": SCALE},
    "StudentT": {"df": np.full(3, 9.0), "loc": LOC, "scale": SCALE},
    "Chi2": {"df": SCALE},
    "InverseGamma": {"concentration": SCALE + 6, "rate": SCALE},
    "FisherSnedecor": {"df1": SCALE * 3, "df2": SCALE + 12},
    "Weibull": {"scale": SCALE, "concentration": SCALE + 1},
    "Pareto": {"scale": SCALE, "alpha": SCALE + 6},
    "GeneralizedPareto": {"loc": LOC, "scale": SCALE, "concentration": np.array([0.1, 0.2, -0.4])},
    "Kumaraswamy": {"concentration1": SCALE + 1, "concentration0": SCALE + 1},
    "ContinuousBernoulli": {"probs": UNIT},
    "Normal": {"loc": LOC, "scale": SCALE},
    "LogNormal": {"loc": LOC, "scale": SCALE / 5},
    "Laplace": {"loc": LOC, "scale": SCALE},
    "Gumbel": {"loc": LOC, "scale": SCALE},
    "Exponential": {"rate": SCALE},
    "Uniform": {"low": LOC - 3, "high": LOC + 3},
    "HalfNormal": {"scale": SCALE},
    "LowRankMultivariateNormal": {"loc": LOC, "cov_factor": np.ones((3, 1)), "cov_diag": SCALE},
    "OneHotCategoricalStraightThrough": {"probs": SIMPLEX[0]},
}


@pytest.mark.parametrize("name", REPARAMETERISED)
def test_gradients_through_samples(name):
    """The gradient of the mean of samples is the gradient of the mean, within six standard errors."""
    wengert.manual_seed(11)
    d, leaves = made(0, name, REPARAMETERISED[name])
    weight = tensor([1.0, -2.0, 0.5])
    wanted = wengert.autograd.grad((d.mean * weight).sum(), leaves, allow_unused=True, retain_graph=True)
    blocks, found = 40, []
    for _ in range(blocks):
        x = d.rsample((1000,))
        found.append(
            [g.numpy() for g in wengert.autograd.grad((x * weight).sum() / 1000, leaves, retain_graph=True)]
        )
    for i, w in enumerate(wanted):
        rows = np.array([f[i] for f in found])
        error = rows.std(0) / math.sqrt(blocks)
        assert (np.abs(rows.mean(0) - (0 if w is None else w.numpy())) <= 6 * error + 1e-9).all(), (name, i)


def test_gradients_through_wishart_samples():
    wengert.manual_seed(12)
    df, factor = tensor(5.5).requires_grad_(), wengert.from_numpy(CORRELATED).requires_grad_()
    d = ours.Wishart(df, scale_tril=factor)
    found = wengert.autograd.grad(d.rsample((20000,)).mean(0).sum(), [df, factor], retain_graph=True)
    wanted = wengert.autograd.grad(d.mean.sum(), [df, factor])
    assert found[0].item() == pytest.approx(wanted[0].item(), rel=0.05)
    np.testing.assert_allclose(found[1].tril().numpy(), wanted[1].tril().numpy(), rtol=0.1, atol=0.3)


def test_what_has_no_rsample():
    mixture = ours.MixtureSameFamily(ours.Categorical(wengert.ones(2)), ours.Normal(wengert.zeros(2), 1.0))
    for d in (mixture, ours.VonMises(0.0, 1.0), ours.Binomial(2, probs=0.5), ours.LKJCholesky(2)):
        assert not d.has_rsample
        with pytest.raises(NotImplementedError):
            d.rsample()


@pytest.mark.parametrize("a", [0.05, 0.7, 1.0, 4.0, 30.0, 500.0, 1e5])
def test_cdf_of_gamma(a):
    """The incomplete gamma function and its gradients, for both arguments, by mpmath."""
    mpmath = pytest.importorskip("mpmath")
    x = (
        a * np.array([1e-3, 0.2, 0.9, 1.0, 1.05, 2.0, 8.0])
        if a < 1e3
        else a + math.sqrt(a) * np.array([-4, -1, 0, 2, 5])
    )
    shape, points = wengert.full((len(x),), a, dtype=wengert.float64).requires_grad_(), tensor(x).requires_grad_()
    value = ours.Gamma(shape, tensor(1.0)).cdf(points)
    to_shape, to_point = wengert.autograd.grad(value.sum(), [shape, points])
    with mpmath.workdps(60):
        h = mpmath.mpf(a) * mpmath.mpf("1e-15")
        for i, v in enumerate(map(mpmath.mpf, x)):
            p = [mpmath.gammainc(mpmath.mpf(a) + s * h, 0, v, regularized=True) for s in (-1, 0, 1)]
            density = mpmath.exp((a - 1) * mpmath.log(v) - v - mpmath.loggamma(a))
            assert value[i].item() == pytest.approx(float(p[1]), rel=1e-11, abs=1e-13)
            assert to_point[i].item() == pytest.approx(float(density), rel=1e-9, abs=1e-13)
            assert to_shape[i].item() == pytest.approx(float((p[2] - p[0]) / (2 * h)), rel=1e-5, abs=1e-11)


def test_cdf_of_gamma_at_the_ends():
    law = ours.Gamma(tensor([0.5, 2.0]), tensor(1.0))
    assert law.cdf(tensor(0.0)).tolist() == [0, 0] and law.cdf(tensor(math.inf)).tolist() == [1, 1]
    theirs = torch.distributions.Chi2(torch.tensor([1.0, 3.0])).cdf(torch.tensor(2.0))
    np.testing.assert_allclose(
        ours.Chi2(wengert.tensor([1.0, 3.0])).cdf(wengert.tensor(2.0)).numpy(), theirs, rtol=1e-5
    )
    inverse = [d.InverseGamma(t.tensor(2.0), 3.0).cdf(t.tensor(1.5)).item() for d, t in (
        (ours, wengert), (torch.distributions, torch))]  # fmt: skip
    assert inverse[0] == pytest.approx(inverse[1], rel=1e-5)
