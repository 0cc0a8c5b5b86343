"""A variational autoencoder: reparametrization, binary cross entropy, KL divergence, samples at the end."""

import torch
from example_data import mnist
from torch import nn, optim
from torch.nn import functional as F


class VAE(nn.Module):
    def __init__(self, latent=8):
        super().__init__()
        self.fc1 = nn.Linear(784, 100)
        self.fc21 = nn.Linear(100, latent)
        self.fc22 = nn.Linear(100, latent)
        self.fc3 = nn.Linear(latent, 100)
        self.fc4 = nn.Linear(100, 784)

    def encode(self, x):
        h1 = F.relu(self.fc1(x))
        return self.fc21(h1), self.fc22(h1)

    def reparameterize(self, mu, logvar):
        std = torch.exp(0.5 * logvar)
        eps = torch.randn_like(std)
        return mu + eps * std

    def decode(self, z):
        return torch.sigmoid(self.fc4(F.relu(self.fc3(z))))

    def forward(self, x):
        mu, logvar = self.encode(x.view(-1, 784))
        return self.decode(self.reparameterize(mu, logvar)), mu, logvar


def loss_function(recon_x, x, mu, logvar):
    bce = F.binary_cross_entropy(recon_x, x.view(-1, 784), reduction="sum")
    kld = -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())
    return bce + kld


def main(steps=200, batch=32, log=False):
    torch.manual_seed(1)
    images, _ = mnist(1000)
    data = torch.tensor(images).float() / 255
    model = VAE()
    optimizer = optim.Adam(model.parameters(), lr=1e-3)
    losses = []
    for step in range(steps):
        x = data[torch.randint(0, len(data), (batch,))]
        optimizer.zero_grad()
        recon_batch, mu, logvar = model(x)
        loss = loss_function(recon_batch, x, mu, logvar)
        loss.backward()
        optimizer.step()
        losses.append(loss.item() / len(x))
    if log:
        print(f"loss of an image: {losses[0]:.1f} -> {losses[-1]:.1f}")
        with torch.no_grad():
            sample = model.decode(torch.randn(1, 8)).cpu().view(28, 28)
        for row in sample[::2]:
            print("".join(" .:*#"[min(4, int(value * 5))] for value in row))
    return losses


if __name__ == "__main__":
    main(steps=1000, log=True)
