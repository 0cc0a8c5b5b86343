"""Tensor's rarer properties and methods: what is asked of a tensor, and names that mean little on one device."""

from . import _core
from ._format import tensor_text
from ._overload import check_tensor
from ._overriding import count_class
from ._size import Size
from ._warn import warn

Tensor = _core.Tensor
METHODS = {}


def _method(f):
    METHODS[f.__name__] = f
    return f


def _property(f):
    METHODS[f.__name__] = property(f)
    return f


@_property
def device(self):
    """The device: the CPU, but for tensors on "meta", which have no values."""
    return _core.cpu_device


def _meta_part():
    from . import _meta

    return _meta


_core.set_meta_part(_meta_part)


def _elsewhere(kind):
    def move(self, device=None, non_blocking=False, memory_format=None):
        return self.to(kind if device is None else device)

    move.__name__ = move.__qualname__ = kind
    move.__doc__ = f"Raises the error of a missing device, as `.to({kind!r})` does."
    return move


for _kind in ("cuda", "ipu", "mtia", "xpu"):
    _method(_elsewhere(_kind))


@_property
def layout(self):
    """How elements are stored: always strided."""
    return strided


@_property
def mT(self):
    """The last two dimensions swapped; a view. Raises RuntimeError for fewer than two dimensions."""
    if self.ndim < 2:
        raise RuntimeError(f"mT: expected a matrix or a batch of them, got shape {tuple(self.shape)}.")
    return self.transpose(-2, -1)


class Layout:
    """How a tensor's elements are stored."""

    def __init__(self, name):
        self._name = name

    def __repr__(self):
        return f"{_core.shown_name()}.{self._name}"

    def __reduce__(self):
        return self._name


class MemoryFormat(Layout):
    """The order of dimensions in memory; accepted everywhere, results are contiguous."""


strided = Layout("strided")
contiguous_format = MemoryFormat("contiguous_format")
preserve_format = MemoryFormat("preserve_format")
channels_last = MemoryFormat("channels_last")
channels_last_3d = MemoryFormat("channels_last_3d")

for _name in ("is_cuda", "is_sparse", "is_quantized", "is_mps", "is_meta", "is_nested", "is_mkldnn", "is_xpu"):
    METHODS[_name] = property(lambda self: False, doc="False: tensors are dense and on the CPU.")
METHODS["_grad"] = _core.Tensor.grad  # programs that hand gradients to a shared model write it by this name
METHODS["is_cpu"] = property(lambda self: True, doc="True: tensors are on the CPU.")


@_property
def names(self):
    """The names of the dimensions: none have one."""
    return (None,) * self.ndim


@_method
def view_as(self, other):
    """The tensor viewed in another tensor's shape."""
    if not isinstance(other, Tensor):
        raise TypeError(f"view_as: expected a Tensor, got {other.__class__.__name__}.")
    return self.view(other.shape)


@_method
def type(self, dtype=None, non_blocking=False):
    """The name of the tensor's type ('wengert.FloatTensor'); with a dtype or such a name or type, converts."""
    if dtype is None:
        return f"{_core.shown_name()}.{type_names[self.dtype.name]}"
    if isinstance(dtype, str):
        name = dtype.rpartition(".")[2]
        if ".cuda." in dtype:
            raise RuntimeError(f"type: expected a type on the CPU, got {dtype!r}. wengert runs on the CPU only.")
        found = [code for code, known in type_names.items() if known == name]
        if not found:
            raise ValueError(f"type: expected a name among {sorted(type_names.values())}, got {dtype!r}.")
        return _core.convert(self, _core._dtype_from_name(found[0]))
    return _core.convert(self, getattr(dtype, "_dtype", dtype))


type_names = {
    "bool": "BoolTensor",
    "uint8": "ByteTensor",
    "int8": "CharTensor",
    "int16": "ShortTensor",
    "int32": "IntTensor",
    "int64": "LongTensor",
    "float16": "HalfTensor",
    "bfloat16": "BFloat16Tensor",
    "float32": "FloatTensor",
    "float64": "DoubleTensor",
    "complex64": "ComplexFloatTensor",
    "complex128": "ComplexDoubleTensor",
}


@_method
def is_floating_point(self):
    """Whether the dtype is a floating one."""
    check_tensor("is_floating_point", self)
    return self.dtype.is_floating_point


@_method
def is_complex(self):
    """Whether the dtype is complex."""
    check_tensor("is_complex", self)
    return self.dtype.is_complex


@_method
def to_sparse(self, sparse_dim=None):
    """The elements that are not 0 as a sparse tensor; see wengert.sparse."""
    from .sparse import to_sparse as convert

    return convert(self, sparse_dim)


METHODS["to_sparse_coo"] = to_sparse


@_method
def to_dense(self, dtype=None, *, masked_grad=None):
    """The tensor itself: it is dense."""
    return self if dtype is None else self.to(dtype)


