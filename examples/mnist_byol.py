"""Digits without labels: BYOL, where one network predicts what its own moving average makes of another view."""

import copy
import math

import torch
import torch.nn as nn
import torch.nn.functional as F
from example_data import mnist


def projector(inputs, hidden, outputs):
    return nn.Sequential(
        nn.Linear(inputs, hidden), nn.BatchNorm1d(hidden), nn.ReLU(inplace=True), nn.Linear(hidden, outputs)
    )


class Encoder(nn.Module):
    def __init__(self, dim=32):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 8, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.Conv2d(8, 16, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(2),
            nn.Flatten(),
        )
        self.projection = projector(64, 48, dim)

    def forward(self, x):
        return self.projection(self.features(x))


def view(images):
    """A random affine map, contrast and noise for each image."""
    n = len(images)
    angle = (torch.rand(n) - 0.5) * 0.7
    scale = 0.9 + 0.3 * torch.rand(n)
    shift = (torch.rand(n, 2) - 0.5) * 0.2
    theta = torch.stack(
        [
            torch.stack([angle.cos() * scale, -angle.sin() * scale, shift[:, 0]], dim=1),
            torch.stack([angle.sin() * scale, angle.cos() * scale, shift[:, 1]], dim=1),
        ],
        dim=1,
    )
    warped = F.grid_sample(images, F.affine_grid(theta, images.shape, align_corners=False), align_corners=False)
    return warped * (0.7 + 0.6 * torch.rand(n, 1, 1, 1)) + 0.05 * torch.randn_like(warped)


@torch.no_grad()
def follow(target, online, momentum):
    """Weights move slowly towards the online network's; buffers are copied."""
    for p, q in zip(target.parameters(), online.parameters()):
        p.mul_(momentum).add_(q, alpha=1 - momentum)
    for p, q in zip(target.buffers(), online.buffers()):
        p.copy_(q)


def main(steps=200, batch_size=48, log=False):
    torch.manual_seed(0)
    images, labels = mnist(1000)
    x = torch.from_numpy(images).float().div(255).unsqueeze(1)
    online, predictor = Encoder(), projector(32, 48, 32)
    target = copy.deepcopy(online)
    for p in target.parameters():
        p.requires_grad = False
    optimizer = torch.optim.SGD(
        [*online.parameters(), *predictor.parameters()], lr=0.05, momentum=0.9, weight_decay=4e-4, nesterov=True
    )
    losses = []
    for step in range(steps):
        batch = x[torch.randint(len(x), (batch_size,))]
        one, two = view(batch), view(batch)
        with torch.no_grad():
            wanted = target(torch.cat([two, one]))
        guessed = predictor(online(torch.cat([one, two])))
        loss = 2 - 2 * F.cosine_similarity(guessed, wanted, dim=-1).mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        follow(target, online, 1 - 0.03 * (math.cos(math.pi * step / steps) + 1) / 2)
        losses.append(loss.item())

    if log:
        online.eval()
        with torch.no_grad():
            features = F.normalize(online.features(x), dim=1)
        near = (features[800:] @ features[:800].T).topk(5).indices
        votes = F.one_hot(torch.from_numpy(labels)[near], 10).sum(1)
        accuracy = (votes.argmax(1) == torch.from_numpy(labels)[800:]).float().mean()
        print(f"loss {losses[0]:.3f} -> {losses[-1]:.3f}, neighbours agree with {100 * accuracy.item():.1f} %")
    return losses


if __name__ == "__main__":
    main(log=True)
