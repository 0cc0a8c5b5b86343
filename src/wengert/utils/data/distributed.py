"""A sampler that gives each of several processes its share of a data set."""

import math

import wengert
from wengert.utils.data.sampler import Sampler


class DistributedSampler(Sampler):
    """Every `num_replicas`-th index, beginning with `rank`, of an order that all processes draw alike.

    Args:
        dataset: the data set, with a length.
        num_replicas: the number of processes; there is no process group here that would know it.
        rank: which of them this one is.
        shuffle: whether the order is random; it depends on `seed` and on `set_epoch`.
        seed: of the order; the same in all processes.
        drop_last: leave out the rest of an uneven division instead of repeating the first samples.

    Raises:
        RuntimeError: num_replicas or rank is missing.
        ValueError: rank is not below num_replicas.

    Example:
        >>> import wengert
        >>> sampler = wengert.utils.data.distributed.DistributedSampler(range(5), 2, 1, shuffle=False)
        >>> list(sampler)
        [1, 3, 0]
    """

    def __init__(self, dataset, num_replicas=None, rank=None, shuffle=True, seed=0, drop_last=False):
        if num_replicas is None or rank is None:
            raise RuntimeError(
                "DistributedSampler: expected num_replicas and rank, got none. There is no process group."
            )
        if not 0 <= rank < num_replicas:
            raise ValueError(f"DistributedSampler: expected a rank from 0 to {num_replicas - 1}, got {rank}.")
        self.dataset, self.num_replicas, self.rank = dataset, num_replicas, rank
        self.epoch, self.drop_last, self.shuffle, self.seed = 0, drop_last, shuffle, seed
        size = len(dataset)
        self.num_samples = size // num_replicas if drop_last else math.ceil(size / num_replicas)
        self.total_size = self.num_samples * num_replicas

    def __iter__(self):
        size = len(self.dataset)
        order = list(range(size))
        if self.shuffle:
            generator = wengert.Generator()
            generator.manual_seed(self.seed + self.epoch)
            order = wengert.randperm(size, generator=generator).tolist()
        while 0 < len(order) < self.total_size:
            order += order[: self.total_size - len(order)]
        return iter(order[self.rank : self.total_size : self.num_replicas])

    def __len__(self):
        return self.num_samples

    def set_epoch(self, epoch):
        """Say which pass comes next: it changes the random order."""
        self.epoch = epoch
