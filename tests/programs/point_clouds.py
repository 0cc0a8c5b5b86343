"""Sets of points: learnt rotations kept orthogonal, shared layers, maxima over a mask, induced attention, a Chamfer loss."""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.nn.utils.rnn import pad_sequence


def clouds(n):
    """Spheres, boxes and rods of 12 to 20 points, turned at random; padded, with their lengths."""
    found, kinds = [], torch.randint(0, 3, (n,))
    turns, r = torch.linalg.qr(torch.randn(n, 3, 3))
    turns = turns * r.diagonal(dim1=-2, dim2=-1).sign().unsqueeze(-2)
    for kind, turn in zip(kinds.tolist(), turns):
        points = torch.randn(int(torch.randint(12, 21, ())), 3)
        if kind == 0:
            points = F.normalize(points, dim=1)
        elif kind == 1:
            points = points / points.abs().amax(1, keepdim=True)
        else:
            points = points * torch.tensor([0.2, 0.2, 1.0])
        found.append(points @ turn)
    lengths = torch.tensor([len(p) for p in found])
    return pad_sequence(found, batch_first=True), lengths, kinds


class Turn(nn.Module):
    """A matrix for each cloud, near the identity."""

    def __init__(self, dim, width=16):
        super().__init__()
        self.dim = dim
        self.shared = nn.Sequential(nn.Conv1d(dim, width, 1), nn.BatchNorm1d(width), nn.ReLU())
        self.out = nn.Linear(width, dim * dim)
        nn.init.zeros_(self.out.weight)
        self.out.bias.data.copy_(torch.eye(dim).flatten())

    def forward(self, x, mask):
        pooled = self.shared(x.transpose(1, 2)).masked_fill(mask.unsqueeze(1), -math.inf).amax(-1)
        return self.out(pooled).unflatten(1, (self.dim, self.dim))


class Induced(nn.Module):
    """Attention through a few learnt points (set transformer)."""

    def __init__(self, dim, points=4):
        super().__init__()
        self.points = nn.Parameter(torch.randn(1, points, dim) / dim**0.5)
        self.gather = nn.MultiheadAttention(dim, 2, batch_first=True)
        self.spread = nn.MultiheadAttention(dim, 2, batch_first=True)
        self.norm = nn.RMSNorm(dim)

    def forward(self, x, mask):
        seeds = self.points.expand(x.size(0), -1, -1)
        summary, weights = self.gather(seeds, x, x, key_padding_mask=mask, average_attn_weights=False)
        assert weights.shape == (x.size(0), 2, seeds.size(1), x.size(1))
        return self.norm(x + self.spread(x, summary, summary, need_weights=False)[0])


class PointNet(nn.Module):
    def __init__(self, width=16, kinds=3, made=10):
        super().__init__()
        self.turn = Turn(3)
        self.first = nn.Sequential(nn.Linear(3, width), nn.SELU())
        self.mix = Induced(width)
        self.last = nn.Sequential(nn.Linear(width, width), nn.Tanhshrink(), nn.Linear(width, width))
        self.classify = nn.Linear(2 * width, kinds)
        self.decode = nn.Sequential(
            nn.Linear(2 * width, 24), nn.LogSigmoid(), nn.Linear(24, made * 3), nn.Unflatten(1, (made, 3))
        )

    def forward(self, x, mask):
        turn = self.turn(x, mask)
        x = torch.bmm(x, turn)
        x = self.last(self.mix(self.first(x), mask))
        most = x.masked_fill(mask.unsqueeze(-1), -math.inf).max(dim=1).values
        mean = x.masked_fill(mask.unsqueeze(-1), 0).sum(1) / (~mask).sum(1, keepdim=True)
        code = torch.cat((most, mean), 1)
        return self.classify(code), self.decode(code), turn


def chamfer(a, b, mask):
    distance = torch.cdist(a, b)
    there = distance.masked_fill(mask.unsqueeze(1), math.inf).min(2).values.mean(1)
    back = distance.min(1).values.masked_fill(mask, 0).sum(1) / (~mask).sum(1)
    return (there + back).mean()


def main(steps=50):
    torch.manual_seed(0)
    net = PointNet()
    optimizer = torch.optim.Adadelta(net.parameters(), lr=0.5, rho=0.9)
    schedule = torch.optim.lr_scheduler.PolynomialLR(optimizer, total_iters=60, power=0.9)
    losses = []
    for _ in range(steps):
        x, lengths, kinds = clouds(10)
        mask = torch.arange(x.size(1)) >= lengths[:, None]
        logits, made, turn = net(x, mask)
        away = torch.linalg.matrix_norm(turn @ turn.mT - torch.eye(3)).mean()
        loss = F.nll_loss(F.log_softmax(logits, 1), kinds) + 0.2 * chamfer(made, x, mask) + 0.01 * away
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
    return losses


if __name__ == "__main__":
    print(main()[-1])
