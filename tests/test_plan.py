"""Plans: a recorded training step gives the same bits as the step, and memory is laid out without overlap."""

import itertools

import pytest

import wengert as w
from wengert import nn
from wengert.graph import Plan, record

OPTIMIZERS = {
    "SGD": lambda p: w.optim.SGD(p, lr=0.1),
    "SGD with momentum": lambda p: w.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01),
    "Adam": lambda p: w.optim.Adam(p, lr=0.01, amsgrad=True),
    "AdamW": lambda p: w.optim.AdamW(p, lr=0.01),
    "RMSprop": lambda p: w.optim.RMSprop(p, lr=0.01, momentum=0.5, centered=True),
    "Adagrad": lambda p: w.optim.Adagrad(p, lr=0.01),
}


def make_step(optimizer, clip):
    w.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Dropout(0.25), nn.Linear(16, 2))
    opt = optimizer(model.parameters())

    def step(x, y):
        opt.zero_grad()
        loss = nn.functional.mse_loss(model(x), y)
        loss.backward()
        if clip:
            nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        opt.step()
        return loss

    return model, opt, step


@pytest.mark.parametrize("clip", [False, True])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_training_step(name, clip):
    model, opt, step = make_step(OPTIMIZERS[name], clip)
    reference, ref_opt, ref_step = make_step(OPTIMIZERS[name], clip)
    w.manual_seed(1)
    data = [(w.randn(8, 4), w.randn(8, 2)) for _ in range(12)]
    plan, losses, expected = None, [], []
    w.manual_seed(2)
    for k, (x, y) in enumerate(data):
        if k < 2:
            losses.append(step(x, y).item())
        elif k == 2:
            plan = Plan(record(lambda x, y: losses.append(step(x, y).detach()), x, y))
            losses[-1] = losses[-1].item()
        else:
            if k == 6:  # a changed learning rate takes effect
                opt.param_groups[0]["lr"] = 0.003
            plan(x, y)
            losses.append(0.0)
    w.manual_seed(2)
    for k, (x, y) in enumerate(data):
        if k == 6:
            ref_opt.param_groups[0]["lr"] = 0.003
        expected.append(ref_step(x, y).item())
    assert losses[:3] == expected[:3]
    for p, q in zip(model.parameters(), reference.parameters(), strict=True):
        assert w.equal(p, q) and w.equal(p.grad, q.grad)


def overlaps(rows):
    """Pairs of values that are alive at the same moment in overlapping memory: an independent check."""
    found = []
    for (a, at, size, first, last), (b, bt, size_b, first_b, last_b) in itertools.combinations(rows, 2):
        in_space = at < bt + size_b and bt < at + size
        in_time = first < last_b and first_b < last
        if in_space and in_time:
            found.append((a, b))
    return found


def test_memory_does_not_overlap():
    _, _, step = make_step(OPTIMIZERS["Adam"], True)
    x, y = w.randn(8, 4), w.randn(8, 2)
    step(x, y)
    plan = Plan(record(step, x, y))
    rows = plan._core.layout()
    assert len(rows) > 10 and overlaps(rows) == []
    assert all(at + size <= plan.memory()["arena"] for _, at, size, _, _ in rows)
    assert plan.memory()["arena"] < plan.memory()["without_reuse"]


def test_memory_of_a_chain_is_constant():
    def chain(x):
        for k in range(50):
            x = (x + k).cumsum(0)
        return x

    plan = Plan(record(chain, w.ones(1000)))
    assert plan.memory()["arena"] <= 3 * 4032


def test_writes_into_states():
    a, b = w.arange(3.0), w.ones(3)

    def swap(x):
        old = a.clone()
        a.copy_(b * x)
        b.copy_(old)
        return a.sum() + b.sum()

    plan = Plan(record(swap, w.ones(3)))
    a.copy_(w.arange(3.0))
    b.fill_(1.0)
    plan(w.full((3,), 2.0))
    assert a.tolist() == [2.0, 2.0, 2.0] and b.tolist() == [0.0, 1.0, 2.0]


def test_an_argument_may_share_memory_with_a_state():
    p = w.arange(4.0)
    plan = Plan(record(lambda x: p.mul_(2) + x, w.ones(4)))
    p.copy_(w.arange(4.0))
    expected = (p.clone() * 2) + p
    assert plan(p.detach()).tolist() == expected.tolist()


def test_arguments_that_share_memory_with_written_ones_in_any_order():
    def f(a, b, c, d):
        d.add_(b)
        a.mul_(2)
        c.sub_(b)
        return a + b + c + d

    plan = Plan(record(f, *[w.zeros(3) for _ in range(4)]))
    for shared in (0, 2, 3):
        given, expected = ([w.full((3,), k + 1.0) for k in range(4)] for _ in range(2))
        given[1] = given[shared]
        expected[1] = expected[shared].clone()
        assert w.equal(plan(*given), f(*expected))
        for k in (0, 2, 3):
            assert w.equal(given[k], expected[k])


