"""Every schedule gives torch's rates step by step, alone, chained, resumed, and with torch's warnings."""

import copy
import math
import warnings

import pytest

import wengert

torch = pytest.importorskip("torch")


class Inverse:
    """A callable object with attributes, which state_dict saves."""

    def __init__(self):
        self.offset = 1

    def __call__(self, step):
        return 1 / (self.offset + step)


def chained(s, o):
    return s.ChainedScheduler([s.ConstantLR(o, factor=0.5, total_iters=7), s.ExponentialLR(o, gamma=0.97)])


def sequential(s, o):
    return s.SequentialLR(
        o,
        [s.LinearLR(o, start_factor=0.1, total_iters=10), s.CosineAnnealingLR(o, T_max=20), s.StepLR(o, 5)],
        milestones=[10, 40],
    )


def nested(s, o):
    inner = s.ChainedScheduler([s.StepLR(o, 4, 0.9), s.ConstantLR(o, 0.5, 3)])
    return s.SequentialLR(o, [inner, s.ExponentialLR(o, 0.9)], milestones=[15])


SCHEDULES = {
    "step": lambda s, o: s.StepLR(o, step_size=7, gamma=0.5),
    "multistep": lambda s, o: s.MultiStepLR(o, milestones=[5, 5, 20], gamma=0.3),
    "exponential": lambda s, o: s.ExponentialLR(o, gamma=0.93),
    "cosine": lambda s, o: s.CosineAnnealingLR(o, T_max=13, eta_min=0.001),
    "restarts": lambda s, o: s.CosineAnnealingWarmRestarts(o, T_0=5, T_mult=2, eta_min=0.001),
    "restarts_equal": lambda s, o: s.CosineAnnealingWarmRestarts(o, T_0=7),
    "lambda": lambda s, o: s.LambdaLR(o, [lambda e: 0.9**e, lambda e: 1 / (1 + e)]),
    "lambda_object": lambda s, o: s.LambdaLR(o, Inverse()),
    "multiplicative": lambda s, o: s.MultiplicativeLR(o, lambda e: 0.95),
    "onecycle": lambda s, o: s.OneCycleLR(o, max_lr=[0.5, 1.0], total_steps=61),
    "onecycle_linear": lambda s, o: s.OneCycleLR(
        o, max_lr=0.5, epochs=7, steps_per_epoch=9, anneal_strategy="linear"
    ),
    "onecycle_three": lambda s, o: s.OneCycleLR(o, max_lr=0.5, total_steps=70, three_phase=True, pct_start=0.2),
    "cyclic": lambda s, o: s.CyclicLR(o, base_lr=0.01, max_lr=0.1, step_size_up=7, step_size_down=4),
    "cyclic2": lambda s, o: s.CyclicLR(o, base_lr=0.01, max_lr=[0.1, 0.2], step_size_up=5, mode="triangular2"),
    "cyclic_exp": lambda s, o: s.CyclicLR(
        o, base_lr=0.01, max_lr=0.1, step_size_up=5, mode="exp_range", gamma=0.98
    ),
    "cyclic_fn": lambda s, o: s.CyclicLR(o, 0.01, 0.1, 5, scale_fn=Inverse(), scale_mode="iterations"),
    "linear": lambda s, o: s.LinearLR(o, start_factor=0.2, end_factor=0.7, total_iters=20),
    "constant": lambda s, o: s.ConstantLR(o, factor=0.25, total_iters=9),
    "polynomial": lambda s, o: s.PolynomialLR(o, total_iters=40, power=2.0),
    "chained": chained,
    "sequential": sequential,
    "nested": nested,
}


def make(lib, name, kind="SGD"):
    groups = [
        {"params": [lib.zeros(1, requires_grad=True)]},
        {"params": [lib.zeros(1, requires_grad=True)], "lr": 0.3},
    ]
    options = {"momentum": 0.9} if kind == "SGD" else {}
    optimizer = getattr(lib.optim, kind)(groups, lr=0.1, **options)
    return optimizer, SCHEDULES[name](lib.optim.lr_scheduler, optimizer)


def record(optimizer, schedule):
    groups = optimizer.param_groups
    momentum = [g["momentum"] if "momentum" in g else g["betas"][0] for g in groups]
    return [g["lr"] for g in groups] + list(schedule.get_last_lr()) + momentum


def run(optimizer, schedule, steps):
    rates = [record(optimizer, schedule)]
    for _ in range(steps):
        optimizer.step()
        schedule.step()
        rates.append(record(optimizer, schedule))
    return rates


@pytest.mark.filterwarnings("ignore:The epoch parameter", "ignore:scheduler.step", "ignore:Detected call")
@pytest.mark.parametrize("kind", ["SGD", "Adam"])
@pytest.mark.parametrize("name", SCHEDULES)
def test_rates_equal_torch(name, kind):
    assert run(*make(wengert, name, kind), 60) == run(*make(torch, name, kind), 60)


