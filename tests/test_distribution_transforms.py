"""Transforms of distributions beside torch's: values, inverses, log-determinants, shapes, caches, errors."""

import copy

import numpy as np
import pytest
from against_torch import assert_same
from distribution_cases import ours, theirs, torch, values_of

import wengert

VECTOR = np.array([[0.3, -1.2, 0.7], [2.0, 0.1, -0.4]])
MATRIX = np.array([[[0.3, 5.0], [1.0, -0.2]], [[-1.0, 5.0], [0.4, 0.6]]])


def both(make, x):
    """[y, x again, log-determinants both ways, its gradient] of `make(package, library)` in each library."""
    results = []
    for side, (package, library) in enumerate(((ours, wengert), (theirs, torch))):
        t = make(package, library)
        v = values_of(side, x).requires_grad_()
        y = t(v)
        row = [y, t.inv(y), tuple(t.forward_shape(v.shape)), tuple(t.inverse_shape(y.shape)), t.bijective]
        row += [t.domain.event_dim, t.codomain.event_dim, repr(t), repr(t.inv)]
        row += [t.domain.check(v), t.codomain.check(y)]
        if t.bijective:
            size = t.log_abs_det_jacobian(v, y)
            row += [size, t.inv.log_abs_det_jacobian(y, v), _slope(library, size, v)]
        row.append(_slope(library, y * y, v))
        assert t.inv.inv is t and t.inv == t.inv
        results.append(row)
    for a, b in zip(*results, strict=True):
        if isinstance(b, torch.Tensor):
            assert_same(a, b, rtol=1e-9, atol=1e-12)
        else:
            assert a == b


def _slope(library, value, x):
    return library.autograd.grad(value.sum(), x, retain_graph=True)[0] if value.requires_grad else None


COUPLED = [
    ("softmax", lambda d, t: d.SoftmaxTransform(), VECTOR),
    ("sticks", lambda d, t: d.StickBreakingTransform(), VECTOR),
    ("lower", lambda d, t: d.LowerCholeskyTransform(), MATRIX),
    ("definite", lambda d, t: d.PositiveDefiniteTransform(), MATRIX),
    ("correlations", lambda d, t: d.CorrCholeskyTransform(), VECTOR),
    ("one correlation", lambda d, t: d.CorrCholeskyTransform(), VECTOR[:, :1]),
    ("reshape", lambda d, t: d.ReshapeTransform((3,), (3, 1)), VECTOR),
    ("affine event", lambda d, t: d.AffineTransform(1.0, t.tensor([2.0, -3.0, 0.5]), event_dim=1), VECTOR),
    ("independent", lambda d, t: d.IndependentTransform(d.ExpTransform(), 1), VECTOR),
    ("cat", lambda d, t: d.CatTransform([d.ExpTransform(), d.TanhTransform()], dim=-1, lengths=[1, 2]), VECTOR),
    ("cat rows", lambda d, t: d.CatTransform([d.ExpTransform(), d.TanhTransform()], dim=0), VECTOR),
    ("cat events", lambda d, t: d.CatTransform(
        [d.IndependentTransform(d.ExpTransform(), 1), d.IndependentTransform(d.TanhTransform(), 1)], dim=0), VECTOR),
    ("stack", lambda d, t: d.StackTransform([d.ExpTransform(), d.SigmoidTransform()], dim=0), VECTOR),
    ("stack last", lambda d, t: d.StackTransform(
        [d.ExpTransform(), d.SigmoidTransform(), d.identity_transform], dim=-1), VECTOR),
    ("compose", lambda d, t: d.ComposeTransform([d.AffineTransform(0.5, 2.0), d.StickBreakingTransform()]), VECTOR),
    ("compose events", lambda d, t: d.ComposeTransform(
        [d.ReshapeTransform((3,), (3, 1)), d.ExpTransform(), d.ReshapeTransform((3, 1), (3,))]), VECTOR),
    ("cdf", lambda d, t: d.CumulativeDistributionTransform(d.Normal(t.zeros(3, dtype=t.float64), 1.0)), VECTOR),
    ("identity", lambda d, t: d.identity_transform, VECTOR),
    ("abs", lambda d, t: d.AbsTransform(), np.abs(VECTOR)),
]  # fmt: skip


@pytest.mark.parametrize(("make", "x"), [c[1:] for c in COUPLED], ids=[c[0] for c in COUPLED])
def test_coupled_transforms(make, x):
    both(make, x)


