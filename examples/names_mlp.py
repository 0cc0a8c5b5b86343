"""Given names with an embedding and layers written by hand: batch norm from means and deviations, no nn.Module."""

import torch
import torch.nn.functional as F
from example_data import given_names


class Linear:
    def __init__(self, fan_in, fan_out, bias=True):
        self.weight = torch.randn((fan_in, fan_out)) / fan_in**0.5
        self.bias = torch.zeros(fan_out) if bias else None

    def __call__(self, x):
        self.out = x @ self.weight
        if self.bias is not None:
            self.out += self.bias
        return self.out

    def parameters(self):
        return [self.weight] + ([] if self.bias is None else [self.bias])


class BatchNorm1d:
    def __init__(self, dim, eps=1e-5, momentum=0.1):
        self.eps, self.momentum, self.training = eps, momentum, True
        self.gamma, self.beta = torch.ones(dim), torch.zeros(dim)
        self.running_mean, self.running_var = torch.zeros(dim), torch.ones(dim)

    def __call__(self, x):
        if self.training:
            xmean, xvar = x.mean(0, keepdim=True), x.var(0, keepdim=True)
        else:
            xmean, xvar = self.running_mean, self.running_var
        self.out = self.gamma * (x - xmean) / torch.sqrt(xvar + self.eps) + self.beta
        if self.training:
            with torch.no_grad():
                self.running_mean = (1 - self.momentum) * self.running_mean + self.momentum * xmean
                self.running_var = (1 - self.momentum) * self.running_var + self.momentum * xvar
        return self.out

    def parameters(self):
        return [self.gamma, self.beta]


class Tanh:
    def __call__(self, x):
        self.out = torch.tanh(x)
        return self.out

    def parameters(self):
        return []


def build_dataset(words, stoi, block_size):
    X, Y = [], []
    for w in words:
        context = [0] * block_size
        for ch in w + ".":
            X.append(context)
            Y.append(stoi[ch])
            context = context[1:] + [stoi[ch]]
    return torch.tensor(X), torch.tensor(Y)


def main(steps=200, log=False):
    words = given_names()[:500]
    chars = sorted(set("".join(words)))
    stoi = {s: i + 1 for i, s in enumerate(chars)}
    stoi["."] = 0
    Xtr, Ytr = build_dataset(words[:400], stoi, 3)
    Xdev, Ydev = build_dataset(words[400:], stoi, 3)
    torch.manual_seed(42)
    n_embd, n_hidden, vocab = 10, 64, len(stoi)
    C = torch.randn((vocab, n_embd))
    layers = [
        Linear(n_embd * 3, n_hidden, bias=False), BatchNorm1d(n_hidden), Tanh(),
        Linear(n_hidden, n_hidden, bias=False), BatchNorm1d(n_hidden), Tanh(),
        Linear(n_hidden, vocab, bias=False), BatchNorm1d(vocab),
    ]  # fmt: skip
    with torch.no_grad():
        layers[-1].gamma *= 0.1
        for layer in layers[:-1]:
            if isinstance(layer, Linear):
                layer.weight *= 5 / 3
    parameters = [C] + [p for layer in layers for p in layer.parameters()]
    for p in parameters:
        p.requires_grad = True

    losses = []
    for i in range(steps):
        ix = torch.randint(0, Xtr.shape[0], (32,))
        Xb, Yb = Xtr[ix], Ytr[ix]
        x = C[Xb].view(Xb.shape[0], -1)
        for layer in layers:
            x = layer(x)
        loss = F.cross_entropy(x, Yb)
        for layer in layers:
            layer.out.retain_grad()
        for p in parameters:
            p.grad = None
        loss.backward()
        lr = 0.1 if i < 0.75 * steps else 0.01
        for p in parameters:
            p.data += -lr * p.grad
        losses.append(loss.item())
    for layer in layers:
        layer.training = False
    with torch.no_grad():
        x = C[Xdev].flatten(1)
        for layer in layers:
            x = layer(x)
        losses.append(F.cross_entropy(x, Ydev).item())
    if log:
        print(f"training {losses[-2]:.4f}, held out {losses[-1]:.4f}")
        ratios = [(p.grad.std() / p.data.std()).item() for p in parameters if p.ndim == 2]
        print("gradient to data:", " ".join(f"{r:.2e}" for r in ratios))
    return losses


if __name__ == "__main__":
    main(log=True)
