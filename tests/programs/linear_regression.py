"""A line through noisy points: raw tensors, backward, updates under no_grad."""

import torch


def main(steps=50):
    torch.manual_seed(0)
    true_w, true_b = torch.tensor([2.0, -3.4]), 4.2
    X = torch.normal(0, 1, (100, len(true_w)))
    y = torch.matmul(X, true_w) + true_b
    y += torch.normal(0, 0.01, y.shape)
    w = torch.normal(0.0, 0.01, size=(2, 1)).requires_grad_()
    b = torch.zeros(1, requires_grad=True)

    def linreg(X, w, b):
        return torch.matmul(X, w) + b

    def squared_loss(y_hat, y):
        return (y_hat - y.reshape(y_hat.shape)) ** 2 / 2

    def sgd(params, lr, batch_size):
        with torch.no_grad():
            for param in params:
                param -= lr * param.grad / batch_size
                param.grad.zero_()

    losses = []
    for step in range(steps):
        batch = torch.arange(step * 10, step * 10 + 10) % 100
        loss = squared_loss(linreg(X[batch], w, b), y[batch])
        loss.sum().backward()
        sgd([w, b], 0.03, 10)
        with torch.no_grad():
            losses.append(float(squared_loss(linreg(X, w, b), y).mean()))
    losses += [x.item() for x in torch.abs(true_w - w.flatten())]
    return losses


if __name__ == "__main__":
    print(main())