@_method
def is_signed(self):
    """Whether the dtype holds negative values."""
    check_tensor("is_signed", self)
    return self.dtype.is_signed


@_method
def is_inference(self):
    """Whether the tensor is an inference tensor: no. What inference mode makes are plain tensors without history."""
    return False


def _called(name, function, tensors):
    """The first tensor, with what a Python function makes of each element and those of the others in its place."""
    if any(t.requires_grad for t in tensors):
        raise RuntimeError(f"{name}: expected tensors that do not require grad. Use .detach().{name}() instead.")
    self, *others = tensors
    for t in others:
        if t.dtype != self.dtype:
            raise TypeError(f"{name}: expected tensors of dtype {self.dtype}, got {t.dtype}. Use .to().")
    columns = [t.expand(self.shape).reshape(-1).tolist() for t in tensors]
    values = [function(*row) for row in zip(*columns, strict=True)]
    return self.copy_(_core.from_data(values, self.dtype).reshape(self.shape))


@_method
def apply_(self, callable):
    """Puts `callable(x)` in the place of every element x, in place: a loop in Python, for what no operation does.

    Raises:
        RuntimeError: the tensor requires grad.
        TypeError: `callable` returns something else than a number.

    Example:
        >>> import wengert
        >>> wengert.tensor([1.0, 2.0]).apply_(lambda x: x + 1)
        tensor([2., 3.])
    """
    return _called("apply_", callable, [self])


@_method
def map_(self, tensor, callable):
    """Puts `callable(x, y)` in the place of every element x, in place, y being `tensor`'s: of the same dtype, broadcast to
    this shape. Raises as `apply_`, and RuntimeError where the shapes do not fit."""
    return _called("map_", callable, [self, tensor])


@_method
def map2_(self, x, y, callable):
    """`map_` with two other tensors: `callable(a, b, c)` of the elements of the three."""
    return _called("map2_", callable, [self, x, y])


@_method
def is_pinned(self, device=None):
    """Whether the memory is pinned for a device: no."""
    return False


@_method
def pin_memory(self, device=None):
    """The tensor itself: there is no device to pin memory for."""
    return self


@_method
def is_shared(self):
    """Whether the memory is one that other processes can share (`share_memory_`)."""
    return _core.storage_owner(self) is not None


@_method
def share_memory_(self):
    """Moves the memory, and that of all views, to where other processes can share it; returns the tensor itself.

    Forked processes then see and make changes of it; `multiprocessing` passes it on without a copy, to spawned processes
    and through queues. The system frees it with the last process. Raises OSError where the system has no memory.

    Example:
        >>> import wengert
        >>> wengert.zeros(2).share_memory_().is_shared()
        True
    """
    from ._shared import share

    share(self)
    return self


@_method
def get_device(self):
    """The number of the device: -1 for the CPU."""
    return -1


@_method
def is_set_to(self, tensor):
    """Whether both tensors look at the same memory in the same way."""
    return (
        _core.same_storage(self, tensor)
        and self.shape == tensor.shape
        and self.stride() == tensor.stride()
        and self.storage_offset() == tensor.storage_offset()
    )


@_method
def resize(self, *sizes):
    """The tensor in other sizes of as many elements: `reshape` under the name that PyTorch has deprecated."""
    warn("resize: this name is deprecated. Use reshape().")
    return self.contiguous().view(*sizes)


@_method
def resize_as(self, tensor):
    """The tensor in another's sizes: `view_as` under the name that PyTorch has deprecated."""
    warn("resize_as: this name is deprecated. Use view_as().")
    return self.contiguous().view_as(tensor)


@_method
def resize_as_(self, other, *, memory_format=None):
    """Gives the tensor another's sizes in place; see resize_."""
    check_tensor("resize_as_", other)
    return self.resize_(other.shape)


@_method
def new_tensor(self, data, *, dtype=None, device=None, requires_grad=False, pin_memory=False):
    """A new tensor from data, of this dtype unless one is given."""
    kind = self.dtype if dtype is None else dtype
    return _core.make_tensor(data, dtype=kind, device=device, requires_grad=requires_grad)


@_method
def new(self, *args, device=None):
    """A new tensor of this dtype from sizes or data."""
    if not args:
        return self.new_empty(0)
    if isinstance(args[0], (int, Size)):
        return self.new_empty(*args)
    if isinstance(args[0], float):
        raise TypeError(f"new: expected sizes or a sequence of data, got {args[0]}. Use new_tensor() for a number.")
    return _core.make_tensor(args[0], dtype=self.dtype)


@_method
def as_subclass(self, cls):
    """The tensor as an instance of a subclass of Tensor, over the same memory and with the same history."""
    _without_dispatch(cls)
    return _core.shell(cls, self)


@_method
def __format__(self, spec):
    if self.ndim == 0 and self.__class__ is Tensor:
        return self.item().__format__(spec)
    return object.__format__(self, spec)


@_method
def __complex__(self):
    return complex(self.item())


