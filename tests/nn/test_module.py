"""The protocol of Module and of the containers, against torch where there is a counterpart."""

import copy
import pickle
from collections import OrderedDict

import numpy as np
import pytest

import wengert

torch = pytest.importorskip("torch")
nn = wengert.nn


def make_net(lib):
    n = lib.nn
    net = n.Sequential(n.Linear(3, 4), n.BatchNorm1d(4), n.ReLU(), n.Sequential(n.Linear(4, 2)))
    net.heads = n.ModuleDict({"a": n.Linear(2, 2), "b": n.ModuleList([n.Linear(2, 2), n.Linear(2, 2), n.ReLU()])})
    net.extra = n.ParameterList([lib.zeros(2), lib.zeros(3)])
    net.table = n.ParameterDict({"y": lib.zeros(2), "x": lib.zeros(1)})
    net.tied = net[0]
    net.register_buffer("hidden", lib.zeros(1), persistent=False)
    return net


def test_tree_is_named_and_printed_like_torch():
    ours, theirs = make_net(wengert), make_net(torch)
    assert repr(ours).replace("wengert.", "torch.") == repr(theirs)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    for walk in ("named_parameters", "named_buffers", "named_modules", "named_children"):
        assert [k for k, _ in getattr(ours, walk)()] == [k for k, _ in getattr(theirs, walk)()], walk
    names = [k for k, _ in ours.named_parameters(remove_duplicate=False)]
    assert names == [k for k, _ in theirs.named_parameters(remove_duplicate=False)]


def test_parameter_dict_takes_names_of_its_methods_as_keys():
    table = nn.ParameterDict({"values": wengert.zeros(2), "plain": 3})
    assert table["plain"] == 3 and len(list(table.values())) == 2 and list(table.state_dict()) == ["values"]
    assert list(copy.deepcopy(table)) == ["plain", "values"]


def test_attributes_move_between_registries():
    m = nn.Module()
    m.x = 1
    m.x = nn.Parameter(wengert.zeros(2))
    assert m.x is m._parameters["x"]
    with pytest.raises(TypeError, match="parameter 'x'"):
        m.x = wengert.zeros(2)
    m.x = None
    assert m.x is None and list(m.parameters()) == []
    m.x = nn.Linear(1, 1)
    assert "x" in m._modules and "x" not in m._parameters
    del m.x
    with pytest.raises(AttributeError, match="'Module' object has no attribute 'x'"):
        m.x  # noqa: B018
    m._parameters["y"] = nn.Parameter(wengert.ones(1))
    assert m.y is m._parameters["y"]
    m.b = nn.Buffer(wengert.ones(2), persistent=False)
    assert list(m.state_dict()) == ["y"]
    with pytest.raises(KeyError, match="already exists"):
        m.register_buffer("y", wengert.zeros(1))


def test_members_before_init_are_refused():
    class Early(nn.Module):
        def __init__(self):
            self.w = nn.Parameter(wengert.zeros(1))

    with pytest.raises(AttributeError, match="before Module.__init__"):
        Early()


def test_copies_and_pickles_are_independent():
    net = make_net(wengert)
    for twin in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert list(twin.state_dict()) == list(net.state_dict())
        assert twin.tied is twin[0] and twin[0].weight is twin[0]._parameters["weight"]
        with wengert.no_grad():
            twin[0].weight.fill_(7.0)
        assert not bool((net[0].weight == 7.0).any())


def test_load_state_dict_reports_keys_and_shapes():
    net, other = make_net(wengert), make_net(torch)
    for module, lib in ((net, wengert), (other, torch)):
        state = module.state_dict()
        state["stray"] = state.pop("0.bias")
        report = module.load_state_dict(state, strict=False)
        assert (report.missing_keys, report.unexpected_keys) == (["0.bias"], ["stray"])
        with pytest.raises(RuntimeError, match='Unexpected key.*"stray"(.|\n)*|Missing key.*"0.bias"'):
            module.load_state_dict(state)
        state = module.state_dict()
        state["0.weight"] = lib.zeros(1, 1)
        with pytest.raises(RuntimeError, match="size mismatch for 0.weight"):
            module.load_state_dict(state)
    assert repr(net.load_state_dict(net.state_dict())) == "<All keys matched successfully>"
    fresh = net.state_dict()
    fresh["0.weight"] = fresh["tied.weight"] = wengert.ones(4, 3)
    net.load_state_dict(fresh, assign=True)
    assert isinstance(net[0].weight, nn.Parameter) and bool((net[0].weight == 1).all())


