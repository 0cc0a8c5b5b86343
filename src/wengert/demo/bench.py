"""A few measurements that an installed wheel can take of itself, against NumPy and pure Python."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from wengert.demo import duration

Work = Callable[[], object]


def _median_seconds(works: dict[str, Work], seconds: float) -> dict[str, float]:
    """Time the contestants in turn, so that a disturbance hits all of them, and return their medians."""
    counts = {}
    for name, work in works.items():
        work()
        before = time.perf_counter()
        work()
        once = max(time.perf_counter() - before, 1e-7)
        counts[name] = max(1, round(seconds / 10 / once))
    samples: dict[str, list[float]] = {name: [] for name in works}
    started = time.perf_counter()
    while len(samples[next(iter(works))]) < 3 or time.perf_counter() - started < seconds * len(works):
        for name, work in works.items():
            before = time.perf_counter()
            for _ in range(counts[name]):
                work()
            samples[name].append((time.perf_counter() - before) / counts[name])
    return {name: sorted(times)[len(times) // 2] for name, times in samples.items()}


def _add() -> tuple[str, int, dict[str, Work]]:
    import wengert
    from wengert._pure import Value

    repeat = range(1000)
    a, b = wengert.tensor(1.5, requires_grad=True), wengert.tensor(2.5)
    u, v = Value(1.5), Value(2.5)
    p, q = np.float32(1.5), np.float32(2.5)

    def loop(x, y) -> Work:
        def work() -> None:
            for _ in repeat:
                x + y

        return work

    works = {"wengert": loop(a, b), "numpy": loop(p, q), "pure": loop(u, v)}
    return "a + b of scalars, recorded (NumPy: not recorded)", 1000, works


def _scalar_chain() -> tuple[str, int, dict[str, Work]]:
    import wengert
    from wengert._pure import Value

    def chain(start, zero: float | None) -> Work:
        def work() -> float:
            start.grad = zero
            z = start
            for _ in range(500):
                z = z * 0.5 + start
            z.backward()
            return float(start.grad)

        return work

    works = {"wengert": chain(wengert.tensor(1.5, requires_grad=True), None), "pure": chain(Value(1.5), 0.0)}
    gradients = {name: work() for name, work in works.items()}
    _agree("scalar chain", gradients["wengert"], gradients["pure"])
    return "chain of 1,000 scalar ops, forward and backward, per op", 1000, works


def _small_network() -> tuple[str, int, dict[str, Work]]:
    import wengert
    import wengert.nn.functional as F
    from wengert import nn, optim

    wengert.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 2))
    linears = [model[0], model[2], model[4]]
    weights = [layer.weight.detach().numpy().copy() for layer in linears]
    biases = [layer.bias.detach().numpy().copy() for layer in linears]
    rng = np.random.default_rng(0)
    x, target = (rng.standard_normal((32, n)).astype(np.float32) for n in (4, 2))
    wx, wt = wengert.from_numpy(x), wengert.from_numpy(target)
    optimizer = optim.SGD(model.parameters(), lr=0.01)

    def with_wengert() -> float:
        optimizer.zero_grad()
        loss = F.mse_loss(model(wx), wt)
        loss.backward()
        optimizer.step()
        return loss.item()

    def with_numpy() -> float:
        h1 = np.tanh(x @ weights[0].T + biases[0])
        h2 = np.tanh(h1 @ weights[1].T + biases[1])
        error = h2 @ weights[2].T + biases[2] - target
        delta = error * np.float32(2 / error.size)
        grads = [(delta.T @ h2, delta.sum(0))]
        delta = delta @ weights[2] * (1 - h2 * h2)
        grads.append((delta.T @ h1, delta.sum(0)))
        delta = delta @ weights[1] * (1 - h1 * h1)
        grads.append((delta.T @ x, delta.sum(0)))
        for index, (by_weight, by_bias) in zip((2, 1, 0), grads, strict=True):
            weights[index] -= np.float32(0.01) * by_weight
            biases[index] -= np.float32(0.01) * by_bias
        return float((error * error).mean())

    for _ in range(5):
        _agree("small network", with_wengert(), with_numpy())
    works: dict[str, Work] = {"wengert": with_wengert, "numpy": with_numpy}
    return "network 4-64-64-2, batch 32, tanh, SGD step (NumPy: gradient by hand)", 1, works


def _elementwise() -> tuple[str, int, dict[str, Work]]:
    import wengert

    x = np.linspace(-3, 3, 1_000_000, dtype=np.float32)
    wx = wengert.from_numpy(x).requires_grad_()

    def with_wengert() -> np.ndarray:
        wx.grad = None
        (wx.tanh() * (-wx * wx).exp()).sum().backward()
        return wx.grad.numpy()

    def with_numpy() -> np.ndarray:
        t, e = np.tanh(x), np.exp(-x * x)
        (t * e).sum()
        return (1 - t * t) * e - 2 * x * t * e

    gap = float(np.abs(with_wengert() - with_numpy()).max())
    _agree("elementwise", gap, 0.0)
    return (
        "sum(tanh(x) * exp(-x * x)), 1,000,000 floats, forward and backward",
        1,
        {
            "wengert": with_wengert,
            "numpy": with_numpy,
        },
    )


def _matmul() -> tuple[str, int, dict[str, Work]]:
    import wengert

    rng = np.random.default_rng(0)
    a, b = (rng.standard_normal((256, 256)).astype(np.float32) for _ in range(2))
    wa, wb = wengert.from_numpy(a), wengert.from_numpy(b)
    expected = a @ b
    _agree(
        "matrix product", float(np.abs((wa @ wb).numpy() / expected.std() - expected / expected.std()).max()), 0.0
    )
    return "matrix product 256 x 256 x 256", 1, {"wengert": lambda: wa @ wb, "numpy": lambda: a @ b}


def _agree(what: str, got: float, expected: float) -> None:
    """Raise RuntimeError unless two numbers agree to float32 accuracy: a wrong result is not worth timing."""
    if not abs(got - expected) <= 1e-5 * max(1.0, abs(expected)):
        raise RuntimeError(f"bench: expected {expected!r} in '{what}', got {got!r}. Please report this.")


def run(quick: bool = False) -> int:
    """Print one line a measurement and return 0; the ratios are the times of a contestant over ours.

    Args:
        quick: a fifth of the measuring time.

    Raises:
        RuntimeError: a result differs from its reference.
    """
    seconds = 0.15 if quick else 0.75
    for make in (_add, _scalar_chain, _small_network, _elementwise, _matmul):
        title, units, works = make()
        times = {name: value / units for name, value in _median_seconds(works, seconds).items()}
        ours = times["wengert"]
        del times["wengert"]
        others = "".join(f"   {name} {duration(t)} ({t / ours:.2g}x)" for name, t in times.items())
        print(f"{title}\n    wengert {duration(ours)}{others}", flush=True)
    return 0
