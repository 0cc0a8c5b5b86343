"""Distributions at their edges beside torch's: values outside the support, plain numbers, errors, mixtures, file names."""

import copy
import importlib
import inspect
import math
import pickle
import pkgutil

import numpy as np
import pytest
from against_torch import assert_same
from distribution_cases import (
    CASES,
    LOC,
    LOGITS,
    SCALE,
    UNIT,
    every_case,
    gradients,
    made,
    of,
    ours,
    theirs,
    torch,
    values_of,
)  # fmt: skip

import wengert


@pytest.mark.parametrize("method", ["log_prob", "cdf"])
@every_case
def test_values_outside_the_support_without_validation(name, parameters, values, method):
    """Where torch has a number, ours is the same."""
    if name == "Categorical" or np.asarray(values).dtype == np.float32:
        pytest.skip("an index outside is an error; float32 is compared inside")
    x = np.array([-1.5, 0.0, 0.5, 1.0, 1e3, np.inf, -np.inf])
    results = []
    for side in (1, 0):
        tensors = {k: values_of(side, v) if isinstance(v, np.ndarray) else v for k, v in parameters.items()}
        d = of(side, name)(**tensors, validate_args=False)
        if d.event_shape:
            pytest.skip("for distributions of numbers")
        try:
            results.append(getattr(d, method)(values_of(side, x.reshape(-1, *(1 for _ in d.batch_shape)))))
        except (NotImplementedError, ValueError, RuntimeError):
            if side == 1:
                return
            raise
    wanted, found = (r.numpy() for r in results)
    known = np.isfinite(wanted)
    np.testing.assert_allclose(found[known], wanted[known], rtol=1e-6 if name == "VonMises" else 1e-7, atol=1e-9)


NUMBERS = [
    ("Normal", (0, 1)), ("Normal", (0.5, 2)), ("Uniform", (0, 2)), ("Exponential", (2,)), ("Gamma", (2, 3)),
    ("Beta", (2, 3.0)),
    ("Laplace", (0, 1)), ("Cauchy", (0, 1)), ("HalfCauchy", (1.0,)), ("HalfNormal", (2,)), ("Gumbel", (0, 1)),
    ("StudentT", (5,)), ("Chi2", (3,)), ("Poisson", (2,)), ("Geometric", (0.5,)), ("Bernoulli", (0.5,)),
    ("Binomial", (3, 0.5)),
    ("NegativeBinomial", (3, 0.5)), ("Weibull", (1, 2)), ("Pareto", (1, 3)), ("GeneralizedPareto", (0.0, 1.0, 0.2)),
    ("InverseGamma", (3, 1.0)), ("Kumaraswamy", (2, 3)), ("LogNormal", (0, 1)), ("VonMises", (0.0, 1.0)),
    ("FisherSnedecor", (3, 5)), ("ContinuousBernoulli", (0.3,)), ("LKJCholesky", (3,)), ("LogisticNormal", (0.0, 1.0)),
    ("RelaxedBernoulli", (0.5, 0.3)),
]  # fmt: skip


@pytest.mark.parametrize(("name", "numbers"), NUMBERS, ids=[n[0] + str(i) for i, n in enumerate(NUMBERS)])
def test_plain_numbers(name, numbers):
    a, b = getattr(ours, name)(*numbers), getattr(theirs, name)(*numbers)
    assert repr(a) == repr(b)
    assert tuple(a.batch_shape) == tuple(b.batch_shape) and tuple(a.event_shape) == tuple(b.event_shape)
    x, y = a.sample(), b.sample()
    assert x.dtype == wengert.float32 and y.dtype == torch.float32 and tuple(x.shape) == tuple(y.shape)
    if name != "RelaxedBernoulli":  # torch wants a tensor for the temperature here
        assert_same(a.log_prob(x), b.log_prob(torch.from_numpy(x.numpy().copy())), rtol=1e-4, atol=1e-5)


def outside(name, *args):
    """The log-probability of a value that the support excludes, with validation."""
    return lambda d, t: getattr(d, name)(*args).log_prob(t.tensor(-2.5))


