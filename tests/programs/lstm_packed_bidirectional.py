"""Sorting out noisy sums: bidirectional LSTM with projections of packed sequences, dropout between layers, tied states."""

import torch
import torch.nn as nn
from torch.nn.utils import rnn as rnn_utils


class SumClassifier(nn.Module):
    def __init__(self, hidden=12):
        super().__init__()
        self.rnn = nn.LSTM(2, hidden, num_layers=2, bidirectional=True, dropout=0.0, bias=True)
        self.cell = nn.GRUCell(2 * hidden, hidden)
        self.plain = nn.RNN(2, hidden, nonlinearity="relu")
        self.fc = nn.Linear(2 * hidden, 1)
        for name, param in self.rnn.named_parameters():
            if "weight_hh" in name:
                nn.init.orthogonal_(param)
            elif "bias" in name:
                nn.init.zeros_(param)
                n = param.size(0)
                param.data[n // 4 : n // 2].fill_(1.0)

    def forward(self, padded, lengths):
        packed = rnn_utils.pack_padded_sequence(padded, lengths, enforce_sorted=False)
        out, (h, c) = self.rnn(packed)
        unpacked, sizes = rnn_utils.pad_packed_sequence(out)
        state = torch.zeros_like(h[0])
        for t, frame in enumerate(unpacked):
            new = self.cell(frame, state)
            state = torch.where((t < sizes).unsqueeze(1), new, state)
        _, last = self.plain(packed)
        return self.fc(torch.cat((state, last[0]), dim=-1)).squeeze(-1)


def main(steps=50):
    torch.manual_seed(0)
    model = SumClassifier()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3, betas=(0.9, 0.98), weight_decay=1e-4)
    losses = []
    for _ in range(steps):
        lengths = torch.randint(2, 9, (8,))
        items = [torch.randn(int(n), 2) for n in lengths]
        targets = torch.stack([item.prod(dim=1).sum() > 0 for item in items]).float()
        padded = rnn_utils.pad_sequence(items)
        logits = model(padded, lengths)
        loss = nn.functional.binary_cross_entropy(torch.sigmoid(logits), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


if __name__ == "__main__":
    print(main())
