"""Distributions inside of compiled functions: one plan, the same numbers; what they check is checked outside of them."""

import numpy as np
import pytest
from distribution_cases import every_case, of, ours, values_of

import wengert


@every_case
def test_log_prob_is_captured(name, parameters, values):
    tensors = [values_of(0, v).requires_grad_() for v in parameters.values() if isinstance(v, np.ndarray)]
    names = [k for k, v in parameters.items() if isinstance(v, np.ndarray)]
    fixed = {k: v for k, v in parameters.items() if k not in names}

    def loss(x, *given):
        return of(0, name)(**dict(zip(names, given, strict=True)), **fixed).log_prob(x).sum()

    x = values_of(0, values)
    fast = wengert.compile(loss, fullgraph=True)
    for _ in range(3):
        found, wanted = fast(x, *tensors), loss(x, *tensors)
        assert found.item() == pytest.approx(wanted.item(), rel=1e-6)
        for a, b in zip(
            *(wengert.autograd.grad(v, tensors, allow_unused=True) for v in (found, wanted)), strict=True
        ):
            assert (a is None) == (b is None)
            if a is not None:
                np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-5, atol=1e-9)


METHODS = {
    "sample": lambda d, x: d.sample((3,)),
    "rsample": lambda d, x: d.rsample((3,)) if d.has_rsample else d.sample(),
    "entropy": lambda d, x: d.entropy(),
    "cdf": lambda d, x: d.cdf(x),
    "icdf": lambda d, x: d.icdf(x * 0 + 0.3),
    "variance": lambda d, x: d.variance.clone(),
    "mean": lambda d, x: d.mean.clone(),
    "mode": lambda d, x: d.mode.clone(),
}


@pytest.mark.parametrize("method", METHODS)
@every_case
def test_samples_and_figures_are_captured(name, parameters, values, method):
    names = [k for k, v in parameters.items() if isinstance(v, np.ndarray)]
    fixed = {k: v for k, v in parameters.items() if k not in names}
    tensors = [values_of(0, parameters[k]).requires_grad_() for k in names]
    x = values_of(0, values)

    def f(*given):
        return METHODS[method](of(0, name)(**dict(zip(names, given, strict=True)), **fixed), x)

    def slopes(t):
        weights = wengert.full(t.shape, 0.7, dtype=t.dtype)
        return wengert.autograd.grad(t, tensors, weights, allow_unused=True) if t.requires_grad else []

    wengert.manual_seed(3)
    try:
        wanted = [f(*tensors) for _ in range(5)]
    except NotImplementedError:
        return
    fast = wengert.compile(f, fullgraph=True, exact=True)
    wengert.manual_seed(3)
    for want in wanted:
        got = fast(*tensors)
        assert got.dtype == want.dtype and got.requires_grad == want.requires_grad
        assert np.array_equal(got.detach().numpy(), want.detach().numpy(), equal_nan=True)
        for a, b in zip(slopes(got), slopes(want), strict=True):
            assert (a is None) == (b is None)
            assert a is None or np.array_equal(a.numpy(), b.numpy(), equal_nan=True)
    assert fast.plans == 1


def test_numbers_behind_samples_that_are_accepted_go_on_in_the_sequence():
    layer = wengert.nn.Dropout(0.5)
    rates = wengert.tensor([0.5, 3.0, 50.0])

    def f(x):
        first = wengert.randn(3)
        gamma = ours.Gamma(rates, 1.0, validate_args=False).sample()
        second = wengert.rand(3) + layer(x)
        counts = ours.Poisson(rates, validate_args=False).sample()
        ours.Poisson(rates, validate_args=False).sample()  # nothing reads it, but others come after it
        classes = wengert.multinomial(rates, 4, replacement=True)
        return first, gamma, second, counts, classes, wengert.bernoulli(rates / 50), wengert.randperm(5)

    x = wengert.ones(3)
    wengert.manual_seed(1)
    wanted = [f(x) for _ in range(6)]
    fast = wengert.compile(f, fullgraph=True)
    wengert.manual_seed(1)
    for want in wanted:
        assert all(wengert.equal(a, b) for a, b in zip(fast(x), want, strict=True))
    assert fast.plans == 1
    graph = wengert.graph.record(f, x)
    again = wengert.Graph.parse(graph.to_text(), graph.state_dict())
    runs = []
    for run in (graph.compile(), again.compile(), f):
        wengert.manual_seed(2)
        runs.append([run(x) for _ in range(3)])
    for first, second, third in zip(*runs, strict=True):
        for a, b, c in zip(first, second, third, strict=True):
            assert wengert.equal(a, b) and wengert.equal(a, c)


