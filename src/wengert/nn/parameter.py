"""Trainable tensors and registered buffers, and those whose shape is not known yet."""

import wengert
from wengert._parameter import Parameter

__all__ = ["Buffer", "Parameter", "UninitializedBuffer", "UninitializedParameter"]


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


def is_lazy(tensor):
    """Whether the tensor is a parameter or a buffer that has no shape yet."""
    return isinstance(tensor, _Uninitialized)


class _Uninitialized:
    """A tensor without elements that gets its shape, and then its final class, by `materialize`."""

    def materialize(self, shape, device=None, dtype=None):
        """Give the tensor a shape and memory of no particular values; it stays the same object.

        Args:
            shape: sizes of the dimensions.
            device: must be the CPU if given.
            dtype: the element type; that of the constructor unless given.
        """
        dtype = self.dtype if dtype is None else dtype
        self.__class__ = self._final
        self.data = wengert.empty(tuple(shape), device=device, dtype=dtype)

    @property
    def shape(self):
        """Not known: raises RuntimeError."""
        raise RuntimeError(
            f"{type(self).__name__}: expected a tensor with a shape, got one that is not initialized. Call forward of "
            "its module once, or materialize()."
        )

    def share_memory_(self):
        """Not possible before there is memory: raises RuntimeError."""
        return self.shape

    def __repr__(self):
        return f"<{type(self).__name__}>"

    def __deepcopy__(self, memo):
        twin = type(self)(self.requires_grad, dtype=self.dtype)
        memo[id(self)] = twin
        return twin

    def __reduce_ex__(self, protocol):
        return type(self), (self.requires_grad, None, self.dtype)


class UninitializedParameter(_Uninitialized, Parameter):
    """A parameter whose shape is not known yet; lazy layers give it one when they see their first input.

    Example:
        >>> p = wengert.nn.UninitializedParameter()
        >>> p.materialize((2, 3))
        >>> list(p.shape), isinstance(p, wengert.nn.UninitializedParameter), isinstance(p, wengert.nn.Parameter)
        ([2, 3], False, True)
    """

    _final = Parameter

    def __new__(cls, requires_grad=True, device=None, dtype=None):
        return Parameter.__new__(cls, wengert.empty(0, device=device, dtype=dtype), requires_grad)


class _LateBuffer(wengert.Tensor):
    """The class of a buffer that got its shape late."""

    _plain_results = True


class UninitializedBuffer(_Uninitialized, wengert.Tensor):
    """A buffer whose shape is not known yet."""

    _plain_results = True
    _final = _LateBuffer

    def __new__(cls, requires_grad=False, device=None, dtype=None, persistent=True):
        made = wengert.empty(0, device=device, dtype=dtype).as_subclass(cls).requires_grad_(requires_grad)
        made.persistent = persistent
        return made
