"""Warnings are shown with the user's line, however deep in the library they are raised."""

import warnings

import pytest

import wengert as torch
import wengert.nn.functional as F
from wengert import nn


def backward_hook_without_inputs():
    net = nn.Sequential(nn.Linear(2, 1))
    net.register_full_backward_hook(lambda module, grad_input, grad_output: None)
    net(torch.ones(1, 2)).sum().backward()


def scheduler_before_optimizer():
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    torch.optim.lr_scheduler.SequentialLR(
        optimizer,
        [torch.optim.lr_scheduler.ConstantLR(optimizer), torch.optim.lr_scheduler.StepLR(optimizer, 1)],
        milestones=[2],
    ).step()


def duplicate_parameters():
    p = torch.zeros(1, requires_grad=True)
    torch.optim.Adam([p, p])


def uncapturable_call():
    weight = nn.Parameter(torch.ones(3))

    @torch.compile
    def branch(x):
        return x if (x * weight).sum() > 0 else -x

    for k in (1.0, -1.0, 1.0):
        branch(torch.full((3,), k))


CASES = {
    "loss module": lambda: nn.MSELoss()(torch.ones(2), torch.ones(2, 1)),
    "loss function": lambda: F.mse_loss(torch.ones(2), torch.ones(2, 1)),
    "in a module": lambda: nn.Sequential(nn.Softmax())(torch.ones(2, 2)),
    "guessed dim": lambda: F.softmax(torch.ones(2, 2)),
    "old flags": lambda: nn.L1Loss(size_average=False),
    "kl_div": lambda: F.kl_div(torch.zeros(2, 2), torch.ones(2, 2)),
    "rnn": lambda: nn.LSTM(2, 2, dropout=0.5),
    "init": lambda: nn.init.kaiming_uniform_(torch.zeros(0, 3)),
    "old init": lambda: nn.init.uniform(torch.zeros(3)),
    "scaler": lambda: torch.amp.GradScaler("cuda"),
    "autocast": lambda: torch.autocast("cuda"),
    "split": lambda: torch.utils.data.random_split(range(3), [1.0, 0.0]),
    "epoch": scheduler_before_optimizer,
    "duplicates": duplicate_parameters,
    "hook": backward_hook_without_inputs,
    "compile": uncapturable_call,
    "lost part": lambda: torch.ones(2, dtype=torch.complex64).to(torch.float32),
}


@pytest.mark.parametrize("name", CASES)
def test_a_warning_points_at_the_users_line(name):
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        CASES[name]()
    assert found
    assert {w.filename for w in found} == {__file__}
