"""Graphs built by hand: what symbolic tensors do, sizes by name, states and writes, modules and optimizers, errors."""

import pytest

import wengert as w

F = w.nn.functional


def same(a, b):
    return a.shape == b.shape and a.dtype == b.dtype and a.tolist() == b.tolist()


def run(f, *examples, names=False):
    """What a graph of f, built for the shapes of the examples, gives for them."""
    g = w.Graph("f")
    shapes = [tuple(f"n{d}_{n}" for d, n in enumerate(t.shape)) if names else tuple(t.shape) for t in examples]
    g.output(f(*[g.input(f"x{k}", s, t.dtype) for k, (s, t) in enumerate(zip(shapes, examples, strict=True))]))
    g.verify()
    return g.compile()(*examples)


def written(y):
    y = y * 1
    y.mul_(2)
    y[0] = y[1] + 1
    y[:, 1] += 3
    return y


def written_views(y):
    y = y * 1
    flat, row = y.view(-1), y[1]
    flat.add_(1)
    row.mul_(3)
    flat[2:4] = 7.0
    return y * 2 + row


def written_transposed(y):
    y = y * 1
    t = y.T
    t[0].zero_()
    y.reshape(-1)[0] = 5.0
    copied = t.reshape(-1)
    copied.zero_()
    return y + t.T


