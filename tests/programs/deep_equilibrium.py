"""A deep equilibrium model: a layer's fixed point by Anderson's method, its gradient by the implicit function theorem."""

import torch
import torch.nn as nn
import torch.nn.functional as F


def anderson(f, x0, memory=4, iterations=12, ridge=1e-2, beta=1.0):
    """The fixed point of f in batches of vectors, from mixtures of the latest iterates."""
    batch, size = x0.shape
    xs = torch.zeros(batch, memory, size, dtype=x0.dtype)
    fs = torch.zeros(batch, memory, size, dtype=x0.dtype)
    xs[:, 0], fs[:, 0] = x0, f(x0)
    xs[:, 1], fs[:, 1] = fs[:, 0], f(fs[:, 0])
    system = torch.zeros(batch, memory + 1, memory + 1, dtype=x0.dtype)
    system[:, 0, 1:] = system[:, 1:, 0] = 1
    right = torch.zeros(batch, memory + 1, 1, dtype=x0.dtype)
    right[:, 0] = 1
    for k in range(2, iterations):
        n = min(k, memory)
        rest = fs[:, :n] - xs[:, :n]
        system[:, 1 : n + 1, 1 : n + 1] = torch.bmm(rest, rest.transpose(1, 2)) + ridge * torch.eye(
            n, dtype=x0.dtype
        )
        weights = torch.linalg.solve(system[:, : n + 1, : n + 1], right[:, : n + 1])[:, 1 : n + 1, 0]
        mixed = beta * (weights[:, None] @ fs[:, :n])[:, 0] + (1 - beta) * (weights[:, None] @ xs[:, :n])[:, 0]
        xs[:, k % memory] = mixed
        fs[:, k % memory] = f(mixed)
    return fs[:, (iterations - 1) % memory]


class FixedPoint(torch.autograd.Function):
    """z = f(z, x): forward without a graph, backward by a second fixed point in the transposed Jacobian."""

    @staticmethod
    def forward(ctx, layer, x, *parameters):
        ctx.layer = layer
        with torch.no_grad():
            z = anderson(lambda z: layer(z, x), torch.zeros(len(x), layer.size, dtype=x.dtype))
        ctx.save_for_backward(x, z)
        return z

    @staticmethod
    def backward(ctx, grad):
        x, z = ctx.saved_tensors
        with torch.enable_grad():
            x, z = x.detach().requires_grad_(), z.detach().requires_grad_()
            value = ctx.layer(z, x)

        def transposed(v):
            return torch.autograd.grad(value, z, v, retain_graph=True)[0] + grad

        adjoint = anderson(transposed, torch.zeros_like(grad))
        return None, *torch.autograd.grad(value, (x, *ctx.layer.parameters()), adjoint)


class Cell(nn.Module):
    def __init__(self, inputs, size):
        super().__init__()
        self.size = size
        self.within = nn.Linear(size, size, bias=False)
        self.given = nn.Linear(inputs, size)
        with torch.no_grad():
            self.within.weight.mul_(0.5)

    def forward(self, z, x):
        return torch.tanh(self.within(z) + self.given(x))


class Equilibrium(nn.Module):
    def __init__(self, inputs=2, size=12):
        super().__init__()
        self.cell = Cell(inputs, size)
        self.head = nn.Linear(size, 2)

    def forward(self, x):
        return self.head(FixedPoint.apply(self.cell, x, *self.cell.parameters()))


def rings(n):
    angle, outside = 6.283185 * torch.rand(n), torch.rand(n) < 0.5
    radius = torch.where(outside, 1.6, 0.7) + 0.1 * torch.randn(n)
    return torch.stack([radius * angle.cos(), radius * angle.sin()], dim=1), outside.long()


def main(steps=50):
    torch.manual_seed(0)
    model = Equilibrium()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    losses = []
    for _ in range(steps):
        x, y = rings(48)
        loss = F.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


if __name__ == "__main__":
    print(main()[-1])
