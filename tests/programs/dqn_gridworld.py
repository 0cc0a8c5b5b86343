"""Q-learning with a replay memory and a target network on a small grid: gather, masks, soft updates, Huber loss."""

import random
from collections import deque, namedtuple

import torch
import torch.nn as nn
import torch.optim as optim

Transition = namedtuple("Transition", ("state", "action", "next_state", "reward"))


class ReplayMemory:
    def __init__(self, capacity):
        self.memory = deque([], maxlen=capacity)

    def push(self, *args):
        self.memory.append(Transition(*args))

    def sample(self, rng, batch_size):
        return rng.sample(list(self.memory), batch_size)

    def __len__(self):
        return len(self.memory)


class DuelingDQN(nn.Module):
    def __init__(self, n_observations, n_actions):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(n_observations, 32), nn.ReLU())
        self.value, self.advantage = nn.Linear(32, 1), nn.Linear(32, n_actions)

    def forward(self, x):
        x = self.body(x)
        a = self.advantage(x)
        return self.value(x) + a - a.mean(dim=-1, keepdim=True)


def move(position, action):
    """A 4 x 4 grid with a goal in a corner; None when it is reached."""
    row, column = divmod(position, 4)
    row, column = (row + (action == 0) - (action == 1), column + (action == 2) - (action == 3))
    row, column = min(max(row, 0), 3), min(max(column, 0), 3)
    reached = (row, column) == (3, 3)
    return (None if reached else row * 4 + column), (1.0 if reached else -0.04)


def main(steps=50, batch_size=16, gamma=0.95, tau=0.05):
    rng = random.Random(0)
    torch.manual_seed(0)
    policy_net, target_net = DuelingDQN(16, 4), DuelingDQN(16, 4)
    target_net.load_state_dict(policy_net.state_dict())
    optimizer = optim.AdamW(policy_net.parameters(), lr=1e-3, amsgrad=True)
    memory, eye, position, losses = ReplayMemory(500), torch.eye(16), 0, []
    while len(losses) < steps:
        state = eye[position].unsqueeze(0)
        if rng.random() < 0.5:
            with torch.no_grad():
                action = policy_net(state).max(1).indices.view(1, 1)
        else:
            action = torch.tensor([[rng.randrange(4)]], dtype=torch.long)
        position, reward = move(position, action.item())
        next_state = None if position is None else eye[position].unsqueeze(0)
        memory.push(state, action, next_state, torch.tensor([reward]))
        position = 0 if position is None else position
        if len(memory) < batch_size:
            continue
        batch = Transition(*zip(*memory.sample(rng, batch_size)))
        non_final_mask = torch.tensor(tuple(map(lambda s: s is not None, batch.next_state)), dtype=torch.bool)
        non_final_next_states = torch.cat([s for s in batch.next_state if s is not None])
        state_batch, action_batch = torch.cat(batch.state), torch.cat(batch.action)
        reward_batch = torch.cat(batch.reward)
        q = policy_net(state_batch).gather(1, action_batch)
        next_values = torch.zeros(batch_size)
        with torch.no_grad():
            best = policy_net(non_final_next_states).argmax(1, keepdim=True)
            next_values[non_final_mask] = target_net(non_final_next_states).gather(1, best).squeeze(1)
        loss = nn.SmoothL1Loss()(q, (reward_batch + gamma * next_values).unsqueeze(1))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_value_(policy_net.parameters(), 100)
        optimizer.step()
        target, policy = target_net.state_dict(), policy_net.state_dict()
        for key in policy:
            target[key] = policy[key] * tau + target[key] * (1 - tau)
        target_net.load_state_dict(target)
        losses.append(loss.item())
    return losses


if __name__ == "__main__":
    print(main())
