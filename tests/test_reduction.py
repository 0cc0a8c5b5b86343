"""Reductions, cumulative ops, sorting and searching against PyTorch."""

import math

import numpy as np
import pytest
from against_torch import check, same_error

import wengert

RNG = np.random.default_rng(3)
X = RNG.normal(size=(3, 4, 2))
M = RNG.normal(size=(4, 5))
ZEROS = np.array([[1.5, 0.0, -2.0, 0.5], [0.0, 3.0, 0.0, 1.0], [1.0, 2.0, 3.0, 4.0]])
TIES = np.array([[1.0, 3.0, 3.0, 2.0], [5.0, 5.0, 5.0, 1.0]])
NANS = np.array([[1.0, math.nan, 3.0], [4.0, 0.5, math.nan]])
INTS = np.array([[3, -1, 2], [2, 2, 7]])
BOOLS = np.array([[True, False], [True, True]])

DIMS = [{}, {"dim": 0}, {"dim": -1, "keepdim": True}, {"dim": (0, 2)}, {"dim": (0, 1, 2), "keepdim": True}]


@pytest.mark.parametrize("kwargs", DIMS)
@pytest.mark.parametrize(
    "name", ["sum", "mean", "amax", "amin", "logsumexp", "std", "var", "nansum", "nanmean", ".sum", ".std"]
)
def test_reductions(name, kwargs):
    if name == "logsumexp" and not kwargs:
        kwargs = {"dim": (0, 1, 2)}
    check(name, X, **kwargs)


@pytest.mark.parametrize(
    "kwargs", [{"correction": 0}, {"unbiased": False}, {"dim": 1, "correction": 2}, {"dim": (0, 1)}]
)
@pytest.mark.parametrize("name", ["std", "var", "std_mean", "var_mean"])
def test_spread(name, kwargs):
    if "unbiased" in kwargs and name.endswith("mean"):
        kwargs = {"unbiased": False, "dim": 1}
    check(name, X, **kwargs)


def test_std_of_equal_values_has_zero_gradient():
    check(".std", np.ones((4,)), grad=False)
    import wengert

    x = wengert.tensor([2.0, 2.0], requires_grad=True)
    x.std().backward()
    assert x.grad.tolist() == [0.0, 0.0]


@pytest.mark.parametrize("x", [X, M, ZEROS, INTS])
@pytest.mark.parametrize("kwargs", [{}, {"dim": 0}, {"dim": -1, "keepdim": True}])
def test_prod(x, kwargs):
    check("prod", x, **kwargs)


@pytest.mark.parametrize("name", ["sum", "prod", "any", "all", "count_nonzero", "amax", "argmax", "argmin"])
@pytest.mark.parametrize("x", [INTS, BOOLS, INTS.astype(np.uint8), INTS.astype(np.int16), ZEROS])
def test_integers_and_bools(name, x):
    if x is BOOLS and name.startswith("arg"):
        pytest.skip("PyTorch has no argmax of bools")
    check(name, x, grad=False)
    check(name, x, dim=1, grad=False)


@pytest.mark.parametrize("name", ["max", "min", "median", "nanmedian", "mode"])
@pytest.mark.parametrize("x", [X, TIES, INTS])
def test_extremes(name, x):
    if name != "mode":
        check(name, x)
    if "median" in name and x is not X:
        return  # which of equal values is the median is not PyTorch's promise
    check(name, x, 0)
    check(name, x, dim=1, keepdim=True)
    check("." + name, x, -1)


def test_max_of_two_and_names():
    check("max", X, X[::-1].copy())
    check(".min", X, X[::-1].copy())
    import wengert

    result = wengert.max(wengert.tensor([1.0, 5.0]), dim=0)
    assert result.values.item() == 5 and result.indices.item() == 1
    assert wengert.tensor([[1.0, 2.0]]).max(axis=1, keepdims=True).values.shape == (1, 1)


@pytest.mark.parametrize("name", ["amax", "amin", "max", "min"])
def test_ties_share(name):
    check(name, TIES)


def test_aminmax():
    check("aminmax", X)
    check("aminmax", X, dim=1, keepdim=True)


