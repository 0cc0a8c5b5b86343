"""A character-level GPT on Shakespeare: causal attention, AdamW with two groups, warm-up, gradient clipping.

python tests/programs/gpt_shakespeare.py --library wengert --steps 500
"""

from __future__ import annotations

import argparse
import importlib
import math
import random
import sys
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Config:
    """Sizes of the model and of the training."""

    vocabulary: int = 65
    context: int = 64
    width: int = 128
    heads: int = 4
    layers: int = 4
    dropout: float = 0.0
    batch: int = 16
    lr: float = 1e-3
    decay: float = 0.1
    warmup: int = 10


def make_model(torch, config: Config):
    """Return the model; the weight of the head is that of the token embedding."""
    nn = torch.nn
    functional = torch.nn.functional

    class Attention(nn.Module):
        def __init__(self):
            super().__init__()
            self.qkv = nn.Linear(config.width, 3 * config.width)
            self.out = nn.Linear(config.width, config.width)
            self.dropout = nn.Dropout(config.dropout)
            self.register_buffer("mask", torch.tril(torch.ones(config.context, config.context)) == 0)

        def forward(self, x):
            b, t, c = x.shape
            q, k, v = self.qkv(x).chunk(3, dim=-1)
            q, k, v = (part.view(b, t, config.heads, c // config.heads).transpose(1, 2) for part in (q, k, v))
            scores = q @ k.transpose(-2, -1) / math.sqrt(c // config.heads)
            scores = scores.masked_fill(self.mask[:t, :t], float("-inf"))
            mixed = self.dropout(torch.softmax(scores, dim=-1)) @ v
            return self.out(mixed.transpose(1, 2).contiguous().view(b, t, c))

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm1 = nn.LayerNorm(config.width)
            self.attention = Attention()
            self.norm2 = nn.LayerNorm(config.width)
            self.mlp = nn.Sequential(
                nn.Linear(config.width, 4 * config.width),
                nn.GELU(),
                nn.Linear(4 * config.width, config.width),
                nn.Dropout(config.dropout),
            )

        def forward(self, x):
            x = x + self.attention(self.norm1(x))
            return x + self.mlp(self.norm2(x))

    class GPT(nn.Module):
        def __init__(self):
            super().__init__()
            self.token = nn.Embedding(config.vocabulary, config.width)
            self.position = nn.Embedding(config.context, config.width)
            self.blocks = nn.ModuleList([Block() for _ in range(config.layers)])
            self.norm = nn.LayerNorm(config.width)
            self.head = nn.Linear(config.width, config.vocabulary, bias=False)
            self.head.weight = self.token.weight
            self.apply(self._initialize)

        def _initialize(self, module):
            if isinstance(module, (nn.Linear, nn.Embedding)):
                nn.init.normal_(module.weight, mean=0.0, std=0.02)
            if isinstance(module, nn.Linear) and module.bias is not None:
                nn.init.zeros_(module.bias)

        def forward(self, x, targets=None):
            x = self.token(x) + self.position(torch.arange(x.size(1)))
            for block in self.blocks:
                x = block(x)
            logits = self.head(self.norm(x))
            if targets is None:
                return logits, None
            return logits, functional.cross_entropy(logits.view(-1, config.vocabulary), targets.reshape(-1))

    return GPT()


def train(torch, text, config: Config, *, steps: int, initial=None, seed: int = 1337, log: int = 0):
    """Train the model and return it with the losses of all steps.

    Args:
        torch: the library, ``wengert`` or ``torch``.
        text: indices of characters.
        config: sizes.
        steps: number of updates.
        initial: arrays by parameter name to start from; None leaves the model's own initialization.
        seed: of the positions of the batches, drawn by Python so that both libraries read the same text.
        log: print the loss every so many steps; 0 prints nothing.
    """
    model = make_model(torch, config)
    if initial is not None:
        model.load_state_dict({name: torch.from_numpy(array) for name, array in initial.items()})
    matrices = [p for p in model.parameters() if p.dim() >= 2]
    vectors = [p for p in model.parameters() if p.dim() < 2]
    groups = [{"params": matrices, "weight_decay": config.decay}, {"params": vectors, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=config.lr, betas=(0.9, 0.95))
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1.0, (step + 1) / config.warmup))
    data = torch.tensor(text)
    draw = random.Random(seed)

    model.train()
    losses = []
    started = time.perf_counter()
    for step in range(steps):
        at = [draw.randrange(len(text) - config.context - 1) for _ in range(config.batch)]
        x = torch.stack([data[i : i + config.context] for i in at])
        y = torch.stack([data[i + 1 : i + 1 + config.context] for i in at])
        _, loss = model(x, y)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
        if log and (step + 1) % log == 0:
            pace = (time.perf_counter() - started) / (step + 1)
            print(f"step {step + 1:5d}   loss {losses[-1]:.4f}   {1e3 * pace:.1f} ms a step", flush=True)
    return model, losses


def sample(torch, model, config: Config, alphabet: str, count: int) -> str:
    """Return ``count`` characters drawn from the model, one at a time."""
    model.eval()
    x = torch.zeros(1, 1, dtype=torch.int64)
    with torch.no_grad():
        for _ in range(count):
            logits, _ = model(x[:, -config.context :])
            drawn = torch.multinomial(torch.softmax(logits[:, -1], dim=-1), 1)
            x = torch.cat([x, drawn], dim=1)
    return "".join(alphabet[i] for i in x[0, 1:].tolist())


def main() -> int:
    """Train from the command line and print a sample."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--library", default="wengert", choices=("wengert", "torch"))
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--sample", type=int, default=300, help="characters to write at the end")
    options = parser.parse_args()
    import shakespeare

    if shakespeare.find() is None:
        print("gpt_shakespeare: skipped, the text is not installed (see shakespeare.py)")
        return 0
    torch = importlib.import_module(options.library)
    torch.manual_seed(1337)
    text, alphabet = shakespeare.load()
    config = Config(vocabulary=len(alphabet))
    model, _ = train(torch, text, config, steps=options.steps, log=max(1, options.steps // 20))
    print(sample(torch, model, config, alphabet, options.sample))
    return 0


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    sys.exit(main())
