"""Characters of Shakespeare with a temporal convolution network: dilated causal convolutions under weight norm."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from example_data import shakespeare
from torch.nn.utils.parametrizations import weight_norm


class Causal(nn.Module):
    """A convolution that sees the past alone: padded on both sides, cut on the right."""

    def __init__(self, inputs, outputs, width, dilation):
        super().__init__()
        self.cut = (width - 1) * dilation
        self.convolution = weight_norm(nn.Conv1d(inputs, outputs, width, padding=self.cut, dilation=dilation))

    def forward(self, x):
        return self.convolution(x)[..., : -self.cut]


class Block(nn.Module):
    def __init__(self, inputs, outputs, width, dilation, dropout):
        super().__init__()
        layers = []
        for size in (inputs, outputs):
            layers += [Causal(size, outputs, width, dilation), nn.ReLU(), nn.Dropout(dropout)]
        self.body = nn.Sequential(*layers)
        self.skip = nn.Conv1d(inputs, outputs, 1) if inputs != outputs else nn.Identity()

    def forward(self, x):
        return F.relu(self.body(x) + self.skip(x))


class Network(nn.Module):
    def __init__(self, symbols, sizes=(24, 24, 32), width=3, dropout=0.1):
        super().__init__()
        self.embed = nn.Embedding(symbols, sizes[0])
        pairs = zip((sizes[0], *sizes), sizes)
        self.blocks = nn.Sequential(*(Block(a, b, width, 2**k, dropout) for k, (a, b) in enumerate(pairs)))
        self.head = nn.Linear(sizes[-1], symbols)

    def forward(self, text):
        return self.head(self.blocks(self.embed(text).transpose(1, 2)).transpose(1, 2))


def main(steps=200, batch_size=16, length=48, log=False):
    torch.manual_seed(0)
    text = shakespeare()[:200_000]
    symbols = sorted(set(text))
    index = {symbol: i for i, symbol in enumerate(symbols)}
    data = torch.tensor([index[symbol] for symbol in text])
    windows = data.unfold(0, length + 1, 7)
    model = Network(len(symbols))
    optimizer = torch.optim.AdamW(model.parameters(), lr=4e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=1e-2, total_steps=max(steps, 2))
    losses = []
    for _ in range(steps):
        batch = windows[torch.randint(len(windows), (batch_size,))]
        scores = model(batch[:, :-1])
        loss = F.cross_entropy(scores.flatten(0, 1), batch[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        optimizer.step()
        schedule.step()
        losses.append(loss.item())

    if log:
        model.eval()
        written = data[:20]
        with torch.no_grad():
            for _ in range(80):
                chances = (model(written[-length:].unsqueeze(0))[0, -1] / 0.8).softmax(0)
                written = torch.cat([written, torch.multinomial(chances, 1)])
        print(f"loss {losses[0]:.3f} -> {losses[-1]:.3f}: {''.join(symbols[i] for i in written)!r}")
    return losses


if __name__ == "__main__":
    main(log=True)
