"""A flow out of torch.distributions.transforms: own bijections with parameters, composed, bounded and batched."""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.distributions import (
    Categorical,
    Independent,
    MixtureSameFamily,
    Normal,
    TransformedDistribution,
    Uniform,
    constraints,
    transforms,
)
from torch.distributions.utils import broadcast_all


class Planar(transforms.Transform, nn.Module):
    """x + u tanh(w x + b), invertible where w u >= -1; only forwards."""

    domain = constraints.real_vector
    codomain = constraints.real_vector
    bijective = True

    def __init__(self, dim):
        nn.Module.__init__(self)
        transforms.Transform.__init__(self, cache_size=1)
        self.w, self.u = nn.Parameter(0.1 * torch.randn(dim)), nn.Parameter(0.1 * torch.randn(dim))
        self.b = nn.Parameter(torch.zeros(()))

    def __hash__(self):
        return nn.Module.__hash__(self)

    def direction(self):
        inner = self.w @ self.u
        return self.u + (F.softplus(inner) - 1 - inner) * self.w / self.w.square().sum()

    def _call(self, x):
        return x + self.direction() * torch.tanh(x @ self.w + self.b).unsqueeze(-1)

    def log_abs_det_jacobian(self, x, y):
        slope = 1 - torch.tanh(x @ self.w + self.b) ** 2
        return torch.log1p(slope * (self.w @ self.direction()))


class Spline(transforms.Transform):
    """Monotone piecewise linear map of the unit interval, from unnormalised heights."""

    domain = constraints.unit_interval
    codomain = constraints.unit_interval
    bijective = True
    sign = +1

    def __init__(self, heights):
        super().__init__()
        self.heights = heights.softmax(-1)
        self.count = heights.size(-1)
        self.edges = F.pad(self.heights.cumsum(-1), (1, 0))

    def _cell(self, x):
        return (x * self.count).floor().clamp(0, self.count - 1).long()

    def _call(self, x):
        cell = self._cell(x)
        low = self.edges.expand(*x.shape, -1).gather(-1, cell.unsqueeze(-1)).squeeze(-1)
        height = self.heights.expand(*x.shape, -1).gather(-1, cell.unsqueeze(-1)).squeeze(-1)
        return low + (x * self.count - cell) * height

    def _inverse(self, y):
        cell = torch.searchsorted(self.edges.detach().contiguous(), y.detach().contiguous(), right=True) - 1
        cell = cell.clamp(0, self.count - 1)
        low, height = self.edges[cell], self.heights[cell]
        return ((y - low) / height + cell) / self.count

    def log_abs_det_jacobian(self, x, y):
        x, _ = broadcast_all(x, y)
        return torch.log(self.heights[self._cell(x)] * self.count)


def ring_energy(z):
    radius = z.norm(dim=-1)
    return 0.5 * ((radius - 2) / 0.4) ** 2 - torch.logaddexp(
        -0.5 * ((z[..., 0] - 2) / 0.6) ** 2, -0.5 * ((z[..., 0] + 2) / 0.6) ** 2
    )


def main(steps=50):
    torch.manual_seed(0)
    planes = nn.ModuleList([Planar(2) for _ in range(4)])
    shift, log_scale = nn.Parameter(torch.zeros(2)), nn.Parameter(torch.zeros(2))
    heights = nn.Parameter(torch.zeros(8))
    weights, places = nn.Parameter(torch.zeros(3)), nn.Parameter(torch.linspace(-1, 1, 3))
    params = [*planes.parameters(), shift, log_scale, heights, weights, places]
    optimizer = torch.optim.Adam(params, lr=0.02)
    data = torch.sigmoid(torch.cat((torch.randn(60) * 0.5 - 1.5, torch.randn(60) * 0.3 + 1.0)))
    losses = []
    for _ in range(steps):
        base = Independent(Normal(torch.zeros(2), torch.ones(2)), 1)
        affine = transforms.AffineTransform(shift, log_scale.exp(), event_dim=1)
        flow = TransformedDistribution(base, [affine, *planes])
        z = flow.rsample((64,))
        reverse = (flow.log_prob(z) + ring_energy(z)).mean()
        unit = TransformedDistribution(Uniform(0.0, 1.0), [Spline(heights)])
        forward = -unit.log_prob(data).mean()
        mixture = MixtureSameFamily(Categorical(logits=weights), Normal(places, 0.5))
        logit = TransformedDistribution(mixture, [transforms.SigmoidTransform()])
        forward = forward - 0.5 * logit.log_prob(data).mean()
        loss = reverse + forward
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    stacked = transforms.ComposeTransform([transforms.SigmoidTransform(), Spline(heights.detach())])
    x = torch.linspace(-3, 3, 7)
    assert torch.allclose(stacked.inv(stacked(x)), x, atol=1e-3)
    losses.append(stacked.log_abs_det_jacobian(x, stacked(x)).sum().item() + math.pi)
    return losses


if __name__ == "__main__":
    print(main()[-1])
