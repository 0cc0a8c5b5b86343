"""wengert's own file format: a JSON header that describes the state, then raw buffers. See docs/file-format.md."""

import collections
import hashlib
import json
import re
import struct
import types

import numpy as np

import wengert
from wengert import _core
from wengert._parameter import Parameter
from wengert.serialization import objects, tensors
from wengert.serialization.files import FormatError

MAGIC = b"\x89WGT\r\n\x1a\n"
VERSION = 1
_PREFIX = struct.Struct("<8sIIQ16s")  # magic, version, zero, header length, checksum of the above and the header
_ALIGN = 64
_MAX_DEPTH = 200
_ARRAY_DTYPE = re.compile(r"[<|]([bi?u][1248]|b1|f[248]|c8|c16|[SU][1-9]\d{0,8}|[mM]8(\[\d*[a-zA-Z]+\])?)")
# What building a state from a forged description can raise; RuntimeError comes from tensor operations.
_MALFORMED = (ValueError, TypeError, LookupError, AttributeError, OverflowError, RuntimeError, struct.error)
_FACTORIES = {"dict": dict, "list": list, "set": set, "int": int, "float": float, "none": None}


def _digest(*pieces):
    state = hashlib.blake2b(digest_size=16)
    for piece in pieces:
        state.update(piece)
    return state


