"""Adam (Kingma and Ba, 2015, arXiv:1412.6980) and AdamW (Loshchilov and Hutter, 2019, arXiv:1711.05101)."""

import wengert
from wengert.optim._update import (
    UpdateOptimizer,
    advance,
    check_betas,
    check_eps,
    check_fused,
    check_lr,
    check_not_negative,
    decayed,
    kept,
    new_step,
    number,
    options,
    scalar,
)


class Adam(UpdateOptimizer):
    """Adam: steps along a running mean of the gradient, divided by the root of a running mean of its square.

    ``p -= lr / (1 - b1**t) * m / (sqrt(v) / sqrt(1 - b2**t) + eps)``. ``amsgrad`` divides by the
    largest ``v`` so far (Reddi et al., 2018). ``foreach``, ``fused`` and ``capturable`` change nothing.

    Args:
        params: parameters or groups, see ``Optimizer``.
        lr: step length, a number or a one-element tensor.
        betas: decay rates of the two means, in [0, 1); two floats or two one-element tensors.
        eps: added to the divisor.
        weight_decay: factor of the L2 penalty; with ``decoupled_weight_decay`` the parameters shrink instead.
        amsgrad, maximize, differentiable, decoupled_weight_decay: switches of the rule.

    Raises:
        ValueError: an option is out of range.

    Example:
        >>> import wengert
        >>> w = wengert.ones(1, requires_grad=True)
        >>> opt = wengert.optim.Adam([w], lr=0.5)
        >>> (w * w).sum().backward()
        >>> opt.step()
        >>> round(w.item(), 4)
        0.5
    """

    _pass = "Adam"

    def __init__(
        self,
        params,
        lr=1e-3,
        betas=(0.9, 0.999),
        eps=1e-8,
        weight_decay=0,
        amsgrad=False,
        *,
        foreach=None,
        maximize=False,
        capturable=False,
        differentiable=False,
        fused=None,
        decoupled_weight_decay=False,
    ):
        defaults = options(locals())
        if isinstance(lr, wengert.Tensor) and foreach and not capturable:
            raise ValueError("lr as a Tensor is not supported for capturable=False and foreach=True")
        check_lr(lr)
        check_eps(eps)
        check_betas(betas)
        check_not_negative(weight_decay=weight_decay)
        kinds = {isinstance(beta, wengert.Tensor) for beta in betas}
        if len(kinds) != 1 or (kinds == {False} and not all(isinstance(beta, float) for beta in betas)):
            raise ValueError("betas must be either both floats or both Tensors")
        if kinds == {True} and any(beta.numel() != 1 for beta in betas):
            raise ValueError("Tensor betas must be 1-element")
        check_fused(fused, foreach, differentiable)
        defaults["betas"] = tuple(map(scalar, betas))
        super().__init__(params, defaults)

    def _new_state(self, p, group):
        state = {"step": new_step(), "exp_avg": wengert.zeros_like(p), "exp_avg_sq": wengert.zeros_like(p)}
        if group["amsgrad"]:
            state["max_exp_avg_sq"] = wengert.zeros_like(p)
        return state

    def _update(self, group, p, grad, state):
        lr = scalar(group["lr"])
        beta1, beta2 = group["betas"]
        exp_avg, exp_avg_sq = state["exp_avg"], state["exp_avg_sq"]
        step = advance(state)
        if group["decoupled_weight_decay"]:
            if group["weight_decay"] != 0:
                p.mul_(1 - lr * group["weight_decay"])
        else:
            grad = decayed(group, p, grad)
        exp_avg.lerp_(grad, 1 - beta1)
        exp_avg_sq.mul_(beta2).addcmul_(grad, grad, value=number(1 - beta2))
        step_size = lr / (1 - beta1**step)
        root_correction = (1 - beta2**step) ** 0.5
        second = exp_avg_sq
        if group["amsgrad"]:
            second = state["max_exp_avg_sq"]
            second.copy_(wengert.maximum(kept(group, second), exp_avg_sq))
        divisor = (kept(group, second).sqrt() / root_correction).add(group["eps"])
        if isinstance(step_size, wengert.Tensor) and step_size.requires_grad:
            p.sub_(exp_avg.clone() / divisor * step_size)
        else:
            p.addcdiv_(kept(group, exp_avg), divisor, value=number(-step_size))


class AdamW(Adam):
    """Adam with decoupled weight decay: each step first multiplies the parameters by ``1 - lr * weight_decay``.

    Arguments are those of ``Adam``; ``weight_decay`` is 0.01 by default.

    Example:
        >>> import wengert
        >>> w = wengert.ones(1, requires_grad=True)
        >>> opt = wengert.optim.AdamW([w], lr=0.5, weight_decay=0.5)
        >>> w.grad = wengert.zeros(1)
        >>> opt.step()
        >>> w.item()
        0.75
    """

    def __init__(
        self,
        params,
        lr=1e-3,
        betas=(0.9, 0.999),
        eps=1e-8,
        weight_decay=1e-2,
        amsgrad=False,
        *,
        maximize=False,
        foreach=None,
        capturable=False,
        differentiable=False,
        fused=None,
    ):
        super().__init__(
            params,
            lr,
            betas,
            eps,
            weight_decay,
            amsgrad,
            foreach=foreach,
            maximize=maximize,
            capturable=capturable,
            differentiable=differentiable,
            fused=fused,
            decoupled_weight_decay=True,
        )

    def __setstate__(self, state):
        super().__setstate__(state)
        for group in self.param_groups:
            group["decoupled_weight_decay"] = True
