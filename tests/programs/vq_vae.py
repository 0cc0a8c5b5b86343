"""A vector-quantized autoencoder: nearest codes, straight-through gradients, a codebook kept by moving averages."""

import torch
import torch.nn as nn
import torch.nn.functional as F


class VectorQuantizerEMA(nn.Module):
    def __init__(self, num_embeddings, embedding_dim, commitment_cost=0.25, decay=0.9, epsilon=1e-5):
        super(VectorQuantizerEMA, self).__init__()
        self._embedding = nn.Embedding(num_embeddings, embedding_dim)
        self._embedding.weight.data.normal_()
        self._embedding.weight.requires_grad = False
        self.register_buffer("_ema_cluster_size", torch.zeros(num_embeddings))
        self._ema_w = nn.Parameter(torch.Tensor(num_embeddings, embedding_dim))
        self._ema_w.data.normal_()
        self._cost, self._decay, self._eps, self._n = commitment_cost, decay, epsilon, num_embeddings

    def forward(self, inputs):
        inputs = inputs.permute(0, 2, 3, 1).contiguous()
        input_shape = inputs.shape
        flat_input = inputs.view(-1, input_shape[-1])
        weight = self._embedding.weight
        distances = (
            torch.sum(flat_input**2, dim=1, keepdim=True)
            + torch.sum(weight**2, dim=1)
            - 2 * torch.matmul(flat_input, weight.t())
        )
        encoding_indices = torch.argmin(distances, dim=1).unsqueeze(1)
        encodings = torch.zeros(encoding_indices.shape[0], self._n)
        encodings.scatter_(1, encoding_indices, 1)
        quantized = torch.matmul(encodings, weight).view(input_shape)
        if self.training:
            self._ema_cluster_size = self._ema_cluster_size * self._decay + (1 - self._decay) * torch.sum(
                encodings, 0
            )
            n = torch.sum(self._ema_cluster_size.data)
            self._ema_cluster_size = (self._ema_cluster_size + self._eps) / (n + self._n * self._eps) * n
            dw = torch.matmul(encodings.t(), flat_input)
            self._ema_w = nn.Parameter(self._ema_w * self._decay + (1 - self._decay) * dw)
            self._embedding.weight = nn.Parameter(
                self._ema_w / self._ema_cluster_size.unsqueeze(1), requires_grad=False
            )
        loss = self._cost * F.mse_loss(quantized.detach(), inputs)
        quantized = inputs + (quantized - inputs).detach()
        avg_probs = torch.mean(encodings, dim=0)
        perplexity = torch.exp(-torch.sum(avg_probs * torch.log(avg_probs + 1e-10)))
        return loss, quantized.permute(0, 3, 1, 2).contiguous(), perplexity


class Model(nn.Module):
    def __init__(self, d=4):
        super().__init__()
        self._encoder = nn.Sequential(nn.Conv2d(1, 8, 4, 2, 1), nn.ReLU(), nn.Conv2d(8, d, 3, padding="same"))
        self._vq = VectorQuantizerEMA(16, d)
        self._decoder = nn.Sequential(
            nn.Conv2d(d, 16, 3, padding=1), nn.PixelShuffle(2), nn.ReLU(), nn.Conv2d(4, 1, 1)
        )

    def forward(self, x):
        loss, quantized, perplexity = self._vq(self._encoder(x))
        return loss, self._decoder(quantized), perplexity


def main(steps=50):
    torch.manual_seed(0)
    grid = torch.stack(torch.meshgrid(torch.linspace(-1, 1, 8), torch.linspace(-1, 1, 8), indexing="ij"))
    center = torch.rand(24, 2, 1, 1) * 2 - 1
    data = torch.exp(-4 * (grid - center).pow(2).sum(1, keepdim=True))
    model = Model()
    optimizer = torch.optim.Adam(
        [p for p in model._encoder.parameters()] + list(model._decoder.parameters()), lr=3e-3
    )
    losses = []
    for _ in range(steps):
        batch = data[torch.randperm(24)[:8]]
        optimizer.zero_grad()
        vq_loss, recon, perplexity = model(batch)
        loss = F.mse_loss(recon, batch) / data.var() + vq_loss
        loss.backward()
        optimizer.step()
        losses += [loss.item(), perplexity.item()]
    return losses


if __name__ == "__main__":
    print(main())
