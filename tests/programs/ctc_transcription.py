"""Transcribing sequences without alignment: convolutions, a bidirectional LSTM over packed frames, CTC, greedy decoding."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence

SYMBOLS = 5  # 0 is the blank


class Transcriber(nn.Module):
    def __init__(self, features=6, hidden=10):
        super().__init__()
        self.subsample = nn.Sequential(nn.Conv1d(features, 12, 3, padding=1), nn.Hardtanh(0, 20), nn.MaxPool1d(2))
        self.norm = nn.LayerNorm(12)
        self.recurrent = nn.LSTM(12, hidden, bidirectional=True, batch_first=True)
        self.out = nn.Linear(2 * hidden, SYMBOLS)

    def forward(self, frames, lengths):
        x = self.norm(self.subsample(frames.transpose(1, 2)).transpose(1, 2))
        lengths = lengths // 2
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        x, lengths = pad_packed_sequence(self.recurrent(packed)[0], batch_first=True)
        return F.log_softmax(self.out(x), dim=-1), lengths


def batch(count, codebook):
    frames, texts = [], []
    for _ in range(count):
        text = torch.randint(1, SYMBOLS, (int(torch.randint(2, 5, ())),))
        spread = text.repeat_interleave(4)
        frames.append(codebook[spread] + 0.1 * torch.randn(len(spread), codebook.shape[1]))
        texts.append(text)
    lengths = torch.tensor([len(f) for f in frames])
    return pad_sequence(frames, batch_first=True), lengths, texts


def greedy(log_probs, lengths):
    best = log_probs.argmax(-1)
    found = []
    for row, n in zip(best, lengths):
        path = torch.unique_consecutive(row[: int(n)])
        found.append(path[path != 0].tolist())
    return found


def edit_distance(a, b):
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        last, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            last, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, last + (x != y))
    return row[-1]


def main(steps=50):
    torch.manual_seed(0)
    codebook = torch.randn(SYMBOLS, 6)
    model = Transcriber()
    optimizer = torch.optim.RMSprop(model.parameters(), lr=3e-3, momentum=0.5, centered=True)
    loss_fn = nn.CTCLoss(zero_infinity=True)
    losses = []
    for _ in range(steps):
        frames, lengths, texts = batch(8, codebook)
        log_probs, lengths = model(frames, lengths)
        sizes = torch.tensor([len(t) for t in texts])
        loss = loss_fn(log_probs.transpose(0, 1), torch.cat(texts), lengths, sizes)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    errors = sum(edit_distance(a, b.tolist()) for a, b in zip(greedy(log_probs, lengths), texts))
    return losses + [1.0 + errors]


if __name__ == "__main__":
    print(main())
