"""Names of `torch._C` that packages call on their way: they report or ask what has no meaning here."""

import contextlib
import enum
import types

from wengert import Tensor, _core, _format
from wengert._format import values_text as _tensor_str  # noqa: F401  (torch's name)
from wengert._methods import Layout
from wengert.func._levels import open_frames
from wengert.futures import Future  # noqa: F401  (torch has it at its top, too)
from wengert.nn.module import parse_to
from wengert.overrides import wrap_torch_function

from .absent import stand_in_class
from .jit import ScriptModule  # noqa: F401  (torch has it at its top, too)

_TensorMeta = type(Tensor)
PyTorchFileReader = stand_in_class("_C.PyTorchFileReader", "wengert.load reads files of torch.save")


def _log_api_usage_once(event):
    """Nothing is reported."""


def _get_tracing_state():
    """Nothing is traced."""
    return None


FakeTensor, FakeTensorMode = (
    stand_in_class(f"_subclasses.fake_tensor.{name}", "graph.trace finds shapes")
    for name in ("FakeTensor", "FakeTensorMode")
)


SymInt, SymFloat, SymBool = (
    stand_in_class(name, "sizes are known; graph.trace finds shapes") for name in ("SymInt", "SymFloat", "SymBool")
)


sparse_csr, sparse_csc, sparse_bsr, sparse_bsc = map(
    Layout, ("sparse_csr", "sparse_csc", "sparse_bsr", "sparse_bsc")
)  # names to compare with: no tensor has these


def _assert_async(condition, message="Expected Tensor with single nonzero value, but got zero"):
    """Raises RuntimeError where a condition of one element does not hold."""
    if not condition:
        raise RuntimeError(message)


def _are_functorch_transforms_active():
    """Whether a transform of `func` is open here."""
    return bool(open_frames())


def is_fake(x):
    """Whether a tensor is one without values: never."""
    return False


def get_proxy_mode():
    """What traces symbolically: nothing."""
    return None


class _PrintOptions:
    """The options of `set_printoptions`, as attributes."""

    def __getattr__(self, name):
        if name not in _format._options:
            raise AttributeError(name)
        return _format._options[name]


PRINT_OPTS = _PrintOptions()


@contextlib.contextmanager
def printoptions(**options):
    """A context in which tensors are printed by other options; see `set_printoptions`."""
    before = dict(_format._options)
    _format.set_printoptions(**options)
    try:
        yield
    finally:
        _format._options.update(before)


# The functions behind modules: one of them, which wrappers of modules use.
_nn = types.SimpleNamespace(_parse_to=lambda *args, **kwargs: (*parse_to(*args, **kwargs), False, None))
DispatchKey = enum.Enum("DispatchKey", "CPU CUDA XPU AutocastCPU AutocastCUDA AutocastXPU AutogradCPU Meta")


class DispatchKeySet(frozenset):
    """Names of ways that a call can take in torch; here there is one."""

    def __new__(cls, key):
        return super().__new__(cls, key if isinstance(key, frozenset) else (key,))

    def __or__(self, other):
        return DispatchKeySet(frozenset(self) | other)


class _ExcludeDispatchKeyGuard(contextlib.nullcontext):
    """A context that changes nothing."""


def _jit_set_profiling_executor(value):
    """Nothing is compiled by TorchScript: there is nothing to set."""
    return False


_jit_set_profiling_mode = _jit_set_texpr_fuser_enabled = _jit_set_nvfuser_enabled = _jit_set_profiling_executor
_jit_override_can_fuse_on_cpu = _jit_override_can_fuse_on_gpu = _jit_set_profiling_executor


DisableTorchFunction = DisableTorchFunctionSubclass = _core.SubclassesOff


class _PlainResults:
    """The `__torch_function__` of classes whose results are plain tensors; not bound as a method."""

    def __call__(self, func, types, args=(), kwargs=None):
        with _core.SubclassesOff():
            return func(*args, **kwargs or {})


_disabled_torch_function_impl = _PlainResults()


def _check(cond, message=None):
    """Raise RuntimeError unless the condition holds.

    Args:
        cond: a bool.
        message: a function that gives the text.
    """
    if not cond:
        raise RuntimeError("Expected cond to be True, but got False." if message is None else str(message()))


@wrap_torch_function(lambda condition, message: (condition,))
def _assert(condition, message):
    """Raise AssertionError with the message unless the condition holds."""
    assert condition, message
