"""wengert.compile: compiled calls give the results of plain ones, and what cannot be captured says so."""

import copy
import pickle
import threading
import warnings

import pytest

import wengert as w
from wengert import nn
from wengert.nn import functional as F

SCALE = 2.0


def same(a, b):
    return type(a) is type(b) and (w.equal(a, b) if isinstance(a, w.Tensor) else a == b)


def compare(make, data, plans=1):
    """Runs two copies of a step, one compiled, on the same data: same results, same states."""
    plain, compiled = make(), make()
    fast = w.compile(compiled[1], fullgraph=True)
    for args in data:
        state = w.get_rng_state()
        expected = plain[1](*args)
        w.set_rng_state(state)
        assert same(fast(*args), expected)
    for p, q in zip(plain[0], compiled[0], strict=True):
        assert w.equal(p, q)
        assert (p.grad is None) == (q.grad is None) and (p.grad is None or w.equal(p.grad, q.grad))
    assert fast.plans == plans
    return fast


def model_step(optimizer, clip=None, scheduler=None, dropout=0.0, set_to_none=True, norm=False):
    def make():
        w.manual_seed(0)
        layers = [nn.Linear(4, 16), nn.BatchNorm1d(16) if norm else nn.Identity(), nn.ReLU(), nn.Dropout(dropout)]
        model = nn.Sequential(*layers, nn.Linear(16, 3))
        opt = optimizer(model.parameters())
        loss_fn = nn.CrossEntropyLoss()

        def step(x, y):
            opt.zero_grad(set_to_none=set_to_none)
            loss = loss_fn(model(x), y)
            loss.backward()
            if clip:
                nn.utils.clip_grad_norm_(model.parameters(), clip)
            opt.step()
            return loss.detach()

        return [*model.parameters(), *model.buffers()], step

    return make


def batches(n=8, size=8):
    w.manual_seed(1)
    return [(w.randn(size, 4), w.randint(0, 3, (size,))) for _ in range(n)]


@pytest.mark.parametrize(
    "optimizer",
    [
        lambda p: w.optim.SGD(p, lr=0.1),
        lambda p: w.optim.SGD(p, lr=0.1, momentum=0.9),
        lambda p: w.optim.Adam(p, lr=0.01),
        lambda p: w.optim.AdamW(p, lr=0.01, amsgrad=True),
        lambda p: w.optim.RMSprop(p, lr=0.01),
        lambda p: w.optim.Adagrad(p, lr=0.01),
    ],
    ids=["SGD", "momentum", "Adam", "AdamW", "RMSprop", "Adagrad"],
)
def test_whole_training_steps(optimizer):
    compare(model_step(optimizer), batches())


def test_dropout_clipping_and_batch_norm_inside():
    step = model_step(lambda p: w.optim.Adam(p, lr=0.01), clip=0.3, dropout=0.4, norm=True)
    compare(step, batches())


def test_gradients_set_to_zero_instead_of_none():
    compare(model_step(lambda p: w.optim.SGD(p, lr=0.1), set_to_none=False), batches())


def test_gradients_add_up_over_calls():
    def make():
        p = w.ones(3, requires_grad=True)

        def step(x):
            ((p * x) ** 2).sum().backward()

        return [p], step

    plain, compiled = make(), make()
    fast = w.compile(compiled[1], fullgraph=True)
    for k in range(8):
        x = w.full((3,), float(k))
        plain[1](x)
        fast(x)
        assert w.equal(plain[0][0].grad, compiled[0][0].grad)
        if k == 5:
            plain[0][0].grad = compiled[0][0].grad = None


def test_a_changed_learning_rate_takes_effect():
    results = []
    for compiled in (False, True):
        w.manual_seed(0)
        p = w.ones(4, requires_grad=True)
        opt = w.optim.SGD([p], lr=0.1)
        scheduler = w.optim.lr_scheduler.StepLR(opt, 2, gamma=0.5)

        def step(x, p=p, opt=opt):
            opt.zero_grad()
            (p * x).square().sum().backward()
            opt.step()

        run = w.compile(step, fullgraph=True) if compiled else step
        for k in range(8):
            run(w.full((4,), 0.1 * k))
            scheduler.step()
        assert not compiled or run.plans == 1
        results.append(p.detach())
    assert w.equal(*results)


