"""The smallest network worth training: 4-64-64-2 with tanh, mean squared error and SGD, batches of 32."""

from __future__ import annotations

import numpy as np

from .. import jitted, peers
from ..byhand import dense, leaves
from ..harness import Row, Step
from ..training import training_step

_LR = 0.01
_STEPS = 1000


def _data() -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    weights = dense(rng, 4, 64, 64, 2)
    x, target = (rng.standard_normal((32, n), dtype=np.float32) for n in (4, 2))
    return weights, x, target


def _model(nn):
    return nn.Sequential(nn.Linear(4, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 2))


def _tensors(name: str, compiled: bool = False) -> Step:
    return training_step(name, _model, _data(), lambda m, p: m.optim.SGD(p, lr=_LR), "mse_loss", compiled)


def compiled_step() -> Step:
    """Return the step as wengert.compile makes it, not called yet."""
    return _tensors("wengert", compiled=True)


def _numpy() -> Step:
    (w1, b1, w2, b2, w3, b3), x, target = _data()
    rate = np.float32(_LR)

    def step():
        h1 = np.tanh(x @ w1.T + b1)
        h2 = np.tanh(h1 @ w2.T + b2)
        error = h2 @ w3.T + b3 - target
        d3 = error * np.float32(2 / error.size)
        d2 = (d3 @ w3) * (1 - h2 * h2)
        d1 = (d2 @ w2) * (1 - h1 * h1)
        for weight, bias, delta, below in ((w3, b3, d3, h2), (w2, b2, d2, h1), (w1, b1, d1, x)):
            np.subtract(weight, rate * (delta.T @ below), out=weight)
            np.subtract(bias, rate * delta.sum(0), out=bias)
        return (error * error).mean()

    return step


def _autograd() -> Step:
    anp, autograd = peers.load("autograd.numpy"), peers.load("autograd")
    weights, x, target = _data()

    def loss(parameters):
        w1, b1, w2, b2, w3, b3 = parameters
        h1 = anp.tanh(anp.dot(x, w1.T) + b1)
        h2 = anp.tanh(anp.dot(h1, w2.T) + b2)
        error = anp.dot(h2, w3.T) + b3 - target
        return anp.mean(error * error)

    gradient = autograd.value_and_grad(loss)

    def step():
        value, grads = gradient(weights)
        for weight, grad in zip(weights, grads, strict=True):
            weight -= np.float32(_LR) * grad
        return value

    return step


def _pure() -> Step:
    """The same step on lists of floats, without any recording."""
    import math

    from wengert._pure import dot

    weights, *arrays = _data()
    layers = [(weights[i].tolist(), weights[i + 1].tolist()) for i in (0, 2, 4)]
    x, target = (array.tolist() for array in arrays)

    def step():
        outputs = [x]
        for depth, (rows, bias) in enumerate(layers):
            units = list(zip(rows, bias, strict=True))
            if depth < 2:
                outputs.append([[math.tanh(dot(row, point) + b) for row, b in units] for point in outputs[-1]])
            else:
                outputs.append([[dot(row, point) + b for row, b in units] for point in outputs[-1]])
        errors = [[y - t for y, t in zip(ys, ts, strict=True)] for ys, ts in zip(outputs[-1], target, strict=True)]
        count = len(x) * 2
        delta = [[2 / count * e for e in row] for row in errors]
        for depth in (2, 1, 0):
            rows, bias = layers[depth]
            below = outputs[depth]
            by_unit, by_input = list(zip(*delta, strict=True)), list(zip(*below, strict=True))
            if depth:
                columns = list(zip(*rows, strict=True))
                delta = [
                    [dot(d, column) * (1 - y * y) for column, y in zip(columns, ys, strict=True)]
                    for d, ys in zip(delta, below, strict=True)
                ]
            for row, d in zip(rows, by_unit, strict=True):
                row[:] = [w - _LR * dot(d, xs) for w, xs in zip(row, by_input, strict=True)]
            bias[:] = [b - _LR * sum(d) for b, d in zip(bias, by_unit, strict=True)]
        return sum(e * e for row in errors for e in row) / count

    return step


