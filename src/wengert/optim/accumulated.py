"""Adagrad, Adadelta and RMSprop: steps divided by the root of accumulated squared gradients."""

import wengert
from wengert.optim._update import (
    UpdateOptimizer,
    advance,
    check_eps,
    check_fused,
    check_lr,
    check_not_negative,
    count,
    decayed,
    kept,
    new_step,
    options,
    scalar,
)


class Adagrad(UpdateOptimizer):
    """Adagrad (Duchi et al., 2011): ``sum += grad**2; p -= rate * grad / (sqrt(sum) + eps)``.

    ``rate = lr / (1 + (t - 1) * lr_decay)``. The sums exist from construction on and start from
    ``initial_accumulator_value``. ``foreach`` and ``fused`` change nothing.

    Raises:
        ValueError: an option is out of range.

    Example:
        >>> import wengert
        >>> w = wengert.ones(1, requires_grad=True)
        >>> opt = wengert.optim.Adagrad([w], lr=0.5)
        >>> (w * w).sum().backward()
        >>> opt.step()
        >>> w.item()
        0.5
    """

    _pass = "Adagrad"
    _allows_sparse = True

    def __init__(
        self,
        params,
        lr=1e-2,
        lr_decay=0,
        weight_decay=0,
        initial_accumulator_value=0,
        eps=1e-10,
        foreach=None,
        *,
        maximize=False,
        differentiable=False,
        fused=None,
    ):
        check_lr(lr)
        check_not_negative(
            lr_decay=lr_decay, weight_decay=weight_decay, initial_accumulator_value=initial_accumulator_value
        )
        check_eps(eps)
        check_fused(fused, foreach, differentiable)
        super().__init__(params, options(locals()))
        for group in self.param_groups:
            for p in group["params"]:
                self.state[p] = self._new_state(p, group)

    def _new_state(self, p, group):
        start = self.defaults["initial_accumulator_value"]
        total = wengert.full_like(p, complex(start, start) if p.is_complex() else start, requires_grad=False)
        return {"step": new_step(), "sum": total}

    def share_memory(self):
        """Move the accumulated sums to memory that other processes can share."""
        for state in self.state.values():
            state["sum"].share_memory_()

    def _update(self, group, p, grad, state):
        step = advance(state)
        grad = decayed(group, p, grad)
        rate = scalar(group["lr"]) / (1 + (step - 1) * group["lr_decay"])
        total = state["sum"]
        if grad.is_sparse:
            grad = grad.coalesce()
            g, at = grad.values(), tuple(grad.indices().unbind(0))
            sums = total[at].addcmul_(g, g)
            total[at] = sums
            p.index_put_(at, g.div(sums.sqrt().add(group["eps"])) * -rate, accumulate=True)
            return
        total.addcmul_(grad, grad, value=1)
        p.addcdiv_(grad, kept(group, total).sqrt().add(group["eps"]), value=-rate)


class Adadelta(UpdateOptimizer):
    """Adadelta (Zeiler, 2012, arXiv:1212.5701): the step is scaled by the root mean square of past updates.

    ``rho`` is the decay rate of both means. ``foreach`` and ``capturable`` change nothing.

    Raises:
        ValueError: an option is out of range.

    Example:
        >>> import wengert
        >>> w = wengert.ones(1, requires_grad=True)
        >>> opt = wengert.optim.Adadelta([w])
        >>> (w * w).sum().backward()
        >>> opt.step()
        >>> w.item() < 1
        True
    """

    def __init__(
        self,
        params,
        lr=1.0,
        rho=0.9,
        eps=1e-6,
        weight_decay=0,
        foreach=None,
        *,
        capturable=False,
        maximize=False,
        differentiable=False,
    ):
        check_lr(lr)
        if not 0.0 <= rho <= 1.0:
            raise ValueError(f"Adadelta: expected rho in [0, 1], got {rho}.")
        check_eps(eps)
        check_not_negative(weight_decay=weight_decay)
        super().__init__(params, options(locals()))

    def _new_state(self, p, group):
        return {"step": new_step(), "square_avg": wengert.zeros_like(p), "acc_delta": wengert.zeros_like(p)}

    def _update(self, group, p, grad, state):
        rho, eps = group["rho"], group["eps"]
        square_avg, acc_delta = state["square_avg"], state["acc_delta"]
        count(state)
        grad = decayed(group, p, grad)
        square_avg.mul_(rho).addcmul_(grad, grad, value=1 - rho)
        delta = acc_delta.add(eps).sqrt().div(square_avg.add(eps).sqrt()).mul(grad)
        acc_delta.mul_(rho).addcmul_(delta, delta, value=1 - rho)
        p.add_(delta, alpha=-scalar(group["lr"]))


class RMSprop(UpdateOptimizer):
    """RMSprop (Hinton, 2012): divides the gradient by the root of a running mean of its square.

    ``centered`` subtracts the square of the running mean of the gradient (Graves, 2013, arXiv:1308.0850).
    ``alpha`` is the decay rate of the means. ``foreach`` and ``capturable`` change nothing.

    Raises:
        ValueError: an option is out of range.

    Example:
        >>> import wengert
        >>> w = wengert.ones(1, requires_grad=True)
        >>> opt = wengert.optim.RMSprop([w], lr=0.01)
        >>> (w * w).sum().backward()
        >>> opt.step()
        >>> round(w.item(), 4)
        0.9
    """

    _pass = "RMSprop"

    def __init__(
        self,
        params,
        lr=1e-2,
        alpha=0.99,
        eps=1e-8,
        weight_decay=0,
        momentum=0,
        centered=False,
        capturable=False,
        foreach=None,
        maximize=False,
        differentiable=False,
    ):
        check_lr(lr)
        check_eps(eps)
        check_not_negative(momentum=momentum, weight_decay=weight_decay, alpha=alpha)
        super().__init__(params, options(locals()))

    def _new_state(self, p, group):
        state = {"step": new_step(), "square_avg": wengert.zeros_like(p)}
        if group["momentum"] > 0:
            state["momentum_buffer"] = wengert.zeros_like(p)
        if group["centered"]:
            state["grad_avg"] = wengert.zeros_like(p)
        return state

    def _update(self, group, p, grad, state):
        lr, alpha, momentum = scalar(group["lr"]), group["alpha"], group["momentum"]
        square_avg = state["square_avg"]
        count(state)
        grad = decayed(group, p, grad)
        square_avg.mul_(alpha).addcmul_(grad, grad, value=1 - alpha)
        variance = square_avg
        if group["centered"]:
            grad_avg = state["grad_avg"]
            grad_avg.lerp_(grad, 1 - alpha)
            mean = kept(group, grad_avg)
            variance = square_avg.addcmul(mean, mean, value=-1)
        root = kept(group, variance).sqrt().add(group["eps"])
        if momentum > 0:
            buffer = state["momentum_buffer"]
            buffer.mul_(momentum).addcdiv_(grad, root)
            p.add_(buffer, alpha=-lr)
        else:
            p.addcdiv_(grad, root, value=-lr)
