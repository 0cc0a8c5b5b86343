"""Saving and loading nested state: wengert's own format, torch's zip files (reading), safetensors.

The own format is described in ``docs/file-format.md``. Plain state is read without running any code that a file names.
"""

import os

from wengert.serialization import native, safetensors, torch_zip
from wengert.serialization.files import FormatError, Source, write_atomically
from wengert.serialization.objects import add_safe_globals, clear_safe_globals, get_safe_globals, safe_globals
from wengert.serialization.safetensors import load_safetensors, save_safetensors

__all__ = [
    "FormatError", "add_safe_globals", "clear_safe_globals", "get_safe_globals", "load", "load_safetensors",
    "safe_globals", "save", "save_safetensors",
]  # fmt: skip

DEFAULT_PROTOCOL = 2  # of pickles in torch's files: packages pass it on to their own
MAP_LOCATION = object  # what `load` takes as map_location: for annotations


def save(obj, f, pickle_module=None, pickle_protocol=None, _use_new_zipfile_serialization=True):
    """Save nested state.

    Dicts (also ``OrderedDict``, ``Counter``), lists, tuples, sets, shapes, tensors, parameters, NumPy arrays and
    scalars, numbers, strings, bytes, None, bool, dtypes and devices can be saved. Tensors that share memory share
    it again after loading, and only the part of the memory that they use is written.

    Args:
        obj: the state.
        f: a path, or a binary file object. A file at a path is replaced in one step when everything is on the
            disk: a crash at any moment leaves the old file or the new one.
        pickle_module, pickle_protocol, _use_new_zipfile_serialization: accepted: there is no pickle.

    Raises:
        TypeError: an object that cannot be copied, or a function without a name to import it by; the message gives
            its place, as in ``state['model']['hook']``.
        ValueError: a container contains itself, or the state is nested deeper than 200.
        RuntimeError: the file's folder does not exist.
        OSError: the file cannot be written.

    Example:
        >>> import io, wengert
        >>> file = io.BytesIO()
        >>> wengert.save({"w": wengert.ones(2), "epoch": 3}, file)
        >>> _ = file.seek(0)
        >>> wengert.load(file)
        {'w': tensor([1., 1.]), 'epoch': 3}
    """
    try:
        write_atomically(f, native.encode(obj))
    except FileNotFoundError as error:
        folder = os.path.dirname(os.path.abspath(os.fsdecode(f)))
        raise RuntimeError(
            f"save: expected a folder that is there, got {folder!r}. Make it with os.makedirs() first."
        ) from error


def load(f, map_location=None, pickle_module=None, *, weights_only=True, mmap=None, **pickle_load_args):
    """Load what ``save`` wrote, or a ``.pt``/``.pth`` file of torch (zip form), or a ``.safetensors`` file.

    The format is told by the first bytes. Nothing but tensors, numbers, strings and plain containers is constructed,
    and classes named by ``serialization.add_safe_globals``. ``weights_only=False`` constructs whatever a file of
    ``save`` asks for, so it is for files that you trust; files of torch are read in the restricted way in any case.

    Args:
        f: a path, or a binary file object; an object is left behind the last byte that was read.
        map_location: None or the CPU.
        weights_only: False to construct objects of any class that the file names; None for True.
        pickle_module, mmap, pickle_load_args: accepted: nothing is unpickled, and all is read at once.

    Returns:
        The state; tensors have memory of their own.

    Raises:
        FormatError: the file is cut off, altered, of another format, or asks for other types.
        ValueError: ``map_location`` is not the CPU.
        OSError: the file cannot be read.
    """
    _check_location(map_location)
    with Source(f) as source:
        start = source.peek(16)
        if start.startswith(native.MAGIC):
            return native.decode(source, trusted=weights_only is not None and not weights_only)
        if start.startswith(b"PK\x03\x04"):
            return torch_zip.decode(source)
        if safetensors.looks_like(start, source.size):
            return safetensors.decode(source)
        if not start:
            raise FormatError("load: expected a saved state, got an empty file.")
        if native.MAGIC.startswith(start):
            raise FormatError(f"load: expected a saved state, got a file cut off after {source.size} bytes.")
        if start.startswith(b"\x80"):
            raise FormatError(
                "load: expected a file of wengert, torch (zip form) or safetensors, got a bare pickle. "
                "Load it with the program that wrote it and save it again."
            )
        raise FormatError(
            f"load: expected a file of wengert, torch (zip form) or safetensors, got one beginning with {start!r}. "
            "Check the path."
        )


def _check_location(location):
    if location is None or callable(location):
        return
    for place in location.values() if isinstance(location, dict) else [location]:
        if not str(place).startswith("cpu"):
            raise ValueError(f"load: expected map_location on the CPU, got {str(place)!r}. Use 'cpu'.")
