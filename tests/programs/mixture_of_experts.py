"""A sparse mixture of experts: top-k routing, index_add, a load-balancing loss, checkpointed blocks, accumulation."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.checkpoint import checkpoint


class MoE(nn.Module):
    def __init__(self, dim, experts=4, k=2):
        super().__init__()
        self.gate = nn.Linear(dim, experts, bias=False)
        self.experts = nn.ModuleList(
            [nn.Sequential(nn.Linear(dim, 2 * dim), nn.SiLU(), nn.Linear(2 * dim, dim)) for _ in range(experts)]
        )
        self.k = k

    def forward(self, x):
        flat = x.reshape(-1, x.shape[-1])
        probs = F.softmax(self.gate(flat), dim=-1)
        weights, chosen = torch.topk(probs, self.k, dim=-1)
        weights = weights / weights.sum(dim=-1, keepdim=True)
        mask = F.one_hot(chosen, num_classes=len(self.experts)).permute(2, 1, 0)
        out = torch.zeros_like(flat)
        for i, expert in enumerate(self.experts):
            rank, token = torch.where(mask[i])
            if token.numel() == 0:
                continue
            out.index_add_(
                0, token, expert(flat[None, token].reshape(-1, flat.size(-1))) * weights[token, rank, None]
            )
        load = mask.sum(dim=(1, 2)).to(flat.dtype) / flat.shape[0]
        balance = len(self.experts) * (load * probs.mean(0)).sum()
        return out.view_as(x), balance


class Net(nn.Module):
    def __init__(self, dim=8):
        super().__init__()
        self.inp, self.moe = nn.Linear(3, dim), nn.ModuleList([MoE(dim), MoE(dim)])
        self.norms = nn.ModuleList([nn.RMSNorm(dim) for _ in range(2)])
        self.out = nn.Linear(dim, 2)

    def forward(self, x):
        x, total = self.inp(x), 0.0
        for norm, moe in zip(self.norms, self.moe):
            y, balance = checkpoint(lambda v, n=norm, m=moe: m(n(v)), x, use_reentrant=False)
            x, total = x + y, total + balance
        return self.out(x), total


def main(steps=50, accumulate=2):
    torch.manual_seed(0)
    model = Net()
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    losses = []
    for step in range(steps):
        x = torch.randn(4, 6, 3)
        target = torch.stack([x.sum(-1).sin(), x.prod(-1)], dim=-1)
        pred, balance = model(x)
        loss = (F.smooth_l1_loss(pred, target) + 0.01 * balance) / accumulate
        loss.backward()
        losses.append(loss.item())
        if (step + 1) % accumulate == 0:
            losses.append(nn.utils.clip_grad_norm_(model.parameters(), 1.0).item())
            optimizer.step()
            optimizer.zero_grad()
    return losses


if __name__ == "__main__":
    print(main())
