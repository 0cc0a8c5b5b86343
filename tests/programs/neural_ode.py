"""A neural ordinary differential equation: Runge-Kutta steps, once by plain backpropagation, once by the adjoint."""

import torch
import torch.nn as nn


class ODEFunc(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(2, 24), nn.Tanh(), nn.Linear(24, 2))
        for m in self.net.modules():
            if isinstance(m, nn.Linear):
                nn.init.normal_(m.weight, mean=0, std=0.1)
                nn.init.constant_(m.bias, val=0)

    def forward(self, t, y):
        return self.net(y**3)


def rk4_step(func, t, dt, y):
    k1 = func(t, y)
    k2 = func(t + dt / 2, y + dt * k1 / 2)
    k3 = func(t + dt / 2, y + dt * k2 / 2)
    k4 = func(t + dt, y + dt * k3)
    return y + dt * (k1 + 2 * k2 + 2 * k3 + k4) / 6


def odeint(func, y0, t):
    ys = [y0]
    for t0, t1 in zip(t[:-1], t[1:]):
        ys.append(rk4_step(func, t0, t1 - t0, ys[-1]))
    return torch.stack(ys)


class OdeAdjoint(torch.autograd.Function):
    @staticmethod
    def forward(ctx, y0, t, flat_params, func):
        with torch.no_grad():
            ys = odeint(func, y0, t)
        ctx.func = func
        ctx.save_for_backward(ys, t, flat_params)
        return ys

    @staticmethod
    def backward(ctx, grad_ys):
        func, (ys, t, flat_params) = ctx.func, ctx.saved_tensors
        params = tuple(func.parameters())
        adj_y, adj_p = grad_ys[-1], torch.zeros_like(flat_params)
        with torch.enable_grad():
            for i in range(len(t) - 2, -1, -1):
                y = ys[i].detach().requires_grad_(True)
                step = rk4_step(func, t[i], t[i + 1] - t[i], y)
                grads = torch.autograd.grad(step, (y, *params), adj_y, allow_unused=True)
                adj_y = grads[0] + grad_ys[i]
                adj_p = adj_p + torch.cat([g.reshape(-1) for g in grads[1:]])
        return adj_y, None, adj_p, None


def odeint_adjoint(func, y0, t):
    flat = nn.utils.parameters_to_vector(func.parameters())
    return OdeAdjoint.apply(y0, t, flat, func)


class Lambda(nn.Module):
    def forward(self, t, y):
        return torch.mm(y**3, torch.tensor([[-0.1, 2.0], [-2.0, -0.1]]))


def main(steps=50):
    torch.manual_seed(0)
    t = torch.linspace(0.0, 1.2, 9)
    y0 = torch.tensor([[2.0, 0.0]])
    with torch.no_grad():
        true_y = odeint(Lambda(), y0, t)
    func = ODEFunc()
    optimizer = torch.optim.RMSprop(func.parameters(), lr=5e-3)
    losses = []
    for step in range(steps):
        optimizer.zero_grad()
        solver = odeint_adjoint if step % 2 else odeint
        loss = torch.mean(torch.abs(solver(func, y0, t) - true_y))
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


if __name__ == "__main__":
    print(main())
