"""Word vectors by skip-grams with negative samples: bmm of embeddings, logsigmoid, nearest neighbours."""

import torch
import torch.nn as nn
import torch.nn.functional as F


class SkipGramNeg(nn.Module):
    def __init__(self, n_vocab, n_embed, noise_dist=None):
        super().__init__()
        self.n_vocab = n_vocab
        self.in_embed, self.out_embed = nn.Embedding(n_vocab, n_embed), nn.Embedding(n_vocab, n_embed)
        self.in_embed.weight.data.uniform_(-1, 1)
        self.out_embed.weight.data.uniform_(-1, 1)
        self.noise_dist = torch.ones(n_vocab) if noise_dist is None else noise_dist

    def forward_noise(self, batch_size, n_samples):
        words = torch.multinomial(self.noise_dist, batch_size * n_samples, replacement=True)
        return self.out_embed(words).view(batch_size, n_samples, -1)


class NegativeSamplingLoss(nn.Module):
    def forward(self, input_vectors, output_vectors, noise_vectors):
        batch_size, embed_size = input_vectors.shape
        input_vectors = input_vectors.view(batch_size, embed_size, 1)
        output_vectors = output_vectors.view(batch_size, 1, embed_size)
        out_loss = torch.bmm(output_vectors, input_vectors).sigmoid().log()
        out_loss = out_loss.squeeze()
        noise_loss = torch.bmm(noise_vectors.neg(), input_vectors).sigmoid().log()
        noise_loss = noise_loss.squeeze().sum(1)
        return -(out_loss + noise_loss).mean()


def main(steps=50):
    torch.manual_seed(0)
    words = "the quick brown fox jumps over the lazy dog and the slow red fox sleeps under the old tree".split()
    vocab = sorted(set(words))
    ids = torch.tensor([vocab.index(w) for w in words])
    counts = torch.bincount(ids, minlength=len(vocab)).to(torch.get_default_dtype())
    noise = counts.pow(0.75)
    model = SkipGramNeg(len(vocab), 8, noise / noise.sum())
    optimizer = torch.optim.Adam(model.parameters(), lr=0.03)
    criterion = NegativeSamplingLoss()
    losses = []
    for _ in range(steps):
        at = torch.randint(2, len(ids) - 2, (16,))
        context = at + torch.tensor([-2, -1, 1, 2])[torch.randint(0, 4, (16,))]
        inputs, targets = model.in_embed(ids[at]), model.out_embed(ids[context])
        loss = criterion(inputs, targets, model.forward_noise(16, 4))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    table = F.normalize(model.in_embed.weight.detach(), dim=-1)
    similar = (table @ table.t()).fill_diagonal_(-1).max(dim=1)
    return losses + similar.values.tolist() + similar.indices.add(1).tolist()


if __name__ == "__main__":
    print(main())
