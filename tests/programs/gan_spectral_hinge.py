"""A GAN on a ring of eight Gaussians: spectral normalization, hinge losses, a schedule for each network."""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.nn.utils.parametrizations import spectral_norm


def ring(n):
    k = torch.randint(0, 8, (n,))
    angle = k.float() * (2 * math.pi / 8)
    centers = torch.stack([angle.cos(), angle.sin()], dim=-1) * 2
    return centers + 0.05 * torch.randn(n, 2)


class Generator(nn.Sequential):
    def __init__(self, nz=4, width=32):
        super().__init__(nn.Linear(nz, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 2))


class Discriminator(nn.Module):
    def __init__(self, width=32):
        super().__init__()
        self.l1 = spectral_norm(nn.Linear(2, width))
        self.l2 = spectral_norm(nn.Linear(width, width), n_power_iterations=2)
        self.out = nn.utils.parametrizations.weight_norm(nn.Linear(width, 1))

    def forward(self, x):
        x = F.leaky_relu(self.l1(x), 0.2)
        return self.out(F.leaky_relu(self.l2(x), 0.2))


def main(steps=50):
    torch.manual_seed(0)
    G, D = Generator(), Discriminator()
    opt_g = torch.optim.Adam(G.parameters(), lr=2e-4, betas=(0.0, 0.9))
    opt_d = torch.optim.Adam(D.parameters(), lr=4e-4, betas=(0.0, 0.9))
    decay = [torch.optim.lr_scheduler.LambdaLR(o, lambda s: 1 - s / (2 * steps)) for o in (opt_g, opt_d)]
    losses = []
    for _ in range(steps):
        for p in D.parameters():
            p.requires_grad_(True)
        real, fake = ring(32), G(torch.randn(32, 4)).detach()
        loss_d = F.relu(1.0 - D(real)).mean() + F.relu(1.0 + D(fake)).mean()
        opt_d.zero_grad()
        loss_d.backward()
        opt_d.step()
        for p in D.parameters():
            p.requires_grad_(False)
        loss_g = -D(G(torch.randn(32, 4))).mean()
        opt_g.zero_grad()
        loss_g.backward()
        opt_g.step()
        [s.step() for s in decay]
        losses += [loss_d.item(), loss_g.item()]
    return losses


if __name__ == "__main__":
    print(main())
