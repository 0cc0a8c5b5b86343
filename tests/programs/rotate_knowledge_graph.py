"""Embeddings of a knowledge graph: TransE in real numbers, RotatE as rotations of complex ones, against false triples."""

import torch
import torch.nn as nn
import torch.nn.functional as F


def family(people):
    """Triples of a ring of people: next to, opposite, and two steps on, which is next to twice."""
    triples = []
    for person in range(people):
        triples.append((person, 0, (person + 1) % people))
        triples.append((person, 1, (person + people // 2) % people))
        triples.append((person, 2, (person + 2) % people))
    return torch.tensor(triples)


class TransE(nn.Module):
    def __init__(self, entities, relations, dim):
        super().__init__()
        self.entities, self.relations = nn.Embedding(entities, dim), nn.Embedding(relations, dim)
        for table in (self.entities, self.relations):
            nn.init.uniform_(table.weight, -6 / dim**0.5, 6 / dim**0.5)

    def forward(self, head, relation, tail):
        moved = F.normalize(self.entities(head), dim=-1) + self.relations(relation)
        return -(moved - F.normalize(self.entities(tail), dim=-1)).norm(p=1, dim=-1)


class RotatE(nn.Module):
    def __init__(self, entities, relations, dim, margin=4.0):
        super().__init__()
        self.entities = nn.Parameter(torch.empty(entities, dim, 2).uniform_(-0.5, 0.5))
        self.phases = nn.Parameter(torch.empty(relations, dim).uniform_(-3.1, 3.1))
        self.margin = margin

    def forward(self, head, relation, tail):
        entities = torch.view_as_complex(self.entities)
        phase = self.phases[relation]
        turned = entities[head] * torch.polar(torch.ones_like(phase), phase)
        return self.margin - (turned - entities[tail]).abs().sum(-1)


def corrupted(triples, entities, count):
    """Each triple many times, with another head or another tail."""
    head, relation, tail = (part.expand(-1, count).clone() for part in triples.split(1, dim=1))
    other = torch.randint(entities, head.shape)
    at_head = torch.rand(head.shape) < 0.5
    return torch.where(at_head, other, head), relation, torch.where(at_head, tail, other)


def self_adversarial(model, triples, false, temperature=1.0):
    true = -F.logsigmoid(model(*triples.unbind(1)))
    scores = model(*false)
    weights = (scores * temperature).softmax(1).detach()
    return (true - (weights * F.logsigmoid(-scores)).sum(1)).mean() / 2


def main(steps=50, people=20):
    torch.manual_seed(0)
    triples = family(people)
    translation, rotation = TransE(people, 3, 8), RotatE(people, 3, 8)
    optimizers = [
        torch.optim.SGD(translation.parameters(), lr=0.5),
        torch.optim.Adam(rotation.parameters(), lr=5e-2),
    ]
    losses = []
    for _ in range(steps):
        batch = triples[torch.randperm(len(triples))[:24]]
        false = corrupted(batch, people, 6)
        good, bad = translation(*batch.unbind(1)), translation(*false)
        ranking = F.margin_ranking_loss(good[:, None].expand_as(bad), bad, torch.ones_like(bad), margin=1.0)
        loss = ranking + self_adversarial(rotation, batch, false)
        for optimizer in optimizers:
            optimizer.zero_grad()
        loss.backward()
        for optimizer in optimizers:
            optimizer.step()
        with torch.no_grad():
            translation.entities.weight.renorm_(2, 0, 1.0)
        losses.append(loss.item())
    return losses


if __name__ == "__main__":
    print(main()[-1])
