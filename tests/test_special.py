"""Special functions: values against mpmath, gradients and overloads against PyTorch."""

import math

import numpy as np
import pytest
from against_torch import assert_same, check, same_error, torch

import wengert as wg
from wengert._bind import OPS

mpmath = pytest.importorskip("mpmath")
mp = mpmath.mp.clone()
mp.prec = 120
RNG = np.random.default_rng(11)
POSITIVE = np.concatenate([10.0 ** np.linspace(-8, 2.5, 60), np.linspace(0.1, 60, 60)])
BOTH = np.concatenate([-POSITIVE, [0.0], POSITIVE])
PROBABILITIES = np.concatenate([10.0 ** np.linspace(-300, -1, 80), np.linspace(0.01, 0.99, 50)])


def erfcx(x):
    return mp.exp(x * x) * mp.erfc(x)


def log_ndtr(x):
    return mp.log(mp.erfc(-x / mp.sqrt(2)) / 2)


def ndtr(x):
    return mp.erfc(-x / mp.sqrt(2)) / 2


# name: (mpmath's, arguments, whether errors count against 1 near zeros)
UNARY = {
    "i0": (lambda x: mp.besseli(0, x), BOTH, False),
    "i1": (lambda x: mp.besseli(1, x), BOTH, False),
    "i0e": (lambda x: mp.besseli(0, x) * mp.exp(-abs(x)), BOTH, False),
    "i1e": (lambda x: mp.besseli(1, x) * mp.exp(-abs(x)), BOTH, False),
    "bessel_j0": (lambda x: mp.besselj(0, x), BOTH, True),
    "bessel_j1": (lambda x: mp.besselj(1, x), BOTH, True),
    "bessel_y0": (lambda x: mp.bessely(0, x), POSITIVE, True),
    "bessel_y1": (lambda x: mp.bessely(1, x), POSITIVE, True),
    "erfcx": (erfcx, BOTH[BOTH > -26], False),
    "log_ndtr": (log_ndtr, BOTH[BOTH < 8], False),
    "spherical_bessel_j0": (mp.sinc, BOTH, True),
}


def close(got, want, near_one=False, rtol=1e-12):
    scale = np.maximum(np.abs(want), 1.0) if near_one else np.abs(want)
    assert np.all(np.abs(got - want) <= rtol * scale), np.max(np.abs(got - want) / np.where(scale == 0, 1, scale))


@pytest.mark.parametrize("name", UNARY)
def test_values(name):
    reference, x, near_one = UNARY[name]
    want = np.array([float(reference(mp.mpf(v))) for v in x])
    function = getattr(wg.special, name)
    close(function(wg.from_numpy(x)).numpy(), want, near_one)
    short = function(wg.from_numpy(x.astype(np.float32))).numpy()
    wide = function(wg.from_numpy(x.astype(np.float32).astype(np.float64))).numpy()
    if name != "spherical_bessel_j0":  # a composition: it rounds in between
        with np.errstate(over="ignore"):
            np.testing.assert_array_equal(short, wide.astype(np.float32))


def test_inverse_of_the_normal_distribution():
    got = wg.special.ndtri(wg.from_numpy(PROBABILITIES)).numpy()
    for p, x in zip(PROBABILITIES, got, strict=True):
        slope = mp.exp(-(mp.mpf(x) ** 2) / 2) / mp.sqrt(2 * mp.pi)
        error = (ndtr(mp.mpf(x)) - mp.mpf(p)) / slope  # one Newton step leads to the exact value
        assert abs(error) <= 1e-13 * max(1, abs(x))
    assert wg.special.ndtri(wg.tensor([0.0, 1.0, 0.5])).tolist() == [-math.inf, math.inf, 0.0]
    assert bool(wg.special.ndtri(wg.tensor([-0.1, 1.1, math.nan])).isnan().all())


@pytest.mark.parametrize("n", [1, 2, 3, 6, 10])
def test_polygamma(n):
    x = np.concatenate([np.linspace(-8.3, -0.1, 60), 10.0 ** np.linspace(-5, 3, 60)])
    want = np.array([float(mp.psi(n, mp.mpf(v))) for v in x])
    close(wg.polygamma(n, wg.from_numpy(x)).numpy(), want, rtol=1e-11)
    assert wg.polygamma(n, wg.tensor([0.0, -3.0])).tolist() == [math.inf, math.inf]
    assert math.isnan(wg.polygamma(n, wg.tensor(-math.inf)).item())
    assert wg.polygamma(n, wg.tensor(math.inf)).item() == 0


