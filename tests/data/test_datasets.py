"""Data sets, samplers and collation."""

import collections

import numpy as np
import pytest

import wengert
from wengert.utils.data import (
    BatchSampler,
    ChainDataset,
    ConcatDataset,
    Dataset,
    IterableDataset,
    RandomSampler,
    SequentialSampler,
    StackDataset,
    Subset,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
    default_collate,
    default_convert,
    random_split,
)


class Squares(Dataset):
    def __init__(self, count):
        self.count = count

    def __getitem__(self, index):
        if not 0 <= index < self.count:
            raise IndexError(index)
        return index * index

    def __len__(self):
        return self.count


class Count(IterableDataset):
    def __init__(self, start, end):
        self.start, self.end = start, end

    def __iter__(self):
        return iter(range(self.start, self.end))

    def __len__(self):
        return self.end - self.start


def test_concat_chain_subset_stack():
    both = Squares(3) + Squares(2)
    assert isinstance(both, ConcatDataset) and [both[i] for i in range(5)] == [0, 1, 4, 0, 1]
    assert both[-1] == 1 and both[-5] == 0 and len(both) == 5
    with pytest.raises(ValueError):
        both[-6]
    with pytest.raises(IndexError):
        both[5]
    chain = Count(0, 2) + Count(5, 7)
    assert isinstance(chain, ChainDataset) and list(chain) == [0, 1, 5, 6] and len(chain) == 4
    with pytest.raises(AssertionError):
        list(ChainDataset([Squares(2)]))
    with pytest.raises(AssertionError):
        ConcatDataset([Count(0, 1)])
    part = Subset(Squares(10), [7, 2])
    assert [part[0], part[1]] == [49, 4] and len(part) == 2 and part.__getitems__([1, 0]) == [4, 49]
    stack = StackDataset(Squares(3), Subset(Squares(9), [1, 2, 3]))
    assert stack[2] == (4, 9) and stack.__getitems__([0, 1]) == [(0, 1), (1, 4)] and len(stack) == 3
    named = StackDataset(a=Squares(2), b=Squares(2))
    assert named[1] == {"a": 1, "b": 1} and named.__getitems__([1]) == [{"a": 1, "b": 1}]
    for wrong in ((), (Squares(1), Squares(2))):
        with pytest.raises(ValueError):
            StackDataset(*wrong)
    with pytest.raises(AssertionError, match="Size mismatch"):
        TensorDataset(wengert.zeros(2), wengert.zeros(3))
    with pytest.raises(NotImplementedError):
        Dataset()[0]


def test_a_subset_subclass_with_own_samples_is_respected():
    class Negated(Subset):
        def __getitem__(self, index):
            return -super().__getitem__(index)

    loader = wengert.utils.data.DataLoader(Negated(Squares(4), [1, 2, 3]), batch_size=3)
    assert next(iter(loader)).tolist() == [-1, -4, -9]


def test_random_split():
    parts = random_split(Squares(10), [3, 7], generator=wengert.Generator().manual_seed(1))
    again = random_split(Squares(10), [3, 7], generator=wengert.Generator().manual_seed(1))
    assert [p.indices for p in parts] == [p.indices for p in again]
    assert sorted(parts[0].indices + parts[1].indices) == list(range(10))
    assert [len(p) for p in random_split(range(11), [0.5, 0.25, 0.25])] == [6, 3, 2]
    with pytest.raises(ValueError, match="lengths that add up"):
        random_split(range(10), [3, 4])
    with pytest.raises(ValueError, match="expected fractions"):
        random_split(range(10), [-0.5, 1.5])
    with pytest.warns(UserWarning, match="Length of split at index 1 is 0"):
        random_split(range(1), [0.5, 0.5])


def test_samplers():
    generator = wengert.Generator()
    assert list(SequentialSampler("abc")) == [0, 1, 2]
    order = list(RandomSampler(range(9), generator=generator.manual_seed(3)))
    assert sorted(order) == list(range(9)) != order
    assert order == list(RandomSampler(range(9), generator=generator.manual_seed(3)))
    assert order == RandomSampler(range(9), generator=generator.manual_seed(3)).permutation().tolist()
    wengert.manual_seed(5)
    first = [list(RandomSampler(range(9))), list(RandomSampler(range(9)))]
    wengert.manual_seed(5)
    assert first == [list(RandomSampler(range(9))), list(RandomSampler(range(9)))] and first[0] != first[1]
    more = RandomSampler(range(4), num_samples=10)
    assert len(more) == 10 and sorted(list(more)[:4]) == [0, 1, 2, 3]
    drawn = list(RandomSampler(range(4), replacement=True, num_samples=70))
    assert len(drawn) == 70 and set(drawn) == {0, 1, 2, 3}
    assert sorted(SubsetRandomSampler([5, 7])) == [5, 7]
    assert set(WeightedRandomSampler([0.0, 1.0, 1.0], 50)) == {1, 2}
    assert sorted(WeightedRandomSampler([1.0, 1.0, 1.0], 3, replacement=False)) == [0, 1, 2]
    assert list(BatchSampler(range(5), 2, False)) == [[0, 1], [2, 3], [4]]
    assert list(BatchSampler(range(5), 2, True)) == [[0, 1], [2, 3]]
    assert [len(BatchSampler(range(5), 2, drop)) for drop in (False, True)] == [3, 2]
    for wrong in (0, -1, 1.5, True):
        with pytest.raises(ValueError):
            BatchSampler(range(5), wrong, False)
    with pytest.raises(ValueError):
        RandomSampler([])
    with pytest.raises(TypeError):
        RandomSampler([1], replacement=1)
    with pytest.raises(ValueError):
        WeightedRandomSampler([[1.0]], 1)


Point = collections.namedtuple("Point", "x y")

BATCHES = [
    lambda lib: [1, 2, 3],
    lambda lib: [0.5, 1.5],
    lambda lib: [True, False],
    lambda lib: ["a", "b"],
    lambda lib: [b"a", b"b"],
    lambda lib: [lib.ones(2), lib.zeros(2)],
    lambda lib: [np.float32(1), np.float32(2)],
    lambda lib: [np.arange(3), np.arange(3)],
    lambda lib: [(1, "a", lib.ones(1)), (2, "b", lib.zeros(1))],
    lambda lib: [{"a": 1, "b": [1, 2]}, {"a": 2, "b": [3, 4]}],
    lambda lib: [Point(1, 2.0), Point(3, 4.0)],
    lambda lib: [[1, 2], [3, 4]],
    lambda lib: [collections.OrderedDict(a=1), collections.OrderedDict(a=2)],
]


def described(value):
    if hasattr(value, "dtype"):
        return (str(value.dtype).split(".")[-1], value.tolist())
    if isinstance(value, dict):
        return type(value), {k: described(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value), [described(v) for v in value]
    return value


@pytest.mark.parametrize("make", BATCHES)
def test_collate_and_convert_equal_torch(make):
    torch = pytest.importorskip("torch")
    assert described(default_collate(make(wengert))) == described(torch.utils.data.default_collate(make(torch)))
    ours, theirs = default_convert(make(wengert)), torch.utils.data.default_convert(make(torch))
    assert described(ours) == described(theirs)


def test_collate_errors():
    with pytest.raises(TypeError, match="got"):
        default_collate([object()])
    with pytest.raises(TypeError, match="got"):
        default_collate([np.array(["a"])])
    with pytest.raises(RuntimeError, match="equal size"):
        default_collate([[1], [1, 2]])
