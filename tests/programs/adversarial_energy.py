"""Gradients for the input: adversarial examples, an energy model with Langevin sampling, score matching, saliency."""

import torch
import torch.nn as nn
import torch.nn.functional as F


def fgsm(model, x, y, eps):
    x = x.clone().detach()
    x.requires_grad = True
    loss = F.cross_entropy(model(x), y)
    model.zero_grad()
    loss.backward()
    return torch.clamp(x + eps * x.grad.data.sign(), -3, 3).detach()


def pgd(model, x, y, eps, steps=3):
    delta = torch.zeros_like(x).uniform_(-eps, eps).requires_grad_()
    for _ in range(steps):
        (g,) = torch.autograd.grad(F.cross_entropy(model(x + delta), y), [delta])
        delta.data = (delta + eps / 2 * g.sign()).clamp(-eps, eps).data
    return (x + delta).detach()


def langevin(energy, x, steps=4, size=0.05):
    x = x.detach()
    for _ in range(steps):
        x.requires_grad_(True)
        (g,) = torch.autograd.grad(energy(x).sum(), x)
        x = (x - size * g + 0.1 * torch.randn_like(x)).detach()
    return x


def sliced_score_matching(score, x):
    x = x.requires_grad_()
    v = torch.randn_like(x)
    s = score(x)
    (gv,) = torch.autograd.grad((s * v).sum(), x, create_graph=True)
    return (0.5 * (s * v).sum(-1) ** 2 + (gv * v).sum(-1)).mean()


def main(steps=50):
    torch.manual_seed(0)
    x = torch.cat([torch.randn(24, 2) - 1, torch.randn(24, 2) + 1])
    y = torch.arange(48) // 24
    classifier = nn.Sequential(nn.Linear(2, 16), nn.GELU(approximate="tanh"), nn.Linear(16, 2))
    energy = nn.Sequential(nn.Linear(2, 16), nn.SiLU(), nn.Linear(16, 1))
    score = nn.Sequential(nn.Linear(2, 16), nn.Softplus(beta=2), nn.Linear(16, 2))
    optimizer = torch.optim.Adam([*classifier.parameters(), *energy.parameters(), *score.parameters()], lr=5e-3)
    losses = []
    for step in range(steps):
        attacked = (fgsm if step % 2 else pgd)(classifier, x, y, 0.2)
        negative = langevin(energy, torch.randn(48, 2))
        e_real, e_fake = energy(x), energy(negative)
        loss = F.cross_entropy(classifier(attacked), y) + (e_real - e_fake).mean()
        loss = loss + 0.1 * (e_real**2 + e_fake**2).mean() + 0.1 * sliced_score_matching(score, x.clone())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    probe = x[:4].clone().requires_grad_()
    classifier(probe).gather(1, y[:4, None]).sum().backward()
    return losses + probe.grad.abs().sum(1).tolist()


if __name__ == "__main__":
    print(main())
