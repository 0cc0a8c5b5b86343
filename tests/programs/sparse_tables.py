"""Click prediction with large tables: sparse gradients, SparseAdam and Adagrad beside Adam, accumulation."""

import torch
import torch.nn as nn
import torch.nn.functional as F


class Clicks(nn.Module):
    def __init__(self, users=500, words=800, size=6):
        super().__init__()
        self.users = nn.Embedding(users, size, sparse=True, padding_idx=0)
        self.words = nn.EmbeddingBag(words, size, mode="sum", sparse=True)
        self.bias = nn.Embedding(users, 1, sparse=True)
        self.head = nn.Sequential(nn.Linear(3 * size, 16), nn.PReLU(), nn.Linear(16, 1))
        nn.init.normal_(self.users.weight, std=0.1)
        nn.init.uniform_(self.words.weight, -0.1, 0.1)
        nn.init.zeros_(self.bias.weight)

    def forward(self, user, words, offsets, counts):
        u, w = self.users(user), self.words(words, offsets, per_sample_weights=counts)
        return (self.head(torch.cat([u, w, u * w], dim=1)) + self.bias(user)).squeeze(1)


def batch(size):
    user = torch.randint(0, 500, (size,))
    lengths = torch.randint(1, 6, (size,))
    offsets = torch.cat([lengths.new_zeros(1), lengths.cumsum(0)[:-1]])
    words = torch.randint(0, 800, (int(lengths.sum()),))
    counts = torch.rand(len(words)) + 0.5
    signal = torch.zeros(size).index_add(0, torch.arange(size).repeat_interleave(lengths), (words % 7 - 3) * counts)
    return (user, words, offsets, counts), (signal + (user % 3) - 1 > 0).to(counts.dtype)


def main(steps=50):
    torch.manual_seed(0)
    model = Clicks()
    optimizers = [
        torch.optim.SparseAdam([model.users.weight, model.words.weight], lr=2e-2),
        torch.optim.Adagrad(model.bias.parameters(), lr=5e-2),
        torch.optim.Adam(model.head.parameters(), lr=5e-3),
    ]
    seen, losses = set(), []
    for step in range(steps):
        for optimizer in optimizers:
            optimizer.zero_grad()
        total = 0.0
        for _ in range(2):  # two parts of a batch
            inputs, clicked = batch(24)
            loss = F.binary_cross_entropy_with_logits(model(*inputs), clicked) / 2
            loss.backward()
            total += loss.item()
        grad = model.users.weight.grad.coalesce()
        assert grad.is_sparse and grad.indices().shape[1] <= 48
        seen.update(grad.indices()[0].tolist())
        if step % 10 == 9:  # a trust region by hand, on the rows that were used
            grad.values().mul_(0.5)
            model.users.weight.grad = grad
        for optimizer in optimizers:
            optimizer.step()
        losses.append(total)
    unused = torch.tensor([k not in seen for k in range(500)])
    moments = optimizers[0].state[model.users.weight]["exp_avg"]
    assert not moments[unused].any() and moments[~unused].any()
    return losses + [model.words.weight.detach().norm().item()]


if __name__ == "__main__":
    print(main())
