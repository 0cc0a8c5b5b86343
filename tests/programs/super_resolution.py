"""Pictures made larger: sub-pixel convolutions, channel attention, cubic baselines, signal-to-noise, random crops."""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F


def textures(n, size=24):
    grid = torch.linspace(0, 2 * math.pi, size)
    angle, speed = math.pi * torch.rand(n, 1, 1), 2 + 4 * torch.rand(n, 1, 1)
    wave = torch.cos(angle) * grid + torch.sin(angle) * grid[:, None]
    return (0.5 + 0.4 * torch.sin(speed * wave)).unsqueeze(1).repeat(1, 3, 1, 1) * torch.rand(n, 3, 1, 1)


def crop(x, size):
    top, left = torch.randint(0, x.size(-1) - size + 1, (2,)).tolist()
    x = x[..., top : top + size, left : left + size]
    if torch.rand(()) < 0.5:
        x = x.flip(-1)
    return torch.rot90(x, int(torch.randint(0, 4, ())), dims=(-2, -1))


class ChannelAttention(nn.Module):
    def __init__(self, width, squeeze=4):
        super().__init__()
        self.weigh = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(width, width // squeeze, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(width // squeeze, width, 1),
            nn.Sigmoid(),
        )

    def forward(self, x):
        return x * self.weigh(x)


class Residual(nn.Module):
    def __init__(self, width, scale=0.2):
        super().__init__()
        self.body = nn.Sequential(
            nn.ReflectionPad2d(1), nn.Conv2d(width, width, 3), nn.LeakyReLU(0.1, inplace=True),
            nn.ReplicationPad2d(1), nn.Conv2d(width, width, 3, groups=2), ChannelAttention(width),
        )  # fmt: skip
        self.scale = scale

    def forward(self, x):
        return x + self.scale * self.body(x)


class Upscaler(nn.Module):
    def __init__(self, factor=2, width=12):
        super().__init__()
        self.factor = factor
        self.first = nn.Conv2d(3, width, 3, padding=1)
        self.body = nn.Sequential(*[Residual(width) for _ in range(2)])
        self.last = nn.Sequential(nn.Conv2d(width, 3 * factor**2, 3, padding=1), nn.PixelShuffle(factor))
        self._like_nearest()

    @torch.no_grad()
    def _like_nearest(self):
        """The last layer starts with equal weights for the pixels that it makes of one (no checkerboards)."""
        conv = self.last[0]
        few = torch.empty(3, *conv.weight.shape[1:])
        nn.init.kaiming_uniform_(few, a=math.sqrt(5))
        conv.weight.copy_(few.repeat_interleave(self.factor**2, dim=0))
        conv.bias.zero_()

    def forward(self, x):
        cubic = F.interpolate(x, scale_factor=self.factor, mode="bicubic", align_corners=False)
        hidden = self.first(x)
        return cubic + self.last(hidden + self.body(hidden))


class Charbonnier(nn.Module):
    def __init__(self, eps=1e-3):
        super().__init__()
        self.eps = eps

    def forward(self, a, b):
        return torch.sqrt((a - b) ** 2 + self.eps**2).mean()


def psnr(a, b):
    return 10 * torch.log10(1 / F.mse_loss(a.clamp(0, 1), b))


def edges(x):
    kernel = torch.tensor([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]]).to(x.dtype)
    both = torch.stack((kernel, kernel.T))[:, None].repeat(3, 1, 1, 1)
    return F.conv2d(x, both, groups=3, padding=1)


def main(steps=50):
    torch.manual_seed(0)
    net, loss_of = Upscaler(), Charbonnier()
    optimizer = torch.optim.Adam(net.parameters(), lr=3e-3, amsgrad=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, T_0=10, T_mult=2)
    losses = []
    for step in range(steps):
        large = crop(textures(4), 16)
        small = F.interpolate(large, scale_factor=0.5, mode="bilinear", align_corners=False, antialias=True)
        made = net(small)
        loss = loss_of(made, large) + 0.05 * F.l1_loss(edges(made), edges(large))
        loss = loss + 0.1 * loss_of(F.avg_pool2d(made, 2), small)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step(step)
        losses.append(loss.item())
    net.eval()
    with torch.no_grad():
        turned = torch.stack([net(small.rot90(k, (2, 3))).rot90(-k, (2, 3)) for k in range(4)]).mean(0)
        losses.append(psnr(turned, large).item())
    return losses


if __name__ == "__main__":
    print(main()[-1])
