"""Rprop and ASGD."""

import wengert
from wengert.optim._update import (
    UpdateOptimizer,
    advance,
    check_lr,
    check_not_negative,
    count,
    decayed,
    new_step,
    number,
    options,
    scalar,
)


class Rprop(UpdateOptimizer):
    """Resilient backpropagation (Riedmiller and Braun, 1993): only the signs of gradients count.

    A parameter's own step grows by ``etas[1]`` while its gradient keeps its sign and shrinks by ``etas[0]`` when
    the sign flips (that step is then skipped), within ``step_sizes``.
    ``foreach`` and ``capturable`` change nothing.

    Raises:
        ValueError: ``lr`` is negative or ``etas`` do not enclose 1.

    Example:
        >>> import wengert
        >>> w = wengert.ones(1, requires_grad=True)
        >>> opt = wengert.optim.Rprop([w], lr=0.5)
        >>> (w * w).sum().backward()
        >>> opt.step()
        >>> w.item()
        0.5
    """

    def __init__(
        self,
        params,
        lr=1e-2,
        etas=(0.5, 1.2),
        step_sizes=(1e-6, 50),
        *,
        capturable=False,
        foreach=None,
        maximize=False,
        differentiable=False,
    ):
        check_lr(lr)
        if not 0.0 < etas[0] < 1.0 < etas[1]:
            raise ValueError(f"Invalid eta values: {etas[0]}, {etas[1]}")
        super().__init__(params, options(locals()))

    def _new_state(self, p, group):
        lr = float(group["lr"])
        size = wengert.full_like(p, complex(lr, lr) if p.is_complex() else lr, requires_grad=False)
        return {"step": new_step(), "prev": wengert.zeros_like(p), "step_size": size}

    def _update(self, group, p, grad, state):
        shrink, grow = group["etas"]
        smallest, largest = group["step_sizes"]
        previous, size = state["prev"], state["step_size"]
        count(state)
        sign = grad.mul(previous.clone()).sign()
        flipped = sign.lt(0)
        factor = wengert.ones_like(sign).masked_fill(sign.gt(0), grow).masked_fill(flipped, shrink)
        size.mul_(factor).clamp_(smallest, largest)
        grad = grad.masked_fill(flipped, 0)
        p.addcmul_(grad.sign(), size.clone(), value=-1)
        previous.copy_(grad)


class ASGD(UpdateOptimizer):
    """Averaged stochastic gradient descent (Polyak and Juditsky, 1992); the average is ``state[p]["ax"]``.

    The step length is ``lr / (1 + lambd * lr * t) ** alpha``; averaging begins at step ``t0``. ``foreach`` and
    ``capturable`` change nothing.

    Raises:
        ValueError: an option is out of range.

    Example:
        >>> import wengert
        >>> w = wengert.ones(1, requires_grad=True)
        >>> opt = wengert.optim.ASGD([w], lr=0.25, lambd=0.0)
        >>> (w * w).sum().backward()
        >>> opt.step()
        >>> w.item()
        0.5
    """

    _kept_dtypes = ("step", "eta", "mu")

    def __init__(
        self,
        params,
        lr=1e-2,
        lambd=1e-4,
        alpha=0.75,
        t0=1e6,
        weight_decay=0,
        foreach=None,
        maximize=False,
        differentiable=False,
        capturable=False,
    ):
        check_lr(lr)
        check_not_negative(weight_decay=weight_decay)
        defaults = {
            "lr": lr,
            "lambd": lambd,
            "alpha": alpha,
            "t0": t0,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, defaults)

    def _new_state(self, p, group):
        step = new_step()
        return {
            "step": step,
            "eta": wengert.full_like(step, float(group["lr"])),
            "mu": wengert.ones_like(step),
            "ax": wengert.zeros_like(p),
        }

    def __setstate__(self, state):
        super().__setstate__(state)
        for state in self.state.values():
            for key in ("eta", "mu"):
                if key in state and not isinstance(state[key], wengert.Tensor):
                    state[key] = wengert.full_like(state["step"], state[key])

    def _update(self, group, p, grad, state):
        lr, lambd = scalar(group["lr"]), group["lambd"]
        average, eta, mu = state["ax"], state["eta"], state["mu"]
        step = advance(state)
        grad = decayed(group, p, grad)
        rate = eta.item()
        p.mul_(1 - lambd * rate)
        p.add_(grad, alpha=-rate)
        if mu.item() != 1:
            average.add_(p.sub(average).mul(mu))
        else:
            average.copy_(p)
        eta.fill_(number(lr / (1 + lambd * lr * step) ** group["alpha"]))
        mu.fill_(1 / max(1, step - group["t0"]))
