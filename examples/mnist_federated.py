"""Digits that stay where they are: clients with different classes train copies, a server averages their states."""

import collections
import copy
import io

import torch
import torch.nn as nn
import torch.nn.functional as F
from example_data import mnist
from torch.utils.data import DataLoader, Subset, TensorDataset


def network():
    return nn.Sequential(
        collections.OrderedDict(
            first=nn.Linear(196, 32),
            norm=nn.BatchNorm1d(32),
            act=nn.ReLU(),
            drop=nn.Dropout(0.1),
            last=nn.Linear(32, 10),
        )
    )


def shards(labels, clients, classes=3):
    """Indices for each client: a few classes, and a few of everything."""
    found = []
    for client in range(clients):
        own = (client * classes + torch.arange(classes)) % 10
        found.append(
            torch.cat([torch.isin(labels, own).nonzero().squeeze(1), torch.arange(client, len(labels), 25)])
        )
    return found


class Server:
    """Averages what comes in, weighted by examples, and steps with momentum along the mean change."""

    def __init__(self, model, momentum=0.5):
        self.model, self.momentum = model, momentum
        self.speed = {name: torch.zeros_like(p) for name, p in model.named_parameters()}

    def send(self):
        buffer = io.BytesIO()
        torch.save(self.model.state_dict(), buffer)
        buffer.seek(0)
        return buffer

    @torch.no_grad()
    def receive(self, states, sizes):
        shares = torch.tensor(sizes) / sum(sizes)
        now = self.model.state_dict()
        for name, value in now.items():
            stacked = torch.stack([state[name].to(shares.dtype) for state in states])
            mean = torch.tensordot(shares, stacked, dims=1)
            if name in self.speed:
                self.speed[name].mul_(self.momentum).add_(mean - value)
                mean = value + self.speed[name]
            now[name] = mean.to(value.dtype)
        self.model.load_state_dict(now, strict=True)


def work(template, sent, data, rounds, proximal=0.01):
    """A client's epochs: its loss, and a pull towards the weights that it was sent (FedProx)."""
    model = copy.deepcopy(template)
    model.load_state_dict(torch.load(sent, weights_only=True))
    start = [p.detach().clone() for p in model.parameters()]
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    losses = []
    for _ in range(rounds):
        for x, y in DataLoader(data, batch_size=32, shuffle=True, drop_last=True):
            loss = F.cross_entropy(model(x), y)
            drift = sum((p - q).square().sum() for p, q in zip(model.parameters(), start))
            optimizer.zero_grad()
            (loss + proximal / 2 * drift).backward()
            optimizer.step()
            losses.append(loss.item())
    return model.state_dict(), losses


def main(steps=100, clients=4, log=False):
    torch.manual_seed(0)
    images, labels = mnist(600)
    x = F.avg_pool2d(torch.from_numpy(images).float().div(255).unsqueeze(1), 2).flatten(1)
    data = TensorDataset(x, torch.from_numpy(labels))
    parts = [Subset(data, part[:128].tolist()) for part in shards(data.tensors[1][:500], clients)]
    server, losses = Server(network()), []
    while len(losses) < steps:
        states = []
        for part in parts:
            state, found = work(server.model, server.send(), part, rounds=1)
            states.append(state)
            losses += found
        server.receive(states, [len(part) for part in parts])
    if log:
        server.model.eval()
        with torch.no_grad():
            right = (server.model(x[500:]).argmax(1) == data.tensors[1][500:]).float().mean().item()
        print(f"loss {losses[0]:.3f} -> {losses[-1]:.3f}, test accuracy {100 * right:.1f} %")
    return losses[:steps]


if __name__ == "__main__":
    main(log=True)
