"""Functions of sets: deep sets and a set transformer with inducing points, on padded sets of changing sizes."""

import torch
import torch.nn as nn
import torch.nn.functional as F


class Attend(nn.Module):
    """Multi-head attention of queries to a set, with a row-wise network after it."""

    def __init__(self, dim, heads):
        super().__init__()
        self.attention = nn.MultiheadAttention(dim, heads, batch_first=True)
        self.norms = nn.ModuleList([nn.LayerNorm(dim), nn.LayerNorm(dim)])
        self.rows = nn.Sequential(nn.Linear(dim, dim), nn.ReLU(inplace=True), nn.Linear(dim, dim))

    def forward(self, x, y, missing=None):
        seen, _ = self.attention(x, y, y, key_padding_mask=missing, need_weights=False)
        x = self.norms[0](x + seen)
        return self.norms[1](x + self.rows(x))


class Induced(nn.Module):
    def __init__(self, dim, heads, points):
        super().__init__()
        self.points = nn.Parameter(torch.empty(1, points, dim))
        nn.init.xavier_uniform_(self.points)
        self.gather, self.spread = Attend(dim, heads), Attend(dim, heads)

    def forward(self, x, missing):
        return self.spread(x, self.gather(self.points.expand(len(x), -1, -1), x, missing))


class SetTransformer(nn.Module):
    def __init__(self, dim=16, heads=2, outputs=3):
        super().__init__()
        self.embed = nn.Linear(1, dim)
        self.blocks = nn.ModuleList(Induced(dim, heads, 4) for _ in range(2))
        self.seed = nn.Parameter(torch.randn(1, 1, dim))
        self.pool = Attend(dim, heads)
        self.head = nn.Linear(dim, outputs)

    def forward(self, x, missing):
        x = self.embed(x)
        for block in self.blocks:
            x = block(x, missing)
        return self.head(self.pool(self.seed.expand(len(x), -1, -1), x, missing)).squeeze(1)


class DeepSets(nn.Module):
    def __init__(self, dim=16, outputs=3):
        super().__init__()
        self.phi = nn.Sequential(nn.Linear(1, dim), nn.ELU(), nn.Linear(dim, dim), nn.ELU())
        self.rho = nn.Sequential(nn.Linear(3 * dim, dim), nn.ELU(), nn.Linear(dim, outputs))

    def forward(self, x, missing):
        there = (~missing).unsqueeze(-1)
        h = self.phi(x)
        total = (h * there).sum(1)
        highest = h.masked_fill(~there, float("-inf")).amax(1)
        return self.rho(torch.cat([total, total / there.sum(1), highest], dim=-1))


def sets(count, longest):
    sizes = torch.randint(2, longest + 1, (count,))
    missing = torch.arange(longest) >= sizes[:, None]
    x = torch.randn(count, longest, 1).masked_fill(missing[..., None], 0.0)
    values = x.squeeze(-1)
    most = values.masked_fill(missing, float("-inf")).max(1).values
    middle = values.masked_fill(missing, float("nan")).nanmedian(1).values
    return x, missing, torch.stack([most, middle, values.sum(1) / sizes.sqrt()], dim=1)


def main(steps=50):
    torch.manual_seed(0)
    models = nn.ModuleDict({"attention": SetTransformer(), "sums": DeepSets()})
    optimizer = torch.optim.Adam(models.parameters(), lr=3e-3)
    losses = []
    for _ in range(steps):
        x, missing, wanted = sets(32, 9)
        errors = {name: F.smooth_l1_loss(model(x, missing), wanted) for name, model in models.items()}
        loss = sum(errors.values())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(models.parameters(), 5.0)
        optimizer.step()
        losses.append(loss.item())
    return losses


if __name__ == "__main__":
    print(main()[-1])
