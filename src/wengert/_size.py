"""Shapes."""

from . import _core


class Size(tuple):
    """The sizes of a tensor's dimensions: a tuple that prints as such and knows its product.

    Example:
        >>> import wengert
        >>> wengert.zeros(2, 3).shape.numel()
        6
    """

    __slots__ = ()

    def __new__(cls, sizes=()):
        """Raises TypeError for sizes that are not ints; a 0-d tensor counts as one."""
        sizes = tuple(int(size) if isinstance(size, _core.Tensor) else size for size in sizes)
        for size in sizes:
            if not hasattr(size, "__index__"):  # the sizes of static graphs stay what they are
                raise TypeError(f"Size: expected an iterable of ints, got {size!r} in it.")
        return tuple.__new__(cls, sizes)

    def numel(self):
        """The product of the sizes."""
        product = 1
        for size in self:
            product *= size
        return product

    def __repr__(self):
        return f"{_core.shown_name()}.Size({list(self)})"

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
