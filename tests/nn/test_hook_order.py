"""The order of all hooks of a call and of its backward pass, beside torch: a module's own and those of all modules."""

import copy

import pytest

import wengert

torch = pytest.importorskip("torch")
import torch.nn.modules.module as torch_module  # noqa: E402

LIBS = ((wengert, wengert.nn.module), (torch, torch_module))


def model(lib):
    first, second = lib.nn.Linear(2, 2).double(), lib.nn.Linear(2, 1).double()
    with lib.no_grad():
        for p in (*first.parameters(), *second.parameters()):
            p.copy_(lib.arange(p.numel(), dtype=lib.float64).reshape(p.shape) * 0.5 - 0.3)
    return lib.nn.Sequential(first, lib.nn.Tanh(), second)


def hook_everything(lib, place, net, log):
    """Every kind of hook, each noting its name; returns the handles of those of all modules."""

    def note(name, numbers=False):
        def hook(module, *values):
            grads = [v for v in values if isinstance(v, tuple)] if numbers else []
            log.append(
                (name, type(module).__name__, [[None if g is None else g.tolist() for g in t] for t in grads])
            )

        return hook

    handles = [
        place.register_module_forward_pre_hook(note("all: pre")),
        place.register_module_forward_hook(note("all: forward")),
        place.register_module_full_backward_pre_hook(note("all: backward pre", True)),
        place.register_module_full_backward_hook(note("all: backward", True)),
    ]
    for layer in net:
        layer.register_forward_pre_hook(note("pre"))
        layer.register_forward_pre_hook(note("pre, first"), prepend=True)
        layer.register_forward_pre_hook(note("pre, kwargs"), with_kwargs=True)
        layer.register_forward_hook(note("forward"))
        layer.register_forward_hook(note("forward, first"), prepend=True)
        layer.register_forward_hook(note("forward, kwargs"), with_kwargs=True)
        layer.register_full_backward_pre_hook(note("backward pre", True))
        layer.register_full_backward_pre_hook(note("backward pre, first", True), prepend=True)
        layer.register_full_backward_hook(note("backward", True))
        layer.register_full_backward_hook(note("backward, first", True), prepend=True)
    for name, p in net.named_parameters():
        p.register_hook(lambda g, name=name: log.append(("gradient", name, g.tolist())))
        p.register_post_accumulate_grad_hook(
            lambda p, name=name: log.append(("accumulated", name, p.grad.tolist()))
        )
    return handles


def rounded(value):
    if isinstance(value, float):
        return round(value, 9)
    return [rounded(v) for v in value] if isinstance(value, (list, tuple)) else value


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("needs_grad", [True, False])
def test_order_and_gradients_are_torchs(needs_grad):
    logs = []
    for lib, place in LIBS:
        log, net = [], model(lib)
        handles = hook_everything(lib, place, net, log)
        try:
            x = lib.tensor([[1.0, -2.0], [0.5, 0.25]], dtype=lib.float64, requires_grad=needs_grad)
            net(x).square().sum().backward()
        finally:
            for handle in handles:
                handle.remove()
        before = len(log)
        model(lib)(x.detach())
        assert len(log) == before  # removed
        logs.append(rounded(log))
    of_modules = [[e for e in log if e[0] not in ("gradient", "accumulated")] for log in logs]
    assert of_modules[0] == of_modules[1]
    # Torch accumulates the gradients of two parameters of one layer in either order.
    of_parameters = [sorted(map(str, (e for e in log if e[0] in ("gradient", "accumulated")))) for log in logs]
    assert of_parameters[0] == of_parameters[1]
    for log in logs:
        for name in ("0.weight", "0.bias", "2.weight", "2.bias"):
            places = [k for k, e in enumerate(log) if e[1] == name]
            assert [log[k][0] for k in places] == ["gradient", "accumulated"]


