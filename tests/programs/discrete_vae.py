"""A variational autoencoder with discrete codes: relaxed samples that grow harder, Independent likelihoods, divergences."""

import torch
import torch.distributions as D
import torch.nn as nn


class DiscreteVAE(nn.Module):
    def __init__(self, features=20, codes=3, categories=4):
        super().__init__()
        self.shape = (codes, categories)
        self.encoder = nn.Sequential(nn.Linear(features, 24), nn.Tanh(), nn.Linear(24, codes * categories))
        self.decoder = nn.Sequential(nn.Linear(codes * categories, 24), nn.Tanh(), nn.Linear(24, features))
        self.register_buffer("prior", torch.zeros(categories))

    def forward(self, x, temperature):
        logits = self.encoder(x).unflatten(-1, self.shape)
        relaxed = D.RelaxedOneHotCategorical(torch.as_tensor(temperature, dtype=x.dtype), logits=logits)
        code = relaxed.rsample()
        likelihood = D.Independent(D.Bernoulli(logits=self.decoder(code.flatten(-2))), 1)
        posterior = D.OneHotCategorical(logits=logits)
        prior = D.OneHotCategorical(logits=self.prior.expand_as(logits))
        divergence = D.kl_divergence(posterior, prior).sum(-1)
        return -(likelihood.log_prob(x) - divergence).mean(), posterior


def patterns(n, features=20):
    """Each row is one of four bit patterns, with some bits flipped."""
    base = (torch.rand(4, features) < 0.5).float()
    rows = base[torch.arange(n) % 4]
    return torch.where(torch.rand(n, features) < 0.05, 1 - rows, rows)


def main(steps=50):
    torch.manual_seed(0)
    model = DiscreteVAE()
    x = patterns(64).to(next(model.parameters()).dtype)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    losses = []
    for step in range(steps):
        loss, posterior = model(x, temperature=max(0.5, 1.0 - 0.01 * step))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    losses.append(posterior.entropy().mean().item())
    return losses


if __name__ == "__main__":
    print(main()[::10])
