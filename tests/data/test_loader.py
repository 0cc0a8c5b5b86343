"""DataLoader: batches, order, the gather path, worker processes and how they end."""

import gc
import os
import pickle
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import wengert
from wengert.utils.data import (
    BatchSampler,
    DataLoader,
    Dataset,
    IterableDataset,
    Subset,
    TensorDataset,
    default_collate,
    get_worker_info,
)


class Rows(Dataset):
    """The samples of a TensorDataset, but of another type: always fetched one by one."""

    def __init__(self, data):
        self.data = data

    def __getitem__(self, index):
        return self.data[index]

    def __len__(self):
        return len(self.data)


def tensors(count=23):
    return TensorDataset(wengert.arange(count * 3, dtype=wengert.float32).reshape(count, 3), wengert.arange(count))


def listed(loader):
    return [[part.tolist() for part in batch] for batch in loader]


@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("size", [1, 4, 23, 50])
def test_the_gather_path_equals_the_plain_one(size, shuffle, drop_last):
    data = tensors()
    results = []
    for dataset in (data, Rows(data)):
        generator = wengert.Generator().manual_seed(4)
        loader = DataLoader(dataset, size, shuffle=shuffle, drop_last=drop_last, generator=generator)
        wengert.manual_seed(2)
        results.append([listed(loader), listed(loader), wengert.rand(1).tolist(), len(loader)])
        loader = DataLoader(dataset, size, shuffle=shuffle, drop_last=drop_last)
        results[-1] += [listed(loader), wengert.rand(1).tolist()]
    assert results[0] == results[1]
    if shuffle and size == 4:
        assert results[0][0] != results[0][1]


def test_the_gather_path_serves_other_samplers_and_subsets():
    data = tensors()
    part = Subset(Subset(data, list(range(22, 2, -1))), [3, 5, 7, 11])
    for dataset, options in [
        (part, {"batch_size": 3}),
        (part, {"batch_size": 2, "shuffle": True}),
        (data, {"batch_sampler": [[1, 2], [-1, 0], [5]]}),
        (data, {"sampler": [3, 1, 2], "batch_size": 2}),
        (data, {"batch_sampler": BatchSampler(range(0, 23, 2), 5, False)}),
    ]:
        plain = (
            Subset(Rows(data), [part.dataset.indices[i] for i in part.indices]) if dataset is part else Rows(data)
        )
        results = []
        for each in (dataset, plain):
            wengert.manual_seed(7)
            results.append(listed(DataLoader(each, **options)))
        assert results[0] == results[1]


def test_batches_are_copies():
    data = tensors()
    before = data.tensors[0].tolist()
    for batch in DataLoader(data, 4):
        batch[0].fill_(-1)
    assert data.tensors[0].tolist() == before


def test_single_samples_and_own_collate():
    data = tensors(3)
    assert [b.tolist() for _, b in DataLoader(data, batch_size=None)] == [0, 1, 2]
    assert list(DataLoader(range(5), 2, collate_fn=sum)) == [1, 5, 4]
    assert listed(DataLoader([np.zeros(2)], batch_size=None)) == [[0.0, 0.0]]


def test_wrong_options_raise():
    class Stream(IterableDataset):
        def __iter__(self):
            return iter(range(3))

    data = range(4)
    for options in (
        {"num_workers": -1},
        {"timeout": -1},
        {"prefetch_factor": 2},
        {"persistent_workers": True},
        {"shuffle": True, "sampler": [1]},
        {"batch_sampler": [[1]], "batch_size": 2},
        {"batch_size": None, "drop_last": True},
        {"batch_size": 0},
        {"multiprocessing_context": "fork"},
        {"num_workers": 1, "multiprocessing_context": "spoon"},
    ):
        with pytest.raises(ValueError):
            DataLoader(data, **options)
    for options in ({"shuffle": True}, {"sampler": [1]}, {"batch_sampler": [[1]]}):
        with pytest.raises(ValueError, match="IterableDataset"):
            DataLoader(Stream(), **options)
    with pytest.raises(TypeError):
        DataLoader(data, num_workers=1, multiprocessing_context=3)
    loader = DataLoader(data)
    with pytest.raises(ValueError, match="to stay as it was made"):
        loader.batch_size = 3
    assert len(pickle.loads(pickle.dumps(loader))) == 4


