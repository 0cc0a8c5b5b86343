"""Memory budgets: kept by recomputing, with the same bits, or refused with the smallest budget that works."""

import pytest

import wengert as w
from wengert import nn
from wengert.graph import MemoryBudgetError, Plan, record


def deep_step(depth=6, width=64):
    """A training step of a deep network with normalisation and dropout, and its state."""
    w.manual_seed(0)
    layers = []
    for _ in range(depth):
        layers += [nn.Linear(width, width), nn.GELU(), nn.LayerNorm(width), nn.Dropout(0.1)]
    model = nn.Sequential(*layers, nn.Linear(width, 4))
    opt = w.optim.AdamW(model.parameters())

    def step(x, y):
        opt.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        opt.step()
        return loss.detach()

    x, y = w.randn(96, width), w.randint(0, 4, (96,))
    step(x, y)
    return model, step, x, y


def peak(plan):
    """The most bytes that are alive at one moment; overlaps and what lies outside of the arena fail: an independent check.

    Goes through the moments one by one with the rows of the layout alone.
    """
    rows = plan._core.layout()
    arena = plan.memory()["arena"]
    most = 0
    for moment in range(max((last for *_, last in rows), default=-1) + 1):
        alive = sorted((at, at + size) for _, at, size, first, last in rows if first <= moment <= last)
        # At the moment of a value's birth, one that dies there may hand its memory on.
        settled = sorted((at, at + size) for _, at, size, first, last in rows if first <= moment < last)
        for (_, end), (start, _) in zip(settled, settled[1:], strict=False):
            assert end <= start
        assert all(0 <= start and end <= arena for start, end in alive)
        most = max(most, max((end for _, end in alive), default=0))
    return most


def outcome(budget, runs=3):
    model, step, x, y = deep_step()
    plan = Plan(record(step, x, y), memory_budget=budget)
    losses = [plan(x, y).item() for _ in range(runs)]
    return plan, losses, [p.detach().clone() for p in model.parameters()]


def smallest():
    """The smallest budget of the step."""
    with pytest.raises(MemoryBudgetError) as caught:
        outcome(0)
    return caught.value.smallest


def test_budgets_are_kept_with_the_same_bits():
    free, losses, params = outcome(None)
    everything = free.memory()["arena"]
    assert peak(free) <= everything
    for share in (1.0, 0.7, 0.5, 0.45):
        budget = int(everything * share)
        plan, got, now = outcome(budget)
        assert plan.memory()["arena"] <= budget and peak(plan) <= budget
        assert got == losses
        assert all(a.numpy().tobytes() == b.numpy().tobytes() for a, b in zip(now, params, strict=True))
        assert bool(plan.fitting.copies) == (share < 1)
        if share < 1:
            assert plan.graph.verify() is None
            assert "recomputed:" in plan.explain() and f"of {budget} bytes" in plan.explain()
            assert 0 < plan.fitting.share < 2


def test_a_budget_that_is_too_small_names_one_that_works():
    least = smallest()
    plan, losses, _ = outcome(least)
    assert plan.memory()["arena"] == least == peak(plan)
    assert losses == outcome(None)[1]
    with pytest.raises(MemoryBudgetError, match=f"memory_budget={least} or more"):
        outcome(least - 1)


@pytest.mark.parametrize(
    ("budget", "error"), [(1.5, TypeError), ("1 MB", TypeError), (True, TypeError), (-1, ValueError)]
)
def test_budgets_are_bytes(budget, error):
    graph = record(lambda x: x * 2, w.ones(3))
    with pytest.raises(error, match="memory_budget"):
        Plan(graph, memory_budget=budget)
    with pytest.raises(error, match="memory_budget"):
        w.compile(lambda x: x, memory_budget=budget)


def test_long_chains_are_made_again_in_segments():
    def chain(x):
        for _ in range(200):
            x = (x.cumsum(0) * 0.01).sin()
        return x.sum()

    x = w.randn(50, 50, requires_grad=True)
    graph = record(lambda x: w.autograd.grad(chain(x), x)[0], x)
    free = Plan(graph)
    budget = free.memory()["arena"] // 8
    plan = Plan(graph, memory_budget=budget)
    assert peak(plan) <= budget and w.equal(plan(x), free(x))
    assert plan.fitting.share < 1.5  # not a chain made again from its start for every node


