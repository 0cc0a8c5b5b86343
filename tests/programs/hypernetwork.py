"""A hypernetwork writes the weights of small networks, one for each image; another one modulates layers (FiLM)."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.func import functional_call, vmap


class Sine(nn.Module):
    def forward(self, x):
        return torch.sin(3 * x)


def small(inputs=2, size=8, outputs=1):
    return nn.Sequential(nn.Linear(inputs, size), Sine(), nn.Linear(size, size), Sine(), nn.Linear(size, outputs))


class HyperNetwork(nn.Module):
    """From a code of the image to all weights of a network that paints it from coordinates."""

    def __init__(self, codes, dim=6):
        super().__init__()
        object.__setattr__(self, "template", small())
        self.shapes = {name: p.shape for name, p in self.template.named_parameters()}
        self.codes = nn.Embedding(codes, dim)
        self.body = nn.Sequential(nn.Linear(dim, 24), nn.Tanh())
        self.heads = nn.ModuleDict(
            {name.replace(".", "_"): nn.Linear(24, shape.numel()) for name, shape in self.shapes.items()}
        )
        for name, p in self.template.named_parameters():
            head = self.heads[name.replace(".", "_")]
            nn.init.normal_(head.weight, std=0.02)
            head.bias.data.copy_(p.detach().flatten())

    def forward(self, which, points):
        features = self.body(self.codes(which))
        weights = {
            name: self.heads[name.replace(".", "_")](features).unflatten(1, shape)
            for name, shape in self.shapes.items()
        }
        return vmap(lambda w: functional_call(self.template, w, (points,)))(weights).squeeze(-1)


class Film(nn.Module):
    """One network for all images, whose hidden layers are scaled and shifted by the code."""

    def __init__(self, codes, dim=6, size=16):
        super().__init__()
        self.codes = nn.Embedding(codes, dim)
        self.layers = nn.ModuleList([nn.Linear(2, size), nn.Linear(size, size)])
        self.scales = nn.ModuleList(nn.Linear(dim, 2 * size) for _ in range(2))
        self.head = nn.Linear(size, 1)

    def forward(self, which, points):
        h, code = points.expand(len(which), -1, -1), self.codes(which)
        for layer, scale in zip(self.layers, self.scales):
            gamma, shift = scale(code).unsqueeze(1).chunk(2, dim=-1)
            h = torch.sin((1 + gamma) * layer(h) + shift)
        return self.head(h).squeeze(-1)


def pictures(count, points):
    """Stripes of different directions, widths and places."""
    angle = 3.14159 * torch.arange(count) / count
    direction = torch.stack([angle.cos(), angle.sin()], dim=1)
    return torch.sin(2 * direction @ points.T * (1 + torch.arange(count)[:, None] % 3) + angle[:, None])


def main(steps=50, count=6, size=8):
    torch.manual_seed(0)
    grid = torch.linspace(-1, 1, size)
    points = torch.cartesian_prod(grid, grid)
    wanted = pictures(count, points)
    models = nn.ModuleList([HyperNetwork(count), Film(count)])
    optimizer = torch.optim.Adam(
        [{"params": models[0].parameters(), "lr": 5e-3}, {"params": models[1].parameters(), "lr": 1e-2}]
    )
    losses = []
    for _ in range(steps):
        which = torch.randperm(count)[:4]
        loss = sum(F.mse_loss(model(which, points), wanted[which]) for model in models)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


if __name__ == "__main__":
    print(main()[-1])
