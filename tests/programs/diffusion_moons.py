"""Denoising diffusion of points in the plane: cosine schedule, residual blocks, weights averaged by swa_utils."""

import math

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel


class TimeEmbedding(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.register_buffer("freqs", torch.exp(torch.linspace(0, math.log(200.0), dim // 2)), persistent=False)

    def forward(self, t):
        angles = t.unsqueeze(-1) * self.freqs
        return torch.cat([angles.sin(), angles.cos()], dim=-1)


class Residual(nn.Module):
    def __init__(self, width, cond):
        super().__init__()
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.film = nn.Linear(cond, 2 * width)
        self.ff = nn.Sequential(nn.Linear(width, width), nn.Mish(), nn.Linear(width, width))

    def forward(self, x, c):
        gain, shift = self.film(c).tensor_split(2, dim=-1)
        return x + self.ff(torch.addcmul(shift, self.norm(x), 1 + gain))


class Denoiser(nn.Module):
    def __init__(self, width=32, cond=16, depth=2):
        super().__init__()
        self.embed, self.inp, self.out = TimeEmbedding(cond), nn.Linear(2, width), nn.Linear(width, 2)
        self.blocks = nn.ModuleList(Residual(width, cond) for _ in range(depth))
        nn.init.zeros_(self.out.weight)

    def forward(self, x, t):
        c, x = self.embed(t), self.inp(x)
        for block in self.blocks:
            x = block(x, c)
        return self.out(x)


def alpha_bar(t):
    return torch.cos((t + 0.008) / 1.008 * math.pi / 2).square()


def main(steps=50):
    torch.manual_seed(0)
    model = Denoiser()
    average = AveragedModel(model, avg_fn=lambda avg, new, count: 0.9 * avg + 0.1 * new)
    optimizer = torch.optim.RAdam(model.parameters(), lr=3e-3, weight_decay=1e-4)
    angle = torch.rand(256) * 2 * math.pi
    data = torch.stack((angle.cos(), angle.sin() * angle.cos()), dim=1)
    losses = []
    for _ in range(steps):
        x = data[torch.randint(high=len(data), size=(32,))]
        t = torch.rand(32)
        ab = alpha_bar(t).unsqueeze(1)
        eps = torch.randn_like(x)
        pred = model(ab.sqrt() * x + (1 - ab).sqrt() * eps, t)
        weight = torch.clamp(ab / (1 - ab), max=5.0).rsqrt()
        loss = (weight * (pred - eps) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        average.update_parameters(model)
        losses.append(loss.item())
    with torch.no_grad():
        x = torch.randn(8, 2)
        for i in torch.linspace(0.95, 0.05, 5):
            t = i.expand(8)
            a = alpha_bar(i)
            x0 = (x - (1 - a).sqrt() * average(x, t)) / a.sqrt()
            x = x0.clamp(-2, 2) * alpha_bar(i - 0.05).sqrt() + torch.randn_like(x) * 0.1
    return losses + [x.abs().mean().item()]


if __name__ == "__main__":
    print(main())
