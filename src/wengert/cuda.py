"""The names under which programs ask for a GPU. There is none: wengert runs on the CPU."""

import contextlib

from ._missing import module_error


class AcceleratorError(RuntimeError):
    """What a failing GPU raises in PyTorch; programs name it to catch it. Nothing here raises it."""


class OutOfMemoryError(RuntimeError):
    """What a full GPU raises in PyTorch; programs name it to catch it. Here a full memory is a MemoryError."""


def is_available():
    """Whether there is a GPU: no."""
    return False


def is_initialized():
    """Whether a GPU is in use: no."""
    return False


def is_bf16_supported():
    """Whether the GPU has bfloat16: there is none."""
    return False


def device_count():
    """The number of GPUs: 0."""
    return 0


def _no_gpu(name, error=AssertionError):
    raise error(
        f"cuda.{name}: expected a GPU, got a machine without one. wengert runs on the CPU only (Torch not compiled with"
        " CUDA enabled)."
    )


def current_device():
    """Raises AssertionError: there is no GPU."""
    _no_gpu("current_device")


def set_device(device):
    """Raises AssertionError: there is no GPU."""
    _no_gpu("set_device")


def get_device_name(device=None):
    """Raises AssertionError: there is no GPU."""
    _no_gpu("get_device_name")


def manual_seed(seed):
    """Accepted: GPUs have no generator here, the CPU's is left alone."""


def manual_seed_all(seed):
    """Accepted: GPUs have no generator here, the CPU's is left alone."""


def empty_cache():
    """Accepted: there is no GPU memory."""


def synchronize(device=None):
    """Accepted: nothing runs elsewhere."""


def memory_allocated(device=None):
    """Bytes in use on the GPU: 0."""
    return 0


max_memory_allocated = memory_reserved = max_memory_reserved = memory_cached = max_memory_cached = memory_allocated


def memory_stats(device=None):
    """Figures of the GPU memory by name: none."""
    return {}


def memory_summary(device=None, abbreviated=False):
    """The figures of the GPU memory as text: none."""
    return ""


def reset_peak_memory_stats(device=None):
    """Accepted: there is no GPU memory."""


reset_max_memory_allocated = reset_max_memory_cached = reset_accumulated_memory_stats = reset_peak_memory_stats


def ipc_collect():
    """Accepted: there is no GPU memory."""


def set_per_process_memory_fraction(fraction, device=None):
    """Accepted: there is no GPU memory."""


def get_rng_state_all():
    """The states of the GPUs' generators: none."""
    return []


def set_rng_state_all(new_states):
    """Accepted: GPUs have no generators here."""


def is_current_stream_capturing():
    """Whether a graph of GPU work is being captured: no."""
    return False


def get_arch_list():
    """The kinds of GPU that there is code for: none."""
    return []


def get_device_properties(device=None):
    """Raises AssertionError: there is no GPU."""
    _no_gpu("get_device_properties")


def get_device_capability(device=None):
    """Raises AssertionError: there is no GPU."""
    _no_gpu("get_device_capability")


def mem_get_info(device=None):
    """Raises AssertionError: there is no GPU."""
    _no_gpu("mem_get_info")


def current_stream(device=None):
    """Raises AssertionError: there is no GPU."""
    _no_gpu("current_stream")


def default_stream(device=None):
    """Raises AssertionError: there is no GPU."""
    _no_gpu("default_stream")


def get_rng_state(device="cuda"):
    """Raises AssertionError: there is no GPU."""
    _no_gpu("get_rng_state")


def set_rng_state(new_state, device="cuda"):
    """Raises AssertionError: there is no GPU."""
    _no_gpu("set_rng_state")


class StreamContext(contextlib.nullcontext):
    """A context that changes nothing for the stream None, which is the only one."""

    def __init__(self, stream):
        super().__init__()
        if stream is not None:
            _no_gpu("StreamContext", RuntimeError)


stream = StreamContext


def _kind(name, what):
    """A class that programs name in annotations and checks; it has no instances."""

    def __init__(self, *args, **kwargs):
        _no_gpu(name, RuntimeError)

    doc = f"{what}; making one raises RuntimeError: there is no GPU."
    return type(name, (), {"__init__": __init__, "__doc__": doc, "__module__": __name__})


Stream, ExternalStream = _kind("Stream", "A queue of GPU work"), _kind("ExternalStream", "A queue of GPU work")
Event, CUDAGraph = _kind("Event", "A moment of GPU work"), _kind("CUDAGraph", "Captured GPU work")
device, graph = _kind("device", "A context that chooses a GPU"), _kind("graph", "A context that captures GPU work")
default_generators = ()


def __getattr__(name):
    if name == "amp":
        from .amp import cuda

        return cuda
    raise module_error(__name__, name, globals())
