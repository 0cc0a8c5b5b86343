"""Stochastic gradient descent."""

import wengert
from wengert import _core
from wengert.optim._update import (
    UpdateOptimizer,
    check_fused,
    check_lr,
    check_not_negative,
    decayed,
    options,
    scalar,
)


class SGD(UpdateOptimizer):
    """Stochastic gradient descent with momentum: ``buf = momentum * buf + (1 - dampening) * grad; p -= lr * buf``.

    The first step takes the gradient itself as the buffer. ``nesterov`` steps along ``grad + momentum * buf``.
    ``foreach`` and ``fused`` are accepted and change nothing.

    Args:
        params: parameters or groups, see ``Optimizer``.
        lr: step length, a number or a one-element tensor.
        momentum, dampening, weight_decay, nesterov, maximize: options of the rule.
        differentiable: record the update itself, so that it can be differentiated.

    Raises:
        ValueError: an option is out of range, or ``nesterov`` without momentum or with dampening.

    Example:
        >>> import wengert
        >>> w = wengert.ones(1, requires_grad=True)
        >>> opt = wengert.optim.SGD([w], lr=0.25)
        >>> (w * w).sum().backward()
        >>> opt.step()
        >>> w.item()
        0.5
    """

    _pass = "SGD"
    _views_complex_as_real = False
    _allows_sparse = True

    def __init__(
        self,
        params,
        lr=1e-3,
        momentum=0,
        dampening=0,
        weight_decay=0,
        nesterov=False,
        *,
        maximize=False,
        foreach=None,
        differentiable=False,
        fused=None,
    ):
        check_lr(lr)
        check_not_negative(momentum=momentum, weight_decay=weight_decay)
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError(
                f"SGD: expected a momentum above 0 and no dampening for nesterov=True, got {momentum} and {dampening}."
            )
        check_fused(fused, foreach, differentiable)
        super().__init__(params, options(locals()))

    def _state_of(self, group, p):
        if group["momentum"] == 0:
            return None  # state_dict() must stay empty
        return self.state[p]

    def _new_state(self, p, group):
        return {"momentum_buffer": None}

    def _update(self, group, p, grad, state):
        lr, momentum = scalar(group["lr"]), group["momentum"]
        grad = decayed(group, p, grad)
        if momentum != 0:
            buffer = state.get("momentum_buffer")
            if buffer is None:
                buffer = state["momentum_buffer"] = grad.detach().clone()
            else:
                buffer.mul_(momentum).add_(grad, alpha=1 - group["dampening"])
            if buffer.is_sparse:  # otherwise it grows with every step
                buffer = state["momentum_buffer"] = buffer.coalesce()
            grad = grad.add(buffer, alpha=momentum) if group["nesterov"] else buffer
        if isinstance(lr, wengert.Tensor) and (lr.requires_grad or not _core.has_value(lr)):
            p.addcmul_(grad, lr, value=-1)
        else:
            p.add_(grad, alpha=-lr)
