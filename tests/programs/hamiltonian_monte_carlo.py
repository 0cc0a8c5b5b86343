"""Hamiltonian Monte Carlo: the posterior of a logistic regression with unknown prior scale, a tuned step size."""

import torch
import torch.distributions as D


class Posterior:
    def __init__(self, x, y):
        self.x, self.y = x, y

    def __call__(self, theta):
        scale, weights = theta[0].exp(), theta[1:]
        prior = (
            D.HalfNormal(2.0).log_prob(scale) + theta[0] + D.Normal(torch.zeros(()), scale).log_prob(weights).sum()
        )
        likelihood = D.Independent(D.Bernoulli(logits=self.x @ weights), 1).log_prob(self.y)
        return prior + likelihood


def gradient(log_density, theta):
    theta = theta.detach().requires_grad_()
    value = log_density(theta)
    (grad,) = torch.autograd.grad(value, theta)
    return value.detach(), grad


@torch.no_grad()
def leapfrog(log_density, theta, momentum, step, count):
    with torch.enable_grad():
        value, grad = gradient(log_density, theta)
    momentum = momentum + 0.5 * step * grad
    for k in range(count):
        theta = theta + step * momentum
        with torch.enable_grad():
            value, grad = gradient(log_density, theta)
        momentum = momentum + (step if k < count - 1 else 0.5 * step) * grad
    return theta, momentum, value


def main(steps=50):
    torch.manual_seed(0)
    x = torch.randn(60, 4)
    y = (torch.sigmoid(x @ torch.tensor([1.0, -2.0, 0.5, 0.0])) > torch.rand(60)).to(x.dtype)
    log_density = Posterior(x, y)
    theta, step = torch.zeros(5), 0.05
    value, _ = gradient(log_density, theta)
    samples, trace = [], []
    for _ in range(steps):
        momentum = torch.randn_like(theta)
        proposal, end, new = leapfrog(log_density, theta, momentum, step, 8)
        log_ratio = new - value - 0.5 * (end.square().sum() - momentum.square().sum())
        accept = torch.rand(()).log() < log_ratio
        theta = torch.where(accept, proposal, theta)
        value = torch.where(accept, new, value)
        step *= 1.05 if bool(accept) else 0.9
        samples.append(theta)
        trace.append(-value.item())
    chain = torch.stack(samples)
    mean, covariance = chain.mean(0), torch.cov(chain.T)
    return trace + [mean.norm().item(), covariance.diagonal().sum().item()]


if __name__ == "__main__":
    print(main())
