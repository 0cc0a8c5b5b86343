"""The questions that programs ask `torch.accelerator`, answered for a machine without one: compute on the CPU."""

from ._missing import explain
from .cuda import device_count, empty_cache, is_available, synchronize

__all__ = [
    "current_accelerator", "current_device_index", "device_count", "empty_cache", "is_available", "set_device_index",
    "synchronize",
]  # fmt: skip

__getattr__ = explain(__name__)


def current_accelerator(check_available=False):
    """The accelerator's device: None, there is none.

    Example:
        >>> from wengert import accelerator
        >>> accelerator.current_accelerator().type if accelerator.is_available() else "cpu"
        'cpu'
    """
    return None


def current_device_index():
    """Raises RuntimeError: there is no accelerator."""
    _no_accelerator("current_device_index")


def set_device_index(device):
    """Raises RuntimeError: there is no accelerator."""
    _no_accelerator("set_device_index")


def _no_accelerator(name):
    raise RuntimeError(
        f"accelerator.{name}: expected an accelerator, got a machine without one. wengert runs on the CPU only."
    )