BAD = [
    lambda d, t: d.Binomial(3), lambda d, t: d.Binomial(3, 0.5, 0.5), lambda d, t: d.Binomial(-1, 0.5),
    lambda d, t: d.Binomial(1.5, 0.5), lambda d, t: d.Binomial(3, 1.5), lambda d, t: d.NegativeBinomial(3, 1.0),
    lambda d, t: d.NegativeBinomial(-1, 0.5), lambda d, t: d.NegativeBinomial(1), lambda d, t: d.Multinomial(1.5, t.ones(2)),
    lambda d, t: d.Multinomial(t.tensor(2), t.ones(2)), lambda d, t: d.Multinomial(2),
    lambda d, t: d.Multinomial(2, t.ones(3)).log_prob(t.tensor([1.0, 1.0])),
    lambda d, t: d.Multinomial(2, t.ones(2)).log_prob(t.tensor([3.0, 1.0])),
    lambda d, t: d.Binomial(t.tensor([2.0, 3.0]), t.tensor([0.5, 0.5])).entropy(),
    lambda d, t: d.Binomial(t.tensor([2.0, 3.0]), t.tensor([0.5, 0.5])).enumerate_support(),
    lambda d, t: d.MixtureSameFamily(d.Normal(0.0, 1.0), d.Normal(t.zeros(2), 1.0)),
    lambda d, t: d.MixtureSameFamily(d.Categorical(t.ones(2)), 3),
    lambda d, t: d.MixtureSameFamily(d.Categorical(t.ones(2)), d.Normal(t.zeros(3), 1.0)),
    lambda d, t: d.MixtureSameFamily(d.Categorical(t.ones(3, 2)), d.Normal(t.zeros(4, 2), 1.0)),
    lambda d, t: d.LowRankMultivariateNormal(t.tensor(0.0), t.ones(1, 1), t.ones(1)),
    lambda d, t: d.LowRankMultivariateNormal(t.zeros(2), t.ones(2), t.ones(2)),
    lambda d, t: d.LowRankMultivariateNormal(t.zeros(2), t.ones(3, 1), t.ones(2)),
    lambda d, t: d.LowRankMultivariateNormal(t.zeros(2), t.ones(2, 1), t.ones(3)),
    lambda d, t: d.LowRankMultivariateNormal(t.zeros(3, 2), t.ones(4, 2, 1), t.ones(2)),
    lambda d, t: d.LowRankMultivariateNormal(t.zeros(2), t.ones(2, 1), -t.ones(2)),
    lambda d, t: d.Wishart(3.0), lambda d, t: d.Wishart(1.0, t.eye(2)), lambda d, t: d.Wishart(3.0, t.ones(2)),
    lambda d, t: d.Wishart(3.0, t.eye(2), t.eye(2)), lambda d, t: d.Wishart(3.0, -t.eye(2)),
    lambda d, t: d.Wishart(3.0, t.eye(2)).log_prob(-t.eye(2)), lambda d, t: d.LKJCholesky(1),
    lambda d, t: d.LKJCholesky(2, -1.0),
    lambda d, t: d.LKJCholesky(2).log_prob(t.ones(2, 2)), lambda d, t: d.VonMises(0.0, -1.0),
    lambda d, t: d.Pareto(-1.0, 1.0),
    lambda d, t: d.Weibull(1.0, -1.0), lambda d, t: d.InverseGamma(-1.0, 1.0), lambda d, t: d.HalfCauchy(-1.0),
    lambda d, t: d.Kumaraswamy(-1.0, 1.0), lambda d, t: d.FisherSnedecor(-1.0, 1.0),
    lambda d, t: d.GeneralizedPareto(0, -1.0, 0.1),
    lambda d, t: d.ContinuousBernoulli(), lambda d, t: d.ContinuousBernoulli(1.5, validate_args=True),
    lambda d, t: d.RelaxedBernoulli(t.tensor(0.5)), lambda d, t: d.RelaxedOneHotCategorical(t.tensor(0.5)),
    lambda d, t: d.RelaxedOneHotCategorical(t.tensor(0.5), t.tensor([-1.0, 1.0])), lambda d, t: d.LogisticNormal(0.0, -1.0),
    outside("Pareto", 1.0, 1.0), outside("Weibull", 1.0, 1.0), outside("InverseGamma", 1.0, 1.0), outside("HalfCauchy", 1.0),
    outside("Kumaraswamy", 1.0, 1.0), outside("FisherSnedecor", 1.0, 1.0), outside("GeneralizedPareto", 0.0, 1.0, 0.1),
    outside("ContinuousBernoulli", 0.5), outside("Binomial", 3, 0.5), outside("NegativeBinomial", 3, 0.5),
    lambda d, t: d.Weibull(1.0, 1.0).cdf(t.tensor(-1.0)), lambda d, t: d.Normal(0.0, 1.0).enumerate_support(),
    lambda d, t: d.Normal(0.0, 1.0).rsample().log_prob(), lambda d, t: d.Poisson(1.0).rsample(),
    lambda d, t: d.VonMises(0.0, 1.0).entropy(), lambda d, t: d.Multinomial(2, t.ones(2)).mode,
    lambda d, t: d.Independent(d.Bernoulli(t.ones(2) / 2), 1).enumerate_support(),
    lambda d, t: d.Distribution.set_default_validate_args(3), lambda d, t: d.Distribution().mean,
    lambda d, t: d.Distribution(validate_args=False).log_prob(t.zeros(1)),
    lambda d, t: d.ExponentialFamily(validate_args=False).entropy(),
]  # fmt: skip


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("bad", BAD, ids=range(len(BAD)))
def test_bad_arguments(bad):
    kinds = []
    for package, library in ((theirs, torch), (ours, wengert)):
        with pytest.raises(Exception) as info:
            bad(package, library)
        kinds.append(next(k for k in info.type.__mro__ if k.__module__ == "builtins"))
    assert kinds[0] is kinds[1], info.value


