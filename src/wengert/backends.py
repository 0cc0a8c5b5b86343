"""Switches of backends that programs set at their start. They are accepted and kept; nothing here reads them."""

import contextlib
from types import SimpleNamespace

from . import _core


class _Switches(SimpleNamespace):
    """Switches of one backend; `flags` sets some for a while."""

    @contextlib.contextmanager
    def flags(self, **values):
        """A context in which switches have other values; those it does not name stay."""
        before = dict(vars(self))
        vars(self).update(values)
        try:
            yield
        finally:
            vars(self).update({name: before[name] for name in values if name in before})
            for name in values.keys() - before.keys():
                delattr(self, name)


class _Attention:
    """Which of PyTorch's ways to compute attention a program allows; here there is one."""

    def __init__(self):
        self._allowed = {"flash": True, "mem_efficient": True, "math": True, "cudnn": True}

    def switch(self, name):
        """A function that allows a way or forbids it, and one that says which."""
        return lambda enabled: self._allowed.update({name: bool(enabled)}), lambda: self._allowed[name]

    @contextlib.contextmanager
    def kernel(self, enable_flash=True, enable_math=True, enable_mem_efficient=True, enable_cudnn=True):
        """A context that allows some ways only."""
        before = dict(self._allowed)
        wanted = (enable_flash, enable_mem_efficient, enable_math, enable_cudnn)
        self._allowed.update(zip(before, wanted, strict=True))
        try:
            yield
        finally:
            self._allowed.update(before)


def _no(*args, **kwargs):
    return False


def _capability():
    """The processor's instructions in use, by PyTorch's names."""
    return {"base": "DEFAULT", "v3": "AVX2", "v4": "AVX512"}[_core.isa()]


cudnn = _Switches(
    enabled=False,
    benchmark=False,
    benchmark_limit=10,
    deterministic=True,
    allow_tf32=False,
    is_available=_no,
    is_acceptable=_no,
    version=lambda: None,
)
_attention = _Attention()
cuda = SimpleNamespace(
    matmul=SimpleNamespace(allow_tf32=False, allow_fp16_reduced_precision_reduction=False),
    is_built=_no,
    sdp_kernel=_attention.kernel,
    is_flash_attention_available=_no,
    can_use_flash_attention=_no,
    can_use_efficient_attention=_no,
)
for _way in ("flash", "mem_efficient", "math", "cudnn"):
    _allow, _allowed = _attention.switch(_way)
    setattr(cuda, f"enable_{_way}_sdp", _allow)
    setattr(cuda, f"{_way}_sdp_enabled", _allowed)
mps = SimpleNamespace(is_available=_no, is_built=_no)
mkl = SimpleNamespace(is_available=_no)
mkldnn = _Switches(is_available=_no, enabled=False, deterministic=True)
openmp = SimpleNamespace(is_available=_no)
opt_einsum = SimpleNamespace(is_available=_no, get_opt_einsum=lambda: None, enabled=False, strategy=None)
cpu = SimpleNamespace(get_cpu_capability=_capability)
