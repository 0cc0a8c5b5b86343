"""Gradients of compiled steps: memory, layouts and writes in place are those of plain calls from the first call on."""

import numpy as np
import pytest

import wengert as w

F = w.nn.functional


def steps(compile, loss, shapes, after):
    """What several calls leave in gradients, and how these lie."""
    w.manual_seed(0)
    leaves = [w.randn(*shape).requires_grad_() for shape in shapes]

    @compile
    def step(x):
        for p in leaves:
            p.grad = None
        value = loss(x, *leaves)
        value.sum().backward()
        after(leaves)
        return value.detach()

    seen = []
    for _ in range(6):
        seen.append(step(w.randn(5, 3)).tolist())
        seen += [(p.grad.tolist(), p.grad.stride()) for p in leaves]
    return seen


def halve_the_first(leaves):
    leaves[0].grad.mul_(0.5)


def clip(leaves):
    w.nn.utils.clip_grad_norm_(leaves, 0.1)


LOSSES = {
    "sum": (lambda x, p: p.sum() * x.mean(), [(2, 3)]),
    "mean": (lambda x, p: p.mean() * x.sum(), [(2, 3)]),
    "transposed product": (lambda x, p: (x @ p.t()).square(), [(2, 3)]),
    "permuted": (lambda x, p: (p.permute(2, 0, 1) * 2).square(), [(2, 3, 4)]),
    "einsum": (lambda x, p: w.einsum("bi,oi->ob", x, p).square(), [(2, 3)]),
    "vmap": (lambda x, p: w.vmap(lambda q: x @ q.T)(p).square(), [(3, 2, 3)]),
    "expanded": (lambda x, p: p.expand(5, 3) * x, [(3,)]),
    "convolution": (lambda x, p: F.conv1d(x[None], p.transpose(0, 1)).square(), [(5, 2, 2)]),
    "one gradient for two": (lambda x, p, q: (p + q) * x, [(3,), (3,)]),
    "a view of one gradient": (lambda x, p, q: (p.view(1, 3) + q) * x, [(3,), (1, 3)]),
    "tied": (lambda x, p, q: (x @ p.t()) @ p + q, [(4, 3), (3,)]),
}


@pytest.mark.parametrize(
    "after", [lambda leaves: None, halve_the_first, clip], ids=["as they are", "halved", "clipped"]
)
@pytest.mark.parametrize("name", LOSSES)
def test_gradients_lie_and_change_as_in_plain_calls(name, after):
    assert steps(w.compile, *LOSSES[name], after) == steps(lambda f: f, *LOSSES[name], after)


@pytest.mark.parametrize("name", ["transposed product", "vmap", "tied"])
def test_an_optimizer_takes_the_same_pass(name):
    loss, shapes = LOSSES[name]
    found = []
    for compile in (lambda f: f, lambda f: w.compile(f, exact=True)):
        w.manual_seed(0)
        leaves = [w.randn(*shape).requires_grad_() for shape in shapes]
        optimizer = w.optim.Adam(leaves, 0.1)

        def step(x, leaves=leaves, optimizer=optimizer):
            optimizer.zero_grad()
            loss(x, *leaves).sum().backward()
            optimizer.step()

        fast = compile(step)
        for _ in range(8):
            fast(w.randn(5, 3))
        found.append(np.concatenate([p.detach().numpy().ravel() for p in leaves]).tobytes())
    assert found[0] == found[1]
    assert "update" in [node.op for node in fast.plan.graph.nodes]


@pytest.mark.parametrize("compile", [w.compile, lambda f: f], ids=["compiled", "plain"])
def test_a_kept_gradient_shares_memory_with_nothing(compile):
    leaf = w.ones(3, requires_grad=True)

    @compile
    def step(seed):
        leaf.grad = None
        inner = leaf * 2
        inner.retain_grad()
        (inner + 1).backward(seed)
        inner.grad.mul_(3)
        return inner.grad.clone()

    for _ in range(6):
        seed = w.ones(3)
        assert step(seed).tolist() == [3.0] * 3
        assert seed.tolist() == [1.0] * 3 and leaf.grad.tolist() == [2.0] * 3


@pytest.mark.parametrize("compile", [w.compile, lambda f: f], ids=["compiled", "plain"])
def test_the_seed_of_a_backward_pass_stays_as_it_is(compile):
    leaf = w.ones(3, requires_grad=True)

    @compile
    def step(seed):
        leaf.grad = None
        (leaf + 0).backward(seed)
        leaf.grad.mul_(0.5)
        return leaf.grad.clone()

    for _ in range(6):
        seed = w.ones(3)
        assert step(seed).tolist() == [0.5] * 3 and seed.tolist() == [1.0] * 3
