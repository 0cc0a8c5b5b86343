"""Handwritten digits with a multilayer perceptron: the training loop that everybody writes first."""

import torch
import torch.nn as nn
from example_data import mnist
from torch.utils.data import DataLoader, TensorDataset


class NeuralNet(nn.Module):
    def __init__(self, input_size, hidden_size, num_classes):
        super().__init__()
        self.fc1 = nn.Linear(input_size, hidden_size)
        self.relu = nn.ReLU()
        self.drop = nn.Dropout(0.2)
        self.fc2 = nn.Linear(hidden_size, num_classes)

    def forward(self, x):
        out = self.fc1(x)
        out = self.relu(out)
        return self.fc2(self.drop(out))


def main(steps=200, batch_size=64, log=False):
    torch.manual_seed(1)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    images, labels = mnist(2000)
    x = torch.from_numpy(images).float().div(255).sub_(0.1307).div_(0.3081)
    train_loader = DataLoader(TensorDataset(x, torch.from_numpy(labels)), batch_size=batch_size, shuffle=True)

    model = NeuralNet(28 * 28, 128, 10).to(device)
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-4)

    losses = []
    model.train()
    while len(losses) < steps:
        for inputs, targets in train_loader:
            inputs = inputs.reshape(-1, 28 * 28).to(device)
            targets = targets.to(device)
            outputs = model(inputs)
            loss = criterion(outputs, targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
            if len(losses) == steps:
                break

    if log:
        images, labels = mnist(1000, train=False)
        model.eval()
        with torch.no_grad():
            x = torch.from_numpy(images).float().div(255).sub_(0.1307).div_(0.3081).view(-1, 784)
            _, predicted = torch.max(model(x.to(device)).data, 1)
            correct = (predicted == torch.from_numpy(labels)).sum().item()
        print(f"loss {losses[0]:.3f} -> {losses[-1]:.3f}, test accuracy {100 * correct / len(labels):.1f} %")
    return losses


if __name__ == "__main__":
    main(log=True)