def test_conversion_keeps_parameter_objects():
    net = make_net(wengert)
    weight = net[0].weight
    weight.sum().backward()
    net.double()
    assert net[0].weight is weight and weight.dtype == weight.grad.dtype == wengert.float64
    assert net[1].num_batches_tracked.dtype == wengert.int64
    assert net.to("cpu", wengert.float32)[0].weight.dtype == wengert.float32
    with pytest.raises(TypeError, match="floating or complex dtype"):
        net.to(wengert.int64)


def test_modes_and_gradients():
    net = make_net(wengert)
    assert not any(m.training for m in net.eval().modules())
    net.requires_grad_(False)
    assert not any(p.requires_grad for p in net.parameters())
    net.requires_grad_()
    net[0].weight.sum().backward()
    net.zero_grad(set_to_none=False)
    assert not bool(net[0].weight.grad.any())
    net.zero_grad()
    assert net[0].weight.grad is None


def test_paths():
    net = make_net(wengert)
    assert net.get_submodule("heads.b.1") is net.heads["b"][1]
    assert net.get_parameter("3.0.bias") is net[3][0].bias
    assert net.get_buffer("1.running_mean") is net[1].running_mean
    with pytest.raises(AttributeError, match="`nope`"):
        net.get_submodule("heads.nope")


def test_forward_hooks():
    layer, log = nn.Linear(2, 2), []
    x = wengert.ones(1, 2)
    plain = layer(x)
    handles = [
        layer.register_forward_pre_hook(lambda m, a: log.append("pre") or (a[0] * 2,)),
        layer.register_forward_pre_hook(lambda m, a, k: log.append("first"), prepend=True, with_kwargs=True),
        layer.register_forward_hook(lambda m, a, y: log.append("post") or y - m.bias),
    ]
    doubled = layer(x)
    assert bool(wengert.allclose(doubled, (plain - layer.bias) * 2, atol=1e-6))
    assert log[-3:] == ["first", "pre", "post"]
    for handle in handles:
        handle.remove()
    assert layer._hooks is None and bool((layer(x) == plain).all())


def test_always_call_hook_runs_when_forward_raises():
    log = []
    layer = nn.Linear(2, 2)
    layer.register_forward_hook(lambda m, a, y: log.append(y), always_call=True)
    with pytest.raises(RuntimeError):
        layer(wengert.ones(1, 3))
    assert log == [None]


@pytest.mark.parametrize("inputs_need_grad", [True, False])
@pytest.mark.filterwarnings("ignore:Full backward hook")
def test_full_backward_hooks_see_and_replace_gradients(inputs_need_grad):
    seen = []
    for lib in (wengert, torch):
        layer = lib.nn.Bilinear(2, 2, 1)
        with lib.no_grad():
            layer.weight.fill_(0.5)
            layer.bias.fill_(0.0)
        a, b = (lib.tensor([[1.0, k]], requires_grad=inputs_need_grad) for k in (2.0, 3.0))
        log = []
        layer.register_full_backward_pre_hook(lambda m, g: (g[0] * 3,))

        def hook(m, gi, go, log=log):
            log.append([None if g is None else g.tolist() for g in (*gi, *go)])
            return tuple(None if g is None else g * 2 for g in gi)

        layer.register_full_backward_hook(hook)
        layer(a, b).sum().backward()
        seen.append(
            (log, None if a.grad is None else (a.grad.tolist(), b.grad.tolist()), layer.weight.grad.tolist())
        )
    assert seen[0] == seen[1]


def test_state_dict_hooks():
    layer, log = nn.Linear(1, 1), []
    layer.register_state_dict_post_hook(lambda m, s, p, meta: s.update({p + "more": wengert.zeros(1)}))
    layer.register_load_state_dict_pre_hook(lambda m, s, p, *rest: s.pop(p + "more"))
    layer.register_load_state_dict_post_hook(lambda m, keys: log.append(keys))
    state = layer.state_dict()
    assert list(state) == ["weight", "bias", "more"]
    layer.load_state_dict(state)
    assert log[0].missing_keys == []


@pytest.mark.parametrize("lib", [wengert, torch])
def test_sequential_as_a_list(lib):
    n = lib.nn
    net = n.Sequential(n.Linear(1, 2), n.ReLU())
    net.append(n.Tanh()).insert(1, n.Sigmoid()).extend([n.GELU()])
    assert [type(m).__name__ for m in net] == ["Linear", "Sigmoid", "ReLU", "Tanh", "GELU"]
    del net[1]
    assert list(net._modules) == ["0", "1", "2", "3"] and len(net + net) == 8
    assert type(net.pop(-1)).__name__ == "GELU" and len(net[1:]) == 2
    with pytest.raises(IndexError):
        net[5]
    rows = n.ModuleList([n.ReLU()])
    rows += [n.Tanh()]
    rows.insert(0, n.GELU())
    assert [type(m).__name__ for m in rows[::-1]] == ["Tanh", "ReLU", "GELU"]


