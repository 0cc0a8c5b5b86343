"""A character-level LSTM on Shakespeare: truncated backpropagation through time with a state that is carried on."""

import torch
import torch.nn as nn
from example_data import shakespeare


class CharRNN(nn.Module):
    def __init__(self, ntoken, ninp, nhid, nlayers, dropout=0.0, tie_weights=True):
        super().__init__()
        self.drop = nn.Dropout(dropout)
        self.encoder = nn.Embedding(ntoken, ninp)
        self.rnn = nn.LSTM(ninp, nhid, nlayers, dropout=dropout)
        self.decoder = nn.Linear(nhid, ntoken)
        if tie_weights:
            self.decoder.weight = self.encoder.weight
        self.init_weights()
        self.nhid, self.nlayers = nhid, nlayers

    def init_weights(self):
        initrange = 0.1
        nn.init.uniform_(self.encoder.weight, -initrange, initrange)
        nn.init.zeros_(self.decoder.bias)

    def forward(self, input, hidden):
        emb = self.drop(self.encoder(input))
        output, hidden = self.rnn(emb, hidden)
        decoded = self.decoder(self.drop(output))
        return decoded.view(-1, decoded.size(-1)), hidden

    def init_hidden(self, bsz):
        weight = next(self.parameters())
        return (weight.new_zeros(self.nlayers, bsz, self.nhid), weight.new_zeros(self.nlayers, bsz, self.nhid))


def batchify(data, bsz):
    nbatch = data.size(0) // bsz
    data = data.narrow(0, 0, nbatch * bsz)
    return data.view(bsz, -1).t().contiguous()


def repackage_hidden(h):
    """Cuts hidden states from their history."""
    if isinstance(h, torch.Tensor):
        return h.detach()
    return tuple(repackage_hidden(v) for v in h)


def main(steps=200, bptt=16, log=False):
    torch.manual_seed(1111)
    text = shakespeare()[:20000]
    vocab = {c: i for i, c in enumerate(sorted(set(text)))}
    source = batchify(torch.LongTensor([vocab[c] for c in text]), 8)
    model = CharRNN(len(vocab), 32, 32, 2)
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=2.0)
    hidden = model.init_hidden(8)
    model.train()
    losses = []
    for i in range(0, steps * bptt, bptt):
        i = i % (len(source) - 1 - bptt)
        data, targets = source[i : i + bptt], source[i + 1 : i + 1 + bptt].reshape(-1)
        model.zero_grad()
        hidden = repackage_hidden(hidden)
        output, hidden = model(data, hidden)
        loss = criterion(output, targets)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 0.25)
        optimizer.step()
        losses.append(loss.item())
    if log:
        print(f"loss {losses[0]:.3f} -> {losses[-1]:.3f}, perplexity {2.718281828 ** losses[-1]:.1f}")
    return losses


if __name__ == "__main__":
    main(log=True)
