"""scheduler.step() inside a compiled step: what it counts and sets is followed."""

import math

import pytest
from compile_tools import run

import wengert as w

S = w.optim.lr_scheduler
SCHEDULERS = {
    "StepLR": lambda o: S.StepLR(o, 4),
    "MultiStepLR": lambda o: S.MultiStepLR(o, [5, 9]),
    "ExponentialLR": lambda o: S.ExponentialLR(o, 0.9),
    "LinearLR": S.LinearLR,
    "ConstantLR": S.ConstantLR,
    "PolynomialLR": lambda o: S.PolynomialLR(o, 20),
    "CosineAnnealingLR": lambda o: S.CosineAnnealingLR(o, 12),
    "CosineAnnealingWarmRestarts": lambda o: S.CosineAnnealingWarmRestarts(o, 5),
    "LambdaLR": lambda o: S.LambdaLR(o, lambda k: min(1.0, (k + 1) / 5)),
    "MultiplicativeLR": lambda o: S.MultiplicativeLR(o, lambda k: 0.95),
    "OneCycleLR": lambda o: S.OneCycleLR(o, 0.3, total_steps=40, cycle_momentum=False),
    "CyclicLR": lambda o: S.CyclicLR(o, 0.1, 0.3, 4, cycle_momentum=False),
    "SequentialLR": lambda o: S.SequentialLR(o, [S.LinearLR(o), S.ExponentialLR(o, 0.9)], [6]),
    "ChainedScheduler": lambda o: S.ChainedScheduler([S.LinearLR(o), S.ExponentialLR(o, 0.9)], o),
    "SWALR": lambda o: w.optim.swa_utils.SWALR(o, 0.05),
}
OPTIMIZERS = {
    "SGD": lambda p: w.optim.SGD(p, lr=0.1, momentum=0.9),
    "Adam": lambda p: w.optim.Adam(p, lr=0.1),
    "NAdam": lambda p: w.optim.NAdam(p, lr=0.1),
}


def trained(compile, make, schedule, before=False):
    """What 30 steps give and leave behind."""
    w.manual_seed(0)
    model = w.nn.Linear(3, 2)
    optimizer = make(model.parameters())
    scheduler = schedule(optimizer)

    @compile
    def step(x, y):
        optimizer.zero_grad()
        loss = w.nn.functional.mse_loss(model(x), y)
        loss.backward()
        if before:
            scheduler.step()
        optimizer.step()
        if not before:
            scheduler.step()
        return loss.detach(), scheduler.get_last_lr()

    out = []
    for _ in range(30):
        loss, rates = step(w.randn(5, 3), w.randn(5, 2))
        out += [loss.item(), rates, scheduler.get_last_lr(), optimizer.param_groups[0]["lr"]]
    state = {k: v for k, v in scheduler.state_dict().items() if k not in ("_schedulers", "lr_lambdas")}
    return [*out, *[p.tolist() for p in model.parameters()], repr(state)]


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_a_scheduler_that_steps_inside(scheduler, optimizer):
    def each(compile):
        return trained(compile, OPTIMIZERS[optimizer], SCHEDULERS[scheduler])

    plain, compiled, (fast,) = run(each)
    assert repr(plain) == repr(compiled)
    assert 1 <= fast.plans <= 2 and fast.reason is None, fast.reason


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_rate_that_changes_before_the_step(optimizer):
    def each(compile):
        return trained(compile, OPTIMIZERS[optimizer], SCHEDULERS["ExponentialLR"], before=True)

    plain, compiled, (fast,) = run(each)
    assert repr(plain) == repr(compiled)
    if optimizer == "NAdam":  # whose rule is written in operations, and takes the new rate
        assert fast.plans == 1
    else:
        assert "before its step" in fast.reason


def test_the_cosine_of_a_user_has_a_plan_for_each_step_and_then_none():
    def each(compile):
        return trained(compile, OPTIMIZERS["SGD"], lambda o: S.LambdaLR(o, lambda k: (1 + math.cos(k / 9)) / 2))

    plain, compiled, _ = run(each)
    assert repr(plain) == repr(compiled)


def test_momentum_in_a_tuple_is_not_followed():
    def each(compile):
        return trained(compile, OPTIMIZERS["Adam"], lambda o: S.OneCycleLR(o, 0.3, total_steps=40))

    plain, compiled, (fast,) = run(each)
    assert repr(plain) == repr(compiled)
    assert "the call changes" in fast.reason


def test_rates_that_were_asked_for_stay():
    optimizer = w.optim.SGD([w.ones(1, requires_grad=True)], lr=1.0)
    scheduler = S.ExponentialLR(optimizer, 0.5)
    kept, saved = scheduler.get_last_lr(), scheduler.state_dict()
    optimizer.step()
    scheduler.step()
    assert (kept, saved["_last_lr"], scheduler.get_last_lr()) == ([1.0], [1.0], [0.5])
