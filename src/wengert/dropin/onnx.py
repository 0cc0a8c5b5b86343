"""The names of `torch.onnx` that programs ask: nothing is exported."""

import sys

from wengert._missing import INSTEAD, explain

from .absent import stand_in

__getattr__ = explain(__name__)
export = stand_in("onnx.export", INSTEAD["onnx"])
dynamo_export = stand_in("onnx.dynamo_export", INSTEAD["onnx"])


def is_in_onnx_export():
    """Whether a model is being exported: never."""
    return False


def register_custom_op_symbolic(symbolic_name, symbolic_fn, opset_version, custom_opsets=None):
    """Accepted: nothing is exported."""


def parse_args(*kinds):
    """Decorator of functions that export one operation: changes nothing."""
    return lambda fn: fn


# What exports single operations, by version.
symbolic_opset9 = symbolic_opset11 = symbolic_opset12 = symbolic_helper = sys.modules[__name__]
