"""A Wasserstein network with gradient penalty: the gradient of a gradient, through autograd.grad."""

import torch
import torch.autograd as autograd
import torch.nn as nn
from example_data import mnist
from torch.autograd import Variable

latent_dim, lambda_gp, n_critic = 16, 10, 5


class Generator(nn.Module):
    def __init__(self):
        super().__init__()

        def block(in_feat, out_feat, normalize=True):
            layers = [nn.Linear(in_feat, out_feat)]
            if normalize:
                layers.append(nn.BatchNorm1d(out_feat, 0.8))
            layers.append(nn.LeakyReLU(0.2, inplace=True))
            return layers

        self.model = nn.Sequential(
            *block(latent_dim, 32, normalize=False), *block(32, 64), nn.Linear(64, 196), nn.Tanh()
        )

    def forward(self, z):
        img = self.model(z)
        return img.view(img.shape[0], 1, 14, 14)


class Critic(nn.Module):
    def __init__(self):
        super().__init__()
        self.model = nn.Sequential(
            nn.Linear(196, 64),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Linear(64, 32),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Linear(32, 1),
        )

    def forward(self, img):
        return self.model(img.view(img.shape[0], -1))


def compute_gradient_penalty(D, real_samples, fake_samples):
    alpha = torch.rand((real_samples.size(0), 1, 1, 1))
    interpolates = (alpha * real_samples + ((1 - alpha) * fake_samples)).requires_grad_(True)
    d_interpolates = D(interpolates)
    fake = Variable(torch.ones_like(d_interpolates), requires_grad=False)
    gradients = autograd.grad(
        outputs=d_interpolates,
        inputs=interpolates,
        grad_outputs=fake,
        create_graph=True,
        retain_graph=True,
        only_inputs=True,
    )[0]
    gradients = gradients.view(gradients.size(0), -1)
    return ((gradients.norm(2, dim=1) - 1) ** 2).mean()


def main(steps=100, log=False):
    torch.manual_seed(3)
    images, _ = mnist(1000)
    data = torch.from_numpy(images[:, ::2, ::2].astype("float32")).float()[:, None] / 127.5 - 1
    generator, critic = Generator(), Critic()
    optimizer_G = torch.optim.Adam(generator.parameters(), lr=0.0002, betas=(0.5, 0.999))
    optimizer_D = torch.optim.Adam(critic.parameters(), lr=0.0002, betas=(0.5, 0.999))
    losses = []
    for step in range(steps):
        real_imgs = Variable(data[torch.randperm(len(data))[:16]])
        optimizer_D.zero_grad()
        z = torch.randn(real_imgs.shape[0], latent_dim)
        fake_imgs = generator(z)
        penalty = compute_gradient_penalty(critic, real_imgs.data, fake_imgs.data)
        d_loss = -torch.mean(critic(real_imgs)) + torch.mean(critic(fake_imgs)) + lambda_gp * penalty
        d_loss.backward()
        optimizer_D.step()
        losses.append(d_loss.item())
        if step % n_critic == 0:
            optimizer_G.zero_grad()
            g_loss = -torch.mean(critic(generator(z)))
            g_loss.backward()
            optimizer_G.step()
            losses.append(g_loss.item())
            if log:
                print(f"[{step}] D loss: {d_loss.item():.4f}, G loss: {g_loss.item():.4f}")
    return losses


if __name__ == "__main__":
    main(log=True)
