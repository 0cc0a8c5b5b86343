"""Trainable tensors and registered buffers."""

import wengert
from wengert._core import Parameter

__all__ = ["Buffer", "Parameter"]


class _BufferType(type):
    def __instancecheck__(cls, value):
        return isinstance(value, wengert.Tensor) and getattr(value, "_is_buffer", False)


class Buffer(metaclass=_BufferType):
    """A tensor that a module registers as a buffer when it is assigned to an attribute.

    `Buffer(data, persistent=True)` returns an ordinary tensor that shares memory with `data` and carries the mark.

    Example:
        >>> m = wengert.nn.Module()
        >>> m.mean = wengert.nn.Buffer(wengert.zeros(2))
        >>> [name for name, _ in m.named_buffers()]
        ['mean']
    """

    def __new__(cls, data=None, *, persistent=True):
        if data is None:
            data = wengert.empty(0)
        buffer = data.detach().requires_grad_(data.requires_grad)
        buffer._is_buffer = True
        buffer.persistent = persistent
        return buffer