MIXTURES = [
    ("numbers", lambda d, side: (d.Categorical(values_of(side, UNIT)), d.Normal(values_of(side, LOC), 1.5)), LOC[:2]),
    ("batch", lambda d, side: (
        d.Categorical(logits=values_of(side, LOGITS)), d.Normal(values_of(side, LOGITS * 2), 1.5)), LOC[:2]),
    ("one mixture for a batch", lambda d, side: (
        d.Categorical(values_of(side, UNIT)), d.Normal(values_of(side, LOGITS * 2), 1.5)), LOC[:2]),
    ("vectors", lambda d, side: (
        d.Categorical(values_of(side, UNIT[:2])), d.Independent(d.Normal(values_of(side, LOGITS), 1.5), 1)), LOC),
    ("batch of vectors", lambda d, side: (
        d.Categorical(values_of(side, np.stack([UNIT[:2], UNIT[1:]]))),
        d.Independent(d.Normal(values_of(side, np.stack([LOGITS, LOGITS + 1])), 1.5), 1)), np.stack([LOC, LOC + 1])),
    ("multivariate", lambda d, side: (
        d.Categorical(values_of(side, UNIT[:2])),
        d.MultivariateNormal(values_of(side, LOGITS), values_of(side, np.eye(3) + 0.2))), LOC),
    ("counts", lambda d, side: (d.Categorical(values_of(side, UNIT)), d.Poisson(values_of(side, SCALE))), np.array(2.0)),
]  # fmt: skip


@pytest.mark.parametrize(("parts", "x"), [m[1:] for m in MIXTURES], ids=[m[0] for m in MIXTURES])
def test_mixtures(parts, x):
    results = []
    for side, package in enumerate((ours, theirs)):
        d = package.MixtureSameFamily(*parts(package, side))
        v = values_of(side, x).requires_grad_()
        log_prob = d.log_prob(v)
        wide = d.expand((2, *d.batch_shape))
        row = [log_prob, d.mean, d.variance, d.stddev, d.support.check(v), wide.log_prob(v), wide.mean]
        row += gradients(side, log_prob, [v])
        try:
            row.append(d.cdf(v))
        except NotImplementedError:
            row.append(None)
        row.append(repr(d).replace("torch.", "wengert."))
        row += [d.has_rsample, repr(d.support), d.support.event_dim]
        results.append(row)
        if package is ours:  # torch wants a mixture with the whole batch to sample from
            assert tuple(d.sample((4,)).shape) == (4, *d.batch_shape, *d.event_shape)
            assert tuple(wide.sample().shape) == (2, *d.batch_shape, *d.event_shape)
    for a, b in zip(*results, strict=True):
        if isinstance(b, torch.Tensor):
            assert_same(a, b, rtol=1e-9)
        else:
            assert a == b