FUNCTIONS = {
    "chain": lambda x: (x * 2).tanh().exp() - 1,
    "numbers": lambda x: (x + 3) / 2 - x**2 + (1 - x),
    "reductions": lambda x: x.sum(0) + x.mean() * x.amax(1).sum(),
    "shapes": lambda x: x.T.reshape(-1)[2:7].view(5, 1).expand(5, 2).permute(1, 0),
    "joins": lambda x: w.cat([x, x * 2], 1)[:, 1:],
    "sort": lambda x: x.sort(1)[0],
    "where": lambda x: w.where(x > 0, x, -x).clamp(max=0.5),
    "write": written,
    "write through views": written_views,
    "write through a transposed view": written_transposed,
    "vmap": lambda x: w.func.vmap(lambda row: (row * row[0]).sum())(x),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_same_bits(name):
    x = w.randn(4, 4)
    assert same(run(FUNCTIONS[name], x), FUNCTIONS[name](x))


SIZED = {
    "mean over the batch": lambda x: ((x - x.mean(0)) ** 2).mean(),
    "number of rows": lambda x: x.sum() / x.shape[0] + (1.0 / x.shape[0]) * x[0],
    "merge": lambda x: x.reshape(x.shape[0] * x.shape[1]) * x.numel(),
    "flatten": lambda x: x.flatten().view(-1, 1),
    "tail": lambda x: x[-2:, 1:] + x[:2, :-1],
    "join": lambda x: w.cat([x, x[:1]]).T,
    "strides": lambda x: written_views(x),
    "products": lambda x: x @ x.T,
    "softmax": lambda x: F.softmax(x @ x.T / x.size(1), dim=-1),
}


@pytest.mark.parametrize("name", SIZED)
def test_sizes_by_name(name):
    f = SIZED[name]
    for shape in ((3, 4), (5, 2), (7, 3)):
        x = w.randn(*shape)
        assert same(run(f, x, names=True), f(x))


def test_one_plan_for_each_size():
    g = w.Graph("g")
    x = g.input("x", (None, 4))
    g.output("y", x * 2)
    plan = g.compile()
    assert x.shape[0] * 2 + 1 == g.symbol("B") * 2 + 1 and str(x.shape[0] * 2 + 1) == "2*B+1"
    assert plan(w.ones(3, 4))["y"].shape == (3, 4)
    assert plan(x=w.ones(5, 4))["y"].shape == (5, 4)
    assert list(plan.plans) == [(("B", 3),), (("B", 5),)]
    concrete = g.specialize(B=32)
    assert concrete.shapes[0] == (32, 4) and not concrete.symbols
    with pytest.raises(ValueError, match="among"):
        g.specialize(C=3)
    with pytest.raises(ValueError, match="at least 0"):
        g.specialize(B=-1)


def test_guards():
    g = w.Graph("g")
    x = g.input("x", (None, "T"))
    y = x * 2 if x.shape[0] > 1 else x
    g.output(y + y.squeeze(1) if x.shape[1] == 1 else y)
    assert [str(guard) for guard in g.guards] == ["B > 1", "T != 1"]
    plan = g.compile()
    assert plan(w.ones(2, 3)).shape == (2, 3)
    for shape in ((1, 3), (2, 1)):
        with pytest.raises(ValueError, match="relied on"):
            plan(w.ones(*shape))


def test_a_size_that_changes_the_shapes_is_refused():
    g = w.Graph("g")
    x = g.input("x", (None, 3))
    g.output(x.squeeze())
    assert g.compile()(w.ones(2, 3)).shape == (2, 3)
    with pytest.raises(ValueError, match="squeeze"):
        g.compile()(w.ones(1, 3))


def test_sizes_that_stay_unknown():
    g = w.Graph("g")
    x = g.input("x", (None, 4))
    for f in (lambda: x.shape[0] // 3, lambda: x.shape[0] % 2, lambda: float(x.shape[0]), lambda: 2 // x.shape[0]):
        with pytest.raises(TypeError, match="known when the graph is built"):
            f()
    with pytest.raises(RuntimeError, match="sums and products"):
        x[::2]
    with pytest.raises(RuntimeError, match=r"\(B, 4\)"):
        x @ x


def test_states():
    value = w.ones(3)
    g = w.Graph("g")
    x = g.input("x", (3,))
    p = g.parameter("p", value)
    c = g.constant([1.0, 2.0, 3.0], "c")
    g.output((x * p + c).sum(), p * value)
    g.assign(p, p - 0.5 * x)
    g.output(p)
    assert [s.name for s in g.states.values()] == ["p", "c"]
    total, square, after = g.compile()(w.ones(3))
    assert total.item() == 9 and square.tolist() == [1.0] * 3 and after.tolist() == [0.5] * 3
    assert value.tolist() == [0.5] * 3
    value.fill_(2.0)
    assert g.compile()(w.zeros(3))[1].tolist() == [4.0] * 3


def test_writes_to_tensors_from_outside():
    value = w.zeros(2, 3)
    g = w.Graph("g")
    x = g.input("x", (3,))
    with pytest.raises(RuntimeError, match="with g"):
        value.add_(x)
    with g:
        value.add_(x)
        value[0].mul_(2)
        value.detach().add_(1)
        g.output(value.sum() + x.sum() * 0)
    assert value.tolist() == [[0.0] * 3] * 2
    assert g.compile()(w.ones(3)).item() == 15 and value.tolist() == [[3.0] * 3, [2.0] * 3]


def net():
    w.manual_seed(3)
    return w.nn.Sequential(w.nn.Linear(4, 8), w.nn.Tanh(), w.nn.BatchNorm1d(8), w.nn.Linear(8, 3))


def test_module_scopes_and_names():
    model = net()
    g = w.Graph("g")
    with g:
        model(g.input("x", (None, 4)))
    assert g.nodes[0].scope == ("Sequential", "0") and g.nodes[0].line.startswith("test_by_hand.py:")
    assert {s.name: s.kind for s in g.states.values()}["2.running_mean"] == "buffer"
    assert {s.name: s.kind for s in g.states.values()}["0.weight"] == "parameter"


def make(name, params):
    options = {
        "SGD": {"lr": 0.1},
        "momentum": {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01},
        "Adam": {"lr": 0.01, "weight_decay": 0.1, "amsgrad": True},
        "maximize": {"lr": 0.01, "maximize": True},
        "AdamW": {"lr": 0.01},
        "RMSprop": {"lr": 0.01, "momentum": 0.5},
        "Adagrad": {"lr": 0.1},
    }[name]
    kind = {"momentum": "SGD", "maximize": "Adam"}.get(name, name)
    return getattr(w.optim, kind)(params, **options)


@pytest.mark.parametrize("name", ["SGD", "momentum", "Adam", "maximize", "AdamW", "RMSprop", "Adagrad"])
def test_a_training_step_is_the_eager_step(name):
    a, b = net(), net()
    first, second = make(name, a.parameters()), make(name, b.parameters())
    schedule = [w.optim.lr_scheduler.ExponentialLR(o, 0.9) for o in (first, second)]
    g = w.Graph("step")
    with g:
        x, t = g.input("x", (None, 4)), g.input("t", (None,), w.int64)
        loss = F.cross_entropy(a(x), t)
        g.minimize(loss, first)
        g.output(loss)
    step = g.compile()
    for _ in range(4):
        x, t = w.randn(6, 4), w.randint(0, 3, (6,))
        got = step(x, t)
        second.zero_grad()
        want = F.cross_entropy(b(x), t)
        want.backward()
        with w.optim._compiled.disabled():
            second.step()
        for s in schedule:
            s.step()
        assert abs(got.item() - want.item()) < 1e-5
    assert a[2].num_batches_tracked.item() == b[2].num_batches_tracked.item() == 4
    pairs = list(zip(a.state_dict().values(), b.state_dict().values(), strict=True))
    for p, q in zip(a.parameters(), b.parameters(), strict=True):
        pairs += [(first.state[p][key], value) for key, value in second.state[q].items()]
    for p, q in pairs:
        if name in ("SGD", "momentum", "RMSprop"):
            assert same(p, q)
        else:  # powers of the decay rates by the step are another function's
            assert w.allclose(p.double(), q.double(), rtol=2e-6, atol=2e-6)


def test_minimize_errors():
    p = w.nn.Parameter(w.ones(3))
    g = w.Graph("g")
    x = g.input("x", (3,))
    loss = (x * p).sum()
    with pytest.raises(TypeError, match="optimizer"):
        g.minimize(loss, "SGD")
    with pytest.raises(RuntimeError, match="one element"):
        g.minimize(x * p, w.optim.SGD([p]))
    with pytest.raises(RuntimeError, match="depends on none"):
        g.minimize(x.sum(), w.optim.SGD([p]))
    with pytest.raises(RuntimeError, match="dampening"):
        g.minimize(loss, w.optim.SGD([p], momentum=0.9, dampening=0.5))


READS = {
    "item": lambda x: x.sum().item(),
    "bool": lambda x: bool(x.sum() > 0),
    "float": lambda x: float(x.sum()),
    "int": lambda x: int(x.sum()),
    "numpy": lambda x: x.numpy(),
    "tolist": lambda x: x.tolist(),
    "in": lambda x: 1.0 in x,
    "nonzero": lambda x: x.nonzero(),
    "mask": lambda x: x[x > 0],
    "equal": lambda x: w.equal(x, x),
    "allclose": lambda x: w.allclose(x, x),
    "format": lambda x: f"{x.sum().item():.3f}",
    "backward": lambda x: x.sum().backward(),
    "unique": lambda x: w.unique(x),
}


@pytest.mark.parametrize("name", READS)
def test_values_cannot_be_read(name):
    x = w.Graph("g").input("x", (3,))
    with pytest.raises(RuntimeError, match="Use|use"):
        READS[name](x)


def test_the_message_says_where_and_what_instead():
    y = w.Graph("g").input("x", (3,)).sum()
    with pytest.raises(RuntimeError, match=r"sum at test_by_hand.py:\d+.*wengert.where.*wengert.cond.*g.output"):
        y.item()
    assert str(y) == "tensor(<%1 of graph 'g'>, size=[], dtype=wengert.float32)"


def test_errors_at_the_line_that_builds():
    g = w.Graph("g")
    x, y = g.input("x", (3, 4)), g.input("y", (3, 4))
    before = len(g.nodes)
    for f, kind, match in (
        (lambda: x @ y, RuntimeError, "matmul"),
        (lambda: x + w.ones(5), RuntimeError, "add"),
        (lambda: x.view(5), RuntimeError, "view"),
        (lambda: x.sum(7), IndexError, "sum"),
        (lambda: x.add_(w.ones(2, 3, 4)), RuntimeError, "broadcast"),
        (lambda: x.to(w.int64).add_(1.5), RuntimeError, "add"),
        (lambda: x + w.Graph("h").input("x", (3, 4)), RuntimeError, "'h'"),
        (lambda: x * (w.ones(4, requires_grad=True) * 2), RuntimeError, "outside the graph"),
        (lambda: x + "a", TypeError, "unsupported"),
    ):
        with pytest.raises(kind, match=match):
            f()
    assert all(node.op == "cast" for node in g.nodes[before:])


def test_errors_of_inputs_and_outputs():
    g = w.Graph("g")
    x = g.input("x", (3,))
    with pytest.raises(ValueError, match="new name"):
        g.input("x", (3,))
    with pytest.raises(TypeError, match="name"):
        g.input((3,))
    with pytest.raises(ValueError, match="identifier"):
        g.input("y", ("a b",))
    with pytest.raises(ValueError, match="sizes"):
        g.input("y", (-1,))
    with pytest.raises(ValueError, match="sizes"):
        g.input("y", (2.5,))
    with pytest.raises(TypeError, match="tensor"):
        g.output(3)
    g.output(y=x)
    with pytest.raises(ValueError, match="new name"):
        g.output(y=x)
    with pytest.raises(RuntimeError, match="parameter"):
        g.assign(x, x)
    with pytest.raises(RuntimeError, match="shape"):
        g.assign(g.parameter("p", w.ones(4)), x)


def test_errors_of_a_call():
    g = w.Graph("g")
    x, y = g.input("x", (None, 2)), g.input("y", (None,), w.int64)
    g.output(x.sum(1) * y)
    plan = g.compile()
    good = {"x": w.ones(3, 2), "y": w.ones(3, dtype=w.int64)}
    assert plan(**good).tolist() == [2.0] * 3
    for given, kind, match in (
        ({"x": good["x"]}, ValueError, "none for y"),
        (good | {"z": good["x"]}, ValueError, "'z'"),
        (good | {"y": w.ones(4, dtype=w.int64)}, RuntimeError, "B = 3"),
        (good | {"x": w.ones(3, 5)}, RuntimeError, "shape"),
        (good | {"x": w.ones(3)}, RuntimeError, "shape"),
        (good | {"y": w.ones(3)}, RuntimeError, "int64"),
        (good | {"x": [[1.0, 2.0]]}, TypeError, "tensor"),
    ):
        with pytest.raises(kind, match=match):
            plan(**given)
    with pytest.raises(ValueError, match="once"):
        plan(good["x"], x=good["x"])
    with pytest.raises(ValueError, match="2 inputs"):
        plan(1, 2, 3)


def test_a_size_that_no_input_tells():
    g = w.Graph("g")
    g.symbol("T")
    g.output(g.input("x", (g.symbol("T") * 2,)))
    with pytest.raises(RuntimeError):
        g.compile()(w.ones(4))


def test_shared_memory_of_states_is_not_written():
    a = w.ones(4)
    g = w.Graph("g")
    x = g.input("x", (4,))
    first, second = g.parameter("a", a), g.parameter("b", a[:2])
    g.output(first + x, second)
    with pytest.raises(RuntimeError, match="share"):
        g.assign(first, x)


def test_outside_writes_under_vmap_are_refused():
    running = w.zeros(3)
    with pytest.raises(RuntimeError, match="outside one"):
        w.func.vmap(lambda x: running.add_(x))(w.ones(2, 3))
    assert running.tolist() == [0.0] * 3


def test_new_tensors_inside_are_constants():
    g = w.Graph("g")
    with g:
        x = g.input("x", (3,))
        out = w.zeros(3)
        out[1:] = x[:2] * 2
        out += 1
        g.output(out)
    plan = g.compile()
    assert not g.writes
    for _ in range(2):
        assert plan(w.ones(3)).tolist() == [1.0, 3.0, 3.0]


def test_python_loops_over_sizes_by_name_are_errors():
    g = w.Graph("g")
    x = g.input("x", (None, 2))
    for build in (
        lambda: [i for i in range(x.shape[0])],
        lambda: list(range(1, x.shape[0] + 1)),
        lambda: [0] * x.shape[0],
    ):
        with pytest.raises(TypeError, match="scan"):
            build()
    assert x.reshape(x.shape[0] * 2).shape[0] == x.shape[0] * 2 and len(range(x.shape[1])) == 2
    g.output(x.reshape(x.shape[0] * 2)[1:] * w.ones(1))
    assert g.compile()(w.ones(3, 2)).shape == (5,)


@pytest.mark.parametrize(
    "count",
    [
        len,
        list,
        lambda x: [*x],
        lambda x: x.unbind(),
        lambda x: x.split(2),
        lambda x: x.chunk(3),
        lambda x: x.sum() / len(x),
    ],
)
def test_what_counts_a_size_by_name_is_refused(count):
    x = w.Graph("g").input("x", ("T", 3))
    with pytest.raises(TypeError, match="known when the graph is built, got T"):
        count(x)
    assert len(x.transpose(0, 1)) == 3 and len(list(x.unbind(1))) == 3


def test_a_tensor_made_with_a_size_by_name_is_refused():
    g = w.Graph("g")
    x = g.input("x", (None, 3))
    for make in (w.zeros, w.ones, w.empty, w.rand, w.randn, x.new_zeros):
        with pytest.raises(
            RuntimeError, match=r"got \(B, 3\) of a graph. Make it from a tensor that has that size"
        ):
            make(x.shape)
    with pytest.raises(RuntimeError, match=r"got \(B,\) of a graph. Make it from a tensor that has that size"):
        w.zeros(x.shape[0])