@_method
def __setstate__(self, state):
    self.__dict__.update(state)


def _torch_function(cls, func, types, args=(), kwargs=None):
    """Runs an op on instances of a subclass: results keep the class. Override it to see every op."""
    if not all(issubclass(cls, kind) for kind in types):
        return NotImplemented
    with _core.SubclassesOff():
        result = func(*args, **(kwargs or {}))
    return _as_class(result, cls)


def _init_subclass(cls, **kwargs):
    """Subclasses may override `__torch_function__`; there is no level below it to override: such classes have no tensors."""
    super(Tensor, cls).__init_subclass__(**kwargs)
    count_class(cls)
    if "__torch_dispatch__" in cls.__dict__ and "__new__" not in cls.__dict__:
        cls.__new__ = _without_dispatch


def _without_dispatch(cls, *args, **kwargs):
    """Raises NotImplementedError where a class wants `__torch_dispatch__`."""
    if hasattr(cls, "__torch_dispatch__"):
        raise NotImplementedError(
            f"{cls.__name__}: expected a subclass without __torch_dispatch__, which nothing here would call. Override "
            "__torch_function__."
        )


def _make_subclass(cls, data, require_grad=False):
    """The data of a tensor as an instance of a subclass, a leaf: for the `__new__` of such classes."""
    _without_dispatch(cls)
    return data.detach().as_subclass(cls).requires_grad_(require_grad)


def _make_wrapper_subclass(cls, *args, **kwargs):
    """Raises NotImplementedError: tensors without memory of their own are not there."""
    raise NotImplementedError(
        f"{cls.__name__}: expected a subclass with memory of its own, got a wrapper. Use Tensor._make_subclass."
    )


def _as_class(result, cls):
    if isinstance(result, Tensor):
        return result if isinstance(result, cls) else _core.shell(cls, result)
    if isinstance(result, (tuple, list)):
        parts = [_as_class(v, cls) for v in result]
        return result.__class__(*parts) if hasattr(result, "_fields") else result.__class__(parts)
    return result


_core.set_default_torch_function(_torch_function)


def _as_strided_(self, size, stride, storage_offset=None):
    """Gives the tensor any layout over its memory."""
    return become_view("as_strided_", self, self.__class__.as_strided, size, stride, storage_offset)


def become_view(name, x, function, *args, **kwargs):
    """x itself takes the layout and the history of function(x, ...), a view of it."""
    _core.check_no_leaf_write(name, x)
    if x.is_leaf:
        return _core.become_view(x, function(x, *args, **kwargs))
    with _core.enable_grad():  # a history that is there has to follow
        return _core.become_view(x, function(x, *args, **kwargs))


METHODS |= {
    "T": property(_core.transposed),
    "__array_priority__": 1000,
    "__init_subclass__": classmethod(_init_subclass),
    "__repr__": tensor_text,
    "__torch_function__": classmethod(_torch_function),
    "bfloat16": _core.to_bfloat16,
    "bool": _core.to_bool,
    "byte": _core.to_uint8,
    "char": _core.to_int8,
    "clone": _core.clone,
    "contiguous": _core.contiguous,
    "copy_": _core.copy_,
    "cpu": _core.cpu,
    "detach_": _core.detach_,
    "double": _core.to_float64,
    "fill_": _core.fill_,
    "float": _core.to_float32,
    "half": _core.to_float16,
    "int": _core.to_int32,
    "long": _core.to_int64,
    "new_empty": _core.new_empty,
    "new_full": _core.new_full,
    "new_ones": _core.new_ones,
    "new_zeros": _core.new_zeros,
    "resize_": _core.resize_,
    "short": _core.to_int16,
    "size": _core.size,
    "to": _core.to,
    "type_as": _core.type_as,
    "view": _core.view,
    "zero_": _core.zero_,
    "as_strided_": _as_strided_,
    "_make_subclass": staticmethod(_make_subclass),
    "_make_wrapper_subclass": staticmethod(_make_wrapper_subclass),
}


def fill(input, value):
    """A tensor of input's shape and dtype filled with a number or a 0-d tensor."""
    check_tensor("fill", input)
    return input.clone().fill_(value)


def fill_(input, value):
    """Writes a number or a 0-d tensor to every element; returns the tensor."""
    return _core.fill_(check_tensor("fill_", input), value)


def zero_(input):
    """Writes 0 to every element; returns the tensor."""
    return _core.zero_(check_tensor("zero_", input))


METHODS["fill"] = fill
FUNCTIONS = {
    "fill": fill,
    "fill_": fill_,
    "zero_": zero_,
    "channels_last": channels_last,
    "channels_last_3d": channels_last_3d,
    "contiguous_format": contiguous_format,
    "is_complex": is_complex,
    "is_floating_point": is_floating_point,
    "is_signed": is_signed,
    "layout": Layout,
    "memory_format": MemoryFormat,
    "preserve_format": preserve_format,
    "strided": strided,
}
