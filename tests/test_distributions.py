"""Distributions beside torch's: densities, entropies, moments, supports, shapes, and their gradients."""

import numpy as np
import pytest
from against_torch import assert_same
from distribution_cases import (
    COVARIANCE,
    LOC,
    LOGITS,
    TRIL,
    UNIT,
    every_case,
    gradients,
    made,
    ours,
    same_with_gradients,
    theirs,
    torch,
    values_of,
)  # fmt: skip

import wengert

# Relative differences: the rest is the precision of torch's polynomials for Bessel functions.
LOOSE = {"VonMises": 1e-6}


@every_case
def test_log_prob(name, parameters, values):
    same_with_gradients(
        lambda side, d: d.log_prob(values_of(side, values)), name, parameters, LOOSE.get(name, 1e-7)
    )


@every_case
def test_gradients_for_the_value(name, parameters, values):
    results = []
    for side in (0, 1):
        d, _ = made(side, name, parameters)
        if d.support.is_discrete:
            return
        x = values_of(side, values).requires_grad_()
        results += gradients(side, d.log_prob(x), [x])
    if results[1] is None:
        assert results[0] is None or not results[0].any()
        return
    if name in ("Wishart", "LKJCholesky"):  # a step off the symmetric matrices, or off the unit rows, is arbitrary
        results = [sum(r.diagonal(offset=0, dim1=-2, dim2=-1).unbind(-1)) for r in results]
    assert_same(*results, rtol=2e-5 if values.dtype == np.float32 else 1e-7, atol=1e-9)


@pytest.mark.parametrize("what", ["entropy", "mean", "variance", "stddev", "mode", "perplexity"])
@every_case
def test_summaries(name, parameters, values, what):
    if (name, what) == ("Kumaraswamy", "mode"):
        pytest.skip("torch's mode is NaN everywhere; test_kumaraswamy_mode has the formula")

    def summary(side, d):
        value = getattr(d, what)
        return value() if callable(value) else value

    try:
        summary(1, made(1, name, parameters)[0])
    except NotImplementedError:
        with pytest.raises(NotImplementedError):
            summary(0, made(0, name, parameters)[0])
        return
    same_with_gradients(summary, name, parameters, 1e-3 if name in LOOSE else 1e-7)


@every_case
def test_cdf(name, parameters, values):
    if name in ("Gamma", "Chi2", "InverseGamma"):
        pytest.skip("torch has no gradient for the concentration; test_cdf_of_gamma")

    for method, points in (("cdf", values), ("icdf", UNIT.astype(values.dtype))):
        try:
            getattr(made(1, name, parameters)[0], method)(values_of(1, points))
        except (NotImplementedError, ValueError) as error:
            with pytest.raises(type(error)):
                getattr(made(0, name, parameters)[0], method)(values_of(0, points))
            continue
        same_with_gradients(
            lambda side, d, method=method, points=points: getattr(d, method)(values_of(side, points)),
            name,
            parameters,
        )


def _known(compute):
    try:
        compute()
    except NotImplementedError:
        return False
    return True


@pytest.mark.filterwarnings("ignore:Singular sample detected")  # torch says so of any sample
@every_case
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
    if _known(lambda: b.mean):
        assert_same(wide.mean, wider.mean)
    one = values if len(a.event_shape) == 2 else values[:1]
    same_with_gradients(
        lambda side, d: d.expand((2, *d.batch_shape)).log_prob(values_of(side, one)), name, parameters,
        LOOSE.get(name, 1e-7),
    )  # fmt: skip


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
