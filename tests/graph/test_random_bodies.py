"""Random draws in functions of cond, while_loop and scan: those of a plain loop, and again in backward passes."""

import threading

import pytest

import wengert as w
from wengert import _host
from wengert.graph import Graph, Plan, record

F = w.nn.functional


def dropout_example(x, p):
    last, ys = w.scan(lambda c, v: (F.dropout((c * p + v).tanh(), 0.4), F.dropout(c * v, 0.5)), x[0], x)
    return (last * last).sum() + (ys * ys).sum()


def noise_example(x, p):
    def step(c, v):
        near = w.randn_like(c) * p + w.randn(3, dtype=c.dtype) * c
        return c + (c * p).sin() * 0.1 + near * 0.3, w.rand_like(p) * v

    last, ys = w.scan(step, x[0], x, reverse=True)
    return (last * last).sum() + (ys * ys).sum()


def while_example(x, p):
    n, y = w.while_loop(
        lambda n, y: n < 4,
        lambda n, y: (n + 1, F.dropout((y * p).sin() + y, 0.3) + w.rand_like(y) * y),
        (w.tensor(0), x),
    )
    return (y * y).sum()


def geometric_example(x, p):
    """The condition draws as well: how often the loop goes round is random."""
    n, y = w.while_loop(
        lambda n, y: (w.rand(()) < 0.8) & (n < 30),
        lambda n, y: (n + 1, y * p + y + w.rand(3, dtype=y.dtype) * p),
        (w.tensor(0), x[0]),
    )
    return (y * y).sum() + (p * p).sum()


def cond_example(x, p):
    before = w.rand_like(x)
    y = w.cond(
        before.sum() < 6,
        lambda v: F.dropout(v * p, 0.5).sum(),
        lambda v: (v * w.randn_like(v) * p).exp().sum(),
        (x,),
    )
    return y * y + (before * x).sum()


def nested_example(x, p):
    def outer(c, v):
        def inner(d, u):
            return F.dropout(d * u * p + d, 0.2), w.rand_like(d).sum() * u * p

        last, ys = w.scan(inner, F.dropout(c, 0.3), v.reshape(3, 1) * w.ones(3, dtype=x.dtype))
        chosen = w.cond(w.rand(()) < 0.5, lambda z: F.dropout(z * p, 0.5), lambda z: z * w.rand_like(z), (last,))
        return chosen + w.rand(3, dtype=x.dtype) * c, ys.sum(0) * w.rand_like(c)

    last, ys = w.scan(outer, x[0], x)
    return (last * last).sum() + ys.sum()


def kinds_example(x, p):
    """Draws of every kind, those that the host makes among them."""

    def step(c, v):
        picked = c[w.multinomial((c * p).softmax(0), 2, replacement=True)].sum()
        two = w.ones(3, dtype=x.dtype) * 2
        gamma = w.distributions.Gamma(two, two, validate_args=False).rsample()
        waiting = w.empty(3, dtype=x.dtype).exponential_()
        coin = w.bernoulli(v.sigmoid()) + w.empty_like(v).bernoulli_(0.5)
        whole = w.randint(0, 5, (3,)) + w.randint_like(v, 3)
        near = w.normal(v, 0.5) + w.normal(v, two) + w.normal(0.0, 1.0, (3,), dtype=x.dtype)
        return c * p + gamma * c + picked * 0.1 + waiting * coin + whole * 0.1 * c + near, v[w.randperm(3)] * p

    last, ys = w.scan(step, x[0], x)
    return (last * last).sum() * 0.01 + ys.sum()


def module_example(x, p):
    """Masks inside of larger operations: attention, whole channels."""
    drop, channels = w.nn.Dropout(0.5), w.nn.Dropout1d(0.5)

    def step(c, v):
        q = (c * p + v).reshape(1, 3, 1)
        seen = F.scaled_dot_product_attention(q, q, q, dropout_p=0.5).reshape(3)
        return drop(seen) + c, channels(seen.reshape(1, 3, 1)).reshape(3)

    last, ys = w.scan(step, x[0], x)
    return (last * last).sum() + ys.sum()


EXAMPLES = [
    dropout_example,
    noise_example,
    while_example,
    geometric_example,
    cond_example,
    nested_example,
    kinds_example,
    module_example,
]


def operands():
    x = w.arange(12.0, dtype=w.float64).reshape(4, 3).sin().requires_grad_()
    return x, w.tensor([0.3, -0.2, 0.5], dtype=w.float64).requires_grad_()


def with_gradients(f, x, p):
    """The loss, first and second gradients, and what is drawn next."""
    loss = f(x, p)
    first = w.autograd.grad(loss, [x, p], create_graph=True)
    second = w.autograd.grad(sum((g * g).sum() for g in first), [x, p])
    return [t.detach() for t in (loss, *first, *second)] + [w.rand(2)]


