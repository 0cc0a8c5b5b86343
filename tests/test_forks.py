"""Branches side by side: found where they pay, no memory shared, the same bits, errors and interrupts as in order."""

import itertools

import pytest
from ctrl_c import press_ctrl_c

import wengert as w
from wengert import _core as core
from wengert import nn
from wengert.graph import Graph, Plan, record

F = nn.functional


@pytest.fixture(autouse=True)
def threads():
    before = core.threads()
    yield
    core.set_threads(before)


def tower(width=96, depth=10, norm=False):
    layers = []
    for _ in range(depth):
        layers += [nn.Linear(width, width), nn.Tanh()] + [nn.LayerNorm(width)] * norm
    return nn.Sequential(*layers, nn.Linear(width, 3))


class Towers(nn.Module):
    def __init__(self, count, first=None, **options):
        super().__init__()
        self.first = first or nn.Identity()
        self.towers = nn.ModuleList(tower(**options) for _ in range(count))

    def forward(self, x):
        x = self.first(x)
        return sum(t(x) for t in self.towers)


def training(model, optimizer="Adam"):
    opt = getattr(w.optim, optimizer)(model.parameters(), lr=1e-3)

    def step(x, y):
        opt.zero_grad()
        loss = F.mse_loss(model(x), y)
        loss.backward()
        opt.step()
        return loss.detach()

    return step


def racing(plan):
    """Pairs of steps of different branches that touch the same memory, one of them to write: an independent check."""
    place = {v: (at, at + size) for v, at, size, _, _ in plan._core.layout()}
    touched = plan._core.touched()
    found = []

    def clash(a, b):
        written = [place[v] for v in touched[a][1] if v in place]
        used = [place[v] for v in touched[b][0] + touched[b][1] if v in place]
        return any(lo < end and start < hi for lo, hi in written for start, end in used)

    for begin, end, branches, after in plan._core.forks():
        assert sorted(itertools.chain(*branches, after)) == list(range(begin, end))
        for some, other in itertools.permutations(branches, 2):
            found += [(a, b) for a, b in itertools.product(some, other) if clash(a, b)]
        # Steps that stand before a branch's step, and run behind it.
        moved = [(a, b) for a, b in itertools.product(after, itertools.chain(*branches)) if a < b]
        found += [(a, b) for a, b in moved if clash(a, b) or clash(b, a)]
    return found


def bidirectional():
    w.manual_seed(0)
    model = nn.LSTM(48, 48, bidirectional=True)
    return lambda x: model(x)[0], (w.randn(24, 2, 48),)


def two_scans():
    def f(x, p):
        run = [w.scan(lambda c, v: ((c @ p + v).tanh(), c * v), x[0] * 0, x, reverse=r)[1] for r in (False, True)]
        return run[0] + run[1]

    w.manual_seed(0)
    graph = Graph("directions")
    x, p = graph.input("x", (60, 8, 48)), graph.input("p", (48, 48))
    graph.output(f(x, p))
    return graph, (w.randn(60, 8, 48), w.randn(48, 48) * 0.1)


def ensemble(count=3, **options):
    w.manual_seed(0)
    model = Towers(count, **options)
    return model, (w.randn(32, options.get("width", 96)),)


