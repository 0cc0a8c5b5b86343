"""A diagonal state-space model (S4D): complex exponentials as long convolutions by FFT, and step by step as a recurrence."""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F


class Kernel(nn.Module):
    """The impulse response of a diagonal complex system for each channel."""

    def __init__(self, channels, states=8, dt_min=1e-2, dt_max=0.2):
        super().__init__()
        log_dt = torch.rand(channels) * (math.log(dt_max) - math.log(dt_min)) + math.log(dt_min)
        self.log_dt = nn.Parameter(log_dt)
        self.c = nn.Parameter(torch.view_as_real(torch.complex(*torch.randn(2, channels, states // 2).unbind(0))))
        self.log_real = nn.Parameter(torch.log(0.5 * torch.ones(channels, states // 2)))
        self.imaginary = nn.Parameter(math.pi * torch.arange(states // 2).repeat(channels, 1).to(log_dt.dtype))

    def discrete(self):
        """(A, C): factors of a step, and outputs of the states."""
        dt = self.log_dt.exp().unsqueeze(-1)
        a = torch.complex(-self.log_real.exp(), self.imaginary)
        factors = a * dt
        return factors.exp(), torch.view_as_complex(self.c) * (factors.exp() - 1) / a, factors

    def forward(self, length):
        _, c, factors = self.discrete()
        powers = torch.exp(factors.unsqueeze(-1) * torch.arange(length))
        return 2 * torch.einsum("hn,hnl->hl", c, powers).real


class Block(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.norm, self.kernel = nn.LayerNorm(channels), Kernel(channels)
        self.through = nn.Parameter(torch.randn(channels))
        self.mix = nn.Conv1d(channels, 2 * channels, 1)

    def forward(self, x):
        u = self.norm(x).transpose(1, 2)
        length = u.shape[-1]
        response = torch.fft.rfft(self.kernel(length), n=2 * length)
        y = torch.fft.irfft(torch.fft.rfft(u, n=2 * length) * response, n=2 * length)[..., :length]
        return x + F.glu(self.mix(F.gelu(y + u * self.through[:, None])), dim=1).transpose(1, 2)

    @torch.no_grad()
    def steps(self, x):
        """The same, one step after the other."""
        a, c, _ = self.kernel.discrete()
        state, out = torch.zeros(len(x), *a.shape, dtype=a.dtype), []
        for u in self.norm(x).unbind(1):
            state = a * state + u.unsqueeze(-1)
            out.append(2 * (c * state).sum(-1).real + u * self.through)
        return x + F.glu(self.mix(F.gelu(torch.stack(out, dim=-1))), dim=1).transpose(1, 2)


class Model(nn.Module):
    def __init__(self, symbols, channels=12, depth=2):
        super().__init__()
        self.embed = nn.Embedding(symbols, channels)
        self.blocks = nn.ModuleList(Block(channels) for _ in range(depth))
        self.head = nn.Linear(channels, symbols)

    def forward(self, tokens, form="forward"):
        x = self.embed(tokens)
        for block in self.blocks:
            x = getattr(block, form)(x)
        return self.head(x)


def recall(n, length, symbols):
    """The first four symbols are asked for again at the end, after a stretch of zeros."""
    wanted = torch.randint(1, symbols - 1, (n, 4))
    gap = torch.zeros(n, length - 8, dtype=torch.long)
    return torch.cat([wanted, gap, torch.full((n, 4), symbols - 1)], dim=1), wanted


def main(steps=50, length=32, symbols=6):
    torch.manual_seed(0)
    model = Model(symbols)
    slow = [p for name, p in model.named_parameters() if "kernel" in name]
    fast = [p for name, p in model.named_parameters() if "kernel" not in name]
    optimizer = torch.optim.AdamW([{"params": fast}, {"params": slow, "lr": 2e-3, "weight_decay": 0.0}], lr=1e-2)
    losses = []
    for step in range(steps):
        tokens, wanted = recall(16, length, symbols)
        loss = F.cross_entropy(model(tokens)[:, -4:].flatten(0, 1), wanted.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        if step % 20 == 19:
            losses.append(F.cross_entropy(model(tokens, "steps")[:, -4:].flatten(0, 1), wanted.flatten()).item())
    return losses


if __name__ == "__main__":
    print(main()[-1])
