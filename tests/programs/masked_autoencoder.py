"""A masked autoencoder: patches shuffled by noise, a transformer on those that are kept, mask tokens, sine positions."""

import math

import torch
import torch.nn as nn


def positions(count, dim):
    angle = torch.arange(count)[:, None] / 10000 ** (torch.arange(0, dim, 2) / dim)
    return torch.stack((angle.sin(), angle.cos()), dim=-1).flatten(1)


def pictures(n, size=12):
    """Soft rings of random places and radii."""
    grid = torch.linspace(-1, 1, size)
    yy, xx = torch.meshgrid(grid, grid, indexing="ij")
    x0, y0 = (torch.rand(2, n, 1, 1) - 0.5).unbind(0)
    radius = 0.3 + 0.4 * torch.rand(n, 1, 1)
    distance = torch.hypot(xx - x0, yy - y0)
    return torch.exp(-((distance - radius) ** 2) / 0.02).unsqueeze(1)


class MaskedAutoencoder(nn.Module):
    def __init__(self, patch=3, size=12, dim=24, keep=0.25):
        super().__init__()
        self.patch, self.count = patch, (size // patch) ** 2
        self.keep = int(self.count * keep)
        self.embed = nn.Conv2d(1, dim, patch, stride=patch)
        self.register_buffer("where", positions(self.count, dim), persistent=False)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, dim))
        self.mask_token = nn.Parameter(torch.zeros(1, 1, dim))
        layer = nn.TransformerEncoderLayer(
            dim, 4, 48, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, 2, norm=nn.LayerNorm(dim), enable_nested_tensor=False)
        self.bridge = nn.Linear(dim, dim, bias=False)
        self.decoder = nn.TransformerEncoderLayer(dim, 2, 48, dropout=0.0, batch_first=True)
        self.head = nn.Linear(dim, patch * patch)
        self.apply(self._init)
        nn.init.normal_(self.mask_token, std=0.02)
        nn.init.xavier_uniform_(self.embed.weight.view(dim, -1))

    @staticmethod
    def _init(m):
        if isinstance(m, nn.Linear):
            nn.init.xavier_uniform_(m.weight)
            if m.bias is not None:
                nn.init.zeros_(m.bias)
        elif isinstance(m, nn.LayerNorm):
            nn.init.ones_(m.weight)
            nn.init.zeros_(m.bias)

    def patches(self, x):
        return nn.functional.unfold(x, self.patch, stride=self.patch).transpose(1, 2)

    def forward(self, x):
        tokens = self.embed(x).flatten(2).transpose(1, 2) + self.where
        n, length, dim = tokens.shape
        shuffle = torch.rand(n, length).argsort(dim=1)
        restore = shuffle.argsort(dim=1)
        kept = torch.take_along_dim(tokens, shuffle[:, : self.keep, None], dim=1)
        hidden = self.encoder(torch.cat((self.cls_token.expand(n, -1, -1), kept), dim=1))
        hidden = self.bridge(hidden)
        whole = torch.cat((hidden[:, 1:], self.mask_token.repeat(n, length - self.keep, 1)), dim=1)
        whole = whole.gather(1, restore[..., None].expand(-1, -1, dim)) + self.where
        prediction = self.head(self.decoder(torch.cat((hidden[:, :1], whole), dim=1))[:, 1:])
        mask = torch.ones(n, length).scatter(1, shuffle[:, : self.keep], 0.0)
        target = self.patches(x)
        mean, var = target.mean(-1, keepdim=True), target.var(-1, keepdim=True)
        target = (target - mean) / (var + 1e-6) ** 0.5
        loss = (prediction - target).square().mean(-1)
        return (loss * mask).sum() / mask.sum()


def main(steps=50):
    torch.manual_seed(0)
    model = MaskedAutoencoder()
    decay = [p for p in model.parameters() if p.ndim >= 2]
    rest = [p for p in model.parameters() if p.ndim < 2]
    groups = [{"params": decay, "weight_decay": 0.05}, {"params": rest, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=2e-3, betas=(0.9, 0.95))
    warm = 5
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda k: (k + 1) / warm if k < warm else 0.5 * (1 + math.cos(math.pi * (k - warm) / 60))
    )
    losses = []
    for _ in range(steps):
        loss = model(pictures(16))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
    return losses


if __name__ == "__main__":
    print(main()[-1])
