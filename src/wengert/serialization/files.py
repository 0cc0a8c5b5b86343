"""Files as the formats need them: sources that know their size, and writes that happen entirely or not at all."""

import io
import os
import pickle
import secrets
import stat


class FormatError(RuntimeError, pickle.UnpicklingError):
    """A file that is cut off, altered, or of a format that cannot be read; the message says what was wrong."""


class Source:
    """A readable file of known size, read by position, counted from where the file stood when it was given."""

    def __init__(self, f):
        self._owned = isinstance(f, (str, bytes, os.PathLike))
        self.is_path = self._owned
        self._file = open(f, "rb") if self._owned else f
        if not (hasattr(self._file, "seekable") and self._file.seekable()):
            self._file = io.BytesIO(self._file.read())
        self._start = self._file.tell()
        self.size = self._file.seek(0, os.SEEK_END) - self._start
        self._file.seek(self._start)

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        if self._owned:
            self._file.close()

    def peek(self, count):
        """Return up to ``count`` bytes of the beginning."""
        self._file.seek(self._start)
        data = self._file.read(count)
        self._file.seek(self._start)
        return data

    def read(self, position, count, what):
        """Return ``count`` bytes at ``position``; the size is checked before anything is allocated."""
        self.check(position, count, what)
        self._file.seek(self._start + position)
        data = self._file.read(count)
        if len(data) != count:
            raise FormatError(f"load: expected {count} bytes of {what}, got {len(data)}. The file is cut off.")
        return data

    def read_into(self, position, view, what):
        """Fill a writable byte ``view`` from ``position``."""
        count = len(view)
        self.check(position, count, what)
        self._file.seek(self._start + position)
        done = 0
        while done < count:
            got = self._file.readinto(view[done:]) if hasattr(self._file, "readinto") else None
            if got is None:
                data = self._file.read(count - done)
                got = len(data)
                view[done : done + got] = data
            if not got:
                raise FormatError(f"load: expected {count} bytes of {what}, got {done}. The file is cut off.")
            done += got

    def check(self, position, count, what):
        """Raise FormatError unless the file has ``count`` bytes at ``position``."""
        if position < 0 or count < 0 or position + count > self.size:
            raise FormatError(
                f"load: expected {what} at bytes {position} to {position + count}, got a file of {self.size} "
                "bytes. The file is cut off or altered."
            )

    def finish(self, position):
        """Leave the file behind ``position``, for whoever reads on."""
        self._file.seek(self._start + position)

    def handle(self):
        """Return the open file, for readers that seek by themselves."""
        return self._file


def write_atomically(f, pieces):
    """Write byte pieces to a path or a file object.

    For a path: a temporary file in the same folder is written, flushed to the disk and renamed over the target.
    Readers see the old file or the new one, never a part; on an error the temporary file is removed.
    """
    if not isinstance(f, (str, bytes, os.PathLike)):
        for piece in pieces:
            f.write(piece)
        return
    target = os.path.realpath(os.fsdecode(f))  # a link stays a link to the file that is replaced
    try:
        mode = os.stat(target).st_mode
    except FileNotFoundError:
        mode = None
    if mode is not None and not stat.S_ISREG(mode):  # a device or a pipe cannot be replaced
        with open(target, "wb") as file:
            for piece in pieces:
                file.write(piece)
        return
    folder, name = os.path.split(target)
    temporary = os.path.join(folder, f".{name[:100]}.{secrets.token_hex(8)}.tmp")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
    descriptor = os.open(temporary, flags, 0o666)
    try:
        with os.fdopen(descriptor, "wb") as file:
            if mode is not None and hasattr(os, "fchmod"):
                os.fchmod(file.fileno(), stat.S_IMODE(mode))
            for piece in pieces:
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException:
        try:
            os.unlink(temporary)
        except FileNotFoundError:
            pass
        raise
    _sync_folder(folder)


def _sync_folder(folder):
    """Make the rename last; Windows has no such call and needs none."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
