"""Optimizers written by users: subclasses with state, closures and parameter groups; lookahead around another one."""

import torch
from torch.optim.optimizer import Optimizer, required


class Lion(Optimizer):
    def __init__(self, params, lr=1e-4, betas=(0.9, 0.99), weight_decay=0.0):
        if not 0.0 <= lr:
            raise ValueError(f"Invalid learning rate: {lr}")
        defaults = dict(lr=lr, betas=betas, weight_decay=weight_decay)
        super().__init__(params, defaults)

    @torch.no_grad()
    def step(self, closure=None):
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                p.data.mul_(1 - group["lr"] * group["weight_decay"])
                grad, state = p.grad, self.state[p]
                if len(state) == 0:
                    state["exp_avg"] = torch.zeros_like(p)
                exp_avg, (beta1, beta2) = state["exp_avg"], group["betas"]
                update = exp_avg * beta1 + grad * (1 - beta1)
                p.add_(torch.sign(update), alpha=-group["lr"])
                exp_avg.mul_(beta2).add_(grad, alpha=1 - beta2)
        return loss


class AdaBelief(Optimizer):
    def __init__(self, params, lr=required, betas=(0.9, 0.999), eps=1e-8):
        super().__init__(params, dict(lr=lr, betas=betas, eps=eps))

    def __setstate__(self, state):
        super().__setstate__(state)

    def step(self, closure=None):
        loss = closure() if closure is not None else None
        for group in self.param_groups:
            beta1, beta2 = group["betas"]
            for p in group["params"]:
                if p.grad is None:
                    continue
                grad = p.grad.data
                state = self.state[p]
                if len(state) == 0:
                    state["step"] = 0
                    state["m"] = torch.zeros_like(p.data, memory_format=torch.preserve_format)
                    state["s"] = torch.zeros_like(p.data, memory_format=torch.preserve_format)
                state["step"] += 1
                m, s = state["m"], state["s"]
                m.mul_(beta1).add_(grad, alpha=1 - beta1)
                diff = grad - m
                s.mul_(beta2).addcmul_(diff, diff, value=1 - beta2).add_(group["eps"])
                bias1, bias2 = 1 - beta1 ** state["step"], 1 - beta2 ** state["step"]
                denom = (s.sqrt() / bias2**0.5).add_(group["eps"])
                p.data.addcdiv_(m, denom, value=-group["lr"] / bias1)
        return loss


class Lookahead:
    def __init__(self, base, k=5, alpha=0.5):
        self.base, self.k, self.alpha, self.count = base, k, alpha, 0
        self.slow = [[p.clone().detach() for p in g["params"]] for g in base.param_groups]

    def step(self):
        self.base.step()
        self.count += 1
        if self.count % self.k == 0:
            for group, slow in zip(self.base.param_groups, self.slow):
                for p, q in zip(group["params"], slow):
                    q.data.add_(p.data - q.data, alpha=self.alpha)
                    p.data.copy_(q.data)

    def zero_grad(self):
        self.base.zero_grad()


def main(steps=50):
    torch.manual_seed(0)
    x = torch.randn(64, 5)
    y = (x[:, :2].prod(dim=1) + x[:, 2].sin()).unsqueeze(-1)
    losses = []
    for make in (
        lambda ps: Lion([{"params": ps[:2]}, {"params": ps[2:], "lr": 5e-3}], lr=1e-2, weight_decay=1e-2),
        lambda ps: AdaBelief(ps, lr=1e-2),
        lambda ps: Lookahead(torch.optim.Adamax(ps, lr=1e-2)),
    ):
        model = torch.nn.Sequential(torch.nn.Linear(5, 16), torch.nn.Tanh(), torch.nn.Linear(16, 1))
        optimizer = make(list(model.parameters()))
        for step in range(steps):

            def closure():
                optimizer.zero_grad()
                loss = (model(x) - y).square().mean()
                loss.backward()
                return loss

            if isinstance(optimizer, Lookahead):
                loss = closure()
                optimizer.step()
            else:
                loss = optimizer.step(closure)
            losses.append(loss.item())
        if isinstance(optimizer, AdaBelief):
            state = optimizer.state_dict()
            fresh = AdaBelief(model.parameters(), lr=1.0)
            fresh.load_state_dict(state)
            assert fresh.param_groups[0]["lr"] == 1e-2 and fresh.state[next(model.parameters())]["step"] == steps
    return losses


if __name__ == "__main__":
    print(main())
