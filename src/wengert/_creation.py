"""New tensors: zeros, ones, arange and their like; conversion and copying of tensors."""

from . import _core
from ._format import set_printoptions, tensor_text


class Size(tuple):
    """The sizes of a tensor's dimensions: a tuple that prints as such and knows its product.

    Example:
        >>> import wengert
        >>> wengert.zeros(2, 3).shape.numel()
        6
    """

    __slots__ = ()

    def numel(self):
        """The product of the sizes."""
        product = 1
        for size in self:
            product *= size
        return product

    def __repr__(self):
        return f"wengert.Size({list(self)})"

    def __getitem__(self, key):
        item = tuple.__getitem__(self, key)
        return Size(item) if isinstance(key, slice) else item

    def __add__(self, other):
        return Size(tuple.__add__(self, other)) if isinstance(other, tuple) else NotImplemented

    def __radd__(self, other):
        return Size(other + tuple(self)) if isinstance(other, tuple) else NotImplemented

    def __mul__(self, count):
        return Size(tuple.__mul__(self, count))

    __rmul__ = __mul__

    def __reduce__(self):
        return Size, (tuple(self),)


_core.set_size_type(Size)

FUNCTIONS = {
    "Size": Size,
    "arange": _core.make_arange,
    "clone": _core.clone,
    "device": _core.DeviceObject,
    "empty": _core.make_empty,
    "empty_like": _core.make_empty_like,
    "eye": _core.make_eye,
    "full": _core.make_full,
    "full_like": _core.make_full_like,
    "linspace": _core.make_linspace,
    "logspace": _core.make_logspace,
    "ones": _core.make_ones,
    "ones_like": _core.make_ones_like,
    "set_printoptions": set_printoptions,
    "tensor": _core.make_tensor,
    "zeros": _core.make_zeros,
    "zeros_like": _core.make_zeros_like,
}

METHODS = {
    "T": property(lambda self: self.permute(tuple(range(self.ndim - 1, -1, -1))), doc="The dimensions reversed."),
    "__repr__": tensor_text,
    "bfloat16": _core.to_bfloat16,
    "bool": _core.to_bool,
    "byte": _core.to_uint8,
    "char": _core.to_int8,
    "clone": _core.clone,
    "contiguous": _core.contiguous,
    "copy_": _core.copy_,
    "cpu": _core.cpu,
    "device": property(lambda self: _core.cpu_device, doc="The device: always the CPU."),
    "double": _core.to_float64,
    "fill_": _core.fill_,
    "float": _core.to_float32,
    "half": _core.to_float16,
    "int": _core.to_int32,
    "long": _core.to_int64,
    "mT": property(lambda self: self.transpose(-2, -1), doc="The last two dimensions swapped."),
    "new_empty": _core.new_empty,
    "new_full": _core.new_full,
    "new_ones": _core.new_ones,
    "new_zeros": _core.new_zeros,
    "short": _core.to_int16,
    "size": _core.size,
    "to": _core.to,
    "type_as": _core.type_as,
    "view_as": lambda self, other: self.view(other.shape),
    "zero_": _core.zero_,
}
