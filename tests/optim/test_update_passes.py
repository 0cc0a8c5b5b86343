"""The compiled passes: the numbers of torch, what they refuse, and what they leave behind."""

import numpy as np
import pytest

import wengert
from wengert import _core

torch = pytest.importorskip("torch")

SHAPES = [(4, 3), (5,), (), (0,), (2, 1, 3)]
LARGE = [(300, 301), (7,)]
ADAM = {"lr": 0.05, "betas": (0.8, 0.95), "eps": 1e-8, "weight_decay": 0.0, "amsgrad": False, "maximize": False}
RMSPROP = {"lr": 0.05, "alpha": 0.9, "eps": 1e-8, "weight_decay": 0.0, "momentum": 0, "centered": False}
CASES = [
    ("SGD", _core.sgd_step, {"lr": 0.1, "momentum": 0, "dampening": 0, "weight_decay": 0.1}),
    ("SGD", _core.sgd_step, {"lr": 0.1, "momentum": 0.9, "dampening": 0.1, "weight_decay": 0.0, "maximize": True}),
    ("SGD", _core.sgd_step, {"lr": 0.1, "momentum": 0.9, "dampening": 0, "weight_decay": 0.1, "nesterov": True}),
    ("Adam", _core.adam_step, ADAM),
    ("Adam", _core.adam_step, {**ADAM, "amsgrad": True, "weight_decay": 0.1, "maximize": True}),
    ("AdamW", _core.adam_step, {**ADAM, "weight_decay": 0.1, "decoupled_weight_decay": True}),
    ("RMSprop", _core.rmsprop_step, RMSPROP),
    ("RMSprop", _core.rmsprop_step, {**RMSPROP, "momentum": 0.9, "centered": True, "weight_decay": 0.1}),
    ("Adagrad", _core.adagrad_step, {"lr": 0.1, "lr_decay": 0.01, "eps": 1e-10, "weight_decay": 0.1}),
]
STATES = {
    "SGD": ["momentum_buffer"],
    "Adam": ["exp_avg", "exp_avg_sq", "max_exp_avg_sq"],
    "AdamW": ["exp_avg", "exp_avg_sq", "max_exp_avg_sq"],
    "RMSprop": ["square_avg", "grad_avg", "momentum_buffer"],
    "Adagrad": ["sum"],
}


def make(name, options, shapes, dtype, seed=0):
    """A group and its state, all of zeros, over NumPy arrays."""
    rng = np.random.default_rng(seed)
    params, state = [], {}
    for shape in shapes:
        p = wengert.from_numpy(np.asarray(rng.standard_normal(shape), dtype=dtype)).requires_grad_()
        p.grad = wengert.from_numpy(np.zeros(shape, dtype))
        params.append(p)
        state[p] = {key: wengert.from_numpy(np.zeros(shape, dtype)) for key in STATES[name]}
        state[p]["step"] = wengert.from_numpy(np.zeros((), np.float32))
    return {"params": params, **options}, state


def values(tensor):
    return tensor.detach().numpy()


