"""Weights under constraints: parametrize with own modules, weight_norm, spectral_norm, orthogonal."""

import torch
import torch.nn as nn
import torch.nn.utils.parametrize as parametrize
from torch.nn.utils import spectral_norm, weight_norm
from torch.nn.utils.parametrizations import orthogonal


class Symmetric(nn.Module):
    def forward(self, X):
        return X.triu() + X.triu(1).transpose(-1, -2)

    def right_inverse(self, A):
        return A.triu()


class MatrixExponential(nn.Module):
    def forward(self, X):
        return torch.matrix_exp(X)


class Skew(nn.Module):
    def forward(self, X):
        A = X.triu(1)
        return A - A.transpose(-1, -2)


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.sym = nn.Linear(6, 6)
        self.rot = nn.Linear(6, 6, bias=False)
        self.wn = weight_norm(nn.Linear(6, 8), dim=0)
        self.sn = spectral_norm(nn.Linear(8, 8))
        self.orth = nn.Linear(8, 4, bias=False)
        parametrize.register_parametrization(self.sym, "weight", Symmetric())
        parametrize.register_parametrization(self.rot, "weight", Skew())
        parametrize.register_parametrization(self.rot, "weight", MatrixExponential())
        self.out = nn.Linear(8, 1)

    def forward(self, x):
        x = torch.tanh(self.rot(self.sym(x)))
        return self.out(torch.relu(self.sn(self.wn(x))))


def main(steps=50):
    torch.manual_seed(0)
    model = Model()
    x = torch.randn(40, 6)
    y = x.prod(1, keepdim=True).tanh()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    losses = []
    for _ in range(steps):
        loss = nn.functional.mse_loss(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    W, R = model.sym.weight, model.rot.weight
    assert torch.allclose(W, W.T) and torch.allclose(R @ R.T, torch.eye(6), atol=1e-5)
    names = sorted(name for name, _ in model.named_parameters())
    assert "sym.parametrizations.weight.original" in names and "wn.weight_g" in names and "sn.weight_orig" in names
    parametrize.remove_parametrizations(model.sym, "weight")
    nn.utils.remove_weight_norm(model.wn)
    losses.append(model(x).abs().mean().item())
    ortho = orthogonal(nn.Linear(5, 5, bias=False))
    losses.append((ortho.weight @ ortho.weight.T).trace().item())
    return losses


if __name__ == "__main__":
    print(main())
