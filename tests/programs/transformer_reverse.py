"""nn.Transformer on a copying task: masks for the future and for padding, label smoothing by KLDivLoss, warm-up."""

import math

import torch
import torch.nn as nn
from torch.optim.lr_scheduler import LambdaLR


class PositionalEncoding(nn.Module):
    def __init__(self, d_model, max_len=32):
        super().__init__()
        pe = torch.zeros(max_len, d_model)
        position = torch.arange(0, max_len).unsqueeze(1)
        div_term = torch.exp(torch.arange(0, d_model, 2) * -(math.log(10000.0) / d_model))
        pe[:, 0::2] = torch.sin(position * div_term)
        pe[:, 1::2] = torch.cos(position * div_term)
        self.register_buffer("pe", pe.unsqueeze(0))

    def forward(self, x):
        return x + self.pe[:, : x.size(1)].requires_grad_(False)


class LabelSmoothing(nn.Module):
    def __init__(self, size, padding_idx, smoothing=0.1):
        super().__init__()
        self.criterion = nn.KLDivLoss(reduction="sum")
        self.padding_idx, self.smoothing, self.size = padding_idx, smoothing, size

    def forward(self, x, target):
        true_dist = x.data.clone()
        true_dist.fill_(self.smoothing / (self.size - 2))
        true_dist.scatter_(1, target.data.unsqueeze(1), 1 - self.smoothing)
        true_dist[:, self.padding_idx] = 0
        mask = torch.nonzero(target.data == self.padding_idx)
        if mask.dim() > 0:
            true_dist.index_fill_(0, mask.squeeze(-1), 0.0)
        return self.criterion(x, true_dist.clone().detach())


class Seq2Seq(nn.Module):
    def __init__(self, vocab=11, d_model=16):
        super().__init__()
        self.embed, self.pos = nn.Embedding(vocab, d_model), PositionalEncoding(d_model)
        self.transformer = nn.Transformer(
            d_model, nhead=4, num_encoder_layers=2, num_decoder_layers=2, dim_feedforward=32, dropout=0.0,
            batch_first=True, norm_first=True,
        )  # fmt: skip
        self.generator = nn.Linear(d_model, vocab)
        for p in self.parameters():
            if p.dim() > 1:
                nn.init.xavier_uniform_(p)

    def forward(self, src, tgt, src_pad, tgt_pad):
        future = nn.Transformer.generate_square_subsequent_mask(tgt.size(1))
        scale = math.sqrt(self.embed.embedding_dim)
        hidden = self.transformer(
            self.pos(self.embed(src) * scale), self.pos(self.embed(tgt) * scale), tgt_mask=future,
            src_key_padding_mask=src_pad, tgt_key_padding_mask=tgt_pad, memory_key_padding_mask=src_pad,
        )  # fmt: skip
        return torch.log_softmax(self.generator(hidden), dim=-1)


def rate(step, model_size=16, factor=1.0, warmup=20):
    step = max(step, 1)
    return factor * (model_size ** (-0.5) * min(step ** (-0.5), step * warmup ** (-1.5)))


def main(steps=50):
    torch.manual_seed(0)
    model, criterion = Seq2Seq(), LabelSmoothing(11, 0)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.5, betas=(0.9, 0.98), eps=1e-9)
    scheduler = LambdaLR(optimizer=optimizer, lr_lambda=lambda step: rate(step))
    losses = []
    for _ in range(steps):
        data = torch.randint(1, 11, size=(6, 7))
        lengths = torch.randint(4, 8, (6,))
        data = data.masked_fill(torch.arange(7)[None, :] >= lengths[:, None], 0)
        data[:, 0] = 1
        tgt, tgt_y = data[:, :-1], data[:, 1:]
        out = model(data, tgt, data == 0, tgt == 0)
        ntokens = (tgt_y != 0).data.sum()
        loss = criterion(out.contiguous().view(-1, out.size(-1)), tgt_y.contiguous().view(-1)) / ntokens
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        scheduler.step()
        losses.append(loss.item())
    return losses


if __name__ == "__main__":
    print(main())
