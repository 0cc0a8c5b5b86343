"""What the tests of distributions share: parameters and values for each of them, for both libraries."""

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
COVARIANCES = np.stack([COVARIANCE, COVARIANCE + np.eye(2)])
TRIL = np.array([[1.2, 0.0], [-0.4, 0.8]])
FACTOR = np.array([[1.0, 0.2], [0.5, -0.3], [-0.7, 0.4]])
REAL = np.array([[0.1, -0.7, 3.0], [1.1, -2.0, 0.0]])
POSITIVE = np.abs(REAL) + 0.1
COUNTS = np.array([[0.0, 3.0, 1.0], [2.0, 0.0, 5.0]])
SIMPLEX = np.array([[0.2, 0.3, 0.5], [0.6, 0.3, 0.1]])
TEMPERATURE = np.array(0.7)
CORRELATED = np.array([[1.0, 0.0, 0.0], [0.6, 0.8, 0.0], [0.36, 0.48, 0.8]])
SINGLE = np.array([[0.3, -1.2, 2.0], [0.5, 1.5, 2.5], [0.3, 0.0, -0.2]], dtype=np.float32)

# name: parameters, values for log_prob.
CASES = [
    ("Normal", {"loc": LOC, "scale": SCALE}, REAL),
    ("LogNormal", {"loc": LOC, "scale": SCALE}, POSITIVE),
    ("Uniform", {"low": LOC - 3, "high": LOC + 3}, np.array([[0.1, -0.7, 3.0], [1.1, -2.0, 0.5]])),
    ("Exponential", {"rate": SCALE}, POSITIVE),
    ("Laplace", {"loc": LOC, "scale": SCALE}, REAL),
    ("Cauchy", {"loc": LOC, "scale": SCALE}, REAL),
    ("HalfCauchy", {"scale": SCALE}, POSITIVE),
    ("Gumbel", {"loc": LOC, "scale": SCALE}, REAL),
    ("HalfNormal", {"scale": SCALE}, POSITIVE),
    ("StudentT", {"df": SCALE + 2, "loc": LOC, "scale": SCALE}, REAL),
    ("StudentT", {"df": np.array([0.5, 1.5, 3.0])}, REAL),
    ("Gamma", {"concentration": SCALE, "rate": SCALE[::-1].copy()}, POSITIVE),
    ("Chi2", {"df": SCALE}, POSITIVE),
    ("Beta", {"concentration1": SCALE, "concentration0": SCALE[::-1].copy()}, np.array([UNIT, UNIT**2])),
    ("Dirichlet", {"concentration": SCALE}, SIMPLEX),
    ("Poisson", {"rate": SCALE}, COUNTS),
    ("Geometric", {"probs": UNIT}, COUNTS),
    ("Geometric", {"logits": LOC}, COUNTS),
    ("Bernoulli", {"probs": UNIT}, np.array([1.0, 0.0, 1.0])),
    ("Bernoulli", {"logits": LOC}, np.array([1.0, 0.0, 1.0])),
    ("Categorical", {"probs": np.exp(LOGITS)}, np.array([2, 0])),
    ("Categorical", {"logits": LOGITS}, np.array([[2, 0], [1, 1], [0, 2]])),
    ("OneHotCategorical", {"logits": LOGITS}, np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])),
    ("OneHotCategoricalStraightThrough", {"probs": SIMPLEX}, np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])),
    ("MultivariateNormal", {"loc": LOC[:2], "covariance_matrix": COVARIANCE}, REAL[:, :2].copy()),
    ("MultivariateNormal", {"loc": LOC[:2], "precision_matrix": COVARIANCE}, REAL[:, :2].copy()),
    ("MultivariateNormal", {"loc": LOC[:2], "scale_tril": TRIL}, REAL[:, :2].copy()),
    ("LowRankMultivariateNormal", {"loc": LOC, "cov_factor": FACTOR, "cov_diag": SCALE}, REAL),
    ("LowRankMultivariateNormal", {"loc": REAL, "cov_factor": FACTOR, "cov_diag": POSITIVE}, REAL + 0.5),
    ("Binomial", {"total_count": 6, "probs": UNIT}, COUNTS),
    ("Binomial", {"total_count": np.array([5.0, 7.0, 40.0]), "logits": LOC}, COUNTS),
    ("Binomial", {"total_count": 6, "logits": np.array([0.0, 30.0, -30.0])}, COUNTS),
    ("NegativeBinomial", {"total_count": SCALE * 2, "probs": UNIT}, COUNTS),
    ("NegativeBinomial", {"total_count": 3, "logits": LOC}, COUNTS),
    ("Multinomial", {"total_count": 6, "logits": LOGITS}, np.array([[1.0, 2.0, 3.0], [0.0, 6.0, 0.0]])),
    ("Multinomial", {"total_count": 4, "probs": SCALE}, np.array([[1.0, 2.0, 1.0], [0.0, 4.0, 0.0]])),
    ("relaxed_bernoulli.LogitRelaxedBernoulli", {"temperature": TEMPERATURE, "probs": UNIT}, REAL),
    ("RelaxedBernoulli", {"temperature": TEMPERATURE, "probs": UNIT}, np.array([UNIT, UNIT**2])),
    ("RelaxedBernoulli", {"temperature": TEMPERATURE, "logits": LOC}, np.array([UNIT, UNIT**2])),
    ("relaxed_categorical.ExpRelaxedCategorical", {"temperature": TEMPERATURE, "probs": SIMPLEX}, np.log(SIMPLEX)),
    ("RelaxedOneHotCategorical", {"temperature": TEMPERATURE, "logits": LOGITS}, SIMPLEX),
    ("RelaxedOneHotCategorical", {"temperature": TEMPERATURE, "probs": SIMPLEX}, SIMPLEX),
    ("Weibull", {"scale": SCALE, "concentration": np.array([0.8, 1.5, 3.0])}, POSITIVE),
    ("Pareto", {"scale": SCALE, "alpha": np.array([3.5, 2.5, 4.0])}, POSITIVE + 2.5),
    # In float32: in float64 PyTorch 2.13 compares the concentration with a float32 zero, which it refuses.
    ("GeneralizedPareto", {"loc": SINGLE[0], "scale": SINGLE[1], "concentration": SINGLE[2]}, SINGLE[:2] + 2),
    ("InverseGamma", {"concentration": SCALE + 2, "rate": SCALE}, POSITIVE),
    ("Kumaraswamy", {"concentration1": SCALE + 1, "concentration0": SCALE[::-1] + 0.8}, np.array([UNIT, UNIT**2])),
    ("LogisticNormal", {"loc": LOC[:2], "scale": SCALE[:2]}, SIMPLEX),
    ("VonMises", {"loc": LOC, "concentration": SCALE}, REAL),
    ("VonMises", {"loc": LOC, "concentration": np.array([0.01, 12.0, 80.0])}, REAL),
    ("LKJCholesky", {"dim": 3, "concentration": SCALE}, CORRELATED),
    ("FisherSnedecor", {"df1": SCALE * 3, "df2": SCALE + 4}, POSITIVE),
    ("ContinuousBernoulli", {"probs": UNIT}, np.array([UNIT, UNIT**2])),
    ("ContinuousBernoulli", {"probs": np.array([0.4995, 0.5, 0.5005])}, np.array([UNIT, UNIT**2])),
    ("ContinuousBernoulli", {"logits": LOC}, np.array([UNIT, UNIT**2])),
    ("Wishart", {"df": np.array([3.5, 4.0]), "covariance_matrix": COVARIANCES}, COVARIANCES + np.eye(2)),
    ("Wishart", {"df": np.array(3.5), "precision_matrix": COVARIANCE}, COVARIANCE + np.eye(2)),
    ("Wishart", {"df": 3.5, "scale_tril": TRIL}, COVARIANCES + np.eye(2)),
]  # fmt: skip
every_case = pytest.mark.parametrize(
    ("name", "parameters", "values"), CASES, ids=lambda v: v if isinstance(v, str) else ""
)


