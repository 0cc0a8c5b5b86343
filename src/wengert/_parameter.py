"""Parameter: a tensor that modules register. Tensors of other classes become parameters by a mark."""

from . import _core


class _ParameterType(type(_core.Tensor)):
    def __instancecheck__(cls, value):
        if cls is Parameter:
            return _core.is_parameter(value)
        return type.__instancecheck__(cls, value)


class Parameter(_core.Tensor, metaclass=_ParameterType):
    """A tensor that requires grad and that a module registers when it is assigned to an attribute.

    `Parameter(data, requires_grad=True)` returns a leaf that shares the memory of `data` and carries the mark, by
    which `isinstance(x, Parameter)` knows it. Results of operations on it are plain tensors. Subclasses keep their
    class.

    Example:
        >>> import wengert
        >>> p = wengert.nn.Parameter(wengert.ones(2))
        >>> isinstance(p, wengert.nn.Parameter), p.requires_grad, isinstance(p * 2, wengert.nn.Parameter)
        (True, True, False)
    """

    __slots__ = ()
    _plain_results = True

    def __new__(cls, data=None, requires_grad=True):
        if data is None:
            data = _core.empty(0)
        if not isinstance(data, _core.Tensor):
            raise TypeError(f"Parameter: expected a Tensor, got {type(data).__name__}. Use wengert.tensor() first.")
        made = data.detach()
        if cls is not Parameter or type(made) is _core.Tensor and _core.payload(made) is None:
            made = _core.shell(cls, made)
        if requires_grad:
            made.requires_grad_(True)
        return _core.mark_parameter(made)


_core.set_parameter_class(Parameter)
PLAIN = (_core.Tensor, Parameter)  # the classes whose instances override nothing
