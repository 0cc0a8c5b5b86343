"""Tensors whose memory other processes share: `share_memory_`, and how such tensors travel.

The memory is a mapped file without a name, which the system frees with its last process: forked processes inherit the
mapping, others are sent the file's descriptor when `multiprocessing` pickles a tensor. Tensors that are not shared
travel by value.
"""

import mmap
import os
import sys
import tempfile
from multiprocessing import reduction

import numpy as np

from . import _core
from ._parameter import Parameter
from ._storage import described, rebuild, untyped_storage

_ONE_DESCRIPTOR = {"trackfd": False} if sys.version_info >= (3, 13) else {}  # before, mmap keeps another of its own


class SharedMemory:
    """Memory that processes share: a mapped file without a name."""

    def __init__(self, file, size):
        """Map `size` bytes of a file, whose descriptor becomes this object's own."""
        self.file, self.size = file, size
        self.bytes = np.frombuffer(mmap.mmap(file, max(size, 1), **_ONE_DESCRIPTOR), np.uint8, size)

    @classmethod
    def of(cls, size):
        """Return new memory of `size` bytes. Raises OSError where the system has none."""
        if hasattr(os, "memfd_create"):
            file = os.memfd_create("wengert")
        else:
            with tempfile.TemporaryFile() as temporary:
                file = os.dup(temporary.fileno())
        os.ftruncate(file, max(size, 1))
        return cls(file, size)

    def hold(self, tensor):
        """Move the storage of a tensor here, for all tensors that look at it."""
        _core.move_storage(tensor, self.bytes.ctypes.data, self)

    def __del__(self):
        os.close(self.file)


def share(tensor):
    """Move the storage of a tensor to memory that other processes can share, where it is not there already."""
    if _core.storage_owner(tensor) is None:
        SharedMemory.of(_core.storage_address(tensor)[1]).hold(tensor)


def _reduce(tensor):
    """How `multiprocessing` pickles a tensor: the descriptor of shared memory, the values of other memory."""
    memory = _core.storage_owner(tensor)
    if memory is None:
        return tensor.__reduce_ex__(4)
    if not tensor.is_leaf:
        raise RuntimeError("pickle: expected a leaf, got the result of an operation. Use .detach().")
    kind, _, *rest = described(tensor, None)
    return _rebuild, (reduction.DupFd(memory.file), memory.size, kind, rest, dict(tensor.__dict__))


def _rebuild(file, size, kind, rest, attributes):
    memory = SharedMemory(file.detach(), size)
    everything = _core.from_numpy(memory.bytes)
    memory.hold(everything)
    return rebuild(kind, untyped_storage(everything), *rest, attributes)


for _kind in (_core.Tensor, Parameter):
    reduction.ForkingPickler.register(_kind, _reduce)
