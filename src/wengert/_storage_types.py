"""Storages: the memory behind tensors as bytes, or as elements of one dtype."""

import os

from . import _core

_bytes = _core.all_dtypes()[1]  # uint8


class _Storage:
    """What both kinds of storages have; `_items` is the tensor of their elements."""

    __slots__ = ()
    is_cuda = False
    is_sparse = False

    def data_ptr(self):
        """The address of the first element."""
        return self._items.data_ptr()

    def size(self):
        """The number of elements."""
        return self._items.numel()

    __len__ = size

    def nbytes(self):
        """The number of bytes."""
        return self._items.nbytes

    def element_size(self):
        """The number of bytes of an element."""
        return self._items.element_size()

    def tolist(self):
        """The elements as numbers."""
        return self._items.tolist()

    def __setitem__(self, key, value):
        self._items[key] = value

    def fill_(self, value):
        """Every element set to a number."""
        self._items.fill_(value)
        return self

    def copy_(self, source, non_blocking=None):
        """The elements of a storage of the same size, converted."""
        self._items.copy_(source._items)
        return self

    def cpu(self):
        """The storage itself."""
        return self

    def share_memory_(self):
        """Moves the bytes to where other processes can share them; returns the storage itself."""
        self._items.share_memory_()
        return self

    def is_shared(self):
        """Whether the memory is one that other processes can share."""
        return self._items.is_shared()

    def is_pinned(self, device="cuda"):
        """Whether the memory is pinned; never."""
        return False

    @property
    def device(self):
        """The device: always the CPU."""
        return _core.cpu_device

    def __repr__(self):
        lines = "\n ".join(map(str, self.tolist()))
        return f" {lines}\n[{_core.shown_name()}.storage.{self._title()} of size {self.size()}]"


class UntypedStorage(_Storage):
    """The bytes behind one or more tensors.

    Args:
        data: a number of bytes, or their values as a sequence.

    Example:
        >>> import wengert
        >>> x = wengert.zeros(2, 3)
        >>> x.untyped_storage().nbytes(), x.untyped_storage().data_ptr() == x[1].untyped_storage().data_ptr()
        (24, True)
    """

    __slots__ = ("__weakref__", "bytes")

    def __init__(self, data=0, *, device=None):
        _core.make_empty(0, device=device)  # refuses devices that are not there
        if isinstance(data, int):
            data = _core.empty((data,), _bytes)
        elif not isinstance(data, _core.Tensor):
            data = _core.from_data(list(data), _bytes)
        self.bytes = data

    @property
    def _items(self):
        return self.bytes

    @property
    def _cdata(self):
        """A number that storages over the same memory share."""
        return self.data_ptr()

    def _title(self):
        return "UntypedStorage(device=cpu)"

    def untyped(self):
        """The storage itself."""
        return self

    def __getitem__(self, key):
        """A byte as a number, or a storage over the bytes of a slice, which are shared."""
        return self.bytes[key].item() if isinstance(key, int) else UntypedStorage(_part(self.bytes, key))

    @classmethod
    def from_file(cls, filename, shared=False, nbytes=0):
        """The bytes of a file, read when they are looked at.

        Args:
            filename: its path.
            shared: whether writes go to the file, which is made as long as asked; else they stay in memory.
            nbytes: how many bytes; the whole file by default.

        Raises:
            RuntimeError: the file has fewer bytes and is not shared.
        """
        import numpy

        if shared:
            with open(filename, "ab") as file:
                if file.tell() < nbytes:
                    file.truncate(nbytes)
        size = os.path.getsize(filename)
        if size < nbytes:
            raise RuntimeError(f"from_file: expected {nbytes} bytes in {filename}, got {size}.")
        size = nbytes or size
        if not size:
            return cls()
        mapped = numpy.memmap(filename, numpy.uint8, "r+" if shared else "c", shape=(size,))
        return cls(_core.from_memory(numpy.asarray(mapped)))

    def resize_(self, size):
        """Room for another number of bytes; what is there stays, tensors over it see the new memory."""
        self.bytes.resize_(size)
        return self

    def clone(self):
        """A copy."""
        return UntypedStorage(self.bytes.clone())

    def __reduce__(self):
        return storage_from_bytes, (self.bytes.numpy().tobytes(),)


