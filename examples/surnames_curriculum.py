"""Languages of surnames, rare ones drawn more often, short names first: weighted sampling, own collate, a curriculum."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from example_data import surnames
from torch.nn.utils.rnn import pack_padded_sequence, pad_sequence
from torch.utils.data import DataLoader, Dataset, WeightedRandomSampler


class Names(Dataset):
    def __init__(self, per_language=60):
        by_language = surnames()
        self.languages = sorted(by_language)
        self.rows = [
            (name, k)
            for k, language in enumerate(self.languages)
            for name in by_language[language][:per_language]
            if name
        ]
        self.alphabet = {c: i + 1 for i, c in enumerate(sorted({c for name, _ in self.rows for c in name}))}

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, index):
        name, language = self.rows[index]
        return torch.tensor([self.alphabet[c] for c in name]), language

    def weights(self, longest):
        """Equal shares for the languages among the names that are short enough."""
        languages = torch.tensor([language for _, language in self.rows])
        short = torch.tensor([len(name) <= longest for name, _ in self.rows])
        counts = torch.bincount(languages[short], minlength=len(self.languages)).clamp(min=1)
        return (1.0 / counts)[languages] * short


def collate(rows):
    """Sorted by length, padded; pads count for nothing."""
    rows = sorted(rows, key=lambda row: len(row[0]), reverse=True)
    names, languages = zip(*rows)
    lengths = torch.tensor([len(name) for name in names])
    return pad_sequence(names, batch_first=True), lengths, torch.tensor(languages)


class Classifier(nn.Module):
    def __init__(self, symbols, languages, dim=16, size=24):
        super().__init__()
        self.embed = nn.Embedding(symbols + 1, dim, padding_idx=0)
        self.read = nn.GRU(dim, size, batch_first=True, bidirectional=True)
        self.head = nn.Sequential(nn.Dropout(0.1), nn.Linear(2 * size, languages))

    def forward(self, names, lengths):
        packed = pack_padded_sequence(self.embed(names), lengths, batch_first=True)
        _, last = self.read(packed)
        return self.head(torch.cat(last.unbind(0), dim=1))


def main(steps=300, batch_size=32, log=False):
    torch.manual_seed(0)
    data = Names()
    model = Classifier(len(data.alphabet), len(data.languages))
    optimizer = torch.optim.RMSprop(model.parameters(), lr=5e-3)
    losses = []
    for stage, longest in enumerate((5, 7, 99)):
        count = steps // 3 + (stage < steps % 3)
        sampler = WeightedRandomSampler(data.weights(longest), count * batch_size, replacement=True)
        for names, lengths, languages in DataLoader(data, batch_size, sampler=sampler, collate_fn=collate):
            loss = F.cross_entropy(model(names, lengths), languages)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_value_(model.parameters(), 0.5)
            optimizer.step()
            losses.append(loss.item())
        if log:
            model.eval()
            names, lengths, languages = collate([data[i] for i in range(0, len(data), 5)])
            with torch.no_grad():
                right = (model(names, lengths).argmax(1) == languages).float().mean().item()
            model.train()
            print(f"names up to {longest} letters: loss {losses[-1]:.3f}, accuracy {100 * right:.1f} %")
    return losses


if __name__ == "__main__":
    main(log=True)