def test_an_error_inside_leaves_states_as_they_were():
    table, counter = w.randn(5, 3), w.zeros(1)

    def look_up(index):
        counter.add_(1)
        return table[index]

    plan = Plan(record(look_up, w.tensor([1, 2])))
    before = counter.clone()
    with pytest.raises(IndexError):
        plan(w.tensor([1, 7]))
    assert w.equal(counter, before)
    assert w.equal(plan(w.tensor([0, 4])), table[w.tensor([0, 4])])
    assert w.equal(counter, before + 1)


def test_broadcast_and_strided_operands_in_groups():
    def f(x, row, column, other):
        y = (x + row) * column.tanh() - other.T
        return y.exp() * (x > row).to(x.dtype), w.where(x > other.T, y, row)

    args = w.randn(33, 70), w.randn(70), w.randn(33, 1), w.randn(70, 33)
    plan = Plan(record(f, *args))
    args = w.randn(33, 70), w.randn(70), w.randn(33, 1), w.randn(70, 33)
    for a, b in zip(plan(*args), f(*args), strict=True):
        assert w.equal(a, b)


def test_large_groups_are_the_same_for_any_number_of_threads():
    x = w.randn(100_001)
    plan = Plan(record(lambda x: (x * 2 + 1).tanh() * x, x))
    before = w.get_num_threads()
    try:
        results = []
        for n in (1, 2, 3):
            w.set_num_threads(n)
            results.append(plan(x))
    finally:
        w.set_num_threads(before)
    assert w.equal(results[0], results[1]) and w.equal(results[0], results[2])


def test_calls_with_other_arguments_are_refused():
    plan = Plan(record(lambda x: x * 2, w.ones(3)))
    with pytest.raises(RuntimeError, match="shape"):
        plan(w.ones(4))
    with pytest.raises(RuntimeError, match="float64"):
        plan(w.ones(3, dtype=w.float64))
    with pytest.raises(ValueError, match="inputs"):
        plan()
    with pytest.raises(TypeError, match="tensors"):
        plan(1.0)
    assert plan(w.ones(6)[::2]).tolist() == [2.0, 2.0, 2.0]


def test_what_looks_at_a_parameter_reads_its_new_value_after_a_step():
    results = []
    for planned in (False, True):
        model, opt, _ = make_step(OPTIMIZERS["SGD"], False)
        x = w.ones(8, 4)

        def step(x, model=model, opt=opt):
            row = model[0].weight.detach()[0]
            opt.zero_grad()
            model(x).sum().backward()
            opt.step()
            return row * 1.0

        model.eval()
        run = Plan(record(step, x)) if planned else lambda x, step=step: step(x) is None or step(x)
        results.append(run(x))
    assert w.equal(*results)


# ---- many steps, many inputs ------------------------------------------------------------------------------------------


def test_run_feeds_batches_and_collects():
    model, opt, step = make_step(OPTIMIZERS["Adam"], True)
    reference, _, ref_step = make_step(OPTIMIZERS["Adam"], True)
    w.manual_seed(1)
    xs, ys = w.randn(10, 8, 4), w.randn(10, 8, 2)
    w.manual_seed(2)
    step(xs[0], ys[0])
    plan = Plan(record(lambda x, y: step(x, y).detach(), xs[1], ys[1]))
    losses = plan.run(8, xs[2:], ys[2:])
    w.manual_seed(2)
    expected = [ref_step(x, y).item() for x, y in zip(xs, ys, strict=True)]
    assert losses.tolist() == expected[2:]
    for p, q in zip(model.parameters(), reference.parameters(), strict=True):
        assert w.equal(p, q) and w.equal(p.grad, q.grad)


def test_run_with_inputs_that_stay_and_without_collecting():
    total = w.zeros(3)

    def add(x, y):
        total.add_(x * y)
        return total.sum(), x

    plan = Plan(record(add, w.ones(3), w.ones(())))
    total.zero_()
    sums, xs = plan.run(4, w.ones(3), w.arange(4.0))
    assert sums.tolist() == [0.0, 3.0, 9.0, 18.0] and xs.shape == (4, 3)
    total.zero_()
    last, x = plan.run(4, w.arange(12.0).reshape(4, 3), w.ones(()), collect=False)
    assert last.item() == 66.0 and x.tolist() == [9.0, 10.0, 11.0]
    empty, _ = plan.run(0, w.ones(0, 3), w.ones(()))
    assert empty.shape == (0,)
    with pytest.raises(ValueError, match="steps"):
        plan.run(-1, w.ones(3), w.ones(()))
    with pytest.raises(RuntimeError, match="shape"):
        plan.run(2, w.ones(3, 3), w.ones(()))


