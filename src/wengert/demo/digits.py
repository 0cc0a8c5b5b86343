"""Train a digit classifier, then train the same classifier in plain Python and compare the speed."""

from __future__ import annotations

import time

from wengert.demo import duration

_BATCH = 32
_EPOCHS = 25
_LR = 3e-3
_TRAIN_SECONDS = 15.0  # together with the pure-Python part this keeps the whole run under 30 s on any machine
_PURE_SECONDS = 5.0
_PURE_STEPS = 46  # one epoch: the learning rate is constant that long


def _say(text: str = "") -> None:
    print(text, flush=True)


def _standardised(images):
    """Flatten to (n, 64) and bring the pixels (mean 0.3, deviation 0.4) to about mean 0 and deviation 1."""
    return (images.reshape(-1, 64) - 0.3) * 2.5


def run(
    epochs: int = _EPOCHS, seed: int = 0, pure_seconds: float = _PURE_SECONDS, page: str | None = None
) -> dict[str, float]:
    """Run the demonstration and print it line by line.

    Args:
        epochs: passes over the 1,500 training images at most; 15 seconds end the training earlier.
        seed: of the initial weights and the order of the images.
        pure_seconds: how long the pure-Python model may train; it takes at least two steps.
        page: where to save a page that shows the graph of one training step; None for no page.

    Returns:
        ``accuracy`` on the 297 test images (0..1), ``step`` and ``pure_step`` in seconds, ``speedup``, and
        ``difference``, the largest gap between the losses of the two models on the same batches.

    Raises:
        ValueError: ``epochs`` is below 1.
    """
    if epochs < 1:
        raise ValueError(f"demo: expected epochs >= 1, got {epochs}. Pass a positive number.")
    _say("wengert: 1,500 handwritten digits of 8 x 8 pixels, a network 64-64-32-10, Adam, batches of 32")
    import wengert
    import wengert.nn.functional as F
    from wengert import nn, optim
    from wengert.datasets import digits

    images, labels = digits("train")
    test_images, test_labels = digits("test")
    images, test_images = _standardised(images), _standardised(test_images)
    wengert.manual_seed(seed)
    model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    linears = [model[0], model[2], model[4]]
    start_weights = [layer.weight.tolist() for layer in linears]
    start_biases = [layer.bias.tolist() for layer in linears]
    optimizer = optim.Adam(model.parameters(), lr=_LR)
    schedule = optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=epochs)

    def accuracy() -> float:
        with wengert.no_grad():
            guesses = model(test_images).argmax(dim=1)
        return (guesses == test_labels).float().mean().item()

    count = len(images)
    first_batches: list[tuple[list[list[float]], list[int]]] = []
    first_losses: list[float] = []
    step_times: list[float] = []
    started = time.perf_counter()
    for epoch in range(1, epochs + 1):
        order = wengert.randperm(count)
        total = 0.0
        for at in range(0, count - _BATCH + 1, _BATCH):
            chosen = order[at : at + _BATCH]
            x, y = images[chosen], labels[chosen]
            before = time.perf_counter()
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            step_times.append(time.perf_counter() - before)
            value = loss.item()
            total += value
            if len(first_losses) < _PURE_STEPS:
                first_batches.append((x.tolist(), y.tolist()))
                first_losses.append(value)
        schedule.step()
        batches = count // _BATCH
        _say(f"epoch {epoch:2d}   training loss {total / batches:.4f}   test accuracy {100 * accuracy():.1f} %")
        if time.perf_counter() - started > _TRAIN_SECONDS:
            break
    final = accuracy()
    step = sorted(step_times)[len(step_times) // 2]
    _say(f"trained   {len(step_times)} steps in {duration(sum(step_times))}, {duration(step)} a step (median)")
    _say(f"accuracy  {100 * final:.1f} % of the {len(test_labels)} test images")
    _say()
    pure_step, difference = _run_pure(start_weights, start_biases, first_batches, first_losses, pure_seconds)
    speedup = pure_step / step
    _say(f"wengert is {speedup:,.0f} times faster than the same model in pure Python")
    if page is not None:
        optimizer.zero_grad()
        _save_page(page, model, images[:_BATCH], labels[:_BATCH])
    return {
        "accuracy": final,
        "step": step,
        "pure_step": pure_step,
        "speedup": speedup,
        "difference": difference,
    }


def _save_page(path: str, model, x, y) -> None:
    """Record one step of the trained model and save its graph."""
    import wengert

    with wengert.record():
        loss = wengert.nn.functional.cross_entropy(model(x), y)
    loss.backward()
    try:
        wengert.viz.save(loss, path, names={"images": x, "labels": y, "model": model, "loss": loss})
    except OSError as error:
        _say(f"graph     not saved: {error}")
        return
    _say(f"graph     {path} shows a training step of this model, forward and backward: open it in a browser")


def _run_pure(weights, biases, batches, losses, seconds: float) -> tuple[float, float]:
    """Train the pure-Python model on the same batches; return its median step time and the largest loss gap."""
    from wengert._pure import MLP

    _say("the same model, weights and batches in pure Python (lists of floats, gradient by hand) ...")
    model = MLP(weights, biases, lr=_LR)
    times: list[float] = []
    difference = 0.0
    started = time.perf_counter()
    for (x, y), expected in zip(batches, losses, strict=True):
        before = time.perf_counter()
        loss = model.step(x, y)
        after = time.perf_counter()
        times.append(after - before)
        difference = max(difference, abs(loss - expected))
        if len(times) >= 2 and after - started + times[-1] > seconds:
            break
    step = sorted(times)[len(times) // 2]
    _say(f"pure      {len(times)} steps, {duration(step)} a step (median); the losses differ by {difference:.1e}")
    return step, difference
