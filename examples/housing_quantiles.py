"""Prices of houses with their spread: quantiles that do not cross, and a conformal correction of the interval."""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from example_data import california_housing
from torch.utils.data import DataLoader, TensorDataset, random_split


class PinballLoss(nn.Module):
    """A quantile's loss: an error above it costs q, one below it 1 - q; quadratic near zero (Huber)."""

    def __init__(self, quantiles, delta=0.05):
        super().__init__()
        self.register_buffer("quantiles", torch.tensor(quantiles))
        self.delta = delta

    def forward(self, predicted, wanted):
        error = wanted.unsqueeze(-1) - predicted
        size = torch.where(error.abs() < self.delta, error**2 / (2 * self.delta), error.abs() - self.delta / 2)
        side = torch.where(error >= 0, self.quantiles, 1 - self.quantiles)
        return (side * size).sum(-1).mean()


class Quantiles(nn.Module):
    """The middle quantile, and steps from it that are positive."""

    def __init__(self, inputs, places, count, size=24):
        super().__init__()
        self.place = nn.Embedding(places, 3, max_norm=2.0)
        self.body = nn.Sequential(
            nn.Linear(inputs + 3, size), nn.PReLU(), nn.LayerNorm(size), nn.Linear(size, size), nn.Softplus()
        )
        self.head = nn.Linear(size, count)
        self.middle = count // 2

    def forward(self, x, place):
        middle, below, above = self.head(self.body(torch.cat([x, self.place(place)], dim=1))).split(
            [1, self.middle, self.head.out_features - 1 - self.middle], dim=1
        )
        below, above = (F.softplus(v).cumsum(1) for v in (below, above))
        return torch.cat([middle - below.flip(1), middle, middle + above], dim=1)


def main(steps=300, batch_size=64, log=False):
    torch.manual_seed(0)
    numbers, proximity, prices = california_housing()
    numbers = np.where(np.isnan(numbers), np.nanmedian(numbers, axis=0), numbers)[::10]
    names = sorted(set(proximity))
    place = torch.tensor([names.index(name) for name in proximity[::10]])
    x = torch.tensor(numbers, dtype=torch.get_default_dtype())
    x = ((x - x.mean(0)) / x.std(0)).clamp(-3, 3)
    y = torch.tensor(prices[::10], dtype=torch.get_default_dtype()).div(1e5)
    fit, held = random_split(TensorDataset(x, place, y), [0.8, 0.2], generator=torch.Generator().manual_seed(1))
    loader = DataLoader(fit, batch_size, shuffle=True, drop_last=True)
    criterion = PinballLoss([0.05, 0.25, 0.5, 0.75, 0.95])
    model = Quantiles(8, len(names), 5)
    optimizer = torch.optim.NAdam(model.parameters(), lr=1e-2)
    schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=0, factor=0.5)
    losses = []
    while len(losses) < steps:
        for inputs, where, wanted in loader:
            loss = criterion(model(inputs, where), wanted)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        with torch.no_grad():
            inputs, where, wanted = (torch.stack(part) for part in zip(*held))
            found = model(inputs, where)
            schedule.step(criterion(found, wanted))
            miss = torch.maximum(found[:, 0] - wanted, wanted - found[:, -1])
            widening = torch.quantile(miss[::2], 0.9)
            losses.append(widening.item())
    if log:
        inside = (miss[1::2] <= widening).to(miss.dtype).mean().item()
        print(f"loss {losses[0]:.3f} -> {losses[-2]:.3f}, {100 * inside:.1f} % of prices in the interval of 90 %")
    return losses[:steps]


if __name__ == "__main__":
    main(log=True)