def test_training_a_small_net_follows_torch():
    nets = [lib.nn.Sequential(lib.nn.Linear(3, 8), lib.nn.Tanh(), lib.nn.Linear(8, 1)) for lib in (wengert, torch)]
    state = {k: wengert.from_numpy(v.numpy().copy()) for k, v in nets[1].state_dict().items()}
    nets[0].load_state_dict(state)
    rng = np.random.default_rng(0)
    x, t = rng.standard_normal((16, 3)).astype(np.float32), rng.standard_normal((16, 1)).astype(np.float32)
    losses = [[], []]
    for lib, net, log in zip((wengert, torch), nets, losses, strict=True):
        for _ in range(5):
            loss = lib.nn.MSELoss()(net(lib.from_numpy(x)), lib.from_numpy(t))
            net.zero_grad()
            loss.backward()
            lib.nn.utils.clip_grad_norm_(net.parameters(), 0.5)
            with lib.no_grad():
                for p in net.parameters():
                    p -= 0.1 * p.grad
            log.append(loss.item())
    np.testing.assert_allclose(*losses, rtol=1e-4)


def test_wrappers_ask_the_base_class_for_attributes():
    class Wrapper(nn.Module):
        def __init__(self, inner):
            super().__init__()
            self.inner = inner
            self.scale = nn.Parameter(wengert.ones(2))
            self.register_buffer("count", wengert.zeros(1))

        def __getattr__(self, name):
            try:
                return super().__getattr__(name)
            except AttributeError:
                return getattr(super().__getattr__("inner"), name)

    wrapper = Wrapper(nn.Linear(2, 3))
    assert wrapper.weight is wrapper.inner.weight and wrapper.in_features == 2
    assert wrapper.__getattr__("scale") is wrapper.scale and wrapper.__getattr__("count") is wrapper.count
    with pytest.raises(AttributeError, match="nothing"):
        wrapper.nothing  # noqa: B018


class TestParameterClass:
    """A parameter is of the class Parameter, exactly; what is computed from it is a plain tensor."""

    def test_class(self):
        p = wengert.nn.Parameter(wengert.ones(2))
        for same in (p, wengert.nn.Linear(2, 3).weight, copy.deepcopy(p), pickle.loads(pickle.dumps(p))):
            assert type(same) is wengert.nn.Parameter and same.requires_grad
        results = (
            p * 2,
            2 * p,
            p + p,
            -p,
            p[0],
            p.T,
            p.clone(),
            p.data,
            p.detach(),
            wengert.cat([p, p]),
            p @ p,
            p.view(1, 2),
        )
        assert all(type(v) is wengert.Tensor for v in results)
        assert type(p.double()) is wengert.Tensor

    def test_subclasses_override_operators(self):
        class Own(wengert.nn.Parameter):
            def __mul__(self, other):
                return "mine"

        assert Own(wengert.ones(2)) * 2 == "mine"
        assert isinstance(Own(wengert.ones(2)) + 2, wengert.Tensor)

    def test_tensors_of_other_classes_are_marked(self):
        class Named(wengert.Tensor):
            pass

        p = wengert.nn.Parameter(wengert.ones(2).as_subclass(Named))
        assert type(p) is Named and isinstance(p, wengert.nn.Parameter) and type(p * 2) is Named


def test_parts_of_a_sequential_keep_their_names():
    """Keys of a part's state are those of the whole; what is deleted or inserted numbers the rest anew, as in PyTorch."""

    def steps(lib):
        n = lib.nn
        net = n.Sequential(n.Linear(1, 1), n.ReLU(), n.Linear(1, 1), n.Linear(1, 1))
        named = n.Sequential(OrderedDict(a=n.ReLU(), b=n.Linear(1, 1), c=n.Linear(1, 1)))
        part = net[2:]
        part[0] = n.Linear(1, 1, bias=False)
        texts = [part, net[::2], named[1:], n.ModuleList(net)[1:], list(part.state_dict())]
        del net[1]
        del named[0:2]
        named.insert(0, n.Tanh())
        return [str(v) for v in [*texts, net, named, list(net.state_dict())]]

    assert steps(wengert) == steps(torch)
    part = nn.Sequential(nn.ReLU(), nn.ReLU(), nn.ReLU())[1:]
    assert list(part.append(nn.Tanh())._modules) == ["1", "2", "3"]  # PyTorch replaces the module named 2
