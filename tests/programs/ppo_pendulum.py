"""Proximal policy optimization on a pendulum: Normal policy, generalized advantages, clipped ratios, value loss."""

import math

import torch
import torch.nn as nn
from torch.distributions.normal import Normal


def layer_init(layer, std=2**0.5, bias_const=0.0):
    torch.nn.init.orthogonal_(layer.weight, std)
    torch.nn.init.constant_(layer.bias, bias_const)
    return layer


class Agent(nn.Module):
    def __init__(self):
        super().__init__()
        self.critic = nn.Sequential(layer_init(nn.Linear(3, 16)), nn.Tanh(), layer_init(nn.Linear(16, 1), std=1.0))
        self.actor_mean = nn.Sequential(
            layer_init(nn.Linear(3, 16)), nn.Tanh(), layer_init(nn.Linear(16, 1), std=0.01)
        )
        self.actor_logstd = nn.Parameter(torch.zeros(1, 1))

    def get_value(self, x):
        return self.critic(x)

    def get_action_and_value(self, x, action=None):
        mean = self.actor_mean(x)
        std = torch.exp(self.actor_logstd.expand_as(mean))
        probs = Normal(mean, std)
        if action is None:
            action = probs.sample()
        return action, probs.log_prob(action).sum(1), probs.entropy().sum(1), self.critic(x)


def observe(theta, omega):
    return torch.stack([theta.cos(), theta.sin(), omega / 8], dim=-1)


def main(steps=50):
    torch.manual_seed(1)
    envs, horizon, gamma, lam, clip_coef = 4, 8, 0.99, 0.95, 0.2
    agent = Agent()
    optimizer = torch.optim.Adam(agent.parameters(), lr=3e-3, eps=1e-5)
    theta, omega = torch.linspace(-3, 3, envs), torch.zeros(envs)
    losses = []
    while len(losses) < steps:
        obs, actions, logprobs, rewards, values = [], [], [], [], []
        for _ in range(horizon):
            with torch.no_grad():
                o = observe(theta, omega)
                action, logprob, _, value = agent.get_action_and_value(o)
            torque = torch.clamp(action.squeeze(-1), -2.0, 2.0)
            reward = -(torch.remainder(theta + math.pi, 2 * math.pi).sub(math.pi) ** 2 + 0.1 * omega**2)
            omega = (omega + (15 * torch.sin(theta) + 3 * torque) * 0.05).clip(-8, 8)
            theta = theta + omega * 0.05
            for store, item in zip((obs, actions, logprobs, rewards, values), (o, action, logprob, reward, value)):
                store.append(item)
        with torch.no_grad():
            next_value = agent.get_value(observe(theta, omega)).flatten()
            values_t, rewards_t = torch.stack(values).squeeze(-1), torch.stack(rewards) / 10
            advantages, lastgaelam = torch.zeros_like(rewards_t), 0
            for t in reversed(range(horizon)):
                nextvalues = next_value if t == horizon - 1 else values_t[t + 1]
                delta = rewards_t[t] + gamma * nextvalues - values_t[t]
                advantages[t] = lastgaelam = delta + gamma * lam * lastgaelam
            returns = advantages + values_t
        b_obs, b_actions = torch.cat(obs), torch.cat(actions)
        b_logprobs, b_adv, b_ret = torch.cat(logprobs), advantages.view(-1), returns.view(-1)
        for _ in range(2):
            for inds in torch.randperm(horizon * envs).chunk(2):
                _, newlogprob, entropy, newvalue = agent.get_action_and_value(b_obs[inds], b_actions[inds])
                ratio = (newlogprob - b_logprobs[inds]).exp()
                adv = b_adv[inds]
                adv = (adv - adv.mean()) / (adv.std() + 1e-8)
                pg_loss = torch.max(-adv * ratio, -adv * torch.clamp(ratio, 1 - clip_coef, 1 + clip_coef)).mean()
                v_loss = 0.5 * ((newvalue.view(-1) - b_ret[inds]) ** 2).mean()
                loss = pg_loss - 0.001 * entropy.mean() + v_loss * 0.5
                optimizer.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(agent.parameters(), 0.5)
                optimizer.step()
                losses.append(loss.item())
    return losses


if __name__ == "__main__":
    print(main())
