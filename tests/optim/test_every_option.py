"""Every optimizer with every keyword, step by step beside torch in float64: 50 steps, two groups, a round trip."""

import itertools

import numpy as np
import pytest

import wengert

torch = pytest.importorskip("torch")
STEPS = 50
BOTH = (False, True)
DECAY = (0, 0.1)
# What every option may be; torch's own refusals (fused with foreach) are checked in test_optimizer_base.py.
OPTIONS = {
    "SGD": {"momentum": (0, 0.9), "dampening": (0, 0.3), "weight_decay": DECAY, "nesterov": BOTH, "maximize": BOTH},
    "Adam": {
        "amsgrad": BOTH,
        "weight_decay": DECAY,
        "maximize": BOTH,
        "decoupled_weight_decay": BOTH,
        "betas": ((0.9, 0.999), (0.5, 0.7)),
    },
    "AdamW": {"amsgrad": BOTH, "weight_decay": (0, 0.01, 0.1), "maximize": BOTH, "eps": (1e-8, 1e-2)},
    "Adamax": {"weight_decay": DECAY, "maximize": BOTH, "eps": (1e-8, 1e-2), "betas": ((0.9, 0.999), (0.5, 0.7))},
    "NAdam": {
        "weight_decay": DECAY,
        "decoupled_weight_decay": BOTH,
        "maximize": BOTH,
        "momentum_decay": (4e-3, 0.1),
    },
    "RAdam": {
        "weight_decay": DECAY,
        "decoupled_weight_decay": BOTH,
        "maximize": BOTH,
        "betas": ((0.9, 0.999), (0.5, 0.7)),
    },
    "Adagrad": {
        "lr_decay": (0, 0.1),
        "weight_decay": DECAY,
        "initial_accumulator_value": (0, 0.5),
        "maximize": BOTH,
        "eps": (1e-10, 0.1),
    },
    "Adadelta": {"rho": (0.9, 0.5), "weight_decay": DECAY, "maximize": BOTH, "eps": (1e-6, 1e-2)},
    "RMSprop": {
        "momentum": (0, 0.9),
        "centered": BOTH,
        "weight_decay": DECAY,
        "maximize": BOTH,
        "alpha": (0.99, 0.5),
    },
    "Rprop": {"etas": ((0.5, 1.2), (0.3, 1.5)), "step_sizes": ((1e-6, 50), (1e-3, 0.05)), "maximize": BOTH},
    "ASGD": {"lambd": (1e-4, 0.1), "alpha": (0.75, 0.5), "t0": (1e6, 3), "weight_decay": DECAY, "maximize": BOTH},
    "Adafactor": {
        "beta2_decay": (-0.8, -0.3),
        "eps": ((None, 1e-3), (1e-4, 0.1)),
        "d": (1.0, 3.0),
        "weight_decay": DECAY,
        "maximize": BOTH,
    },
}
# Ways to compute that must change nothing.
WAYS = (
    {},
    {"foreach": True},
    {"foreach": False},
    {"differentiable": False},
    {"capturable": False},
    {"fused": False},
)
LIBS = (wengert, torch)


def refused(name, options):
    return name == "SGD" and options["nesterov"] and (options["momentum"] == 0 or options["dampening"] != 0)


def starts(lib):
    rng = np.random.default_rng(11)
    shapes = [(3, 4), (5,), (), (2, 3, 2)]
    return [lib.from_numpy(np.array(rng.standard_normal(s))).requires_grad_() for s in shapes]


def loss_of(lib, params, step):
    """A curved function with gradients of changing signs."""
    total = 0
    for k, p in enumerate(params):
        total = total + ((p - 0.3 * k) ** 2).sum() * (1 + 0.5 * np.sin(step)) + (2 * p).sin().sum()
    return total


def run(lib, name, options):
    """All parameters after every step; after half of them the state goes into a fresh optimizer."""
    params = starts(lib)
    make = getattr(lib.optim, name)

    def fresh():
        optimizer = make([{"params": params[:2]}], lr=0.02, **options)
        optimizer.add_param_group({"params": params[2:], "lr": 0.05})
        return optimizer

    optimizer, trace = fresh(), []
    for step in range(STEPS):
        optimizer.zero_grad(set_to_none=step % 2 == 0)
        loss_of(lib, params, step).backward()
        if step % 7 == 3:
            params[1].grad = None
        optimizer.step()
        trace.append([p.detach().numpy().copy() for p in params])
        if step == STEPS // 2:
            state = optimizer.state_dict()
            optimizer = fresh()
            optimizer.load_state_dict(state)
    return trace, optimizer.state_dict()


