"""Which edges are missing in a graph: sampled neighbourhoods, a sparse adjacency matrix, negative pairs, ranks."""

import torch
import torch.nn as nn
import torch.nn.functional as F


def communities(n=60, groups=4, inside=0.3, outside=0.03):
    kind = torch.arange(n) % groups
    chance = torch.where(kind[:, None] == kind, inside, outside)
    upper = torch.bernoulli(chance.triu(1)).bool()
    return upper.nonzero(as_tuple=False).T, kind


def normalised(edges, n):
    """The adjacency matrix with loops, D^-1/2 (A + I) D^-1/2, sparse."""
    both = torch.cat((edges, edges.flip(0), torch.arange(n).expand(2, -1)), dim=1)
    degree = torch.zeros(n).index_add_(0, both[0], torch.ones(both.size(1)))
    weight = degree[both[0]].rsqrt() * degree[both[1]].rsqrt()
    return torch.sparse_coo_tensor(both, weight, (n, n)).coalesce()


class SampledMean(nn.Module):
    """A layer of GraphSAGE: the mean of some neighbours beside a node's own features."""

    def __init__(self, n_in, n_out):
        super().__init__()
        self.own = nn.Linear(n_in, n_out)
        self.others = nn.Linear(n_in, n_out, bias=False)

    def forward(self, x, edges):
        source, target = edges
        mean = torch.zeros_like(x).scatter_reduce(
            0, target.unsqueeze(1).expand(-1, x.size(1)), x[source], reduce="mean", include_self=False
        )
        return F.normalize(F.elu(self.own(x) + self.others(mean)), dim=-1)


class Model(nn.Module):
    def __init__(self, n, dim=10):
        super().__init__()
        self.features = nn.Embedding(n, dim)
        self.smooth = nn.Linear(dim, dim)
        self.layers = nn.ModuleList([SampledMean(dim, dim) for _ in range(2)])
        self.relation = nn.Bilinear(dim, dim, 1)

    def encode(self, adjacency, edges):
        x = self.features.weight
        x = x + torch.tanh(self.smooth(torch.sparse.mm(adjacency, x)))
        for layer in self.layers:
            x = layer(x, edges)
        return x

    def score(self, x, pairs):
        return self.relation(x[pairs[0]], x[pairs[1]]).squeeze(-1)


def some_neighbours(edges, keep=0.7):
    both = torch.cat((edges, edges.flip(0)), dim=1)
    return both[:, torch.rand(both.size(1)) < keep]


def main(steps=50):
    torch.manual_seed(0)
    n = 60
    edges, _ = communities(n)
    edges = edges[:, torch.randperm(edges.size(1))]
    held, train = edges.tensor_split([edges.size(1) // 5], dim=1)
    adjacency = normalised(train, n)
    known = torch.zeros(n, n, dtype=torch.bool)
    known[edges[0], edges[1]] = known[edges[1], edges[0]] = True
    model = Model(n)
    optimizer = torch.optim.RMSprop(model.parameters(), lr=5e-3, alpha=0.95, momentum=0.5)
    plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.7, patience=3)
    losses = []
    for _ in range(steps):
        x = model.encode(adjacency, some_neighbours(train))
        negative = torch.randint(0, n, (2, train.size(1)))
        negative = negative[:, ~known[negative[0], negative[1]]]
        scores = torch.cat((model.score(x, train), model.score(x, negative)))
        labels = torch.cat((torch.ones(train.size(1)), torch.zeros(negative.size(1))))
        loss = F.binary_cross_entropy_with_logits(scores, labels, pos_weight=torch.tensor(1.5))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        plateau.step(loss.detach())
        losses.append(loss.item())
    with torch.no_grad():
        x = model.encode(adjacency, torch.cat((train, train.flip(0)), 1))
        right = model.score(x, held)
        wrong = model.score(x, (~known).triu(1).nonzero().T)
        losses.append((right[:, None] > wrong).double().mean().item())
    return losses


if __name__ == "__main__":
    print(main()[-1])