@pytest.mark.parametrize(
    ("name", "parameters"),
    [("Binomial", {"total_count": 3, "probs": UNIT}), ("Binomial", {"total_count": 2, "logits": LOGITS})],
)
@pytest.mark.parametrize("expand", [True, False])
def test_enumerate_support(name, parameters, expand):
    assert_same(*[made(side, name, parameters)[0].enumerate_support(expand) for side in (0, 1)])


def test_kumaraswamy_mode():
    """Where the density is largest, beside a search; NaN without a mode inside."""
    d = ours.Kumaraswamy(wengert.tensor([2.0, 5.0, 1.5, 0.5], dtype=wengert.float64), 3.0)
    x = np.linspace(1e-4, 1 - 1e-4, 20001)
    best = x[d.log_prob(wengert.from_numpy(x[:, None])).numpy().argmax(0)]
    mode = d.mode.numpy()
    np.testing.assert_allclose(mode[:3], best[:3], atol=1e-4)
    assert math.isnan(mode[3])


def test_generalized_pareto_in_float64():
    """Special cases of the family: the exponential, the uniform and the Pareto distribution."""
    x = wengert.tensor([0.1, 0.5, 0.9], dtype=wengert.float64)

    def law(loc, scale, concentration):
        return ours.GeneralizedPareto(
            *(wengert.tensor(v, dtype=wengert.float64) for v in (loc, scale, concentration))
        )

    def tensor(v):
        return wengert.tensor(v, dtype=wengert.float64)

    for d, same, at in (
        (law(0.0, 0.5, 0.0), ours.Exponential(tensor(2.0)), x),
        (law(0.0, 1.0, -1.0), ours.Uniform(tensor(0.0), tensor(1.0)), x),
        (law(1.5, 0.5, 1 / 3), ours.Pareto(tensor(1.5), tensor(3.0)), x + 1.5),
    ):
        for method in ("log_prob", "cdf"):
            np.testing.assert_allclose(
                getattr(d, method)(at).numpy(), getattr(same, method)(at).numpy(), rtol=1e-12
            )
        np.testing.assert_allclose(d.icdf(d.cdf(at)).numpy(), at.numpy(), rtol=1e-12)
        np.testing.assert_allclose(d.log_survival_function(at).exp().numpy(), 1 - d.cdf(at).numpy(), rtol=1e-9)
        np.testing.assert_allclose(d.log_cdf(at).exp().numpy(), d.cdf(at).numpy(), rtol=1e-9)
        np.testing.assert_allclose(d.entropy().item(), same.entropy().item(), rtol=1e-12)


def test_summaries_that_are_infinite_or_unknown():
    for name, numbers in (
        ("Pareto", (1.0, 0.7)), ("Pareto", (1.0, 1.5)), ("InverseGamma", (0.5, 1.0)), ("InverseGamma", (1.5, 1.0)),
        ("FisherSnedecor", (1.0, 1.0)), ("FisherSnedecor", (3.0, 3.0)), ("GeneralizedPareto", (0.0, 1.0, 0.7)),
        ("HalfCauchy", (1.0,)), ("StudentT", (0.5,)), ("Weibull", (1.0, 0.5)),
    ):  # fmt: skip
        a, b = getattr(ours, name)(*numbers), getattr(theirs, name)(*numbers)
        for what in ("mean", "variance", "mode"):
            assert_same(getattr(a, what), getattr(b, what), rtol=1e-5)


def test_every_file_of_torch_is_here():
    """Programs import classes from files: each file of torch.distributions, and each public name of it."""
    with wengert.as_torch():
        for info in pkgutil.iter_modules(theirs.__path__):
            there = importlib.import_module(f"wengert.distributions.{info.name}")
            public = getattr(getattr(theirs, info.name), "__all__", [])
            assert not [n for n in public if not hasattr(there, n)], info.name


