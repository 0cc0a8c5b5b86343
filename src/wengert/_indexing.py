"""Indexing by masks and integer tensors, gather, scatter and their like."""

FUNCTIONS = {}
METHODS = {}
