"""Reductions, sorting and searching with PyTorch's overloads."""

FUNCTIONS = {}
METHODS = {}
