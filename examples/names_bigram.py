"""Given names letter by letter: a table of logits learned by hand-written gradient descent on one-hot rows."""

import torch
import torch.nn.functional as F
from example_data import given_names


def main(steps=100, log=False):
    words = given_names()[:300]
    chars = sorted(set("".join(words)))
    stoi = {s: i + 1 for i, s in enumerate(chars)}
    stoi["."] = 0
    itos = {i: s for s, i in stoi.items()}
    counts = torch.zeros((27, 27), dtype=torch.int32)
    xs, ys = [], []
    for w in words:
        chs = ["."] + list(w) + ["."]
        for ch1, ch2 in zip(chs, chs[1:]):
            xs.append(stoi[ch1])
            ys.append(stoi[ch2])
            counts[stoi[ch1], stoi[ch2]] += 1
    xs, ys = torch.tensor(xs), torch.tensor(ys)
    num = xs.nelement()

    g = torch.Generator().manual_seed(2147483647)
    W = torch.randn((27, 27), generator=g, requires_grad=True)
    xenc = F.one_hot(xs, num_classes=27).float()
    losses = []
    for _ in range(steps):
        logits = xenc @ W
        counts_ = logits.exp()
        probs = counts_ / counts_.sum(1, keepdims=True)
        loss = -probs[torch.arange(num), ys].log().mean() + 0.01 * (W**2).mean()
        W.grad = None
        loss.backward()
        W.data += -50 * W.grad
        losses.append(loss.item())
    P = (counts + 1).float()
    P /= P.sum(1, keepdim=True)
    losses.append(-P[xs, ys].log().mean().item())
    if log:
        print(f"learned: {losses[-2]:.4f}, counted: {losses[-1]:.4f}")
        for _ in range(5):
            out, ix = [], 0
            while True:
                p = torch.softmax(W[ix], dim=0)
                ix = torch.multinomial(p, num_samples=1, replacement=True, generator=g).item()
                out.append(itos[ix])
                if ix == 0:
                    break
            print("".join(out))
    return losses


if __name__ == "__main__":
    main(log=True)
