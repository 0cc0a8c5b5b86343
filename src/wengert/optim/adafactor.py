"""Adafactor (Shazeer and Stern, 2018, arXiv:1804.04235): Adam's second moment kept as one row and one column."""

import wengert
from wengert.optim._update import UpdateOptimizer, advance, check_lr, check_not_negative, new_step, options, scalar


class Adafactor(UpdateOptimizer):
    """Adafactor: steps relative to the size of the parameter, along the gradient over the root of its mean square.

    The mean square of a matrix is estimated from those of its rows and its columns, so the state of (..., n, m) has n + m
    numbers. ``foreach`` changes nothing.

    Args:
        params: parameters or groups, see ``Optimizer``.
        lr: the largest relative step; it shrinks as ``1 / sqrt(t)``.
        beta2_decay: the mean square forgets with the rate ``t**beta2_decay``.
        eps: the floor of the mean square's root (the machine epsilon if None) and that of the parameter's size.
        d: updates whose root mean square is above this are scaled down to it.
        weight_decay: factor by which, times ``lr``, the parameters shrink.
        maximize: climb instead.

    Raises:
        ValueError: an option is out of range.

    Example:
        >>> import wengert
        >>> w = wengert.ones(2, 2, requires_grad=True)
        >>> opt = wengert.optim.Adafactor([w], lr=0.5)
        >>> (w * w).sum().backward()
        >>> opt.step()
        >>> [(name, list(value.shape)) for name, value in opt.state[w].items()]
        [('step', []), ('row_var', [2, 1]), ('col_var', [1, 2])]
    """

    _views_complex_as_real = False

    def __init__(
        self,
        params,
        lr=1e-2,
        beta2_decay=-0.8,
        eps=(None, 1e-3),
        d=1.0,
        weight_decay=0.0,
        *,
        foreach=None,
        maximize=False,
    ):
        check_lr(lr)
        if not 0.0 >= beta2_decay:
            raise ValueError(f"beta2_decay should be <= 0 but is: {beta2_decay}")
        if eps[0] is not None and not 0.0 <= eps[0]:
            raise ValueError(f"epsilon1 should be >= 0 but is: {eps[0]}")
        if not 0.0 <= eps[1]:
            raise ValueError(f"epsilon2 should be >= 0 but is: {eps[1]}")
        if not 1.0 <= d:
            raise ValueError(f"Clipping threshold d should be >= 1 but is: {d}")
        check_not_negative(weight_decay=weight_decay)
        super().__init__(params, options(locals()))

    def _new_state(self, p, group):
        if p.is_complex():
            raise RuntimeError("Adafactor: expected real parameters, got complex ones.")
        if p.dim() > 1:
            rows, columns = (*p.shape[:-1], 1), (*p.shape[:-2], 1, p.shape[-1])
            variances = {
                "row_var": wengert.zeros(rows, dtype=p.dtype),
                "col_var": wengert.zeros(columns, dtype=p.dtype),
            }
        else:
            variances = {"variance": wengert.zeros_like(p)}
        return {"step": new_step(), **variances}

    def _update(self, group, p, grad, state):
        floor, smallest = group["eps"]
        floor = wengert.finfo(p.dtype).eps if floor is None else floor
        lr = scalar(group["lr"])
        step = advance(state)
        share = step ** group["beta2_decay"]
        size = (p.norm(2).double() / p.numel() ** 0.5).clamp_(min=smallest)
        if group["weight_decay"] != 0:
            p.mul_(1 - lr * group["weight_decay"])
        square = _factored(state, grad, share, floor) if grad.dim() > 1 else _whole(state, grad, share)
        update = square.clamp_(min=floor * floor).rsqrt_().mul_(grad)
        above = (update.norm(2).double() / (update.numel() ** 0.5 * group["d"])).clamp_(min=1.0)
        p.addcmul_(update, (-size * min(lr, step**-0.5) / above).to(p.dtype))


def _factored(state, grad, share, floor):
    """The mean square of a gradient as the product of those of its rows and columns, over their common mean."""
    rows, columns = state["row_var"], state["col_var"]
    squares = grad.square()
    rows.lerp_(squares.mean(-1, keepdim=True), share)
    columns.lerp_(squares.mean(-2, keepdim=True), share)
    return (rows @ columns).div_(rows.mean(-2, keepdim=True).clamp_(min=floor))


def _whole(state, grad, share):
    return state["variance"].lerp_(grad.square(), share).clone()
