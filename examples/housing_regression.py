"""House prices from a table: missing cells, categories as embeddings, early stopping, a plateau schedule."""

import copy

import numpy as np
import torch
from example_data import california_housing
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split


class TabularModel(nn.Module):
    def __init__(self, n_cont, categories, sizes=(64, 32), p=0.1):
        super().__init__()
        self.embed = nn.Embedding(categories, min(50, (categories + 1) // 2))
        self.bn_cont = nn.BatchNorm1d(n_cont)
        layers = []
        n_in = n_cont + self.embed.embedding_dim
        for size in sizes:
            layers += [nn.Linear(n_in, size), nn.ReLU(inplace=True), nn.BatchNorm1d(size), nn.Dropout(p)]
            n_in = size
        layers.append(nn.Linear(n_in, 1))
        self.layers = nn.Sequential(*layers)

    def forward(self, x_cont, x_cat):
        x = torch.cat([self.bn_cont(x_cont), self.embed(x_cat)], 1)
        return self.layers(x).squeeze(-1)


def load(count=1500):
    numbers, proximity, price = california_housing()
    index = np.random.RandomState(0).permutation(len(price))[:count]
    kinds = sorted(set(proximity))
    x = torch.from_numpy(numbers[index]).float()
    missing = torch.isnan(x)
    x = torch.where(missing, torch.nanmedian(x, dim=0).values.expand_as(x), x)
    x = (x - x.mean(dim=0)) / x.std(dim=0)
    x = torch.cat([x, missing.any(dim=1, keepdim=True).to(x.dtype)], dim=1)
    category = torch.tensor([kinds.index(proximity[i]) for i in index])
    return x, category, torch.from_numpy(price[index]).float() / 100_000, len(kinds)


def main(steps=200, log=False):
    torch.manual_seed(42)
    x, category, y, kinds = load()
    train, valid = random_split(TensorDataset(x, category, y), [0.8, 0.2])
    train_loader = DataLoader(train, batch_size=64, shuffle=True, drop_last=True)
    valid_loader = DataLoader(valid, batch_size=300)
    model = TabularModel(x.shape[1], kinds)
    criterion = nn.SmoothL1Loss(beta=0.5)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2, weight_decay=1e-5)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, mode="min", factor=0.5, patience=1)
    best, best_state, losses = float("inf"), None, []
    while len(losses) < steps:
        model.train()
        for xb, cb, yb in train_loader:
            loss = criterion(model(xb, cb), yb)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        model.eval()
        with torch.no_grad():
            total = sum(criterion(model(xb, cb), yb).item() * len(xb) for xb, cb, yb in valid_loader) / len(valid)
        scheduler.step(total)
        if total < best:
            best, best_state = total, copy.deepcopy(model.state_dict())
        losses += [total, optimizer.param_groups[0]["lr"]]
    model.load_state_dict(best_state)
    if log:
        print(f"best validation loss {best:.4f}, learning rate {optimizer.param_groups[0]['lr']:g}")
    return losses


if __name__ == "__main__":
    main(steps=400, log=True)
