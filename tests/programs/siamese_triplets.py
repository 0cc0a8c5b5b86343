"""Embeddings by a Siamese network: a batch sampler of own making, a collate function, hard triplets, verification."""

import math
import random

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, Sampler


class Shapes(Dataset):
    """Noisy closed curves of six kinds, as radii over the angle."""

    def __init__(self, per_class=20, points=32):
        angle = torch.linspace(0, 2 * math.pi, points + 1)[:-1]
        kinds = torch.arange(6).repeat_interleave(per_class)
        shift = 2 * math.pi * torch.rand(len(kinds), 1)
        self.curves = (
            1 + 0.4 * torch.sin((kinds[:, None] + 1) * angle + shift) + 0.1 * torch.randn(len(kinds), points)
        )
        self.labels = kinds

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        return {"curve": self.curves[index], "label": int(self.labels[index]), "name": f"curve{index}"}


class BalancedBatches(Sampler):
    """Batches of `classes` kinds with `samples` curves each."""

    def __init__(self, labels, classes, samples, batches, seed=0):
        self.of = {c: (labels == c).nonzero().flatten().tolist() for c in labels.unique().tolist()}
        self.classes, self.samples, self.batches = classes, samples, batches
        self.source = random.Random(seed)

    def __iter__(self):
        for _ in range(self.batches):
            chosen = self.source.sample(sorted(self.of), self.classes)
            yield [i for c in chosen for i in self.source.sample(self.of[c], self.samples)]

    def __len__(self):
        return self.batches


def collate(samples):
    curves = torch.stack([s["curve"] for s in samples])
    return curves.unsqueeze(1), torch.tensor([s["label"] for s in samples]), [s["name"] for s in samples]


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv1d(1, 8, 5, padding=2, padding_mode="circular"),
            nn.PReLU(8),
            nn.MaxPool1d(2),
            nn.Conv1d(8, 16, 5, padding=2, padding_mode="circular"),
            nn.PReLU(),
            nn.AdaptiveAvgPool1d(4),
            nn.Flatten(),
        )
        self.head = nn.Linear(64, 8)

    def forward(self, x):
        return nn.functional.normalize(self.head(self.features(x)), dim=1)


def hard_triplets(distance, labels):
    """For each anchor, the farthest of its kind and the nearest of another."""
    same = labels.unsqueeze(0).eq(labels.unsqueeze(1))
    positive = distance.masked_fill(~same, -math.inf).argmax(1)
    negative = distance.masked_fill(same, math.inf).argmin(1)
    return positive, negative


def main(steps=50):
    torch.manual_seed(0)
    data = Shapes()
    sampler = BalancedBatches(data.labels, classes=4, samples=4, batches=steps)
    loader = DataLoader(data, batch_sampler=sampler, collate_fn=collate)
    net = Encoder()
    triplet = nn.TripletMarginWithDistanceLoss(distance_function=nn.PairwiseDistance(p=2), margin=0.3, swap=True)
    contrast = nn.CosineEmbeddingLoss(margin=0.2)
    optimizer = torch.optim.NAdam(net.parameters(), lr=5e-3)
    losses = []
    for curves, labels, names in loader:
        assert len(names) == len(labels) == curves.size(0)
        embedded = net(curves)
        positive, negative = hard_triplets(torch.cdist(embedded.detach(), embedded.detach()), labels)
        loss = triplet(embedded, embedded[positive], embedded[negative])
        pairs = torch.combinations(torch.arange(len(labels)), 2)
        left, right = pairs.unbind(1)
        sign = torch.where(labels[left] == labels[right], 1, -1)
        loss = loss + 0.5 * contrast(embedded[left], embedded[right], sign)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    net.eval()
    with torch.no_grad():
        embedded = net(data.curves.unsqueeze(1))
        similarity = embedded @ embedded.T
        same = data.labels[:, None] == data.labels
        upper = torch.ones_like(same).triu(1)
        losses.append(similarity[same & upper].mean().item() - similarity[~same & upper].mean().item())
    return losses


if __name__ == "__main__":
    print(main()[-1])