class TypedStorage(_Storage):
    """A storage read as elements of one dtype.

    Args:
        data: a number of elements, or their values as a sequence.
        dtype: of the elements; the default dtype unless given.
        wrap_storage: an UntypedStorage to read, instead of data.

    Example:
        >>> import wengert
        >>> wengert.TypedStorage([1, 2], dtype=wengert.int32).nbytes()
        8
    """

    __slots__ = ("_elements", "_untyped")

    def __init__(self, data=0, *, wrap_storage=None, dtype=None, device=None):
        _core.make_empty(0, device=device)  # refuses devices that are not there
        dtype = dtype or _core.get_default_dtype()
        if wrap_storage is None:
            wanted = _core.empty((data,), dtype) if isinstance(data, int) else _core.from_data(list(data), dtype)
            wrap_storage = UntypedStorage(_core.storage_tensor(wanted))
        self._untyped = wrap_storage
        whole = wrap_storage.nbytes() // dtype.itemsize * dtype.itemsize
        self._elements = wrap_storage.bytes[:whole].view(dtype)

    @property
    def _items(self):
        return self._elements

    def _title(self):
        return f"TypedStorage(dtype={self.dtype}, device=cpu)"

    @property
    def dtype(self):
        """The element type."""
        return self._elements.dtype

    def untyped(self):
        """The bytes."""
        return self._untyped

    def nbytes(self):
        """The number of bytes."""
        return self._untyped.nbytes()

    def type(self, dtype=None):
        """The name of the storage's type ('wengert.FloatStorage'); with a dtype, a converted copy."""
        if dtype is not None:
            return self._to(dtype)
        return f"{_core.shown_name()}.{STORAGE_NAMES[self.dtype.name]}"

    def __getitem__(self, key):
        if isinstance(key, slice):
            raise RuntimeError("TypedStorage: expected an int as position, got a slice. Slice .untyped().")
        return self._elements[key].item()

    def __iter__(self):
        return iter(self.tolist())

    def resize_(self, size):
        """Room for another number of elements; see UntypedStorage.resize_."""
        self.__init__(wrap_storage=self._untyped.resize_(size * self.element_size()), dtype=self.dtype)
        return self

    def clone(self):
        """A copy."""
        return TypedStorage(wrap_storage=self._untyped.clone(), dtype=self.dtype)

    def _to(self, dtype):
        return (
            self
            if dtype == self.dtype
            else TypedStorage(wrap_storage=_bytes_of(self._elements.to(dtype)), dtype=dtype)
        )

    def __reduce__(self):
        return _typed, (self._untyped, self.dtype)


def _part(memory, key):
    """Some bytes of a storage as a storage of their own, over the same memory."""
    return _core.from_memory(memory.numpy()[key])


def _bytes_of(tensor):
    return UntypedStorage(_core.storage_tensor(tensor))


def _typed(untyped, dtype):
    return TypedStorage(wrap_storage=untyped, dtype=dtype)


def storage_from_bytes(data):
    """An UntypedStorage with a copy of bytes."""
    memory = _core.empty(len(data), _bytes)
    if data:
        memoryview(memory).cast("B")[:] = data
    return UntypedStorage(memory)


def _conversion(dtype):
    def convert(self):
        return self._to(dtype)

    convert.__doc__ = f"The elements as {dtype.name}; the storage itself where they are."
    return convert


def _named(name, dtype):
    """The storage type of an older name: FloatStorage(data) is TypedStorage(data, dtype=float32)."""

    def make(data=0, *, wrap_storage=None, device=None):
        return TypedStorage(data, wrap_storage=wrap_storage, dtype=dtype, device=device)

    make.__name__ = make.__qualname__ = name
    make.__doc__ = f"A TypedStorage of {dtype.name}: data is a number of elements, or their values."
    return make


_STEMS = {
    "float64": "Double",
    "float32": "Float",
    "float16": "Half",
    "bfloat16": "BFloat16",
    "int64": "Long",
    "int32": "Int",
    "int16": "Short",
    "int8": "Char",
    "uint8": "Byte",
    "bool": "Bool",
    "complex64": "ComplexFloat",
    "complex128": "ComplexDouble",
}
STORAGE_NAMES = {name: f"{stem}Storage" for name, stem in _STEMS.items()}
FUNCTIONS = {"UntypedStorage": UntypedStorage, "TypedStorage": TypedStorage}
for _dtype in _core.all_dtypes():
    if _dtype.name in _STEMS:
        setattr(TypedStorage, _STEMS[_dtype.name].lower().replace("complex", "complex_"), _conversion(_dtype))
        FUNCTIONS[STORAGE_NAMES[_dtype.name]] = _named(STORAGE_NAMES[_dtype.name], _dtype)
