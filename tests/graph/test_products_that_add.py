"""Products that plans add to earlier ones where these lie: the bits of eager mode, and where it may not be done."""

import pytest

import wengert as w
from wengert.graph import Plan, record


def names(plan):
    return [ops for _, ops, _ in plan.steps()]


def adding(plan):
    return sum(ops[1:] == ["add"] for ops in names(plan))


def same(plan, f, *inputs):
    got, expected = plan(*inputs), f(*inputs)
    if not isinstance(expected, tuple):
        got, expected = [got], [expected]
    return all(w.equal(a, b) for a, b in zip(got, expected, strict=True))


@pytest.mark.parametrize("dtype", [w.float32, w.float64], ids=str)
@pytest.mark.parametrize("m, k, n", [(1, 1, 1), (1, 300, 1), (3, 5, 2), (17, 33, 65), (64, 2000, 8), (130, 7, 257)])
def test_a_chain_of_products_is_one_memory_with_the_same_bits(dtype, m, k, n):
    def f(*operands):
        total = operands[0] @ operands[1]
        for a, b in zip(operands[2::2], operands[3::2], strict=True):
            total = total + a @ b
        return total

    operands = [w.randn(*shape, dtype=dtype) for _ in range(4) for shape in ((m, k), (k, n))]
    plan = Plan(record(f, *operands))
    assert same(plan, f, *operands)
    assert names(plan) == [["matmul"]] + [["matmul", "add"]] * 3
    assert plan.memory()["values"] == 0  # made where the result is wanted


def test_gradients_of_a_weight_that_is_used_at_every_step():
    weight = w.randn(24, 24, requires_grad=True)
    xs = w.randn(9, 5, 24)

    def f(xs):
        h = xs[0]
        for x in xs:
            h = (w.nn.functional.linear(h, weight) + x).tanh()
        return w.autograd.grad((h * h).sum(), [weight])[0]

    graph = record(f, xs)
    plan = Plan(graph)
    assert adding(plan) == 8
    assert same(plan, f, xs)
    apart = Plan(graph, fuse=False)
    assert adding(apart) == 0 and len(plan.steps()) < len(apart.steps())
    assert same(apart, f, xs)


def test_the_second_operand_may_be_the_earlier_one():
    def f(a, b):
        first = a @ b
        return b @ a + first

    a, b = w.randn(6, 6), w.randn(6, 6)
    plan = Plan(record(f, a, b))
    assert adding(plan) == 1 and same(plan, f, a, b)


@pytest.mark.parametrize(
    "f",
    [
        lambda a, b: (a @ b, a @ b + b @ a),  # the earlier product is a result
        lambda a, b: ((p := a @ b) + b @ a) * p,  # is read again
        lambda a, b: (p := a @ b) + p,
        lambda a, b: (a @ b).t() + b @ a,  # lies in another way
        lambda a, b: (a @ b) + (b @ a)[:1],  # has another shape
        lambda a, b: a + a @ b,  # is no product, but an argument
        lambda a, b: a.exp() + a @ b,
    ],
)
def test_where_a_product_has_to_stay_as_it_is(f):
    a, b = w.randn(6, 6), w.randn(6, 6)
    plan = Plan(record(f, a, b))
    assert adding(plan) == 0 and same(plan, f, a, b)


def test_both_sides_are_chains():
    def f(a, b):
        return (a @ b + b @ a) + (a @ a + b @ b)

    a, b = w.randn(6, 6), w.randn(6, 6)
    plan = Plan(record(f, a, b))
    assert adding(plan) == 2 and same(plan, f, a, b)


def test_a_sum_that_is_used_twice_and_viewed():
    def f(a, b):
        total = a @ b + b @ a
        return total.t() @ total, total[1:3], total.exp()

    a, b = w.randn(6, 6), w.randn(6, 6)
    plan = Plan(record(f, a, b))
    assert adding(plan) == 1 and same(plan, f, a, b)


def test_batches_and_biases_add_too():
    def f(x, v, b):
        linear = w.nn.functional.linear
        return linear(x, v, b) + linear(x * 2, v, b), x @ v.t() + (x * 2) @ v

    x, v, b = w.randn(3, 4, 5), w.randn(5, 5), w.randn(5)
    plan = Plan(record(f, x, v, b))
    assert adding(plan) == 2 and same(plan, f, x, v, b)


def test_a_weight_that_is_written_keeps_its_value_until_the_end():
    def f(state, a, b):
        state.copy_(a @ b + b @ state)
        return state.sum()

    a, b = w.randn(6, 6), w.randn(6, 6)
    state, other = w.randn(6, 6), None
    other = state.clone()
    plan = Plan(record(f, state.clone(), a, b))
    assert w.equal(plan(state, a, b), f(other, a, b)) and w.equal(state, other)
