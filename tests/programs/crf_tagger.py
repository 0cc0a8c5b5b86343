"""Tagging words: a bidirectional LSTM under a conditional random field, the forward algorithm in logs, Viterbi decoding."""

import torch
import torch.nn as nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence

WORDS = "<pad> the a cat dog bird sees likes chases big small red runs sleeps".split()
TAGS = {"D": 0, "N": 1, "V": 2, "A": 3}
KINDS = [None, *"DDNNNVVVAAAVV"]


def sentences(n):
    """Phrases of determiner, adjectives, noun and verb."""
    found = []
    for _ in range(n):
        words = []
        for _ in range(1 + int(torch.randint(0, 2, (1,)))):
            words.append(1 + int(torch.randint(0, 2, (1,))))
            words += [9 + int(w) for w in torch.randint(0, 3, (int(torch.randint(0, 3, (1,))),))]
            words.append(3 + int(torch.randint(0, 3, (1,))))
            words.append(6 + int(torch.randint(0, 3, (1,))))
        found.append(torch.tensor(words))
    return found


class CRF(nn.Module):
    def __init__(self, tags):
        super().__init__()
        self.transitions = nn.Parameter(torch.empty(tags, tags))
        self.start = nn.Parameter(torch.zeros(tags))
        self.end = nn.Parameter(torch.zeros(tags))
        nn.init.uniform_(self.transitions, -0.1, 0.1)

    def score(self, emissions, tags, mask):
        picked = emissions.gather(2, tags.unsqueeze(2)).squeeze(2)
        moves = self.transitions[tags[:, :-1], tags[:, 1:]]
        last = tags.gather(1, mask.sum(1, keepdim=True) - 1).squeeze(1)
        return self.start[tags[:, 0]] + (picked * mask).sum(1) + (moves * mask[:, 1:]).sum(1) + self.end[last]

    def partition(self, emissions, mask):
        alpha = self.start + emissions[:, 0]
        for t in range(1, emissions.size(1)):
            step = torch.logsumexp(alpha.unsqueeze(2) + self.transitions, dim=1) + emissions[:, t]
            alpha = torch.where(mask[:, t, None], step, alpha)
        return torch.logsumexp(alpha + self.end, dim=1)

    def forward(self, emissions, tags, mask):
        return (self.partition(emissions, mask) - self.score(emissions, tags, mask)).mean()

    @torch.no_grad()
    def decode(self, emissions, mask):
        best, back = self.start + emissions[:, 0], []
        for t in range(1, emissions.size(1)):
            step, origin = (best.unsqueeze(2) + self.transitions).max(dim=1)
            same = torch.arange(best.size(1)).expand_as(origin)
            back.append(torch.where(mask[:, t, None], origin, same))
            best = torch.where(mask[:, t, None], step + emissions[:, t], best)
        tag = (best + self.end).argmax(1)
        path = [tag]
        for origin in reversed(back):
            path.append(origin.gather(1, path[-1][:, None]).squeeze(1))
        return torch.stack(path[::-1], dim=1)


class Tagger(nn.Module):
    def __init__(self, dim=12, hidden=10):
        super().__init__()
        self.embedding = nn.Embedding(len(WORDS), dim, padding_idx=0)
        self.lstm = nn.LSTM(dim, hidden, batch_first=True, bidirectional=True)
        self.norm = nn.LayerNorm(2 * hidden)
        self.emit = nn.Linear(2 * hidden, len(TAGS))
        self.crf = CRF(len(TAGS))

    def emissions(self, words, lengths):
        packed = pack_padded_sequence(self.embedding(words), lengths, batch_first=True, enforce_sorted=False)
        out, _ = pad_packed_sequence(self.lstm(packed)[0], batch_first=True)
        return self.emit(self.norm(out))


def main(steps=50):
    torch.manual_seed(0)
    model = Tagger()
    optimizer = torch.optim.Adagrad(model.parameters(), lr=0.1, lr_decay=1e-3)
    kinds = torch.tensor([0, *[TAGS[k] for k in KINDS[1:]]])
    losses = []
    for _ in range(steps):
        group = sentences(8)
        lengths = torch.tensor([len(s) for s in group])
        words = pad_sequence(group, batch_first=True, padding_value=0)
        mask = words != 0
        tags = kinds[words]
        emissions = model.emissions(words, lengths)
        loss = model.crf(emissions, tags, mask)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        right = (model.crf.decode(emissions, mask) == tags)[mask].double().mean()
        assert 0 <= right <= 1
    losses.append(1 - right.item() + loss.item())
    return losses


if __name__ == "__main__":
    print(main()[-1])
