"""Cross validation: folds by SubsetRandomSampler, weights averaged along the way (SWA), batch statistics renewed."""

import copy

import torch
import torch.nn.functional as F
from torch import nn
from torch.optim.swa_utils import SWALR, AveragedModel, update_bn
from torch.utils.data import DataLoader, SubsetRandomSampler, TensorDataset


def table(n=120):
    x = torch.randn(n, 6)
    score = x[:, 0] * x[:, 1] - x[:, 2].abs() + 0.5 * torch.sin(3 * x[:, 3])
    return x, torch.bucketize(score, torch.tensor([-1.0, 0.0]))


def build():
    net = nn.Sequential(
        nn.Linear(6, 24, bias=False), nn.BatchNorm1d(24), nn.Hardswish(), nn.Dropout(0.1), nn.Linear(24, 3)
    )
    for m in net:
        if isinstance(m, nn.Linear):
            nn.init.kaiming_normal_(m.weight, mode="fan_out", nonlinearity="relu")
    return net


@torch.no_grad()
def evaluate(net, loader):
    was = net.training
    net.eval()
    total = correct = count = 0
    for x, y in loader:
        logits = net(x)
        total += F.cross_entropy(logits, y, reduction="sum").item()
        correct += (logits.argmax(1) == y).sum().item()
        count += y.numel()
    net.train(was)
    return total / count, correct / count


def main(steps=50):
    torch.manual_seed(0)
    data = TensorDataset(*table())
    folds = 3
    parts = torch.arange(len(data)).chunk(folds)
    losses = []
    for k in range(folds):
        train = torch.cat([p for i, p in enumerate(parts) if i != k]).tolist()
        loader = DataLoader(data, batch_size=20, sampler=SubsetRandomSampler(train))
        held = DataLoader(data, batch_size=50, sampler=parts[k].tolist())
        net = build()
        averaged = AveragedModel(net)
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9, nesterov=True, weight_decay=1e-3)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=6, eta_min=0.01)
        swa = SWALR(optimizer, swa_lr=0.03, anneal_epochs=2, anneal_strategy="linear")
        best, kept = float("inf"), None
        epoch = done = 0
        while done < max(1, steps // folds):
            for x, y in loader:
                loss = F.cross_entropy(net(x), y, label_smoothing=0.05)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                losses.append(loss.item())
                done += 1
            epoch += 1
            if epoch > 1:
                averaged.update_parameters(net)
                swa.step()
            else:
                schedule.step()
            now, _ = evaluate(net, held)
            if now < best:
                best, kept = now, copy.deepcopy(net.state_dict())
        if averaged.n_averaged > 0:
            update_bn(loader, averaged)
            losses.append(evaluate(averaged, held)[0])
        net.load_state_dict(kept)
        losses.append(evaluate(net, held)[0])
    return losses


if __name__ == "__main__":
    print(main()[-1])
