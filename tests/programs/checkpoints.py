"""Stopping and going on: state of model, optimizer, schedule and averages through a file, partly loaded weights."""

import copy
import io
import os
import tempfile

import torch
import torch.nn as nn


def make():
    model = nn.Sequential(nn.Linear(4, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 2))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=5, gamma=0.5)
    return model, optimizer, scheduler


def train(model, optimizer, scheduler, data, start, stop):
    losses = []
    for step in range(start, stop):
        x, y = data[step % len(data)]
        loss = nn.functional.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
        losses.append(loss.item())
    return losses


def main(steps=50):
    torch.manual_seed(0)
    data = [(torch.randn(16, 4), torch.randint(0, 2, (16,))) for _ in range(6)]
    whole = make()
    start = copy.deepcopy(whole[0].state_dict())
    straight = train(*whole, data, 0, steps)

    model, optimizer, scheduler = make()
    model.load_state_dict(start)
    losses = train(model, optimizer, scheduler, data, 0, steps // 2)
    path = os.path.join(tempfile.mkdtemp(), "checkpoint.pt")
    torch.save(
        {
            "epoch": steps // 2,
            "model": model.state_dict(),
            "optimizer": optimizer.state_dict(),
            "scheduler": scheduler.state_dict(),
            "best": min(losses),
            "history": losses,
        },
        path,
    )
    model, optimizer, scheduler = make()
    checkpoint = torch.load(path, map_location=torch.device("cpu"), weights_only=True)
    os.remove(path)
    os.rmdir(os.path.dirname(path))
    model.load_state_dict(checkpoint["model"])
    optimizer.load_state_dict(checkpoint["optimizer"])
    scheduler.load_state_dict(checkpoint["scheduler"])
    losses += train(model, optimizer, scheduler, data, checkpoint["epoch"], steps)
    assert losses == straight and checkpoint["best"] == min(checkpoint["history"])

    bigger = nn.Sequential(nn.Linear(4, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 2), nn.Linear(2, 1))
    report = bigger.load_state_dict(model.state_dict(), strict=False)
    assert report.missing_keys == ["4.weight", "4.bias"] and report.unexpected_keys == []
    pretrained = {k: v for k, v in model.state_dict().items() if not k.startswith("3.")}
    fresh = make()[0]
    merged = fresh.state_dict()
    merged.update(pretrained)
    fresh.load_state_dict(merged)
    buffer = io.BytesIO()
    torch.save(fresh.state_dict(), buffer)
    buffer.seek(0)
    again = torch.load(buffer)
    assert all(torch.equal(again[k], v) for k, v in fresh.state_dict().items())
    for p in fresh[:2].parameters():
        p.requires_grad = False
    tuned = torch.optim.SGD(filter(lambda p: p.requires_grad, fresh.parameters()), lr=0.1)
    losses += train(fresh.eval(), tuned, torch.optim.lr_scheduler.ConstantLR(tuned), data, 0, 10)
    return losses


if __name__ == "__main__":
    print(main())
