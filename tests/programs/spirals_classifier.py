"""Two spirals apart: Sequential, BCEWithLogitsLoss with pos_weight, exponential schedule, L1 penalty, accuracy."""

import math
from collections import OrderedDict

import torch
import torch.nn as nn
import torch.optim as optim


def make_spirals(n):
    theta = torch.sqrt(torch.rand(n)) * 3 * math.pi
    r = 2 * theta + math.pi
    a = torch.stack([torch.cos(theta) * r, torch.sin(theta) * r], dim=1) + torch.randn(n, 2)
    b = torch.stack([-torch.cos(theta) * r, -torch.sin(theta) * r], dim=1) + torch.randn(n, 2)
    x = torch.cat((a, b)) / 20
    y = torch.cat((torch.zeros(n), torch.ones(n))).unsqueeze(1)
    return x, y


def main(steps=50):
    torch.manual_seed(0)
    x, y = make_spirals(100)
    model = nn.Sequential(
        OrderedDict(
            [
                ("fc1", nn.Linear(2, 32)),
                ("act1", nn.Tanh()),
                ("fc2", nn.Linear(32, 32)),
                ("act2", nn.LeakyReLU(0.1)),
                ("fc3", nn.Linear(32, 1)),
            ]
        )
    )
    for name, p in model.named_parameters():
        if "weight" in name:
            nn.init.xavier_normal_(p, gain=nn.init.calculate_gain("tanh"))
        else:
            nn.init.zeros_(p)
    criterion = nn.BCEWithLogitsLoss(pos_weight=torch.tensor([1.5]))
    optimizer = optim.Adagrad(model.parameters(), lr=0.05)
    scheduler = optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.99)
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        out = model(x)
        l1 = sum(p.abs().sum() for p in model.parameters())
        loss = criterion(out, y) + 1e-4 * l1
        loss.backward()
        optimizer.step()
        scheduler.step()
        losses.append(loss.item())
    with torch.no_grad():
        predicted = torch.round(torch.sigmoid(model(x)))
        losses.append(1 + (predicted == y).sum().item() / y.numel())
    assert isinstance(model.fc2, nn.Linear) and len(list(model.children())) == 5
    return losses


if __name__ == "__main__":
    print(main())
