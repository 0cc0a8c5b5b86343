"""Handwritten digits with a small convolutional network: Adadelta, a step schedule, accuracy on held-out images.

python -m wengert run examples/mnist_cnn.py --epochs 2
"""

import argparse

import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from example_data import mnist
from torch.optim.lr_scheduler import StepLR


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 3, 1)
        self.conv2 = nn.Conv2d(8, 16, 3, 1)
        self.dropout1 = nn.Dropout(0.25)
        self.dropout2 = nn.Dropout(0.5)
        self.fc1 = nn.Linear(16 * 12 * 12, 64)
        self.fc2 = nn.Linear(64, 10)

    def forward(self, x):
        x = F.relu(self.conv1(x))
        x = F.relu(self.conv2(x))
        x = F.max_pool2d(x, 2)
        x = self.dropout1(x)
        x = torch.flatten(x, 1)
        x = F.relu(self.fc1(x))
        x = self.dropout2(x)
        return F.log_softmax(self.fc2(x), dim=1)


class Digits(torch.utils.data.Dataset):
    def __init__(self, train, count):
        self.images, self.labels = mnist(count, train)

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        image = torch.from_numpy(self.images[index]).float().unsqueeze(0) / 255
        return (image - 0.1307) / 0.3081, int(self.labels[index])


def test(model, loader):
    model.eval()
    total, correct = 0.0, 0
    with torch.no_grad():
        for data, target in loader:
            output = model(data)
            total += F.nll_loss(output, target, reduction="sum").item()
            pred = output.argmax(dim=1, keepdim=True)
            correct += pred.eq(target.view_as(pred)).sum().item()
    return total / len(loader.dataset), correct / len(loader.dataset)


def main(steps=None, epochs=2, lr=1.0, gamma=0.7, count=640):
    torch.manual_seed(1)
    train_loader = torch.utils.data.DataLoader(Digits(True, count), batch_size=32, shuffle=True, drop_last=True)
    test_loader = torch.utils.data.DataLoader(Digits(False, 200), batch_size=100)
    model = Net()
    optimizer = optim.Adadelta(model.parameters(), lr=lr)
    scheduler = StepLR(optimizer, step_size=1, gamma=gamma)
    losses = []
    for epoch in range(epochs if steps is None else 100):
        model.train()
        for batch_idx, (data, target) in enumerate(train_loader):
            optimizer.zero_grad()
            loss = F.nll_loss(model(data), target)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
            if steps is None and batch_idx % 20 == 0:
                print(
                    f"epoch {epoch} [{batch_idx * len(data)}/{len(train_loader.dataset)}]  loss {loss.item():.4f}"
                )
            if len(losses) == steps:
                return losses + [test(model, test_loader)[0]]
        scheduler.step()
        if steps is None:
            print("test loss {:.4f}, accuracy {:.1%}".format(*test(model, test_loader)))
    return losses


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--lr", type=float, default=1.0)
    args = parser.parse_args()
    main(epochs=args.epochs, lr=args.lr, count=6400)
