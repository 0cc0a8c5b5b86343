"""Data sets, samplers and the loader that makes batches of them, with PyTorch's names."""

from wengert._missing import explain
from wengert.utils.data.collate import default_collate, default_convert
from wengert.utils.data.dataset import (
    ChainDataset,
    ConcatDataset,
    Dataset,
    IterableDataset,
    StackDataset,
    Subset,
    TensorDataset,
    random_split,
)
from wengert.utils.data.distributed import DistributedSampler
from wengert.utils.data.loader import DataLoader
from wengert.utils.data.pool import WorkerIterator as _BaseDataLoaderIter  # noqa: F401  (names that packages import)
from wengert.utils.data.pool import WorkerIterator as _MultiProcessingDataLoaderIter  # noqa: F401
from wengert.utils.data.sampler import (
    BatchSampler,
    RandomSampler,
    Sampler,
    SequentialSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)
from wengert.utils.data.worker import get_worker_info

__getattr__ = explain(__name__)
__all__ = [
    "BatchSampler",
    "ChainDataset",
    "ConcatDataset",
    "DataLoader",
    "Dataset",
    "DistributedSampler",
    "IterableDataset",
    "RandomSampler",
    "Sampler",
    "SequentialSampler",
    "StackDataset",
    "Subset",
    "SubsetRandomSampler",
    "TensorDataset",
    "WeightedRandomSampler",
    "default_collate",
    "default_convert",
    "get_worker_info",
    "random_split",
]
