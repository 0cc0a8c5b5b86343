"""`run` and `map` of a graph by hand: inputs by name, sizes by name, what is refused."""

import pytest

import wengert as w


def weighted(batch=None):
    weights = w.arange(6.0).reshape(2, 3)
    g = w.Graph("weighted")
    x, s = g.input("x", (batch, 2)), g.input("s")
    g.output((x @ g.parameter("w", weights)).sin().sum(0) * s)
    return g.compile()


X, S = w.arange(30.0).reshape(3, 5, 2), w.tensor([1.0, 2.0, 3.0])


@pytest.mark.parametrize("batch", [None, 5])
def test_sizes_and_names_of_inputs(batch):
    plan = weighted(batch)
    want = w.stack([plan(x, s) for x, s in zip(X, S, strict=True)])
    for made in (plan.run(3, X, S), plan.run(3, s=S, x=X), plan.run(3, X, s=S)):
        assert made.tolist() == want.tolist()
    for made in (plan.map(X, S), plan.map(s=S, x=X)):
        assert w.allclose(made, want)
    assert plan.run(3, X[0], S).tolist() == w.stack([plan(X[0], s) for s in S]).tolist()
    assert plan.run(3, X, S, collect=False).tolist() == want[2].tolist()
    assert plan.run(0, X[:0], S[:0]).shape == (0, 3)


def test_a_plan_of_any_size_runs_each_size():
    plan = weighted()
    for n in (5, 2):
        assert plan.run(3, X[:, :n], S).tolist() == [plan(x[:n], s).tolist() for x, s in zip(X, S, strict=True)]
    assert list(plan.plans) == [(("B", 5),), (("B", 2),)]


@pytest.mark.parametrize("batch", [None, 5])
@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda p: p.run(3, X), ValueError, "none for s"),
        (lambda p: p.run(3, X, S, S), ValueError, "expected 2 inputs"),
        (lambda p: p.run(3, X, z=S), ValueError, "got 'z'"),
        (lambda p: p.run(3, X, x=X), ValueError, "by position and by name"),
        (lambda p: p.run(4, X, S), RuntimeError, "input 'x'"),
        (lambda p: p.run(3, X.double(), S), RuntimeError, "float64"),
        (lambda p: p.run(3, X.tolist(), S), TypeError, "expected a tensor for input 'x', got list"),
        (lambda p: p.run(3, None, S), TypeError, "got NoneType"),
        (lambda p: p.run(2.5, X, S), TypeError, "expected a number of steps, got 2.5"),
        (lambda p: p.run(-1, X, S), ValueError, "at least 0 steps"),
        (lambda p: p.run(0, X[0], S[0], collect=False), ValueError, "at least 1 steps"),
        (lambda p: p.map(X, S[:2]), RuntimeError, "input 1"),
        (lambda p: p.map(X, 3.0), TypeError, "got float"),
        (lambda p: p.map(X), ValueError, "none for s"),
    ],
)
def test_what_is_refused_in_many_runs(call, kind, message, batch):
    with pytest.raises(kind, match=message):
        call(weighted(batch))


def test_a_plan_without_names_refuses_the_same():
    plan = w.graph.Plan(w.graph.record(lambda x: x * 2, w.ones(2)))
    for call in (lambda: plan.run(3, [1, 2]), lambda: plan.map(3.0)):
        with pytest.raises(TypeError, match="expected"):
            call()
    with pytest.raises(
        RuntimeError, match=r"expected shape \(3, 2\) \(one for each step\) or \(2,\), and .* got \(4, 2\)"
    ):
        plan.run(3, w.ones(4, 2))


def test_calls_of_graphs_are_mapped_and_regions_are_refused():
    part = w.Graph("part")
    part.output(part.input("x", (2,)).sum())
    g = w.Graph("g")
    x = g.input("x", (2,))
    g.output(g.call(part, x) * 2)
    assert g.compile().map(w.ones(4, 2)).tolist() == [4.0] * 4
    for f in (
        lambda x: w.scan(lambda c, v: (c + v, c), x * 0, length=None, xs=w.ones(3, 2))[0],
        lambda x: w.cond(x.sum() > 0, lambda x: x, lambda x: -x, (x,)),
        lambda x: w.while_loop(lambda x: x.sum() < 9, lambda x: (x * 2,), (x,))[0],
        lambda x: w.linalg.svdvals(w.outer(x, x)),
    ):
        g = w.Graph("g")
        g.output(f(g.input("x", (2,))))
        with pytest.raises(
            RuntimeError, match=r"g\.map: expected operations that run over all sets at once, got \w+ at"
        ):
            g.compile().map(w.ones(4, 2))
