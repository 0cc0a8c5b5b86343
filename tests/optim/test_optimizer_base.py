"""The Optimizer base class: groups, hooks, saved state, printing, and optimizers that users write."""

import copy
import pickle
import warnings

import pytest

import wengert
from wengert.optim.optimizer import register_optimizer_step_post_hook


def leaf(*values):
    return wengert.tensor(values, requires_grad=True)


def test_repr_reads_like_torch():
    torch = pytest.importorskip("torch")
    ours = wengert.optim.SGD([{"params": [leaf(1.0)]}, {"params": [leaf(2.0)], "lr": 0.5}], lr=0.1)
    theirs = torch.optim.SGD([{"params": [torch.ones(1)]}, {"params": [torch.ones(1)], "lr": 0.5}], lr=0.1)
    assert repr(ours) == repr(theirs)


def test_wrong_parameters_are_named():
    with pytest.raises(TypeError, match="iterable of tensors or dicts"):
        wengert.optim.SGD(leaf(1.0), lr=0.1)
    with pytest.raises(ValueError, match="empty parameter list"):
        wengert.optim.SGD([], lr=0.1)
    with pytest.raises(TypeError, match="expected Tensors as parameters"):
        wengert.optim.SGD([3.0], lr=0.1)
    with pytest.raises(TypeError, match="got a set"):
        wengert.optim.SGD([{"params": {leaf(1.0)}}], lr=0.1)
    with pytest.raises(ValueError, match="non-leaf"):
        wengert.optim.SGD([leaf(1.0) * 2], lr=0.1)
    p = leaf(1.0)
    with pytest.raises(ValueError, match="more than one parameter group"):
        wengert.optim.SGD([{"params": [p]}, {"params": [p]}], lr=0.1)
    with pytest.warns(UserWarning, match="duplicate parameters"):
        wengert.optim.SGD([p, p], lr=0.1)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("SGD", {"lr": -1.0}),
        ("SGD", {"lr": 0.1, "momentum": -1}),
        ("SGD", {"lr": 0.1, "nesterov": True}),
        ("Adam", {"betas": (1.0, 0.9)}),
        ("Adam", {"betas": (0.9, wengert.tensor(0.9))}),
        ("Adam", {"eps": -1.0}),
        ("AdamW", {"lr": wengert.ones(2)}),
        ("Adamax", {"weight_decay": -1}),
        ("NAdam", {"momentum_decay": -1}),
        ("RAdam", {"lr": float("nan")}),
        ("Adagrad", {"lr_decay": -1}),
        ("Adadelta", {"rho": 1.5}),
        ("RMSprop", {"alpha": -1}),
        ("Rprop", {"etas": (0.5, 0.9)}),
        ("ASGD", {"weight_decay": -1}),
        ("LBFGS", {"lr": -1}),
    ],
)
def test_options_out_of_range_raise(name, options):
    with pytest.raises(ValueError):
        getattr(wengert.optim, name)([leaf(1.0)], **options)


def test_fused_excludes_foreach_and_differentiable():
    for other in ("foreach", "differentiable"):
        with pytest.raises(RuntimeError, match="fused"):
            wengert.optim.Adam([leaf(1.0)], fused=True, **{other: True})


def test_named_parameters_are_kept():
    optimizer = wengert.optim.SGD([("w", leaf(1.0)), ("b", leaf(2.0))], lr=0.1)
    assert optimizer.param_groups[0]["param_names"] == ["w", "b"]
    assert optimizer.state_dict()["param_groups"][0]["param_names"] == ["w", "b"]
    with pytest.raises(ValueError, match="with/without names"):
        optimizer.add_param_group({"params": [leaf(3.0)]})


def test_zero_grad():
    p = leaf(1.0)
    optimizer = wengert.optim.SGD([p], lr=0.1)
    p.grad = wengert.ones(1)
    kept = p.grad
    optimizer.zero_grad(set_to_none=False)
    assert p.grad is kept and kept.item() == 0.0
    optimizer.zero_grad()
    assert p.grad is None


def test_closure_runs_with_gradients_and_its_loss_is_returned():
    p = leaf(1.0)
    optimizer = wengert.optim.Adam([p], lr=0.1)

    def closure():
        optimizer.zero_grad()
        loss = (p * p).sum()
        loss.backward()
        return loss

    with wengert.no_grad():
        assert optimizer.step(closure).item() == 1.0
    assert p.item() < 1.0


