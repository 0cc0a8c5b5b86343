"""All learning-rate schedules around one quadratic bowl: what they set, step by step, and the losses that follow."""

import math

import torch
from torch.optim import lr_scheduler as S


def make_all(steps):
    return {
        "step": lambda o: S.StepLR(o, 7, gamma=0.3),
        "multistep": lambda o: S.MultiStepLR(o, [3, 9, 9], gamma=0.5),
        "exponential": lambda o: S.ExponentialLR(o, 0.9),
        "cosine": lambda o: S.CosineAnnealingLR(o, 10, eta_min=1e-3),
        "restarts": lambda o: S.CosineAnnealingWarmRestarts(o, T_0=4, T_mult=2, eta_min=1e-4),
        "lambda": lambda o: S.LambdaLR(o, [lambda e: 0.95**e, lambda e: 1 / (1 + e)]),
        "multiplicative": lambda o: S.MultiplicativeLR(o, lambda e: 0.97),
        "linear": lambda o: S.LinearLR(o, 0.2, 1.0, total_iters=6),
        "constant": lambda o: S.ConstantLR(o, factor=0.5, total_iters=4),
        "polynomial": lambda o: S.PolynomialLR(o, total_iters=15, power=2.0),
        "onecycle": lambda o: S.OneCycleLR(o, max_lr=[0.05, 0.08], total_steps=steps + 1, anneal_strategy="linear"),
        "cyclic": lambda o: S.CyclicLR(o, 0.01, 0.1, step_size_up=5, mode="triangular2"),
        "sequential": lambda o: S.SequentialLR(
            o, [S.ConstantLR(o, 0.1, 3), S.ExponentialLR(o, 0.9)], milestones=[4]
        ),
        "chained": lambda o: S.ChainedScheduler([S.ConstantLR(o, 0.5, 5), S.ExponentialLR(o, 0.95)]),
        "plateau": lambda o: S.ReduceLROnPlateau(o, factor=0.5, patience=2, threshold=1e-2, cooldown=1),
    }


def main(steps=50):
    torch.manual_seed(0)
    steps = max(4, steps // 2)
    losses = []
    for name, make in make_all(steps).items():
        a = torch.nn.Parameter(torch.linspace(-1, 1, 5))
        b = torch.nn.Parameter(torch.tensor([3.0, -2.0]))
        optimizer = torch.optim.SGD([{"params": [a]}, {"params": [b], "lr": 0.02}], lr=0.05, momentum=0.8)
        scheduler = make(optimizer)
        for step in range(steps):
            optimizer.zero_grad()
            loss = (a - 0.3).pow(4).sum() + (b * a[:2]).square().sum() + math.e
            loss.backward()
            optimizer.step()
            scheduler.step(loss) if name == "plateau" else scheduler.step()
            losses.append(loss.item())
            losses += [group["lr"] for group in optimizer.param_groups]
            if step == 2 and name not in ("chained",):
                state = scheduler.state_dict()
                scheduler.load_state_dict(state)
    return losses


if __name__ == "__main__":
    print(main())
