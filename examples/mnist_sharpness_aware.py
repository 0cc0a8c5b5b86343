"""Digits with sharpness-aware minimization: each step looks at the gradient of the worst point nearby."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from example_data import mnist
from torch.nn.modules.batchnorm import _BatchNorm


class SAM(torch.optim.Optimizer):
    """Around any optimizer: climb by rho along the gradient, take the gradient there, come back, step."""

    def __init__(self, params, base, rho=0.05, adaptive=False, **options):
        super().__init__(params, dict(rho=rho, adaptive=adaptive, **options))
        self.base = base(self.param_groups, **options)
        self.param_groups = self.base.param_groups
        self.defaults.update(self.base.defaults)

    @torch.no_grad()
    def climb(self):
        scale = {id(p): p.abs() if g["adaptive"] else 1.0 for g in self.param_groups for p in g["params"]}
        norm = torch.norm(
            torch.stack(
                [
                    (scale[id(p)] * p.grad).norm(p=2)
                    for group in self.param_groups
                    for p in group["params"]
                    if p.grad is not None
                ]
            ),
            p=2,
        )
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    self.state[p]["old"] = p.data.clone()
                    p.add_(scale[id(p)] ** 2 * p.grad * (group["rho"] / (norm + 1e-12)))

    @torch.no_grad()
    def come_back(self):
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    p.data = self.state[p]["old"]

    def step(self, closure=None):
        assert closure is not None, "the gradient is needed a second time"
        closure = torch.enable_grad()(closure)
        self.climb()
        self.zero_grad()
        closure()
        self.come_back()
        self.base.step()


def running_statistics(model, on):
    """Batch norm does not learn from the second pass."""
    for layer in model.modules():
        if isinstance(layer, _BatchNorm):
            layer.momentum = 0.1 if on else 0.0


def main(steps=150, batch_size=48, log=False):
    torch.manual_seed(0)
    images, labels = mnist(1200)
    x = torch.from_numpy(images).float().div(255).unsqueeze(1)
    y = torch.from_numpy(labels)
    model = nn.Sequential(
        nn.Conv2d(1, 6, 5, stride=2), nn.BatchNorm2d(6), nn.ReLU(), nn.Conv2d(6, 12, 3, stride=2), nn.BatchNorm2d(12),
        nn.ReLU(), nn.Flatten(), nn.Linear(300, 10),
    )  # fmt: skip
    optimizer = SAM(model.parameters(), torch.optim.SGD, rho=0.5, adaptive=True, lr=0.05, momentum=0.9)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=steps)
    losses = []
    for _ in range(steps):
        chosen = torch.randint(1000, (batch_size,))
        inputs, targets = x[chosen], y[chosen]
        running_statistics(model, True)
        loss = F.cross_entropy(model(inputs), targets, label_smoothing=0.1)
        loss.backward()
        running_statistics(model, False)
        optimizer.step(lambda: F.cross_entropy(model(inputs), targets, label_smoothing=0.1).backward())  # noqa: B023
        optimizer.zero_grad()
        schedule.step()
        losses.append(loss.item())

    if log:
        model.eval()
        with torch.no_grad():
            right = (model(x[1000:]).argmax(1) == y[1000:]).float().mean().item()
        print(f"loss {losses[0]:.3f} -> {losses[-1]:.3f}, test accuracy {100 * right:.1f} %")
    return losses


if __name__ == "__main__":
    main(log=True)
