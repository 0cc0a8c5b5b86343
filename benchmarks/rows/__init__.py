"""The rows, one workload a file; each file holds a list ``ROWS``."""

from __future__ import annotations

import importlib

from ..harness import Row

# From the smallest pieces to whole models; the order of the table.
_FILES = (
    "import_time",
    "tiny_add",
    "tiny_chain",
    "scalar_chain",
    "scalar_mlp",
    "planning",
    "long_chain",
    "cheap_operations",
    "elementwise_big",
    "matmul",
    "mlp_tiny",
    "mlp_small",
    "mlp_mnist",
    "towers",
    "lstm",
    "recurrent",
    "attention",
    "cnn",
    "gpt",
    "memory_budgets",
    "patterns",
    "logistic",
    "neural_ode",
    "programs",
)


def all_rows() -> list[Row]:
    """Return every row in the order of the table."""
    return [row for name in _FILES for row in importlib.import_module(f"{__name__}.{name}").ROWS]
