"""A variational autoencoder whose prior is a normalising flow: couplings over a learnt mixture, free bits, warm-up."""

import torch
import torch.distributions as D
import torch.nn as nn
import torch.nn.functional as F


class Coupling(nn.Module):
    def __init__(self, size, flip):
        super().__init__()
        self.flip = flip
        self.net = nn.Sequential(nn.Linear(size // 2, 12), nn.Tanh(), nn.Linear(12, size))
        nn.init.zeros_(self.net[2].weight)
        nn.init.zeros_(self.net[2].bias)

    def forward(self, z):
        a, b = z.chunk(2, dim=-1)
        if self.flip:
            a, b = b, a
        shift, scale = self.net(a).chunk(2, dim=-1)
        scale = 2 * torch.tanh(scale / 2)
        b = (b + shift) * scale.exp()
        return torch.cat([b, a] if self.flip else [a, b], dim=-1), scale.sum(-1)


class FlowPrior(nn.Module):
    def __init__(self, size, layers=3, parts=4):
        super().__init__()
        self.layers = nn.ModuleList(Coupling(size, k % 2 == 1) for k in range(layers))
        self.logits = nn.Parameter(torch.zeros(parts))
        self.means, self.log_scales = nn.Parameter(torch.randn(parts, size)), nn.Parameter(torch.zeros(parts, size))

    def log_prob(self, z):
        log_det = 0.0
        for layer in self.layers:
            z, part = layer(z)
            log_det = log_det + part
        base = D.MixtureSameFamily(
            D.Categorical(logits=self.logits), D.Independent(D.Normal(self.means, self.log_scales.exp()), 1)
        )
        return base.log_prob(z) + log_det


class VAE(nn.Module):
    def __init__(self, size=4):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 4, 3, stride=2, padding=1), nn.GELU(), nn.Flatten(), nn.Linear(64, 2 * size)
        )
        self.decoder = nn.Sequential(
            nn.Linear(size, 64),
            nn.GELU(),
            nn.Unflatten(1, (4, 4, 4)),
            nn.ConvTranspose2d(4, 1, 4, stride=2, padding=1),
        )
        self.prior = FlowPrior(size)

    def forward(self, x, beta):
        mean, log_scale = self.encoder(x).chunk(2, dim=-1)
        posterior = D.Independent(D.Normal(mean, F.softplus(log_scale) + 1e-3), 1)
        z = posterior.rsample()
        fit = D.Independent(D.Bernoulli(logits=self.decoder(z)), 3).log_prob(x)
        rate = posterior.log_prob(z) - self.prior.log_prob(z)
        return -fit.mean() + beta * rate.mean().clamp(min=0.1)


def images(count):
    x = torch.zeros(count, 1, 8, 8)
    row, column = torch.randint(0, 6, (2, count))
    for k in range(count):
        x[k, 0, row[k] : row[k] + 3, :: 1 + k % 2] = 1
        x[k, 0, :, column[k]] = 1
    return x


def main(steps=50):
    torch.manual_seed(0)
    model = VAE()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    data, losses = images(64), []
    for step in range(steps):
        x = data[torch.randperm(64)[:16]]
        loss = model(x, min(1.0, (step + 1) / 20))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


if __name__ == "__main__":
    print(main())