def test_values_that_an_update_overwrites_are_not_read_again():
    def run(budget):
        w.manual_seed(0)
        a, b = nn.Linear(32, 32), nn.Linear(32, 32)
        first, second = w.optim.SGD(a.parameters(), lr=0.1), w.optim.SGD(b.parameters(), lr=0.1)

        def step(x):
            first.zero_grad()
            hidden = [a(x).tanh()]
            for _ in range(6):
                hidden.append(hidden[-1].cumsum(1).tanh())
            hidden[-1].sum().backward(retain_graph=True)
            first.step()
            second.zero_grad()
            loss = sum((b(h.detach()).sigmoid() * h.detach()).sum() for h in hidden)
            loss.backward()
            second.step()
            return loss.detach()

        x = w.randn(64, 32)
        step(x)
        plan = Plan(record(step, x), memory_budget=budget)
        return plan, [plan(x).item() for _ in range(3)], a.weight.detach().clone(), b.weight.detach().clone()

    free, losses, *params = run(None)
    with pytest.raises(MemoryBudgetError) as caught:
        run(0)
    plan, got, *now = run(caught.value.smallest)
    assert peak(plan) == caught.value.smallest < free.memory()["arena"]
    assert got == losses and all(w.equal(p, q) for p, q in zip(now, params, strict=True))


def test_graphs_by_hand_with_sizes_by_name():
    weights = [w.randn(16, 16) for _ in range(8)]
    g = w.Graph("deep")
    x = g.input("x", (None, 16))
    y = x
    for k, weight in enumerate(weights):
        y = (y @ g.parameter(f"w{k}", weight)).tanh()
    g.output(y.sum(), g.gradients(y.sum(), x))
    free, tight = g.compile(), g.compile(memory_budget=10 * 1024)
    for n in (3, 20):
        v = w.randn(n, 16)
        for a, b in zip(free(v), tight(v), strict=True):
            assert w.equal(a, b)
    assert [bool(p.fitting.copies) for p in tight.plans.values()] == [False, True]
    with pytest.raises(MemoryBudgetError, match="deep"):
        tight(w.randn(500, 16))


def test_loops_without_known_memory_are_refused():
    g = w.Graph("loop")
    x = g.input("x", (3,))
    with g:
        n, y = w.while_loop(lambda n, y: n < 3, lambda n, y: (n + 1, y.sin()), (w.tensor(0), x))
        g.output(g.gradients(y.sum(), x))
    with pytest.raises(RuntimeError, match="while_loop"):
        g.compile(memory_budget=1000)


def test_compiled_functions_keep_a_budget():
    def losses(budget):
        _, step, x, y = deep_step()
        fast = w.compile(step, memory_budget=budget, fullgraph=True)
        return [fast(x, y).item() for _ in range(6)], fast

    expected, free = losses(None)
    budget = free.plan.memory()["arena"] // 2
    got, tight = losses(budget)
    assert got == expected and tight.plans == 1
    assert peak(tight.plan) <= budget and "recomputed" in tight.explain()
    with pytest.raises(MemoryBudgetError):
        losses(100)


def test_forward_and_backward_plans_share_a_budget():
    def gradients(budget):
        w.manual_seed(0)
        model = nn.Sequential(*[m for _ in range(6) for m in (nn.Linear(32, 32), nn.GELU(), nn.Dropout(0.2))])
        fast = w.compile(model, memory_budget=budget)
        x = w.randn(128, 32)
        found = []
        for _ in range(5):
            model.zero_grad()
            fast(x).square().sum().backward()
            found.append([p.grad.clone() for p in model.parameters()])
        return found, fast._compiled

    expected, free = gradients(None)
    with pytest.raises(MemoryBudgetError) as caught:
        gradients(1)
    got, tight = gradients(caught.value.smallest)
    assert tight.plans == free.plans == 1 and "recomputed" in tight.explain()
    for a, b in zip(got, expected, strict=True):
        assert all(w.equal(p, q) for p, q in zip(a, b, strict=True))
    pair = tight._latest.joint
    held = sum(t.numel() * 4 for t in pair.forward.outputs([w.randn(128, 32)])[pair.count :])
    used = pair.forward.memory()["arena"] + pair.backward.memory()["arena"] + held
    assert used == caught.value.smallest
    pair = free._latest.joint
    held = sum(t.numel() * 4 for t in pair.forward.outputs([w.randn(128, 32)])[pair.count :])
    assert used < 0.7 * (pair.forward.memory()["arena"] + pair.backward.memory()["arena"] + held)


def test_a_value_is_not_kept_for_its_shape():
    def gradient(x, of):
        y = x
        for _ in range(3):
            y = y.cumsum(0).mean(0).expand(1000).sin()
        return of(y.sum(), x)

    g = w.Graph("shapes")
    x = g.input("x", (1000,))
    g.output(gradient(x, g.gradients))
    plan = Plan(g)
    v = w.randn(1000).requires_grad_()
    assert w.equal(plan(v.detach()), gradient(v, lambda y, x: w.autograd.grad(y, x)[0]))
    # The gradient of a mean asks for the shape of what it was taken of, and for nothing else.
    kept = {node.op for node in plan.graph.nodes if node.gradient_of is not None}
    assert "mean_embed" in kept and peak(plan) < 4 * 4032
