"""A small language model of the recent kind: RMSNorm, rotary positions, grouped queries, SwiGLU, a cache to write text."""

import torch
import torch.nn as nn
import torch.nn.functional as F


class RMSNorm(nn.Module):
    def __init__(self, dim, eps=1e-6):
        super().__init__()
        self.eps, self.weight = eps, nn.Parameter(torch.ones(dim))

    def forward(self, x):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.eps) * self.weight


def rotate_half(x):
    x1, x2 = x[..., : x.shape[-1] // 2], x[..., x.shape[-1] // 2 :]
    return torch.cat((-x2, x1), dim=-1)


def rope(x, start):
    half = x.shape[-1] // 2
    freqs = 1.0 / 100.0 ** (torch.arange(0, half).to(x.dtype) / half)
    angles = torch.outer(torch.arange(start, start + x.shape[-2]).to(x.dtype), freqs)
    angles = torch.cat((angles, angles), dim=-1)
    return x * angles.cos() + rotate_half(x) * angles.sin()


class Attention(nn.Module):
    def __init__(self, dim, heads, kv_heads):
        super().__init__()
        self.heads, self.kv_heads, self.head_dim = heads, kv_heads, dim // heads
        self.wq = nn.Linear(dim, dim, bias=False)
        self.wk = nn.Linear(dim, kv_heads * self.head_dim, bias=False)
        self.wv = nn.Linear(dim, kv_heads * self.head_dim, bias=False)
        self.wo = nn.Linear(dim, dim, bias=False)

    def forward(self, x, cache=None):
        b, t, _ = x.shape
        q = self.wq(x).unflatten(-1, (self.heads, self.head_dim)).transpose(1, 2)
        k = self.wk(x).unflatten(-1, (self.kv_heads, self.head_dim)).transpose(1, 2)
        v = self.wv(x).unflatten(-1, (self.kv_heads, self.head_dim)).transpose(1, 2)
        start = 0 if not cache else cache["k"].shape[2]
        q, k = rope(q, start), rope(k, start)
        if cache is not None:
            k = torch.cat([cache["k"], k], dim=2) if cache else k
            v = torch.cat([cache["v"], v], dim=2) if cache else v
            cache.update(k=k, v=v)
        repeat = self.heads // self.kv_heads
        k, v = k.repeat_interleave(repeat, dim=1), v.repeat_interleave(repeat, dim=1)
        mask = torch.ones(t, k.shape[2], dtype=torch.bool).tril(diagonal=k.shape[2] - t)
        out = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        return self.wo(out.transpose(1, 2).reshape(b, t, -1))


class Block(nn.Module):
    def __init__(self, dim, heads, kv_heads):
        super().__init__()
        self.attention, self.norm1, self.norm2 = Attention(dim, heads, kv_heads), RMSNorm(dim), RMSNorm(dim)
        self.w1, self.w2, self.w3 = (
            nn.Linear(*s, bias=False) for s in ((dim, 2 * dim), (2 * dim, dim), (dim, 2 * dim))
        )

    def forward(self, x, cache=None):
        x = x + self.attention(self.norm1(x), cache)
        h = self.norm2(x)
        return x + self.w2(F.silu(self.w1(h)) * self.w3(h))


class Model(nn.Module):
    def __init__(self, vocab=12, dim=16, layers=2):
        super().__init__()
        self.embed = nn.Embedding(vocab, dim)
        self.blocks = nn.ModuleList([Block(dim, 4, 2) for _ in range(layers)])
        self.norm, self.out = RMSNorm(dim), nn.Linear(dim, vocab, bias=False)

    def forward(self, tokens, caches=None):
        x = self.embed(tokens)
        for i, block in enumerate(self.blocks):
            x = block(x, caches[i] if caches is not None else None)
        return self.out(self.norm(x))


def main(steps=50):
    torch.manual_seed(0)
    model = Model()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, betas=(0.9, 0.95))
    losses = []
    for _ in range(steps):
        start, stride = torch.randint(0, 12, (8, 1)), torch.randint(1, 4, (8, 1))
        tokens = (start + stride * torch.arange(11)) % 12
        logits = model(tokens[:, :-1])
        loss = F.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    model.eval()
    with torch.inference_mode():
        caches = [{} for _ in model.blocks]
        tokens = torch.tensor([[0, 2, 4, 6]])
        logits = model(tokens, caches)
        for _ in range(4):
            following = logits[:, -1:].argmax(-1)
            tokens = torch.cat([tokens, following], dim=1)
            logits = model(following, caches)
        whole = model(tokens)
        losses.append(1 + (whole[:, -1] - logits[:, -1]).abs().max().item())
    return losses + tokens.flatten().add(1).tolist()


if __name__ == "__main__":
    print(main())
