"""PyTorch programs without changes: ``import torch`` answered by wengert.

``python -m wengert run script.py`` runs a program, `as_torch` does the same inside a process, and
``python -m wengert check script.py`` says without running which names of a program are missing here.
"""

from .check import check
from .install import as_torch
from .run import run

__all__ = ["as_torch", "check", "run"]
