"""Distributions beside torch's: densities, entropies, moments, divergences and their gradients; samples by statistics."""

import math

import numpy as np
import pytest
from against_torch import assert_same

import wengert
import wengert.distributions as ours

torch = pytest.importorskip("torch")
theirs = torch.distributions

LOC = np.array([0.3, -1.2, 2.0])
SCALE = np.array([0.5, 1.5, 2.5])
UNIT = np.array([0.2, 0.55, 0.9])
LOGITS = np.array([[0.1, -1.0, 2.0], [1.0, 0.5, -0.5]])
COVARIANCE = np.array([[2.0, 0.3], [0.3, 1.0]])
TRIL = np.array([[1.2, 0.0], [-0.4, 0.8]])
REAL = np.array([[0.1, -0.7, 3.0], [1.1, -2.0, 0.0]])
POSITIVE = np.abs(REAL) + 0.1
COUNTS = np.array([[0.0, 3.0, 1.0], [2.0, 0.0, 5.0]])

# name: parameters, values for log_prob.
CASES = [
    ("Normal", {"loc": LOC, "scale": SCALE}, REAL),
    ("LogNormal", {"loc": LOC, "scale": SCALE}, POSITIVE),
    ("Uniform", {"low": LOC - 3, "high": LOC + 3}, np.array([[0.1, -0.7, 3.0], [1.1, -2.0, 0.5]])),
    ("Exponential", {"rate": SCALE}, POSITIVE),
    ("Laplace", {"loc": LOC, "scale": SCALE}, REAL),
    ("Cauchy", {"loc": LOC, "scale": SCALE}, REAL),
    ("Gumbel", {"loc": LOC, "scale": SCALE}, REAL),
    ("HalfNormal", {"scale": SCALE}, POSITIVE),
    ("StudentT", {"df": SCALE + 2, "loc": LOC, "scale": SCALE}, REAL),
    ("StudentT", {"df": np.array([0.5, 1.5, 3.0])}, REAL),
    ("Gamma", {"concentration": SCALE, "rate": SCALE[::-1].copy()}, POSITIVE),
    ("Chi2", {"df": SCALE}, POSITIVE),
    ("Beta", {"concentration1": SCALE, "concentration0": SCALE[::-1].copy()}, np.array([UNIT, UNIT**2])),
    ("Dirichlet", {"concentration": SCALE}, np.array([[0.2, 0.3, 0.5], [0.6, 0.3, 0.1]])),
    ("Poisson", {"rate": SCALE}, COUNTS),
    ("Geometric", {"probs": UNIT}, COUNTS),
    ("Geometric", {"logits": LOC}, COUNTS),
    ("Bernoulli", {"probs": UNIT}, np.array([1.0, 0.0, 1.0])),
    ("Bernoulli", {"logits": LOC}, np.array([1.0, 0.0, 1.0])),
    ("Categorical", {"probs": np.exp(LOGITS)}, np.array([2, 0])),
    ("Categorical", {"logits": LOGITS}, np.array([[2, 0], [1, 1], [0, 2]])),
    ("OneHotCategorical", {"logits": LOGITS}, np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])),
    ("MultivariateNormal", {"loc": LOC[:2], "covariance_matrix": COVARIANCE}, REAL[:, :2].copy()),
    ("MultivariateNormal", {"loc": LOC[:2], "precision_matrix": COVARIANCE}, REAL[:, :2].copy()),
    ("MultivariateNormal", {"loc": LOC[:2], "scale_tril": TRIL}, REAL[:, :2].copy()),
]


def made(side, name, parameters):
    """A distribution of one package and its parameters, which require grad."""
    package, library = ((ours, wengert), (theirs, torch))[side]
    tensors = {k: library.from_numpy(v.copy()).requires_grad_() for k, v in parameters.items()}
    return getattr(package, name)(**tensors), list(tensors.values())


def gradients(side, value, leaves):
    library = (wengert, torch)[side]
    if not value.requires_grad:
        return [None] * len(leaves)
    return [g for g in library.autograd.grad(value.sum(), leaves, allow_unused=True)]


