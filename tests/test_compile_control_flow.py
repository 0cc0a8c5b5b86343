"""cond, while_loop and scan inside compiled functions: one node each, with gradients, against plain calls."""

import importlib
import warnings

import pytest

import wengert as torch
from wengert.graph import CompileError, record

EXAMPLES = importlib.import_module("tests.graph.test_control_flow").EXAMPLES
REGIONS = ("cond", "while_loop", "scan", "call")


def ops(fast):
    return [node.op for node in fast.plan.graph.nodes]


def wanted(found, like):
    return [torch.zeros_like(t) if g is None else g for g, t in zip(found, like, strict=True)]


@pytest.mark.parametrize("f", EXAMPLES, ids=lambda f: f.__name__)
def test_values_and_gradients_of_several_calls(f, rng):
    fast = torch.compile(f, fullgraph=True)
    for k in range(6):
        x = torch.tensor(
            abs(rng.standard_normal((4, 3))) * (1 if k % 2 else -1), dtype=torch.float64
        ).requires_grad_()
        p = torch.tensor(rng.standard_normal(3) * 0.5, dtype=torch.float64).requires_grad_()
        got, want = fast(x, p), f(x, p)
        assert torch.allclose(got, want, rtol=1e-12, atol=1e-12)
        found = torch.autograd.grad(got, [x, p], allow_unused=True)
        expected = torch.autograd.grad(want, [x, p], allow_unused=True)
        for a, b in zip(wanted(found, (x, p)), wanted(expected, (x, p)), strict=True):
            assert torch.allclose(a, b, rtol=1e-9, atol=1e-11)
    assert fast.plans == 1
    assert set(REGIONS) & set(ops(fast))


@pytest.mark.parametrize("f", EXAMPLES, ids=lambda f: f.__name__)
def test_gradients_inside_of_first_and_second_order(f, rng):
    def both(x, p):
        loss = f(x, p)
        first = torch.autograd.grad(loss, [x, p], create_graph=True, allow_unused=True)
        first = wanted(first, (x, p))
        second = torch.autograd.grad(sum((g * g).sum() for g in first), [x, p], allow_unused=True)
        return [loss.detach(), *[g.detach() for g in first], *wanted(second, (x, p))]

    fast = torch.compile(both, fullgraph=True)
    for _ in range(4):
        x = torch.tensor(rng.standard_normal((4, 3)), dtype=torch.float64).requires_grad_()
        p = torch.tensor(rng.standard_normal(3) * 0.5, dtype=torch.float64).requires_grad_()
        for got, want in zip(fast(x, p), both(x, p), strict=True):
            assert torch.allclose(got, want, rtol=1e-8, atol=1e-10)
    assert fast.plans == 1


class Recurrent(torch.nn.Module):
    """A cell scanned over time, a branch and a loop that repeats until a norm is small: all close over parameters."""

    def __init__(self):
        super().__init__()
        self.cell = torch.nn.Linear(6, 4)
        self.head = torch.nn.Linear(4, 1)
        self.scale = torch.nn.Parameter(torch.tensor(0.9))

    def forward(self, x):
        def step(h, v):
            h = torch.tanh(self.cell(torch.cat([h, v], -1)))
            return h, h * self.scale

        _, path = torch.scan(step, torch.zeros(x.shape[1], 4), x)
        h = torch.cond(path.mean() > 0, lambda h: h * self.scale, lambda h: h - self.scale, (path[-1],))
        (h,) = torch.while_loop(lambda h: h.norm() > 0.5, lambda h: (h * self.scale.sigmoid() * 0.9,), (h,))
        return self.head(h)