@pytest.mark.filterwarnings("ignore:The epoch parameter", "ignore:Detected call")
@pytest.mark.parametrize("name", SCHEDULES)
def test_resuming_changes_nothing(name):
    optimizer, schedule = make(wengert, name)
    run(optimizer, schedule, 17)
    other_optimizer, other = make(wengert, name)
    other_optimizer.step()
    other.load_state_dict(copy.deepcopy(schedule.state_dict()))
    other_optimizer.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    assert run(other_optimizer, other, 40) == run(optimizer, schedule, 40)


@pytest.mark.parametrize("name", [name for name in SCHEDULES if name not in ("chained", "sequential", "nested")])
def test_state_dict_has_torch_entries(name):
    ours, theirs = (make(lib, name)[1].state_dict() for lib in (wengert, torch))
    shared = set(ours) & set(theirs)
    assert {"base_lrs", "last_epoch", "_step_count", "_last_lr"} <= shared
    for key in shared:
        if key not in ("lr_lambdas",):
            assert ours[key] == theirs[key], key


@pytest.mark.filterwarnings("ignore:The epoch parameter", "ignore:scheduler.step")
@pytest.mark.parametrize("name", [n for n in SCHEDULES if n not in ("chained", "sequential", "nested")])
def test_going_to_an_epoch_equals_torch(name):
    rates = []
    for lib in (wengert, torch):
        optimizer, schedule = make(lib, name)
        optimizer.step()
        rates.append([])
        for epoch in (3, 11, 30):
            schedule.step(epoch)
            rates[-1].append(record(optimizer, schedule))
    assert rates[0] == rates[1]


@pytest.mark.filterwarnings("ignore:The epoch parameter", "ignore:scheduler.step")
def test_fractional_epochs_of_restarts():
    ours, theirs = make(wengert, "restarts"), make(torch, "restarts")
    for epoch in (0.5, 4.75, 5, 14.9, 15, 33.3):
        ours[1].step(epoch)
        theirs[1].step(epoch)
        assert ours[1].get_last_lr() == theirs[1].get_last_lr()


@pytest.mark.parametrize("options", [
    {"patience": 2},
    {"patience": 1, "mode": "max", "cooldown": 3, "threshold_mode": "abs", "threshold": 0.05},
    {"patience": 0, "factor": 0.5, "min_lr": [0.02, 0.01], "mode": "min", "threshold_mode": "abs"},
    {"patience": 1, "mode": "max", "eps": 0.01},
])  # fmt: skip
def test_plateau_equals_torch(options):
    rates = []
    for lib in (wengert, torch):
        optimizer, _ = make(lib, "constant")
        schedule = lib.optim.lr_scheduler.ReduceLROnPlateau(optimizer, **options)
        rates.append([])
        for i in range(60):
            schedule.step(math.sin(i / 5) + 1 / (i + 1))
            rates[-1].append([schedule.get_last_lr(), schedule.num_bad_epochs, schedule.best])
            if i == 30:
                fresh = lib.optim.lr_scheduler.ReduceLROnPlateau(optimizer, **options)
                fresh.load_state_dict(copy.deepcopy(schedule.state_dict()))
                schedule = fresh
    assert rates[0] == rates[1]


def test_resuming_by_last_epoch_equals_torch():
    rates = []
    for lib in (wengert, torch):
        p = lib.zeros(1, requires_grad=True)
        optimizer = lib.optim.SGD([{"params": [p], "initial_lr": 0.1}], lr=0.05)
        schedule = lib.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=10, last_epoch=4)
        rates.append([schedule.get_last_lr()])
        for _ in range(20):
            optimizer.step()
            schedule.step()
            rates[-1].append(schedule.get_last_lr())
    assert rates[0] == rates[1]
    with pytest.raises(KeyError, match="initial_lr"):
        bare = wengert.optim.SGD([wengert.zeros(1, requires_grad=True)], lr=0.1)
        wengert.optim.lr_scheduler.StepLR(bare, 3, last_epoch=2)


def test_wrong_order_warns():
    _, schedule = make(wengert, "step")
    with pytest.warns(UserWarning, match=r"`lr_scheduler.step\(\)` before `optimizer.step\(\)`"):
        schedule.step()
    optimizer, schedule = make(wengert, "step")
    optimizer.step = lambda: None
    with pytest.warns(UserWarning, match="overridden after"):
        schedule.step()
    optimizer, schedule = make(wengert, "step")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        optimizer.step()
        schedule.step()
    with pytest.warns(UserWarning, match="get_last_lr"):
        schedule.get_lr()
    with pytest.warns(UserWarning, match="epoch"):
        schedule.step(3)


def test_a_schedule_does_not_keep_its_optimizer_alive():
    import gc
    import weakref

    optimizer, schedule = make(wengert, "step")
    alive = weakref.ref(optimizer)
    gc.disable()
    try:
        del optimizer, schedule
        assert alive() is None
    finally:
        gc.enable()


