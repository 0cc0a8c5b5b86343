"""A Gaussian process: marginal likelihood by a Cholesky factor, softplus parameters, prediction with a variance."""

import math

import torch
import torch.nn.functional as F


class GP(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.raw = torch.nn.ParameterDict(
            {
                name: torch.nn.Parameter(torch.tensor(value))
                for name, value in (("length", 0.0), ("scale", 0.5), ("noise", -2.0))
            }
        )

    def kernel(self, a, b):
        length, scale = F.softplus(self.raw["length"]), F.softplus(self.raw["scale"])
        d2 = (a[:, None, :] - b[None, :, :]).square().sum(-1)
        return scale**2 * torch.exp(-0.5 * d2 / length**2)

    def forward(self, x, y):
        n = x.shape[0]
        K = self.kernel(x, x) + (F.softplus(self.raw["noise"]) ** 2 + 1e-6) * torch.eye(n)
        L = torch.linalg.cholesky(K)
        z = torch.linalg.solve_triangular(L, y.unsqueeze(1), upper=False)
        return 0.5 * (z * z).sum() + L.diagonal().log().sum() + 0.5 * n * math.log(2 * math.pi), L, z

    def predict(self, x, y, new):
        _, L, z = self(x, y)
        v = torch.linalg.solve_triangular(L, self.kernel(x, new), upper=False)
        return (v.mT @ z).squeeze(1), self.kernel(new, new).diagonal() - v.pow(2).sum(0)


def main(steps=50):
    torch.manual_seed(0)
    x = torch.rand(24, 1) * 6
    y = torch.sin(2 * x[:, 0]) + 0.1 * torch.randn(24)
    gp = GP()
    optimizer = torch.optim.Rprop(gp.parameters(), lr=0.05)
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss, _, _ = gp(x, y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    with torch.no_grad():
        mean, var = gp.predict(x, y, torch.linspace(0, 6, 5).unsqueeze(1))
    losses += mean.abs().tolist() + var.tolist()
    K = gp.kernel(x, x).detach() + torch.eye(24)
    values, vectors = torch.linalg.eigh(K)
    losses += [torch.logdet(K).item(), values.log().sum().item(), torch.linalg.slogdet(K)[1].item()]
    losses.append((vectors @ torch.diag_embed(values) @ vectors.T - K).abs().max().item() + 1)
    return losses


if __name__ == "__main__":
    print(main())