def test_map_evaluates_many_sets_of_inputs():
    def f(a, b):
        y = (a * b).sin() + b.exp()
        return y, w.autograd.grad(y, (a, b))

    def value_and_gradient(a, b):
        a, b = a.detach().requires_grad_(), b.detach().requires_grad_()
        return f(a, b)

    one = w.tensor(0.5, dtype=w.float64)
    plan = Plan(record(value_and_gradient, one, one))
    a, b = w.randn(1000, dtype=w.float64), w.randn(1000, dtype=w.float64)
    y, (ga, gb) = plan.map(a, b)
    for k in (0, 1, 999):
        expected, (ea, eb) = value_and_gradient(a[k], b[k])
        assert w.allclose(y[k], expected) and w.allclose(ga[k], ea) and w.allclose(gb[k], eb)
    with pytest.raises(RuntimeError, match="shape"):
        plan.map(a, b[:10])
    with pytest.raises(RuntimeError, match="writes"):
        p = w.zeros(2)
        Plan(record(lambda x: p.add_(x), w.ones(2))).map(w.ones(3, 2))


def test_a_plan_that_is_running_refuses_a_second_run():
    p = w.ones(2, requires_grad=True)
    opt = w.optim.SGD([p], lr=0.1)
    x = w.ones(2)

    def step(x):
        opt.zero_grad()
        (p * x).sum().backward()
        opt.step()

    step(x)
    plan = Plan(record(step, x))
    update = plan._core.hosts[0]
    plan._core.hosts[0] = lambda _: plan(x)
    with pytest.raises(RuntimeError, match="one run at a time"):
        plan(x)
    plan._core.hosts[0] = update
    plan(x)


def test_sub_graphs_run_inside_of_a_plan():
    g = w.Graph("regions")
    x = g.input("x", (3,))
    with g:
        y = w.cond(x.sum() > 0, lambda x: x * 2, lambda x: -x, (x,))
        total, sums = w.scan(lambda c, v: (c + v, c * v), x.sum() * 0, x * 1.0)
        g.output(y + 1, total, sums)
    plan = Plan(g)
    assert [names for kind, names, _ in plan.steps() if kind == "region"] == [["cond"], ["scan"]]
    for sign in (1.0, -1.0):
        v = w.tensor([1.0, 2.0, 3.0]) * sign
        y, total, sums = plan(v)
        assert w.equal(y, (v * 2 if sign > 0 else -v) + 1)
        assert total.item() == v.sum().item() and sums.tolist() == [0.0, 2.0, 9.0]
    ys, totals, _ = plan.run(2, w.tensor([[1.0, 2.0, 3.0], [-1.0, -2.0, -3.0]]))
    assert ys.tolist() == [[3.0, 5.0, 7.0], [2.0, 3.0, 4.0]] and totals.tolist() == [6.0, -6.0]


def test_profile_measures_steps():
    plan = Plan(record(lambda x: (x @ x).tanh().exp().sum(), w.ones(200, 200)))
    rows = plan.profile(w.ones(200, 200), repeat=3)
    assert [names for _, names, _, _ in rows] == [["matmul"], ["tanh", "exp", "sum"]]
    assert all(0 < seconds < 1 for _, _, _, seconds in rows) and max(rows, key=lambda r: r[3])[1] == ["matmul"]
    with pytest.raises(ValueError, match="at least one"):
        plan.profile(w.ones(200, 200), repeat=0)


@pytest.mark.parametrize("dtype", [w.float32, w.float64])
@pytest.mark.parametrize("n", [2047, 2048, 16384, 16384 + 3, 40_000])
@pytest.mark.parametrize("first", [0, 1, 5, 15])
def test_operands_that_begin_anywhere(dtype, n, first):
    """Blocks begin with lines of the cache in the operand that is read most; no element is left out or made twice."""
    memory = w.randn(n + 20, dtype=dtype)
    before, shift = memory.clone(), w.randn(n, dtype=dtype)

    def f(x, shift):
        power = x * x
        y = x * 0.5 + power * x + shift
        x.copy_(x * x - power * 0.25 + y)
        return y

    x = memory[first : first + n]
    plan = Plan(record(f, x.clone(), shift))
    expected = before[first : first + n].clone()
    assert w.equal(plan(x, shift), f(expected, shift))
    assert w.equal(x, expected)
    assert w.equal(memory[:first], before[:first]) and w.equal(memory[first + n :], before[first + n :])
