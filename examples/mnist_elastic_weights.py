"""Digits in three orders of their pixels, one after the other: elastic weights keep what the earlier tasks need."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from example_data import mnist


class Elastic:
    """A quadratic penalty around old weights, by the diagonal of the Fisher information."""

    def __init__(self, model, x):
        self.means = {name: p.detach().clone() for name, p in model.named_parameters()}
        self.fisher = {name: torch.zeros_like(p) for name, p in model.named_parameters()}
        for sample in x.split(1):
            scores = model(sample).log_softmax(1)
            label = torch.multinomial(scores.exp().detach(), 1).squeeze(1)
            model.zero_grad()
            F.nll_loss(scores, label).backward()
            for name, p in model.named_parameters():
                self.fisher[name] += p.grad.detach() ** 2 / len(x)
        model.zero_grad(set_to_none=True)

    def __call__(self, model):
        return sum((self.fisher[name] * (p - self.means[name]) ** 2).sum() for name, p in model.named_parameters())


def main(steps=300, batch_size=32, tasks=3, log=False):
    torch.manual_seed(0)
    images, labels = mnist(1000)
    x = F.avg_pool2d(torch.from_numpy(images).float().div(255).unsqueeze(1), 2).flatten(1)
    y = torch.from_numpy(labels)
    model = nn.Sequential(nn.Linear(196, 48), nn.ReLU(), nn.Linear(48, 48), nn.ReLU(), nn.Linear(48, 10))
    orders = [torch.arange(196), *(torch.randperm(196) for _ in range(tasks - 1))]
    penalties, losses = [], []
    for task, order in enumerate(orders):
        optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
        for _ in range(steps // tasks + (task < steps % tasks)):
            chosen = torch.randint(800, (batch_size,))
            loss = F.cross_entropy(model(x[chosen][:, order]), y[chosen])
            loss = loss + 200.0 * sum(penalty(model) for penalty in penalties)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        penalties.append(Elastic(model, x[torch.randperm(800)[:12]][:, order]))
        if log:
            with torch.no_grad():
                right = [(model(x[800:][:, o]).argmax(1) == y[800:]).float().mean().item() for o in orders]
            print(f"after task {task + 1}: accuracies {', '.join(f'{100 * r:.0f} %' for r in right)}")
    return losses


if __name__ == "__main__":
    main(log=True)