class Halver(wengert.optim.Optimizer):
    """A custom optimizer written against the base class."""

    def __init__(self, params, factor=0.5):
        super().__init__(params, {"factor": factor})

    @wengert.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for p in group["params"]:
                state = self.state[p]
                state["step"] = state.get("step", 0) + 1
                state.setdefault("total", wengert.zeros_like(p)).add_(p)
                p.mul_(group["factor"])


class LoudHalver(Halver):
    def step(self, closure=None):
        return super().step(closure)


def test_custom_optimizers_work():
    p = leaf(4.0)
    optimizer = LoudHalver([p])
    optimizer.step()
    optimizer.step()
    assert p.item() == 1.0
    saved = copy.deepcopy(optimizer.state_dict())
    assert saved["state"][0]["step"] == 2 and saved["state"][0]["total"].item() == 6.0
    other = Halver([leaf(1.0)])
    other.load_state_dict(saved)
    assert other.state[other.param_groups[0]["params"][0]]["step"] == 2
    again = pickle.loads(pickle.dumps(optimizer))
    again.step()
    assert again.param_groups[0]["params"][0].item() == 0.5


def test_step_hooks_run_once_around_the_step():
    p = leaf(4.0)
    optimizer = LoudHalver([p])
    seen = []
    first = optimizer.register_step_pre_hook(lambda o, args, kwargs: seen.append(("pre", p.item())))
    optimizer.register_step_post_hook(lambda o, args, kwargs: seen.append(("post", p.item())))
    with register_optimizer_step_post_hook(lambda o, args, kwargs: seen.append(("all", o is optimizer))):
        optimizer.step()
    assert seen == [("pre", 4.0), ("post", 2.0), ("all", True)]
    first.remove()
    first.remove()
    optimizer.step()
    assert seen[3:] == [("post", 1.0)]
    optimizer.register_step_pre_hook(lambda o, args, kwargs: 3)
    with pytest.raises(RuntimeError, match="pair"):
        optimizer.step()


def test_state_dict_hooks():
    p = leaf(4.0)
    optimizer = Halver([p])
    optimizer.step()
    order = []
    optimizer.register_state_dict_pre_hook(lambda o: order.append("pre"))
    optimizer.register_state_dict_post_hook(lambda o, d: {**d, "extra": 1})
    optimizer.register_load_state_dict_pre_hook(lambda o, d: {k: v for k, v in d.items() if k != "extra"})
    optimizer.register_load_state_dict_post_hook(lambda o: order.append("loaded"))
    saved = optimizer.state_dict()
    assert saved["extra"] == 1
    optimizer.load_state_dict(saved)
    assert order == ["pre", "loaded"]


def test_loading_checks_the_groups_and_converts_dtypes():
    p = wengert.ones(2, requires_grad=True)
    optimizer = wengert.optim.Adam([p])
    p.grad = wengert.ones(2)
    optimizer.step()
    saved = optimizer.state_dict()
    double = wengert.ones(2, dtype=wengert.float64, requires_grad=True)
    other = wengert.optim.Adam([double])
    other.load_state_dict(saved)
    assert other.state[double]["exp_avg"].dtype == wengert.float64
    assert other.state[double]["step"].dtype == wengert.float32
    with pytest.raises(ValueError, match="expected 2 parameter groups"):
        wengert.optim.Adam([{"params": [double]}, {"params": [p]}]).load_state_dict(saved)
    with pytest.raises(ValueError, match="size of optimizer's group"):
        wengert.optim.Adam([double, p]).load_state_dict(saved)


def test_step_counts_saved_as_numbers_become_tensors():
    p = wengert.ones(2, requires_grad=True)
    optimizer = wengert.optim.Adam([p])
    p.grad = wengert.ones(2)
    optimizer.step()
    saved = copy.deepcopy(optimizer.state_dict())
    saved["state"][0]["step"] = 1
    optimizer.load_state_dict(saved)
    assert optimizer.state[p]["step"].item() == 1.0


def test_hooks_and_repr_do_not_warn():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        repr(Halver([leaf(1.0)]))
