"""Hooks of all kinds: on modules before and after, on gradients, on tensors; statistics of activations on the way."""

import torch
import torch.nn as nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.ModuleList([nn.Linear(6, 12), nn.Linear(12, 12)])
        self.norm = nn.LayerNorm(12)
        self.head = nn.Linear(12, 3)

    def forward(self, x, scale=1.0):
        for layer in self.features:
            x = torch.relu(layer(x)) * scale
        return self.head(self.norm(x))


def main(steps=50):
    torch.manual_seed(0)
    model = Net()
    activations, seen = {}, []

    def get_activation(name):
        def hook(model, input, output):
            activations[name] = output.detach()

        return hook

    handles = [layer.register_forward_hook(get_activation(name)) for name, layer in model.named_modules() if name]
    model.head.register_forward_pre_hook(lambda module, args: (args[0] * 1.1,))
    model.register_forward_pre_hook(lambda module, args, kwargs: (args, {**kwargs, "scale": 0.9}), with_kwargs=True)
    model.norm.register_full_backward_hook(lambda m, gi, go: (gi[0].clamp(-0.02, 0.02),))
    model.head.register_full_backward_pre_hook(lambda m, go: tuple(g * 2 for g in go))
    model.head.weight.register_hook(lambda grad: grad / (grad.norm() + 1e-3))
    for p in model.features[0].parameters():
        p.register_post_accumulate_grad_hook(lambda p: seen.append(p.grad.norm().item()))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    optimizer.register_step_post_hook(lambda opt, args, kwargs: seen.append(float(len(opt.param_groups))))
    x, y = torch.randn(32, 6), torch.randint(0, 3, (32,))
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        hidden = model(x)
        hidden.retain_grad()
        loss = nn.functional.cross_entropy(hidden, y, weight=torch.tensor([1.0, 2.0, 0.5]))
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        losses.append(hidden.grad.abs().sum().item())
    losses += seen[:30] + [a.std().item() for a in activations.values()]
    for handle in handles:
        handle.remove()
    activations.clear()
    model(x)
    assert not activations and sorted(dict(model.named_parameters())) == sorted(model.state_dict())
    return losses


if __name__ == "__main__":
    print(main())
