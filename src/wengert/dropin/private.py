"""Names of `torch._C` that packages call on their way: they report or ask what has no meaning here."""

from wengert import Tensor

from .absent import stand_in_class

_TensorMeta = type(Tensor)
PyTorchFileReader = stand_in_class("_C.PyTorchFileReader", "wengert.load reads files of torch.save")


def _log_api_usage_once(event):
    """Nothing is reported."""


def _get_tracing_state():
    """Nothing is traced."""
    return None
