"""Ratings from embeddings of users and items: biases, a multilayer head, BPR ranking loss, sparse groups of parameters."""

import torch
import torch.nn as nn


class MF(nn.Module):
    def __init__(self, users, items, k=8):
        super().__init__()
        self.user_factors, self.item_factors = nn.Embedding(users, k), nn.Embedding(items, k, max_norm=1.5)
        self.user_biases, self.item_biases = nn.Embedding(users, 1), nn.Embedding(items, 1)
        self.head = nn.Sequential(nn.Linear(2 * k, 16), nn.ReLU(), nn.Linear(16, 1))
        for e in (self.user_factors, self.item_factors):
            nn.init.normal_(e.weight, std=0.3)
        for e in (self.user_biases, self.item_biases):
            nn.init.zeros_(e.weight)

    def forward(self, user, item):
        u, i = self.user_factors(user), self.item_factors(item)
        dot = (u * i).sum(1, keepdim=True)
        return (dot + self.user_biases(user) + self.item_biases(item) + self.head(torch.cat([u, i], 1))).squeeze()


def main(steps=50):
    torch.manual_seed(0)
    users, items = 30, 40
    truth = torch.randn(users, 3) @ torch.randn(3, items)
    model = MF(users, items)
    embeddings = [p for n, p in model.named_parameters() if "factors" in n or "biases" in n]
    optimizer = torch.optim.Adam(
        [{"params": embeddings, "weight_decay": 0.0}, {"params": model.head.parameters(), "weight_decay": 1e-3}],
        lr=2e-2,
    )
    losses = []
    for step in range(steps):
        user, item = torch.randint(users, (32,)), torch.randint(items, (32,))
        other = torch.randint_like(item, items)
        rating = truth[user, item]
        better = torch.sign(rating - truth[user, other])
        score = model(user, item)
        bpr = -nn.functional.logsigmoid(better * (score - model(user, other))).mean()
        loss = nn.functional.mse_loss(score, rating) + bpr
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        if step == 5:
            optimizer.add_param_group({"params": [nn.Parameter(torch.zeros(1))], "lr": 0.5})
    top = model(torch.zeros(items, dtype=torch.long), torch.arange(items)).topk(5)
    hit = torch.isin(top.indices, truth[0].argsort(descending=True)[:5])
    losses += top.values.abs().tolist() + [1.0 + hit.sum().item()]
    return losses


if __name__ == "__main__":
    print(main())
