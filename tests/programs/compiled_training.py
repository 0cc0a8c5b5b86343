"""torch.compile as programs use it: a compiled model, a compiled loss as a decorated function, options that are given."""

import torch
import torch.nn as nn
import torch.nn.functional as F


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(6, 24), nn.Linear(24, 3)
        self.norm = nn.LayerNorm(24)

    def forward(self, x):
        return self.fc2(torch.tanh(self.norm(self.fc1(x))))


@torch.compile
def focal(logits, target):
    logp = F.log_softmax(logits, dim=-1).gather(1, target.unsqueeze(1)).squeeze(1)
    return (-((1 - logp.exp()) ** 2) * logp).mean()


def main(steps=50):
    torch.manual_seed(0)
    model = Net()
    compiled = torch.compile(model, mode="reduce-overhead", fullgraph=False)
    optimizer = torch.optim.AdamW(compiled.parameters(), lr=1e-2)
    x, y = torch.randn(48, 6), torch.randint(0, 3, (48,))
    losses = []
    for step in range(steps):
        rows = slice(0, 48) if step % 3 else slice(0, 24)
        loss = focal(compiled(x[rows]), y[rows])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    model.eval()
    with torch.no_grad():
        losses.append(F.cross_entropy(compiled(x), y).item())
    return losses


if __name__ == "__main__":
    print(main())