@pytest.mark.parametrize("shapes", [SHAPES, LARGE], ids=["small", "large"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("name", "run", "options"), CASES)
def test_numbers_equal_torch(name, run, options, dtype, shapes):
    group, state = make(name, options, shapes, dtype)
    theirs = [torch.tensor(values(p).copy(), requires_grad=True) for p in group["params"]]
    known = {key: value for key, value in options.items() if key != "decoupled_weight_decay"}
    reference = getattr(torch.optim, name)(theirs, **known, foreach=False)
    for step in range(4):
        for p, q in zip(group["params"], theirs, strict=True):
            q.grad = torch.tensor(np.asarray(np.cos(values(p) * 3 + step), dtype=dtype))
            values(p.grad)[...] = q.grad.numpy()
            if name == "SGD" and step == 0:  # the optimizer's first buffer is the gradient itself
                q_state = reference.state[q]
                q_state["momentum_buffer"] = q.grad.clone() if options["momentum"] else None
                values(state[p]["momentum_buffer"])[...] = q.grad.numpy()
        assert run(group, state) is True
        reference.step()
        for p, q in zip(group["params"], theirs, strict=True):
            rtol = 2e-6 if dtype == np.float32 else 1e-14
            np.testing.assert_allclose(values(p), q.detach().numpy(), rtol=rtol, atol=rtol)
    if name != "SGD":
        assert {values(own["step"]).item() for own in state.values()} == {4.0}


def test_parameters_without_gradient_are_skipped():
    group, state = make("Adam", ADAM, [(2,), (3,)], np.float32)
    first, second = group["params"]
    first.grad = None
    del state[first]
    second.grad = wengert.from_numpy(np.ones(3, np.float32))
    before = values(second).copy()
    kept = values(first).copy()
    assert _core.adam_step(group, state)
    assert (values(first) == kept).all() and (values(second) != before).all()
    second.grad = None
    assert _core.adam_step(group, state)
    assert values(state[second]["step"]) == 1


def test_versions_are_raised_and_the_graph_notices():
    group, state = make("Adam", ADAM, [(2,)], np.float32)
    (p,) = group["params"]
    before = [p._version, state[p]["exp_avg"]._version, p.grad._version]
    y = p * p
    p.grad = wengert.from_numpy(np.ones(2, np.float32))
    assert _core.adam_step(group, state)
    assert p._version == before[0] + 1 and state[p]["exp_avg"]._version == before[1] + 1
    assert p.grad._version == before[2]
    with pytest.raises(RuntimeError, match="changed in place"):
        y.sum().backward()


def _refused():
    def other_option(group, state):
        group["lr"] = wengert.from_numpy(np.array(0.1))

    def no_state(group, state):
        state.clear()

    def lacking_state(group, state):
        state[group["params"][1]]["exp_avg_sq"] = None

    def plain_count(group, state):
        state[group["params"][1]]["step"] = 3.0

    def gaps(group, state):
        group["params"][1].grad = wengert.from_numpy(np.ones((3, 4), np.float32).T)

    def two_dtypes(group, state):
        more, state_of_more = make("Adam", ADAM, [(2,)], np.float64)
        group["params"] += more["params"]
        state.update(state_of_more)

    def read_only(group, state):
        array = np.zeros((4, 3), np.float32)
        array.flags.writeable = False
        state[group["params"][1]]["exp_avg"] = wengert.from_numpy(array)

    def differentiable(group, state):
        group["differentiable"] = True

    return [other_option, no_state, lacking_state, plain_count, gaps, two_dtypes, read_only, differentiable]


@pytest.mark.filterwarnings("ignore:.*not writable")
@pytest.mark.parametrize("change", _refused(), ids=lambda change: change.__name__)
def test_what_a_pass_cannot_do_is_left_alone(change):
    group, state = make("Adam", ADAM, [(4, 3), (4, 3)], np.float32)
    change(group, state)
    for p in group["params"]:
        if p.grad.is_contiguous():
            values(p.grad)[...] = 1
    before = [values(p).copy() for p in group["params"]]
    assert _core.adam_step(group, state) is False
    assert all((values(p) == q).all() for p, q in zip(group["params"], before, strict=True))
    for own in state.values():
        assert not isinstance(own["step"], wengert.Tensor) or values(own["step"]) == 0


def test_clear_grads():
    group, _ = make("Adam", ADAM, SHAPES, np.float32)
    _core.clear_grads(group["params"])
    assert all(p.grad is None for p in group["params"])
    _core.clear_grads(group["params"])
    with pytest.raises(TypeError):
        _core.clear_grads([None])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_norm_and_scaling_of_many(dtype):
    rng = np.random.default_rng(1)
    arrays = [np.asarray(rng.standard_normal(shape), dtype) for shape in (*SHAPES, (200, 301))]
    tensors = [wengert.from_numpy(array) for array in arrays]
    expected = np.sqrt(sum((array.astype(np.float64) ** 2).sum() for array in arrays))
    norm = _core.grad_norm(tensors)
    assert norm.shape == () and values(norm).dtype == dtype
    np.testing.assert_allclose(values(norm), expected, rtol=1e-6 if dtype == np.float32 else 1e-14)
    before = [array.copy() for array in arrays]
    assert _core.scale_many(tensors, 0.5)
    assert all((array == 0.5 * old).all() for array, old in zip(arrays, before, strict=True))
    assert tensors[0]._version == 1
    assert _core.grad_norm([]) is None and not _core.scale_many([tensors[-1].transpose(0, 1)], 2.0)
    assert _core.grad_norm([tensors[0], wengert.from_numpy(np.ones(2, np.int64))]) is None
