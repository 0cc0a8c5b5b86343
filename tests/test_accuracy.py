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


if __name__ == "__main__":
    check()