def same_with_gradients(function, name, parameters):
    results = []
    for side in (0, 1):
        d, leaves = made(side, name, parameters)
        value = function(side, d)
        results.append((value, gradients(side, value, leaves)))
    assert_same(results[0][0], results[1][0], rtol=1e-7, atol=1e-9)
    for a, b in zip(results[0][1], results[1][1], strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            assert_same(a, b, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize(("name", "parameters", "values"), CASES, ids=lambda v: v if isinstance(v, str) else "")
def test_log_prob(name, parameters, values):
    same_with_gradients(
        lambda side, d: d.log_prob((wengert, torch)[side].from_numpy(values.copy())), name, parameters
    )


@pytest.mark.parametrize("what", ["entropy", "mean", "variance", "stddev", "mode", "perplexity"])
@pytest.mark.parametrize(("name", "parameters", "values"), CASES, ids=lambda v: v if isinstance(v, str) else "")
def test_summaries(name, parameters, values, what):
    def summary(side, d):
        value = getattr(d, what)
        return value() if callable(value) else value

    try:
        summary(1, made(1, name, parameters)[0])
    except NotImplementedError:
        with pytest.raises(NotImplementedError):
            summary(0, made(0, name, parameters)[0])
        return
    same_with_gradients(summary, name, parameters)


@pytest.mark.parametrize(("name", "parameters", "values"), CASES, ids=lambda v: v if isinstance(v, str) else "")
def test_cdf(name, parameters, values):
    if name in ("Gamma", "Chi2"):
        pytest.skip("the incomplete gamma function is not there")

    def cdf(side, d):
        return d.cdf((wengert, torch)[side].from_numpy(values.copy()))

    def icdf(side, d):
        return d.icdf((wengert, torch)[side].from_numpy(UNIT.copy()))

    for function in (cdf, icdf):
        try:
            function(1, made(1, name, parameters)[0])
        except (NotImplementedError, ValueError):
            continue
        same_with_gradients(function, name, parameters)


@pytest.mark.parametrize(("name", "parameters", "values"), CASES, ids=lambda v: v if isinstance(v, str) else "")
def test_shapes_and_printing(name, parameters, values):
    a, b = made(0, name, parameters)[0], made(1, name, parameters)[0]
    assert repr(a) == repr(b).replace("torch.", "wengert.")
    assert tuple(a.batch_shape) == tuple(b.batch_shape) and tuple(a.event_shape) == tuple(b.event_shape)
    assert a.has_rsample == b.has_rsample
    for shape in ((), (4,), (2, 3)):
        x, y = a.sample(shape), b.sample(shape)
        assert tuple(x.shape) == tuple(y.shape) and not x.requires_grad
        assert str(x.dtype).split(".")[-1] == str(y.dtype).split(".")[-1]
        a.log_prob(x)
    if a.has_rsample:
        assert a.rsample((2,)).requires_grad
    wide, wider = a.expand((2, *a.batch_shape)), b.expand((2, *b.batch_shape))
    assert type(wide) is type(a) and tuple(wide.batch_shape) == tuple(wider.batch_shape)
    assert tuple(wide.sample((3,)).shape) == tuple(wider.sample((3,)).shape)
    assert_same(wide.mean, wider.mean)
    same_with_gradients(
        lambda side, d: d.expand((2, *d.batch_shape)).log_prob((wengert, torch)[side].from_numpy(values.copy())[:1]),
        name, parameters,
    )  # fmt: skip


PAIRS = [
    *[(n, n) for n in (
        "Normal", "Uniform", "Exponential", "Laplace", "Gumbel", "HalfNormal", "Gamma", "Beta", "Dirichlet", "Poisson",
        "Geometric", "Bernoulli", "Categorical", "OneHotCategorical", "MultivariateNormal", "LogNormal",
    )],
    ("Uniform", "Normal"), ("Normal", "Laplace"), ("Exponential", "Normal"), ("Exponential", "Gamma"),
    ("Gamma", "Exponential"), ("Chi2", "Gamma"),
]  # fmt: skip


@pytest.mark.parametrize(("p", "q"), PAIRS)
def test_kl(p, q):
    parameters = {name: given for name, given, _ in reversed(CASES)}
    other = {k: v * 1.3 if p != "MultivariateNormal" else v + 0 for k, v in parameters[q].items()}
    if q == "MultivariateNormal":
        other["loc"] = other["loc"] + 0.5
    if q in ("Bernoulli", "Geometric"):
        other = {k: v * 0.7 for k, v in parameters[q].items()}
    results = []
    for side in (0, 1):
        a, first = made(side, p, parameters[p])
        b, second = made(side, q, other)
        value = (ours, theirs)[side].kl_divergence(a, b)
        results.append([value, *gradients(side, value, first + second)])
    for mine, other in zip(*results, strict=True):
        assert (mine is None) == (other is None)
        if mine is not None:
            assert_same(mine, other, rtol=1e-6, atol=1e-8)


def test_kl_of_unknown_pairs():
    with pytest.raises(NotImplementedError, match="Normal and Poisson"):
        ours.kl_divergence(ours.Normal(0.0, 1.0), ours.Poisson(1.0))
    with pytest.raises(TypeError):
        ours.register_kl(int, ours.Normal)


def test_registered_kl_is_found_by_the_nearest_class():
    class Mine(ours.Normal):
        pass

    assert ours.kl_divergence(Mine(0.0, 1.0), Mine(0.0, 1.0)).item() == 0

    @ours.register_kl(Mine, ours.Normal)
    def _mine(p, q):
        return 42

    assert ours.kl_divergence(Mine(0.0, 1.0), Mine(0.0, 1.0)) == 42
    assert ours.kl_divergence(ours.Normal(0.0, 1.0), Mine(0.0, 1.0)).item() == 0


@pytest.mark.parametrize(("name", "parameters", "values"), CASES, ids=lambda v: v if isinstance(v, str) else "")
def test_samples_have_the_moments(name, parameters, values):
    """Mean and variance of 40000 samples, within six standard errors."""
    if name in ("Categorical", "Cauchy") or (name == "StudentT" and "loc" not in parameters):
        pytest.skip("there is no mean or variance")
    wengert.manual_seed(7)
    d, _ = made(0, name, parameters)
    if name == "StudentT":  # the fourth moment must be there for the error of the variance
        d = ours.StudentT(wengert.full((3,), 9.0, dtype=wengert.float64))
    n = 40000
    x = d.sample((n,)).numpy()
    mean, variance = d.mean.detach().numpy(), d.variance.detach().numpy()
    error = np.sqrt(variance / n)
    assert (np.abs(x.mean(0) - mean) <= 6 * error + 1e-12).all()
    fourth = ((x - mean) ** 4).mean(0)
    assert (np.abs(x.var(0) - variance) <= 6 * np.sqrt(fourth / n) + 1e-12).all()


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


@pytest.mark.parametrize("name", ["Gamma", "Beta", "Dirichlet", "StudentT", "Chi2"])
def test_gradients_through_samples(name):
    """The gradient of the mean of samples is the gradient of the mean."""
    wengert.manual_seed(11)
    parameters = {n: p for n, p, _ in reversed(CASES)}[name]
    if name == "StudentT":
        parameters = {"df": np.full(3, 9.0), "loc": LOC, "scale": SCALE}
    d, leaves = made(0, name, parameters)
    weight = wengert.tensor([1.0, -2.0, 0.5], dtype=wengert.float64)
    n = 40000
    x = d.rsample((n,))
    found = wengert.autograd.grad((x * weight).sum() / n, leaves, retain_graph=True)
    wanted = wengert.autograd.grad((d.mean * weight).sum(), leaves, allow_unused=True)
    for g, w in zip(found, wanted, strict=True):
        w = wengert.zeros_like(g) if w is None else w
        assert (g - w).abs().max().item() < 0.05, (name, g, w)


def test_independent():
    results = []
    for package, library in ((ours, wengert), (theirs, torch)):
        base = package.Normal(library.zeros(4, 3), library.ones(4, 3))
        d, e = package.Independent(base, 1), package.Independent(package.Normal(library.ones(4, 3), 2.0), 1)
        results.append([
            repr(d).replace("torch", "wengert"), tuple(d.batch_shape), tuple(d.event_shape), d.log_prob(library.ones(4, 3)),
            d.entropy(), d.mean, d.variance, tuple(d.expand((5, 4)).sample((2,)).shape), package.kl_divergence(d, e),
        ])  # fmt: skip
        with pytest.raises(ValueError):
            package.Independent(base, 3)
    for a, b in zip(*results, strict=True):
        assert_same(a, b) if isinstance(b, torch.Tensor) else None
        assert isinstance(b, torch.Tensor) or a == b


TRANSFORMS = [
    ("ExpTransform", ()), ("SigmoidTransform", ()), ("TanhTransform", ()), ("SoftplusTransform", ()),
    ("AffineTransform", (1.5, -2.0)), ("PowerTransform", (2.0,)),
]  # fmt: skip


@pytest.mark.parametrize(("name", "args"), TRANSFORMS)
def test_transforms(name, args):
    x = np.array([0.3, 1.2, 0.7])
    results = []
    for package, library in ((ours, wengert), (theirs, torch)):
        if name == "PowerTransform":
            args = (library.tensor(2.0, dtype=library.float64),)
        t = getattr(package, name)(*args)
        v = library.from_numpy(x.copy())
        y = t(v)
        results.append([y, t.inv(y), t.log_abs_det_jacobian(v, y), t.inv.log_abs_det_jacobian(y, v)])
        assert t == getattr(package, name)(*args) and t.inv.inv is t and t.bijective
    assert_same(*results)


def test_transformed_distributions():
    results = []
    for package, library in ((ours, wengert), (theirs, torch)):
        loc = library.tensor([0.5, -0.3], dtype=library.float64, requires_grad=True)
        d = package.TransformedDistribution(
            package.Normal(loc, 1.5), [package.AffineTransform(1.0, -2.0), package.SigmoidTransform()]
        )
        e = package.TransformedDistribution(
            package.Independent(package.Normal(loc, 1.0), 1), [package.TanhTransform()]
        )
        p = d.log_prob(library.tensor([0.2, 0.9], dtype=library.float64))
        q = e.log_prob(library.tensor([0.2, -0.4], dtype=library.float64))
        results.append([
            p, q, d.cdf(library.tensor(0.4, dtype=library.float64)), d.icdf(library.tensor(0.4, dtype=library.float64)),
            *library.autograd.grad(p.sum() + q, [loc]),
        ])  # fmt: skip
        assert tuple(e.event_shape) == (2,) and tuple(d.rsample((3,)).shape) == (3, 2)
        assert tuple(e.expand((4,)).sample().shape) == (4, 2)
    assert_same(*results, rtol=1e-8)


@pytest.mark.parametrize("given", ["covariance_matrix", "precision_matrix", "scale_tril"])
@pytest.mark.parametrize("asked", ["covariance_matrix", "precision_matrix", "scale_tril"])
def test_matrices_of_multivariate_normal(given, asked):
    matrix = TRIL if given == "scale_tril" else COVARIANCE
    if (given, asked) == ("scale_tril", "precision_matrix"):  # torch's gradient has entries above the diagonal
        values = [
            made(side, "MultivariateNormal", {"loc": LOC[:2], given: matrix})[0].precision_matrix for side in (0, 1)
        ]
        assert_same(*values, rtol=1e-9)
        return
    same_with_gradients(
        lambda side, d: getattr(d.expand((2,)), asked), "MultivariateNormal", {"loc": LOC[:2], given: matrix}
    )


def test_transform_with_a_cache():
    t = ours.TanhTransform(cache_size=1)
    x = wengert.tensor([20.0])
    assert t.inv(t(x)) is x


BAD = [
    lambda d, t: d.Normal(0.0, -1.0), lambda d, t: d.Normal(float("nan"), 1.0), lambda d, t: d.Bernoulli(probs=1.5),
    lambda d, t: d.Bernoulli(), lambda d, t: d.Categorical(probs=t.tensor([0.5]), logits=t.tensor([0.5])),
    lambda d, t: d.Categorical(probs=t.tensor(-1.0)), lambda d, t: d.Uniform(1.0, 0.0), lambda d, t: d.Geometric(0.0),
    lambda d, t: d.Dirichlet(t.tensor(1.0)), lambda d, t: d.Dirichlet(t.tensor([1.0, -1.0])),
    lambda d, t: d.MultivariateNormal(t.zeros(2), -t.eye(2)), lambda d, t: d.MultivariateNormal(t.zeros(2)),
    lambda d, t: d.Normal(0.0, 1.0).log_prob(t.tensor(float("nan"))), lambda d, t: d.Normal(0.0, 1.0).log_prob(1.0),
    lambda d, t: d.Normal(t.zeros(3), 1.0).log_prob(t.zeros(2)), lambda d, t: d.Exponential(1.0).log_prob(t.tensor(-1.0)),
    lambda d, t: d.Categorical(t.ones(3)).log_prob(t.tensor(3)), lambda d, t: d.Poisson(1.0).log_prob(t.tensor(0.5)),
    lambda d, t: d.Beta(1.0, 1.0).log_prob(t.tensor(2.0)), lambda d, t: d.Normal("a", 1.0),
]  # fmt: skip


@pytest.mark.parametrize("bad", BAD, ids=range(len(BAD)))
def test_bad_arguments(bad):
    kinds = []
    for package, library in ((ours, wengert), (theirs, torch)):
        with pytest.raises(Exception) as info:
            bad(package, library)
        kinds.append(next(k for k in info.type.__mro__ if k.__module__ == "builtins"))
    assert kinds[0] is kinds[1]


def test_validation_can_be_switched_off():
    assert ours.Normal(0.0, -1.0, validate_args=False).scale.item() == -1
    ours.Distribution.set_default_validate_args(False)
    try:
        ours.Normal(0.0, -1.0)
    finally:
        ours.Distribution.set_default_validate_args(True)
    with pytest.raises(ValueError):
        ours.Normal(0.0, -1.0)


def test_enumerate_support():
    for name, parameters in (
        ("Bernoulli", {"probs": UNIT}),
        ("Categorical", {"logits": LOGITS}),
        ("OneHotCategorical", {"logits": LOGITS}),
    ):
        for expand in (True, False):
            assert_same(*[made(side, name, parameters)[0].enumerate_support(expand) for side in (0, 1)])


def test_constraints():
    names = (
        "real",
        "positive",
        "nonnegative",
        "unit_interval",
        "boolean",
        "nonnegative_integer",
        "positive_integer",
    )
    values = np.array([-1.0, 0.0, 0.5, 1.0, 2.0, math.nan, math.inf])
    for name in names:
        assert_same(
            getattr(ours.constraints, name).check(wengert.from_numpy(values)),
            getattr(theirs.constraints, name).check(torch.from_numpy(values)),
        )
    matrices = np.stack([np.eye(2), -np.eye(2), [[1.0, 0.5], [0.5, 1.0]], [[1.0, 0.0], [3.0, 1.0]]])
    for name in ("lower_cholesky", "lower_triangular", "positive_definite", "symmetric", "simplex", "one_hot"):
        assert_same(
            getattr(ours.constraints, name).check(wengert.from_numpy(matrices)),
            getattr(theirs.constraints, name).check(torch.from_numpy(matrices)),
        )


def test_custom_distribution():
    """A subclass written against the documented protocol."""

    def triangle(package, library):
        class Triangle(package.Distribution):
            arg_constraints = {"width": package.constraints.positive}
            has_rsample = True

            def __init__(self, width, validate_args=None):
                self.width = width
                super().__init__(width.shape, validate_args=validate_args)

            @package.constraints.dependent_property
            def support(self):
                return package.constraints.interval(-self.width, self.width)

            def rsample(self, sample_shape=()):
                shape = self._extended_shape(sample_shape)
                return self.width * (library.rand(shape) - library.rand(shape))

            def log_prob(self, value):
                if self._validate_args:
                    self._validate_sample(value)
                return (1 - value.abs() / self.width).log() - self.width.log()

        return Triangle

    results = []
    for package, library in ((ours, wengert), (theirs, torch)):
        kind = triangle(package, library)
        d = kind(library.tensor([1.0, 2.0]))
        results.append(
            [d.log_prob(library.tensor([0.5, 0.5])), package.Independent(d, 1).log_prob(library.tensor([0.5, 0.5]))]
        )
        assert tuple(d.sample((5,)).shape) == (5, 2) and repr(d).startswith("Triangle(width: ")
        with pytest.raises(ValueError):
            kind(library.tensor([-1.0]))
        with pytest.raises(ValueError):
            d.log_prob(library.tensor([3.0, 0.0]))
        with pytest.raises(NotImplementedError):
            d.entropy()
        with pytest.raises(NotImplementedError):
            d.expand((3, 2))
    assert_same(*results)
