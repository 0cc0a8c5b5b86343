"""Every elementary function stays within its published error, on every instruction set, and has C's special values."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from wengert import _core as core

pytest.importorskip("mpmath")
ROOT = Path(__file__).resolve().parent.parent
TOOL = ROOT / "tools" / "ulp_table.py"
STEP = 32  # a part of the arguments that the table was made with, so that its bounds must hold
INF, NAN = np.inf, np.nan


def load():
    spec = importlib.util.spec_from_file_location("ulp_table", TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


ulp = load()

# The values at NaN, inf, -inf, 0, -0, by C's Annex F; of the activations, PyTorch's.
SPECIAL = {
    "exp": (NAN, INF, 0.0, 1.0, 1.0),
    "exp2": (NAN, INF, 0.0, 1.0, 1.0),
    "expm1": (NAN, INF, -1.0, 0.0, -0.0),
    "log": (NAN, INF, NAN, -INF, -INF),
    "log2": (NAN, INF, NAN, -INF, -INF),
    "log10": (NAN, INF, NAN, -INF, -INF),
    "log1p": (NAN, INF, NAN, 0.0, -0.0),
    "sqrt": (NAN, INF, NAN, 0.0, -0.0),
    "rsqrt": (NAN, 0.0, NAN, INF, -INF),
    "reciprocal": (NAN, 0.0, -0.0, INF, -INF),
    "sin": (NAN, NAN, NAN, 0.0, -0.0),
    "cos": (NAN, NAN, NAN, 1.0, 1.0),
    "tan": (NAN, NAN, NAN, 0.0, -0.0),
    "asin": (NAN, NAN, NAN, 0.0, -0.0),
    "acos": (NAN, NAN, NAN, np.pi / 2, np.pi / 2),
    "atan": (NAN, np.pi / 2, -np.pi / 2, 0.0, -0.0),
    "sinh": (NAN, INF, -INF, 0.0, -0.0),
    "cosh": (NAN, INF, INF, 1.0, 1.0),
    "tanh": (NAN, 1.0, -1.0, 0.0, -0.0),
    "asinh": (NAN, INF, -INF, 0.0, -0.0),
    "acosh": (NAN, INF, NAN, NAN, NAN),
    "atanh": (NAN, NAN, NAN, 0.0, -0.0),
    "sigmoid": (NAN, 1.0, 0.0, 0.5, 0.5),
    "silu": (NAN, INF, NAN, 0.0, -0.0),
    "logsigmoid": (NAN, 0.0, -INF, -np.log(2), -np.log(2)),
    "softplus": (NAN, INF, 0.0, np.log(2), np.log(2)),
    "mish": (NAN, INF, NAN, 0.0, -0.0),
    "gelu_erf": (NAN, INF, NAN, 0.0, -0.0),
    "gelu_tanh": (NAN, INF, NAN, 0.0, -0.0),
    "erf": (NAN, 1.0, -1.0, 0.0, -0.0),
    "erfc": (NAN, 0.0, 2.0, 1.0, 1.0),
    "erfinv": (NAN, NAN, NAN, 0.0, -0.0),
    "lgamma": (NAN, INF, INF, INF, INF),
    "digamma": (NAN, INF, NAN, -INF, INF),
}
# Rows that are their argument near 0: subnormal numbers must come back.
IDENTITY_NEAR_0 = ("expm1", "log1p", "sin", "tan", "asin", "atan", "sinh", "tanh", "asinh", "atanh")


def check_special(dtype):
    x = np.array([NAN, INF, -INF, 0.0, -0.0], dtype)
    for name, want in SPECIAL.items():
        got, want = ulp.apply(name, np.tile(x, 5)), np.tile(np.array(want, dtype), 5)
        np.testing.assert_allclose(got, want, rtol=1e-6 if dtype == np.float32 else 1e-15, err_msg=name)
        zero = want == 0
        np.testing.assert_array_equal(
            np.signbit(got[zero]), np.signbit(want[zero]), err_msg=f"{name}: the sign of 0"
        )
    tiny = np.array([1, -1, 3, 12345], dtype) * np.finfo(dtype).smallest_subnormal
    for name in IDENTITY_NEAR_0:
        np.testing.assert_array_equal(ulp.apply(name, tiny), tiny, err_msg=f"{name}: subnormal numbers")


def check():
    """Run by each instruction set: prints the errors measured."""
    check_special(np.float32)
    check_special(np.float64)
    print(json.dumps(ulp.measure(STEP)))


def test_every_row_is_listed():
    assert not ulp.missing(), "elementwise rows without a place in tools/ulp_table.py"


@pytest.mark.skipif("WENGERT_ISA" in os.environ, reason="runs every instruction set itself")
@pytest.mark.parametrize("isa", core.isas())
def test_published_bounds(isa):
    """The errors published in docs/numerics.md hold, and none is above 2 ulp."""
    env = {**os.environ, "WENGERT_ISA": isa, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    done = subprocess.run([sys.executable, __file__], env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    bounds = ulp.published()
    for name, (e32, _, e64, _) in json.loads(done.stdout).items():
        limit = bounds[name]
        assert max(limit) <= 2 or name in ulp.NEAR_ZEROS, f"{name}: published {limit}"
        assert e32 <= limit[0] and e64 <= limit[1], f"{name} on {isa}: {e32:.3g}, {e64:.3g} ulp, published {limit}"


def two(name, x, y):
    """A row of float32 on every pair of two arrays, beside every one of y, and every one of x beside one of y."""
    a, b = (np.ascontiguousarray(v) for v in np.broadcast_arrays(x[:, None], y))
    got = ulp.apply(name, a, b)
    for k, one in enumerate(x):
        np.testing.assert_array_equal(ulp.apply(name, np.array(one), y), got[k])
    for k, one in enumerate(y):
        np.testing.assert_array_equal(ulp.apply(name, x, np.array(one)), got[:, k])
    return got, a, b


EDGES = np.array([0, -0.0, 1, -1, 3.5, -2.25, 1e-45, -1e-38, 3e38, -3e38, INF, -INF, NAN, 1e10, 7, 0.1], np.float32)


@pytest.mark.parametrize("name", ["atan2", "hypot", "fmod", "remainder"])
def test_edges_of_two_floats(name):
    """Zeros, infinities, NaN, and subnormal and huge numbers on both sides, as the C library has them."""
    got, a, b = two(name, EDGES, EDGES)
    function = {"atan2": np.arctan2, "hypot": np.hypot, "fmod": np.fmod, "remainder": np.fmod}[name]
    with np.errstate(all="ignore"):
        want = function(a.astype(np.float64), b.astype(np.float64))
        if name == "remainder":  # in float32, where the sum of a tiny remainder and the divisor rounds
            want = want.astype(np.float32)
            want = np.where((want != 0) & ((want < 0) != (b < 0)), want + b, want)
        want = want.astype(np.float32)
    np.testing.assert_allclose(got, want, rtol=2e-7 if name in ("atan2", "hypot") else 0)
    if name != "remainder":
        known = ~np.isnan(want)
        np.testing.assert_array_equal(np.signbit(got)[known], np.signbit(want)[known])


def test_remainders_are_exact():
    """Quotients of every size, some of them beyond what the vector loop takes, in one array."""
    rng = np.random.default_rng(0)
    x, y = (rng.normal(size=5000) * 2.0 ** rng.uniform(-40, 40, 5000) for _ in range(2))
    near = rng.normal(size=5000)
    for a, b in ((x, y), (near, y * 2.0**-60), (near * 1e8, near + 3), (np.round(x) * 3, np.full(5000, 3.0))):
        a, b = a.astype(np.float32), b.astype(np.float32)
        np.testing.assert_array_equal(ulp.apply("fmod", a, b), np.fmod(a, b))


if __name__ == "__main__":
    check()
