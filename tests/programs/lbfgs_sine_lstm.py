"""Predicting sine waves with LSTM cells and L-BFGS: closures, strong Wolfe line search, cells called step by step."""

import numpy as np
import torch
import torch.nn as nn
import torch.optim as optim


class Sequence(nn.Module):
    def __init__(self, hidden=8):
        super().__init__()
        self.hidden = hidden
        self.lstm1 = nn.LSTMCell(1, hidden)
        self.lstm2 = nn.LSTMCell(hidden, hidden)
        self.linear = nn.Linear(hidden, 1)

    def forward(self, input, future=0):
        outputs = []
        h_t = torch.zeros(input.size(0), self.hidden)
        c_t = torch.zeros(input.size(0), self.hidden)
        h_t2 = torch.zeros(input.size(0), self.hidden)
        c_t2 = torch.zeros(input.size(0), self.hidden)
        for input_t in input.split(1, dim=1):
            h_t, c_t = self.lstm1(input_t, (h_t, c_t))
            h_t2, c_t2 = self.lstm2(h_t, (h_t2, c_t2))
            output = self.linear(h_t2)
            outputs += [output]
        for _ in range(future):
            h_t, c_t = self.lstm1(output, (h_t, c_t))
            h_t2, c_t2 = self.lstm2(h_t, (h_t2, c_t2))
            output = self.linear(h_t2)
            outputs += [output]
        return torch.cat(outputs, dim=1)


def main(steps=50):
    np.random.seed(2)
    torch.manual_seed(0)
    x = np.arange(20) + np.random.randint(-16, 16, 6).reshape(6, 1)
    data = torch.from_numpy(np.sin(x / 4.0)).float()
    input, target = data[2:, :-1], data[2:, 1:]
    seq = Sequence()
    criterion = nn.MSELoss()
    optimizer = optim.LBFGS(seq.parameters(), lr=0.8, max_iter=4, history_size=5, line_search_fn="strong_wolfe")
    losses = []
    for _ in range(max(1, steps // 10)):

        def closure():
            optimizer.zero_grad()
            loss = criterion(seq(input), target)
            loss.backward()
            losses.append(loss.item())
            return loss

        optimizer.step(closure)
    with torch.no_grad():
        pred = seq(data[:2, :-1], future=5)
        losses.append(criterion(pred[:, :-5], data[:2, 1:]).item())
    return losses


if __name__ == "__main__":
    print(main())