def test_loaded_optimizer_state_is_used():
    results = []
    for compiled in (False, True):
        w.manual_seed(0)
        p = w.ones(4, requires_grad=True)
        opt = w.optim.Adam([p], lr=0.1)

        def step(x, p=p, opt=opt):
            opt.zero_grad()
            (p * x).square().sum().backward()
            opt.step()

        run = w.compile(step, fullgraph=True) if compiled else step
        for k in range(5):
            run(w.full((4,), 0.3 * k))
        saved = copy.deepcopy(opt.state_dict())
        for k in range(5):
            run(w.full((4,), 0.1 * k))
        opt.load_state_dict(saved)
        for k in range(8):
            run(w.full((4,), 0.2 * k))
        results.append((p.detach(), opt.state[p]["step"].item()))
    assert w.equal(results[0][0], results[1][0]) and results[0][1] == results[1][1] == 13


def test_sizes_get_plans_of_their_own():
    step = model_step(lambda p: w.optim.SGD(p, lr=0.1))
    compare(step, [*batches(3, 8), *batches(3, 5), *batches(2, 8), *batches(2, 5)], plans=2)


def test_a_module_and_a_loss_outside():
    w.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 2))
    fast = w.compile(model, fullgraph=True)
    assert list(fast.state_dict())[0] == "_orig_mod.0.weight" and fast[0] is model[0]
    for _ in range(5):
        x = w.randn(4, 3, requires_grad=True)
        found = []
        for net in (model, fast):
            net.zero_grad()
            x.grad = None
            out = net(x)
            assert out.requires_grad and out.grad_fn is not None
            out.square().sum().backward()
            found.append([out.detach(), x.grad, *[p.grad for p in model.parameters()]])
        assert all(w.equal(a, b) for a, b in zip(*found, strict=True))
    assert fast._compiled.plans == 1
    with w.no_grad():
        for _ in range(4):
            assert w.equal(fast(x), model(x)) and not fast(x).requires_grad
    assert fast._compiled.plans == 2


def test_a_module_with_dropout_and_running_statistics():
    w.manual_seed(0)
    layers = [nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, 2)]
    model = nn.Sequential(*layers)
    twin = copy.deepcopy(model)
    fast = w.compile(model, fullgraph=True)
    for _ in range(6):
        x = w.randn(5, 4)
        state = w.get_rng_state()
        first = fast(x)
        second = fast(x)  # backward passes repeat the numbers of their own forward passes
        (first.square().sum() + second.sum()).backward()
        w.set_rng_state(state)
        expected = twin(x)
        other = twin(x)
        (expected.square().sum() + other.sum()).backward()
        assert w.equal(first, expected) and w.equal(second, other)
        assert all(
            w.allclose(p.grad, q.grad, rtol=1e-5)
            for p, q in zip(model.parameters(), twin.parameters(), strict=True)
        )
        assert all(w.equal(a, b) for a, b in zip(model.buffers(), twin.buffers(), strict=True))
    assert fast._compiled.plans == 1


def test_second_derivatives_of_a_compiled_function():
    fast = w.compile(lambda x: (x**3).sin().sum(), fullgraph=True)
    for _ in range(4):
        x = w.randn(5, dtype=w.float64, requires_grad=True)
        (g,) = w.autograd.grad(fast(x), x, create_graph=True)
        (h,) = w.autograd.grad(g.sum(), x)
        (g2,) = w.autograd.grad((x**3).sin().sum(), x, create_graph=True)
        assert w.allclose(h, w.autograd.grad(g2.sum(), x)[0])
    assert fast.plans == 1


def test_second_derivatives_with_dropout_and_running_statistics():
    w.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Dropout(0.5), nn.Linear(8, 1)).double()
    twin = copy.deepcopy(model)
    fast = w.compile(model, fullgraph=True)
    for _ in range(5):
        x = w.randn(6, 3, dtype=w.float64, requires_grad=True)
        state = w.get_rng_state()
        found = []
        for net in (fast, twin):
            w.set_rng_state(state)
            (g,) = w.autograd.grad(net(x).sum(), x, create_graph=True)
            found.append(w.autograd.grad(g.square().sum(), x)[0])
        assert w.allclose(*found)
        assert all(w.equal(a, b) for a, b in zip(model.buffers(), twin.buffers(), strict=True))
    assert fast._compiled.plans == 1