def check(got, want, exact=()):
    for k, (a, b) in enumerate(zip(got, want, strict=True)):
        assert w.equal(a, b) if k in exact else w.allclose(a, b, rtol=1e-8, atol=1e-10), k


@pytest.mark.parametrize("f", EXAMPLES, ids=lambda f: f.__name__)
def test_compiled_calls_draw_what_plain_calls_draw(f):
    x, p = operands()
    w.manual_seed(1)
    expected = [with_gradients(f, x, p) for _ in range(5)]
    fast = w.compile(f, fullgraph=True)
    w.manual_seed(1)
    for want in expected:
        loss = fast(x, p)
        found = w.autograd.grad(loss, [x, p])
        check([loss.detach(), *found, w.rand(2)], [*want[:3], want[-1]], exact=(0, 3))
    assert fast.plans == 1
    whole = w.compile(lambda x, p: with_gradients(f, x, p), fullgraph=True)
    w.manual_seed(1)
    for want in expected:
        check(whole(x, p), want, exact=(0, 5))
    assert whole.plans == 1


@pytest.mark.parametrize("f", EXAMPLES, ids=lambda f: f.__name__)
def test_graphs_by_hand_draw_what_plain_calls_draw(f):
    x, p = operands()
    w.manual_seed(1)
    expected = [with_gradients(f, x, p) for _ in range(3)]
    g = Graph("g")
    with g:
        loss = f(X := g.input("x", (4, 3), w.float64), P := g.input("p", (3,), w.float64))
        first = g.gradients(loss, [X, P])
        g.output(loss, *first, *g.gradients(sum((v * v).sum() for v in first), [X, P]))
    g.verify()
    for graph in (g, Graph.parse(g.to_text(), g.state_dict())):
        plan = graph.compile()
        w.manual_seed(1)
        for want in expected:
            check([*plan(x.detach(), p.detach()), w.rand(2)], want)


@pytest.mark.parametrize("f", [dropout_example, noise_example, kinds_example], ids=lambda f: f.__name__)
def test_bodies_draw_outside_of_with_as_well(f):
    x, p = operands()
    g = Graph("g")
    g.output(f(g.input("x", (4, 3), w.float64), g.input("p", (3,), w.float64)))
    plan = g.compile()
    w.manual_seed(2)
    want = [f(x, p).detach() for _ in range(2)]
    w.manual_seed(2)
    assert all(w.equal(plan(x.detach(), p.detach()), t) for t in want)


def test_a_recording_draws_in_its_bodies(rng):
    x, p = operands()
    graph = record(dropout_example, x.detach(), p.detach())
    w.manual_seed(3)
    want = dropout_example(x, p).detach()
    w.manual_seed(3)
    assert w.equal(graph.run(x.detach(), p.detach()), want)


def euler_maruyama(x0, p, steps=50, dt=0.02):
    """A path of dX = -p X dt + 0.5 p dW, as a scan."""

    def step(x, _):
        x = x - p * x * dt + 0.5 * p * dt**0.5 * w.randn_like(x)
        return x, x

    return w.scan(step, x0, length=steps)


def euler_maruyama_loop(x0, p, steps=50, dt=0.02):
    path = [x0]
    for _ in range(steps):
        x = path[-1]
        path.append(x - p * x * dt + 0.5 * p * dt**0.5 * w.randn_like(x))
    return path[-1], w.stack(path[1:])


def test_a_simulation_with_noise_and_its_gradients():
    p = w.tensor(1.5, dtype=w.float64).requires_grad_()

    def loss(path, x0):
        last, ys = path(x0, p)
        return (last**2).mean() + ys.abs().mean()

    fast = w.compile(lambda x0: loss(euler_maruyama, x0), fullgraph=True)
    for seed in range(5):
        x0 = w.linspace(-1, 1, 8, dtype=w.float64).requires_grad_()
        w.manual_seed(seed)
        got = fast(x0)
        found = w.autograd.grad(got, [x0, p])
        w.manual_seed(seed)
        want = loss(euler_maruyama_loop, x0)
        assert w.equal(got, want)
        check(found, w.autograd.grad(want, [x0, p]))


def test_noise_that_gradients_do_not_depend_on_is_not_drawn_again():
    def walk(c, v):
        return c * 0.9 + w.randn_like(c), v + w.rand_like(v)

    g = Graph("walk")
    x = g.input("x", (5, 3))
    last, ys = w.scan(walk, x[0], x)
    g.output(g.gradients((last * last).sum() + ys.sum(), x))
    back = next(node for node in reversed(g.nodes) if node.op == "scan").payload["body"]
    assert not any(node.random or node.op == "replay" for node in back.nodes)