@pytest.mark.parametrize(
    "name", ["max", "min", "amax", "argmax", "argmin", "median", "nanmedian", "sum", "nansum", "nanmean"]
)
def test_nan(name):
    check(name, NANS, grad=False)
    if name not in ("nanmean",):
        check(name, NANS, 1, grad=False)


@pytest.mark.parametrize("p", [2, 1, 0, 3, 0.5, -1, math.inf, -math.inf, "fro"])
@pytest.mark.parametrize("kwargs", [{}, {"dim": 1}, {"dim": (0, 2), "keepdim": True}])
def test_norm(p, kwargs):
    check("norm", X, p, rtol=1e-5, **kwargs)


@pytest.mark.parametrize("p", [2, 1, 3, math.inf])
def test_dist(p):
    check("dist", M, M[::-1].copy(), p)


def test_norm_at_zero():
    import wengert

    x = wengert.zeros(3, requires_grad=True)
    for p in (2, 3, 1):
        assert wengert.autograd.grad(x.norm(p), x)[0].tolist() == [0, 0, 0]


def test_renorm():
    check("renorm", M, 2, 0, 1.5)


@pytest.mark.parametrize("name", ["cumsum", "cumprod", "logcumsumexp", "cummax", "cummin"])
@pytest.mark.parametrize("dim", [0, 1, -1])
@pytest.mark.parametrize("x", [X, ZEROS, TIES])
def test_cumulative(name, dim, x):
    if name == "cumprod" and x is ZEROS:
        check(name, x, dim, grad=True)
    else:
        check(name, x, dim)


def test_cumulative_ints():
    check("cumsum", INTS, 1)
    check("cumprod", INTS, 0)
    check("cumsum", BOOLS, 0)
    check("cummax", INTS, 1)
    check("cumsum", INTS, 1, dtype="dtype:float32")


def test_diff():
    check("diff", M)
    check("diff", M, n=2, dim=0)
    check("diff", M, prepend=M[:, :1].copy(), append=M[:, :2].copy())


@pytest.mark.parametrize("kwargs", [{}, {"dim": 0}, {"dim": 1, "descending": True}])
def test_sort(kwargs):
    check("sort", X, **kwargs)
    check("sort", TIES, stable=True, **kwargs)
    check("argsort", X, **kwargs)
    check("sort", INTS, stable=True, **kwargs)


def test_order_statistics():
    check("msort", M)
    check("topk", X, 2)
    check("topk", X, 2, dim=1, largest=False)
    check(".topk", M, 3, 0)
    check("kthvalue", M, 2)
    check("kthvalue", M, 3, dim=0, keepdim=True)
    same_error("topk", M, 9)
    same_error("kthvalue", M, 0)


@pytest.mark.parametrize("how", ["linear", "lower", "higher", "nearest", "midpoint"])
@pytest.mark.parametrize("kwargs", [{}, {"dim": 0}, {"dim": 1, "keepdim": True}, {"keepdim": True}])
@pytest.mark.parametrize("q", [0.3, np.array([0.1, 0.5, 0.9])])
def test_quantile(how, kwargs, q):
    from against_torch import assert_same, pair, torch

    import wengert

    for x, name in ((X, "quantile"), (NANS, "nanquantile")):
        (ours, theirs), (qo, qt) = pair(x), pair(q) if isinstance(q, np.ndarray) else (q, q)
        assert_same(
            getattr(wengert, name)(ours, qo, interpolation=how, **kwargs),
            getattr(torch, name)(theirs, qt, interpolation=how, **kwargs),
        )


def test_searching():
    edges = np.array([-1.0, 0.0, 0.5, 2.0])
    for right in (False, True):
        check("searchsorted", edges, X, right=right, grad=False)
        check("bucketize", X, edges, right=right, grad=False)
    rows = np.sort(M, axis=1)
    check("searchsorted", rows, RNG.normal(size=(4, 3)), grad=False, side="right", out_int32=True)
    check("searchsorted", edges, 0.25, grad=False)
    same_error("searchsorted", rows, RNG.normal(size=(3, 3)))


