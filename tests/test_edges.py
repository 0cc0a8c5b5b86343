"""Edges of rarer functions beside torch: no dimensions, no elements, other dtypes, and what is refused."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from against_torch import check, pair, same_error  # noqa: E402  (needs torch)
from scope.arrays import b, i, pos, spd, x, y  # noqa: E402

import wengert as wg  # noqa: E402

EMPTY = np.zeros((0, 3, 3))
RESULTS = {
    "float_power": [(x(3) + 1j * y(3), 2.0), (pos(3), 1 + 2j), (i(5, 3), 2)],
    "quantile": [(x(), 0.5, 0, True), (x(), np.array([0.2, 0.7]), 0, True)],
    "index_fill": [(x(), 0, np.array([0]), np.asarray(2.0))],
    "matrix_power": [(EMPTY, 0), (x(2, 3, 3), 0)],
    "unique_consecutive": [(np.zeros((5, 0, 5)), False, False, 1, {"grad": False})],
    "tensordot": [(x(1, 3), y(2, 3), ([0, 1], [0, 1])), (x(4, 3), y(1, 3), ([0], [0]))],
    "addbmm": [(i(5, 2, 2).astype(np.int32), i(5, 3, 2, 2).astype(np.int32), i(5, 3, 2, 2).astype(np.int32))],
    "geqrf": [(np.zeros((2, 0, 3)), {"grad": False})],
    "linalg.ldl_factor": [(np.zeros((0, 0)), {"grad": False})],
    "linalg.ldl_solve": [(np.zeros((0, 0)), np.zeros(0, np.int32), np.zeros((0, 2)), {"grad": False})],
    "linalg.lstsq": [
        (x(*shape), x(*shape[:-1], 2), {"driver": driver})
        for shape in ((4, 3), (3, 4), (2, 4, 3))
        for driver in ("gelsy", "gelsd", "gelss", "gels")
    ],
    "histogram": [(np.zeros(0), 2, {"grad": False}), (np.ones(3), 2, {"grad": False})],
    "unravel_index": [(np.array([3, 200], np.uint8), (4, 1000))],
    "logit": [(np.array([True, False]),)],
    "nn.functional.local_response_norm": [(np.zeros((0, 2, 3)), 2)],
    "nn.functional.multi_margin_loss": [(x(), np.asarray(0), {"grad": False})],
    "nn.functional.multilabel_margin_loss": [(x(), np.asarray(0), {"grad": False})],
    "nn.functional.fractional_max_pool2d": [(np.zeros((0, 1, 5, 5)), 2, 2)],
}
REFUSALS = {
    "cov": [
        (x(3), {"fweights": pos(3)}),
        (x(3), {"aweights": np.ones(1)}),
        (x(3), {"fweights": np.array([1, -1, 2])}),
        (x(3), {"aweights": np.array([1.0, -1.0, 2.0])}),
        (x(3), {"aweights": i(3, 3)}),
    ],
    "diff": [(x(3), -1)],
    "isclose": [(x(3), x(3), {"rtol": -0.1}), (x(3), x(3), {"atol": -0.1})],
    "renorm": [(x(3), 2.0, 0, 1.0)],
    "roll": [(x(), 0, 0)],
    "rot90": [(x(3),), (x(3, 3), 1, (0,))],
    "narrow": [(x(3), 0, i(2, 2), 1), (x(3), 0, np.asarray(False), 1)],
    "masked_fill": [(i(3, 2), b(2), np.asarray(1j))],
    "nn.functional.rrelu": [(x(3), 0.3, 0.1, {"training": True})],
    "nn.functional.conv2d": [(x(1, 1, 4, 3), x(1, 2, 2), {"padding": "same"})],
    "nn.functional.adaptive_avg_pool2d": [(x(2, 2), 2), (x(2, 2), (2, 2))],
    "nn.functional.adaptive_max_pool3d": [(x(2, 2, 2), 2), (x(2, 2, 2), (2, 2, 2))],
}


def split(args):
    """Positional and keyword arguments: a dict at the end holds the latter."""
    return (args[:-1], args[-1]) if isinstance(args[-1], dict) else (args, {})


@pytest.mark.parametrize("name", RESULTS)
@pytest.mark.filterwarnings("ignore")
def test_results(name):
    for call in RESULTS[name]:
        args, kwargs = split(call)
        check(name, *args, rtol=1e-9, atol=1e-9, **kwargs)


@pytest.mark.parametrize("name", REFUSALS)
def test_refusals(name):
    for call in REFUSALS[name]:
        args, kwargs = split(call)
        same_error(name, *args, **kwargs)


@pytest.mark.parametrize("left", [True, False])
@pytest.mark.parametrize("adjoint", [True, False])
@pytest.mark.parametrize("dtype", ["float64", "complex128"])
def test_lu_solve_of_the_adjoint(left, adjoint, dtype):
    a = (x(2, 3, 3) + (1j * y(2, 3, 3) if dtype == "complex128" else 0)).astype(dtype)
    right = x(2, 3, 3).astype(dtype)
    found = []
    for lib, side in ((wg, 0), (torch, 1)):
        factors = lib.linalg.lu_factor(pair(a)[side])
        found.append(
            lib.linalg.lu_solve(*factors, pair(right)[side], left=left, adjoint=adjoint).resolve_conj().numpy()
        )
    np.testing.assert_allclose(*found, rtol=1e-9, atol=1e-9)


def test_half_precision_where_numpy_has_none():
    a = spd(3) / 10
    ours, theirs = pair(a)
    for name in ("float16", "bfloat16"):
        mine = ours.to(getattr(wg, name)).matrix_exp()
        assert mine.dtype == getattr(wg, name)
        np.testing.assert_allclose(mine.double().numpy(), theirs.matrix_exp().numpy(), rtol=4e-2)
    half = wg.tensor([1.0, 2.0, 3.0], dtype=wg.bfloat16)
    assert wg.isin(half, wg.tensor([2.0], dtype=wg.bfloat16)).tolist() == [False, True, False]


@pytest.mark.parametrize("dtype", ["int64", "int32", "uint8", "float32"])
@pytest.mark.parametrize("bounds", [(0, 5.5), (0.0, -8.5, -4.0), (-0.9, 2.1, 2.0), (0, 6, 1.5), (0.5, 3.2)])
def test_fractional_bounds_of_arange(bounds, dtype):
    ours, theirs = (lib.arange(*bounds, dtype=getattr(lib, dtype)).tolist() for lib in (wg, torch))
    assert ours == theirs


def test_fractional_steps_of_integers_are_refused():
    with pytest.raises(RuntimeError):
        wg.arange(0, 3, 0.5, dtype=wg.int64)
