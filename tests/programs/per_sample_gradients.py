"""Differentially private descent: a gradient of every sample by vmap of grad, clipped one by one, noise added."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.func import functional_call, grad, grad_and_value, vmap


class SimpleCNN(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 4, 3, 1)
        self.conv2 = nn.Conv2d(4, 4, 3, 2)
        self.fc = nn.Linear(4 * 2 * 2, 3)

    def forward(self, x):
        x = F.relu(self.conv1(x))
        x = F.relu(self.conv2(x))
        return F.log_softmax(self.fc(torch.flatten(x, 1)), dim=1)


def main(steps=50, clip=0.5, noise=0.05, lr=0.2):
    torch.manual_seed(0)
    model = SimpleCNN()
    params = {k: v.detach() for k, v in model.named_parameters()}
    buffers = {k: v.detach() for k, v in model.named_buffers()}
    images, targets = torch.randn(12, 1, 8, 8), torch.randint(0, 3, (12,))

    def compute_loss(params, buffers, sample, target):
        predictions = functional_call(model, (params, buffers), (sample.unsqueeze(0),))
        return F.nll_loss(predictions, target.unsqueeze(0))

    ft_compute_sample_grad = vmap(grad_and_value(compute_loss), in_dims=(None, None, 0, 0))
    losses = []
    for _ in range(steps):
        grads, values = ft_compute_sample_grad(params, buffers, images, targets)
        norms = torch.stack([g.flatten(1).norm(dim=1) for g in grads.values()], dim=1).norm(dim=1)
        factor = (clip / (norms + 1e-6)).clamp(max=1.0)
        for name, g in grads.items():
            g = torch.einsum("n,n...->...", factor, g) / len(images)
            params[name] = params[name] - lr * (g + noise * clip * torch.randn_like(g) / len(images))
        losses.append(values.mean().item())
        losses.append(norms.max().item())
    one = grad(compute_loss)(params, buffers, images[3], targets[3])
    many = vmap(grad(compute_loss), in_dims=(None, None, 0, 0))(params, buffers, images, targets)
    assert all(torch.allclose(one[k], many[k][3], atol=1e-5) for k in one)
    return losses


if __name__ == "__main__":
    print(main())