def _aligned(position):
    return -(-position // _ALIGN) * _ALIGN


def encode(obj):
    """Return an iterator over the bytes of a file that holds ``obj``; all checks happen before the first piece."""
    encoder = _Encoder()
    root = encoder.value(obj, "state", 0)
    buffers = encoder.finish()
    table = []
    position = 0
    for data in buffers:
        position = _aligned(position)
        table.append([position, len(data), _digest(data).hexdigest()])
        position += len(data)
    header = {"buffers": table, "length": position, "tensors": encoder.tensors, "storages": encoder.storages}
    header["root"] = root
    return _pieces(json.dumps(header, separators=(",", ":")).encode("ascii"), table, buffers)


def _pieces(header, table, buffers):
    start = struct.pack("<8sIIQ", MAGIC, VERSION, 0, len(header))
    yield start + _digest(start, header).digest()
    yield header
    written = _PREFIX.size + len(header)
    data_start = _aligned(written)
    for (position, length, _), data in zip(table, buffers, strict=True):
        yield bytes(data_start + position - written)
        yield data
        written = data_start + position + length
    if not table:
        yield bytes(data_start - written)


class _Encoder:
    """Turns a state into JSON values and buffers."""

    def __init__(self):
        self.tensors = []
        self.storages = []
        self._buffers = []
        self._tensor_index = {}
        self._members = collections.defaultdict(list)  # storage address -> tensors in it, kept alive
        self._open = set()
        self._objects = {}  # id -> (number, object): each is written once and kept alive

    def value(self, obj, path, depth):
        """Return the JSON form of ``obj``; ``path`` names its place in errors."""
        kind = type(obj)
        if obj is None or kind is bool or kind is str:
            return obj
        if kind is int:
            return obj if abs(obj) < 2**53 else ["int", hex(obj)]
        if kind is float:
            return ["float", struct.pack(">d", obj).hex()]
        if kind is complex:
            return ["complex", struct.pack(">dd", obj.real, obj.imag).hex()]
        if kind is bytes or kind is bytearray:
            return [kind.__name__, self._buffer(obj)]
        if isinstance(obj, wengert.Tensor):
            return ["tensor", self._tensor(obj, path)]
        if isinstance(obj, wengert.dtype):
            return ["dtype", _name_of_dtype(obj, path)]
        if isinstance(obj, wengert.device):
            return ["device", str(obj)]
        if isinstance(obj, np.generic):
            array = _plain_array(np.asarray(obj), path)
            return ["scalar", array.dtype.str, array.tobytes().hex()]
        if kind is np.ndarray:
            array = np.ascontiguousarray(_plain_array(obj, path))
            return ["array", array.dtype.str, list(obj.shape), self._buffer(array.tobytes())]
        return self._container(obj, kind, path, depth)

    def _container(self, obj, kind, path, depth):
        if depth >= _MAX_DEPTH:
            raise ValueError(f"save: expected at most {_MAX_DEPTH} levels of nesting, got more at {path[:200]}.")
        if id(obj) in self._open:
            raise ValueError(f"save: expected a tree of containers, got one that contains itself at {path}.")
        self._open.add(id(obj))
        try:
            if kind is wengert.Size:
                return ["size", [int(n) for n in obj]]
            if kind in (list, tuple):
                return [kind.__name__, [self.value(v, f"{path}[{i}]", depth + 1) for i, v in enumerate(obj)]]
            if kind in (set, frozenset):
                return [kind.__name__, [self.value(v, f"{path}{{{v!r}}}", depth + 1) for v in obj]]
            if kind in (dict, collections.OrderedDict, collections.Counter, collections.defaultdict):
                return self._mapping(obj, kind, path, depth)
        finally:
            self._open.discard(id(obj))
        return self._object(obj, path, depth)

    def _object(self, obj, path, depth):
        """An object of any other class; a class or a function by its name."""
        if id(obj) in self._objects:
            return ["same", self._objects[id(obj)][0]]
        if isinstance(obj, (type, types.FunctionType, types.BuiltinFunctionType)):
            return ["global", *self._path(obj, path)]
        parts = objects.taken_apart(obj, path)
        if parts is None:
            return ["global", *self._path(obj, path)]
        function, arguments, state, items, pairs = parts
        start = [*self._path(function, path), self.value(list(arguments), path, depth + 1)]
        number = len(self._objects)
        self._objects[id(obj)] = (number, obj)
        rest = [
            self.value(state, path, depth + 1),
            items and self.value(items, path, depth + 1),
            pairs and [[self.value(part, path, depth + 1) for part in pair] for pair in pairs],
        ]
        return ["object", number, *start, *rest]

    def _path(self, thing, path):
        found = objects.path_of(thing)
        if found is None:
            raise TypeError(
                f"save: expected a class or a function that can be imported by its name, got {thing!r} at {path}. "
                "Move it to the top of a module, save its state instead, or leave it out."
            )
        return found

    def _mapping(self, obj, kind, path, depth):
        pairs = []
        for key, entry in obj.items():
            place = f"{path}[{key!r}]"
            coded_key = self.value(key, f"the key {place}", depth + 1)
            pairs.append([coded_key, self.value(entry, place, depth + 1)])
        if kind is not collections.defaultdict:
            return [kind.__name__, pairs]
        for name, factory in _FACTORIES.items():
            if obj.default_factory is factory:
                return ["defaultdict", pairs, name]
        raise TypeError(
            f"save: expected a defaultdict of {', '.join(_FACTORIES)}, got one of {obj.default_factory!r} at "
            f"{path}. Save dict(...) of it instead."
        )

    def _buffer(self, data):
        self._buffers.append(data)
        return len(self._buffers) - 1

    def _tensor(self, tensor, path):
        """Return the index of a tensor; the same object gets the same index."""
        index = self._tensor_index.get(id(tensor))
        if index is not None:
            return index
        name = _name_of_dtype(tensor.dtype, path)
        plain = tensor.detach()
        if getattr(plain, "layout", None) != getattr(wengert, "strided", None):
            raise TypeError(f"save: expected a dense tensor, got a sparse one at {path}. Use .to_dense().")
        row = {
            "dtype": name,
            "shape": [int(n) for n in tensor.shape],
            "requires_grad": bool(tensor.requires_grad),
            "parameter": _core.is_parameter(tensor),
        }
        index = self._tensor_index[id(tensor)] = len(self.tensors)
        self.tensors.append(row)
        if plain.numel():
            self._members[plain.untyped_storage().data_ptr()].append((tensor, plain, row))
        else:
            self._members["empty"].append((tensor, plain, row))
            row.update(storage=None, stride=[int(n) for n in plain.stride()], offset=0)
        return index

    def finish(self):
        """Return all buffers, after writing each storage once: the part of it that any tensor uses."""
        for address, members in self._members.items():
            if address != "empty":
                self._storage(members)
        return self._buffers

    def _storage(self, members):
        names = {row["dtype"] for _, _, row in members}
        sizes = [tensors.item_size(row["dtype"]) for _, _, row in members]
        extents = [tensors.extent(plain) for _, plain, _ in members]
        # Starting at a multiple of 16 bytes keeps every element aligned, whatever its dtype.
        low = min(first * size for (first, _), size in zip(extents, sizes, strict=True)) // 16 * 16
        high = max(end * size for (_, end), size in zip(extents, sizes, strict=True))
        smallest = sizes.index(min(sizes))
        unit, plain = sizes[smallest], members[smallest][1]
        flat = plain.as_strided(((high - low) // unit,), (1,), low // unit)
        data = tensors.byte_view(flat)
        if len(names) > 1:  # loaded as bytes and viewed as each dtype, so the length must suit all of them
            data = bytes(data) + bytes(-len(data) % 16)
        self.storages.append([self._buffer(data), names.pop() if len(names) == 1 else "uint8"])
        for (_, plain, row), size in zip(members, sizes, strict=True):
            offset = plain.storage_offset() - low // size
            row.update(storage=len(self.storages) - 1, stride=[int(n) for n in plain.stride()], offset=offset)


def _name_of_dtype(dtype, path):
    name = tensors.name_of(dtype)
    if name is None:
        raise TypeError(f"save: expected a dtype among {', '.join(tensors.DTYPE_NAMES)}, got {dtype} at {path}.")
    return name


def _plain_array(array, path):
    """Return a NumPy array in little-endian order; TypeError for dtypes that hold objects or fields."""
    array = array.astype(array.dtype.newbyteorder("<"), copy=False)
    if not _ARRAY_DTYPE.fullmatch(array.dtype.str):
        raise TypeError(f"save: expected a NumPy dtype of numbers or text, got {array.dtype} at {path}.")
    return array


def decode(source, trusted=False):
    """Return the state in a file of this format; objects of other classes than plain ones only from a trusted one."""
    prefix = source.read(0, _PREFIX.size, "the beginning of the file")
    _, version, zero, length, digest = _PREFIX.unpack(prefix)
    if version != VERSION or zero != 0:
        raise FormatError(f"load: expected format version {VERSION}, got {version}. Use a newer wengert.")
    header = source.read(_PREFIX.size, length, "the header")
    if _digest(prefix[: _PREFIX.size - 16], header).digest() != digest:
        raise FormatError("load: expected the header's checksum to agree, got another. The file is altered.")
    try:
        decoder = _Decoder(source, json.loads(header), _aligned(_PREFIX.size + length), trusted)
        result = decoder.value(decoder.root)
    except FormatError:
        raise
    except _MALFORMED as error:
        raise FormatError(f"load: expected a well-formed header, got {type(error).__name__}: {error}.") from error
    source.finish(decoder.end)
    return result


class _Decoder:
    """Builds the state from the header; reads each buffer once."""

    def __init__(self, source, header, data_start, trusted):
        self._source = source
        self._trusted = trusted
        self._objects = {}
        self.root = header["root"]
        self.end = data_start + header["length"]
        source.check(data_start, header["length"], "the buffers")
        if source.is_path and source.size != self.end:
            raise FormatError(
                f"load: expected a file of {self.end} bytes, got {source.size}. Something was appended to the file."
            )
        self._buffers = header["buffers"]
        position = 0
        for start, length, _ in self._buffers:  # in order and apart, so no byte can be allocated twice
            if start < position or length < 0 or start + length > header["length"]:
                raise FormatError("load: expected buffers in order, got overlapping ones. The file is altered.")
            position = start + length
        self._data_start = data_start
        self._storages = [self._storage(*row) for row in header["storages"]]
        self._tensors = [self._tensor(i, row) for i, row in enumerate(header["tensors"])]

    def _fill(self, index, view):
        start, length, digest = self._buffers[index]
        what = f"buffer {index}"
        self._source.read_into(self._data_start + start, view, what)
        if _digest(view).hexdigest() != digest:
            raise FormatError(f"load: expected the checksum of {what} to agree, got another. The file is altered.")

    def _bytes(self, index):
        index = _index(index, self._buffers)
        data = bytearray(self._buffers[index][1])
        self._fill(index, memoryview(data))
        return data

    def _storage(self, index, name):
        index = _index(index, self._buffers)
        length = self._buffers[index][1]
        size = tensors.item_size(name) if tensors.dtype_of(name) else 1
        if length % size:
            raise FormatError(f"load: expected whole elements of {name} in buffer {index}, got {length} bytes.")
        flat = wengert.empty(length // size, dtype=tensors.dtype_of(name))
        self._fill(index, tensors.byte_view(flat))
        return flat

    def _tensor(self, index, row):
        what = f"tensor {index}"
        dtype = tensors.dtype_of(row["dtype"])
        shape, stride, offset = row["shape"], row["stride"], row["offset"]
        if row["storage"] is None:
            flat = wengert.empty(0, dtype=dtype)
            if 0 not in shape:
                raise FormatError(f"load: expected stored elements for {what}, got none.")
        else:
            flat = self._storages[_index(row["storage"], self._storages)]
            if flat.dtype != dtype:
                flat = flat.view(dtype)
        tensors.check_geometry(shape, stride, offset, flat.numel(), what)
        result = (
            wengert.empty(shape, dtype=dtype) if row["storage"] is None else flat.as_strided(shape, stride, offset)
        )
        if row["parameter"]:
            return Parameter(result, requires_grad=bool(row["requires_grad"]))
        return result.requires_grad_() if row["requires_grad"] else result

    def value(self, coded):
        """Return the object that a JSON value stands for."""
        if coded is None or isinstance(coded, (bool, str, int)):
            return coded
        if not isinstance(coded, list):
            raise FormatError(f"load: expected a tagged value, got {type(coded).__name__}.")
        read = getattr(self, f"_read_{coded[0]}", None) if isinstance(coded[0], str) else None
        if read is None:
            raise FormatError(f"load: expected a known kind of value, got {coded[0]!r}.")
        return read(*coded[1:])

    def _values(self, coded):
        return [self.value(entry) for entry in coded]

    def _pairs(self, pairs):
        return [(self.value(key), self.value(entry)) for key, entry in pairs]

    def _read_int(self, text):
        return int(text, 16)

    def _read_float(self, text):
        return struct.unpack(">d", bytes.fromhex(text))[0]

    def _read_complex(self, text):
        return complex(*struct.unpack(">dd", bytes.fromhex(text)))

    def _read_bytes(self, index):
        return bytes(self._bytes(index))

    def _read_bytearray(self, index):
        return self._bytes(index)

    def _read_tensor(self, index):
        return self._tensors[_index(index, self._tensors)]

    def _read_dtype(self, name):
        return tensors.dtype_of(name)

    def _read_device(self, name):
        return wengert.device(name)

    def _read_scalar(self, dtype, text):
        return np.frombuffer(bytes.fromhex(text), _array_dtype(dtype))[0]

    def _read_array(self, dtype, shape, index):
        data = self._bytes(index)
        dtype = _array_dtype(dtype)
        tensors.check_geometry(shape, [0] * len(shape), 0, 1, "an array")
        return np.frombuffer(data, dtype).reshape(shape)

    def _read_size(self, numbers):
        return wengert.Size(numbers)

    def _read_list(self, coded):
        return self._values(coded)

    def _read_tuple(self, coded):
        return tuple(self._values(coded))

    def _read_set(self, coded):
        return set(self._values(coded))

    def _read_frozenset(self, coded):
        return frozenset(self._values(coded))

    def _read_dict(self, pairs):
        return dict(self._pairs(pairs))

    def _read_OrderedDict(self, pairs):  # noqa: N802 (named after the type)
        return collections.OrderedDict(self._pairs(pairs))

    def _read_Counter(self, pairs):  # noqa: N802 (named after the type)
        return collections.Counter(dict(self._pairs(pairs)))

    def _read_defaultdict(self, pairs, factory):
        return collections.defaultdict(_FACTORIES[factory], self._pairs(pairs))

    def _read_global(self, module, name):
        return objects.found(module, name, self._trusted)

    def _read_object(self, number, module, name, arguments, state, items, pairs):
        obj = objects.maker(module, name, self._trusted)(*self.value(arguments))
        self._objects[number] = obj
        objects.restore(obj, self.value(state), items and self.value(items), pairs and self._pairs(pairs))
        return obj

    def _read_same(self, number):
        return self._objects[number]


def _index(index, table):
    """Return ``index`` if it is one of ``table``'s; negative numbers and other types are not."""
    if type(index) is not int or not 0 <= index < len(table):
        raise FormatError(f"load: expected an entry among {len(table)}, got {index!r}. The file is altered.")
    return index


def _array_dtype(text):
    if not _ARRAY_DTYPE.fullmatch(text):
        raise FormatError(f"load: expected a NumPy dtype of numbers or text, got {text!r}.")
    return np.dtype(text)