def _functional(name: str) -> Step:
    """The step without nn and optim: tensor operations on six leaves, updated under no_grad."""
    module = peers.load(name)
    weights, *arrays = _data()
    x, target = (module.from_numpy(array) for array in arrays)
    parameters = leaves(module, weights)
    w1, b1, w2, b2, w3, b3 = parameters

    def step():
        h1 = (x @ w1.t() + b1).tanh()
        h2 = (h1 @ w2.t() + b2).tanh()
        error = h2 @ w3.t() + b3 - target
        loss = (error * error).mean()
        loss.backward()
        with module.no_grad():
            for parameter in parameters:
                parameter -= _LR * parameter.grad
                parameter.grad = None
        return loss

    return step


def _functional_compiled() -> Step:
    """The form in which torch.compile does best: one function of arrays, without nn, optim and backward()."""
    torch, compiled = peers.load("torch"), peers.compiler("torch")
    weights, *arrays = _data()
    x, target = (torch.from_numpy(array) for array in arrays)
    parameters = [torch.from_numpy(array) for array in weights]

    def loss(parameters, x):
        w1, b1, w2, b2, w3, b3 = parameters
        h1 = (x @ w1.t() + b1).tanh()
        h2 = (h1 @ w2.t() + b2).tanh()
        return ((h2 @ w3.t() + b3 - target) ** 2).mean()

    @compiled
    def advance(x):
        grads, value = torch.func.grad_and_value(loss)(parameters, x)
        for p, g in zip(parameters, grads, strict=True):
            p.sub_(_LR * g)
        return value

    return lambda: advance(x)


def _many(step: Step) -> Step:
    """Steps one after another; the last loss is the value."""
    return lambda: [step() for _ in range(_STEPS)][-1]


def _run() -> Step:
    """The plan, a thousand steps at a time. The first thousand are calls, of which the first ones record."""
    step = compiled_step()
    calls, ready = _many(step), False

    def run():
        nonlocal ready
        if ready:
            return step.plan.run(_STEPS)[-1]
        ready = True
        return calls()

    return run


def _plan_alone() -> Step:
    """The plan without what a call compares before; the first calls record."""
    step = compiled_step()
    return lambda: step.plan() if step.plans else step()


def _jax() -> Step:
    return jitted.network(_data(), "tanh", jitted.squared_error, jitted.sgd(_LR))


def _scan() -> Step:
    steps = jitted.network(_data(), "tanh", jitted.squared_error, jitted.sgd(_LR), _STEPS)
    return lambda: steps()[-1]


def _numpy_losses() -> list[float]:
    step = _numpy()
    return [step() for _ in range(5)]


ROWS = [
    Row(
        name="mlp-small",
        title="network 4-64-64-2, batch 32, tanh, squared error, SGD step",
        contestants={
            "wengert": lambda: _tensors("wengert"),
            "wengert plan": compiled_step,
            "wengert bare": lambda: _functional("wengert"),
            "numpy": _numpy,
            "pure": _pure,
            "torch": lambda: _tensors("torch"),
            "torch bare": lambda: _functional("torch"),
            "torch.compile": lambda: _tensors("torch", compiled=True),
            "torch.compile bare": _functional_compiled,
            "jax": _jax,
            "autograd": _autograd,
        },
        reference="numpy",
        check_steps=5,
    ),
    Row(
        name="mlp-small-call",
        title="the same compiled step: what a call costs beside its plan",
        contestants={"wengert": compiled_step, "wengert plan": _plan_alone},
        reference=_numpy_losses,
        check_steps=5,
    ),
    Row(
        name="mlp-small-run",
        title="the same network, 1,000 steps in one call",
        contestants={
            "wengert": _run,
            "numpy": lambda: _many(_numpy()),
            "torch": lambda: _many(_tensors("torch")),
            "jax": _scan,
        },
        reference="numpy",
        units=_STEPS,
        check_steps=2,
    ),
]