def trained(compiled, optimizer_class, steps=8):
    torch.manual_seed(3)
    model = Recurrent()
    optimizer = optimizer_class(model.parameters(), lr=0.05)

    def step(x, y):
        optimizer.zero_grad()
        loss = torch.nn.functional.mse_loss(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    fast = torch.compile(step, fullgraph=True) if compiled else step
    losses = []
    for k in range(steps):
        torch.manual_seed(k)
        x = torch.randn(5, 3, 2) * (1 if k % 2 else -2)
        losses.append(fast(x, x.sum(0)[:, :1]).item())
    return fast, losses, [p.detach().clone() for p in model.parameters()]


@pytest.mark.parametrize("optimizer", [torch.optim.SGD, torch.optim.Adam], ids=lambda c: c.__name__)
def test_a_training_step_is_one_plan(optimizer):
    fast, losses, parameters = trained(True, optimizer)
    _, plain, expected = trained(False, optimizer)
    assert torch.allclose(torch.tensor(losses), torch.tensor(plain), rtol=1e-4, atol=1e-6)
    for a, b in zip(parameters, expected, strict=True):
        assert torch.allclose(a, b, rtol=1e-3, atol=1e-5)
    assert fast.plans == 1
    assert {"scan", "cond", "while_loop", "update"} <= set(ops(fast))


def test_the_plan_of_a_scan_does_not_grow_with_its_length():
    w = torch.tensor(0.5).requires_grad_()

    def path(x):
        last, ys = torch.scan(lambda c, v: ((c * w + v).sin(), c), x[0] * 0, x)
        return last + ys.sum()

    counts = []
    for n in (10, 1000):
        fast = torch.compile(path, fullgraph=True)
        for _ in range(3):
            x = torch.linspace(-1, 1, n)
            got = fast(x)
            (g,) = torch.autograd.grad(got, [w])
        want = path(x)
        assert torch.allclose(got, want, rtol=1e-4, atol=1e-4)
        assert torch.allclose(g, torch.autograd.grad(want, [w])[0], rtol=1e-3, atol=1e-3)
        assert fast.plans == 1
        counts.append((len(fast.pair.forward.source.nodes), len(fast.pair.backward.graph.nodes)))
    assert counts[0] == counts[1]


def test_only_the_branch_that_is_chosen_runs():
    fast = torch.compile(
        lambda x: torch.cond(
            x.sum() > 0, lambda x: torch.linalg.inv(x) if False else x.log(), lambda x: x * 2, (x,)
        ),
        fullgraph=True,
    )
    for k in range(6):
        x = torch.full((2,), 1.0 if k % 2 else -1.0)
        assert torch.equal(fast(x), x.log() if k % 2 else x * 2)


def test_a_branch_may_give_its_operand():
    fast = torch.compile(lambda x, p: torch.cond(p, lambda x: x, lambda x: -x, (x,)), fullgraph=True)
    x = torch.ones(3)
    for k in range(5):
        y = fast(x, torch.tensor(k % 2 == 0))
        assert torch.equal(y, x if k % 2 == 0 else -x)
        y.add_(1)  # memory of its own
        assert torch.equal(x, torch.ones(3))


def test_a_detached_parameter_has_no_gradient_through_it():
    w = torch.tensor([2.0, 3.0]).requires_grad_()

    def f(x):
        return torch.scan(lambda c, v: (c * w + v * w.detach(), None), x[0] * 0, x)[0].sum()

    fast = torch.compile(f, fullgraph=True)
    for _ in range(4):
        x = torch.arange(6.0).reshape(3, 2)
        (got,) = torch.autograd.grad(fast(x), [w])
        assert torch.allclose(got, torch.autograd.grad(f(x), [w])[0])


def test_numbers_that_change_inside_of_a_body():
    def f(x, rate, n):
        return torch.scan(lambda c, _: (c * rate, None), x, length=n)[0]

    fast = torch.compile(f, fullgraph=True)
    for rate, n in ((0.5, 2), (0.25, 2), (0.25, 3), (0.5, 2), (0.75, 2), (0.125, 3)):
        assert torch.equal(fast(torch.ones(2), rate, n), f(torch.ones(2), rate, n))


def test_tensors_made_inside_of_a_body():
    def f(x):
        return torch.scan(lambda c, v: (c + v * torch.tensor([1.0, 2.0]) + torch.ones(2), c), x[0] * 0, x)

    fast = torch.compile(f, fullgraph=True)
    for k in range(4):
        x = torch.arange(6.0).reshape(3, 2) + k
        for got, want in zip(fast(x), f(x), strict=True):
            assert torch.equal(got, want)


def test_no_steps_and_a_loop_that_does_not_begin():
    def f(x, y):
        (z,) = torch.while_loop(lambda z: z.sum() > 100, lambda z: (z * 2,), (y * 1,))
        return torch.scan(lambda c, v: (c + v, c * v), y, x), z

    fast = torch.compile(f, fullgraph=True)
    for _ in range(4):
        (last, ys), z = fast(torch.ones(0, 2), torch.ones(2))
        assert torch.equal(last, torch.ones(2)) and ys.shape == (0, 2) and torch.equal(z, torch.ones(2))


OWN = torch.Generator()
REFUSED = {
    "seed": (lambda c, w: (torch.manual_seed(0), c)[1], "as it is, got manual_seed"),
    "generator": (lambda c, w: c + torch.randn(3, generator=OWN), "random numbers of the default generator"),
    "value": (lambda c, w: c * c.sum().item(), "cond"),
    "write": (lambda c, w: (w.add_(1), c * 2)[1], "write in place"),
    "shape": (lambda c, w: torch.cat([c, c]), "expected a carry"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_with_its_reason(name):
    body, text = REFUSED[name]

    def f(x, w):
        return torch.scan(lambda c, _: (body(c, w), None), x, length=2)[0]

    w = torch.zeros(3)
    with pytest.raises((CompileError, RuntimeError), match=text):
        fast = torch.compile(f, fullgraph=True)
        for _ in range(3):
            fast(torch.ones(3), w)


def test_a_backward_pass_in_a_body_runs_as_it_is_written():
    p = torch.tensor([1.0, 2.0]).requires_grad_()

    def f(x):
        def body(c, v):
            (p * p).sum().backward()
            return c + v, None

        return torch.scan(body, x[0] * 0, x)[0]

    fast, found = torch.compile(f), []
    with pytest.warns(UserWarning, match="scan: expected functions without a backward pass"):
        for call in (fast, f):
            p.grad = None
            for _ in range(4):
                call(torch.ones(3))
            found.append(p.grad.clone())
    assert torch.equal(*found)


@pytest.mark.parametrize("name", ["generator", "value"])
def test_what_is_refused_runs_as_it_is_written(name):
    body = REFUSED[name][0]
    w = torch.zeros(3)

    def f(x):
        return torch.scan(lambda c, _: (body(c, w), None), x, length=3)[0]

    found = []
    for call in (torch.compile(f), f):
        OWN.manual_seed(0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found.append([call(torch.ones(3)) for _ in range(4)])
    for got, want in zip(*found, strict=True):
        assert torch.equal(got, want)


def test_a_recording_has_one_node_for_each():
    def f(x):
        y = torch.cond(x.sum() > 0, lambda x: x * 2, lambda x: -x, (x,))
        (z,) = torch.while_loop(lambda z: z.sum() < 10, lambda z: (z * 2,), (y,))
        return torch.scan(lambda c, v: (c + v, None), z[0] * 0, z)[0]

    graph = record(f, torch.ones(3))
    graph.verify()
    assert [node.op for node in graph.nodes if node.op in REGIONS] == ["cond", "while_loop", "scan"]
    for x in (torch.ones(3), -torch.ones(3) * 2, torch.ones(3) * 9):
        assert torch.equal(graph.run(x), f(x))
    again = type(graph).parse(graph.to_text(), graph.state_dict())
    assert torch.equal(again.run(-torch.ones(3)), f(-torch.ones(3)))


def test_a_recording_says_why_there_is_no_sub_graph():
    with pytest.raises(RuntimeError, match="scan has no sub-graph: .*in place"):
        record(lambda x: torch.scan(lambda c, _: (c + x.add_(1), None), x, length=2)[0], torch.ones(3))


@pytest.mark.parametrize("transform", ["jacrev", "jacfwd", "hessian"])
def test_transforms_through_a_scan(transform):
    def path(x):
        last, ys = torch.scan(lambda c, v: ((c * 0.9 + v).sin(), c * v), x[0] * 0, x)
        return last * ys.sum()

    f = getattr(torch.func, transform)(path)
    fast = torch.compile(f, fullgraph=True)
    for k in range(5):
        x = torch.arange(12.0, dtype=torch.float64).reshape(4, 3).sin() + k
        assert torch.allclose(fast(x), f(x), rtol=1e-10, atol=1e-12)
    assert fast.plans == 1
