"""Learning without labels: two views, NT-Xent over a similarity matrix, triplets, a momentum encoder with a queue."""

import copy

import torch
import torch.nn as nn
import torch.nn.functional as F


class NTXent(nn.Module):
    def __init__(self, batch_size, temperature=0.5):
        super().__init__()
        self.temperature = temperature
        self.register_buffer("negatives_mask", (~torch.eye(batch_size * 2, dtype=torch.bool)).float())

    def forward(self, emb_i, emb_j):
        z = torch.cat([F.normalize(emb_i, dim=1), F.normalize(emb_j, dim=1)], dim=0)
        similarity = F.cosine_similarity(z.unsqueeze(1), z.unsqueeze(0), dim=2)
        n = emb_i.shape[0]
        positives = torch.cat([torch.diag(similarity, n), torch.diag(similarity, -n)], dim=0)
        nominator = torch.exp(positives / self.temperature)
        denominator = self.negatives_mask * torch.exp(similarity / self.temperature)
        return torch.sum(-torch.log(nominator / torch.sum(denominator, dim=1))) / (2 * n)


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Sequential(
            nn.Conv1d(1, 4, 5, stride=2, padding=2), nn.BatchNorm1d(4), nn.ReLU(), nn.Conv1d(4, 8, 3, groups=2),
            nn.AdaptiveMaxPool1d(2), nn.Flatten(),
        )  # fmt: skip
        self.project = nn.Sequential(nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 6))

    def forward(self, x):
        return self.project(self.conv(x))


def augment(x):
    x = x + 0.1 * torch.randn_like(x)
    return torch.roll(x, int(torch.randint(0, 4, (1,))), dims=-1) * (0.8 + 0.4 * torch.rand(x.size(0), 1, 1))


@torch.no_grad()
def momentum_update(slow, fast, m=0.9):
    for a, b in zip(slow.parameters(), fast.parameters()):
        a.data.lerp_(b.data, 1 - m)


def main(steps=50):
    torch.manual_seed(0)
    data = torch.sin(
        torch.linspace(0, 6, 20) * (1 + torch.arange(16.0).to(torch.get_default_dtype())[:, None] % 4)
    )[:, None]
    encoder, criterion, triplet = Encoder(), NTXent(16), nn.TripletMarginLoss(margin=1.0, p=2)
    slow = copy.deepcopy(encoder)
    for p in slow.parameters():
        p.requires_grad_(False)
    queue, pointer = F.normalize(torch.randn(6, 32), dim=0), 0
    optimizer = torch.optim.SGD(encoder.parameters(), lr=0.05, momentum=0.9)
    losses = []
    for _ in range(steps):
        q, k2 = encoder(augment(data)), encoder(augment(data))
        with torch.no_grad():
            k = F.normalize(slow(augment(data)), dim=1)
        l_pos = torch.einsum("nc,nc->n", [F.normalize(q, dim=1), k]).unsqueeze(-1)
        l_neg = torch.einsum("nc,ck->nk", [F.normalize(q, dim=1), queue.clone().detach()])
        logits = torch.cat([l_pos, l_neg], dim=1) / 0.2
        moco = F.cross_entropy(logits, torch.zeros(16, dtype=torch.long))
        loss = criterion(q, k2) + 0.3 * moco + 0.1 * triplet(q, k2, q.roll(1, 0))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        momentum_update(slow, encoder)
        queue[:, pointer : pointer + 16] = k.T
        pointer = (pointer + 16) % 32
        losses.append(loss.item())
    return losses


if __name__ == "__main__":
    print(main())
