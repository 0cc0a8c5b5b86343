"""Regions run by the core: memory that is known, tapes, what needs Python inside of a loop, and interrupts."""

import gc
import signal
import threading
import time
import weakref

import pytest

import wengert as w
from wengert.graph import Graph, GraphError, Plan


def scan_of(n, width=64):
    g = Graph("scan")
    x, p = g.input("x", (n, width)), g.input("p", (width,))
    last, ys = w.scan(lambda c, v: ((c * p + v).tanh(), c * v), x[0] * 0, x)
    g.output(last, ys)
    return g


def test_a_loop_is_one_step_and_its_memory_is_known():
    arenas = []
    for n in (10, 1000):
        plan = scan_of(n).compile()
        assert [names for kind, names, _ in plan.steps() if kind == "region"] == [["scan"]]
        arenas.append(plan.memory()["arena"])
        assert plan.memory()["tapes"] == 0
    assert arenas[0] == arenas[1]  # the stacked values are results


@pytest.mark.parametrize("n", [1, 2, 5, 6])
@pytest.mark.parametrize("reverse", [False, True])
def test_carried_values_of_any_number_of_steps(n, reverse, rng):
    def f(x, a, b):
        (a, b), ys = w.scan(lambda c, v: ((c[1] + v, c[0] * v), (c[0], v)), (a, b), x, reverse=reverse)
        return a, b, *ys

    g = Graph("swap")
    g.output(*f(g.input("x", (n, 3)), g.input("a", (3,)), g.input("b", (3,))))
    plan = g.compile()
    for _ in range(2):
        x, a, b = (w.tensor(rng.standard_normal(s), dtype=w.float32) for s in ((n, 3), 3, 3))
        kept = [t.clone() for t in (x, a, b)]
        for got, want in zip(plan(x, a, b), f(x, a, b), strict=True):
            assert w.equal(got, want)
        assert all(w.equal(*pair) for pair in zip(kept, (x, a, b), strict=True))  # operands are not written


def test_operands_with_gaps(rng):
    g = Graph("gaps")
    x, p = g.input("x", (5, 4)), g.input("p", (6, 4))

    def f(x, p):
        return w.scan(lambda c, v: (c * 0.5 + v.sum(), c + p.t()[0, 0]), p.t()[1], x.t())

    g.output(*f(x, p))
    a, b = (w.tensor(rng.standard_normal(s), dtype=w.float32) for s in ((5, 4), (6, 4)))
    for got, want in zip(g.compile()(a, b), f(a, b), strict=True):
        assert w.equal(got, want)


def power(n):
    """A while_loop of n iterations with a gradient: its backward pass reads a tape."""
    g = Graph("power")
    x, count = g.input("x", (3,), w.float64), g.input("count", (), w.int64)
    _, y = w.while_loop(lambda k, y: k < count, lambda k, y: (k + 1, y * x), (w.tensor(0), x))
    g.output(y.sum(), *g.gradients(y.sum(), [x]))
    return g


def test_tapes_grow_with_the_longest_run_and_stay():
    plan = power(3).compile()
    x = w.tensor([1.5, -0.5, 0.25], dtype=w.float64)
    taken = []
    for n in (0, 3, 100, 17, 0, 16, 15):
        value, grad = plan(x, w.tensor(n))
        assert w.allclose(value, (x ** (n + 1)).sum(), rtol=1e-12)
        assert w.allclose(grad, (n + 1) * x**n, rtol=1e-12)
        taken.append(plan.memory()["tapes"])
    assert taken == sorted(taken)
    assert taken[1] < taken[2] == taken[-1]


def test_third_gradients_of_a_while_loop_add_tapes(rng):
    def loss(x, p):
        _, y = w.while_loop(lambda n, y: n < 4, lambda n, y: (n + 1, (y * p).sin() + y * y * 0.1), (w.tensor(0), x))
        return (y * y).sum()

    def all_of(x, p, grad):
        found = [loss(x, p)]
        found += grad(found[0], [x, p])
        found += grad((found[1] * found[2]).sum(), [x, p])
        return found + list(grad((found[3] * found[4]).sum(), [x, p]))

    g = Graph("third")
    x, p = g.input("x", (3,), w.float64), g.input("p", (3,), w.float64)
    g.output(*all_of(x, p, g.gradients))
    a, b = (w.tensor(rng.standard_normal(3), dtype=w.float64).requires_grad_() for _ in range(2))
    want = all_of(a, b, lambda y, of: w.autograd.grad(y, of, create_graph=True))
    for got, expected in zip(g.compile()(a.detach(), b.detach()), want, strict=True):
        assert w.allclose(got, expected.detach(), rtol=1e-9, atol=1e-9)


