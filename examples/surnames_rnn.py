"""Which language is a surname from? A recurrent network written with two linear layers, fed letter by letter."""

import string
import unicodedata

import torch
import torch.nn as nn
from example_data import surnames

all_letters = string.ascii_letters + " .,;'"


def unicode_to_ascii(s):
    return "".join(
        c for c in unicodedata.normalize("NFD", s) if unicodedata.category(c) != "Mn" and c in all_letters
    )


def line_to_tensor(line):
    tensor = torch.zeros(len(line), 1, len(all_letters))
    for li, letter in enumerate(line):
        tensor[li][0][all_letters.find(letter)] = 1
    return tensor


class RNN(nn.Module):
    def __init__(self, input_size, hidden_size, output_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.i2h = nn.Linear(input_size + hidden_size, hidden_size)
        self.i2o = nn.Linear(input_size + hidden_size, output_size)
        self.softmax = nn.LogSoftmax(dim=1)

    def forward(self, input, hidden):
        combined = torch.cat((input, hidden), 1)
        hidden = torch.tanh(self.i2h(combined))
        output = self.softmax(self.i2o(combined))
        return output, hidden

    def init_hidden(self):
        return torch.zeros(1, self.hidden_size)


def category_from_output(output, categories):
    top_n, top_i = output.topk(1)
    return categories[top_i[0].item()]


def main(steps=2000, learning_rate=0.005, log=False):
    torch.manual_seed(0)
    lines = {k: [n for n in map(unicode_to_ascii, v) if n] for k, v in surnames().items()}
    categories = list(lines)
    rnn = RNN(len(all_letters), 64, len(categories))
    criterion = nn.NLLLoss()
    losses, correct = [], 0
    for _ in range(steps):
        category = categories[torch.randint(len(categories), (1,)).item()]
        line = lines[category][int(torch.randint(0, len(lines[category]), (1,)))]
        category_tensor = torch.tensor([categories.index(category)], dtype=torch.long)
        hidden = rnn.init_hidden()
        rnn.zero_grad()
        for letter in line_to_tensor(line):
            output, hidden = rnn(letter, hidden)
        loss = criterion(output, category_tensor)
        loss.backward()
        for p in rnn.parameters():
            p.data.add_(p.grad.data, alpha=-learning_rate)
        losses.append(loss.item())
        correct += category_from_output(output, categories) == category
    if log:
        print(
            f"mean of the last 100 losses: {sum(losses[-100:]) / 100:.3f}; right while learning: {correct / steps:.1%}"
        )
    return losses


if __name__ == "__main__":
    main(log=True)
