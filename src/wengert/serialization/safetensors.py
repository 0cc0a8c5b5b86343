"""The safetensors format: a dict of contiguous tensors behind a JSON header."""

import json
import math
import os

import wengert
from wengert.serialization import tensors
from wengert.serialization.files import FormatError, Source, write_atomically

_NAMES = {
    "BOOL": "bool",
    "U8": "uint8",
    "I8": "int8",
    "I16": "int16",
    "I32": "int32",
    "I64": "int64",
    "F16": "float16",
    "BF16": "bfloat16",
    "F32": "float32",
    "F64": "float64",
    "C64": "complex64",
}
_CODES = {name: code for code, name in _NAMES.items()}
_MAX_HEADER = 100_000_000  # bytes; the limit of the format's reference implementation


def looks_like(start, size):
    """Return True if the first 16 bytes of a file of ``size`` bytes can begin a safetensors file."""
    return len(start) > 8 and start[8:9] == b"{" and int.from_bytes(start[:8], "little") <= size - 8


def save_safetensors(tensors_by_name, f, metadata=None):
    """Save a dict from names to tensors, with an optional dict of strings, as a safetensors file.

    Tensors are written contiguously; shared memory is written once for each tensor.

    Raises:
        TypeError: a key is no string, a value no tensor, or a dtype has no code in the format.

    Example:
        >>> import io, wengert
        >>> file = io.BytesIO()
        >>> wengert.serialization.save_safetensors({"w": wengert.ones(2)}, file)
        >>> _ = file.seek(0)
        >>> wengert.load(file)
        {'w': tensor([1., 1.])}
    """
    header = {}
    if metadata is not None:
        if not all(isinstance(text, str) for pair in metadata.items() for text in pair):
            raise TypeError("save_safetensors: expected metadata from strings to strings, got other types.")
        header["__metadata__"] = dict(metadata)
    data = []
    position = 0
    for name, tensor in tensors_by_name.items():
        if not isinstance(name, str) or name == "__metadata__" or not isinstance(tensor, wengert.Tensor):
            raise TypeError(
                f"save_safetensors: expected names and tensors, got {type(tensor).__name__} at {name!r}."
            )
        code = _CODES.get(tensors.name_of(tensor.dtype))
        if code is None:
            raise TypeError(f"save_safetensors: expected a dtype among {', '.join(_CODES)}, got {tensor.dtype}.")
        view = tensors.byte_view(tensor.detach().contiguous().reshape(-1))
        header[name] = {
            "dtype": code,
            "shape": list(tensor.shape),
            "data_offsets": [position, position + len(view)],
        }
        data.append(view)
        position += len(view)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # the buffers begin at a multiple of 8
    write_atomically(f, [len(text).to_bytes(8, "little"), text, *data])


def load_safetensors(f, with_metadata=False):
    """Load a safetensors file as a dict of tensors; with ``with_metadata``, return (tensors, metadata).

    Raises:
        FormatError: the file is cut off or not of this format.
    """
    with Source(f) as source:
        if not looks_like(source.peek(16), source.size):
            raise FormatError(f"load_safetensors: expected a safetensors file, got {_shown(f)}.")
        header, data_start = _header(source)
        metadata = header.pop("__metadata__", {})
        loaded = _tensors(source, header, data_start)
    return (loaded, metadata) if with_metadata else loaded


def decode(source):
    """Return the tensors of a safetensors file, by name."""
    header, data_start = _header(source)
    header.pop("__metadata__", None)
    return _tensors(source, header, data_start)


def _shown(f):
    return os.fspath(f) if isinstance(f, (str, os.PathLike)) else "another file"


def _header(source):
    length = int.from_bytes(source.read(0, 8, "the header's length"), "little")
    if length > _MAX_HEADER:
        raise FormatError(f"load: expected a header of at most {_MAX_HEADER} bytes, got {length}.")
    try:
        header = json.loads(source.read(8, length, "the header"))
    except (ValueError, RecursionError) as error:
        raise FormatError(f"load: expected a header in JSON, got {error}. The file is altered.") from error
    if not isinstance(header, dict):
        raise FormatError("load: expected a header with names, got another kind of JSON.")
    return header, 8 + length


def _tensors(source, header, data_start):
    rows = []
    for name, row in header.items():
        try:
            begin, end = row["data_offsets"]
            rows.append((int(begin), int(end), name, str(row["dtype"]), list(row["shape"])))
        except (TypeError, KeyError, ValueError, OverflowError) as error:
            raise FormatError(
                f"load: expected dtype, shape and data_offsets of {name!r}, got {row!r:.200}."
            ) from error
    rows.sort(key=lambda row: row[:2])
    loaded = {}
    position = 0
    for begin, end, name, code, shape in rows:
        if not begin == position <= end:
            raise FormatError(f"load: expected {name!r} to begin at byte {position}, got {begin!r} to {end!r}.")
        if code not in _NAMES:
            raise FormatError(f"load: expected a dtype among {', '.join(_NAMES)}, got {code!r} for {name!r}.")
        tensors.check_geometry(shape, [0] * len(shape), 0, 1, repr(name))
        count = math.prod(shape)
        if count * tensors.item_size(_NAMES[code]) != end - begin:
            raise FormatError(f"load: expected {name!r} to have shape {shape}, got {end - begin} bytes.")
        source.check(data_start + begin, end - begin, repr(name))
        flat = wengert.empty(count, dtype=tensors.dtype_of(_NAMES[code]))
        source.read_into(data_start + begin, tensors.byte_view(flat), repr(name))
        loaded[name] = flat.reshape(shape)
        position = end
    if source.is_path and data_start + position != source.size:
        raise FormatError(f"load: expected {data_start + position} bytes, got a file of {source.size}.")
    source.finish(data_start + position)
    return {name: loaded[name] for name in header}
