"""Memory: everything comes back, absurd sizes are refused and change nothing, caches can be emptied."""

import gc
import os

import numpy as np
import pytest
from optools import core, tensor, values, wengert


def current():
    return core.memory()["current"]


def test_temporaries_come_back(no_leak):
    x = tensor(np.ones((100, 100)))
    for _ in range(10):
        y = (x * 2 + 1).tanh().sum()
    del x, y


def test_training_keeps_no_bytes():
    w = wengert.full((64, 64), 0.1).requires_grad_()
    data = wengert.full((32, 64), 0.5)
    held = []
    for step in range(20):
        loss = (data @ w).tanh().sum()
        loss.backward()
        with_grad = w.grad
        w.grad = None
        del loss, with_grad
        if step >= 2:
            held.append(current())
    assert len(set(held)) == 1


def test_views_keep_their_storage_and_no_more(no_leak):
    x = wengert.full((1000,), 1.0)
    view = x.select(0, 5)
    held = current()
    del x
    assert current() == held
    assert view.item() == 1.0
    del view
    assert current() < held


def test_exceptions_leave_nothing(no_leak):
    x = wengert.full((50, 60), 1.0).requires_grad_()
    for _ in range(100):
        with pytest.raises(RuntimeError):
            (x * 2) @ x
        with pytest.raises(RuntimeError):
            x + wengert.full((7,), 1.0)
        with pytest.raises(IndexError):
            x.sum(5)
    del x


def test_failing_hook_leaves_nothing(no_leak):
    x = wengert.full((50,), 1.0).requires_grad_()
    for _ in range(20):
        y = x * 2
        core.add_hook(y, lambda g: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            (y * y).sum().backward()
        del y
    x.grad = None
    del x


def test_absurd_sizes():
    """More than any machine has: an error, and the library goes on."""
    x = wengert.full((8,), 1.0)
    held = current()
    with pytest.raises((MemoryError, RuntimeError), match="empty: expected"):
        wengert.empty((1 << 45,))
    with pytest.raises((MemoryError, RuntimeError), match="empty: expected"):
        wengert.empty((1 << 40, 1 << 40))
    with pytest.raises(RuntimeError, match="at least 0"):
        wengert.empty((3, -1))
    huge = x.select(0, 0).expand((1 << 44,))
    with pytest.raises(MemoryError):
        huge * 2
    with pytest.raises(MemoryError):
        huge + huge
    del huge
    gc.collect()
    assert current() == held
    np.testing.assert_array_equal(values(x + 1), np.full(8, 2.0))


def test_backward_without_memory():
    """The gradient does not fit: MemoryError, and the leaf is as it was."""
    x = wengert.full((1,), 1.0).requires_grad_()
    y = x.expand((1 << 44,))
    with pytest.raises(MemoryError):
        core.backward([y], [wengert.full((1,), 1.0).expand((1 << 44,)) * 2], None, False, False)
    assert x.grad is None
    (x * 3).sum().backward()
    assert x.grad.item() == 3.0


# A build with the address sanitizer takes every block from the heap and gives it back at once.
keeps_blocks = pytest.mark.skipif(
    "libasan" in os.environ.get("LD_PRELOAD", ""), reason="a sanitizer keeps no blocks"
)


@keeps_blocks
def test_peak_and_trim():
    core.trim_memory()  # what is left is free space in slabs that other tests' small blocks hold open
    core.reset_peak_memory()
    base, kept = core.memory()["peak"], core.memory()["cached"]
    x = wengert.full((1 << 20,), 1.0)
    assert core.memory()["peak"] >= base + (4 << 20)
    del x
    assert core.memory()["cached"] >= kept + (4 << 20)
    core.trim_memory()
    assert core.memory()["cached"] <= kept + (64 << 10)
    assert wengert.full((10,), 2.0).sum().item() == 20.0


@keeps_blocks
def test_freed_memory_is_used_again():
    x = wengert.full((1 << 20,), 1.0)
    address = x.data_ptr()
    del x
    x = wengert.full((1 << 20,), 1.0)
    assert x.data_ptr() == address


def test_alignment():
    for n in (1, 3, 17, 1000, 100_000):
        assert wengert.full((n,), 1.0).data_ptr() % 64 == 0


def test_foreign_memory_is_kept_alive_and_released():
    import weakref

    class Owned(np.ndarray):
        pass

    array = np.zeros(1000).view(Owned)
    gone = weakref.ref(array)
    t = wengert.from_numpy(array)
    t += 1
    assert array[0] == 1.0
    view = t.select(0, 3)
    del array, t
    gc.collect()
    assert view.item() == 1.0
    del view
    gc.collect()
    assert gone() is None