def test_numbers_that_compare_equal_are_two_signatures():
    fast = w.compile(lambda x, k: x / k, fullgraph=True)
    for _ in range(4):
        assert fast(w.ones(1), 0.0).item() == float("inf")
        assert fast(w.ones(1), -0.0).item() == -float("inf")
    assert fast.plans == 1  # the number is an input


def test_train_and_eval_are_two_plans():
    model = nn.Sequential(nn.Linear(3, 3), nn.Dropout(0.5))
    fast = w.compile(model, fullgraph=True)
    x = w.ones(2, 3)
    with w.no_grad():
        for _ in range(4):
            fast(x)
        model.eval()
        for _ in range(4):
            assert w.equal(fast(x), model(x))
        model.train()
        assert any(not w.equal(fast(x), fast(x)) for _ in range(5))


def test_replaced_parameters_and_globals_are_seen():
    global SCALE
    module = nn.Linear(2, 2, bias=False)
    fast = w.compile(lambda x: module(x) * SCALE)
    x = w.ones(2)
    with w.no_grad():
        for _ in range(4):
            before = fast(x)
        SCALE = 3.0
        try:
            assert w.allclose(fast(x), before * 1.5)
        finally:
            SCALE = 2.0
        module.weight = nn.Parameter(w.zeros(2, 2))
        assert fast(x).tolist() == [0.0, 0.0]
        module.weight.fill_(1.0)
        assert fast(x).tolist() == [4.0, 4.0]
    assert fast.plans >= 1 and fast.reason is None


def test_another_dtype_of_the_parameters_is_seen():
    model = nn.Linear(3, 2)
    fast = w.compile(lambda x: model(x), fullgraph=True)
    with w.no_grad():
        for _ in range(4):
            fast(w.ones(1, 3))
        model.double()
        for _ in range(4):
            assert fast(w.ones(1, 3, dtype=w.float64)).dtype == w.float64
        with pytest.raises(RuntimeError, match="dtype"):
            fast(w.ones(1, 3))
        model.float()
        assert fast(w.ones(1, 3)).dtype == w.float32
    assert fast.plans == 2


def test_hooks_that_come_and_go_are_seen():
    model = nn.Sequential(nn.Linear(3, 2), nn.ReLU())
    fast = w.compile(lambda x: model(x), fullgraph=True)
    x = w.ones(1, 3)
    with w.no_grad():
        plain = model(x)
        for _ in range(4):
            fast(x)
        for scale in (2, 3):
            handle = model[1].register_forward_hook(lambda m, i, o, s=scale: o * s)
            for _ in range(4):
                assert w.equal(fast(x), model(x))
        handle.remove()
        assert w.equal(fast(x), plain * 2)


def test_gradient_hooks_that_come_and_go_are_seen():
    p = w.ones(2, requires_grad=True)

    def step(x):
        p.grad = None
        (p * x).sum().backward()

    fast = w.compile(step, fullgraph=True)
    for _ in range(4):
        fast(w.ones(2))
    assert p.grad.tolist() == [1.0, 1.0]
    handle = p.register_hook(lambda g: g * 3)
    for _ in range(4):
        fast(w.ones(2))
        assert p.grad.tolist() == [3.0, 3.0]
    handle.remove()
    fast(w.ones(2))
    assert p.grad.tolist() == [1.0, 1.0]


def test_results_keep_their_structure():
    fast = w.compile(
        lambda x, *, flip=False: {"a": (x + 1, 3), "b": [-x if flip else x, None, "text"]}, fullgraph=True
    )
    for flip in (False, True):
        for _ in range(4):
            out = fast(w.ones(2), flip=flip)
            assert out["a"][0].tolist() == [2.0, 2.0] and out["a"][1] == 3
            assert out["b"][0].tolist() == ([-1.0, -1.0] if flip else [1.0, 1.0]) and out["b"][1:] == [None, "text"]
    assert fast.plans == 2


def test_tensors_made_inside():
    def f(x):
        state = w.zeros(3)
        for k in range(3):
            state[k] = x[k] * k
        return state + w.tensor([1.0, 2.0, 3.0]) + w.arange(3)

    fast = w.compile(f, fullgraph=True)
    for _ in range(5):
        x = w.randn(3)
        assert w.equal(fast(x), f(x))
    assert fast.plans == 1


