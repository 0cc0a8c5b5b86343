"""What runs in a loader's worker process, and how batches travel back.

Batches go through a pipe, with the memory of arrays outside the pickle (protocol 5), so nothing with a name exists
that could be left behind when a process dies.
"""

import dataclasses
import os
import pickle
import queue
import random
import signal
import sys
import threading
import traceback

import numpy as np

import wengert
from wengert.utils.data.fetch import make_fetch

_PARENT_CHECK = 5.0  # seconds between looks whether the parent is alive; a closed pipe tells sooner
_info = None


@dataclasses.dataclass(frozen=True)
class WorkerInfo:
    """What a worker knows about itself."""

    id: int
    num_workers: int
    seed: int
    dataset: object


def get_worker_info():
    """Return the ``WorkerInfo`` of this worker process, or None in the main process."""
    return _info


@dataclasses.dataclass(frozen=True)
class Job:
    """Everything a worker process needs from its loader."""

    dataset: object
    iterable: bool
    batched: bool
    batch_size: int | None
    drop_last: bool
    collate: object
    init: object
    base_seed: int
    num_workers: int
    parent_pid: int


def _array_of(tensor):
    """Return (array, dtype name if NumPy lacks it) with the values of a tensor."""
    tensor = tensor.detach()
    if tensor.dtype == wengert.bfloat16:
        return tensor.contiguous().view(wengert.int16).numpy(), "bfloat16"
    return np.ascontiguousarray(tensor.numpy()).reshape(tuple(tensor.shape)), None


def _tensor_of(array, dtype_name):
    tensor = wengert.from_numpy(array)
    return tensor if dtype_name is None else tensor.view(getattr(wengert, dtype_name))


class _Pickler(pickle.Pickler):
    """Pickles tensors as arrays."""

    def reducer_override(self, obj):
        if type(obj) is wengert.Tensor:
            return _tensor_of, _array_of(obj)
        return NotImplemented


class _Bytes:
    """A file that keeps what is written to it."""

    def __init__(self):
        self.parts = []

    def write(self, data):
        self.parts.append(bytes(data))
        return len(data)


def _pack(message):
    """Return the byte pieces of a message: its pickle, then the memory of its arrays."""
    buffers = []
    file = _Bytes()
    _Pickler(file, protocol=5, buffer_callback=buffers.append).dump(message)
    return [b"".join(file.parts), *(buffer.raw() for buffer in buffers)]


def receive(connection):
    """Return the next message of a worker; EOFError or OSError if it died."""
    count = int.from_bytes(connection.recv_bytes(), "little")
    data = connection.recv_bytes()
    buffers = [bytearray(connection.recv_bytes()) for _ in range(count - 1)]
    return pickle.loads(data, buffers=buffers)


class _Sender:
    """Sends messages from a thread, so that the worker makes the next batch while the parent is busy."""

    def __init__(self, connection):
        self._queue = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, args=(connection,), daemon=True)
        self._thread.start()

    def put(self, message):
        self._queue.put(_pack(message))

    def finish(self):
        self._queue.put(None)
        self._thread.join()

    def _run(self, connection):
        while (pieces := self._queue.get()) is not None:
            try:
                connection.send_bytes(len(pieces).to_bytes(8, "little"))
                for piece in pieces:
                    connection.send_bytes(piece)
            except OSError:  # the parent closed its end: nobody waits for the rest
                os._exit(0)


def _failure(worker_id, error):
    """Return a message with the error's type (if it can be sent) and its traceback as text."""
    text = "".join(traceback.format_exception(error))
    kind = type(error)
    try:
        pickle.dumps(kind)
    except Exception:
        kind = RuntimeError
    return kind, f"Caught {type(error).__name__} in DataLoader worker process {worker_id}.\nOriginal {text}"


def run_worker(worker_id, job, requests, results):
    """Answer requests ``(epoch, indices)`` with ``(epoch, kind, content)`` until the request pipe is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent, which closes the pipes
    global _info
    seed = job.base_seed + worker_id
    random.seed(seed)
    np.random.seed([worker_id, job.base_seed & 0xFFFFFFFF, job.base_seed >> 32])
    wengert.manual_seed(seed)
    wengert.set_num_threads(1)
    _info = WorkerInfo(worker_id, job.num_workers, seed, job.dataset)
    sender = _Sender(results)
    problem = None
    try:
        if job.init is not None:
            job.init(worker_id)
    except Exception as error:
        problem = _failure(worker_id, error)
    try:
        _answer(worker_id, job, requests, sender, problem)
        sender.finish()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()


def _answer(worker_id, job, requests, sender, problem):
    epoch, fetch = None, None
    while True:
        while not requests.poll(_PARENT_CHECK):
            if os.getppid() != job.parent_pid:
                return
        try:
            wanted, indices = requests.recv()
        except (EOFError, OSError):
            return
        if problem is not None:
            sender.put((wanted, "error", problem))
            problem = None
            continue
        try:
            if wanted != epoch:
                epoch = wanted
                fetch = make_fetch(
                    job.dataset, job.iterable, job.batched, job.batch_size, job.drop_last, job.collate
                )
            message = (epoch, "batch", fetch(indices))
        except StopIteration as error:
            message = (epoch, "end", None) if job.iterable else (epoch, "error", _failure(worker_id, error))
        except Exception as error:
            message = (epoch, "error", _failure(worker_id, error))
        try:
            sender.put(message)
        except Exception as error:  # a batch that cannot be pickled
            sender.put((epoch, "error", _failure(worker_id, error)))