def of(side, name):
    """A class of one package's distributions; a name with a dot is one of a file's."""
    found = (ours, theirs)[side]
    for part in name.split("."):
        found = getattr(found, part)
    return found


def made(side, name, parameters):
    """A distribution of one package and its parameters, which require grad; plain numbers stay numbers."""
    library = (wengert, torch)[side]
    tensors = {
        k: library.from_numpy(np.array(v)).requires_grad_() if isinstance(v, np.ndarray) else v
        for k, v in parameters.items()
    }
    return of(side, name)(**tensors), [v for v in tensors.values() if isinstance(v, library.Tensor)]


def values_of(side, values):
    return (wengert, torch)[side].from_numpy(np.array(values))


def gradients(side, value, leaves):
    library = (wengert, torch)[side]
    if not value.requires_grad:
        return [None] * len(leaves)
    return list(library.autograd.grad(value.sum(), leaves, allow_unused=True))


def same_with_gradients(function, name, parameters, rtol=1e-7):
    """The same value and the same gradients for the parameters, of `function(side, distribution)`.

    Of a triangular matrix, the gradients of the triangle count: torch has some above the diagonal too.
    """
    if any(getattr(v, "dtype", None) == np.float32 for v in parameters.values()):
        rtol = 2e-5
    results = []
    for side in (0, 1):
        d, leaves = made(side, name, parameters)
        value = function(side, d)
        found = gradients(side, value, leaves)
        if "scale_tril" in parameters:
            found = [g.tril() if g is not None and g.dim() > 1 else g for g in found]
        results.append((value, found))
    assert_same(results[0][0], results[1][0], rtol=rtol, atol=1e-9)
    for a, b in zip(results[0][1], results[1][1], strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            assert_same(a, b, rtol=10 * rtol, atol=1e-8)
