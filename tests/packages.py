"""Runs programs with packages that were written for PyTorch, in processes of their own."""

import subprocess
import sys
import textwrap

import pytest


def run(package, program):
    """Runs lines after `import torch`, in a process of their own, with wengert for torch."""
    code = "import warnings\nwarnings.simplefilter('ignore')\nimport wengert\nwengert.as_torch()\n"
    code += "import torch\nimport torch.nn as nn\nfrom torch.nn import functional as F\ntorch.manual_seed(0)\n"
    code += textwrap.dedent(program)
    try:
        # The parent may have imported the real torch: only whether the package is there is asked here.
        found = subprocess.run(
            [sys.executable, "-c", f"import importlib.util; print(importlib.util.find_spec({package!r}) is not None)"],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
    except subprocess.CalledProcessError:
        pytest.skip(f"{package} cannot be looked up")
    if found.stdout.strip() != "True":
        pytest.skip(f"{package} is not installed")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout
