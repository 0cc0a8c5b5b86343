"""Data sets: things with samples, by index or one after another."""

import bisect
import itertools
import math
from typing import Generic, TypeVar

import wengert
from wengert._warn import warn

T = TypeVar("T", covariant=True)


class Dataset(Generic[T]):
    """Base class of data sets with samples by index; define ``__getitem__`` and, for most uses, ``__len__``.

    ``__getitems__(indices)``, if defined, returns the samples of a whole batch as a list.
    """

    def __getitem__(self, index):
        raise NotImplementedError("Subclasses of Dataset should implement __getitem__.")

    def __add__(self, other):
        return ConcatDataset([self, other])


class IterableDataset(Dataset[T]):
    """Base class of data sets that give samples one after another; define ``__iter__``."""

    def __iter__(self):
        raise NotImplementedError("Subclasses of IterableDataset should implement __iter__.")

    def __add__(self, other):
        return ChainDataset([self, other])


class TensorDataset(Dataset[tuple]):
    """Samples are tuples of rows, one of each tensor; all tensors have the same first size.

    Example:
        >>> import wengert
        >>> data = wengert.utils.data.TensorDataset(wengert.arange(3), wengert.ones(3))
        >>> data[1]
        (tensor(1), tensor(1.))
    """

    def __init__(self, *tensors):
        sizes = {tensor.size(0) for tensor in tensors}
        if len(sizes) > 1:
            raise AssertionError(f"Size mismatch between tensors: expected one first size, got {sorted(sizes)}.")
        self.tensors = tensors

    def __getitem__(self, index):
        return tuple(tensor[index] for tensor in self.tensors)

    def __len__(self):
        return self.tensors[0].size(0)


class StackDataset(Dataset):
    """Samples are tuples (or dicts, for keyword arguments) of the samples of several data sets of equal length."""

    def __init__(self, *args, **kwargs):
        if bool(args) == bool(kwargs):
            raise ValueError("StackDataset: expected data sets either by position or by keyword, got both or none.")
        self.datasets = args or kwargs
        lengths = {len(dataset) for dataset in self._parts()}
        if len(lengths) != 1:
            raise ValueError(f"Size mismatch between datasets: expected one length, got {sorted(lengths)}.")
        self._length = lengths.pop()

    def _parts(self):
        return self.datasets.values() if isinstance(self.datasets, dict) else self.datasets

    def _sample(self, values):
        return dict(zip(self.datasets, values, strict=True)) if isinstance(self.datasets, dict) else tuple(values)

    def __getitem__(self, index):
        return self._sample([dataset[index] for dataset in self._parts()])

    def __getitems__(self, indices):
        columns = [samples_of(dataset, indices) for dataset in self._parts()]
        for column in columns:
            if len(column) != len(indices):
                raise ValueError(
                    "Nested dataset's output size mismatch. "
                    f"Expected {len(indices)} samples of __getitems__, got {len(column)}."
                )
        return [self._sample(values) for values in zip(*columns, strict=True)]

    def __len__(self):
        return self._length


class ConcatDataset(Dataset[T]):
    """Several data sets, one behind the other."""

    def __init__(self, datasets):
        self.datasets = list(datasets)
        if not self.datasets:
            raise AssertionError("ConcatDataset: expected at least one data set, got an empty iterable.")
        if any(isinstance(dataset, IterableDataset) for dataset in self.datasets):
            raise AssertionError("ConcatDataset does not support IterableDataset")
        self.cumulative_sizes = list(itertools.accumulate(len(dataset) for dataset in self.datasets))

    def __len__(self):
        return self.cumulative_sizes[-1]

    def __getitem__(self, index):
        if index < 0:
            if -index > len(self):
                raise ValueError("absolute value of index should not exceed dataset length")
            index += len(self)
        which = bisect.bisect_right(self.cumulative_sizes, index)
        if which == len(self.datasets):
            raise IndexError(f"ConcatDataset: expected an index below {len(self)}, got {index}.")
        return self.datasets[which][index - (self.cumulative_sizes[which - 1] if which else 0)]


class ChainDataset(IterableDataset):
    """Several iterable data sets, one after the other."""

    def __init__(self, datasets):
        self.datasets = datasets

    def _checked(self):
        for dataset in self.datasets:
            if not isinstance(dataset, IterableDataset):
                raise AssertionError("ChainDataset only supports IterableDataset")
            yield dataset

    def __iter__(self):
        for dataset in self._checked():
            yield from dataset

    def __len__(self):
        return sum(len(dataset) for dataset in self._checked())


class Subset(Dataset[T]):
    """The samples of a data set at given indices."""

    def __init__(self, dataset, indices):
        self.dataset = dataset
        self.indices = indices

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        if "__getitem__" in cls.__dict__ and "__getitems__" not in cls.__dict__:
            cls.__getitems__ = None  # the batch version would go past the subclass's samples

    def __getitem__(self, index):
        if isinstance(index, list):
            return self.dataset[[self.indices[i] for i in index]]
        return self.dataset[self.indices[index]]

    def __getitems__(self, indices):
        return samples_of(self.dataset, [self.indices[i] for i in indices])

    def __len__(self):
        return len(self.indices)


def samples_of(dataset, indices):
    """Return the samples at ``indices`` as a list, by ``__getitems__`` where the data set has it."""
    get_many = getattr(dataset, "__getitems__", None)
    return get_many(indices) if callable(get_many) else [dataset[i] for i in indices]


def random_split(dataset, lengths, generator=None):
    """Split a data set into disjoint random parts of the given lengths, or fractions that add up to 1.

    What the fractions leave over is handed out one sample each, to the first parts.

    Raises:
        ValueError: lengths do not add up, or a fraction is outside [0, 1].

    Example:
        >>> import wengert
        >>> parts = wengert.utils.data.random_split(range(10), [0.75, 0.25])
        >>> [len(part) for part in parts]
        [8, 2]
    """
    size = len(dataset)
    if math.isclose(sum(lengths), 1) and sum(lengths) <= 1:
        for i, fraction in enumerate(lengths):
            if not 0 <= fraction <= 1:
                raise ValueError(f"random_split: expected fractions between 0 and 1, got {fraction} at {i}.")
        lengths = [math.floor(size * fraction) for fraction in lengths]
        for i in range(size - sum(lengths)):
            lengths[i % len(lengths)] += 1
        for i, length in enumerate(lengths):
            if length == 0:
                warn(f"Length of split at index {i} is 0. This might result in an empty dataset.")
    if sum(lengths) != size:
        raise ValueError(
            f"random_split: expected lengths that add up to {size}, the length of the data set (or fractions to 1), got "
            f"{list(lengths)}."
        )
    order = wengert.randperm(size, generator=generator).tolist()
    ends = itertools.accumulate(lengths)
    return [Subset(dataset, order[end - length : end]) for end, length in zip(ends, lengths, strict=True)]
