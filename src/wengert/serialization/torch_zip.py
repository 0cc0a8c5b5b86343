"""Reads the zip files that torch.save writes, by interpreting their pickle without running anything from it.

The interpreter knows the opcodes of plain data and a fixed table of names; any other name ends the reading. It
keeps its own memo, so that a forged index cannot make it allocate.
"""

import collections
import pickletools
import struct
import zipfile
import zlib
from typing import NamedTuple

import wengert
from wengert._parameter import Parameter
from wengert.serialization import tensors
from wengert.serialization.files import FormatError

_STORAGES = {
    "BoolStorage": "bool",
    "ByteStorage": "uint8",
    "CharStorage": "int8",
    "ShortStorage": "int16",
    "IntStorage": "int32",
    "LongStorage": "int64",
    "HalfStorage": "float16",
    "BFloat16Storage": "bfloat16",
    "FloatStorage": "float32",
    "DoubleStorage": "float64",
    "ComplexFloatStorage": "complex64",
    "ComplexDoubleStorage": "complex128",
    "UntypedStorage": "uint8",
}
_MARK = object()
_LITERALS = frozenset(
    "INT BININT BININT1 BININT2 LONG LONG1 LONG4 FLOAT BINFLOAT NONE NEWTRUE NEWFALSE UNICODE BINUNICODE "
    "SHORT_BINUNICODE BINUNICODE8 BINBYTES SHORT_BINBYTES BINBYTES8".split()
)
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}


class _Name(NamedTuple):
    """A global name of the pickle, not looked up anywhere."""

    module: str
    name: str


class _StorageType(NamedTuple):
    dtype: str


def decode(source):
    """Return the state in a zip file of torch."""
    try:
        with zipfile.ZipFile(source.handle()) as archive:
            entries = _entries(archive, source.size)
            return _Interpreter(archive, entries).run()
    except FormatError:
        raise
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError) as error:
        raise FormatError(f"load: expected a whole zip file of torch, got {error}. The file is altered.") from error
    except (ValueError, TypeError, LookupError, AttributeError, OverflowError, RuntimeError, struct.error) as error:
        raise FormatError(f"load: expected a state dict of torch, got {type(error).__name__}: {error}.") from error


def _entries(archive, size):
    """Return the archive's entries without their common folder; they must be stored plainly and fit the file."""
    infos = archive.infolist()
    if any(info.compress_type != zipfile.ZIP_STORED for info in infos) or sum(i.file_size for i in infos) > size:
        raise FormatError("load: expected uncompressed entries in torch's zip file, got others.")
    pickles = [info.filename for info in infos if info.filename.endswith("/data.pkl")]
    if len(pickles) != 1:
        raise FormatError("load: expected one data.pkl in the zip file, got none or several. It is not torch's.")
    folder = pickles[0].removesuffix("data.pkl")
    return {info.filename.removeprefix(folder): info for info in infos}


