"""The worker processes of a loader, seen from the parent."""

import collections
import itertools
import multiprocessing
import multiprocessing.connection
import multiprocessing.util
import os
import sys
import time
import weakref

from wengert.utils.data.worker import Job, receive, run_worker

_GRACE = 1.0  # seconds that workers get to finish what they are doing before they are terminated


class WorkerPool:
    """Processes with a pair of pipes each. Whoever lets go of the last reference ends them."""

    def __init__(self, loader, base_seed):
        context = loader.multiprocessing_context
        if context is None:
            context = multiprocessing.get_context("fork" if sys.platform == "linux" else None)
        job = Job(
            dataset=loader.dataset,
            iterable=loader.is_iterable,
            batched=loader.batch_sampler is not None or loader.batch_size is not None,
            batch_size=loader.batch_size,
            drop_last=loader.drop_last,
            collate=loader.collate_fn,
            init=loader.worker_init_fn,
            base_seed=base_seed,
            num_workers=loader.num_workers,
            parent_pid=os.getpid(),
        )
        self.processes, self.requests, self.results = [], [], []
        self.epoch = 0
        self._finalizer = weakref.finalize(self, _end, self.processes, self.requests, self.results, os.getpid())
        multiprocessing.util.register_after_fork(self, _close_inherited)
        try:
            for worker_id in range(loader.num_workers):
                self._start(context, worker_id, job)
        except BaseException:
            self.close()
            raise

    def _start(self, context, worker_id, job):
        theirs_in, ours_out = context.Pipe(duplex=False)
        ours_in, theirs_out = context.Pipe(duplex=False)
        self.requests.append(ours_out)
        self.results.append(ours_in)
        process = context.Process(target=run_worker, args=(worker_id, job, theirs_in, theirs_out), daemon=True)
        try:
            process.start()
            self.processes.append(process)
        finally:
            # Closed before the next fork: only the worker holds its ends, so its death closes the pipe.
            theirs_in.close()
            theirs_out.close()

    @property
    def is_open(self):
        """False once the processes have been ended."""
        return self._finalizer.alive

    def close(self):
        """End the processes and close the pipes."""
        self._finalizer()

    def ask(self, worker_id, indices):
        """Send a request for a batch."""
        try:
            self.requests[worker_id].send((self.epoch, indices))
        except OSError:
            self._report_death(worker_id)

    def answer(self, worker_id, timeout):
        """Return (kind, content) of the next message of this epoch from a worker.

        Raises:
            RuntimeError: the worker died, or nothing came within ``timeout`` seconds (0: wait for ever).
        """
        process, connection = self.processes[worker_id], self.results[worker_id]
        end = time.monotonic() + timeout if timeout else None
        while True:
            left = None if end is None else max(0.0, end - time.monotonic())
            if not connection.poll(0):
                ready = multiprocessing.connection.wait([connection, process.sentinel], left)
                if not ready:
                    self.close()
                    raise RuntimeError(f"DataLoader timed out after {timeout} seconds")
                if connection not in ready and not connection.poll(0):
                    self._report_death(worker_id)
            try:
                epoch, kind, content = receive(connection)
            except (EOFError, OSError):
                self._report_death(worker_id)
            if epoch == self.epoch:
                return kind, content

    def _report_death(self, worker_id):
        process = self.processes[worker_id]
        process.join(_GRACE)
        code = process.exitcode
        self.close()
        how = f"by signal {-code}" if code is not None and code < 0 else f"with exit code {code}"
        raise RuntimeError(f"DataLoader worker (pid(s) {process.pid}) exited unexpectedly, {how}.") from None


def _close_inherited(pool):
    """Close a forked process's copies of the parent's ends, or closing them in the parent would go unnoticed."""
    for connection in (*pool.requests, *pool.results):
        connection.close()


def _end(processes, requests, results, owner_pid):
    """Close the pipes, which ends idle workers, and terminate those that do not end."""
    if os.getpid() != owner_pid:  # a forked copy of the parent must not end its parent's workers
        return
    for connection in (*requests, *results):
        connection.close()
    deadline = time.monotonic() + _GRACE
    for process in processes:
        process.join(max(0.0, deadline - time.monotonic()))
    for end in ("terminate", "kill"):
        for process in processes:
            if process.is_alive():
                getattr(process, end)()
        for process in processes:
            process.join(_GRACE)


class WorkerIterator:
    """One pass over the data by worker processes; batches come in the order of the sampler."""

    def __init__(self, loader, pool, index_batches):
        self._pool = pool
        pool.epoch += 1
        self._epoch = pool.epoch
        self._timeout = loader.timeout
        self._indices = itertools.repeat(None) if loader.is_iterable else iter(index_batches)
        self._active = [True] * loader.num_workers
        self._turns = itertools.cycle(range(loader.num_workers))
        self._asked = collections.deque()
        self._length = len(loader) if not loader.is_iterable and hasattr(index_batches, "__len__") else None
        for _ in range(loader.prefetch_factor * loader.num_workers):
            self._ask()

    def _ask(self):
        if not any(self._active):
            return
        try:
            indices = next(self._indices)
        except StopIteration:
            return
        worker_id = next(turn for turn in self._turns if self._active[turn])
        self._pool.ask(worker_id, indices)
        self._asked.append(worker_id)

    def __iter__(self):
        return self

    def __len__(self):
        if self._length is None:
            raise TypeError("DataLoader: expected a sampler with a length, got one without.")
        return self._length

    def __next__(self):
        if self._pool is None:
            raise StopIteration
        if self._epoch != self._pool.epoch:
            raise RuntimeError(
                "DataLoader: expected one pass at a time over persistent workers, got a newer one. "
                "Finish a pass before starting the next, or set persistent_workers=False."
            )
        while self._asked:
            worker_id = self._asked.popleft()
            if not self._active[worker_id]:
                continue
            kind, content = self._pool.answer(worker_id, self._timeout)
            if kind == "end":
                self._active[worker_id] = False
                self._ask()
                continue
            self._ask()
            if kind == "error":
                raise _rebuilt(*content)
            return content
        self._pool = None  # the last reference, unless workers are persistent: ends them
        raise StopIteration


def _rebuilt(kind, text):
    """Return an exception of the worker's type with its traceback as the message."""
    try:
        error = kind(text)
    except Exception:  # constructors with other arguments
        return RuntimeError(text)
    if isinstance(error, KeyError):  # KeyError prints its argument quoted, on one line
        return KeyError(_Verbatim(text))
    return error


class _Verbatim(str):
    """A string that prints as it is where Python would print its quoted form."""

    __slots__ = ()

    def __repr__(self):
        return str(self)
