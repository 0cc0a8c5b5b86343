"""Muon (Jordan et al., 2024): momentum whose update matrices are made nearly orthogonal."""

import math

import wengert
from wengert.optim._update import UpdateOptimizer, number, options, scalar

_RATES = ("original", "match_rms_adamw")


class Muon(UpdateOptimizer):
    """Muon: each step is the momentum of a matrix with its singular values moved near 1, times the rate.

    The values are moved by a polynomial iteration (Newton and Schulz) in bfloat16. Only matrices are taken: train biases,
    embeddings and the last layer with another optimizer.

    Args:
        params: matrices or groups of them, see ``Optimizer``.
        lr: step length.
        weight_decay: factor by which, times ``lr``, the parameters shrink.
        momentum: decay rate of the mean gradient; ``nesterov`` looks one step ahead.
        ns_coefficients: a, b, c of one iteration ``X -> a X + b X X^T X + c (X X^T)^2 X``.
        eps: the floor of the norm by which the iteration's start is divided.
        ns_steps: how many iterations, below 100.
        adjust_lr_fn: "original" (also None) multiplies the rate of an (n, m) matrix by ``sqrt(max(1, n / m))``,
            "match_rms_adamw" by ``0.2 sqrt(max(n, m))``.

    Raises:
        ValueError: an option is out of range, or a parameter is no matrix.

    Example:
        >>> import wengert
        >>> w = wengert.eye(2).requires_grad_()
        >>> opt = wengert.optim.Muon([w], lr=0.1, weight_decay=0.0)
        >>> w.sum().backward()
        >>> opt.step()
        >>> bool(w[0, 0] < 1)
        True
    """

    _views_complex_as_real = False

    def __init__(
        self,
        params,
        lr=1e-3,
        weight_decay=0.1,
        momentum=0.95,
        nesterov=True,
        ns_coefficients=(3.4445, -4.7750, 2.0315),
        eps=1e-7,
        ns_steps=5,
        adjust_lr_fn=None,
    ):
        defaults = options(locals())
        if isinstance(lr, wengert.Tensor) and lr.numel() != 1:
            raise ValueError("Tensor lr must be 1-element")
        for name, value in (("Learning rate", lr), ("momentum", momentum), ("weight decay", weight_decay)):
            if not 0.0 <= value:
                raise ValueError(f"{name} should be >= 0 but is: {value}")
        if adjust_lr_fn is not None and adjust_lr_fn not in _RATES:
            raise ValueError(f"Muon: expected adjust_lr_fn among {_RATES}, got {adjust_lr_fn!r}.")
        super().__init__(params, defaults)
        for group in self.param_groups:
            for p in group["params"]:
                if p.dim() != 2:
                    raise ValueError(
                        f"Muon only supports 2D parameters whereas we found a parameter with size: {tuple(p.shape)}"
                    )

    def _new_state(self, p, group):
        return {"momentum_buffer": wengert.zeros_like(p)}

    def _update(self, group, p, grad, state):
        buffer, momentum, lr = state["momentum_buffer"], group["momentum"], scalar(group["lr"])
        buffer.lerp_(grad, 1 - momentum)
        update = grad.lerp(buffer, momentum) if group["nesterov"] else buffer
        update = _orthogonal(update, group["ns_coefficients"], group["ns_steps"], group["eps"])
        rows, columns = p.shape
        ratio = 0.2 * math.sqrt(max(rows, columns))
        if group["adjust_lr_fn"] != "match_rms_adamw":
            ratio = math.sqrt(max(1, rows / columns))
        p.mul_(1 - lr * group["weight_decay"])
        p.add_(update.to(p.dtype), alpha=number(-lr * ratio))


def _orthogonal(matrix, coefficients, steps, eps):
    """The matrix with its singular values near 1, in bfloat16."""
    if steps >= 100:
        raise ValueError("Number of steps must be less than 100 for computational efficiency")
    if len(coefficients) != 3:
        raise ValueError("Coefficients must be a tuple of exactly 3 values")
    a, b, c = coefficients
    x = matrix.bfloat16()
    tall = x.shape[0] > x.shape[1]
    if tall:
        x = x.T
    x = x / x.norm().clamp(min=eps)
    for _ in range(steps):
        square = x @ x.T
        x = wengert.addmm(x, wengert.addmm(square, square, square, beta=b, alpha=c), x, beta=a)
    return x.T if tall else x