def test_optimizers_with_schedules_can_be_copied_and_pickled():
    import pickle

    optimizer, schedule = make(wengert, "step")
    optimizer.step()
    for other in (copy.deepcopy(optimizer), pickle.loads(pickle.dumps(optimizer))):
        other.step()
        assert other.param_groups[1]["lr"] == 0.3


def test_tensor_rates_are_filled_in_place():
    lr = wengert.tensor(0.5, dtype=wengert.float64)
    optimizer = wengert.optim.SGD([wengert.zeros(1, requires_grad=True)], lr=lr)
    schedule = wengert.optim.lr_scheduler.StepLR(optimizer, 1, gamma=0.5)
    optimizer.step()
    schedule.step()
    assert optimizer.param_groups[0]["lr"] is lr and lr.item() == 0.25


@pytest.mark.parametrize("build", [
    lambda s, o: s.LambdaLR(o, [lambda e: 1]),
    lambda s, o: s.ConstantLR(o, factor=2.0),
    lambda s, o: s.LinearLR(o, start_factor=0),
    lambda s, o: s.LinearLR(o, end_factor=2),
    lambda s, o: s.OneCycleLR(o, max_lr=0.1),
    lambda s, o: s.OneCycleLR(o, max_lr=0.1, total_steps=-1),
    lambda s, o: s.OneCycleLR(o, max_lr=0.1, total_steps=5, pct_start=2.0),
    lambda s, o: s.OneCycleLR(o, max_lr=0.1, total_steps=5, anneal_strategy="no"),
    lambda s, o: s.OneCycleLR(o, max_lr=[0.1], total_steps=5),
    lambda s, o: s.CyclicLR(o, 0.1, 0.2, mode="no"),
    lambda s, o: s.CosineAnnealingWarmRestarts(o, T_0=0),
    lambda s, o: s.CosineAnnealingWarmRestarts(o, T_0=1, T_mult=0),
    lambda s, o: s.ReduceLROnPlateau(o, factor=1.0),
    lambda s, o: s.ReduceLROnPlateau(o, mode="no"),
    lambda s, o: s.ReduceLROnPlateau(o, min_lr=[0.1]),
    lambda s, o: s.SequentialLR(o, [], []),
    lambda s, o: s.SequentialLR(o, [s.StepLR(o, 1)], [3]),
    lambda s, o: s.ChainedScheduler([]),
    lambda s, o: s.ChainedScheduler([s.ReduceLROnPlateau(o)]),
])  # fmt: skip
def test_wrong_arguments_raise(build):
    optimizer, _ = make(wengert, "step")
    with pytest.raises(ValueError):
        build(wengert.optim.lr_scheduler, optimizer)


def test_wrong_kinds_raise():
    with pytest.raises(TypeError, match="expected an Optimizer"):
        wengert.optim.lr_scheduler.StepLR(3, 1)
    optimizer, _ = make(wengert, "step")
    with pytest.raises(TypeError, match="as a function"):
        wengert.optim.lr_scheduler.MultiplicativeLR(optimizer, 3)


@pytest.mark.parametrize("strategy", ["cos", "linear"])
@pytest.mark.parametrize("epochs", [0, 5])
def test_swalr_equals_torch(strategy, epochs):
    rates = []
    for lib in (wengert, torch):
        optimizer, _ = make(lib, "step")
        schedule = lib.optim.swa_utils.SWALR(optimizer, 0.02, anneal_epochs=epochs, anneal_strategy=strategy)
        rates.append(run(optimizer, schedule, 10))
    assert rates[0] == rates[1]


@pytest.mark.parametrize("rule", [{}, {"avg": "ema"}, {"multi": "ema"}, {"use_buffers": True}])
def test_averaged_model_equals_torch(rule):
    ends = []
    for lib in (wengert, torch):
        swa = lib.optim.swa_utils
        options = dict(rule)
        if options.pop("avg", None):
            options["avg_fn"] = swa.get_ema_avg_fn(0.9)
        if options.pop("multi", None):
            options["multi_avg_fn"] = swa.get_ema_multi_avg_fn(0.9)
        model = lib.nn.Sequential(lib.nn.Linear(2, 3), lib.nn.BatchNorm1d(3)).double()
        mean = swa.AveragedModel(model, **options)
        with lib.no_grad():
            for step in range(4):
                for i, p in enumerate(model.parameters()):
                    p.fill_(0.1 * step * step + i)
                mean.update_parameters(model)
        data = [lib.arange(8, dtype=lib.float64).reshape(4, 2), lib.ones(3, 2, dtype=lib.float64)]
        swa.update_bn(data, mean)
        ends.append([p.reshape(-1).tolist() for p in mean.parameters()] + [mean.n_averaged.item()])
        ends[-1] += [b.reshape(-1).tolist() for b in mean.module.buffers()]
    assert len(ends[0]) == len(ends[1])
    for ours, theirs in zip(*ends, strict=True):
        assert ours == pytest.approx(theirs, rel=1e-12)
