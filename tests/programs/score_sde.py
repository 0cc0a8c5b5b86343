"""A score network of a variance-preserving SDE: denoising score matching, a reverse-time sampler, likelihoods by the ODE."""

import math

import torch
import torch.nn as nn


class Score(nn.Module):
    def __init__(self, size=32, frequencies=6):
        super().__init__()
        self.register_buffer("frequencies", 2.0 ** torch.arange(frequencies) * math.pi / 2)
        self.first = nn.Linear(2 + 2 * frequencies, size)
        self.rest = nn.Sequential(nn.SiLU(), nn.Linear(size, size), nn.SiLU(), nn.Linear(size, 2))

    def forward(self, x, t):
        phase = t[:, None] * self.frequencies
        h = self.first(torch.cat([x, phase.sin(), phase.cos()], dim=1))
        return self.rest(h) / spread(t)[:, None]


BETA = (0.1, 10.0)


def beta(t):
    return BETA[0] + t * (BETA[1] - BETA[0])


def kept(t):
    """The factor of the data at a time."""
    return torch.exp(-0.25 * t**2 * (BETA[1] - BETA[0]) - 0.5 * t * BETA[0])


def spread(t):
    return torch.sqrt(1 - kept(t) ** 2)


def loss_of(model, x):
    t = 1e-3 + (1 - 1e-3) * torch.rand(len(x))
    noise = torch.randn_like(x)
    perturbed = kept(t)[:, None] * x + spread(t)[:, None] * noise
    return (model(perturbed, t) * spread(t)[:, None] + noise).square().sum(1).mean()


@torch.no_grad()
def sample(model, n, steps=8):
    """Euler-Maruyama backwards in time."""
    x, dt = torch.randn(n, 2), 1.0 / steps
    for k in range(steps, 0, -1):
        t = torch.full((n,), k / steps)
        rate = beta(t)[:, None]
        x = x + (0.5 * rate * x + rate * model(x, t)) * dt
        if k > 1:
            x = x + torch.sqrt(rate * dt) * torch.randn_like(x)
    return x


def log_likelihood(model, x, steps=5):
    """By the probability flow ODE (Heun), with the exact divergence of the two-dimensional field."""

    def flow(x, t):
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            time = torch.full((len(x),), t)
            velocity = -0.5 * beta(time)[:, None] * (x + model(x, time))
            rows = [torch.autograd.grad(velocity[:, k].sum(), x, retain_graph=k == 0)[0][:, k] for k in range(2)]
        return velocity.detach(), rows[0] + rows[1]

    total, dt = torch.zeros(len(x)), (1 - 1e-2) / steps
    for k in range(steps):
        t = 1e-2 + k * dt
        v0, d0 = flow(x, t)
        v1, d1 = flow(x + dt * v0, t + dt)
        x, total = x + dt * (v0 + v1) / 2, total + dt * (d0 + d1) / 2
    return torch.distributions.Normal(0.0, 1.0).log_prob(x).sum(1) + total


def crescents(n):
    side = (torch.rand(n) < 0.5).to(torch.get_default_dtype())
    angle = math.pi * (torch.rand(n) + side)
    x = torch.stack([angle.cos() + side - 0.5, angle.sin() + 0.25 * (2 * side - 1)], dim=1)
    return x + 0.05 * torch.randn(n, 2)


def main(steps=50):
    torch.manual_seed(0)
    model = Score()
    average = torch.optim.swa_utils.AveragedModel(model, avg_fn=lambda old, new, n: 0.9 * old + 0.1 * new)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    losses = []
    for step in range(steps):
        loss = loss_of(model, crescents(64))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        average.update_parameters(model)
        losses.append(loss.item())
        if step % 10 == 9:
            losses.append(log_likelihood(average, crescents(16)).mean().item())
            losses.append(sample(average, 16).std().item())
    return losses


if __name__ == "__main__":
    print(main())
