"""Loaders, samplers and datasets beside torch, as expressions: the same printed results, warnings and kinds of errors."""

import warnings

import numpy as np
import pytest

import wengert

torch = pytest.importorskip("torch")

EXPRESSIONS = """
[b[0].tolist() for b in D.DataLoader(ds, 3)]
[b[0].tolist() for b in D.DataLoader(ds, 3, drop_last=True)]
[b[0].tolist() for b in D.DataLoader(ds, batch_sampler=D.BatchSampler(D.SequentialSampler(ds), 4, True))]
[b[0].tolist() for b in D.DataLoader(ds, batch_sampler=[[0, 1], [5]])]
[b[0].tolist() for b in D.DataLoader(ds, sampler=[3, 1, 2], batch_size=2)]
[b for b in D.DataLoader(list(range(5)), batch_size=None)]
[b for b in D.DataLoader(list(range(5)), batch_size=2)]
D.DataLoader(ds, shuffle=True, sampler=[1])
D.DataLoader(ds, batch_sampler=[[1]], batch_size=2)
D.DataLoader(ds, batch_sampler=[[1]], shuffle=True)
D.DataLoader(ds, batch_sampler=[[1]], drop_last=True)
D.DataLoader(ds, batch_size=None, drop_last=True)
D.DataLoader(ds, batch_size=None, shuffle=True).__len__()
D.DataLoader(ds, num_workers=-1)
D.DataLoader(ds, timeout=-1)
D.DataLoader(ds, timeout=1)
D.DataLoader(ds, prefetch_factor=2)
D.DataLoader(ds, persistent_workers=True)
D.DataLoader(ds, num_workers=1, prefetch_factor=-1)
D.DataLoader(ds, num_workers=1).prefetch_factor
D.DataLoader(ds).prefetch_factor
D.DataLoader(ds, batch_size=0)
D.DataLoader(ds, batch_size=-2)
D.DataLoader(ds, multiprocessing_context="spawn")
D.DataLoader(ds, multiprocessing_context="zzz", num_workers=1)
len(D.DataLoader(ds, 3)), len(D.DataLoader(ds, 3, drop_last=True)), len(D.DataLoader(ds, batch_size=None))
D.DataLoader(ds, 3).batch_size, D.DataLoader(ds, 3).drop_last, D.DataLoader(ds, 3).num_workers
D.DataLoader(ds).pin_memory, D.DataLoader(ds).timeout
type(D.DataLoader(ds).sampler).__name__, type(D.DataLoader(ds, shuffle=True).sampler).__name__
type(D.DataLoader(ds).batch_sampler).__name__, D.DataLoader(ds, batch_size=None).batch_sampler
setattr(D.DataLoader(ds), "batch_size", 3)
setattr(D.DataLoader(ds), "sampler", 3)
sorted(x for b in D.DataLoader(ds, 3, shuffle=True) for x in b[0].tolist())
len({str(list(D.DataLoader(ds, 3, True, generator=lib.Generator().manual_seed(3)))) for _ in range(2)})
[x.tolist() for x in D.DataLoader([{"a":1}, {"a":4}], 2, collate_fn=lambda b: lib.tensor([r["a"] for r in b]))]
list(D.DataLoader([{"a":1, "b":(2., "x")}, {"a":4, "b":(5., "y")}], 2))
list(D.DataLoader([np.float32(1), np.float32(2)], 2))
list(D.DataLoader([np.ones(2), np.zeros(2)], 2))
list(D.DataLoader([None, None], 2))
list(D.DataLoader([lib.ones(2), lib.ones(3)], 2))
list(D.WeightedRandomSampler([0, 0, 1.], 4))
D.WeightedRandomSampler([1.], 0)
D.WeightedRandomSampler([1.], 2.5)
D.WeightedRandomSampler([1.], 2, replacement=1)
D.WeightedRandomSampler([[1.]], 2)
len(D.WeightedRandomSampler([1., 1], 5))
sorted(D.WeightedRandomSampler([1., 1, 1], 3, replacement=False))
list(D.WeightedRandomSampler([1., 1, 1], 4, replacement=False))
D.RandomSampler(ds, num_samples=0)
D.RandomSampler(ds, replacement=2)
len(list(D.RandomSampler(ds, num_samples=25)))
len(list(D.RandomSampler(ds, replacement=True, num_samples=7)))
D.RandomSampler([])
list(D.DataLoader([], 2, shuffle=True))
list(D.DataLoader([], 2))
D.BatchSampler(D.SequentialSampler(ds), 0, False)
D.BatchSampler(D.SequentialSampler(ds), 2, 1)
D.BatchSampler(range(5), 2.5, False)
list(D.BatchSampler(range(5), 2, False)), len(D.BatchSampler(range(5), 2, True))
sorted(D.SubsetRandomSampler([4, 2, 9]))
len(D.ConcatDataset([ds, ds])), D.ConcatDataset([ds, ds])[13]
D.ConcatDataset([ds, ds])[-1], D.ConcatDataset([ds, ds]).cumulative_sizes
D.ConcatDataset([ds, ds])[20]
D.ConcatDataset([ds, ds])[-21]
D.ConcatDataset([])
(ds+ds)[10]
D.Subset(ds, [1, 2])[1], len(D.Subset(ds, [1, 2]))
D.Subset(ds, [1, 2])[[0, 1]]
D.Subset(ds, [1, 2])[5]
[len(x) for x in D.random_split(ds, [3, 7])]
[len(x) for x in D.random_split(ds, [.35, .35, .3])]
D.random_split(ds, [3, 3])
D.random_split(ds, [.5, .6])
D.random_split(ds, [1.5, -.5])
[len(x) for x in D.random_split(ds, [.01, .99])]
D.TensorDataset(lib.ones(2), lib.ones(3))
D.StackDataset(ds, ds)[1], D.StackDataset(a=ds)[0]
D.StackDataset()
D.get_worker_info()
D.default_convert([1, {"a":np.ones(1)}, "x"])
D.DataLoader(ds, 10, in_order=False).in_order
"""


def outcome(lib, expression):
    data = lib.utils.data
    names = {"lib": lib, "D": data, "ds": data.TensorDataset(lib.arange(10)), "np": np}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            found = repr(eval(expression, names)).replace("wengert.", "torch.")
        except Exception as error:
            found = type(error).__name__
    return "an object" if " object at " in found else found, [w.category.__name__ for w in caught]


@pytest.mark.parametrize("expression", EXPRESSIONS.strip().splitlines())
def test_as_torch(expression):
    assert outcome(wengert, expression) == outcome(torch, expression)
