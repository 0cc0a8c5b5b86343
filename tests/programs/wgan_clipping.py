"""A Wasserstein GAN with clipped weights: RMSprop, several critic steps, backward with a gradient of one and minus one."""

import torch
import torch.nn as nn


class Critic(nn.Module):
    def __init__(self):
        super().__init__()
        self.main = nn.Sequential(nn.Linear(1, 24), nn.ELU(), nn.Linear(24, 24), nn.SELU(), nn.Linear(24, 1))

    def forward(self, x):
        return self.main(x).mean(0).view(1)


def main(steps=50):
    torch.manual_seed(0)
    generator = nn.Sequential(nn.Linear(2, 24), nn.Softplus(), nn.Linear(24, 1))
    critic = Critic()
    for net in (generator, critic):
        for m in net.modules():
            if type(m) == nn.Linear:  # noqa: E721
                m.weight.data.normal_(0.0, 0.2)
                m.bias.data.fill_(0)
    optimizer_c = torch.optim.RMSprop(critic.parameters(), lr=5e-4)
    optimizer_g = torch.optim.RMSprop(generator.parameters(), lr=5e-4, centered=True)
    one = torch.ones(1)
    mone = one * -1
    losses = []
    for step in range(steps):
        for p in critic.parameters():
            p.data.clamp_(-0.1, 0.1)
        critic.zero_grad()
        real = torch.randn(64, 1) * 0.5 + 3
        err_real = critic(real)
        err_real.backward(one)
        with torch.no_grad():
            fake = generator(torch.randn(64, 2))
        err_fake = critic(fake)
        err_fake.backward(mone)
        optimizer_c.step()
        losses.append((err_real - err_fake).item())
        if step % 3 == 0:
            generator.zero_grad()
            err_g = critic(generator(torch.randn(64, 2)))
            err_g.backward(one)
            optimizer_g.step()
            losses.append(err_g.item())
    return losses


if __name__ == "__main__":
    print(main())