def compare(name, options):
    (ours, our_state), (theirs, their_state) = (run(lib, name, options) for lib in LIBS)
    for step, (a, b) in enumerate(zip(ours, theirs, strict=True)):
        for x, y in zip(a, b, strict=True):
            np.testing.assert_allclose(x, y, rtol=1e-9, atol=1e-11, err_msg=f"{name} {options} step {step}")
    assert [set(g) for g in our_state["param_groups"]] == [set(g) for g in their_state["param_groups"]], name
    for index, entries in their_state["state"].items():
        assert list(our_state["state"][index]) == list(entries), name


@pytest.mark.parametrize("name", OPTIONS)
def test_fifty_steps_with_every_option(name):
    keys = list(OPTIONS[name])
    for values in itertools.product(*OPTIONS[name].values()):
        options = dict(zip(keys, values, strict=True))
        if refused(name, options):
            for lib in LIBS:
                with pytest.raises(ValueError):
                    run(lib, name, options)
        else:
            compare(name, options)


@pytest.mark.parametrize("name", OPTIONS)
def test_ways_to_compute_change_nothing(name):
    allowed = torch.optim.__dict__[name].__init__.__code__.co_varnames
    plain = run(wengert, name, {})[0]
    for way in WAYS:
        if set(way) <= set(allowed):
            for a, b in zip(run(wengert, name, way)[0], plain, strict=True):
                assert all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))
            if (name, way) != ("ASGD", {"foreach": True}):  # torch then keeps eta and mu in float32
                compare(name, way)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"nesterov": False},
        {"adjust_lr_fn": "match_rms_adamw"},
        {"adjust_lr_fn": "original"},
        {"ns_steps": 2, "momentum": 0.5},
    ],
)
@pytest.mark.parametrize("shape", [(4, 6), (6, 4), (5, 5)])
def test_muon_is_torchs_within_bfloat16(shape, options):
    start, *grads = np.random.default_rng(0).standard_normal((11, *shape))
    results = []
    for lib in LIBS:
        w = lib.from_numpy(start.copy()).requires_grad_()
        optimizer = lib.optim.Muon([w], lr=0.1, **options)
        for k in range(10):
            w.grad = lib.from_numpy(grads[k].copy())
            optimizer.step()
        results.append((w.detach().numpy(), optimizer.state_dict()["state"][0]["momentum_buffer"].numpy()))
    np.testing.assert_allclose(results[0][1], results[1][1], rtol=1e-12)
    # Ten steps of length 0.1 along updates of size 1 that are rounded to 8 bits again and again.
    np.testing.assert_allclose(results[0][0], results[1][0], atol=10 * 0.1 * 2**-5)


def test_muon_and_adafactor_refuse_what_torch_refuses():
    for lib in LIBS:
        w, v = lib.zeros(2, 2, requires_grad=True), lib.zeros(2, requires_grad=True)
        for wrong in ({"lr": -1}, {"momentum": -1}, {"weight_decay": -1}, {"adjust_lr_fn": "x"}):
            with pytest.raises(ValueError):
                lib.optim.Muon([w], **wrong)
        with pytest.raises(ValueError):
            lib.optim.Muon([v])
        for wrong in (
            {"lr": -1},
            {"beta2_decay": 1},
            {"eps": (-1, 1)},
            {"eps": (None, -1)},
            {"d": 0.5},
            {"weight_decay": -1},
        ):
            with pytest.raises(ValueError):
                lib.optim.Adafactor([w], **wrong)
        for wrong in ({"lr": 0.0}, {"eps": 0.0}, {"betas": (1.0, 0.9)}):
            with pytest.raises(ValueError):
                lib.optim.SparseAdam([w], **wrong)


@pytest.mark.parametrize("maximize", BOTH)
def test_sparse_adam_follows_torch_on_tables(maximize):
    start = np.random.default_rng(0).standard_normal((6, 3))
    tables, traces = [], []
    for lib in LIBS:
        table = lib.nn.Embedding(6, 3, sparse=True, _weight=lib.from_numpy(start.copy()))
        optimizer = lib.optim.SparseAdam(table.parameters(), lr=0.1, betas=(0.7, 0.9), maximize=maximize)
        trace = []
        for step in range(STEPS):
            index = np.random.default_rng(step).integers(0, 6, 3)
            optimizer.zero_grad()
            (table(lib.from_numpy(index)) ** 2 + table(lib.from_numpy(index[:1]))).sum().backward()
            optimizer.step()
            trace.append(table.weight.detach().numpy().copy())
            if step == STEPS // 2:
                state = optimizer.state_dict()
                optimizer = lib.optim.SparseAdam(table.parameters(), lr=0.5)
                optimizer.load_state_dict(state)
        tables.append(table)
        traces.append(trace)
    np.testing.assert_allclose(traces[0], traces[1], rtol=1e-9, atol=1e-12)
