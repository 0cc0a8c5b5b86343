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
