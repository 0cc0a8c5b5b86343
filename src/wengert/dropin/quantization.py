"""The names of `torch.quantization` and `torch.ao.quantization` that programs import: there are no quantised types."""

from wengert._missing import INSTEAD, explain
from wengert.nn import Identity

from .absent import stand_in

__getattr__ = explain(__name__)
_INSTEAD = INSTEAD["quantize_per_tensor"]
(
    quantize_dynamic,
    quantize,
    prepare,
    prepare_qat,
    convert,
    fuse_modules,
    get_default_qconfig,
    get_default_qat_qconfig,
) = (
    stand_in(f"quantization.{name}", _INSTEAD)
    for name in (
        "quantize_dynamic quantize prepare prepare_qat convert fuse_modules get_default_qconfig get_default_qat_qconfig"
    ).split()
)


class QuantStub(Identity):
    """Where a converted model would quantise; before, its input passes through."""

    def __init__(self, qconfig=None):
        super().__init__()


class DeQuantStub(QuantStub):
    """Where a converted model would return to floating numbers; before, its input passes through."""
