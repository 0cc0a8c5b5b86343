"""A masked autoregressive flow: masks as buffers, an own linear layer, learned base, Normal and Independent."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.distributions import Independent, Normal


class MaskedLinear(nn.Linear):
    def __init__(self, in_features, out_features, mask):
        super().__init__(in_features, out_features)
        self.register_buffer("mask", mask)

    def forward(self, input):
        return F.linear(input, self.mask * self.weight, self.bias)


class MADE(nn.Module):
    def __init__(self, dim, hidden):
        super().__init__()
        degrees_in = torch.arange(1, dim + 1)
        degrees_h = torch.arange(hidden) % max(1, dim - 1) + 1
        m1 = (degrees_h[:, None] >= degrees_in[None, :]).float()
        m2 = (degrees_in[:, None] > degrees_h[None, :]).float()
        self.net = nn.Sequential(
            MaskedLinear(dim, hidden, m1), nn.ReLU(), MaskedLinear(hidden, 2 * dim, m2.repeat(2, 1))
        )

    def forward(self, x):
        shift, log_scale = self.net(x).chunk(2, dim=-1)
        log_scale = log_scale.tanh()
        return (x - shift) * (-log_scale).exp(), -log_scale.sum(-1)


class Reverse(nn.Module):
    def forward(self, x):
        return x.flip(-1), torch.zeros(x.shape[:-1])


class Flow(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.layers = nn.ModuleList([MADE(dim, 24), Reverse(), MADE(dim, 24)])
        self.loc, self.log_scale = nn.Parameter(torch.zeros(dim)), nn.Parameter(torch.zeros(dim))

    def log_prob(self, x):
        total = 0.0
        for layer in self.layers:
            x, logdet = layer(x)
            total = total + logdet
        return total + Independent(Normal(self.loc, self.log_scale.exp()), 1).log_prob(x)


def main(steps=50):
    torch.manual_seed(0)
    flow = Flow(4)
    mix = torch.tril(torch.ones(4, 4)) * 0.7
    optimizer = torch.optim.NAdam(flow.parameters(), lr=5e-3)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=steps, eta_min=1e-4)
    losses = []
    for _ in range(steps):
        x = torch.sinh(torch.randn(64, 4) @ mix.T * 0.5)
        loss = flow.log_prob(x).mean().neg()
        optimizer.zero_grad(set_to_none=False)
        loss.backward()
        optimizer.step()
        scheduler.step()
        losses.append(loss.item())
    assert "layers.0.net.0.mask" in flow.state_dict() and "mask" in dict(flow.layers[0].net[0].named_buffers())
    return losses


if __name__ == "__main__":
    print(main())
