"""Graph classification: messages by scatter_add, edge features, virtual nodes, pooling by scatter_reduce."""

import torch
import torch.nn as nn
import torch.nn.functional as F


def scatter_softmax(scores, index, size):
    top = torch.full((size,), float("-inf"), dtype=scores.dtype).scatter_reduce(0, index, scores, "amax")
    weights = (scores - top[index]).exp()
    total = torch.zeros(size, dtype=scores.dtype).scatter_add(0, index, weights)
    return weights / total[index]


class GINLayer(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.eps = nn.Parameter(torch.zeros(1))
        self.edge = nn.Embedding(3, size)
        self.net = nn.Sequential(
            nn.Linear(size, 2 * size), nn.BatchNorm1d(2 * size), nn.ReLU(), nn.Linear(2 * size, size)
        )

    def forward(self, x, edges, kind):
        source, target = edges
        message = F.relu(x[source] + self.edge(kind))
        received = torch.zeros_like(x).scatter_add_(0, target[:, None].expand_as(message), message)
        return self.net((1 + self.eps) * x + received)


class Network(nn.Module):
    def __init__(self, size=12, layers=3):
        super().__init__()
        self.atoms = nn.Embedding(4, size)
        self.layers = nn.ModuleList(GINLayer(size) for _ in range(layers))
        self.gate, self.head = nn.Linear(size, 1), nn.Linear(3 * size, 1)

    def forward(self, atoms, edges, kind, graph, count):
        x, levels = self.atoms(atoms), []
        virtual = x.new_zeros(count, x.shape[1])
        for layer in self.layers:
            x = F.dropout(layer(x + virtual[graph], edges, kind), 0.0, self.training)
            virtual = virtual + torch.zeros_like(virtual).index_add(0, graph, x)
            levels.append(x)
        x = torch.stack(levels).amax(0)
        share = scatter_softmax(self.gate(x).squeeze(-1), graph, count)
        places = graph[:, None].expand_as(x)
        pooled = [
            torch.zeros_like(virtual).scatter_add(0, places, share[:, None] * x),
            torch.zeros_like(virtual).scatter_reduce(0, places, x, "mean", include_self=False),
            torch.zeros_like(virtual).scatter_reduce(0, places, x, "amax", include_self=False),
        ]
        return self.head(torch.cat(pooled, dim=1)).squeeze(-1)


def graphs(count):
    """Rings with chords: the target counts the chords and the atoms of kind 0."""
    atoms, edges, kinds, owner, target, start = [], [], [], [], [], 0
    for g in range(count):
        n, chords = int(torch.randint(4, 8, ())), int(torch.randint(0, 4, ()))
        kind = torch.randint(0, 4, (n,))
        ring = torch.stack([torch.arange(n), (torch.arange(n) + 1) % n])
        chord = torch.randint(0, n, (2, chords))
        pairs = torch.cat([ring, chord], dim=1) + start
        edges.append(torch.cat([pairs, pairs.flip(0)], dim=1))
        kinds.append(torch.cat([torch.zeros(n), torch.ones(chords)]).long().repeat(2))
        atoms.append(kind)
        owner.append(torch.full((n,), g))
        target.append(chords + 0.5 * (kind == 0).sum())
        start += n
    return torch.cat(atoms), torch.cat(edges, 1), torch.cat(kinds), torch.cat(owner), torch.stack(target)


def main(steps=50):
    torch.manual_seed(0)
    model = Network()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    losses = []
    for _ in range(steps):
        atoms, edges, kind, owner, target = graphs(12)
        predicted = model(atoms, edges, kind, owner, 12)
        loss = F.huber_loss(predicted, target.to(predicted.dtype))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
    return losses


if __name__ == "__main__":
    print(main())
