"""DataLoader: batches of a data set, made here or by worker processes."""

import math
import multiprocessing

from wengert._warn import warn
from wengert.utils.data.collate import default_collate, default_convert
from wengert.utils.data.dataset import IterableDataset
from wengert.utils.data.fetch import make_fetch, tensor_batches
from wengert.utils.data.pool import WorkerIterator, WorkerPool
from wengert.utils.data.sampler import BatchSampler, RandomSampler, SequentialSampler, draw_seed

_FIXED = frozenset(("batch_size", "batch_sampler", "sampler", "drop_last", "dataset", "persistent_workers"))


class DataLoader:
    """Iterates over a data set in batches.

    Args:
        dataset: a ``Dataset`` (anything with ``__getitem__`` and ``__len__``) or an ``IterableDataset``.
        batch_size: samples in a batch; None gives single samples.
        shuffle: go through the samples in random order.
        sampler: gives the order of indices; excludes ``shuffle``.
        batch_sampler: gives lists of indices; excludes ``batch_size``, ``shuffle``, ``sampler`` and ``drop_last``.
        num_workers: processes that make batches; 0 makes them here.
        collate_fn: makes a batch of a list of samples; ``default_collate`` by default.
        pin_memory, pin_memory_device: accepted for compatibility; there is only the CPU.
        drop_last: leave out a last batch that is not full.
        timeout: seconds to wait for a batch of a worker; 0 waits for ever.
        worker_init_fn: called in each worker with its number.
        multiprocessing_context: a context or the name of a start method; ``"fork"`` on Linux by default.
        generator: random numbers for shuffling and for the seeds of workers.
        prefetch_factor: batches that each worker makes ahead; 2 by default.
        persistent_workers: keep the workers between passes.
        in_order: accepted for compatibility; batches always come in order.

    Raises:
        ValueError: options that exclude each other, or are out of range.
        RuntimeError: while iterating, when a worker dies or ``timeout`` passes. An exception in a worker is raised
            here with its type, and its traceback as the message.

    Example:
        >>> import wengert
        >>> data = wengert.utils.data.TensorDataset(wengert.arange(5))
        >>> [batch[0].tolist() for batch in wengert.utils.data.DataLoader(data, batch_size=2)]
        [[0, 1], [2, 3], [4]]
    """

    _initialized = False

    def __init__(
        self,
        dataset,
        batch_size=1,
        shuffle=None,
        sampler=None,
        batch_sampler=None,
        num_workers=0,
        collate_fn=None,
        pin_memory=False,
        drop_last=False,
        timeout=0,
        worker_init_fn=None,
        multiprocessing_context=None,
        generator=None,
        *,
        prefetch_factor=None,
        persistent_workers=False,
        pin_memory_device="",
        in_order=True,
    ):
        _check_workers(num_workers, timeout, prefetch_factor, persistent_workers)
        self.is_iterable = isinstance(dataset, IterableDataset)
        if self.is_iterable:
            for name, value in (
                ("shuffle", shuffle or None),
                ("sampler", sampler),
                ("batch_sampler", batch_sampler),
            ):
                if value is not None:
                    raise ValueError(
                        f"DataLoader with IterableDataset: expected no {name} option, got {name}={value}."
                    )
        if sampler is not None and shuffle:
            raise ValueError("DataLoader: expected sampler or shuffle=True, got both. Leave one out.")
        if batch_sampler is not None:
            if batch_size != 1 or shuffle or sampler is not None or drop_last:
                raise ValueError(
                    "DataLoader: expected batch_sampler alone, got batch_size, shuffle, sampler or drop_last as well."
                )
            batch_size = None
        elif batch_size is None and drop_last:
            raise ValueError("DataLoader: expected a batch_size with drop_last=True, got None.")
        if sampler is None and not self.is_iterable:
            sampler = RandomSampler(dataset, generator=generator) if shuffle else SequentialSampler(dataset)
        if batch_sampler is None and batch_size is not None and not self.is_iterable:
            batch_sampler = BatchSampler(sampler, batch_size, drop_last)
        batched = batch_sampler is not None or batch_size is not None
        self.dataset = dataset
        self.batch_size = batch_size
        self.sampler = sampler
        self.batch_sampler = batch_sampler
        self.num_workers = num_workers
        self.collate_fn = collate_fn or (default_collate if batched else default_convert)
        self.pin_memory = pin_memory
        self.pin_memory_device = pin_memory_device
        self.drop_last = drop_last
        self.timeout = timeout
        self.worker_init_fn = worker_init_fn
        self.multiprocessing_context = _context(multiprocessing_context, num_workers)
        self.generator = generator
        self.prefetch_factor = 2 if num_workers > 0 and prefetch_factor is None else prefetch_factor
        self.persistent_workers = persistent_workers
        self.in_order = in_order
        self._pool = None
        self._counted_length = None
        self._initialized = True

    def __setattr__(self, name, value):
        if self._initialized and name in _FIXED:
            raise ValueError(
                f"{type(self).__name__}: expected {name} to stay as it was made, got a new value. Make another loader."
            )
        super().__setattr__(name, value)

    def __getstate__(self):
        return {**self.__dict__, "_pool": None}

    @property
    def _index_batches(self):
        return self.sampler if self.batch_sampler is None else self.batch_sampler

    def __iter__(self):
        base_seed = draw_seed(self.generator)
        if self.num_workers == 0:
            return self._local_batches()
        if not self.persistent_workers:
            return WorkerIterator(self, WorkerPool(self, base_seed), self._index_batches)
        if self._pool is None or not self._pool.is_open:
            self._pool = WorkerPool(self, base_seed)
        return WorkerIterator(self, self._pool, self._index_batches)

    def _local_batches(self):
        """Return an iterator over the batches, made in this process."""
        if not self.is_iterable and self.collate_fn is default_collate:
            batches = tensor_batches(self.dataset, self.batch_sampler)
            if batches is not None:
                return batches
        batched = self.batch_sampler is not None or self.batch_size is not None
        fetch = make_fetch(
            self.dataset, self.is_iterable, batched, self.batch_size, self.drop_last, self.collate_fn
        )
        return self._counted(fetch) if self.is_iterable else map(fetch, self._index_batches)

    def _counted(self, fetch):
        """Give batches until the data set ends; warn when there are more than ``len`` said."""
        count = 0
        while True:
            try:
                batch = fetch(None)
            except StopIteration:
                return
            count += 1
            if self._counted_length is not None and count > self._counted_length:
                warn(
                    f"Length of IterableDataset {self.dataset} was reported to be {self._counted_length} batches, "
                    f"but {count} have been fetched.",
                )
            yield batch

    def __len__(self):
        if not self.is_iterable:
            return len(self._index_batches)
        length = len(self.dataset)
        if self.batch_size is not None:
            length = length // self.batch_size if self.drop_last else math.ceil(length / self.batch_size)
        self._counted_length = length
        return length