def test_samples_in_graphs_by_hand_have_gradients():
    graph = wengert.Graph("g")
    shape = graph.input("shape", (3,))
    x = ours.Gamma(shape, 2.0, validate_args=False).rsample()
    graph.output(x, graph.gradients(x.sum(), shape))
    plan = graph.compile()
    a = wengert.tensor([0.5, 3.0, 50.0], requires_grad=True)
    wengert.manual_seed(0)
    value, slope = plan(a.detach())
    wengert.manual_seed(0)
    want = ours.Gamma(a, 2.0).rsample()
    assert wengert.equal(value, want)
    assert wengert.allclose(slope, wengert.autograd.grad(want.sum(), a)[0])


def test_drawing_in_loops():
    rate = wengert.tensor([2.0])

    def f(x):
        return wengert.scan(lambda c, v: (c + v, ours.Poisson(rate).sample()), x[0] * 0, x)[1]

    fast = wengert.compile(f, fullgraph=True)
    wengert.manual_seed(0)
    got = [fast(wengert.ones(3)) for _ in range(4)]
    wengert.manual_seed(0)
    assert all(map(wengert.equal, got, [f(wengert.ones(3)) for _ in range(4)]))


def test_drawing_under_vmap_is_refused():
    rate = wengert.tensor([2.0])
    with pytest.raises(RuntimeError, match="vmap: expected no random operation of the host, got poisson"):
        wengert.vmap(lambda x: x + ours.Poisson(rate).sample())(wengert.ones(3))


def test_classes_are_checked_by_the_run():
    fast = wengert.compile(lambda k: wengert.nn.functional.one_hot(k, 3), fullgraph=True)
    for _ in range(3):
        assert fast(wengert.tensor([0, 2])).tolist() == [[1, 0, 0], [0, 0, 1]]
    with pytest.raises(RuntimeError, match="one_hot: expected indices below 3, got 5"):
        fast(wengert.tensor([0, 5]))
    fast = wengert.compile(wengert.bernoulli, fullgraph=True)
    for _ in range(3):
        fast(wengert.tensor([0.5]))
    with pytest.raises(RuntimeError, match="bernoulli: expected probabilities between 0 and 1"):
        fast(wengert.tensor([1.5]))


def test_a_policy_step_is_captured():
    """Samples of a normal distribution, their log-probabilities, an entropy and a divergence, with gradients."""
    wengert.manual_seed(0)
    layer = wengert.nn.Linear(4, 3)
    x = wengert.randn(8, 4)

    @wengert.compile(fullgraph=True)
    def step(x):
        policy = ours.Independent(ours.Normal(layer(x), 0.5), 1)
        action = policy.rsample()
        prior = ours.Independent(ours.Normal(wengert.zeros(8, 3), 1.0), 1)
        loss = policy.log_prob(action).mean() - policy.entropy().mean() + ours.kl_divergence(policy, prior).mean()
        layer.zero_grad()
        loss.backward()
        return loss.detach()

    losses = {step(x).item() for _ in range(4)}
    assert len(losses) == 4 and np.isfinite(list(losses)).all() and layer.weight.grad.abs().sum().item() > 0


def test_values_are_checked_outside():
    for call in (
        lambda s: ours.Normal(0.0, s).scale,
        lambda s: ours.Geometric(s).probs,
        lambda s: ours.Uniform(s, s - 1.0).low,
    ):
        fast = wengert.compile(call, fullgraph=True)
        assert fast(wengert.tensor(-1.0)).item() == -1.0
        with pytest.raises(ValueError):
            call(wengert.tensor(-1.0))
