"""Sounds: mu-law codes, gated dilated causal convolutions with skip connections, and losses of several spectrograms."""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F


def sounds(n, length=160):
    t = torch.arange(length) / 64.0
    pitch = 2 + 6 * torch.rand(n, 1)
    tone = torch.sin(2 * math.pi * pitch * t) + 0.4 * torch.sin(4 * math.pi * pitch * t + 1)
    return 0.6 * tone * torch.exp(-t * torch.rand(n, 1))


def encode(x, channels=32):
    mu = channels - 1
    companded = x.sign() * torch.log1p(mu * x.abs()) / math.log1p(mu)
    return ((companded.clamp(-1, 1) + 1) / 2 * mu + 0.5).long()


def decode(codes, channels=32):
    mu = channels - 1
    x = 2 * (codes / mu) - 1
    return x.sign() * torch.expm1(x.abs() * math.log1p(mu)) / mu


class CausalConv1d(nn.Conv1d):
    def forward(self, x):
        return super().forward(F.pad(x, ((self.kernel_size[0] - 1) * self.dilation[0], 0)))


class Block(nn.Module):
    def __init__(self, width, dilation):
        super().__init__()
        self.gate = nn.utils.parametrizations.weight_norm(CausalConv1d(width, 2 * width, 2, dilation=dilation))
        self.skip = nn.Conv1d(width, width, 1)
        self.out = nn.Conv1d(width, width, 1)

    def forward(self, x):
        signal, gate = self.gate(x).chunk(2, dim=1)
        hidden = torch.tanh(signal) * torch.sigmoid(gate)
        return x + self.out(hidden), self.skip(hidden)


class WaveNet(nn.Module):
    def __init__(self, channels=32, width=12, layers=5):
        super().__init__()
        self.embed = nn.Embedding(channels, width)
        self.blocks = nn.ModuleList([Block(width, 2**k) for k in range(layers)])
        self.head = nn.Sequential(nn.ReLU(), nn.Conv1d(width, width, 1), nn.ReLU(), nn.Conv1d(width, channels, 1))

    def forward(self, codes):
        x = self.embed(codes).mT
        total = 0
        for block in self.blocks:
            x, skip = block(x)
            total = total + skip
        return self.head(total)


def spectral_distance(a, b):
    """Differences of magnitudes and of their logarithms, over three window lengths."""
    total = 0.0
    for size in (16, 32, 64):
        window = torch.hann_window(size)
        made = [torch.stft(v, size, size // 4, window=window, center=True, return_complex=True) for v in (a, b)]
        ours, theirs = (torch.view_as_real(m).square().sum(-1).add(1e-2).sqrt() for m in made)
        total = total + torch.norm(theirs - ours) / torch.norm(theirs) + F.l1_loss(ours.log(), theirs.log())
    return total


def main(steps=50):
    torch.manual_seed(0)
    net = WaveNet()
    volumes = decode(torch.arange(32))
    optimizer = torch.optim.RAdam(net.parameters(), lr=4e-3)
    schedule = torch.optim.lr_scheduler.CyclicLR(optimizer, 1e-3, 6e-3, step_size_up=10, cycle_momentum=False)
    losses = []
    for _ in range(steps):
        wave = sounds(4)
        codes = encode(wave)
        logits = net(codes[:, :-1])
        likelihood = F.cross_entropy(logits, codes[:, 1:])
        expected = torch.einsum("bct,c->bt", logits.softmax(1), volumes)
        loss = likelihood + 0.1 * spectral_distance(expected, decode(codes[:, 1:]))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_value_(net.parameters(), 0.5)
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
    spectrum = torch.stft(wave, 32, 8, window=torch.hann_window(32), return_complex=True)
    back = torch.istft(spectrum, 32, 8, window=torch.hann_window(32), length=wave.size(1))
    losses.append(losses[-1] + F.mse_loss(back, wave).item())
    return losses


if __name__ == "__main__":
    print(main()[-1])
