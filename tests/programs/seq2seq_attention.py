"""Translation of digit strings into reversed ones: GRU encoder and decoder, additive attention, teacher forcing."""

import random

import torch
import torch.nn as nn
import torch.nn.functional as F

SOS, EOS, DIGITS = 10, 11, 12


class EncoderRNN(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.embedding = nn.Embedding(input_size, hidden_size)
        self.gru = nn.GRU(hidden_size, hidden_size, batch_first=True)

    def forward(self, input):
        return self.gru(self.embedding(input))


class BahdanauAttention(nn.Module):
    def __init__(self, hidden_size):
        super().__init__()
        self.Wa, self.Ua = nn.Linear(hidden_size, hidden_size), nn.Linear(hidden_size, hidden_size)
        self.Va = nn.Linear(hidden_size, 1)

    def forward(self, query, keys):
        scores = self.Va(torch.tanh(self.Wa(query) + self.Ua(keys)))
        scores = scores.squeeze(2).unsqueeze(1)
        weights = F.softmax(scores, dim=-1)
        return torch.bmm(weights, keys), weights


class AttnDecoderRNN(nn.Module):
    def __init__(self, hidden_size, output_size):
        super().__init__()
        self.embedding = nn.Embedding(output_size, hidden_size)
        self.attention = BahdanauAttention(hidden_size)
        self.gru = nn.GRU(2 * hidden_size, hidden_size, batch_first=True)
        self.out = nn.Linear(hidden_size, output_size)

    def forward(self, encoder_outputs, encoder_hidden, target_tensor=None, length=6):
        batch_size = encoder_outputs.size(0)
        decoder_input = torch.empty(batch_size, 1, dtype=torch.long).fill_(SOS)
        decoder_hidden, outputs, attentions = encoder_hidden, [], []
        for i in range(length):
            query = decoder_hidden.permute(1, 0, 2)
            context, weights = self.attention(query, encoder_outputs)
            input_gru = torch.cat((self.embedding(decoder_input), context), dim=2)
            output, decoder_hidden = self.gru(input_gru, decoder_hidden)
            output = self.out(output)
            outputs.append(output)
            attentions.append(weights)
            if target_tensor is not None:
                decoder_input = target_tensor[:, i].unsqueeze(1)
            else:
                _, topi = output.topk(1)
                decoder_input = topi.squeeze(-1).detach()
        outputs = F.log_softmax(torch.cat(outputs, dim=1), dim=-1)
        return outputs, decoder_hidden, torch.cat(attentions, dim=1)


def main(steps=50):
    random.seed(0)
    torch.manual_seed(0)
    encoder, decoder = EncoderRNN(DIGITS, 16), AttnDecoderRNN(16, DIGITS)
    optimizers = [torch.optim.Adam(m.parameters(), lr=1e-2) for m in (encoder, decoder)]
    criterion = nn.NLLLoss()
    losses = []
    for _ in range(steps):
        digits = torch.tensor([[random.randrange(10) for _ in range(5)] for _ in range(8)])
        ends = torch.full((8, 1), EOS)
        source, target = torch.cat((digits, ends), 1), torch.cat((digits.flip(1), ends), 1)
        [o.zero_grad() for o in optimizers]
        encoder_outputs, encoder_hidden = encoder(source)
        forced = target if random.random() < 0.7 else None
        outputs, _, _ = decoder(encoder_outputs, encoder_hidden, forced)
        loss = criterion(outputs.view(-1, outputs.size(-1)), target.view(-1))
        loss.backward()
        for o in optimizers:
            o.step()
        losses.append(loss.item())
    return losses


if __name__ == "__main__":
    print(main())