def test_one_tensor_given_twice_is_another_signature():
    fast = w.compile(lambda x, y: x.mul(2) + y, fullgraph=True)
    for _ in range(4):
        x = w.randn(3)
        assert w.equal(fast(x, x), x * 2 + x)
    for _ in range(4):
        x, y = w.randn(3), w.randn(3)
        assert w.equal(fast(x, y), x * 2 + y)
    assert w.equal(fast(x, x), x * 3) and fast.plans == 2


def test_arguments_that_share_memory_and_are_written():
    def f(x, y):
        x.add_(1)
        return y * 2

    fast = w.compile(f)
    with pytest.warns(UserWarning, match="share memory") as caught:
        for shared in (False, True, False, True, False, True, False, True):
            base = w.zeros(4)
            x, y = (base[:2], base[:3]) if shared else (w.zeros(2), w.zeros(3))
            assert fast(x, y).tolist() == ([2.0, 2.0, 0.0] if shared else [0.0, 0.0, 0.0])
            assert x.tolist() == [1.0, 1.0]
    assert len(caught) == 1 and fast.plans == 1 and fast.reason is None
    base = w.zeros(4)
    with pytest.raises(w.graph.CompileError, match="share memory"):
        w.compile(f, fullgraph=True)(base[:2], base[:3])


def test_arguments_that_share_memory_and_are_read():
    def f(x, y):
        return (x * y).sum(), x.reshape(-1)[1:] + 1

    fast = w.compile(f, fullgraph=True)
    for k in range(6):
        tokens = w.arange(12.0).reshape(2, 6) + k
        for got, wanted in zip(fast(tokens[:, :-1], tokens[:, 1:]), f(tokens[:, :-1], tokens[:, 1:]), strict=True):
            assert w.equal(got, wanted)
    assert fast.plans == 1
    leaf = w.ones(4, requires_grad=True)
    for _ in range(4):
        leaf.grad = None
        sum(v.sum() for v in fast(leaf[:2], leaf[1:3])).backward()
        assert leaf.grad.tolist() == [1.0, 3.0, 1.0, 0.0]
    with pytest.raises(w.graph.CompileError, match="share memory"):
        w.compile(lambda x, y: (x[:1], y * 2), fullgraph=True)(leaf[:2], leaf[1:3])


