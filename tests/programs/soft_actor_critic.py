"""Soft actor-critic on a double integrator: squashed Gaussians, twin critics, moving targets, a tuned temperature."""

import copy

import torch
import torch.distributions as D
import torch.nn as nn
import torch.nn.functional as F


class Actor(nn.Module):
    def __init__(self, size=24):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(2, size), nn.ReLU(), nn.Linear(size, 2))

    def forward(self, state):
        mean, log_scale = self.body(state).chunk(2, dim=-1)
        scale = log_scale.clamp(-4, 1).exp()
        squashed = D.TransformedDistribution(D.Normal(mean, scale), [D.TanhTransform(cache_size=1)])
        action = squashed.rsample()
        return action, squashed.log_prob(action).sum(-1)


class Twins(nn.Module):
    def __init__(self, size=24):
        super().__init__()
        self.critics = nn.ModuleList(
            nn.Sequential(nn.Linear(3, size), nn.LayerNorm(size), nn.ReLU(), nn.Linear(size, 1)) for _ in range(2)
        )

    def forward(self, state, action):
        both = torch.cat([state, action], dim=-1)
        return torch.stack([critic(both).squeeze(-1) for critic in self.critics])


class Replay:
    def __init__(self, size):
        self.rows, self.filled = torch.zeros(size, 6), 0

    def add(self, *parts):
        rows = torch.cat([p.reshape(len(p), -1) for p in parts], dim=1).detach()
        place = (torch.arange(len(rows)) + self.filled) % len(self.rows)
        self.rows[place] = rows
        self.filled += len(rows)

    def sample(self, count):
        rows = self.rows[torch.randint(min(self.filled, len(self.rows)), (count,))]
        return rows.split([2, 1, 1, 2], dim=1)


def environment(state, action):
    place, speed = state.unbind(-1)
    speed = 0.95 * speed + 0.3 * action.squeeze(-1)
    place = (place + 0.3 * speed).clamp(-3, 3)
    return torch.stack([place, speed], dim=-1), -(place**2) - 0.1 * speed**2 - 0.05 * action.squeeze(-1) ** 2


def main(steps=50):
    torch.manual_seed(0)
    actor, critics = Actor(), Twins()
    targets = copy.deepcopy(critics).requires_grad_(False)
    log_alpha = torch.zeros((), requires_grad=True)
    tune = torch.optim.Adam([log_alpha], lr=1e-2)
    actor_optimizer = torch.optim.Adam(actor.parameters(), lr=3e-3)
    critic_optimizer = torch.optim.Adam(critics.parameters(), lr=3e-3)
    replay, state, losses = Replay(400), torch.randn(8, 2), []
    for _ in range(steps):
        with torch.no_grad():
            action, _ = actor(state)
            following, reward = environment(state, action)
            replay.add(state, action, reward, following)
            state = torch.where(torch.rand(8, 1) < 0.05, torch.randn(8, 2), following)
        before, action, reward, after = replay.sample(32)
        with torch.no_grad():
            next_action, log_prob = actor(after)
            value = targets(after, next_action).amin(0) - log_alpha.exp() * log_prob
            wanted = reward.squeeze(1) + 0.95 * value
        critic_loss = F.mse_loss(critics(before, action), wanted.expand(2, -1))
        critic_optimizer.zero_grad(set_to_none=True)
        critic_loss.backward()
        critic_optimizer.step()
        for p in critics.parameters():
            p.requires_grad_(False)
        chosen, log_prob = actor(before)
        actor_loss = (log_alpha.exp().detach() * log_prob - critics(before, chosen).amin(0)).mean()
        actor_optimizer.zero_grad(set_to_none=True)
        actor_loss.backward()
        actor_optimizer.step()
        for p in critics.parameters():
            p.requires_grad_(True)
        temperature_loss = -(log_alpha * (log_prob.detach() - 1.0)).mean()
        tune.zero_grad()
        temperature_loss.backward()
        tune.step()
        with torch.no_grad():
            for p, q in zip(targets.parameters(), critics.parameters()):
                p.lerp_(q, 0.05)
        losses.append(critic_loss.item() + actor_loss.item() ** 2)
    return losses


if __name__ == "__main__":
    print(main())
