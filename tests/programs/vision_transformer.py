"""A vision transformer: patches by a convolution, class token, nn.TransformerEncoder, stochastic depth, mixup."""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F


class PatchEmbed(nn.Module):
    def __init__(self, patch, dim):
        super().__init__()
        self.proj = nn.Conv2d(3, dim, kernel_size=patch, stride=patch)

    def forward(self, x):
        return self.proj(x).flatten(2).transpose(1, 2)


class ViT(nn.Module):
    def __init__(self, size=12, patch=4, dim=16, depth=2, heads=2, classes=4):
        super().__init__()
        self.patch_embed = PatchEmbed(patch, dim)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, dim))
        self.pos_embed = nn.Parameter(torch.randn(1, (size // patch) ** 2 + 1, dim) * 0.02)
        layer = nn.TransformerEncoderLayer(dim, heads, 2 * dim, dropout=0.0, activation="gelu", batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, num_layers=depth, enable_nested_tensor=False)
        self.norm, self.head = nn.LayerNorm(dim, eps=1e-6), nn.Linear(dim, classes)
        nn.init.normal_(self.cls_token, std=0.02)

    def forward(self, x):
        x = self.patch_embed(x)
        x = torch.cat((self.cls_token.expand(x.shape[0], -1, -1), x), dim=1) + self.pos_embed
        return self.head(self.norm(self.encoder(x))[:, 0])


class MLPMixerBlock(nn.Module):
    """Mixes patches and channels, with drop path."""

    def __init__(self, patches, dim, drop_path=0.2):
        super().__init__()
        self.tokens = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, dim), nn.Hardswish())
        self.patches, self.drop_path = nn.Linear(patches, patches), drop_path

    def forward(self, x):
        y = self.patches(self.tokens(x).mT).mT
        if self.training:
            keep = x.new_empty((x.shape[0], 1, 1)).bernoulli_(1 - self.drop_path)
            y = y * keep.div_(1 - self.drop_path)
        return x + y


def main(steps=50):
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    x = torch.as_tensor(rng.standard_normal((24, 3, 12, 12))).float()
    y = torch.as_tensor(rng.integers(0, 4, 24))
    model = nn.Sequential(ViT())
    mixer = nn.Sequential(PatchEmbed(4, 8), MLPMixerBlock(9, 8), nn.Flatten(), nn.Linear(72, 4))
    optimizer = torch.optim.AdamW([*model.parameters(), *mixer.parameters()], lr=2e-3, weight_decay=0.05)
    scheduler = torch.optim.lr_scheduler.SequentialLR(
        optimizer,
        [
            torch.optim.lr_scheduler.LinearLR(optimizer, start_factor=0.1, total_iters=5),
            torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=max(1, steps - 5)),
        ],
        milestones=[5],
    )
    losses = []
    for _ in range(steps):
        lam = float(rng.beta(0.8, 0.8))
        order = torch.from_numpy(rng.permutation(24))
        mixed = lam * x + (1 - lam) * x[order]
        target = lam * F.one_hot(y, 4) + (1 - lam) * F.one_hot(y[order], 4)
        logits = (model(mixed) + mixer(mixed)) / 2
        loss = F.cross_entropy(logits, target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
        losses.append(loss.item())
    model.eval()
    with torch.no_grad():
        losses.append(F.cross_entropy(model(x), y, label_smoothing=0.1).item())
    return losses


if __name__ == "__main__":
    print(main())