def test_a_tape_read_by_something_else_is_refused():
    g = power(3)
    scan = next(node for node in g.nodes if node.op == "scan")
    tape = scan.inputs[scan.payload["carried"]]
    g.outputs = [("", g.apply("neg", [tape]).results[0])]
    with pytest.raises(GraphError, match="values of a known size"):
        Plan(g)


def test_random_numbers_in_the_body_are_drawn_in_every_iteration():
    g = Graph("random")
    with g:
        x = g.input("x", (6, 3))
        last, ys = w.scan(lambda c, v: (c + w.rand(3), w.rand(2) * v[:2]), x[0], x)
        g.output(last, ys)
    plan = g.compile()
    x = w.ones(6, 3)
    w.manual_seed(4)
    first = plan(x)
    assert len({tuple(row) for row in first[1].tolist()}) == 6
    again = plan(x)
    assert not w.equal(first[1], again[1])
    w.manual_seed(4)
    assert all(w.equal(*pair) for pair in zip(plan(x), first, strict=True))


def test_an_index_out_of_range_in_a_late_iteration_leaves_states_alone():
    table, total = w.tensor([1.0, 2.0, 3.0]), w.nn.Parameter(w.tensor(0.0))
    g = Graph("late")
    with g:
        k = g.input("k", (4,), w.int64)
        state = g.parameter("total", total)
        last, _ = w.scan(lambda c, i: (c + table.index_select(0, i.reshape(1))[0], None), w.tensor(0.0), k)
        g.assign(state, last)
        g.output(last)
    plan = g.compile()
    assert plan(w.tensor([0, 1, 2, 0])).item() == 7.0
    with pytest.raises(IndexError):
        plan(w.tensor([0, 1, 3, 0]))
    assert total.item() == 7.0
    assert plan(w.tensor([2, 2, 2, 2])).item() == 12.0


def test_an_endless_loop_can_be_interrupted():
    g = Graph("endless")
    x = g.input("x", (2,))
    g.output(*w.while_loop(lambda x: (x * 0 == 0).all(), lambda x: (x * 0.5,), (x,)))
    plan = g.compile()
    timer = threading.Timer(0.3, signal.raise_signal, [signal.SIGINT])
    start = time.perf_counter()
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        plan(w.ones(2))
    timer.join()
    assert time.perf_counter() - start < 5


def test_plans_with_loops_are_collected():
    plan = scan_of(4).compile()
    plan(w.ones(4, 64), w.ones(64))
    seen = weakref.ref(plan.plan_for([w.ones(4, 64), w.ones(64)]))
    del plan
    gc.collect()
    assert seen() is None


def test_the_backward_pass_of_a_scan_does_not_compute_products_again():
    x = w.randn(7, 3, 32, dtype=w.float64)
    first, second = (w.randn(32, 32, dtype=w.float64, requires_grad=True) for _ in range(2))
    linear = w.nn.functional.linear

    def advance(h, v):
        gates = linear(v, first) + linear(h, second)
        a, b = gates.chunk(2, 1)
        return w.cat([a.tanh() * b.sigmoid(), b.sin()], 1), gates.sum()

    def step():
        end, sums = w.scan(advance, w.zeros(3, 32, dtype=w.float64), x)
        return w.autograd.grad((end * end).sum() + sums.mean(), [first, second])

    expected = step()
    fast = w.compile(step, fullgraph=True)
    for _ in range(3):
        found = fast()
    for a, b in zip(found, expected, strict=True):
        w.testing.assert_close(a, b, rtol=1e-12, atol=1e-12)
    (inner,) = [node.payload["graph"] for node in fast.plan.graph.nodes if node.op == "call"]
    (back,) = [node.payload["body"] for node in inner.nodes if node.op == "scan"]
    ops = [node.op for node in back.nodes]
    assert "linear" not in ops and "tanh" in ops


def test_a_scan_by_hand_gives_second_derivatives_through_what_it_keeps():
    g = Graph("twice")
    x, v = g.input("x", (4, 2, 16), w.float64), g.input("v", (16, 16), w.float64)
    end, _ = w.scan(lambda h, row: ((h @ v + row).sin(), None), x[0] * 0, x)
    (first,) = g.gradients((end * end).sum(), [v])
    (second,) = g.gradients((first * first).sum(), [v])
    g.output(first, second)
    plan = g.compile()

    def written_out(x, v):
        h = x[0] * 0
        for row in x:
            h = (h @ v + row).sin()
        (a,) = w.autograd.grad((h * h).sum(), [v], create_graph=True)
        return a, w.autograd.grad((a * a).sum(), [v])[0]

    x, v = w.randn(4, 2, 16, dtype=w.float64), w.randn(16, 16, dtype=w.float64, requires_grad=True)
    for a, b in zip(plan(x, v.detach()), written_out(x, v), strict=True):
        w.testing.assert_close(a, b.detach(), rtol=1e-10, atol=1e-10)
