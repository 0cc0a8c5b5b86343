"""A physics-informed network for a damped oscillator and Burgers' equation: derivatives for the inputs, inside the loss."""

import math

import torch
import torch.nn as nn


class FCN(nn.Module):
    def __init__(self, n_in, n_out, n_hidden, n_layers):
        super().__init__()
        activation = nn.Tanh
        self.fcs = nn.Sequential(*[nn.Linear(n_in, n_hidden), activation()])
        self.fch = nn.Sequential(
            *[nn.Sequential(*[nn.Linear(n_hidden, n_hidden), activation()]) for _ in range(n_layers - 1)]
        )
        self.fce = nn.Linear(n_hidden, n_out)

    def forward(self, x):
        return self.fce(self.fch(self.fcs(x)))


def derivative(y, x, order=1):
    for _ in range(order):
        y = torch.autograd.grad(y, x, torch.ones_like(y), create_graph=True)[0]
    return y


def main(steps=50):
    torch.manual_seed(123)
    d, w0 = 2.0, 8.0
    t_data = torch.linspace(0, 0.4, 8).view(-1, 1)
    u_data = torch.exp(-d * t_data) * torch.cos(math.sqrt(w0**2 - d**2) * t_data)
    t_physics = torch.linspace(0, 1, 20).view(-1, 1).requires_grad_(True)
    oscillator, burgers = FCN(1, 1, 16, 2), FCN(2, 1, 12, 2)
    mu = torch.nn.Parameter(torch.tensor([1.0], requires_grad=True))
    optimizer = torch.optim.Adam([*oscillator.parameters(), *burgers.parameters(), mu], lr=2e-3)
    x = torch.rand(24, 2)
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        yhp = oscillator(t_physics)
        dx, dx2 = derivative(yhp, t_physics), derivative(yhp, t_physics, 2)
        physics = dx2 + mu * dx + (w0**2) * yhp
        loss = torch.mean((oscillator(t_data) - u_data) ** 2) + 1e-4 * torch.mean(physics**2)
        xt = x.clone().requires_grad_()
        u = burgers(xt)
        du = derivative(u, xt)
        u_xx = derivative(du[:, :1], xt)[:, 0:1]
        loss = loss + 0.1 * (du[:, 1:2] + u * du[:, 0:1] - 0.01 / math.pi * u_xx).pow(2).mean()
        loss = (
            loss
            + (burgers(torch.cat([x[:, :1], torch.zeros(24, 1)], 1)) + torch.sin(math.pi * x[:, :1])).abs().mean()
        )
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


if __name__ == "__main__":
    print(main())