class Stream(IterableDataset):
    def __init__(self, count, claimed=None):
        self.count = count
        self.claimed = claimed

    def __iter__(self):
        info = get_worker_info()
        first, step = (0, 1) if info is None else (info.id, info.num_workers)
        return iter(range(first, self.count, step))

    def __len__(self):
        return self.claimed or self.count


def test_iterable_datasets():
    assert [b.tolist() for b in DataLoader(Stream(5), 2)] == [[0, 1], [2, 3], [4]]
    assert [b.tolist() for b in DataLoader(Stream(5), 2, drop_last=True)] == [[0, 1], [2, 3]]
    assert list(DataLoader(Stream(3), None)) == [0, 1, 2]
    assert len(DataLoader(Stream(5), 2)) == 3
    loader = DataLoader(Stream(5, claimed=2), 2)
    assert len(loader) == 1
    with pytest.warns(UserWarning, match="was reported to be 1"):
        list(loader)


# Worker processes


def children():
    """Return the process ids of this process's children."""
    path = f"/proc/{os.getpid()}/task/{os.getpid()}/children"
    if not os.path.exists(path):
        pytest.skip("needs /proc")
    with open(path) as file:
        return {pid for pid in file.read().split() if not is_resource_tracker(pid)}


def is_resource_tracker(pid):
    """True for the process that multiprocessing itself starts once for spawned processes, and keeps."""
    try:
        with open(f"/proc/{pid}/cmdline") as file:
            return "resource_tracker" in file.read()
    except FileNotFoundError:
        return False


@pytest.fixture
def no_leftovers():
    """After the test no process that it started is left, and no shared memory."""
    before = children()
    shared = set(os.listdir("/dev/shm"))
    yield
    gc.collect()
    end = time.monotonic() + 5
    while children() - before and time.monotonic() < end:
        time.sleep(0.02)
    assert not children() - before
    assert not {name for name in set(os.listdir("/dev/shm")) - shared if not name.startswith("sem.")}


pytestmark = pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_workers_give_the_same_batches_in_order(workers, no_leftovers):
    for dataset in (tensors(), Rows(tensors())):
        results = []
        for count in (0, workers):
            wengert.manual_seed(3)
            results.append(listed(DataLoader(dataset, 4, shuffle=True, num_workers=count)))
        assert results[0] == results[1]


def test_workers_return_all_kinds_of_values(no_leftovers):
    samples = [
        {
            "t": wengert.ones(2, 2).t(),
            "h": wengert.ones(2).to(wengert.bfloat16),
            "s": "text",
            "n": i,
            "z": wengert.zeros(()),
        }
        for i in range(4)
    ]
    local, remote = (list(DataLoader(samples, 2, num_workers=count)) for count in (0, 1))
    for a, b in zip(local, remote, strict=True):
        for key in a:
            assert type(a[key]) is type(b[key])
            if key != "s":
                assert a[key].dtype == b[key].dtype and a[key].float().tolist() == b[key].float().tolist()
            else:
                assert a[key] == b[key]
        b["t"].add_(1)  # writable


class LargeProducts(Dataset):
    """Items whose computation spreads over the thread pool."""

    def __init__(self):
        self.matrix = wengert.ones(400, 400)

    def __len__(self):
        return 6

    def __getitem__(self, index):
        return (self.matrix @ self.matrix).mean() + index


def use_two_threads(_):
    wengert.set_num_threads(2)