class _Interpreter:
    """A pickle machine for plain data and tensors."""

    def __init__(self, archive, entries):
        self._archive = archive
        self._entries = entries
        self._storages = {}
        self._stack = []
        self._memo = {}
        if "byteorder" in entries and archive.read(entries["byteorder"]) != b"little":
            raise FormatError("load: expected little-endian numbers, got big-endian ones.")

    def run(self):
        """Interpret data.pkl and return its object."""
        program = self._archive.read(self._entries["data.pkl"])
        for opcode, argument, _ in pickletools.genops(program):
            name = opcode.name
            if name == "STOP":
                return self._stack.pop()
            if name in _LITERALS:
                self._stack.append(_CONSTANTS.get(name, argument))
                continue
            step = getattr(self, f"_op_{name.lower()}", None)
            if step is None:
                raise FormatError(f"load: expected a pickle of plain data, got the opcode {name}.")
            step(argument)
        raise FormatError("load: expected the pickle to end, got its last byte before that.")

    def _pop_to_mark(self):
        for i in range(len(self._stack) - 1, -1, -1):
            if self._stack[i] is _MARK:
                items = self._stack[i + 1 :]
                del self._stack[i:]
                return items
        raise FormatError("load: expected a mark in the pickle, got none.")

    def _op_proto(self, version):
        pass

    def _op_frame(self, length):
        pass

    def _op_mark(self, _):
        self._stack.append(_MARK)

    def _op_pop(self, _):
        self._stack.pop()

    def _op_empty_dict(self, _):
        self._stack.append({})

    def _op_empty_list(self, _):
        self._stack.append([])

    def _op_empty_tuple(self, _):
        self._stack.append(())

    def _op_empty_set(self, _):
        self._stack.append(set())

    def _op_binput(self, index):
        self._memo[index] = self._stack[-1]

    _op_long_binput = _op_put = _op_binput

    def _op_memoize(self, _):
        self._memo[len(self._memo)] = self._stack[-1]

    def _op_binget(self, index):
        self._stack.append(self._memo[index])

    _op_long_binget = _op_get = _op_binget

    def _op_tuple(self, _):
        self._stack.append(tuple(self._pop_to_mark()))

    def _op_list(self, _):
        self._stack.append(self._pop_to_mark())

    def _op_frozenset(self, _):
        self._stack.append(frozenset(self._pop_to_mark()))

    def _op_tuple1(self, _):
        self._stack[-1:] = [tuple(self._stack[-1:])]

    def _op_tuple2(self, _):
        self._stack[-2:] = [tuple(self._stack[-2:])]

    def _op_tuple3(self, _):
        self._stack[-3:] = [tuple(self._stack[-3:])]

    def _op_append(self, _):
        item = self._stack.pop()
        self._target(list).append(item)

    def _op_appends(self, _):
        items = self._pop_to_mark()
        self._target(list).extend(items)

    def _op_additems(self, _):
        items = self._pop_to_mark()
        self._target(set).update(items)

    def _op_setitem(self, _):
        value, key = self._stack.pop(), self._stack.pop()
        self._target(dict)[key] = value

    def _op_setitems(self, _):
        items = self._pop_to_mark()
        self._target(dict).update(zip(items[::2], items[1::2], strict=True))

    def _target(self, kind):
        if not isinstance(self._stack[-1], kind):
            raise FormatError(f"load: expected a {kind.__name__} to fill, got {type(self._stack[-1]).__name__}.")
        return self._stack[-1]

    def _op_global(self, argument):
        module, _, name = argument.partition(" ")
        self._stack.append(_resolve(module, name))

    def _op_stack_global(self, _):
        name, module = self._stack.pop(), self._stack.pop()
        self._stack.append(_resolve(module, name))

    def _op_reduce(self, _):
        arguments, function = self._stack.pop(), self._stack.pop()
        if not isinstance(function, _Name) or not isinstance(arguments, tuple):
            raise FormatError("load: expected a known function in the pickle, got another object.")
        self._stack.append(_CALLS[function](self, *arguments))

    _op_newobj = _op_reduce

    def _op_build(self, _):
        """Objects keep no attributes, but for the version numbers that a module's state dict carries."""
        attributes = self._stack.pop()
        target = self._stack[-1]
        if isinstance(target, collections.OrderedDict) and isinstance(attributes, dict):
            if isinstance(attributes.get("_metadata"), dict):
                target._metadata = attributes["_metadata"]

    def _op_binpersid(self, _):
        identity = self._stack.pop()
        kind, storage_type, key, _, count = identity
        if kind != "storage" or not isinstance(storage_type, _StorageType) or not isinstance(key, str):
            raise FormatError("load: expected a storage in the pickle, got another persistent object.")
        self._stack.append(self._storage(storage_type.dtype, key, count))

    def _storage(self, name, key, count):
        """Return a storage of ``count`` elements as a 1-d tensor; each is read once."""
        if key not in self._storages:
            info = self._entries[f"data/{key}"]
            if info.file_size != count * tensors.item_size(name):
                raise FormatError(
                    f"load: expected {count} elements of {name} in data/{key}, got {info.file_size} bytes."
                )
            flat = wengert.empty(count, dtype=tensors.dtype_of(name))
            tensors.byte_view(flat)[:] = self._archive.read(info)
            self._storages[key] = flat
        return self._storages[key]

    def _rebuild_tensor(self, storage, offset, shape, stride, requires_grad=False, *_):
        if not isinstance(storage, wengert.Tensor):
            raise FormatError("load: expected a storage for a tensor, got another object.")
        tensors.check_geometry(shape, stride, offset, storage.numel(), "a tensor")
        if 0 in shape:
            result = wengert.empty(shape, dtype=storage.dtype)
        else:
            result = storage.as_strided(shape, stride, offset)
        return result.requires_grad_() if requires_grad is True else result

    def _rebuild_tensor_v3(self, storage, offset, shape, stride, requires_grad, hooks, dtype, *_):
        return self._rebuild_tensor(storage.view(dtype), offset, shape, stride, requires_grad)

    def _rebuild_parameter(self, data, requires_grad=True, *_):
        if not isinstance(data, wengert.Tensor):
            raise FormatError("load: expected a tensor for a parameter, got another object.")
        return Parameter(data, requires_grad=requires_grad is True)


