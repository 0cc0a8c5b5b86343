"""Model-agnostic meta-learning on sine waves: a gradient step inside the graph, parameters as a list."""

import math

import torch
import torch.nn.functional as F


def net(x, params):
    x = F.relu(F.linear(x, params[0], params[1]))
    x = F.relu(F.linear(x, params[2], params[3]))
    return F.linear(x, params[4], params[5])


def sample_task():
    amplitude, phase = torch.rand(1) * 4.9 + 0.1, torch.rand(1) * math.pi

    def batch(n):
        x = torch.empty(n, 1).uniform_(-5, 5)
        return x, amplitude * torch.sin(x + phase)

    return batch


def main(steps=50, inner_lr=0.01):
    torch.manual_seed(0)
    params = [
        torch.Tensor(24, 1).uniform_(-1.0, 1.0).requires_grad_(),
        torch.Tensor(24).zero_().requires_grad_(),
        torch.Tensor(24, 24).uniform_(-0.2, 0.2).requires_grad_(),
        torch.Tensor(24).zero_().requires_grad_(),
        torch.Tensor(1, 24).uniform_(-0.2, 0.2).requires_grad_(),
        torch.Tensor(1).zero_().requires_grad_(),
    ]
    optimizer = torch.optim.Adam(params, lr=1e-3)
    losses = []
    for _ in range(steps):
        meta_loss = 0.0
        for _ in range(3):
            task = sample_task()
            x, y = task(10)
            adapted = params
            for _ in range(2):
                loss = F.mse_loss(net(x, adapted), y)
                grads = torch.autograd.grad(loss, adapted, create_graph=True)
                adapted = [w - inner_lr * g for w, g in zip(adapted, grads)]
            x, y = task(10)
            meta_loss += F.mse_loss(net(x, adapted), y)
        meta_loss /= 3
        optimizer.zero_grad()
        meta_loss.backward()
        optimizer.step()
        losses.append(meta_loss.item())
    return losses


if __name__ == "__main__":
    print(main())
