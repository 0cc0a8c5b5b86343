"""Random tensors, seeds and generators."""

FUNCTIONS = {}
METHODS = {}
