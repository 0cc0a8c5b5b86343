"""A Fourier neural operator (Li et al. 2021, arXiv 2010.08895) learns what a viscous flow does to its initial velocity.

The data are solutions of Burgers' equation u_t + u u_x = nu u_xx on a ring, computed by a spectral method.
"""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F

POINTS = 64


class SpectralConv1d(nn.Module):
    """A product with learned complex numbers for the lowest frequencies; the others are dropped."""

    def __init__(self, in_channels, out_channels, modes):
        super().__init__()
        self.modes, self.out_channels = modes, out_channels
        scale = 1 / (in_channels * out_channels)
        self.weight = nn.Parameter(scale * torch.randn(in_channels, out_channels, modes, 2))

    def forward(self, x):
        spectrum = torch.fft.rfft(x)
        weight = torch.view_as_complex(self.weight)
        kept = torch.zeros(x.shape[0], self.out_channels, x.shape[-1] // 2 + 1, dtype=spectrum.dtype)
        kept[:, :, : self.modes] = torch.einsum("bix,iox->box", spectrum[:, :, : self.modes], weight)
        return torch.fft.irfft(kept, n=x.shape[-1])


class FourierOperator(nn.Module):
    """Velocity at the points of the ring → velocity some time later."""

    def __init__(self, width=12, modes=8, layers=2):
        super().__init__()
        self.lift = nn.Linear(2, width)
        self.spectral = nn.ModuleList(SpectralConv1d(width, width, modes) for _ in range(layers))
        self.local = nn.ModuleList(nn.Conv1d(width, width, 1) for _ in range(layers))
        self.project = nn.Sequential(nn.Linear(width, 32), nn.GELU(), nn.Linear(32, 1))

    def forward(self, u):
        place = torch.linspace(0, 1, u.shape[-1]).expand_as(u)
        x = self.lift(torch.stack([u, place], dim=-1)).transpose(1, 2)
        for k, (spectral, local) in enumerate(zip(self.spectral, self.local)):  # noqa: B905
            x = spectral(x) + local(x)
            if k + 1 < len(self.spectral):
                x = F.gelu(x)
        return self.project(x.transpose(1, 2)).squeeze(-1)


def initial(count):
    """Smooth random velocities: random amplitudes that fall with the frequency."""
    frequencies = torch.arange(1, 6)
    decay = torch.exp(-0.5 * frequencies)
    size, phase = torch.randn(count, 5) * decay, torch.rand(count, 5) * 2 * math.pi
    place = torch.arange(POINTS) * (2 * math.pi / POINTS)
    return (size[:, :, None] * torch.sin(frequencies[:, None] * place + phase[:, :, None])).sum(1)


@torch.no_grad()
def solve(u, time=0.5, steps=100, viscosity=0.05):
    """Velocities `time` later: the viscous part exactly, the other by Heun's method."""
    wave = torch.fft.rfftfreq(POINTS, d=1 / POINTS)
    dt = time / steps
    decay = torch.exp(-viscosity * wave**2 * dt)
    keep = (wave < POINTS / 3).to(wave.dtype)  # products of waves must not come back as other waves

    def rate(spectrum):
        velocity = torch.fft.irfft(spectrum, n=POINTS)
        return -0.5j * wave * keep * torch.fft.rfft(velocity**2)

    spectrum = torch.fft.rfft(u)
    for _ in range(steps):
        first = rate(spectrum)
        second = rate((spectrum + dt * first) * decay)
        spectrum = (spectrum + 0.5 * dt * first) * decay + 0.5 * dt * second
    return torch.fft.irfft(spectrum, n=POINTS)


def main(steps=60, log=False):
    torch.manual_seed(0)
    start = initial(80)
    end = solve(start)
    model = FourierOperator()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3, weight_decay=1e-4)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=100, gamma=0.5)
    losses = []
    for step in range(steps):
        batch = torch.arange(step * 16, step * 16 + 16) % 64
        predicted = model(start[batch])
        distance = torch.linalg.vector_norm(predicted - end[batch], dim=1)
        loss = (distance / torch.linalg.vector_norm(end[batch], dim=1)).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
        losses.append(loss.item())
        if log and step % 50 == 0:
            print(f"step {step}: relative error {losses[-1]:.4f}")
    with torch.no_grad():
        error = torch.linalg.vector_norm(model(start[64:]) - end[64:]) / torch.linalg.vector_norm(end[64:])
    losses.append(error.item())
    if log:
        print(f"on velocities that it has not seen: {losses[-1]:.4f}")
    return losses


if __name__ == "__main__":
    main(steps=400, log=True)
