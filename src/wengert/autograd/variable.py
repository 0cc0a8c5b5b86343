"""`Variable`, the name that tensors with a gradient had before they were one with tensors."""

from .. import _core


class _VariableType(type):
    def __instancecheck__(cls, instance):
        return isinstance(instance, _core.Tensor)


class Variable(metaclass=_VariableType):
    """A tensor over the same memory, cut from its history. Every tensor is an instance.

    Args:
        data: a tensor.
        requires_grad: whether the result records operations.
        volatile: False; its old meaning is `no_grad`.

    Raises TypeError for data that is no tensor, RuntimeError for volatile=True.

    Example:
        >>> import wengert
        >>> x = wengert.autograd.Variable(wengert.ones(2), requires_grad=True)
        >>> isinstance(x, wengert.autograd.Variable), x.requires_grad
        (True, True)
    """

    def __new__(cls, data, requires_grad=False, volatile=False):
        if not isinstance(data, _core.Tensor):
            raise TypeError(f"Variable: expected a Tensor, got {type(data).__name__}. Use wengert.tensor() first.")
        if volatile:
            raise RuntimeError("Variable: volatile is gone. Use `with wengert.no_grad():` instead.")
        return data.detach().requires_grad_(requires_grad)
