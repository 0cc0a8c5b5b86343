"""Switches of backends that programs set at their start. They are accepted and kept; nothing here reads them."""

from types import SimpleNamespace

cudnn = SimpleNamespace(
    enabled=False,
    benchmark=False,
    deterministic=True,
    allow_tf32=False,
    is_available=lambda: False,
    version=lambda: None,
)
cuda = SimpleNamespace(
    matmul=SimpleNamespace(allow_tf32=False, allow_fp16_reduced_precision_reduction=False),
    is_built=lambda: False,
)
mps = SimpleNamespace(is_available=lambda: False, is_built=lambda: False)
mkl = SimpleNamespace(is_available=lambda: False)
mkldnn = SimpleNamespace(is_available=lambda: False, enabled=False)
openmp = SimpleNamespace(is_available=lambda: False)
