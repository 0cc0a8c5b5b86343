"""The names of `torch.onnx` that programs ask: nothing is exported."""

from wengert._missing import INSTEAD, explain

from .absent import stand_in

__getattr__ = explain(__name__)
export = stand_in("onnx.export", INSTEAD["onnx"])
dynamo_export = stand_in("onnx.dynamo_export", INSTEAD["onnx"])


def is_in_onnx_export():
    """Whether a model is being exported: never."""
    return False
