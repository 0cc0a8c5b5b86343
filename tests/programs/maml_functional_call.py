"""Meta-learning over an nn.Module: torch.func.functional_call and grad inside vmap over tasks."""

import torch
from torch import nn
from torch.func import functional_call, grad, vmap


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1, self.fc2, self.fc3 = nn.Linear(1, 16), nn.Linear(16, 16), nn.Linear(16, 1)

    def forward(self, x):
        return self.fc3(torch.relu(self.fc2(torch.relu(self.fc1(x)))))


def main(steps=50, tasks=5, shots=8):
    torch.manual_seed(0)
    model = Net()
    params = dict(model.named_parameters())
    optimizer = torch.optim.Adam(params.values(), lr=1e-3)

    def mse(params, x, y):
        return torch.mean((functional_call(model, params, (x,)) - y) ** 2)

    def loss_for_task(params, x1, y1, x2, y2):
        grads = grad(mse)(params, x1, y1)
        adapted = {k: params[k] - 0.05 * grads[k] for k in params}
        return mse(adapted, x2, y2)

    losses = []
    for _ in range(steps):
        amplitude, phase = torch.rand(tasks, 1, 1) * 4 + 0.5, torch.rand(tasks, 1, 1) * 3
        x1, x2 = (torch.rand(2, tasks, shots, 1) * 10 - 5).unbind(0)
        y1, y2 = amplitude * torch.sin(x1 + phase), amplitude * torch.sin(x2 + phase)
        loss = vmap(loss_for_task, in_dims=(None, 0, 0, 0, 0))(params, x1, y1, x2, y2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


if __name__ == "__main__":
    print(main())