def _resolve(module, name):
    """Return what a global name stands for: an entry of the fixed tables, never an import."""
    if module in ("torch", "torch.storage") and name in _STORAGES:
        return _StorageType(_STORAGES[name])
    if module == "torch" and name in tensors.DTYPE_NAMES:
        return tensors.dtype_of(name)
    found = _Name(module, name)
    if found not in _CALLS:
        raise FormatError(
            f"load: expected tensors and plain containers in torch's file, got {module}.{name}. "
            "Save a state_dict instead of whole objects."
        )
    return found


def _plain(kind):
    """Return a constructor of ``kind`` that takes at most one plain argument."""

    def construct(interpreter, *arguments):
        if len(arguments) > 1 or not all(isinstance(a, (list, tuple, dict)) for a in arguments):
            raise FormatError(f"load: expected plain contents of {kind.__name__}, got other arguments.")
        return kind(*arguments)

    return construct


def _default_dict(interpreter, factory=None):
    kinds = {"dict": dict, "list": list, "set": set, "int": int, "float": float}
    return collections.defaultdict(kinds.get(factory.name) if isinstance(factory, _Name) else None)


def _encoded_text(interpreter, text, encoding="utf-8"):
    if encoding != "latin1" or not isinstance(text, str):
        raise FormatError("load: expected bytes as latin1 text, got another encoding.")
    return text.encode("latin1")


def _number(kind):
    def construct(interpreter, *arguments):
        if len(arguments) > 2 or not all(type(a) in (int, float) for a in arguments):
            raise FormatError(f"load: expected numbers for {kind.__name__}, got other arguments.")
        return kind(*arguments)

    return construct


_CALLS = {
    _Name("torch._utils", "_rebuild_tensor_v2"): _Interpreter._rebuild_tensor,
    _Name("torch._utils", "_rebuild_tensor_v3"): _Interpreter._rebuild_tensor_v3,
    _Name("torch._utils", "_rebuild_parameter"): _Interpreter._rebuild_parameter,
    _Name("torch", "Size"): lambda interpreter, numbers: wengert.Size(numbers),
    _Name("torch", "device"): lambda interpreter, *place: wengert.device("cpu"),
    _Name("collections", "OrderedDict"): _plain(collections.OrderedDict),
    _Name("collections", "Counter"): _plain(collections.Counter),
    _Name("collections", "defaultdict"): _default_dict,
    _Name("_codecs", "encode"): _encoded_text,
}
for _module in ("__builtin__", "builtins"):
    for _kind in (set, frozenset, list, dict, tuple, bytearray):
        _CALLS[_Name(_module, _kind.__name__)] = _plain(_kind)
    for _kind in (complex, int, float):
        _CALLS[_Name(_module, _kind.__name__)] = _number(_kind)
    _CALLS[_Name(_module, "bytes")] = lambda interpreter: b""
del _module, _kind
