"""New tensors: zeros, ones, arange and their like; conversion and copying of tensors."""

FUNCTIONS = {}
METHODS = {}
