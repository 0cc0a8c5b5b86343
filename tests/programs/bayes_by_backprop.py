"""Bayes by backprop: weights as distributions, a scale mixture as prior, a bound with several samples, local draws."""

import math

import torch
import torch.distributions as dist
import torch.nn as nn
import torch.nn.functional as F


class Gaussian:
    def __init__(self, mu, rho):
        self.mu, self.rho = mu, rho

    @property
    def sigma(self):
        return torch.log1p(torch.exp(self.rho))

    def sample(self):
        return self.mu + self.sigma * torch.randn_like(self.mu)

    def log_prob(self, w):
        return dist.Normal(self.mu, self.sigma).log_prob(w).sum()


class ScaleMixture(nn.Module):
    def __init__(self, pi=0.5, sigma1=1.0, sigma2=0.1):
        super().__init__()
        self.register_buffer("pi", torch.tensor(pi))
        self.register_buffer("sigmas", torch.tensor([sigma1, sigma2]))

    def log_prob(self, w):
        parts = dist.Normal(torch.zeros_like(self.sigmas), self.sigmas).log_prob(w.unsqueeze(-1))
        weights = torch.stack((self.pi, 1 - self.pi)).log()
        return torch.logsumexp(parts + weights, dim=-1).sum()


class BayesianLinear(nn.Module):
    def __init__(self, n_in, n_out):
        super().__init__()
        self.weight_mu = nn.Parameter(torch.empty(n_out, n_in).uniform_(-0.3, 0.3))
        self.weight_rho = nn.Parameter(torch.empty(n_out, n_in).uniform_(-5, -4))
        self.bias_mu = nn.Parameter(torch.empty(n_out).uniform_(-0.3, 0.3))
        self.bias_rho = nn.Parameter(torch.full((n_out,), -4.5))
        self.prior = ScaleMixture()
        self.log_prior = self.log_posterior = 0.0

    def extra_repr(self):
        return "in_features={1}, out_features={0}".format(*self.weight_mu.shape)

    def forward(self, x):
        weight, bias = Gaussian(self.weight_mu, self.weight_rho), Gaussian(self.bias_mu, self.bias_rho)
        w, b = weight.sample(), bias.sample()
        self.log_prior = self.prior.log_prob(w) + self.prior.log_prob(b)
        self.log_posterior = weight.log_prob(w) + bias.log_prob(b)
        return F.linear(x, w, b)


class Flipout(nn.Module):
    """A mean-field layer with independent signs for every example; its divergence in closed form."""

    def __init__(self, n_in, n_out):
        super().__init__()
        self.mu = nn.Parameter(torch.randn(n_out, n_in) / math.sqrt(n_in))
        self.rho = nn.Parameter(torch.full((n_out, n_in), -3.0))

    def posterior(self):
        return dist.Independent(dist.Normal(self.mu, F.softplus(self.rho)), 2)

    def kl(self):
        prior = dist.Independent(dist.Normal(torch.zeros_like(self.mu), torch.ones_like(self.mu)), 2)
        return dist.kl_divergence(self.posterior(), prior)

    def forward(self, x):
        delta = self.posterior().rsample() - self.mu
        sign_in = torch.randint(0, 2, x.shape).to(x) * 2 - 1
        sign_out = torch.randint(0, 2, (*x.shape[:-1], self.mu.size(0))).to(x) * 2 - 1
        return F.linear(x, self.mu) + F.linear(x * sign_in, delta) * sign_out


def main(steps=50):
    torch.manual_seed(0)
    x = torch.linspace(-1, 1, 40).unsqueeze(1)
    y = x + 0.3 * torch.sin(2 * math.pi * x) + 0.02 * torch.randn_like(x)
    net = nn.Sequential(BayesianLinear(1, 12), nn.SiLU(), Flipout(12, 12), nn.Softsign(), BayesianLinear(12, 1))
    assert "BayesianLinear(\n    in_features=1" in str(net)
    noise = nn.Parameter(torch.tensor(-1.0))
    optimizer = torch.optim.Adamax([*net.parameters(), noise], lr=0.02)
    losses = []
    for step in range(steps):
        batch = torch.randperm(len(x))[:20]
        bound = 0.0
        for _ in range(3):
            likelihood = dist.Normal(net(x[batch]), noise.exp()).log_prob(y[batch]).sum() * 2
            layers = [m for m in net if isinstance(m, BayesianLinear)]
            divergence = sum(m.log_posterior - m.log_prior for m in layers)
            bound = bound + (divergence + net[2].kl()) * min(1.0, step / 30) - likelihood
        loss = bound / 3 / len(x)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    with torch.no_grad():
        predictions = torch.stack([net(x) for _ in range(8)])
    low, high = torch.quantile(predictions, torch.tensor([0.1, 0.9]), dim=0)
    losses.append((high - low).mean().item())
    return losses


if __name__ == "__main__":
    print(main()[-1])