def test_hooks_of_all_modules_replace_inputs_outputs_and_gradients():
    results = []
    for lib, place in LIBS:
        net, x = model(lib), lib.ones(1, 2, dtype=lib.float64, requires_grad=True)
        with (
            place.register_module_forward_pre_hook(lambda m, args: (args[0] * 2,)),
            place.register_module_forward_hook(lambda m, args, y: y + 1),
            place.register_module_full_backward_hook(lambda m, gi, go: tuple(g * 3 for g in gi)),
        ):
            y = net(x)
            y.sum().backward()
        results.append(rounded([y.tolist(), x.grad.tolist(), net(x).tolist()]))
    assert results[0] == results[1]


def test_calls_are_as_fast_as_before_once_hooks_are_gone():
    plain = wengert.nn.Module.__call__
    handle = wengert.nn.module.register_module_forward_hook(lambda *a: None)
    assert wengert.nn.Module.__call__ is not plain
    handle.remove()
    handle.remove()
    assert wengert.nn.Module.__call__ is plain


def test_always_call_of_all_modules():
    class Failing(wengert.nn.Module):
        def forward(self, x):
            raise ValueError("no")

    seen = []
    with wengert.nn.module.register_module_forward_hook(lambda m, a, y: seen.append(y), always_call=True):
        with pytest.raises(ValueError):
            Failing()(1)
    assert seen == [None]


def test_registrations_are_seen_and_replaced():
    logs = []
    for lib, place in LIBS:
        log = []
        kinds = ("parameter", "buffer", "module")
        handles = [
            getattr(place, f"register_module_{kind}_registration_hook")(
                lambda m, name, v, kind=kind, log=log: log.append((kind, name))
            )
            for kind in kinds
        ]
        try:
            net = lib.nn.Sequential(lib.nn.BatchNorm1d(2), lib.nn.Linear(2, 1))
            net.extra = lib.nn.Linear(1, 1, bias=False)
            net.register_buffer("seen", lib.zeros(1))
        finally:
            for handle in handles:
                handle.remove()
        lib.nn.Linear(1, 1)
        logs.append(log)
    assert logs[0] == logs[1]
    with wengert.nn.module.register_module_parameter_registration_hook(
        lambda m, name, p: wengert.nn.Parameter(wengert.full_like(p.detach(), 7.0)) if name == "weight" else None
    ):
        module = wengert.nn.Module()
        module.register_parameter("weight", wengert.nn.Parameter(wengert.zeros(1)))
        module.register_parameter("bias", wengert.nn.Parameter(wengert.zeros(1)))
    assert (module.weight.item(), module.bias.item()) == (7.0, 0.0)


@pytest.mark.parametrize("as_module", [True, False])
def test_compiled_modules_see_hooks_of_all_modules(as_module):
    net = wengert.nn.Sequential(wengert.nn.Linear(2, 2), wengert.nn.Tanh())
    fast = wengert.compile(net if as_module else lambda x: net(x))
    x, seen = wengert.ones(1, 2), []
    for _ in range(4):
        plain = fast(x)
    with wengert.nn.module.register_module_forward_hook(lambda m, a, y: seen.append(type(m).__name__)):
        fast(x)
    calls = len(seen)
    assert seen[:3] == ["Linear", "Tanh", "Sequential"]
    assert wengert.equal(fast(x), plain) and len(seen) == calls


def test_copies_have_hooks_of_their_own():
    class Counting(wengert.nn.Linear):
        def __init__(self):
            super().__init__(1, 1)
            self.calls = 0
            self.register_forward_pre_hook(self.count)
            self.register_load_state_dict_pre_hook(lambda module, *rest: module.loaded(module))

        def count(self, module, args):
            self.calls += 1

        @staticmethod
        def loaded(module):
            module.was_loaded = True

    layer = Counting()
    twin = copy.deepcopy(layer)
    twin(wengert.ones(1, 1))
    twin.load_state_dict(layer.state_dict())
    assert (layer.calls, twin.calls) == (0, 1)
    assert twin.was_loaded and not hasattr(layer, "was_loaded")