def test_workers_and_parent_compute_in_pools_of_their_own(no_leftovers):
    """The parent's pool runs when the workers are forked, and goes on while theirs start."""
    before = wengert.get_num_threads()
    wengert.set_num_threads(2)
    try:
        data = LargeProducts()
        assert (data.matrix @ data.matrix).sum().item() == 400.0**3
        seen = []
        for batch in DataLoader(data, batch_size=2, num_workers=2, worker_init_fn=use_two_threads, timeout=30):
            assert (data.matrix @ data.matrix).sum().item() == 400.0**3
            seen += batch.tolist()
        assert seen == [400.0 + i for i in range(6)]
    finally:
        wengert.set_num_threads(before)


def test_large_batches_arrive(no_leftovers):
    data = TensorDataset(wengert.arange(1_000_000, dtype=wengert.float64).reshape(8, -1))
    total = sum(batch[0].sum().item() for batch in DataLoader(data, 2, num_workers=2))
    assert total == 1_000_000 * 999_999 / 2


class Info(Dataset):
    def __getitem__(self, index):
        info = get_worker_info()
        return (
            info.id,
            info.num_workers,
            info.seed,
            int(wengert.randint(0, 10**6, (1,)).item()),
            os.environ["WORKER"],
        )

    def __len__(self):
        return 6


def set_environment(worker_id):
    os.environ["WORKER"] = str(worker_id)


def test_workers_know_themselves_and_have_their_own_random_numbers(no_leftovers):
    assert get_worker_info() is None
    runs = []
    for _ in range(2):
        generator = wengert.Generator().manual_seed(1)
        loader = DataLoader(Info(), None, num_workers=2, worker_init_fn=set_environment, generator=generator)
        runs.append(list(loader))
    assert runs[0] == runs[1]
    assert [row[0] for row in runs[0]] == [0, 1, 0, 1, 0, 1] == [int(row[4]) for row in runs[0]]
    assert runs[0][1][2] == runs[0][0][2] + 1 and len({row[3] for row in runs[0]}) > 3


def test_iterable_datasets_in_workers(no_leftovers):
    batches = [b.tolist() for b in DataLoader(Stream(11), 2, num_workers=2)]
    assert sorted(sum(batches, [])) == list(range(11))
    assert batches[:2] == [[0, 2], [1, 3]]


class Faulty(Dataset):
    def __init__(self, fault):
        self.fault = fault

    def __getitem__(self, index):
        if index == 3:
            self.fault()
        return index

    def __len__(self):
        return 8


class Odd(Exception):
    def __init__(self, a, b):
        super().__init__(a, b)


def raise_key_error():
    raise KeyError("missing")


def raise_odd():
    raise Odd(1, 2)


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def leave():
    os._exit(3)


def wait():
    time.sleep(60)


@pytest.mark.parametrize(("fault", "kind"), [(raise_key_error, KeyError), (raise_odd, RuntimeError)])
def test_errors_come_back_with_their_traceback(fault, kind, no_leftovers):
    loader = iter(DataLoader(Faulty(fault), 2, num_workers=2))
    assert next(loader).tolist() == [0, 1]
    with pytest.raises(kind, match=f"in DataLoader worker process 1.\nOriginal Traceback(.|\n)*{fault.__name__}"):
        next(loader)
    assert next(loader).tolist() == [4, 5]


@pytest.mark.parametrize(("fault", "text"), [(die, "by signal 9"), (leave, "with exit code 3")])
def test_a_dead_worker_is_named(fault, text, no_leftovers):
    with pytest.raises(RuntimeError, match=rf"DataLoader worker \(pid\(s\) \d+\) exited unexpectedly, {text}"):
        list(DataLoader(Faulty(fault), 2, num_workers=2))


def test_a_failing_start_is_reported(no_leftovers):
    def fail(worker_id):
        raise ValueError("no start")

    with pytest.raises(ValueError, match="no start"):
        list(DataLoader(range(4), num_workers=1, worker_init_fn=fail))