def test_metropolis_hastings():
    """A while_loop that goes on until enough proposals are accepted, for a normal distribution of deviation 2."""

    def log_density(x):
        return -0.5 * (x / 2) ** 2

    def turn(n, x, total, squares, accepted):
        y = x + 3 * w.randn_like(x)
        taken = w.rand_like(x).log() < log_density(y) - log_density(x)
        x = w.where(taken, y, x)
        return n + 1, x, total + x, squares + x * x, accepted + taken.sum()

    def sample(x):
        start = (w.tensor(0), x, x * 0, x * 0, w.tensor(0))
        return w.while_loop(lambda n, x, total, squares, accepted: accepted < 2000, turn, start)

    def plainly(x):
        state = (w.tensor(0), x, x * 0, x * 0, w.tensor(0))
        while state[-1] < 2000:
            state = turn(*state)
        return state

    fast = w.compile(sample, fullgraph=True)
    for seed in range(4):
        x = w.zeros(64, dtype=w.float64)
        w.manual_seed(seed)
        n, _, total, squares, _ = got = fast(x)
        w.manual_seed(seed)
        assert all(map(w.equal, got, plainly(x)))
    count = int(n) * 64
    mean = total.sum() / count
    assert abs(mean) < 0.5 and 3 < squares.sum() / count - mean**2 < 5


def test_the_generator_stands_where_the_forward_pass_left_it():
    x, p = operands()
    fast = w.compile(while_example, fullgraph=True)
    for _ in range(3):
        loss = fast(x, p)
        state = w.get_rng_state()
        loss.backward()
        assert w.equal(w.get_rng_state(), state)


def test_an_error_in_a_replay_puts_the_generator_back(monkeypatch):
    def step(c, v):
        m = w.eye(2) * (2 + c * w.rand(())) + v
        return w.linalg.inv(m)[0, 0], None

    g = Graph("g")
    with g:
        x = g.input("x", (3,))
        g.output(g.gradients(w.scan(step, x[0], x)[0], x))
    plan = g.compile()
    w.manual_seed(0)
    want = plan(w.ones(3))
    state = w.get_rng_state()
    counted, run = [], _host.run

    def fails_when_run_again(name, *args):
        counted.append(name)
        if counted.count("inv") > 4:
            raise ValueError("in the second step backwards")
        return run(name, *args)

    w.manual_seed(0)
    with monkeypatch.context() as patch, pytest.raises(ValueError, match="second step"):
        patch.setattr(_host, "run", fails_when_run_again)
        plan(w.ones(3))
    assert w.equal(w.get_rng_state(), state)
    w.manual_seed(0)
    assert w.equal(plan(w.ones(3)), want)


def test_draws_before_and_behind_a_loop_keep_their_order():
    def f(x):
        before = w.rand(2)
        last, _ = w.scan(lambda c, _: (c + w.rand(3), None), x, length=2)
        return before, last, w.rand(2)

    g = Graph("g")
    with g:
        g.output(*f(g.input("x", (3,))))
    plan = g.compile()
    for seed in range(2):
        w.manual_seed(seed)
        want = f(w.zeros(3))
        w.manual_seed(seed)
        assert all(map(w.equal, plan(w.zeros(3)), want))


def test_a_loop_that_only_draws_is_not_left_out():
    def f(x):
        w.scan(lambda c, _: (c + w.rand(3), None), x, length=2)
        return x + w.rand(3)

    fast = w.compile(f, fullgraph=True)
    w.manual_seed(0)
    got = [fast(w.zeros(3)) for _ in range(5)]
    w.manual_seed(0)
    assert all(map(w.equal, got, [f(w.zeros(3)) for _ in range(5)]))


def test_draws_of_nothing_do_not_tie_those_that_follow():
    def f():
        w.randn(0)
        return w.randn(3)

    fast = w.compile(f, fullgraph=True)
    w.manual_seed(0)
    got = [fast() for _ in range(5)]
    w.manual_seed(0)
    assert all(map(w.equal, got, [f() for _ in range(5)]))


def test_calls_of_one_graph_draw_numbers_of_their_own():
    part = Graph("part")
    with part:
        part.output(F.dropout(part.input("x", (64,)), 0.5))
    g = Graph("g")
    x = g.input("x", (64,))
    g.output(g.call(part, x), g.call(part, x), *g.gradients(g.call(part, x).sum(), [x]))
    for _ in range(2):
        a, b, slope = g.compile()(w.ones(64))
        assert not w.equal(a, b)
        assert set(slope.tolist()) == {0.0, 2.0}
        g.inline()


def test_the_gradient_of_a_call_has_its_mask():
    part = Graph("part")
    with part:
        part.output(F.dropout(part.input("x", (64,)), 0.5))
    g = Graph("g")
    x = g.input("x", (64,))
    y = g.call(part, x)
    g.output(y, g.gradients(y.sum(), x))
    for _ in range(2):
        y, slope = g.compile()(w.ones(64))
        assert w.equal(y, slope)
        g.inline()


