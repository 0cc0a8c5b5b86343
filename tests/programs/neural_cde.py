"""A neural controlled differential equation: irregular series as Hermite splines, a matrix field, Runge-Kutta."""

import torch
import torch.nn as nn
import torch.nn.functional as F


class Spline:
    """Cubic Hermite interpolation with backward differences."""

    def __init__(self, times, values):
        self.times = times
        slopes = (values[:, 1:] - values[:, :-1]) / (times[1:] - times[:-1])[None, :, None]
        slopes = torch.cat([slopes[:, :1], slopes], dim=1)
        gap = (times[1:] - times[:-1])[None, :, None]
        rise = values[:, 1:] - values[:, :-1]
        self.b = slopes[:, :-1]
        self.two_c = 2 * (3 * (rise / gap - self.b) - slopes[:, 1:] + self.b) / gap
        self.three_d = (slopes[:, 1:] - self.b) / gap**2 - self.two_c / gap
        self.start = values[:, 0]

    def derivative(self, t):
        place = torch.bucketize(t, self.times).clamp(1, len(self.times) - 1) - 1
        fraction = t - self.times[place]
        return self.b[:, place] + (self.two_c[:, place] + self.three_d[:, place] * fraction) * fraction


class Field(nn.Module):
    def __init__(self, channels, hidden):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(hidden, 16), nn.SiLU(), nn.Linear(16, hidden * channels), nn.Tanh())
        self.sizes = hidden, channels

    def forward(self, z):
        return self.net(z).unflatten(-1, self.sizes)


class NeuralCDE(nn.Module):
    def __init__(self, channels=3, hidden=6):
        super().__init__()
        self.first, self.field, self.last = (
            nn.Linear(channels, hidden),
            Field(channels, hidden),
            nn.Linear(hidden, 2),
        )

    def forward(self, spline, solver_steps=12):
        z, grid = self.first(spline.start), torch.linspace(0, 1, solver_steps + 1)

        def slope(t, state):
            return torch.einsum("bhc,bc->bh", self.field(state), spline.derivative(t))

        for t, end in zip(grid[:-1], grid[1:]):
            h = end - t
            k1 = slope(t, z)
            k2 = slope(t + h / 2, z + h / 2 * k1)
            k3 = slope(t + h / 2, z + h / 2 * k2)
            z = z + h / 6 * (k1 + 2 * k2 + 2 * k3 + slope(end, z + h * k3))
        return self.last(z)


def batch(size, times):
    label = torch.randint(0, 2, (size,))
    direction = label * 2.0 - 1
    phase = torch.rand(size)[:, None] * 6.283
    angle = phase + direction[:, None] * 5 * times
    series = torch.stack([times.expand(size, -1), angle.cos(), angle.sin()], dim=-1)
    return series + 0.02 * torch.randn_like(series), label


def main(steps=50):
    torch.manual_seed(0)
    times = torch.rand(9).sort().values
    times = (times - times[0]) / (times[-1] - times[0])
    model = NeuralCDE()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    losses = []
    for _ in range(steps):
        series, label = batch(16, times)
        loss = F.cross_entropy(model(Spline(times, series)), label)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
    return losses


if __name__ == "__main__":
    print(main())