def test_zeta():
    s, q = [v.ravel() for v in np.meshgrid([1.0001, 1.5, 2.0, 7.0, 30.0], [0.01, 0.5, 1.0, 3.7, 100.0])]
    exact = mpmath.mp.clone()
    exact.prec = 500  # for large arguments mpmath cancels
    want = np.array([float(exact.zeta(exact.mpf(a), exact.mpf(b))) for a, b in zip(s, q, strict=True)])
    close(wg.special.zeta(wg.from_numpy(s), wg.from_numpy(q)).numpy(), want)
    edges = np.array([[1.0, 2.0], [0.5, 2.0], [2.0, 0.0], [2.0, -3.0], [2.5, -3.5], [np.nan, 1.0]]).T
    ours, theirs = (
        wg.special.zeta(*wg.from_numpy(edges.copy())),
        torch.special.zeta(*torch.from_numpy(edges.copy())),
    )
    assert_same(ours, theirs)
    close(wg.special.zeta(2.0, wg.tensor([-2.5], dtype=wg.float64)).numpy(), [float(mp.zeta(2, mp.mpf(-2.5)))])


def test_incomplete_gamma():
    a, x = [v.ravel() for v in np.meshgrid([0.05, 0.5, 1.0, 5.0, 40.0, 300.0], [1e-5, 0.3, 1.0, 6.0, 39.0, 310.0])]
    for name in ("igamma", "igammac"):
        want = []
        for p, q in zip(a, x, strict=True):
            ends = (0, mp.mpf(q)) if name == "igamma" else (mp.mpf(q), mp.inf)
            want.append(float(mp.gammainc(mp.mpf(p), *ends, regularized=True)))
        close(getattr(wg, name)(wg.from_numpy(a), wg.from_numpy(x)).numpy(), np.array(want), rtol=3e-12)
    edges = np.array([[0.0, 1.0], [0.0, 0.0], [1.0, 0.0], [-1.0, 1.0], [1.0, -1.0], [1.0, np.inf], [np.inf, 1.0]]).T
    for name in ("igamma", "igammac"):
        with np.errstate(all="ignore"):
            ours = getattr(wg, name)(*wg.from_numpy(edges.copy()))
        assert_same(ours, getattr(torch, name)(*torch.from_numpy(edges.copy())))


def test_incomplete_gamma_has_no_gradient_for_its_first_operand():
    a = wg.ones(2, requires_grad=True)
    with pytest.raises(NotImplementedError, match="first operand"):
        wg.igamma(a, wg.ones(2))
    with pytest.raises(NotImplementedError):
        wg.special.zeta(a + 1, wg.ones(2))


POSITIVE = np.concatenate([10 ** RNG.uniform(-8, 2.8, 200), [1.0, 1.0000001, 2.0]])


@pytest.mark.parametrize("order", [0, 1])
def test_modified_bessel_functions_of_the_second_kind(order):
    x = wg.from_numpy(POSITIVE)
    want = [mp.besselk(order, mp.mpf(v)) for v in POSITIVE]
    close(getattr(wg.special, f"modified_bessel_k{order}")(x).numpy(), np.array(want, float), rtol=2e-15)
    scaled = np.array([w * mp.exp(mp.mpf(v)) for w, v in zip(want, POSITIVE, strict=True)], float)
    close(getattr(wg.special, f"scaled_modified_bessel_k{order}")(x).numpy(), scaled, rtol=2e-15)


def test_airy_function():
    x = np.concatenate([RNG.uniform(-30, 12, 300), [-10.5, 2.5, -10.0, 0.0]])
    want = np.array([float(mp.airyai(mp.mpf(v))) for v in x])
    # The phase of the waves has the rounding of (-x)^1.5, about 100 at -30.
    scale = np.where(x < 0, np.maximum(1, -x) ** -0.25, abs(want))
    assert np.max(abs(wg.special.airy_ai(wg.from_numpy(x)).numpy() - want) / scale) < 3e-14


LATE = ["airy_ai", *(s + f"modified_bessel_k{k}" for s in ("", "scaled_") for k in (0, 1))]


@pytest.mark.parametrize("name", LATE)
def test_late_special_functions_at_the_edges(name):
    edges = [0.0, -1.0, -math.inf, math.nan, -20.0, 1e-30, 800.0, 1e5]
    for values in (edges, [1, 2]):
        ours, theirs = (getattr(lib.special, name)(lib.tensor(values)) for lib in (wg, torch))
        assert_same(ours, theirs)
    assert getattr(wg.special, name)(wg.tensor(math.inf)) == 0  # PyTorch has NaN for airy_ai
    out = wg.empty(2)
    assert getattr(wg.special, name)(wg.tensor([1.0, 2.0]), out=out) is out and out[0] == getattr(wg.special, name)(
        wg.ones(1)
    )
    for lib in (wg, torch):
        with pytest.raises(NotImplementedError):
            getattr(lib.special, name)(lib.ones(1, dtype=lib.float16))
    assert (
        wg.compile(getattr(wg.special, name))(wg.tensor([1.5]))[0] == getattr(wg.special, name)(wg.tensor([1.5]))[0]
    )


