"""Schedules over several groups beside torch: rates, cycled momentum, state names, warnings and kinds of errors."""

import math
import warnings

import pytest

import wengert

torch = pytest.importorskip("torch")

SCHEDULES = """
S.OneCycleLR(o, max_lr=[1.0, 2.0], total_steps=14)
S.OneCycleLR(o, max_lr=1.0, epochs=2, steps_per_epoch=7, anneal_strategy="linear", three_phase=True, pct_start=0.25)
S.OneCycleLR(o, max_lr=1.0, total_steps=10)
S.OneCycleLR(o, max_lr=1.0, total_steps=20, cycle_momentum=False, div_factor=5, final_div_factor=10)
S.CyclicLR(o, 0.01, 0.2, step_size_up=3, step_size_down=2, mode="triangular2")
S.CyclicLR(o, 0.01, [0.2, 0.3], step_size_up=3, mode="exp_range", gamma=0.9)
S.CyclicLR(o, 0.01, 0.2, step_size_up=3, scale_fn=lambda x: 0.5**x, scale_mode="iterations")
S.SequentialLR(o, [S.ConstantLR(o, 0.1, 2), S.ExponentialLR(o, 0.9), S.StepLR(o, 2, 0.5)], [3, 8])
S.SequentialLR(o, [S.ConstantLR(o)], [3])
S.ChainedScheduler([S.ConstantLR(o, 0.1, 4), S.ExponentialLR(o, 0.9)], o)
S.ChainedScheduler([S.LinearLR(o, 0.1, 1.0, 4), S.CosineAnnealingLR(o, 10)])
S.ChainedScheduler([])
S.CosineAnnealingWarmRestarts(o, 3, 2, eta_min=0.01)
S.LambdaLR(o, [lambda e: 0.9**e, lambda e: 1 / (1 + e)])
S.LambdaLR(o, [lambda e: 1])
S.MultiplicativeLR(o, lambda e: 0.9)
S.StepLR(o, 3, 0.5, last_epoch=3)
S.LinearLR(o, start_factor=2.0)
S.ConstantLR(o, factor=2.0)
lib.optim.swa_utils.SWALR(o, swa_lr=[0.01, 0.02], anneal_epochs=5)
lib.optim.swa_utils.SWALR(o, swa_lr=0.5, anneal_epochs=4, anneal_strategy="linear")
lib.optim.swa_utils.SWALR(o, swa_lr=0.5, anneal_strategy="x")
"""
AT_EPOCHS = """
S.StepLR(o, 3, 0.5)
S.MultiStepLR(o, [2, 2, 5], 0.5)
S.ExponentialLR(o, 0.9)
S.CosineAnnealingLR(o, 5)
S.LinearLR(o, 0.2, 0.9, 5)
S.ConstantLR(o, 0.3, 4)
S.PolynomialLR(o, 6, 2.0)
S.CosineAnnealingWarmRestarts(o, 3, 2)
"""
PLATEAUS = [
    f"S.ReduceLROnPlateau(o, {mode!r}, 0.5, 1, 0.1, {kind!r}, 1, [0.01, 0.02])"
    for mode in ("min", "max")
    for kind in ("rel", "abs")
]
PLATEAUS += ["S.ReduceLROnPlateau(o, factor=1.0)", "S.ReduceLROnPlateau(o, min_lr=[1, 2, 3])"]
CASES = [(text, None) for text in SCHEDULES.strip().splitlines()]
CASES += [(text, lambda k: k * 3 % 11) for text in AT_EPOCHS.strip().splitlines()]
CASES += [("S.CosineAnnealingWarmRestarts(o, 3, 2)", lambda k: k * 0.7)]
CASES += [("S.CosineAnnealingWarmRestarts(o, 3, 1)", lambda k: -1.0)]
CASES += [(text, lambda k: math.sin(k) + 1.5) for text in PLATEAUS]


def trace(lib, kind, text, argument):
    weights = [lib.zeros(2, requires_grad=True) for _ in range(2)]
    groups = [{"params": [weights[0]]}, {"params": [weights[1]], "lr": 0.3}]
    options = {"momentum": 0.8} if kind == "SGD" else {}
    optimizer = getattr(lib.optim, kind)(groups, lr=0.1, **options)
    names, found = {"lib": lib, "S": lib.optim.lr_scheduler, "o": optimizer}, []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            schedule = eval(text, names)
            for k in range(14):
                optimizer.step()
                schedule.step(*(() if argument is None else (argument(k),)))
                for group in optimizer.param_groups:
                    found += [group["lr"], group["momentum"] if kind == "SGD" else group["betas"][0]]
                found += schedule.get_last_lr()
            rest = sorted(schedule.state_dict())
        except Exception as error:
            rest = type(error).__name__
    return found, (rest, [w.category.__name__ for w in caught])


@pytest.mark.parametrize("kind", ["SGD", "Adam"])
@pytest.mark.parametrize(("text", "argument"), CASES)
def test_as_torch(kind, text, argument):
    ours, theirs = (trace(lib, kind, text, argument) for lib in (wengert, torch))
    assert ours[0] == pytest.approx(theirs[0], rel=1e-12, abs=1e-15)
    assert ours[1] == theirs[1]


def rosenbrock(lib, options):
    w = lib.tensor([-1.2, 1.0, 0.5, -0.3], dtype=lib.float64, requires_grad=True)
    optimizer, seen = lib.optim.LBFGS([w], **options), []

    def closure():
        optimizer.zero_grad()
        loss = (100 * (w[1:] - w[:-1] ** 2) ** 2 + (1 - w[:-1]) ** 2).sum()
        loss.backward()
        return loss

    for _ in range(8):
        seen += [optimizer.step(closure).item(), *w.tolist()]
    state = optimizer.state_dict()["state"][0]
    return [*seen, state["n_iter"], state["func_evals"]]


@pytest.mark.parametrize(
    "options",
    [
        {"lr": 1e-3, "max_iter": 1},
        {"lr": 0.01, "history_size": 2},
        {"line_search_fn": "strong_wolfe"},
        {"line_search_fn": "strong_wolfe", "history_size": 1, "max_iter": 5},
        {"line_search_fn": "strong_wolfe", "tolerance_change": 1e-2},
        {"line_search_fn": "strong_wolfe", "max_eval": 3},
        {"tolerance_grad": 1e2},
    ],
)
def test_lbfgs_stops_where_torch_does(options):
    ours, theirs = (rosenbrock(lib, options) for lib in (wengert, torch))
    assert ours == pytest.approx(theirs, rel=1e-9, abs=1e-12, nan_ok=True)
