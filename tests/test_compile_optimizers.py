"""Every optimizer inside a compiled step does what it does in a plain one: bit for bit, one plan for all steps."""

import inspect
import warnings

import pytest

import wengert as w

OPTIMIZERS = {
    name: kind
    for name, kind in vars(w.optim).items()
    if isinstance(kind, type) and issubclass(kind, w.optim.Optimizer) and kind is not w.optim.Optimizer
}
NO_PLAN = {  # what they read or make depends on values that only a run has
    "LBFGS": "reads a value",
    "SparseAdam": "sparse",
}
VARIANTS = {
    "as it is": {},
    "weight_decay": {"weight_decay": 0.1},
    "decoupled": {"weight_decay": 0.1, "decoupled_weight_decay": True},
    "amsgrad": {"amsgrad": True},
    "maximize": {"maximize": True},
    "foreach": {"foreach": True},
    "fused": {"fused": True},
    "capturable": {"capturable": True},
    "momentum": {"momentum": 0.9},
    "nesterov": {"momentum": 0.9, "nesterov": True},
    "centered": {"centered": True, "momentum": 0.5},
    "averaging from step 7": {"t0": 7},
    "rate that decays": {"lr_decay": 0.1},
    "rate in a tensor": {"lr": 0.02},
}
CASES = [
    (name, variant)
    for name, kind in OPTIMIZERS.items()
    for variant, options in VARIANTS.items()
    if name not in NO_PLAN and set(options) <= set(inspect.signature(kind).parameters)
]


def trained(kind, options, compile, scheduled, steps=20, sparse=False):
    """Losses, parameters and state after so many steps; and the step."""
    w.manual_seed(0)
    bias = kind is not w.optim.Muon
    first = w.nn.Embedding(6, 3, sparse=True) if sparse else w.nn.Linear(3, 6, bias=bias)
    model = w.nn.Sequential(first, w.nn.Tanh(), w.nn.Linear(3 if sparse else 6, 2, bias=bias))
    optimizer = kind([first.weight] if sparse else model.parameters(), **options())
    scheduler = w.optim.lr_scheduler.ExponentialLR(optimizer, 0.9) if scheduled else None

    @compile
    def step(x, y):
        def loss():
            optimizer.zero_grad()
            loss = w.nn.functional.mse_loss(model(x), y)
            loss.backward()
            return loss

        return (optimizer.step(loss) if kind is w.optim.LBFGS else (loss(), optimizer.step())[0]).detach()

    out = []
    for _ in range(steps):
        x = w.randint(0, 6, (5,)) if sparse else w.randn(5, 3)
        out.append(step(x, w.randn(5, 2)).item())
        if scheduled:
            scheduler.step()
    state = [
        {name: t.tolist() if w.is_tensor(t) else t for name, t in kept.items()}
        for kept in optimizer.state_dict()["state"].values()
    ]
    rates = [float(group["lr"]) for group in optimizer.param_groups]
    return [out, [p.tolist() for p in model.parameters()], state, rates], step


@pytest.mark.parametrize("scheduled", [False, True], ids=["steady", "scheduled"])
@pytest.mark.parametrize(("name", "variant"), CASES)
def test_a_compiled_step_does_what_a_plain_one_does(name, variant, scheduled):
    kind = OPTIMIZERS[name]

    def options():
        found = dict(VARIANTS[variant])
        return {"lr": w.tensor(0.02)} if "lr" in found else found

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plain, _ = trained(kind, options, lambda fn: fn, scheduled)
        captured, step = trained(kind, options, lambda fn: w.compile(fn, exact=True), scheduled)
    assert repr(plain) == repr(captured)
    # RAdam rectifies from its sixth step on, ASGD averages from step t0 on, Adafactor's rate is bounded by its count.
    assert 1 <= step.plans <= 2 and step.reason is None


@pytest.mark.parametrize("name", NO_PLAN)
def test_the_others_say_why_not(name):
    def run(compile):
        if name == "LBFGS":
            return trained(w.optim.LBFGS, dict, compile, False, steps=4)
        return trained(w.optim.SparseAdam, dict, compile, False, steps=4, sparse=True)

    def plain_step(fn):
        return fn

    if name == "LBFGS":  # its state is no tensors
        with pytest.raises(w.graph.CompileError, match=NO_PLAN[name]):
            run(lambda fn: w.compile(fn, fullgraph=True))
        return
    plain, _ = run(plain_step)
    with pytest.warns(UserWarning, match=NO_PLAN[name]):
        captured, _ = run(lambda fn: w.compile(fn, exact=True))
    assert repr(plain) == repr(captured)


def test_a_rate_that_changes_inside_of_groups_of_two_kinds_of_passes():
    def run(compile):
        w.manual_seed(0)
        a, b = w.nn.Linear(3, 4), w.nn.Linear(4, 2)
        first, second = w.optim.Adam(a.parameters(), 0.1), w.optim.NAdam(b.parameters(), 0.1)

        @compile
        def step(x):
            first.zero_grad()
            second.zero_grad()
            loss = b(a(x).tanh()).square().mean()
            loss.backward()
            first.step()
            second.step()
            return loss.detach()

        out = []
        for k in range(12):
            first.param_groups[0]["lr"] = second.param_groups[0]["lr"] = 0.1 / (k + 1)
            out.append(step(w.randn(5, 3)).item())
        return [out, [p.tolist() for p in (*a.parameters(), *b.parameters())]], step

    plain, _ = run(lambda fn: fn)
    captured, step = run(lambda fn: w.compile(fn, exact=True))
    assert repr(plain) == repr(captured)
    assert step.plans == 1