@pytest.mark.parametrize("name", LATE[1:])
def test_functions_of_the_second_kind_have_gradients(name):
    """PyTorch has none: against differences."""
    x = wg.tensor([0.3, 0.9, 1.1, 4.0], dtype=wg.float64, requires_grad=True)
    assert wg.autograd.gradcheck(getattr(wg.special, name), (x,))
    assert wg.autograd.gradgradcheck(getattr(wg.special, name), (x,))


X = RNG.uniform(0.3, 3.0, (3, 4))
SIGNED = RNG.uniform(-2.0, 2.0, (3, 4))


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("special.i0", (SIGNED,)),
        ("special.i0e", (SIGNED,)),
        ("special.i1", (SIGNED,)),
        ("special.i1e", (SIGNED,)),
        ("special.erfcx", (SIGNED,)),
        ("special.log_ndtr", (SIGNED,)),
        ("special.ndtr", (SIGNED,)),
        ("special.ndtri", (RNG.uniform(0.05, 0.95, (3, 4)),)),
        ("special.entr", (X,)),
        ("special.xlog1py", (X, X + 1)),
        ("special.xlog1py", (2.0, X)),
        ("special.expit", (SIGNED,)),
        ("special.gammaln", (X,)),
        ("special.psi", (X,)),
        ("special.multigammaln", (X + 2, 3)),
        ("special.logsumexp", (SIGNED, 1)),
        ("special.softmax", (SIGNED, 1)),
        ("special.log_softmax", (SIGNED, 0)),
        ("special.logit", (RNG.uniform(0.05, 0.95, (3, 4)),)),
        ("mvlgamma", (X + 1, 2)),
        ("polygamma", (2, X)),
        ("polygamma", (0, X)),
        (".polygamma", (X, 3)),
        ("digamma", (X,)),
        ("ldexp", (SIGNED, np.array([1.0, -2.0, 3.0, 0.5]))),
        ("frexp", (SIGNED,)),
        ("sinc", (SIGNED,)),
        ("i0", (SIGNED,)),
    ],
    ids=str,
)
def test_gradients_of_two_orders_agree_with_torch(name, args):
    grad = name != "frexp"
    # Torch's polygamma and digamma have eight digits.
    loose = name in ("digamma", "polygamma", ".polygamma", "special.psi", "special.gammaln")
    check(name, *args, grad=grad, rtol=1e-6 if loose or "gamma" in name else 1e-9)


@pytest.mark.parametrize("name", ["bessel_j0", "bessel_j1", "bessel_y0", "bessel_y1"])
def test_bessel_functions_have_gradients(name):
    """PyTorch has none: against differences."""
    x = wg.tensor([0.5, 1.0, 4.0], dtype=wg.float64, requires_grad=True)
    assert wg.autograd.gradcheck(OPS[name], (x,))
    assert wg.autograd.gradgradcheck(OPS[name], (x,))


@pytest.mark.parametrize("name", ["igamma", "igammac"])
def test_incomplete_gamma_gradients(name):
    a, x = np.array([0.5, 2.0, 5.0]), np.array([0.7, 3.0, 4.0])
    found = []
    for lib in (wg, torch):
        second = lib.tensor(x, requires_grad=True)
        getattr(lib, name)(lib.tensor(a), second).sum().backward()
        found.append(second.grad)
    assert_same(*found)


def test_whole_numbers():
    a, b = RNG.integers(-20, 20, (2, 50))
    for kind in (np.int64, np.int32, np.int8):
        check("gcd", a.astype(kind), b.astype(kind), grad=False)
        check("lcm", (a // 4).astype(kind), (b // 4).astype(kind), grad=False)
    check(".gcd", a.astype(np.uint8), b.astype(np.uint8), grad=False)
    x = wg.tensor([12, 18])
    assert x.gcd_(wg.tensor([8, 27])).tolist() == [4, 9]
    with pytest.raises(RuntimeError):
        wg.gcd(wg.ones(2), wg.ones(2))


def test_third_derivatives_of_lgamma():
    x = wg.tensor([0.7, 2.5], dtype=wg.float64, requires_grad=True)
    (first,) = wg.autograd.grad(x.lgamma().sum(), x, create_graph=True)
    (second,) = wg.autograd.grad(first.sum(), x, create_graph=True)
    (third,) = wg.autograd.grad(second.sum(), x)
    close(third.numpy(), np.array([float(mp.psi(2, v)) for v in (mp.mpf(0.7), mp.mpf(2.5))]))


def test_mistakes():
    same_error("polygamma", -1, X)
    same_error("mvlgamma", X, 0)
    same_error("frexp", np.arange(3))
    same_error("special.xlog1py", 2, 3)
    same_error("special.zeta", 2, 3)
    with pytest.raises(AttributeError, match="not_there"):
        _ = wg.special.not_there
