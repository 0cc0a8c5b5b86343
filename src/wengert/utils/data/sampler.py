"""Samplers: in which order a loader asks for samples."""

import itertools
from typing import Generic, TypeVar

import wengert

T = TypeVar("T", covariant=True)


def draw_seed(generator=None):
    """Draw a seed from ``generator`` (or the default one) for everything random in one pass over the data."""
    return int(wengert.randint(0, 2**63 - 1, (), dtype=wengert.int64, generator=generator).item())


def _check_count(name, value):
    if not isinstance(value, int) or isinstance(value, bool) or value <= 0:
        raise ValueError(f"{name}: expected an int above 0, got {name}={value}.")


class Sampler(Generic[T]):
    """Base class of samplers; define ``__iter__``, which gives indices, and ``__len__``."""

    def __iter__(self):
        raise NotImplementedError


class SequentialSampler(Sampler[int]):
    """All indices in order."""

    def __init__(self, data_source):
        self.data_source = data_source

    def __iter__(self):
        return iter(range(len(self.data_source)))

    def __len__(self):
        return len(self.data_source)


class RandomSampler(Sampler[int]):
    """All indices in random order, or ``num_samples`` of them; with ``replacement`` independently drawn ones.

    Without ``generator`` each pass draws a seed from the default generator.
    """

    def __init__(self, data_source, replacement=False, num_samples=None, generator=None):
        if not isinstance(replacement, bool):
            raise TypeError(f"replacement should be a boolean value, but got replacement={replacement}")
        self.data_source = data_source
        self.replacement = replacement
        self._num_samples = num_samples
        self.generator = generator
        _check_count("num_samples", self.num_samples)

    @property
    def num_samples(self):
        """How many indices one pass gives."""
        return len(self.data_source) if self._num_samples is None else self._num_samples

    def _pass_generator(self):
        if self.generator is not None:
            return self.generator
        generator = wengert.Generator()
        generator.manual_seed(draw_seed())
        return generator

    def __iter__(self):
        size = len(self.data_source)
        generator = self._pass_generator()
        if self.replacement:
            left = self.num_samples
            while left > 0:  # in pieces, so that an endless pass starts at once
                piece = wengert.randint(0, size, (min(left, 32),), dtype=wengert.int64, generator=generator)
                yield from piece.tolist()
                left -= 32
            return
        for _ in range(self.num_samples // size):
            yield from wengert.randperm(size, generator=generator).tolist()
        rest = self.num_samples % size
        if rest:
            yield from wengert.randperm(size, generator=generator).tolist()[:rest]

    def permutation(self):
        """Return a whole pass as one tensor: the indices that iterating gives, from the same random numbers.

        Only for passes without replacement over all samples.
        """
        return wengert.randperm(self.num_samples, generator=self._pass_generator())

    def __len__(self):
        return self.num_samples


class SubsetRandomSampler(Sampler[int]):
    """The given indices in random order."""

    def __init__(self, indices, generator=None):
        self.indices = indices
        self.generator = generator

    def __iter__(self):
        for i in wengert.randperm(len(self.indices), generator=self.generator).tolist():
            yield self.indices[i]

    def __len__(self):
        return len(self.indices)


class WeightedRandomSampler(Sampler[int]):
    """``num_samples`` indices, each drawn with probability proportional to its weight."""

    def __init__(self, weights, num_samples, replacement=True, generator=None):
        _check_count("num_samples", num_samples)
        if not isinstance(replacement, bool):
            raise ValueError(f"replacement should be a boolean value, but got replacement={replacement}")
        self.weights = wengert.as_tensor(weights, dtype=wengert.float64)
        if self.weights.dim() != 1:
            raise ValueError(f"weights should be a 1d sequence, but got shape {tuple(self.weights.shape)}")
        self.num_samples = num_samples
        self.replacement = replacement
        self.generator = generator

    def __iter__(self):
        drawn = wengert.multinomial(self.weights, self.num_samples, self.replacement, generator=self.generator)
        return iter(drawn.tolist())

    def __len__(self):
        return self.num_samples


class BatchSampler(Sampler[list]):
    """Lists of ``batch_size`` indices of another sampler; the last may be shorter, or is dropped."""

    def __init__(self, sampler, batch_size, drop_last):
        _check_count("batch_size", batch_size)
        if not isinstance(drop_last, bool):
            raise ValueError(f"drop_last should be a boolean value, but got drop_last={drop_last}")
        self.sampler = sampler
        self.batch_size = batch_size
        self.drop_last = drop_last

    def __iter__(self):
        indices = iter(self.sampler)
        while batch := list(itertools.islice(indices, self.batch_size)):
            if self.drop_last and len(batch) < self.batch_size:
                return
            yield batch

    def __len__(self):
        if self.drop_last:
            return len(self.sampler) // self.batch_size
        return (len(self.sampler) + self.batch_size - 1) // self.batch_size
