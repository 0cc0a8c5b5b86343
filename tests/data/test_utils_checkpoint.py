"""Checkpointing gives the same values and gradients, and replays the function with its random numbers."""

import pytest

import wengert
from wengert.utils.checkpoint import checkpoint, checkpoint_sequential


def net(x, w):
    return ((x @ w).tanh() @ w).sigmoid().sum()


@pytest.mark.parametrize("use_reentrant", [True, False, None])
def test_gradients_are_the_same(use_reentrant):
    x, w = wengert.rand(3, 4), wengert.rand(4, 4)
    grads = []
    for wrapped in (False, True):
        a, b = x.clone().requires_grad_(), w.clone().requires_grad_()
        out = checkpoint(net, a, b, use_reentrant=use_reentrant) if wrapped else net(a, b)
        out.backward()
        grads.append((out.item(), a.grad.tolist(), b.grad.tolist()))
    assert grads[0] == grads[1]


def test_the_function_runs_again_once():
    calls = []

    def function(x, scale=1):
        calls.append(scale)
        return (x * x).exp() * scale

    x = wengert.ones(2, requires_grad=True)
    y = checkpoint(function, x, use_reentrant=False, scale=3).sum()
    assert calls == [3]
    y.backward()
    assert calls == [3, 3]
    with wengert.no_grad():
        checkpoint(function, x, use_reentrant=False)
    assert len(calls) == 3


def test_dropout_is_replayed_and_random_state_goes_on():
    x = wengert.ones(100, requires_grad=True)
    y = checkpoint(lambda v: wengert.nn.functional.dropout(v * 2, 0.5).pow(2), x, use_reentrant=False)
    wengert.manual_seed(11)
    expected = wengert.rand(3).tolist()
    wengert.manual_seed(11)
    y.sum().backward()
    assert wengert.rand(3).tolist() == expected
    assert ((x.grad != 0) == (y != 0)).all()


def test_backward_twice():
    x = wengert.ones(2, requires_grad=True)
    y = checkpoint(lambda v: v.exp() * v.sin(), x, use_reentrant=False).sum()
    y.backward(retain_graph=True)
    first = x.grad.tolist()
    x.grad = None
    y.backward()
    assert x.grad.tolist() == first


def test_a_function_that_changes_is_reported():
    calls = []

    def function(x):
        calls.append(1)
        return x.exp().sin() if len(calls) == 1 else x * 1

    x = wengert.ones(2, requires_grad=True)
    y = checkpoint(function, x, use_reentrant=False).sum()
    with pytest.raises(RuntimeError, match="second call"):
        y.backward()


@pytest.mark.parametrize("segments", [1, 2, 3])
def test_sequential(segments):
    model = wengert.nn.Sequential(*(wengert.nn.Linear(3, 3) for _ in range(5)))
    x = wengert.rand(2, 3, requires_grad=True)
    model(x).sum().backward()
    expected = x.grad.tolist()
    x.grad = None
    checkpoint_sequential(model, segments, x, use_reentrant=False).sum().backward()
    assert x.grad.tolist() == expected
    with pytest.raises(ValueError, match="segments"):
        checkpoint_sequential(model, 6, x)
