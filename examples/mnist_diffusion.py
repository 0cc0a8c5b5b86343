"""Denoising diffusion: sinusoidal time embedding, a small U-shaped network, a moving average of the weights."""

import copy
import math

import torch
import torch.nn as nn
import torch.nn.functional as F
from example_data import mnist


class SinusoidalPosEmb(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.dim = dim

    def forward(self, t):
        half = self.dim // 2
        freqs = torch.exp(-math.log(10000) * torch.arange(half, device=t.device) / (half - 1))
        args = t[:, None] * freqs[None, :]
        return torch.cat((args.sin(), args.cos()), dim=-1)


class Block(nn.Module):
    def __init__(self, dim, dim_out, time_dim, groups=4):
        super().__init__()
        self.mlp = nn.Sequential(nn.SiLU(), nn.Linear(time_dim, dim_out * 2))
        self.proj = nn.Conv2d(dim, dim_out, 3, padding=1)
        self.norm = nn.GroupNorm(groups, dim_out)
        self.act = nn.SiLU()
        self.skip = nn.Conv2d(dim, dim_out, 1) if dim != dim_out else nn.Identity()

    def forward(self, x, t):
        scale, shift = self.mlp(t)[:, :, None, None].chunk(2, dim=1)
        h = self.norm(self.proj(x)) * (scale + 1) + shift
        return self.act(h) + self.skip(x)


class Unet(nn.Module):
    def __init__(self, dim=8):
        super().__init__()
        self.time = nn.Sequential(
            SinusoidalPosEmb(dim), nn.Linear(dim, dim * 2), nn.GELU(), nn.Linear(dim * 2, dim * 2)
        )
        self.down = Block(1, dim, dim * 2)
        self.pool = nn.Conv2d(dim, dim, 4, 2, 1)
        self.mid = Block(dim, dim * 2, dim * 2)
        self.up = nn.Upsample(scale_factor=2, mode="nearest")
        self.out = Block(dim * 3, dim, dim * 2)
        self.final = nn.Conv2d(dim, 1, 1)

    def forward(self, x, t):
        t = self.time(t)
        skip = self.down(x, t)
        h = self.up(self.mid(self.pool(skip), t))
        return self.final(self.out(torch.cat([h, skip], dim=1), t))


def extract(a, t, x_shape):
    out = a.gather(-1, t)
    return out.reshape(t.shape[0], *((1,) * (len(x_shape) - 1)))


class Diffusion(nn.Module):
    def __init__(self, model, timesteps=100):
        super().__init__()
        self.model, self.num_timesteps = model, timesteps
        betas = torch.linspace(1e-4, 0.05, timesteps)
        alphas_cumprod = torch.cumprod(1.0 - betas, dim=0)
        self.register_buffer("betas", betas)
        self.register_buffer("sqrt_ac", alphas_cumprod.sqrt())
        self.register_buffer("sqrt_1mac", (1.0 - alphas_cumprod).sqrt())

    def forward(self, x):
        t = torch.randint(0, self.num_timesteps, (x.shape[0],), device=x.device).long()
        noise = torch.randn_like(x)
        noisy = extract(self.sqrt_ac, t, x.shape) * x + extract(self.sqrt_1mac, t, x.shape) * noise
        return F.mse_loss(self.model(noisy, t), noise)

    @torch.no_grad()
    def sample(self, shape):
        x = torch.randn(shape)
        for i in reversed(range(self.num_timesteps)):
            t = torch.full((shape[0],), i, dtype=torch.long)
            beta, noise = self.betas[i], torch.randn_like(x) if i > 0 else 0.0
            mean = (x - beta / self.sqrt_1mac[i] * self.model(x, t)) / (1 - beta).sqrt()
            x = mean + beta.sqrt() * noise
        return x.clamp(-1, 1)


class EMA:
    def __init__(self, beta):
        self.beta = beta

    def update_model_average(self, ma_model, current_model):
        for current, ma in zip(current_model.parameters(), ma_model.parameters()):
            ma.data = ma.data * self.beta + (1 - self.beta) * current.data


def main(steps=60, log=False):
    torch.manual_seed(0)
    images, _ = mnist(256)
    data = F.avg_pool2d(torch.from_numpy(images).float()[:, None] / 127.5 - 1, 2, padding=1)[:, :, :14, :14]
    diffusion = Diffusion(Unet())
    ema, ema_model = EMA(0.95), copy.deepcopy(diffusion.model)
    optimizer = torch.optim.AdamW(diffusion.parameters(), lr=3e-4)
    losses = []
    for step in range(steps):
        index = torch.randint(0, data.shape[0], (8,))
        loss = diffusion(data[index])
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_value_(diffusion.parameters(), 1.0)
        optimizer.step()
        ema.update_model_average(ema_model, diffusion.model)
        losses.append(loss.item())
    losses.append(sum(p.double().abs().sum().item() for p in ema_model.parameters()))
    if log:
        diffusion.model = ema_model
        print(f"loss {losses[0]:.3f} -> {losses[-2]:.3f}")
        print((diffusion.sample((1, 1, 14, 14))[0, 0] > 0).int())
    return losses


if __name__ == "__main__":
    main(steps=1000, log=True)
