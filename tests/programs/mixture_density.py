"""A mixture density network: logsumexp of Gaussians, an inverse problem with several answers, quantile losses."""

import math

import torch
import torch.nn as nn


class MDN(nn.Module):
    def __init__(self, n_hidden, n_gaussians):
        super().__init__()
        self.z_h = nn.Sequential(nn.Linear(1, n_hidden), nn.Tanh())
        self.z_pi, self.z_mu = nn.Linear(n_hidden, n_gaussians), nn.Linear(n_hidden, n_gaussians)
        self.z_sigma = nn.Linear(n_hidden, n_gaussians)

    def forward(self, x):
        z_h = self.z_h(x)
        return nn.functional.log_softmax(self.z_pi(z_h), -1), torch.exp(self.z_sigma(z_h)), self.z_mu(z_h)


def mdn_loss(log_pi, sigma, mu, y):
    m = -0.5 * ((y.expand_as(mu) - mu) * torch.reciprocal(sigma)) ** 2
    return -torch.logsumexp(log_pi + m - torch.log(sigma) - 0.5 * math.log(2 * math.pi), dim=1).mean()


def main(steps=50):
    torch.manual_seed(0)
    y = torch.rand(128, 1) * 20 - 10
    x = torch.sin(0.75 * y) * 7.0 + y * 0.5 + torch.randn(128, 1)
    x, y = (v / v.std(dim=0, unbiased=False) for v in (x, y))
    network, quantile = MDN(20, 5), nn.Sequential(nn.Linear(1, 16), nn.LogSigmoid(), nn.Linear(16, 3))
    taus = torch.tensor([0.1, 0.5, 0.9])
    optimizer = torch.optim.Adam([*network.parameters(), *quantile.parameters()], lr=1e-2, amsgrad=True)
    losses = []
    for _ in range(steps):
        error = y - quantile(x)
        pinball = torch.maximum(taus * error, (taus - 1) * error).mean()
        loss = mdn_loss(*network(x), y) + pinball
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    with torch.no_grad():
        log_pi, sigma, mu = network(torch.linspace(-1, 1, 6).unsqueeze(1))
        k = log_pi.exp().multinomial(1)
        sample = torch.normal(mu.gather(1, k), sigma.gather(1, k))
    return losses + sample.abs().flatten().tolist()


if __name__ == "__main__":
    print(main())
