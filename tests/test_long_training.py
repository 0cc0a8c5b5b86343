"""Long training: thousands of steps of several models hold the memory they began with, and cycles are collected."""

import gc
import os
import weakref

import pytest

import wengert
from wengert import _core as core
from wengert import nn, optim

STEPS = 10_000
F = nn.functional


def mlp():
    model = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Dropout(0.2), nn.LayerNorm(16), nn.Linear(16, 3))
    x, y = wengert.randn(12, 8), wengert.randint(0, 3, (12,))
    return model, lambda: F.cross_entropy(model(x), y)


def convolution():
    layers = nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(36, 2)
    model = nn.Sequential(*layers)
    x, y = wengert.randn(2, 1, 8, 8), wengert.randn(2, 2)
    return model, lambda: F.mse_loss(model(x), y)


def recurrent():
    model = nn.LSTM(4, 8)
    x = wengert.randn(5, 2, 4)
    return model, lambda: model(x)[0].square().mean()


def attention():
    model = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    x = wengert.randn(2, 5, 8)
    return model, lambda: (model(x) - x).square().mean()


def embedding():
    model = nn.EmbeddingBag(20, 6)
    index = wengert.randint(0, 20, (4, 3))
    return model, lambda: model(index).square().sum()


def resident():
    """Bytes of memory that the process has in use, as the system counts."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.parametrize(
    ("build", "optimizer"),
    [
        (mlp, lambda p: optim.Adam(p, lr=1e-3)),
        (convolution, lambda p: optim.SGD(p, lr=1e-3, momentum=0.9)),
        (recurrent, lambda p: optim.RMSprop(p, lr=1e-3)),
        (attention, lambda p: optim.AdamW(p, lr=1e-3)),
        (embedding, lambda p: optim.Adagrad(p, lr=1e-2)),
    ],
    ids=["mlp", "convolution", "recurrent", "attention", "embedding"],
)
def test_memory_stays_flat(build, optimizer):
    """From the first hundred steps on: the same bytes, nodes and Python objects, and no growth seen by the system."""
    steps = STEPS if build is mlp else STEPS // 5
    wengert.manual_seed(0)
    model, loss_of = build()
    update = optimizer(model.parameters())
    schedule = optim.lr_scheduler.ExponentialLR(update, 0.9999)

    def run(count):
        for _ in range(count):
            update.zero_grad()
            loss = loss_of()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            update.step()
            schedule.step()
        return loss.item()

    def held():
        gc.collect()
        return core.memory()["current"], core.node_stats()["live"], len(gc.get_objects())

    first = run(100)
    gc.collect()
    gc.disable()  # nothing may wait for the collector
    try:
        before, system = held(), resident() if os.path.exists("/proc/self/statm") else None
        last = run(steps)
        bytes_now, nodes_now = core.memory()["current"], core.node_stats()["live"]
        grown = 0 if system is None else resident() - system
        after = held()
    finally:
        gc.enable()
    assert last < first, "the model did not learn"
    # Less is possible: what earlier tests left behind may go meanwhile.
    assert bytes_now <= before[0] and nodes_now <= before[1], "tensors waited for the collector"
    assert after[0] <= before[0] and after[1] <= before[1]
    assert abs(after[2] - before[2]) < 50, "Python objects pile up"
    assert grown < 4 << 20, f"{grown >> 20} MB more after {steps} steps"


def test_cycles_through_hooks_are_collected(no_leak):
    """Hooks that hold the tensor, the module or the optimizer that holds them."""

    def cycle():
        x = wengert.randn(100, requires_grad=True)
        x.register_hook(lambda g: g if x is not None else None)
        y = x * 2
        y.register_hook(lambda g: g * (1 if y is not None else 0))
        y.sum().backward()
        model = nn.Sequential(nn.Linear(10, 10), nn.ReLU())
        model.register_forward_hook(lambda m, i, o: o if model is not None else None)
        model.register_full_backward_hook(lambda m, i, o: None if model is not None else i)
        model.itself = [model]
        update = optim.Adam(model.parameters())
        update.register_step_post_hook(lambda o, a, k: None if update is not None else 0)
        model(x.reshape(10, 10)).sum().backward()
        update.step()
        return weakref.ref(x), weakref.ref(y), weakref.ref(model), weakref.ref(update)

    found = [cycle() for _ in range(5)]
    gc.collect()
    assert not any(part() for parts in found for part in parts)


def test_results_kept_in_a_context_are_collected(no_leak):
    """A Function that keeps its result as an attribute of its context, with and without a backward pass."""

    class Keeps(wengert.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.kept = x * 3
            return ctx.kept

        @staticmethod
        def backward(ctx, g):
            return g * 3

    def cycle(backward):
        x = wengert.randn(50, requires_grad=True)
        y = Keeps.apply(x)
        loss = (y * y).sum()
        if backward:
            loss.backward()
            assert wengert.allclose(x.grad, 18 * x.detach())
        return weakref.ref(x), weakref.ref(y), weakref.ref(loss)

    found = [cycle(backward) for backward in (False, True)]
    gc.collect()
    assert not any(part() for parts in found for part in parts)


def test_freed_memory_goes_back_to_the_system():
    core.trim_memory()
    before = core.memory()
    big = [wengert.ones(1 << 20) for _ in range(16)]
    del big
    assert core.memory()["current"] == before["current"]
    assert core.memory()["cached"] >= before["cached"]
    released = core.trim_memory()
    assert released >= 0
    assert core.memory()["cached"] <= before["cached"]
