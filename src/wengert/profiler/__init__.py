"""Where time and memory go: times, counts and bytes of every op, forward and backward."""

from ._events import EventList, FunctionEvent, FunctionEventAvg
from ._profile import (
    ProfilerAction,
    ProfilerActivity,
    profile,
    record_function,
    schedule,
    tensorboard_trace_handler,
)


def kineto_available():
    """Whether PyTorch's own recorder of GPUs is there: no."""
    return False


class emit_nvtx:  # noqa: N801  (torch's name)
    """Marks for a profiler of GPUs; making one raises RuntimeError: there is none."""

    def __init__(self, enabled=True, record_shapes=False):
        raise RuntimeError("profiler.emit_nvtx: expected a GPU, got a machine without one. Use profiler.profile.")


__all__ = [
    "EventList",
    "FunctionEvent",
    "FunctionEventAvg",
    "ProfilerAction",
    "ProfilerActivity",
    "profile",
    "record_function",
    "schedule",
    "tensorboard_trace_handler",
]
