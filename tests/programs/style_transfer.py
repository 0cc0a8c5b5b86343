"""Painting by optimization: an image as the parameter, Gram matrices of fixed features, total variation, L-BFGS."""

import torch
import torch.nn as nn
import torch.nn.functional as F


def gram_matrix(input):
    a, b, c, d = input.size()
    features = input.view(a * b, c * d)
    G = torch.mm(features, features.t())
    return G.div(a * b * c * d)


class Normalization(nn.Module):
    def __init__(self, mean, std):
        super().__init__()
        self.mean = torch.as_tensor(mean).view(-1, 1, 1)
        self.std = torch.as_tensor(std).view(-1, 1, 1)

    def forward(self, img):
        return (img - self.mean) / self.std


def total_variation(x):
    return (x[..., 1:, :] - x[..., :-1, :]).abs().mean() + (x[..., 1:] - x[..., :-1]).abs().mean()


def main(steps=50):
    torch.manual_seed(0)
    cnn = nn.Sequential(
        Normalization([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
        nn.ReflectionPad2d(1),
        nn.Conv2d(3, 6, 3),
        nn.ReLU(inplace=False),
        nn.AvgPool2d(2, 2),
        nn.ReplicationPad2d((1, 1, 1, 1)),
        nn.Conv2d(6, 8, 3, dilation=1),
        nn.LeakyReLU(0.1),
    ).eval()
    cnn.requires_grad_(False)
    content, style = torch.rand(1, 3, 12, 12), F.interpolate(torch.rand(1, 3, 4, 4), size=(12, 12), mode="bicubic")
    content_target = cnn(content).detach()
    style_targets = [gram_matrix(cnn[: i + 1](style)) for i in (3, 7)]
    image = content.clone()
    image.requires_grad_(True)
    optimizer = torch.optim.LBFGS([image], lr=0.5, max_iter=5)
    losses, run = [], [0]
    while run[0] < steps:

        def closure():
            with torch.no_grad():
                image.clamp_(0, 1)
            optimizer.zero_grad()
            x, style_loss = image, 0
            for i, layer in enumerate(cnn):
                x = layer(x)
                if i in (3, 7):
                    style_loss = style_loss + F.mse_loss(gram_matrix(x), style_targets[0 if i == 3 else 1])
            loss = 1e3 * style_loss + F.mse_loss(x, content_target) + 0.01 * total_variation(image)
            loss.backward()
            run[0] += 1
            losses.append(loss.item())
            return loss

        optimizer.step(closure)
    return losses[:steps]


if __name__ == "__main__":
    print(main())