def _check_workers(num_workers, timeout, prefetch_factor, persistent_workers):
    if num_workers < 0:
        raise ValueError(
            f"DataLoader: expected num_workers of at least 0, got {num_workers}. 0 loads in this process."
        )
    if timeout < 0:
        raise ValueError(f"DataLoader: expected a timeout of at least 0 seconds, got {timeout}.")
    if num_workers == 0 and prefetch_factor is not None:
        raise ValueError(
            "DataLoader: expected prefetch_factor with workers alone, got it with none. Set num_workers."
        )
    if prefetch_factor is not None and prefetch_factor <= 0:
        raise ValueError(f"DataLoader: expected a prefetch_factor of at least 1, got {prefetch_factor}.")
    if persistent_workers and num_workers == 0:
        raise ValueError(
            "DataLoader: expected persistent_workers with workers alone, got it with none. Set num_workers."
        )


def _context(context, num_workers):
    """Return a multiprocessing context for the option, or None for the default."""
    if context is None:
        return None
    if num_workers == 0:
        raise ValueError(
            "DataLoader: expected multiprocessing_context with workers alone, got it with none. Set num_workers."
        )
    if isinstance(context, str):
        methods = multiprocessing.get_all_start_methods()
        if context not in methods:
            raise ValueError(
                f"multiprocessing_context should be a start method among {methods}, but got {context!r}"
            )
        return multiprocessing.get_context(context)
    if not isinstance(context, multiprocessing.context.BaseContext):
        raise TypeError(
            f"multiprocessing_context should be a context or the name of a start method, got {context!r}"
        )
    return context
