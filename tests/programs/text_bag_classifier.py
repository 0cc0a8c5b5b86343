"""Bags of words of different lengths in one tensor: EmbeddingBag with offsets, sparse features, margin losses."""

import torch
from torch import nn
from torch.utils.data import DataLoader
from torch.utils.data.dataset import random_split


def collate_batch(batch):
    labels, texts, offsets = [], [], [0]
    for label, text in batch:
        labels.append(label)
        texts.append(text)
        offsets.append(text.size(0))
    return torch.tensor(labels, dtype=torch.int64), torch.cat(texts), torch.tensor(offsets[:-1]).cumsum(dim=0)


class TextClassificationModel(nn.Module):
    def __init__(self, vocab_size, embed_dim, num_class):
        super().__init__()
        self.embedding = nn.EmbeddingBag(vocab_size, embed_dim, mode="mean")
        self.largest = nn.EmbeddingBag(vocab_size, embed_dim, mode="max")
        self.fc = nn.Linear(2 * embed_dim, num_class)
        self.init_weights()

    def init_weights(self):
        self.embedding.weight.data.uniform_(-0.5, 0.5)
        self.fc.weight.data.uniform_(-0.5, 0.5)
        self.fc.bias.data.zero_()

    def forward(self, text, offsets):
        return self.fc(torch.cat([self.embedding(text, offsets), self.largest(text, offsets)], dim=1))


def main(steps=50):
    torch.manual_seed(0)
    corpus = []
    for i in range(160):
        label = i % 3
        words = torch.cat([torch.randint(0, 30, (int(torch.randint(3, 9, ())),)), torch.tensor([30 + label] * 2)])
        corpus.append((label, words))
    train, valid = random_split(corpus, [128, 32])
    model = TextClassificationModel(33, 8, 3)
    criterion, margin = nn.CrossEntropyLoss(), nn.MultiMarginLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1.0, gamma=0.9)
    losses = []
    while len(losses) < steps:
        model.train()
        for label, text, offsets in DataLoader(train, batch_size=16, shuffle=True, collate_fn=collate_batch):
            optimizer.zero_grad()
            predicted = model(text, offsets)
            loss = criterion(predicted, label) + 0.1 * margin(predicted, label)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 0.1)
            optimizer.step()
            losses.append(loss.item())
        scheduler.step()
        model.eval()
        with torch.no_grad():
            hits = [
                (model(text, offsets).argmax(1) == label).sum().item()
                for label, text, offsets in DataLoader(valid, batch_size=8, collate_fn=collate_batch)
            ]
        losses.append(1.0 + sum(hits) / len(valid))
    return losses


if __name__ == "__main__":
    print(main())
