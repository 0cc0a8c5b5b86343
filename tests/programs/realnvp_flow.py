"""A normalizing flow of affine couplings on two moons: masks, log-determinants, inversion, MultivariateNormal."""

import math

import torch
import torch.nn as nn
from torch import distributions


class RealNVP(nn.Module):
    def __init__(self, nets, nett, masks, prior):
        super().__init__()
        self.prior = prior
        self.mask = nn.Parameter(masks, requires_grad=False)
        self.t = torch.nn.ModuleList([nett() for _ in range(len(masks))])
        self.s = torch.nn.ModuleList([nets() for _ in range(len(masks))])

    def g(self, z):
        x = z
        for i in range(len(self.t)):
            x_ = x * self.mask[i]
            s = self.s[i](x_) * (1 - self.mask[i])
            t = self.t[i](x_) * (1 - self.mask[i])
            x = x_ + (1 - self.mask[i]) * (x * torch.exp(s) + t)
        return x

    def f(self, x):
        log_det_J, z = x.new_zeros(x.shape[0]), x
        for i in reversed(range(len(self.t))):
            z_ = self.mask[i] * z
            s = self.s[i](z_) * (1 - self.mask[i])
            t = self.t[i](z_) * (1 - self.mask[i])
            z = (1 - self.mask[i]) * (z - t) * torch.exp(-s) + z_
            log_det_J -= s.sum(dim=1)
        return z, log_det_J

    def log_prob(self, x):
        z, logp = self.f(x)
        return self.prior.log_prob(z) + logp


def moons(n):
    angle = torch.rand(n) * math.pi
    upper = torch.arange(n) % 2 == 0
    x = torch.where(upper, angle.cos(), 1 - angle.cos())
    y = torch.where(upper, angle.sin(), 0.5 - angle.sin())
    return torch.stack((x, y), -1) + 0.05 * torch.randn(n, 2)


def main(steps=50):
    torch.manual_seed(0)
    prior = distributions.MultivariateNormal(torch.zeros(2), torch.eye(2))
    nets = lambda: nn.Sequential(nn.Linear(2, 24), nn.LeakyReLU(), nn.Linear(24, 2), nn.Tanh())  # noqa: E731
    nett = lambda: nn.Sequential(nn.Linear(2, 24), nn.LeakyReLU(), nn.Linear(24, 2))  # noqa: E731
    masks = torch.tensor([[0.0, 1.0], [1.0, 0.0]] * 2)
    flow = RealNVP(nets, nett, masks, prior)
    optimizer = torch.optim.Adam([p for p in flow.parameters() if p.requires_grad is True], lr=1e-3)
    losses = []
    for _ in range(steps):
        loss = -flow.log_prob(moons(64)).mean()
        optimizer.zero_grad()
        loss.backward(retain_graph=True)
        optimizer.step()
        losses.append(loss.item())
    x = moons(16)
    with torch.no_grad():
        losses.append(1 + (flow.g(flow.f(x)[0]) - x).abs().max().item())
    return losses


if __name__ == "__main__":
    print(main())