def test_calls_from_several_threads():
    fast = w.compile(lambda x: (x @ x).tanh().sum())
    x = w.randn(300, 300)
    for _ in range(4):
        expected = fast(x).item()
    found = []

    def work():
        found.extend(fast(x).item() for _ in range(20))

    threads = [threading.Thread(target=work) for _ in range(3)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(found) == 60 and set(found) == {expected}


def test_attention_with_its_strides():
    layer = nn.Linear(8, 24)

    def make():
        w.manual_seed(0)
        parameters = [p.detach().clone().requires_grad_() for p in layer.parameters()]
        opt = w.optim.SGD(parameters, lr=0.1)

        def step(x):
            q, k, v = F.linear(x, *parameters).view(2, 5, 3, 2, 4).permute(2, 0, 3, 1, 4)
            y = F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(2, 5, 8)
            opt.zero_grad()
            loss = (y @ y.mT).square().mean()
            loss.backward()
            opt.step()
            return loss.detach()

        return parameters, step

    w.manual_seed(4)
    compare(make, [(w.randn(2, 5, 8),) for _ in range(5)])


def test_arguments_with_gaps_are_written():
    def f(x):
        x.mul_(2)
        return x.sum()

    fast = w.compile(f, fullgraph=True)
    for _ in range(5):
        base = w.ones(3, 4)
        assert fast(base.T).item() == 24.0 and base.tolist() == [[2.0] * 4] * 3
        base = w.ones(4, 3)
        assert fast(base).item() == 24.0 and base.tolist() == [[2.0] * 3] * 4


# ---- what cannot be captured -----------------------------------------------------------------------------------------


class Counter:
    def __init__(self):
        self.losses = []

    def appends(self, x):
        self.losses.append(x.sum().item())
        return x * 2

    def keeps(self, x):
        self.losses.append(x)
        return x * 2

    def branches(self, x):
        return x * 2 if x.expand(2000, 3).sum() > 0 else x * 3

    def numpy(self, x):
        return x * float(x.numpy().sum())

    def prints(self, x):
        print(x)
        return x * 2


REASONS = {
    "appends": "item",
    "keeps": "losses",
    "branches": "bool|reads a value",
    "numpy": "numpy",
    "prints": "print",
}


@pytest.mark.parametrize("name", REASONS)
def test_calls_without_a_graph_run_plainly(name, capsys):
    plain, object_ = Counter(), Counter()
    with pytest.warns(UserWarning, match=REASONS[name]) as caught:
        fast = w.compile(getattr(object_, name))
        for k in range(6):
            x = w.tensor([1.0, 2.0, 3.0]) * (1 if k % 2 else -1)
            assert w.equal(fast(x), getattr(plain, name)(x))
    assert len(caught) == 1 and fast.plans == 0 and fast.reason
    assert len(plain.losses) == len(object_.losses)
    assert "runs as it is written" in fast.explain()


@pytest.mark.parametrize("name", REASONS)
def test_fullgraph_names_the_line(name, capsys):
    fast = w.compile(getattr(Counter(), name), fullgraph=True)
    with pytest.raises(w.graph.CompileError, match=REASONS[name]) as error:
        for _ in range(6):
            fast(w.ones(3))
    if name in ("branches", "numpy", "appends"):
        assert "test_compile.py:" in str(error.value)


def test_a_generator_of_its_own_or_a_seed_inside_has_no_graph():
    g = w.Generator().manual_seed(3)
    for f in (lambda x: x + w.rand(3, generator=g), lambda x: (w.manual_seed(0), x + w.rand(3))[1]):
        with pytest.warns(UserWarning, match="generator"):
            fast = w.compile(f)
            for _ in range(4):
                fast(w.ones(3))
        assert fast.plans == 0


def test_errors_of_the_function_are_its_own():
    fast = w.compile(lambda x, y: x @ y)
    for _ in range(4):
        with pytest.raises(RuntimeError, match="matmul"):
            fast(w.ones(2, 3), w.ones(2, 3))
    for _ in range(4):
        assert fast(w.ones(2, 3), w.ones(3, 2)).tolist() == [[3.0, 3.0], [3.0, 3.0]]
    assert fast.plans == 1


def test_forms_of_the_call():
    @w.compile
    def f(x):
        return x + 1

    @w.compile(fullgraph=True, mode="reduce-overhead")
    def g(x):
        return x + 2

    assert f.__name__ == "f" and f(w.ones(1)).item() == 2 and g(w.ones(1)).item() == 3
    assert w.compile(f, disable=True) is f
    with pytest.raises(TypeError, match="module"):
        w.compile(3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = w.compile(nn.Linear(2, 1))
        loss = F.mse_loss(model(w.ones(3, 2)), w.zeros(3, 1))
        loss.backward()
    assert model.weight.grad is not None and len(list(model.parameters())) == 2


def test_copies_of_a_compiled_module_are_modules_of_their_own():
    fast = w.compile(nn.Linear(2, 1, bias=False))
    x = w.ones(1, 2)
    with w.no_grad():
        for _ in range(4):
            before = fast(x)
        for twin in (copy.deepcopy(fast), pickle.loads(pickle.dumps(fast))):
            for _ in range(4):
                assert w.equal(twin(x), before)
            twin.weight.fill_(3.0)
            assert twin(x).item() == 6.0 and w.equal(fast(x), before)


def test_methods_of_a_class():
    class Trainer:
        def __init__(self, scale):
            self.scale = scale
            self.weight = w.full((2,), scale)

        @w.compile
        def step(self, x):
            return (x * self.weight).sum() * self.scale

    one, two = Trainer(1.0), Trainer(2.0)
    for _ in range(5):
        assert one.step(w.ones(2)).item() == 2.0 and two.step(w.ones(2)).item() == 8.0
    two.scale = 3.0
    assert two.step(w.ones(2)).item() == 12.0
    assert Trainer.step.plans == 2


def test_inside_of_transforms_and_recordings_calls_run_plainly():
    fast = w.compile(lambda x: x.sin())
    for _ in range(4):
        fast(w.ones(3))
    assert w.allclose(w.func.vmap(fast)(w.ones(2, 3)), w.ones(2, 3).sin())
    assert w.allclose(w.func.grad(lambda x: fast(x).sum())(w.ones(3)), w.ones(3).cos())
