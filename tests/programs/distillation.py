"""Knowledge distillation: a frozen teacher, temperature, KL divergence, hints between features, cosine losses."""

import torch
import torch.nn as nn
import torch.nn.functional as F


def main(steps=50, T=3.0, alpha=0.6):
    torch.manual_seed(0)
    x, y = torch.randn(64, 10), torch.randint(0, 5, (64,))
    teacher = nn.Sequential(nn.Linear(10, 48), nn.ReLU6(), nn.Linear(48, 24), nn.Softsign(), nn.Linear(24, 5))
    student = nn.Sequential(nn.Linear(10, 12), nn.Hardtanh(), nn.Linear(12, 24), nn.CELU(), nn.Linear(24, 5))
    bridge = nn.Bilinear(24, 24, 4)
    optimizer = torch.optim.Adam(teacher.parameters(), lr=1e-2)
    losses = []
    for _ in range(steps // 2):
        optimizer.zero_grad()
        loss = F.cross_entropy(teacher(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    teacher.eval().requires_grad_(False)
    assert not any(p.requires_grad for p in teacher.parameters())
    optimizer = torch.optim.Adadelta([*student.parameters(), *bridge.parameters()], lr=1.0, rho=0.8)
    kl, cos = nn.KLDivLoss(reduction="batchmean", log_target=True), nn.CosineEmbeddingLoss(margin=0.1)
    for _ in range(steps - steps // 2):
        with torch.no_grad():
            hint_t = teacher[:4](x)
            logits_t = teacher[4:](hint_t)
        hint_s = student[:4](x)
        logits_s = student[-1](hint_s)
        soft = kl(F.log_softmax(logits_s / T, dim=1), F.log_softmax(logits_t / T, dim=1)) * T**2
        hint = cos(hint_s, hint_t, torch.ones(64)) + nn.HuberLoss(delta=0.5)(hint_s, hint_t)
        mixed = F.pairwise_distance(bridge(hint_s, hint_t), torch.zeros(64, 4)).mean()
        loss = alpha * soft + (1 - alpha) * F.cross_entropy(logits_s, y) + 0.1 * hint + 0.01 * mixed
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


if __name__ == "__main__":
    print(main())
