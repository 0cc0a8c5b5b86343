"""Adam for tables of which each step sees a few rows."""

import wengert
from wengert.optim._update import UpdateOptimizer, check_betas, check_lr, options, scalar


class SparseAdam(UpdateOptimizer):
    """Adam that leaves rows without a gradient, and what is remembered of them, as they are.

    ``p -= lr sqrt(1 - b2**t) / (1 - b1**t) * m / (sqrt(v) + eps)`` for the elements that the sparse gradient names: those of
    ``nn.Embedding(sparse=True)`` name the rows that were looked up.

    Args:
        params: parameters or groups, see ``Optimizer``.
        lr: step length.
        betas: decay rates of the two means, in [0, 1).
        eps: added to the divisor.
        maximize: climb instead.

    Raises:
        ValueError: an option is out of range, or a parameter is sparse.
        RuntimeError: in ``step``, for a dense gradient.

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
    _allows_sparse = True

    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, maximize=False):
        check_lr(lr)
        defaults = options(locals())
        if not 0.0 < lr:
            raise ValueError(f"SparseAdam: expected lr above 0, got {lr}.")
        if not 0.0 < eps:
            raise ValueError(f"SparseAdam: expected eps above 0, got {eps}.")
        check_betas(betas)
        super().__init__(params, defaults)
        sparse = [p for group in self.param_groups for p in group["params"] if p.is_sparse]
        if sparse:
            raise ValueError(f"SparseAdam: expected dense parameters, got {len(sparse)} sparse ones.")

    def _new_state(self, p, group):
        return {"step": 0, "exp_avg": wengert.zeros_like(p), "exp_avg_sq": wengert.zeros_like(p)}

    def _update(self, group, p, grad, state):
        if not grad.is_sparse:
            raise RuntimeError(
                "SparseAdam: expected sparse gradients, got a dense one. Use Adam, or tables with sparse=True (in "
                "static graphs their gradients are dense)."
            )
        beta1, beta2 = group["betas"]
        step = state["step"] = int(state["step"]) + 1
        grad = grad.coalesce()
        g, at = grad.values(), tuple(grad.indices().unbind(0))
        if not g.numel():
            return
        first, second = (state[name][at] for name in ("exp_avg", "exp_avg_sq"))
        first.add_(g.sub(first).mul_(1 - beta1))
        second.add_((g * g).sub_(second).mul_(1 - beta2))
        state["exp_avg"][at], state["exp_avg_sq"][at] = first, second
        length = scalar(group["lr"]) * (1 - beta2**step) ** 0.5 / (1 - beta1**step)
        p[at] = p[at].sub_(first.div_(second.sqrt().add_(group["eps"])).mul_(length))