def test_names_by_attribute():
    with wengert.as_torch():
        program = """
import torch
from torch.distributions import Binomial, biject_to, constraints
from torch.distributions.binomial import Binomial as Same
from torch.distributions.lowrank_multivariate_normal import LowRankMultivariateNormal
from torch.distributions.constraint_registry import transform_to
import torch.distributions.transforms as T
import torch.distributions as D
found = [Binomial is Same, torch.distributions.VonMises is D.von_mises.VonMises, T.ExpTransform is D.ExpTransform,
         torch.distributions.kl.kl_divergence is D.kl_divergence, torch.distributions.utils.euler_constant > 0]
"""
        names = {}
        exec(program, names)
    assert names["found"] == [True] * 5


def test_every_class_is_in_the_cases():
    tested = {name for name, *_ in CASES} | {"MixtureSameFamily", "Independent", "TransformedDistribution"}
    kinds = {n for n in theirs.__all__ if isinstance(getattr(theirs, n), type)}
    kinds = {n for n in kinds if issubclass(getattr(theirs, n), theirs.Distribution)}
    assert kinds - tested == {"Distribution", "ExponentialFamily"}


def signature(function):
    return [(p.name, p.kind) for p in inspect.signature(function).parameters.values()]


@pytest.mark.parametrize("name", theirs.__all__)
def test_signatures_are_torchs(name):
    """Every public method takes torch's arguments, in torch's order."""
    mine, other = getattr(ours, name), getattr(theirs, name)
    if not isinstance(other, type):
        return
    for method in ("__init__", *(m for m in dir(other) if not m.startswith("_"))):
        there = getattr(other, method)
        assert hasattr(mine, method), method
        if inspect.isfunction(there) and (name, method) != ("CorrCholeskyTransform", "log_abs_det_jacobian"):
            assert signature(getattr(mine, method)) == signature(there), method


@every_case
def test_copies_and_pickles(name, parameters, values):
    d = of(0, name)(**{k: values_of(0, v) if isinstance(v, np.ndarray) else v for k, v in parameters.items()})
    x = values_of(0, values)
    shown, copies = repr(d), (copy.deepcopy(d), pickle.loads(pickle.dumps(d)))
    for same in copies:
        assert repr(same) == shown and repr(same.support) == repr(d.support)
        assert wengert.equal(same.log_prob(x), d.log_prob(x))


@every_case
def test_second_derivatives(name, parameters, values):
    """Gradients of gradients of log_prob, for the parameters, by differences of gradients."""
    if np.asarray(values).dtype == np.float32 or name in ("Wishart", "MultivariateNormal", "LKJCholesky"):
        pytest.skip("not in float32; matrices have constraints that a step would leave")
    d, leaves = made(0, name, parameters)
    value = d.log_prob(values_of(0, values)).sum()
    first = wengert.autograd.grad(value, leaves, create_graph=True, allow_unused=True)
    total = sum((g * g).sum() for g in first if g is not None)
    if not getattr(total, "requires_grad", False):
        return
    second = wengert.autograd.grad(total, leaves, allow_unused=True)
    names = [k for k, v in parameters.items() if isinstance(v, np.ndarray)]
    step, rng = 1e-6, np.random.default_rng(0)
    directions = {k: np.asarray(0.1 * rng.standard_normal(parameters[k].shape)) for k in names}
    if name == "Binomial" and "total_count" in names:
        directions["total_count"] *= 0  # whole numbers

    def squared(sign):
        moved = {k: np.asarray(v + sign * step * directions[k]) if k in names else v for k, v in parameters.items()}
        e, inner = made(0, name, moved)
        grads = wengert.autograd.grad(e.log_prob(values_of(0, values)).sum(), inner, allow_unused=True)
        return sum((g * g).sum().item() for g in grads if g is not None)

    wanted = (squared(1) - squared(-1)) / (2 * step)
    found = sum((g.numpy() * directions[k]).sum() for k, g in zip(names, second, strict=True) if g is not None)
    assert found == pytest.approx(wanted, rel=1e-4, abs=1e-4)


def test_the_cdf_of_gamma_has_a_gradient_where_its_density_vanishes():
    shape = wengert.tensor(900.0, dtype=wengert.float64, requires_grad=True)
    wengert.distributions.Gamma(shape, 1.0).cdf(wengert.tensor(45.0, dtype=wengert.float64)).backward()
    assert shape.grad.item() == 0.0