BAD_TRANSFORMS = [
    lambda d, t: d.ExpTransform(cache_size=2), lambda d, t: d.ReshapeTransform((2,), (3,)),
    lambda d, t: d.ReshapeTransform((3,), (3, 1)).forward_shape((2,)),
    lambda d, t: d.ReshapeTransform((3,), (3, 1)).forward_shape(()),
    lambda d, t: d.CorrCholeskyTransform().forward_shape((2,)),
    lambda d, t: d.CorrCholeskyTransform().inverse_shape((2, 3)),
    lambda d, t: d.StickBreakingTransform().forward_shape(()), lambda d, t: d.SoftmaxTransform().inverse_shape(()),
    lambda d, t: d.CatTransform([1]), lambda d, t: d.CatTransform([d.ExpTransform()], lengths=[1, 2]),
    lambda d, t: d.CatTransform([d.ExpTransform()])(t.ones(2)), lambda d, t: d.StackTransform([1]),
    lambda d, t: d.StackTransform([d.ExpTransform()])(t.ones(2)), lambda d, t: d.AbsTransform().sign,
    lambda d, t: d.StackTransform([d.ExpTransform()], dim=3)(t.ones(2)),
    lambda d, t: d.IndependentTransform(d.ExpTransform(), 2)(t.ones(2)),
    lambda d, t: d.ReshapeTransform((3,), (3, 1)).event_dim,
    lambda d, t: d.TransformedDistribution(d.Normal(0.0, 1.0), 3),
    lambda d, t: d.TransformedDistribution(d.Normal(0.0, 1.0), [3]),
    lambda d, t: d.TransformedDistribution(d.Normal(0.0, 1.0), d.StickBreakingTransform()),
]  # fmt: skip


@pytest.mark.parametrize("bad", BAD_TRANSFORMS, ids=range(len(BAD_TRANSFORMS)))
def test_bad_transforms(bad):
    kinds = []
    for package, library in ((ours, wengert), (theirs, torch)):
        with pytest.raises(Exception) as info:
            bad(package, library)
        kinds.append(next(k for k in info.type.__mro__ if k.__module__ == "builtins"))
    assert kinds[0] is kinds[1]


CACHING = [
    lambda: ours.TanhTransform(), lambda: ours.AffineTransform(1.0, 2.0), lambda: ours.PowerTransform(2.0),
    lambda: ours.ComposeTransform([ours.AffineTransform(0.0, 2.0), ours.TanhTransform()]),
    lambda: ours.IndependentTransform(ours.TanhTransform(), 1), lambda: ours.ReshapeTransform((2,), (2, 1)),
    lambda: ours.CatTransform([ours.TanhTransform(), ours.ExpTransform()]),
    lambda: ours.StackTransform([ours.TanhTransform(), ours.ExpTransform()]),
    lambda: ours.CumulativeDistributionTransform(ours.Normal(0.0, 1.0)),
]  # fmt: skip


@pytest.mark.parametrize("make", CACHING, ids=range(len(CACHING)))
def test_every_transform_takes_a_cache(make):
    x = wengert.tensor([20.0, 0.5])
    plain, t = make(), make().with_cache()
    assert t.inv(t(x)) is x and plain.inv(plain(x)) is not x
    assert t.with_cache() is t and plain.with_cache(0) is plain
    assert t.inv.inv is t and t.inv.with_cache() is not None
    again = t.with_cache(0)
    assert again.inv(again(x)) is not x


def test_a_copied_transform_forgets_its_pair():
    t = ours.ExpTransform(cache_size=1)
    x = wengert.ones(2)
    t(x)
    assert copy.deepcopy(t)._last == (None, None) and t.inv(t(x)) is x


@pytest.mark.parametrize("diag", [-2, -1, 0, 1])
def test_triangles(diag):
    matrix = np.arange(32.0).reshape(2, 4, 4)
    rows = []
    for side, utils in enumerate((ours.utils, theirs.utils)):
        m = values_of(side, matrix).requires_grad_()
        v = utils.tril_matrix_to_vec(m, diag)
        back = utils.vec_to_tril_matrix(v, diag)
        rows.append([v, back, *(wengert, torch)[side].autograd.grad((back * back).sum(), m)])
        with pytest.raises(ValueError):
            utils.tril_matrix_to_vec(m, 4)
        with pytest.raises(ValueError):
            utils.vec_to_tril_matrix(v[..., :2])
    for a, b in zip(*rows, strict=True):
        assert_same(a, b)
    assert ours.utils.euler_constant == theirs.utils.euler_constant


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


def test_transform_with_a_cache():
    t = ours.TanhTransform(cache_size=1)
    x = wengert.tensor([20.0])
    assert t.inv(t(x)) is x
