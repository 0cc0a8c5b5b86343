"""A neural cellular automaton: cells that see their neighbours through fixed filters grow a picture from one seed."""

import torch
import torch.nn as nn
import torch.nn.functional as F


class Automaton(nn.Module):
    def __init__(self, channels=8, hidden=24, fire_rate=0.5):
        super().__init__()
        self.channels, self.fire_rate = channels, fire_rate
        sobel = torch.outer(torch.tensor([1.0, 2.0, 1.0]), torch.tensor([-1.0, 0.0, 1.0])) / 8
        identity = torch.zeros(3, 3)
        identity[1, 1] = 1
        kernels = torch.stack([identity, sobel, sobel.T])
        self.register_buffer("kernels", kernels.repeat(channels, 1, 1).unsqueeze(1))
        self.update = nn.Sequential(
            nn.Conv2d(3 * channels, hidden, 1), nn.ReLU(), nn.Conv2d(hidden, channels, 1, bias=False)
        )
        nn.init.normal_(self.update[-1].weight, std=0.02)

    def alive(self, x):
        return F.max_pool2d(x[:, 3:4], 3, stride=1, padding=1) > 0.1

    def forward(self, x):
        before = self.alive(x)
        seen = F.conv2d(F.pad(x, (1, 1, 1, 1), mode="circular"), self.kernels, groups=self.channels)
        fires = torch.rand(x.shape[0], 1, *x.shape[2:]) <= self.fire_rate
        x = x + self.update(seen) * fires.to(x.dtype)
        return x * (before & self.alive(x)).to(x.dtype)


def target(size):
    """Premultiplied colours of a disc and its opacity."""
    grid = torch.linspace(-1, 1, size)
    yy, xx = torch.meshgrid(grid, grid, indexing="ij")
    alpha = torch.sigmoid(20 * (0.6 - torch.hypot(xx, yy)))
    colours = torch.stack([0.5 + 0.5 * torch.sin(3 * xx), 0.5 + 0.5 * torch.cos(3 * yy), alpha * 0 + 0.3])
    return torch.cat([colours * alpha, alpha[None]])


def main(steps=50, size=12):
    torch.manual_seed(0)
    model, wanted = Automaton(), target(size)
    seed = torch.zeros(model.channels, size, size)
    seed[3:, size // 2, size // 2] = 1.0
    pool = seed.repeat(16, 1, 1, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    losses = []
    for _ in range(steps):
        chosen = torch.randperm(len(pool))[:4]
        with torch.no_grad():
            start = pool[chosen]
            errors = (start[:, :4] - wanted).square().mean((1, 2, 3))
            start[errors.argmax()] = seed
        x = start
        for _ in range(6):
            x = model(x)
        loss = F.mse_loss(x[:, :4], wanted.expand(len(x), -1, -1, -1))
        optimizer.zero_grad()
        loss.backward()
        for p in model.parameters():
            p.grad.div_(p.grad.norm() + 1e-8)
        optimizer.step()
        pool[chosen] = x.detach()
        losses.append(loss.item())
    return losses


if __name__ == "__main__":
    print(main(200)[-1])
