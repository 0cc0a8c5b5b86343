"""How a batch is made from what the sampler gives: sample by sample, or with one gather per tensor."""

import itertools

import wengert
from wengert.utils.data.collate import default_collate
from wengert.utils.data.dataset import Subset, TensorDataset, samples_of
from wengert.utils.data.sampler import BatchSampler, RandomSampler, SequentialSampler


def make_fetch(dataset, iterable, batched, batch_size, drop_last, collate):
    """Return a function from a batch of indices to the batch; for iterable data sets the indices are ignored."""
    if iterable:
        return _iterable_fetch(iter(dataset), batched, batch_size, drop_last, collate)
    if not batched:
        return lambda index: collate(dataset[index])
    if collate is default_collate and _tensors_of(dataset) is not None:
        return _gather_fetch(dataset)
    return lambda indices: collate(samples_of(dataset, indices))


def _iterable_fetch(samples, batched, batch_size, drop_last, collate):
    def fetch(_):
        if not batched:
            return collate(next(samples))
        batch = list(itertools.islice(samples, batch_size))
        if not batch or (drop_last and len(batch) < batch_size):
            raise StopIteration
        return collate(batch)

    return fetch


def _tensors_of(dataset):
    """Return the tensors whose rows are the samples, or None; subclasses may have other samples."""
    while type(dataset) is Subset:
        dataset = dataset.dataset
    if type(dataset) is TensorDataset and all(isinstance(tensor, wengert.Tensor) for tensor in dataset.tensors):
        return dataset.tensors
    return None


def _gather_fetch(dataset):
    """Fetch rows of tensors with one ``index_select`` each instead of one Python call per sample."""
    tensors = _tensors_of(dataset)

    def fetch(indices):
        rows, owner = indices, dataset
        while type(owner) is Subset:
            rows, owner = [owner.indices[i] for i in rows], owner.dataset
        if set(map(type, rows)) != {int} or min(rows) < 0:  # negative or boolean: index sample by sample
            return default_collate(samples_of(dataset, indices))
        rows = wengert.tensor(rows, dtype=wengert.int64)
        return [tensor.index_select(0, rows) for tensor in tensors]

    return fetch


def tensor_batches(dataset, batch_sampler):
    """Return an iterator over the batches of a plain pass over tensors, or None when the pass is of another kind.

    For a sequential or a shuffled pass no list of indices is made: batches are copies of slices, or gathers by
    slices of one permutation tensor. Values and use of random numbers are those of the sample-by-sample way.
    """
    if type(dataset) is not TensorDataset or type(batch_sampler) is not BatchSampler:
        return None
    tensors = _tensors_of(dataset)
    sampler = batch_sampler.sampler
    if not tensors or getattr(sampler, "data_source", None) is not dataset:
        return None
    if type(sampler) is SequentialSampler:
        return _slices(tensors, len(dataset), batch_sampler)
    if type(sampler) is RandomSampler and not sampler.replacement and sampler.num_samples == len(dataset):
        return _gathers(tensors, sampler, batch_sampler)
    return None


def _starts(count, batch_sampler):
    size = batch_sampler.batch_size
    return range(0, count - size + 1 if batch_sampler.drop_last else count, size)


def _slices(tensors, count, batch_sampler):
    size = batch_sampler.batch_size
    for start in _starts(count, batch_sampler):
        # Cloned, so that a change to the batch does not reach the data set.
        yield [tensor[start : start + size].clone() for tensor in tensors]


def _gathers(tensors, sampler, batch_sampler):
    order = sampler.permutation()
    size = batch_sampler.batch_size
    for start in _starts(len(order), batch_sampler):
        rows = order[start : start + size]
        yield [tensor.index_select(0, rows) for tensor in tensors]
