"""The most probable parameters of a hierarchical model of counts and lifetimes, through transforms to constrained values."""

import torch
import torch.distributions as dist
from torch import nn
from torch.distributions import constraints, transform_to


class Posterior(nn.Module):
    """Effects of groups are correlated: scales of half-Cauchy, correlations of LKJ; some groups are outliers."""

    def __init__(self, groups, effects):
        super().__init__()
        self.groups, self.effects = groups, effects
        pairs = effects * (effects - 1) // 2
        self.raw = nn.ParameterDict({
            "corr": nn.Parameter(0.1 * torch.randn(pairs)),
            "scale": nn.Parameter(torch.zeros(effects)),
            "effect": nn.Parameter(0.1 * torch.randn(groups, effects)),
            "count": nn.Parameter(torch.tensor(1.0)),
            "shape": nn.Parameter(torch.tensor(0.0)),
            "weights": nn.Parameter(torch.zeros(1)),
            "rate": nn.Parameter(torch.tensor(0.3)),
        })  # fmt: skip

    def constrained(self):
        kinds = {
            "corr": constraints.corr_cholesky,
            "scale": dist.HalfCauchy.support,
            "count": constraints.greater_than(0.5),
            "shape": constraints.interval(0.5, 4.0),
            "weights": constraints.unit_interval,
            "rate": dist.Gamma.arg_constraints["rate"],
        }
        return {
            name: transform_to(kinds[name])(self.raw[name]) if name in kinds else self.raw[name]
            for name in self.raw
        }

    def forward(self, x, group, y, lifetime):
        v = self.constrained()
        factor = v["scale"].unsqueeze(-1) * v["corr"]
        prior = dist.MultivariateNormal(torch.zeros_like(v["scale"]), scale_tril=factor)
        wide = dist.LowRankMultivariateNormal(
            torch.zeros_like(v["scale"]),
            torch.ones_like(v["scale"]).unsqueeze(-1),
            10 * torch.ones_like(v["scale"]),
        )
        either = dist.MixtureSameFamily(
            dist.Categorical(torch.cat([v["weights"], 1 - v["weights"]])),
            dist.MultivariateNormal(
                torch.zeros(2, self.effects), scale_tril=torch.stack([prior.scale_tril, wide.scale_tril])
            ),
        )
        total = either.log_prob(v["effect"]).sum()
        total = total + dist.LKJCholesky(self.effects, 2.0).log_prob(v["corr"])
        total = total + dist.HalfCauchy(torch.ones_like(v["scale"])).log_prob(v["scale"]).sum()
        total = (
            total
            + dist.Beta(2.0, 2.0).log_prob(v["weights"]).sum()
            + dist.InverseGamma(2.0, 1.0).log_prob(v["rate"])
        )
        level = (v["effect"][group] * x).sum(-1)
        total = total + dist.NegativeBinomial(v["count"], logits=level).log_prob(y).sum()
        total = total + dist.Weibull((0.2 * level).exp() / v["rate"], v["shape"]).log_prob(lifetime).sum()
        return -total / len(y)


def main(steps=50):
    torch.manual_seed(1)
    n, groups, effects = 90, 6, 3
    x = torch.cat([torch.ones(n, 1), torch.randn(n, effects - 1)], -1)
    group = torch.arange(n) % groups
    level = 0.5 + 0.3 * x[:, 1] - 0.2 * (group % 3)
    y = (level.exp() * (0.5 + torch.rand(n))).floor()
    lifetime = 0.1 + (0.2 * level).exp() * torch.rand(n)
    model = Posterior(groups, effects)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = model(x, group, y, lifetime)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    found = model.constrained()
    losses.append(dist.kl_divergence(dist.Gamma(found["count"], found["rate"]), dist.Gamma(1.0, 1.0)).item())
    return losses


if __name__ == "__main__":
    print(main()[::10])
