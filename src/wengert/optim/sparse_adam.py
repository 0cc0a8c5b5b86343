"""Adam for tables of which each step sees a few rows."""

import wengert
from wengert.optim._update import UpdateOptimizer, check_lr, options, scalar


class SparseAdam(UpdateOptimizer):
    """Adam that leaves rows without a gradient, and what is remembered of them, as they are.

    ``p -= lr sqrt(1 - b2**t) / (1 - b1**t) * m / (sqrt(v) + eps)`` for the rows (entries of the first axis) whose gradient
    is not all zero: gradients of tables are dense here, and a row that was not looked up has zeros.

    Args:
        params: parameters or groups, see ``Optimizer``.
        lr: step length.
        betas: decay rates of the two means, in [0, 1).
        eps: added to the divisor.
        maximize: climb instead.

    Raises:
        ValueError: an option is out of range.

    Example:
        >>> import wengert
        >>> table = wengert.nn.Embedding(3, 2, sparse=True)
        >>> opt = wengert.optim.SparseAdam(table.parameters())
        >>> before = table.weight.detach().clone()
        >>> table(wengert.tensor([1])).sum().backward()
        >>> opt.step()
        >>> (table.weight != before).any(1).tolist()
        [False, True, False]
    """

    _views_complex_as_real = False

    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, maximize=False):
        check_lr(lr)
        if not 0.0 < lr:
            raise ValueError(f"Invalid learning rate: {lr}")
        if not 0.0 < eps:
            raise ValueError(f"Invalid epsilon value: {eps}")
        for i, beta in enumerate(betas):
            if not 0.0 <= beta < 1.0:
                raise ValueError(f"Invalid beta parameter at index {i}: {beta}")
        super().__init__(params, options(locals()))

    def _new_state(self, p, group):
        return {"step": 0, "exp_avg": wengert.zeros_like(p), "exp_avg_sq": wengert.zeros_like(p)}

    def _update(self, group, p, grad, state):
        beta1, beta2 = group["betas"]
        step = state["step"] = int(state["step"]) + 1
        used = grad != 0
        rows = (used.flatten(1).any(1) if used.dim() > 1 else used).nonzero().squeeze(1)
        if not rows.numel():
            return
        g = grad.index_select(0, rows)
        first = state["exp_avg"].index_select(0, rows).lerp_(g, 1 - beta1)
        second = state["exp_avg_sq"].index_select(0, rows).lerp_(g * g, 1 - beta2)
        state["exp_avg"].index_copy_(0, rows, first)
        state["exp_avg_sq"].index_copy_(0, rows, second)
        length = scalar(group["lr"]) * (1 - beta2**step) ** 0.5 / (1 - beta1**step)
        p.index_add_(0, rows, first.div_(second.sqrt_().add_(group["eps"])), alpha=float(-length))
