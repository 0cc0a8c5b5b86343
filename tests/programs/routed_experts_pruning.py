"""Routes by the Gumbel-softmax trick, then structured pruning by norms, and training again under the masks."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.nn.utils.prune as prune
from torch.utils.checkpoint import checkpoint


class Routed(nn.Module):
    """Each example takes one of several paths; the choice has a gradient through a relaxed sample."""

    def __init__(self, inputs, size, paths=4):
        super().__init__()
        self.router = nn.Linear(inputs, paths)
        self.paths = nn.ModuleList(
            nn.Sequential(nn.Linear(inputs, size), nn.ELU(), nn.Linear(size, size)) for _ in range(paths)
        )

    def forward(self, x, tau):
        scores = self.router(x)
        gate = (
            F.gumbel_softmax(scores, tau=tau, hard=True)
            if self.training
            else F.one_hot(scores.argmax(1), len(self.paths))
        )
        outputs = torch.stack([checkpoint(path, x, use_reentrant=False) for path in self.paths], dim=1)
        usage = scores.softmax(1).mean(0)
        return (gate.unsqueeze(-1) * outputs).sum(1), (usage * (usage * len(self.paths)).log()).sum()


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.routed = Routed(4, 12)
        self.head = nn.Sequential(nn.Tanh(), nn.Linear(12, 3))

    def forward(self, x, tau=1.0):
        hidden, balance = self.routed(x, tau)
        return self.head(hidden), balance


def regimes(n):
    """Four laws, one for each quadrant of the first two numbers."""
    x = torch.randn(n, 4)
    which = 2 * (x[:, 0] > 0).long() + (x[:, 1] > 0).long()
    laws = torch.stack([x[:, 2], -x[:, 2], x[:, 3] ** 2, x[:, 2] * x[:, 3]], dim=1)
    value = laws.gather(1, which[:, None]).squeeze(1)
    return x, torch.bucketize(value, torch.tensor([-0.4, 0.4]).to(value.dtype))


def main(steps=50):
    torch.manual_seed(0)
    model = Network()
    layers = [path[0] for path in model.routed.paths]
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    losses = []
    for step in range(steps):
        if step == steps // 2:
            for layer in layers:
                prune.ln_structured(layer, "weight", amount=0.25, n=2, dim=0)
            prune.global_unstructured(
                [(path[2], "weight") for path in model.routed.paths],
                pruning_method=prune.L1Unstructured,
                amount=0.3,
            )
            optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        x, y = regimes(48)
        scores, balance = model(x, tau=max(0.5, 2.0 * 0.97**step))
        loss = F.cross_entropy(scores, y) + 0.05 * balance
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    kept = sum(layer.weight_mask.mean().item() for layer in layers if prune.is_pruned(layer))
    for layer in layers:
        if hasattr(layer, "weight_mask"):
            prune.remove(layer, "weight")
    model.eval()
    with torch.no_grad():
        x, y = regimes(64)
        losses.append(F.cross_entropy(model(x)[0], y).item() + kept)
    return losses


if __name__ == "__main__":
    print(main()[-2])
