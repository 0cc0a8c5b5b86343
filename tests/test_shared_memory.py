"""Memory shared with other processes: writes are seen on both sides, forked or spawned, and nothing is left behind."""

import gc
import os
from multiprocessing.reduction import ForkingPickler

import pytest

import wengert
import wengert.multiprocessing as mp
from wengert import nn

START = ["fork", "spawn"]
pytestmark = pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")


def run(start, target, *args):
    process = mp.get_context(start).Process(target=target, args=args)
    process.start()
    process.join(120)
    assert process.exitcode == 0


def add_one(tensors):
    for t in tensors:
        t.add_(1)


@pytest.mark.parametrize("start", START)
@pytest.mark.parametrize("shape", [(), (3,), (200, 300), (2000, 1000)])
def test_writes_of_another_process_are_seen(start, shape):
    shared, own = wengert.zeros(shape).share_memory_(), wengert.zeros(shape)
    assert shared.is_shared() and not own.is_shared()
    run(start, add_one, [shared, own])
    assert (shared == 1).all() and (own == 0).all()


def test_views_and_arrays():
    """Views made before are moved too; arrays made before keep the memory that they look at."""
    x = wengert.arange(6.0)
    row, array = x.view(2, 3)[1], x.numpy()
    assert x.share_memory_() is x and row.is_shared() and x.detach().is_shared()
    run("fork", add_one, [row])
    assert x.tolist() == [0, 1, 2, 4, 5, 6] and row.tolist() == [4, 5, 6]
    assert array.tolist() == [0, 1, 2, 3, 4, 5]
    address = x.data_ptr()
    assert x.share_memory_().data_ptr() == address
    del x, row
    assert array.sum() == 15


@pytest.mark.parametrize(
    "make", [lambda: wengert.zeros(0), lambda: wengert.from_numpy(__import__("numpy").ones(3))]
)
def test_empty_and_foreign_memory(make):
    x = make().share_memory_()
    run("spawn", add_one, [x])
    assert x.is_shared() and x.tolist() == [2.0] * x.numel()


def send_back(question, answer):
    x = question.get(timeout=60)
    x.mul_(2)
    answer.put([x, x[1:], wengert.ones(2)])
    question.get(timeout=60)  # shared memory is fetched from the process that sent it


def test_queues():
    context = mp.get_context("spawn")
    question, answer = context.Queue(), context.Queue()
    process = context.Process(target=send_back, args=(question, answer))
    process.start()
    x = wengert.ones(4).share_memory_()
    question.put(x)
    same, part, value = answer.get(timeout=60)
    question.put(None)
    process.join(60)
    assert x.tolist() == [2.0] * 4 and same.is_shared() and not value.is_shared()
    same.fill_(7)
    assert x.tolist() == [7.0] * 4 and part.tolist() == [7.0] * 3


def test_nothing_is_left_open():
    def descriptors():
        gc.collect()
        return len(os.listdir("/proc/self/fd"))

    wengert.ones(3).share_memory_()
    before = descriptors()
    kept = [wengert.ones(100_000).share_memory_() for _ in range(5)]
    assert descriptors() <= before + 10
    del kept
    assert descriptors() == before


def test_results_of_operations_are_refused():
    y = (wengert.ones(2, requires_grad=True) * 2).share_memory_()
    with pytest.raises(RuntimeError, match="expected a leaf"):
        ForkingPickler.dumps(y)


def train(rank, model, x, y):
    """Each process updates the shared weights, without a lock (Hogwild)."""
    optimizer = wengert.optim.SGD(model.parameters(), lr=0.05)
    for k in range(200):
        part = slice(k % 4 * 16, k % 4 * 16 + 16)
        optimizer.zero_grad()
        nn.functional.mse_loss(model(x[part]), y[part]).backward()
        optimizer.step()


@pytest.mark.parametrize("start", START)
def test_processes_train_one_model(start):
    wengert.manual_seed(0)
    x = wengert.randn(64, 3)
    y = x @ wengert.tensor([[1.0], [-2.0], [0.5]])
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 1))
    model[0].bias = model[1].register_parameter("tied", model[0].bias) or model[0].bias
    assert model.share_memory() is model
    assert all(type(p) is nn.Parameter and p.is_shared() and p.requires_grad for p in model.parameters())
    before = nn.functional.mse_loss(model(x), y).item()
    mp.spawn(train, (model, x, y), nprocs=2, start_method=start)
    assert nn.functional.mse_loss(model(x), y).item() < before / 100


def push_gradient(shared, local):
    """The way of A3C: gradients of a copy are handed to the shared model's optimizer."""
    (local.weight.sum() * 2).backward()
    for theirs, ours in zip(shared.parameters(), local.parameters(), strict=True):
        theirs._grad = ours.grad
    wengert.optim.SGD([shared.weight], lr=1.0).step()


def test_gradients_of_a_local_copy():
    shared, local = nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False)
    nn.init.zeros_(shared.share_memory().weight)
    run("fork", push_gradient, shared, local)
    assert (shared.weight == -2).all()


def test_storages():
    x = wengert.zeros(3)
    assert not x.storage().is_shared()
    x.untyped_storage().share_memory_()
    assert x.is_shared() and x.untyped_storage().is_shared()


def test_plans_follow():
    """A plan made before its parameters moved reads and writes them where they are."""
    model = nn.Linear(2, 1, bias=False)
    optimizer = wengert.optim.SGD(model.parameters(), lr=0.1)

    @wengert.compile(fullgraph=True)
    def step(x):
        optimizer.zero_grad()
        model(x).sum().backward()
        optimizer.step()

    x = wengert.ones(1, 2)
    for _ in range(4):
        step(x)
    nn.init.zeros_(model.share_memory().weight)
    step(x)
    run("fork", add_one, [model.weight.detach()])
    step(x)
    wengert.testing.assert_close(model.weight.detach(), wengert.full((1, 2), 0.8))
