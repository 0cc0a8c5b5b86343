"""TD3: a deterministic policy with twin critics, smoothed targets, delayed updates and a replay buffer."""

import collections
import copy
import math
import random

import torch
import torch.nn as nn
import torch.nn.functional as F

Transition = collections.namedtuple("Transition", "state action reward after done")


def network(inputs, outputs, *end):
    layers = [nn.Linear(inputs, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, outputs), *end]
    for layer in layers:
        if isinstance(layer, nn.Linear):
            nn.init.orthogonal_(layer.weight, gain=nn.init.calculate_gain("relu"))
            nn.init.constant_(layer.bias, 0.0)
    return nn.Sequential(*layers)


class Critic(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = network(4, 1), network(4, 1)

    def forward(self, state, action):
        both = torch.cat([state, action], dim=1)
        return self.first(both), self.second(both)


class Pendulum:
    """A pendulum that is to be swung up: cosine, sine and speed of its angle."""

    def __init__(self):
        self.reset()

    def reset(self):
        self.angle, self.speed = math.pi * (2 * torch.rand(1).item() - 1), 2 * torch.rand(1).item() - 1
        return self.state()

    def state(self):
        return torch.tensor([math.cos(self.angle), math.sin(self.angle), self.speed])

    def step(self, action):
        torque = 2 * action.item()
        around = (self.angle + math.pi) % (2 * math.pi) - math.pi
        reward = -(around**2 + 0.1 * self.speed**2 + 0.001 * torque**2)
        self.speed = max(-8.0, min(8.0, self.speed + 0.05 * (15 * math.sin(self.angle) + 3 * torque)))
        self.angle += 0.05 * self.speed
        return self.state(), reward


class Replay:
    def __init__(self, size):
        self.memory = collections.deque(maxlen=size)
        self.random = random.Random(0)

    def sample(self, count):
        rows = self.random.sample(list(self.memory), count)
        return Transition(*(torch.stack(part) for part in zip(*rows)))


def follow(target, source, tau=0.01):
    for p, q in zip(target.parameters(), source.parameters()):
        p.data.copy_(tau * q.data + (1 - tau) * p.data)


def main(steps=50):
    torch.manual_seed(0)
    actor, critic = network(3, 1, nn.Tanh()), Critic()
    actor_target, critic_target = copy.deepcopy(actor), copy.deepcopy(critic)
    actor_optimizer = torch.optim.Adam(actor.parameters(), lr=1e-3)
    critic_optimizer = torch.optim.Adam(critic.parameters(), lr=1e-3)
    replay, world = Replay(500), Pendulum()
    state, losses = world.reset(), []
    for step in range(steps + 40):
        with torch.no_grad():
            action = (actor(state) + 0.3 * torch.randn(1)).clamp(-1, 1)
        after, reward = world.step(action)
        done = step % 30 == 29
        replay.memory.append(Transition(state, action, torch.tensor([reward]), after, torch.tensor([float(done)])))
        state = world.reset() if done else after
        if step < 40:
            continue
        batch = replay.sample(32)
        with torch.no_grad():
            noise = torch.randn_like(batch.action).mul(0.2).clamp_(-0.5, 0.5)
            chosen = (actor_target(batch.after) + noise).clamp(-1, 1)
            wanted = batch.reward + 0.98 * (1 - batch.done) * torch.min(*critic_target(batch.after, chosen))
        first, second = critic(batch.state, batch.action)
        loss = F.mse_loss(first, wanted) + F.mse_loss(second, wanted)
        critic_optimizer.zero_grad()
        loss.backward()
        critic_optimizer.step()
        if step % 2 == 0:
            policy_loss = -critic.first(torch.cat([batch.state, actor(batch.state)], dim=1)).mean()
            actor_optimizer.zero_grad()
            policy_loss.backward()
            actor_optimizer.step()
            follow(actor_target, actor)
            follow(critic_target, critic)
        losses.append(loss.item())
    return losses


if __name__ == "__main__":
    print(main()[-1])
