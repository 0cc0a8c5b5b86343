"""The instruction sets: each runs the generated tests, each computes the same elementwise bits where it says so."""

import os
import subprocess
import sys

import pytest
from optools import core

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
OTHERS = [name for name in core.isas() if name != core.isa()]


def python(code_or_args, isa, timeout=300):
    args = ["-c", code_or_args] if isinstance(code_or_args, str) else code_or_args
    env = {**os.environ, "WENGERT_ISA": isa, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    return subprocess.run(
        [sys.executable, *args], cwd=ROOT, env=env, capture_output=True, text=True, timeout=timeout
    )


@pytest.mark.skipif("WENGERT_ISA" in os.environ, reason="runs inside the run of another instruction set")
@pytest.mark.parametrize("isa", OTHERS)
def test_generated_tests(isa):
    """Values against NumPy, positions and layouts, and first gradients, on the other builds of the kernels."""
    done = python(
        [
            "-m",
            "pytest",
            "-q",
            "-x",
            "-p",
            "no:cacheprovider",
            "tests/test_ops_value.py",
            "tests/test_ops_grad.py",
            "-k",
            "numpy or position or over_sizes or test_first",
        ],
        isa,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]


@pytest.mark.parametrize("isa", core.isas())
def test_chosen(isa):
    done = python("import wengert._core as c; print(c.isa())", isa)
    assert done.stdout.strip() == isa, done.stderr


def test_unknown_name():
    done = python("import wengert", "sse9")
    assert done.returncode != 0
    assert "WENGERT_ISA: expected one of" in done.stderr and "'sse9'" in done.stderr
