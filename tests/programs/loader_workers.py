"""Data loaders in their variety: worker processes, own collate functions, samplers, iterable data sets, seeds."""

import math

import torch
from torch.utils.data import (
    BatchSampler,
    ConcatDataset,
    DataLoader,
    Dataset,
    IterableDataset,
    Subset,
    TensorDataset,
    WeightedRandomSampler,
    get_worker_info,
)


class Waves(Dataset):
    """Dictionaries with tensors, numbers and strings."""

    def __init__(self, count, transform=None):
        self.count, self.transform = count, transform

    def __len__(self):
        return self.count

    def __getitem__(self, i):
        x = torch.linspace(0, 1, 8) * (i % 7)
        sample = {"x": torch.sin(x + i), "y": math.cos(i), "name": f"wave{i}", "pair": (i, torch.tensor(i / 10))}
        return self.transform(sample) if self.transform else sample


class Scale:
    def __init__(self, factor):
        self.factor = factor

    def __call__(self, sample):
        sample["x"] = sample["x"] * self.factor
        return sample


class Stream(IterableDataset):
    def __iter__(self):
        info = get_worker_info()
        first, step = (0, 1) if info is None else (info.id, info.num_workers)
        for i in range(first, 24, step):
            yield torch.tensor([math.sin(i), math.cos(i)]), i % 3


class EvenFirst(torch.utils.data.Sampler):
    def __init__(self, source):
        self.source = source

    def __iter__(self):
        n = len(self.source)
        return iter([*range(0, n, 2), *range(1, n, 2)])

    def __len__(self):
        return len(self.source)


def collate(batch):
    xs, ys = zip(*batch)
    return torch.stack(xs), torch.as_tensor(ys)


def main(steps=50):
    torch.manual_seed(0)
    model = torch.nn.Linear(8, 1)
    head = torch.nn.Linear(2, 3)
    optimizer = torch.optim.SGD([*model.parameters(), *head.parameters()], lr=0.05)
    both = ConcatDataset([Waves(20, Scale(0.5)), Subset(Waves(30), range(5, 25))])
    weights = WeightedRandomSampler(torch.ones(40), num_samples=40, replacement=False)
    loaders = [
        DataLoader(both, batch_size=8, num_workers=2, persistent_workers=True),
        DataLoader(both, batch_size=8, sampler=EvenFirst(both), drop_last=True, pin_memory=False),
        DataLoader(both, batch_sampler=BatchSampler(weights, 8, drop_last=False)),
    ]
    losses = []
    while len(losses) < steps:
        for loader in loaders:
            for batch in loader:
                y = batch["y"].to(batch["x"].dtype)
                loss = (model(batch["x"]).squeeze(1) - y).pow(2).mean() + batch["pair"][1].mean() * 1e-3
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                losses.append(loss.item())
                assert len(batch["name"]) == len(batch["pair"][0]) and batch["name"][0].startswith("wave")
        for x, y in DataLoader(Stream(), batch_size=4, num_workers=2, collate_fn=collate):
            loss = torch.nn.functional.cross_entropy(head(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    plain = TensorDataset(torch.arange(6), torch.arange(6) * 2)
    assert [a.tolist() for a, b in DataLoader(plain, batch_size=4)] == [[0, 1, 2, 3], [4, 5]]
    return losses


if __name__ == "__main__":
    print(main())
