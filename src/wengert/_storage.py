"""The storages of tensors, and what keeps them shared: pickling, copies, `set_`. Exchange of memory with other libraries."""

import weakref

from . import _core
from ._storage_types import FUNCTIONS as STORAGE_TYPES
from ._storage_types import TypedStorage, UntypedStorage

_known = weakref.WeakValueDictionary()  # address -> UntypedStorage, so that one memory is one object


def untyped_storage(self):
    """The bytes behind the tensor; tensors that share memory have one storage."""
    memory = _core.storage_tensor(self)
    address = memory.data_ptr()
    found = _known.get(address)
    # A storage that was freed and allocated again at the same address has no UntypedStorage: that would hold it.
    if found is None or not _core.same_storage(found.bytes, memory):
        found = _known[address] = UntypedStorage(memory)
    return found


def storage(self):
    """The storage behind the tensor as elements of its dtype."""
    return TypedStorage(wrap_storage=untyped_storage(self), dtype=self.dtype)


def set_(self, source=None, storage_offset=0, size=None, stride=None):
    """Makes the tensor look at other memory: of a tensor, or of a storage with offset, size and stride in
    elements."""
    if source is None:
        self.data = _core.empty(0, self.dtype)
        return self
    if getattr(source, "dtype", self.dtype) != self.dtype:
        raise RuntimeError(f"set_: expected a source of dtype {self.dtype}, got {source.dtype}. Convert it first.")
    if isinstance(source, _core.Tensor):
        if size is None:
            self.data = source.detach()
            return self
        memory = _core.storage_tensor(source)
    elif not isinstance(source, (UntypedStorage, TypedStorage)):
        raise TypeError(f"set_: expected a Tensor or a storage, got {type(source).__name__}.")
    else:
        memory = source.bytes if isinstance(source, UntypedStorage) else source.untyped().bytes
    if size is None:
        size = (memory.numel() // self.element_size() - storage_offset,)
    if stride is None:
        stride = _dense_strides(size)
    self.data = _core.strided_tensor(memory, self.dtype, storage_offset, tuple(size), tuple(stride))
    return self


def _dense_strides(size):
    strides, step = [], 1
    for n in reversed(size):
        strides.append(step)
        step *= max(n, 1)
    return strides[::-1]


# ---- pickling and copies -----------------------------------------------------------------------------------------


def rebuild(cls, memory, dtype, offset, size, stride, requires_grad, parameter, attributes):
    """A tensor over a storage: what pickles hold."""
    made = _core.strided_tensor(memory.bytes, dtype, offset, size, stride)
    if cls is not _core.Tensor:
        made = _core.shell(cls, made)
    if requires_grad:
        made.requires_grad_(True)
    if parameter:
        _core.mark_parameter(made)
    if attributes:
        made.__dict__.update(attributes)
    return made


def described(self, memory):
    requires_grad = self.requires_grad and self.is_leaf
    layout = (self.dtype, self.storage_offset(), tuple(self.shape), self.stride())
    return type(self), memory, *layout, requires_grad, _core.is_parameter(self)


def reduce_ex(self, protocol):
    """Pickles the storage, the layout, requires_grad, the Parameter mark and attributes. Tensors of one pickle
    that share memory share it after loading. Raises RuntimeError for results of operations."""
    if not self.is_leaf:
        raise RuntimeError("pickle: expected a leaf, got the result of an operation. Use .detach().")
    return rebuild, (*described(self, untyped_storage(self)), dict(self.__dict__))


def deepcopy(self, memo):
    """A copy in memory of its own; tensors that share memory do so afterwards too. Raises RuntimeError for
    results of operations."""
    import copy

    if id(self) in memo:
        return memo[id(self)]
    if not self.is_leaf:
        raise RuntimeError("deepcopy: expected a leaf, got the result of an operation. Use .detach().clone().")
    memory = untyped_storage(self)
    if id(memory) not in memo:
        memo[id(memory)] = memory.clone()
        memo.setdefault(id(memo), []).append(memory)  # keeps the id in use while the copy runs
    made = rebuild(*described(self, memo[id(memory)]), None)
    memo[id(self)] = made
    if self.grad is not None:
        made.grad = copy.deepcopy(self.grad, memo)
    if self.__dict__:
        made.__dict__.update(copy.deepcopy(self.__dict__, memo))
    return made


def shallow_copy(self):
    """A leaf over the same memory, with the same requires_grad, mark and attributes."""
    made = rebuild(*described(self, untyped_storage(self)), dict(self.__dict__))
    return made.requires_grad_(self.requires_grad)


# ---- DLPack ------------------------------------------------------------------------------------------------------


def dlpack(self, *, stream=None, max_version=None, dl_device=None, copy=None):
    """A DLPack capsule over the tensor's memory. Raises BufferError for tensors that require grad."""
    if self.requires_grad:
        raise BufferError("__dlpack__: expected no history, got a tensor that requires grad. Use .detach().")
    array = self.numpy()
    return (array.copy() if copy else array).__dlpack__()


def dlpack_device(self):
    """The DLPack device: the CPU."""
    return 1, 0


def from_dlpack(source):
    """A tensor that shares the memory of an object with `__dlpack__`.

    Example:
        >>> import numpy, wengert
        >>> a = numpy.zeros(2)
        >>> wengert.from_dlpack(a)[0] = 1
        >>> a
        array([1., 0.])
    """
    import numpy

    if isinstance(source, _core.Tensor):
        return source.detach()
    return _core.from_memory(numpy.from_dlpack(source))


# ---- NumPy -------------------------------------------------------------------------------------------------------


def array_wrap(self, array, context=None, return_scalar=False):
    """What a NumPy function made of the tensor, as a tensor."""
    return _core.from_memory(array)


FUNCTIONS = STORAGE_TYPES | {"from_dlpack": from_dlpack}
METHODS = {
    "__array_wrap__": array_wrap,
    "__copy__": shallow_copy,
    "__deepcopy__": deepcopy,
    "__dlpack__": dlpack,
    "__dlpack_device__": dlpack_device,
    "__reduce_ex__": reduce_ex,
    "set_": set_,
    "storage": storage,
    "untyped_storage": untyped_storage,
}