def test_steps_that_need_no_lock_beside_draws():
    """Long stretches of a body run without the interpreter lock; the draws of the next turn need it."""
    g = Graph("g")
    with g:
        x = g.input("x", (1 << 16,))
        y, _ = w.scan(lambda c, _: ((c + w.rand(1 << 16)).tanh().exp().tanh().exp() * 0.1, None), x, length=20)
        z, n = w.while_loop(
            lambda z, n: (z.exp().tanh().exp().sum() > 0) & (n < 20),
            lambda z, n: (z * w.rand(()) + w.linalg.inv(w.eye(2))[0, 0] * 0, n + 1),
            (x, w.tensor(0)),
        )
        g.output(y, z, n)
    plan = g.compile()
    busy, stop = [], threading.Event()

    def other():
        while not stop.is_set():
            busy.append([object() for _ in range(100)])
            busy.clear()

    thread = threading.Thread(target=other)
    thread.start()
    try:
        w.manual_seed(5)
        first = plan(w.ones(1 << 16))
        w.manual_seed(5)
        assert all(map(w.equal, plan(w.ones(1 << 16)), first))
    finally:
        stop.set()
        thread.join()


def test_a_plan_of_one_node_draws_and_goes_on():
    g = Graph("g")
    with g:
        x = g.input("x", (3,))
        g.output(w.scan(lambda c, _: (c + w.rand(3), None), x, length=3)[0], w.rand(1))
    w.manual_seed(7)
    want = Plan(g)(w.zeros(3))
    w.manual_seed(7)
    got = g.run(w.zeros(3))
    assert all(map(w.equal, got, want))


def test_no_steps_draw_nothing():
    x = w.zeros(0, 3)
    w.manual_seed(0)
    w.scan(lambda c, v: (c + w.rand(3), w.rand(2)), w.zeros(3), x)
    got = w.rand(2)
    w.manual_seed(0)
    assert w.equal(got, w.rand(2))


# ---- tensors that a function makes and writes to -----------------------------------------------------------------


def buffers(c, v):
    z = w.zeros(3, dtype=c.dtype)
    middle = z[1]
    z[0] = c.sum()
    z[1:] = v[:2]
    z.add_(1)
    ones = w.ones(3, dtype=c.dtype)
    ones.mul_(2)
    ones.add_(c)
    noise = w.empty_like(c).normal_()
    noise[0].mul_(2.0)
    return c * 0.5 + z * middle + ones + noise, z


def test_functions_write_to_tensors_that_they_make():
    def f(x):
        last, ys = w.scan(buffers, x[0], x)
        return (last * ys).sum()

    x, _ = operands()
    w.manual_seed(0)
    expected = [f(x) for _ in range(4)]
    slopes = [w.autograd.grad(y, x)[0] for y in expected]
    fast = w.compile(f, fullgraph=True)
    w.manual_seed(0)
    for y, slope in zip(expected, slopes, strict=True):
        got = fast(x)
        assert w.equal(got, y)
        assert w.allclose(w.autograd.grad(got, x)[0], slope, rtol=1e-12)
    g = Graph("g")
    g.output(f(g.input("x", ("T", 3), w.float64)))
    w.manual_seed(0)
    assert w.equal(g.compile()(x.detach()), expected[0])


def test_writes_to_tensors_from_outside_are_refused():
    kept = w.zeros(3)
    for write in (lambda c: kept.normal_(), lambda c: kept.add_(c), lambda c: kept[:1].add_(1)):
        g = Graph("g")
        with g, pytest.raises(RuntimeError, match="write|from outside"):
            w.scan(lambda c, _, write=write: (c + write(c), None), g.input("x", (3,)), length=2)


@pytest.mark.parametrize("draw", [lambda g: w.rand(3, generator=g), lambda g: w.empty(3).normal_(generator=g)])
def test_a_generator_of_its_own_is_refused(draw):
    own = w.Generator().manual_seed(5)
    with pytest.raises(RuntimeError, match="default generator"):
        record(lambda x: w.scan(lambda c, _: (c + draw(own), None), x, length=2)[0], w.zeros(3))
    g = Graph("g")
    with g, pytest.raises(RuntimeError, match="default generator"):
        w.scan(lambda c, _: (c + draw(own), None), g.input("x", (3,)), length=2)


def test_setting_the_generator_inside_is_refused():
    g = Graph("g")
    with pytest.raises(RuntimeError, match="draw from the default generator as it is"):
        w.scan(lambda c, _: (c + (w.manual_seed(0), 1)[1], None), g.input("x", (3,)), length=2)
