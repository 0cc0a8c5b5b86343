"""Adamax, NAdam and RAdam: relatives of Adam that differ in how they scale the step."""

import wengert
from wengert.optim._update import (
    UpdateOptimizer,
    advance,
    check_betas,
    check_eps,
    check_lr,
    check_not_negative,
    decayed,
    kept,
    new_step,
    number,
    options,
    scalar,
)


def _check(lr, betas, eps, **not_negative):
    check_lr(lr)
    check_eps(eps)
    check_betas(betas)
    check_not_negative(**not_negative)


def _shrink_or_decay(group, p, grad, lr):
    """Apply weight decay to the parameter or to the gradient, as the group says; return the gradient."""
    if not group["decoupled_weight_decay"]:
        return decayed(group, p, grad)
    if group["weight_decay"] != 0:
        p.mul_(1 - lr * group["weight_decay"])
    return grad


class Adamax(UpdateOptimizer):
    """Adam with the infinity norm (Kingma and Ba, 2015, section 7): divides by a decaying maximum of ``|grad|``.

    Args: as for ``Adam``; ``lr`` is 2e-3 by default. ``foreach`` and ``capturable`` change nothing.

    Example:
        >>> import wengert
        >>> w = wengert.ones(1, requires_grad=True)
        >>> opt = wengert.optim.Adamax([w], lr=0.5)
        >>> (w * w).sum().backward()
        >>> opt.step()
        >>> round(w.item(), 4)
        0.5
    """

    def __init__(
        self,
        params,
        lr=2e-3,
        betas=(0.9, 0.999),
        eps=1e-8,
        weight_decay=0,
        foreach=None,
        *,
        maximize=False,
        differentiable=False,
        capturable=False,
    ):
        _check(lr, betas, eps, weight_decay=weight_decay)
        super().__init__(params, options(locals()))

    def _new_state(self, p, group):
        return {"step": new_step(), "exp_avg": wengert.zeros_like(p), "exp_inf": wengert.zeros_like(p)}

    def _update(self, group, p, grad, state):
        beta1, beta2 = group["betas"]
        exp_avg, exp_inf = state["exp_avg"], state["exp_inf"]
        step = advance(state)
        grad = decayed(group, p, grad)
        exp_avg.lerp_(grad, 1 - beta1)
        exp_inf.copy_(wengert.maximum(kept(group, exp_inf) * beta2, grad.abs().add(group["eps"])))
        rate = scalar(group["lr"]) / (1 - beta1**step)
        p.addcdiv_(kept(group, exp_avg), kept(group, exp_inf), value=-rate)


class NAdam(UpdateOptimizer):
    """Adam with Nesterov momentum (Dozat, 2016).

    ``momentum_decay`` sets how fast the momentum grows to ``betas[0]``. The other arguments are those of ``Adam``;
    ``foreach`` and ``capturable`` change nothing.

    Example:
        >>> import wengert
        >>> w = wengert.ones(1, requires_grad=True)
        >>> opt = wengert.optim.NAdam([w], lr=0.5)
        >>> (w * w).sum().backward()
        >>> opt.step()
        >>> w.item() < 1
        True
    """

    _kept_dtypes = ("step", "mu_product")

    def __init__(
        self,
        params,
        lr=2e-3,
        betas=(0.9, 0.999),
        eps=1e-8,
        weight_decay=0,
        momentum_decay=4e-3,
        decoupled_weight_decay=False,
        *,
        foreach=None,
        maximize=False,
        capturable=False,
        differentiable=False,
    ):
        _check(lr, betas, eps, weight_decay=weight_decay, momentum_decay=momentum_decay)
        super().__init__(params, options(locals()))

    def _new_state(self, p, group):
        step = new_step()
        return {
            "step": step,
            "mu_product": wengert.ones_like(step),
            "exp_avg": wengert.zeros_like(p),
            "exp_avg_sq": wengert.zeros_like(p),
        }

    def _update(self, group, p, grad, state):
        lr = scalar(group["lr"])
        beta1, beta2 = group["betas"]
        exp_avg, exp_avg_sq = state["exp_avg"], state["exp_avg_sq"]
        step = advance(state)
        grad = _shrink_or_decay(group, p, grad, lr)
        # 0.96: the constant of Dozat's warming momentum schedule.
        momentum = beta1 * (1.0 - 0.5 * 0.96 ** (step * group["momentum_decay"]))
        momentum_next = beta1 * (1.0 - 0.5 * 0.96 ** ((step + 1) * group["momentum_decay"]))
        state["mu_product"] *= momentum
        product = number(state["mu_product"])
        exp_avg.lerp_(grad, 1 - beta1)
        exp_avg_sq.mul_(beta2).addcmul_(grad, grad, value=1 - beta2)
        divisor = exp_avg_sq.div(1 - beta2**step).sqrt().add(group["eps"])
        p.addcdiv_(grad, divisor, value=-lr * (1.0 - momentum) / (1.0 - product))
        p.addcdiv_(kept(group, exp_avg), divisor, value=(-lr * momentum_next) / (1.0 - product * momentum_next))


class RAdam(UpdateOptimizer):
    """Rectified Adam (Liu et al., 2020, arXiv:1908.03265): plain momentum until the variance is known.

    Arguments are those of ``Adam``; ``foreach`` and ``capturable`` change nothing.

    Example:
        >>> import wengert
        >>> w = wengert.ones(1, requires_grad=True)
        >>> opt = wengert.optim.RAdam([w], lr=0.25)
        >>> (w * w).sum().backward()
        >>> opt.step()
        >>> round(w.item(), 4)
        0.5
    """

    def __init__(
        self,
        params,
        lr=1e-3,
        betas=(0.9, 0.999),
        eps=1e-8,
        weight_decay=0,
        decoupled_weight_decay=False,
        *,
        foreach=None,
        maximize=False,
        capturable=False,
        differentiable=False,
    ):
        _check(lr, betas, eps, weight_decay=weight_decay)
        super().__init__(params, options(locals()))

    def _new_state(self, p, group):
        return {"step": new_step(), "exp_avg": wengert.zeros_like(p), "exp_avg_sq": wengert.zeros_like(p)}

    def _update(self, group, p, grad, state):
        lr = scalar(group["lr"])
        beta1, beta2 = group["betas"]
        exp_avg, exp_avg_sq = state["exp_avg"], state["exp_avg_sq"]
        step = advance(state)
        grad = _shrink_or_decay(group, p, grad, lr)
        exp_avg.lerp_(grad, 1 - beta1)
        exp_avg_sq.mul_(beta2).addcmul_(grad, grad, value=1 - beta2)
        correction2 = 1 - beta2**step
        update = exp_avg / (1 - beta1**step) * lr
        # Length of the approximated moving average, now and in the limit (equations 4 and 5 of the paper).
        rho_limit = 2 / (1 - beta2) - 1
        rho = rho_limit - 2 * step * (beta2**step) / correction2
        if rho > 5.0:
            rectifier = ((rho - 4) * (rho - 2) * rho_limit / ((rho_limit - 4) * (rho_limit - 2) * rho)) ** 0.5
            root = kept(group, exp_avg_sq).sqrt().add(group["eps"])
            update = update * ((correction2**0.5) / root) * rectifier
        p.add_(update, alpha=-1.0)
