"""Prices of houses, and which districts a prediction rests on: influence functions by conjugate gradients."""

import numpy as np
import torch
import torch.nn as nn
from example_data import california_housing


def batches(x, y, size):
    while True:
        for chosen in torch.randperm(len(x)).split(size):
            yield x[chosen], y[chosen]


def hessian_product(gradients, parameters, vector, damping):
    """(H + damping) v by a second backward pass through the gradients."""
    products = torch.autograd.grad(gradients, parameters, vector, retain_graph=True)
    return [p + damping * v for p, v in zip(products, vector)]


def dot(a, b):
    return sum((p * q).sum() for p, q in zip(a, b))


def conjugate_gradients(product, right, iterations=6):
    x = [torch.zeros_like(r) for r in right]
    rest, direction = [r.clone() for r in right], [r.clone() for r in right]
    size = dot(rest, rest)
    for _ in range(iterations):
        image = product(direction)
        step = size / dot(direction, image)
        x = [a + step * d for a, d in zip(x, direction)]
        rest = [r - step * i for r, i in zip(rest, image)]
        now = dot(rest, rest)
        direction = [r + now / size * d for r, d in zip(rest, direction)]
        size = now
    return x


def influences(model, loss_of, x, y, test_x, test_y, damping=2.0):
    """How much each training example, left out, would change the loss of a test example."""
    parameters = list(model.parameters())
    gradients = torch.autograd.grad(loss_of(model(x), y), parameters, create_graph=True)
    wanted = torch.autograd.grad(loss_of(model(test_x), test_y), parameters)
    solved = conjugate_gradients(lambda v: hessian_product(gradients, parameters, v, damping), wanted)
    rows = []
    for one_x, one_y in zip(x.split(1), y.split(1)):
        rows.append(dot(torch.autograd.grad(loss_of(model(one_x), one_y), parameters), solved) / len(x))
    return torch.stack(rows)


def main(steps=300, log=False):
    torch.manual_seed(0)
    numbers, _, prices = california_housing()
    numbers = np.log1p(np.nan_to_num(numbers[:1200] - np.nanmin(numbers, 0)))
    x = torch.from_numpy(numbers).to(torch.get_default_dtype())
    x = (x - x.mean(0)) / x.std(0)
    y = torch.from_numpy(prices[:1200]).to(torch.get_default_dtype()).div(1e5)
    model = nn.Sequential(nn.Linear(8, 12), nn.Tanh(), nn.Linear(12, 1), nn.Flatten(0))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2, weight_decay=1e-4)
    loss_of, stream, losses = nn.MSELoss(), batches(x[:1000], y[:1000], 64), []
    while len(losses) < steps:
        inputs, targets = next(stream)
        loss = loss_of(model(inputs), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        if len(losses) % 25 == 0 or len(losses) == steps:
            k = 1000 + len(losses) % 200
            found = influences(model, loss_of, x[:24], y[:24], x[k : k + 1], y[k : k + 1])
            losses.append(found.abs().sum().item())
            if log:
                print(f"district {k}: helped most by {found.argmax().item()}, hurt most by {found.argmin().item()}")
    return losses[:steps]


if __name__ == "__main__":
    print(main(log=True)[-1])
