"""Which language is a surname from? A bidirectional GRU over packed sequences of different lengths."""

import torch
import torch.nn as nn
from example_data import surnames
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence
from torch.utils.data import DataLoader, Dataset


class NameDataset(Dataset):
    def __init__(self, per_language=40):
        pairs = [(name, k) for k, names in enumerate(surnames().values()) for name in names[:per_language] if name]
        self.vocab = {c: i + 1 for i, c in enumerate(sorted({c for name, _ in pairs for c in name}))}
        self.samples = [(torch.tensor([self.vocab[c] for c in name]), label) for name, label in pairs]

    def __getitem__(self, index):
        return self.samples[index]

    def __len__(self):
        return len(self.samples)


def collate(batch):
    batch.sort(key=lambda pair: len(pair[0]), reverse=True)
    lengths = torch.tensor([len(name) for name, _ in batch])
    names = pad_sequence([name for name, _ in batch], batch_first=True, padding_value=0)
    return names, lengths, torch.tensor([label for _, label in batch])


class Classifier(nn.Module):
    def __init__(self, vocab, classes, embed=16, hidden=24):
        super().__init__()
        self.embedding = nn.Embedding(vocab + 1, embed, padding_idx=0)
        self.gru = nn.GRU(embed, hidden, num_layers=2, batch_first=True, bidirectional=True)
        self.attend = nn.Linear(2 * hidden, 1)
        self.fc = nn.Sequential(nn.LayerNorm(4 * hidden), nn.Linear(4 * hidden, classes))

    def forward(self, names, lengths):
        packed = pack_padded_sequence(self.embedding(names), lengths, batch_first=True)
        output, hidden = self.gru(packed)
        output, lengths = pad_packed_sequence(output, batch_first=True)
        mask = torch.arange(output.size(1)).unsqueeze(0) >= lengths.unsqueeze(1)
        scores = self.attend(output).squeeze(-1).masked_fill(mask, float("-inf"))
        context = torch.bmm(scores.softmax(-1).unsqueeze(1), output).squeeze(1)
        return self.fc(torch.cat([context, hidden[-2], hidden[-1]], dim=-1))


def main(steps=200, log=False):
    torch.manual_seed(7)
    dataset = NameDataset()
    loader = DataLoader(dataset, batch_size=16, shuffle=True, collate_fn=collate)
    model = Classifier(len(dataset.vocab), 18)
    optimizer = torch.optim.RMSprop(model.parameters(), lr=1e-3, alpha=0.9, momentum=0.5)
    loss_fn = nn.CrossEntropyLoss()
    losses, data = [], iter(loader)
    while len(losses) < steps:
        try:
            names, lengths, labels = next(data)
        except StopIteration:
            data = iter(loader)
            continue
        optimizer.zero_grad()
        loss = loss_fn(model(names, lengths), labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert model.embedding.weight[0].abs().sum() == 0
    if log:
        print(f"loss {losses[0]:.3f} -> {losses[-1]:.3f}")
    return losses


if __name__ == "__main__":
    main(log=True)