def test_unique():
    for x in (INTS, np.array([2.0, 1.0, 2.0, 0.0, 1.0]), BOOLS, np.zeros((0,))):
        check("unique", x, return_inverse=True, return_counts=True, grad=False)
        check("unique", x, grad=False)
    rows = np.array([[1, 2, 1], [0, 2, 0], [1, 2, 1], [0, 1, 0]])
    for dim in (0, 1):
        check("unique", rows, return_inverse=True, return_counts=True, dim=dim)
    runs = np.array([1, 1, 2, 2, 2, 1, 3])
    check("unique_consecutive", runs, return_inverse=True, return_counts=True)
    check("unique_consecutive", rows, dim=1, return_counts=True)


def test_counting():
    x = np.array([1, 3, 3, 0, 7])
    check("bincount", x)
    check("bincount", x, minlength=12)
    check("bincount", x, RNG.normal(size=5), grad=False)
    check("histc", X, 5, -1, 1, grad=False)
    check("histc", X, bins=7, grad=False)
    same_error("bincount", np.array([-1, 2]))


@pytest.mark.parametrize("name", ["max", "min", "amax", "argmax", "median", "mode", "sort", "cummax"])
def test_empty_dimension(name):
    empty = np.zeros((0, 3))
    if name in ("sort", "cummax"):
        check(name, empty, 0)
    else:
        same_error(name, empty, 0)
        check(name, empty, 1, grad=False)


def test_empty_values():
    empty = np.zeros((0, 3))
    for name in ("sum", "prod", "mean", "any", "all"):
        check(name, empty, grad=False)
        check(name, empty, dim=0, grad=False)
    for name in ("max", "min", "amax", "argmax"):
        same_error(name, empty)


def test_errors():
    same_error("sum", X, 5)
    same_error("sum", X, (0, 0))
    same_error("mean", INTS)
    same_error("max", X, 3)
    same_error("cumsum", X, 7)
    same_error("quantile", X, 1.5)


def test_out_and_dtype():
    check("sum", INTS, dtype="dtype:float64")
    check("mean", INTS, dtype="dtype:float32")
    import wengert

    out = wengert.empty((4,))
    assert wengert.amax(wengert.ones(3, 4), dim=0, out=out) is out and out.tolist() == [1.0] * 4
    out = wengert.empty((4,))
    wengert.cumsum(wengert.ones(4), dim=0, out=out)
    assert out.tolist() == [1.0, 2.0, 3.0, 4.0]


@pytest.mark.parametrize("name", ["sum", "mean", "std", "amax", "logsumexp", "cumsum", "sort", "max", "prod"])
def test_halves(name):
    from against_torch import assert_same, torch

    import wengert

    for kind in ("float16", "bfloat16"):
        ours = wengert.from_numpy(M).to(getattr(wengert, kind))
        theirs = torch.from_numpy(M).to(getattr(torch, kind))
        assert_same(
            getattr(ours, name)(1 if name != "sort" else -1), getattr(theirs, name)(1), rtol=2e-2, atol=2e-2
        )


def test_scalars():
    s = np.array(2.5)
    for name in ("sum", "mean", "prod", "max", "amax", "argmax", "median", "norm"):
        check(name, s)
    for name in ("max", "min", "cumsum", "cummax", "sort", "mode", "median"):
        check(name, s, 0)
    check("topk", s, 1)


OUTS = """
cat([x],out=i) cat([x,i],out=i) cat([i],out=x) stack([x],out=i) sum(x,out=n) sum(x,0,out=n) sum(h,dim=0,out=n) sum(i,0,out=f)
sum(x=x) sum(a=x) sum(x=x,dim=0) mean(x=x) mean(x,0,out=n) sum(input=x) sum(y=x) sum() mean() sum(dim=0) sum(None) mean(None)
"""


@pytest.mark.parametrize("call", OUTS.split())
@pytest.mark.filterwarnings("ignore:An output with one or more")
def test_out_and_names_are_refused_and_taken_as_in_torch(call):
    found = []
    for lib in (pytest.importorskip("torch"), wengert):
        x, n = lib.arange(3.0), lib.zeros((), dtype=lib.int64)
        known = {"lib": lib, "x": x, "i": x.long(), "n": n, "h": lib.tensor([0.5, 0.75]), "f": lib.zeros(())}
        try:
            result = eval(f"lib.{call}", known)
            found.append((result.tolist(), str(result.dtype).rpartition(".")[2]))
        except (TypeError, RuntimeError) as error:
            found.append(type(error))
    assert found[0] == found[1]
