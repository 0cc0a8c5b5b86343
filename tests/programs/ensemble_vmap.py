"""Ten networks trained at once: stack_module_state, functional_call and vmap over the models."""

import copy

import torch
from torch import nn
from torch.func import functional_call, stack_module_state


class MLP(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(3, 16), nn.GELU(), nn.LayerNorm(16), nn.Linear(16, 4))

    def forward(self, x):
        return self.net(x)


def main(steps=50, count=10):
    torch.manual_seed(0)
    models = [MLP() for _ in range(count)]
    params, buffers = stack_module_state(models)
    base = copy.deepcopy(models[0])
    optimizer = torch.optim.SGD(params.values(), lr=0.1, momentum=0.5)
    x = torch.randn(count, 20, 3)
    y = torch.randint(0, 4, (count, 20))

    def fmodel(params, buffers, x):
        return functional_call(base, (params, buffers), (x,))

    losses = []
    for _ in range(steps):
        logits = torch.vmap(fmodel)(params, buffers, x)
        each = torch.vmap(nn.functional.cross_entropy)(logits, y)
        optimizer.zero_grad()
        each.sum().backward()
        optimizer.step()
        losses += each.tolist()
    same = torch.vmap(fmodel, in_dims=(0, 0, None))(params, buffers, x[0])
    losses.append(same.var(dim=0).mean().item())
    return losses


if __name__ == "__main__":
    print(main())
