"""A character-level LSTM on Shakespeare: truncated backpropagation through time, Adam, gradient clipping.

python tests/programs/lstm_shakespeare.py --library wengert --steps 500
"""

from __future__ import annotations

import argparse
import importlib
import sys
import time
from pathlib import Path


def make_model(torch, vocabulary: int, hidden: int, layers: int):
    """Return the model: embedding, LSTM, linear head."""
    nn = torch.nn

    class CharLSTM(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = nn.Embedding(vocabulary, hidden)
            self.lstm = nn.LSTM(hidden, hidden, num_layers=layers, batch_first=True)
            self.head = nn.Linear(hidden, vocabulary)

        def forward(self, x, state=None):
            y, state = self.lstm(self.embedding(x), state)
            return self.head(y), state

    return CharLSTM()


def train(
    torch, text, vocabulary, *, steps, hidden=128, layers=2, batch=32, length=64, lr=2e-3, initial=None, log=0
):
    """Train the model and return it with the losses of all steps.

    Args:
        torch: the library, ``wengert`` or ``torch``.
        text: indices of characters.
        vocabulary: size of the alphabet.
        steps: number of updates; the text is read in ``batch`` parallel streams, ``length`` characters a step.
        initial: arrays by parameter name to start from; None leaves the library's own initialization.
        log: print the loss every so many steps; 0 prints nothing.
    """
    functional = torch.nn.functional
    model = make_model(torch, vocabulary, hidden, layers)
    if initial is not None:
        model.load_state_dict({name: torch.from_numpy(array) for name, array in initial.items()})
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    stream = (len(text) - 1) // batch
    data = torch.tensor(text[: stream * batch + 1])
    inputs = data[:-1].view(batch, stream)
    targets = data[1:].view(batch, stream)

    model.train()
    losses, state = [], None
    started = time.perf_counter()
    for step in range(steps):
        at = step * length % (stream - length)
        x, y = inputs[:, at : at + length], targets[:, at : at + length]
        if state is not None:
            state = tuple(part.detach() for part in state)
        optimizer.zero_grad()
        logits, state = model(x, state)
        loss = functional.cross_entropy(logits.reshape(-1, vocabulary), y.reshape(-1))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
        if log and (step + 1) % log == 0:
            pace = (time.perf_counter() - started) / (step + 1)
            print(f"step {step + 1:5d}   loss {losses[-1]:.4f}   {1e3 * pace:.1f} ms a step", flush=True)
    return model, losses


def sample(torch, model, alphabet: str, count: int) -> str:
    """Return ``count`` characters drawn from the model, one at a time."""
    model.eval()
    x, state, out = torch.zeros(1, 1, dtype=torch.int64), None, []
    with torch.no_grad():
        for _ in range(count):
            logits, state = model(x, state)
            x = torch.multinomial(torch.softmax(logits[:, -1], dim=-1), 1)
            out.append(alphabet[x.item()])
    return "".join(out)


def main() -> int:
    """Train from the command line and print a sample."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--library", default="wengert", choices=("wengert", "torch"))
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--sample", type=int, default=300, help="characters to write at the end")
    options = parser.parse_args()
    import shakespeare

    if shakespeare.find() is None:
        print("lstm_shakespeare: skipped, the text is not installed (see shakespeare.py)")
        return 0
    torch = importlib.import_module(options.library)
    torch.manual_seed(1337)
    text, alphabet = shakespeare.load()
    model, _ = train(torch, text, len(alphabet), steps=options.steps, log=max(1, options.steps // 20))
    print(sample(torch, model, alphabet, options.sample))
    return 0


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    sys.exit(main())
