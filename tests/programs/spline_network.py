"""A Kolmogorov-Arnold network: every edge has a spline of its own, by B-splines on a grid that follows the data."""

import torch
import torch.nn as nn
import torch.nn.functional as F


class SplineLayer(nn.Module):
    def __init__(self, inputs, outputs, grid=5, order=3, low=-1.0, high=1.0):
        super().__init__()
        self.order = order
        step = (high - low) / grid
        knots = torch.arange(-order, grid + order + 1) * step + low
        self.register_buffer("grid", knots.expand(inputs, -1).contiguous())
        self.base = nn.Parameter(torch.empty(outputs, inputs))
        self.splines = nn.Parameter(torch.empty(outputs, inputs, grid + order))
        nn.init.kaiming_uniform_(self.base, a=5**0.5)
        with torch.no_grad():
            noise = (torch.rand(grid + 1, inputs, outputs) - 0.5) * 0.1 / grid
            self.splines.copy_(self.coefficients(self.grid.T[order:-order], noise))

    def bases(self, x):
        """(n, inputs) to (n, inputs, grid + order), by the recursion of Cox and de Boor."""
        grid, x = self.grid, x.unsqueeze(-1)
        found = ((x >= grid[:, :-1]) & (x < grid[:, 1:])).to(x.dtype)
        for k in range(1, self.order + 1):
            left = (x - grid[:, : -(k + 1)]) / (grid[:, k:-1] - grid[:, : -(k + 1)])
            right = (grid[:, k + 1 :] - x) / (grid[:, k + 1 :] - grid[:, 1:-k])
            found = left * found[..., :-1] + right * found[..., 1:]
        return found

    def coefficients(self, x, y):
        """Least squares: the splines through points x (n, inputs), y (n, inputs, outputs)."""
        a = self.bases(x).transpose(0, 1)
        gram = a.mT @ a + 1e-4 * torch.eye(a.shape[-1], dtype=a.dtype)
        return torch.linalg.solve(gram, a.mT @ y.transpose(0, 1)).permute(2, 0, 1)

    def forward(self, x):
        return F.linear(F.silu(x), self.base) + F.linear(self.bases(x).flatten(1), self.splines.flatten(1))

    @torch.no_grad()
    def follow(self, x, mix=0.1):
        """Moves the knots towards quantiles of the data, and keeps the functions."""
        bases = self.bases(x)
        values = torch.einsum("nik,oik->nio", bases, self.splines)
        count = self.grid.shape[1] - 2 * self.order
        ordered = x.sort(dim=0).values
        spread = ordered[torch.linspace(0, len(x) - 1, count).long()]
        step = (ordered[-1] - ordered[0] + 0.02) / (count - 1)
        even = torch.arange(count)[:, None] * step + ordered[0] - 0.01
        inner = mix * even + (1 - mix) * spread
        before = inner[:1] - step * torch.arange(self.order, 0, -1)[:, None]
        after = inner[-1:] + step * torch.arange(1, self.order + 1)[:, None]
        self.grid.copy_(torch.cat([before, inner, after]).T)
        self.splines.copy_(self.coefficients(x, values))

    def regularity(self):
        size = self.splines.abs().mean(-1)
        share = size / size.sum()
        return size.sum() - (share * share.log()).sum()


def main(steps=50):
    torch.manual_seed(0)
    layers = nn.ModuleList([SplineLayer(2, 4), SplineLayer(4, 1)])
    optimizer = torch.optim.AdamW(layers.parameters(), lr=2e-2, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.99)
    losses = []
    for step in range(steps):
        x = 2 * torch.rand(64, 2) - 1
        wanted = torch.exp(torch.sin(3.14159 * x[:, :1]) + x[:, 1:] ** 2)
        h = x
        for layer in layers:
            if step == 10:
                layer.follow(h.detach(), mix=0.5)
            h = layer(h)
        loss = F.mse_loss(h, wanted) + 1e-4 * sum(layer.regularity() for layer in layers)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
    return losses


if __name__ == "__main__":
    print(main(400)[-1])