def test_timeout(no_leftovers):
    with pytest.raises(RuntimeError, match="timed out after 0.3 seconds"):
        list(DataLoader(Faulty(wait), 2, num_workers=2, timeout=0.3))


def test_stopping_early_ends_the_workers(no_leftovers):
    start = time.monotonic()
    for _ in DataLoader(tensors(1000), 4, num_workers=2):
        break
    first, second = DataLoader(tensors(), 4, num_workers=2), DataLoader(tensors(), 4, num_workers=1)
    for _ in zip(first, second, strict=False):
        break
    assert time.monotonic() - start < 3


def test_persistent_workers_stay_and_end_with_the_loader(no_leftovers):
    before = children()
    loader = DataLoader(Rows(tensors()), 4, num_workers=2, persistent_workers=True)
    listed(loader)
    workers = children() - before
    assert len(workers) == 2
    assert listed(loader) == listed(DataLoader(tensors(), 4))
    stopped = iter(loader)
    next(stopped)
    assert listed(loader) == listed(DataLoader(tensors(), 4))
    with pytest.raises(RuntimeError, match="one pass at a time"):
        next(stopped)
    assert children() - before == workers


def test_a_batch_that_cannot_be_sent_is_reported(no_leftovers):
    with pytest.raises(Exception, match="in DataLoader worker process 0"):
        list(DataLoader(range(2), num_workers=1, collate_fn=lambda batch: lambda: batch))


def test_spawned_workers(no_leftovers):
    results = listed(DataLoader(tensors(5), 2, num_workers=1, multiprocessing_context="spawn"))
    assert results == listed(DataLoader(tensors(5), 2))


INTERRUPTED = """
import os, signal, sys, threading, time
import wengert
from wengert.utils.data import DataLoader

signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job inherits an ignored one

class Slow:
    def __len__(self): return 1000
    def __getitem__(self, index):
        time.sleep(0.05)
        return index

loader = DataLoader(Slow(), 2, num_workers=2)
batches = iter(loader)
next(batches)
with open(f"/proc/{os.getpid()}/task/{os.getpid()}/children") as file:
    print(file.read().strip(), flush=True)
%s
for _ in batches:
    pass
"""


@pytest.mark.parametrize("end", [
    "threading.Timer(0.1, os.killpg, (os.getpgid(0), signal.SIGINT)).start()",
    "sys.exit(0)",
    "os.kill(os.getpid(), signal.SIGKILL)",
])  # fmt: skip
def test_no_worker_outlives_its_parent(end):
    parent = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED % end],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    out, _ = parent.communicate(timeout=30)
    workers = out.split()
    assert len(workers) == 2
    deadline = time.monotonic() + 8
    while any(alive(pid) for pid in workers):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def alive(pid):
    try:
        with open(f"/proc/{int(pid)}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_default_collate_is_the_default():
    assert DataLoader([1]).collate_fn is default_collate


@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("shuffle", [False, True])
def test_distributed_sampler_shares_out(shuffle, drop_last):
    from wengert.utils.data.distributed import DistributedSampler

    def shares(epoch, size=11):
        made = [
            DistributedSampler(range(size), 3, r, shuffle=shuffle, seed=5, drop_last=drop_last) for r in range(3)
        ]
        for sampler in made:
            sampler.set_epoch(epoch)
        assert len({len(sampler) for sampler in made}) == 1
        return [list(sampler) for sampler in made]

    first = shares(0)
    assert all(len(share) == (3 if drop_last else 4) for share in first)
    seen = [i for share in first for i in share]
    assert set(seen) <= set(range(11)) and (drop_last or set(seen) == set(range(11)))
    assert (shares(1) != first) == shuffle and shares(0) == first
    assert not drop_last or len(set(seen)) == 9
    with pytest.raises(ValueError, match="rank"):
        DistributedSampler(range(3), 2, 2)
    with pytest.raises(RuntimeError, match="num_replicas"):
        DistributedSampler(range(3))
