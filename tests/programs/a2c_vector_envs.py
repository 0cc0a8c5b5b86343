"""Advantage actor-critic over environments in one batch: a recurrent policy with resets, two action heads, entropy."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.distributions import Categorical, Independent, Normal


class Corridors:
    """Agents in corridors: step left, stay or right, and push by a real number; the goal is the far end, unseen at first."""

    def __init__(self, count, length=6):
        self.count, self.length = count, length
        self.place = torch.zeros(count, dtype=torch.long)
        self.goal = torch.zeros(count, dtype=torch.long)
        self.age = torch.zeros(count, dtype=torch.long)
        self.reset(torch.ones(count, dtype=torch.bool))

    def reset(self, which):
        fresh = torch.randint(0, 2, (self.count,)) * (self.length - 1)
        self.goal = torch.where(which, fresh, self.goal)
        self.place.masked_fill_(which, self.length // 2)
        self.age[which] = 0

    def observe(self):
        hint = torch.where(self.age == 0, (self.goal > 0).long() * 2 - 1, 0)
        return torch.cat((F.one_hot(self.place, self.length), hint.unsqueeze(1)), 1).to(torch.get_default_dtype())

    def step(self, move, push):
        self.place = (self.place + move - 1).clamp_(0, self.length - 1)
        self.age += 1
        reached = self.place == self.goal
        reward = reached.to(push.dtype) - 0.05 - 0.1 * (push - 0.5).square().squeeze(-1)
        done = reached | (self.age >= 8)
        self.reset(done)
        return self.observe(), reward, done


class Policy(nn.Module):
    def __init__(self, n_in, hidden=24):
        super().__init__()
        self.look = nn.Linear(n_in, hidden)
        self.cell = nn.GRUCell(hidden, hidden)
        self.heads = nn.ModuleDict(
            {"move": nn.Linear(hidden, 3), "push": nn.Linear(hidden, 1), "value": nn.Linear(hidden, 1)}
        )
        self.log_std = nn.Parameter(torch.full((1,), -0.5))
        for m in self.modules():
            if isinstance(m, nn.Linear):
                nn.init.eye_(m.weight)
                m.weight.data.mul_(0.5)
                nn.init.zeros_(m.bias)
        nn.init.constant_(self.heads["move"].weight, 0.01)

    def forward(self, x, state):
        state = self.cell(torch.tanh(self.look(x)), state)
        move = Categorical(logits=self.heads["move"](state))
        push = Independent(Normal(torch.tanh(self.heads["push"](state)), self.log_std.exp()), 1)
        return move, push, self.heads["value"](state).squeeze(-1), state


def advantages(rewards, values, dones, last, gamma=0.95, lam=0.9):
    found, carried, following = torch.zeros_like(rewards), 0.0, last
    for t in reversed(range(len(rewards))):
        alive = (~dones[t]).to(rewards.dtype)
        delta = rewards[t] + gamma * following * alive - values[t]
        carried = delta + gamma * lam * alive * carried
        found[t], following = carried, values[t]
    return found


def main(steps=50):
    torch.manual_seed(0)
    envs = Corridors(12)
    policy = Policy(7)
    optimizer = torch.optim.RMSprop(policy.parameters(), lr=3e-3, eps=1e-3, alpha=0.99)
    state, seen = torch.zeros(envs.count, 24), envs.observe()
    losses = []
    for _ in range(steps):
        record = {k: [] for k in ("log_prob", "value", "reward", "done", "entropy")}
        state = state.detach()
        for _ in range(6):
            move, push, value, state = policy(seen, state)
            action, force = move.sample(), push.sample()
            seen, reward, done = envs.step(action, force)
            state = state * (~done).unsqueeze(1)
            joint = move.log_prob(action) + push.log_prob(force)
            entropy = move.entropy() + push.entropy()
            for key, item in zip(record, (joint, value, reward, done, entropy)):
                record[key].append(item)
        log_prob, value, reward, done, entropy = (torch.stack(v) for v in record.values())
        with torch.no_grad():
            last = policy(seen, state)[2]
            gain = advantages(reward, value, done, last)
            target = gain + value
            gain = gain / (gain.std() + 1e-2)
        loss = -(log_prob * gain).mean() + 0.5 * F.huber_loss(value, target) - 0.01 * entropy.mean()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(policy.parameters(), 0.5, norm_type=float("inf"))
        optimizer.step()
        losses.append(loss.item())
    return losses


if __name__ == "__main__":
    print(main()[-1])