PROGRAMS = {
    "towers": lambda: ensemble(2),
    "many": lambda: ensemble(20, depth=3),
    "behind a first layer": lambda: ensemble(3, first=nn.Sequential(nn.Linear(96, 96), nn.ReLU())),
    "with forward functions": lambda: ensemble(3, norm=True),
    "losses": lambda: (
        lambda *xs: [F.softmax(x @ x.T, -1).log().tanh().cumsum(0).sum() for x in xs],
        tuple(w.randn(100, 100) for _ in range(4)),
    ),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_branches_share_no_memory_and_compute_the_same_bits(name):
    f, inputs = PROGRAMS[name]()
    with w.no_grad():
        want = f(*inputs)
        plan = Plan(record(f, *inputs), exact=True)
        assert plan._core.forks() and racing(plan) == []
        for threads, _ in itertools.product((1, 2, 3), range(20)):
            core.set_threads(threads)
            got = plan(*inputs)
            pairs = zip(got, want, strict=True) if isinstance(want, list) else [(got, want)]
            assert all(w.equal(*pair) for pair in pairs)


def test_two_directions():
    f, (x,) = bidirectional()
    with w.no_grad():
        plan = Plan(record(f, x))
        assert racing(plan) == []
        for threads in (1, 2, 3):
            core.set_threads(threads)
            assert w.equal(plan(x), f(x))


def test_loops_side_by_side():
    graph, inputs = two_scans()
    plan = Plan(graph)
    (fork,) = plan._core.forks()
    assert len(fork[2]) >= 2 and racing(plan) == []
    core.set_threads(1)
    want = plan(*inputs)
    for _ in range(10):
        core.set_threads(2)
        assert w.equal(plan(*inputs), want)


@pytest.mark.parametrize("optimizer", ["SGD", "Adam"])
@pytest.mark.parametrize("dropout", [False, True])
def test_training_side_by_side(optimizer, dropout):
    outcomes = []
    for threads in (0, 1, 2, 3):  # 0: eager
        w.manual_seed(0)
        core.set_threads(max(1, threads))
        model = Towers(3, first=nn.Dropout(0.2) if dropout else None)
        step, x, y = training(model, optimizer), w.randn(32, 96), w.randn(32, 3)
        step(x, y)
        run = step
        if threads:
            run = Plan(record(step, x, y), exact=True)
            assert len(run._core.forks()) == 2 and racing(run) == []  # forward and backward
        else:
            step(x, y)  # as a recording does
        w.manual_seed(1)
        losses = [run(x, y).item() for _ in range(5)]
        outcomes.append((losses, [p.detach().clone() for p in model.parameters()]))
    for losses, parameters in outcomes[1:]:
        assert losses == outcomes[0][0]
        assert all(w.equal(p, q) for p, q in zip(parameters, outcomes[0][1], strict=True))


def random_graph(seed):
    """Chains of products and elementwise steps that now and then meet."""
    generator = w.Generator().manual_seed(seed)
    choices = [w.randint(0, n, (120,), generator=generator).tolist() for n in (7, 5, 5)]

    def f(x, p):
        steps = [
            lambda a, b: a @ p,
            lambda a, b: a.tanh(),
            lambda a, b: a - a.mean(0),
            lambda a, b: a * a.sigmoid(),
            lambda a, b: F.softmax(a, -1),
            lambda a, b: a.t().contiguous().t(),
            lambda a, b: (a + b) * 0.5 if seed % 5 == 0 else a.square(),
        ]
        chains = [x, x * 2, x + 1, x.tanh(), x @ p]
        for what, at, other in zip(*choices, strict=True):
            chains[at] = steps[what](chains[at], chains[other])
        return [c.sum(0) for c in chains]

    return f


@pytest.mark.parametrize("seed", range(25))
def test_random_graphs(seed):
    f = random_graph(seed)
    w.manual_seed(seed)
    x, p = w.randn(64, 64), w.randn(64, 64) * 0.1
    plan = Plan(record(f, x, p), exact=True)
    assert racing(plan) == []
    for threads in (1, 2):
        core.set_threads(threads)
        assert all(w.equal(a, b) for a, b in zip(plan(x, p), f(x, p), strict=True))


def test_random_graphs_have_forks():
    x, p = w.randn(64, 64), w.randn(64, 64) * 0.1
    found = [bool(Plan(record(random_graph(seed), x, p))._core.forks()) for seed in range(25)]
    assert sum(found) > 5


def test_where_nothing_is_gained():
    w.manual_seed(0)
    single, large, tiny = Towers(1, depth=12), Towers(2, width=512, depth=2), Towers(4, width=8)
    for model, x in ((single, w.randn(32, 96)), (large, w.randn(256, 512)), (tiny, w.randn(4, 8))):
        step = training(model)
        y = w.randn(len(x), 3)
        step(x, y)
        plan = Plan(record(step, x, y))
        assert plan._core.forks() == [] and "side by side" not in plan.explain()


def test_said_by_explain_and_left_out_under_a_budget():
    model, (x,) = ensemble(2)
    plan = Plan(record(model, x))
    ((begin, end, branches, _),) = plan._core.forks()
    sizes = ", ".join(str(len(b)) for b in branches)
    assert (
        f"side by side: steps {begin + 1} to {end} in {len(branches)} branches of {sizes} steps." in plan.explain()
    )
    budget = plan.memory()["arena"]
    assert Plan(record(model, x), memory_budget=budget)._core.forks() == []
    timed = plan.profile(x, repeat=3)  # step by step
    assert all(seconds > 0 for *_, seconds in timed)


def test_inside_of_a_loop():
    w.manual_seed(0)
    a, b = tower(depth=8), tower(depth=8)
    graph = Graph("loop")
    x = graph.input("x", (32, 96))
    with w.no_grad():
        graph.output(w.scan(lambda c, _: (c + 0.1 * (a(c) + b(c)).sum(), None), x, length=5)[0])
    plan = Plan(graph)
    values = w.randn(32, 96)
    core.set_threads(1)
    want = plan(values)
    core.set_threads(2)
    assert all(w.equal(plan(values), want) for _ in range(10))


@pytest.mark.parametrize("bad", [(0,), (2,), (1, 2), (0, 1, 2)])
def test_the_first_error_counts(bad):
    w.manual_seed(0)
    towers = [tower() for _ in range(3)]
    tables = [w.randn(10 + k, 96) for k in range(3)]
    counter = w.zeros(3)

    def f(x, *indices):
        y = [t(F.embedding(i, e) + x) for t, e, i in zip(towers, tables, indices, strict=True)]
        counter.add_(1)
        return sum(y)

    x, good = w.randn(32, 96), [w.randint(0, 10, (32,)) for _ in range(3)]
    with w.no_grad():
        want = f(x, *good)
        plan = Plan(record(f, x, *good))
        assert any(len(branches) == 3 for _, _, branches, _ in plan._core.forks()) and racing(plan) == []
        wrong = [i + 50 if k in bad else i for k, i in enumerate(good)]
        texts = set()
        for threads in (1, 2, 3, 2):
            core.set_threads(threads)
            counter.zero_()
            with pytest.raises(IndexError) as caught:
                plan(x, *wrong)
            texts.add(str(caught.value))
            assert w.equal(counter, w.zeros(3))
            assert w.equal(plan(x, *good), want) and w.equal(counter, w.ones(3))
    assert len(texts) == 1 and str(len(tables[bad[0]])) in texts.pop()


LONG = """
import wengert as w
from wengert.graph import Graph, Plan
w.set_num_threads({threads})
g = Graph("long")
x, p = g.input("x", (8, 48)), g.input("p", (48, 48))

def loop(k, n):
    "A scan or a while_loop; n < 0: that many rounds of a while_loop, whose length no plan knows."
    if n > 0:
        return w.scan(lambda c, _: ((c @ p).tanh(), None), x * k, length=n)[0]
    return w.while_loop(lambda i, c: i < -n, lambda i, c: (i + 1, (c @ p).tanh()), (x.sum() * 0, x * k))[1]

g.output(*[loop(k, n) for k, n in {loops}])
plan = Plan(g)
assert plan._core.forks()
x, p = w.randn(8, 48), w.randn(48, 48)
print("ready", flush=True)
try:
    plan(x, p)
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("loops", [[(1, 10**8), (2, 10**8)], [(1, -(10**7)), (2, -1)], [(1, -1), (2, -(10**7))]])
def test_ctrl_c_reaches_all_branches(threads, loops):
    took, _ = press_ctrl_c(LONG.format(threads=threads, loops=loops), 1)
    assert took < 3
